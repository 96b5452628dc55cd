#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Cross-builds the library for linux/arm64, and runs there, under qemu-user: the
# vectors on Go's executor, on C's and in the library, a fork, and the tests of
# Go's packages. qemu-user on another processor keeps that one's order of memory,
# so this says nothing about weaker ones; tests/model/run.sh says what the models assume.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=$PWD/build/arm64
mkdir -p "$out/lib"
passed=0 failed=0
arm=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
cc="aarch64-linux-gnu-gcc -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude"

# The build command itself runs here.
go build -o "$out/capibuild" ./capi/build &&
  GOARCH=arm64 CGO_ENABLED=1 CC=aarch64-linux-gnu-gcc "$out/capibuild" \
    -o "$out/lib/libpillion.so" -soname libpillion.so.0 || exit 1
ln -sf libpillion.so "$out/lib/libpillion.so.0"
GOARCH=arm64 CGO_ENABLED=0 go build -o "$out/go" ./tests/conformance/local || exit 1
$cc -Icapi -Icapi/core tests/conformance/replay.c capi/core.c -o "$out/core" -pthread || exit 1
for program in conformance/replay arm64/fork; do
  $cc tests/$program.c -o "$out/${program##*/}" -L"$out/lib" -lpillion \
    -Wl,-rpath,"$out/lib" -pthread || exit 1
done

# check NAME COMMAND...: its last line has the totals.
check() {
  local name=$1 rc=0 last
  shift
  timeout 120 "${arm[@]}" "$@" >"$out/$name.log" 2>&1 || rc=$?
  last=$(tail -n 1 "$out/$name.log")
  if [[ $rc = 0 && $last =~ ^([0-9]+)\ passed,\ 0\ failed ]]; then
    passed=$((passed + BASH_REMATCH[1]))
  else
    failed=$((failed + 1))
    tail -n 30 "$out/$name.log"
  fi
  printf '%-8s %s\n' "$name" "$last"
}

check go "$out/go" tests/conformance/vectors/*.vec
check core "$out/core" tests/conformance/vectors/*.vec
check library "$out/replay" tests/conformance/vectors/*.vec
check fork "$out/fork"

if GOARCH=arm64 CGO_ENABLED=0 go test -exec qemu-aarch64 ./executor \
  ./executor/coro ./executor/future ./executor/internal/... >"$out/go-test.log" 2>&1; then
  passed=$((passed + $(grep -c '^ok' "$out/go-test.log")))
else
  failed=$((failed + 1))
  grep -v '^ok\|no test files' "$out/go-test.log" | tail -n 40
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
