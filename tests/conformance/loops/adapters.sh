#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the cases on every loop of C, Go and Python, and renews the tables: that in
# README.md beside this file, and the summary in the project's.
set -u
cd "$(dirname "$0")/../../.." || exit 1
tests/setup.sh adapters || exit 1
make lib >/dev/null || exit 1
mkdir -p build/conformance/loops
export LOOPS_WAKES=${LOOPS_WAKES:-1000000}
PYTHON=build/venv-adapters/bin/python tests/conformance/loops/run.sh -p
rc=$?
CGO_ENABLED=0 go test -count=1 -v ./foreign/... >build/conformance/loops/go.log 2>&1 || rc=1
build/venv/bin/python tests/conformance/loops/table.py build/conformance/loops || rc=1
exit $rc
