#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# All checks, on a fresh machine with Go, a C compiler, CPython, Node and Rust.
# Each step prints one line, and its output if it fails. The last line has the
# totals of all runners.
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/logs
tests/setup.sh test || exit 1
python=build/venv/bin/python
failed=0 passed_total=0 failed_total=0 skipped_total=0

# step NAME COMMAND...: runs it, and adds up its runner's counts.
step() {
  local name=$1 log=build/logs/$1.log start=$SECONDS
  shift
  if "$@" </dev/null >"$log" 2>&1; then
    counts "$log"
    printf '%-22s ok      %4ss  %s\n' "$name" $((SECONDS - start)) "$passed passed${skipped:+, $skipped skipped}"
  else
    counts "$log"
    failed=1
    [ "$bad" -gt 0 ] || bad=1
    tail -n 80 "$log"
    printf '%-22s FAILED  %4ss  %s\n' "$name" $((SECONDS - start)) "see $log"
  fi
  passed_total=$((passed_total + passed)) failed_total=$((failed_total + bad))
  skipped_total=$((skipped_total + ${skipped:-0}))
}

# counts reads go test, pytest, cmocka and plain totals out of a log.
counts() {
  read -r passed bad skipped < <("$python" tests/totals.py "$1")
  [ "$skipped" = 0 ] && skipped=
}

step lib          make lib
step format       tests/format.sh
step go           go test -race -v ./executor/... ./foreign/... ./capi/build/...
step go-nocgo     env CGO_ENABLED=0 go test -v ./executor/... ./foreign/...
step cross        tests/cross.sh
step core         tests/core/run.sh
step model        tests/model/run.sh
step conformance  tests/conformance/run.sh
step fuzz         env FUZZ_SECONDS=120 FUZZ_SEED=1 tests/fuzz/run.sh
step stress       tests/stress/run.sh
step headers      tests/c/header_test.sh
step c            tests/c/run.sh
step loops        tests/conformance/loops/run.sh
step abi          "$python" -m pytest -q tests/abi tests/docs
step python       "$python" -m pytest -q bindings/python/tests
step browser      bindings/browser/tests/run.sh
step freestanding tests/freestanding/run.sh
step wasip1       go -C tests/wasip1 test -v .
step arm64        tests/arm64/run.sh
step install      tests/install/run.sh
step examples     tests/examples/run.sh

echo "$passed_total passed, $failed_total failed, $skipped_total skipped"
exit $failed
