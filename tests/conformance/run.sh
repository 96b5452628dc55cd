#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Replays the vectors on every executor: Go's; C's, compiled without Go under ASan
# and UBSan, and in the built library from C and from Python. Then shows that each
# replayer finds the mistakes in wrong/. README.md describes the vectors.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=build/conformance
mkdir -p $out
lib=$PWD/build/lib
passed=0 failed=0
cc="${CC:-gcc} -std=gnu11 -g -Wall -Wextra -Werror -Iinclude"

go build -race -o $out/go ./tests/conformance/local || exit 1
$cc -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -D_GNU_SOURCE \
  -Icapi -Icapi/core tests/conformance/replay.c capi/core.c -o $out/core -pthread || exit 1
$cc -O2 tests/conformance/replay.c -o $out/library -L"$lib" -lpillion \
  -Wl,-rpath,"$lib" -pthread || exit 1

# replayer NAME COMMAND...: adds up its totals.
replayer() {
  local name=$1 rc=0 last wrong n
  shift
  timeout 120 "$@" tests/conformance/vectors/*.vec >"$out/$name.log" 2>&1 || rc=$?
  last=$(tail -n 1 "$out/$name.log")
  if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    [ "$rc" = 0 ] || [ "${BASH_REMATCH[2]}" != 0 ] || failed=$((failed + 1))
  else
    failed=$((failed + 1))
  fi
  printf '%-8s %s\n' "$name:" "$last"
  [ "$rc" = 0 ] || head -n 60 "$out/$name.log"

  wrong=$(timeout 60 "$@" tests/conformance/wrong/*.vec 2>&1)
  rc=$?
  n=$(cat tests/conformance/wrong/*.vec | grep -c '^case ')
  if [ $rc = 1 ] && grep -q "^0 passed, $n failed$" <<<"$wrong"; then
    passed=$((passed + 1))
  else
    printf '%s\n' "$wrong" | tail -n 20
    echo "$name does not find all $n mistakes"
    failed=$((failed + 1))
  fi
}

replayer go $out/go
replayer core $out/core
replayer library $out/library
replayer python build/venv/bin/python tests/conformance/replay.py "$lib/libpillion.so"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
