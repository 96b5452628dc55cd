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
for name in test other; do
  go run ./capi/build -o "$lib/libpillion-$name.so" ./tests/module
done
unset GOTOOLCHAIN
LIB=$lib BUILD=$lib/tests tests/c/run.sh -p runtime_test signal_test visit_test \
  libraries_test uv_storm_test signalfd_storm_test
