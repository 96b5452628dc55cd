#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the library and measures it beside its peers; see README.md.
set -e
cd "$(dirname "$0")/../.."
tests/setup.sh test
make --no-print-directory lib
exec python3 tests/bench/run.py "$@"
