#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
#   tests/toolchain.sh go1.27.0    builds the library with another Go, which is
#                                  fetched, and runs the probes of its runtime
set -euo pipefail
cd "$(dirname "$0")/.."
lib=$PWD/build/toolchain/${1:?usage: tests/toolchain.sh GO}
mkdir -p "$lib"
export GOTOOLCHAIN=$1
go run ./capi/build -o "$lib/libpillion.so"
go run ./capi/build -o "$lib/libpillion-test.so" ./tests/module
unset GOTOOLCHAIN
LIB=$lib BUILD=$lib/tests tests/c/run.sh -p runtime_test signal_test visit_test \
  uv_storm_test signalfd_storm_test
