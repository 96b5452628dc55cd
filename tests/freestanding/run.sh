#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests static.h without a libc on a Cortex-M4, a Cortex-M0 and a RISC-V under QEMU,
# and on the host under ASan, UBSan and valgrind. Then the same object files of
# futures run on the shared library. README.md describes the tests.
#
#   tests/freestanding/run.sh [BOARD...]     m4 m0 riscv host
set -u
cd "$(dirname "$0")" || exit 1
root=$PWD/../..
out=$root/build/freestanding
lib=$(cd "${LIB:-$root/build/lib}" 2>/dev/null && pwd)
mkdir -p "$out"
boards=${*:-m4 m0 riscv host}
passed=0 failed=0
. ./boards.sh

cat ../conformance/vectors/*.vec >"$out/vectors.txt"
cat ../conformance/wrong/*.vec >"$out/wrong.txt"

# check NAME COMMAND...: its last line has the totals.
check() {
  local name=$1 rc last
  shift
  timeout 120 "$@" >"$out/$name.log" 2>&1 </dev/null
  rc=$?
  last=$(tail -n 1 "$out/$name.log")
  if [[ $rc = 0 && $last =~ ^([0-9]+)\ passed,\ 0\ failed ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    printf '%-18s %s\n' "$name" "$last"
  else
    failed=$((failed + 1))
    tail -n 30 "$out/$name.log"
    echo "$name FAILED: $rc"
  fi
}

# Each of the wrong vectors has a mistake, which the replay has to find.
check_wrong() {
  local name=$1 last
  shift
  timeout 60 "$@" >"$out/$name.log" 2>&1 </dev/null
  last=$(tail -n 1 "$out/$name.log")
  if [ "$last" = "0 passed, $(($(grep -c '^case ' "$out/wrong.txt") - 1)) failed, 1 skipped" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "$name finds not all mistakes: $last"
  fi
}

for board in $boards; do
  actors=2048
  [ $board != m0 ] || actors=20
  ok=1
  build $board "$out/$board-static" static_test.c || ok=0
  build $board "$out/$board-interrupts" interrupts_test.c || ok=0
  build $board "$out/$board-serial" serial_test.c futures/line.c futures/watching.c || ok=0
  for text in vectors wrong; do
    build $board "$out/$board-$text" -DACTORS=$actors -DVECTORS="\"$out/$text.txt\"" \
      replay.c vectors.S || ok=0
  done
  if [ $ok = 0 ]; then
    failed=$((failed + 1))
    continue
  fi
  for test in static interrupts vectors; do
    check $board-$test $(quickly $board "$out/$board-$test")
  done
  check_wrong $board-wrong $(quickly $board "$out/$board-wrong")
  check $board-serial python3 serial.py $(patiently $board "$out/$board-serial")
done

if [[ " $boards " == *" host "* ]]; then
  for test in static interrupts; do
    build plain "$out/plain-$test" ${test}_test.c &&
      check valgrind-$test valgrind -q --error-exitcode=9 "$out/plain-$test"
  done
  # What the boards' compiler sees of the futures is what the library runs.
  for file in line watching; do
    ${CC:-gcc} $flags -ffreestanding -nostdlib -fPIC -c futures/$file.c -o "$out/$file.o" ||
      failed=$((failed + 1))
  done
  ${CC:-gcc} $flags -DBOARD_HOST boards/host.c serial_test.c "$out/line.o" "$out/watching.o" \
    -o "$out/objects" && check static-objects python3 serial.py "$out/objects"
  ${CC:-gcc} $flags uv_test.c "$out/line.o" "$out/watching.o" -o "$out/uv" -L"$lib" -lpillion \
    -luv -lpthread -Wl,-rpath,"$lib" && check library-objects "$out/uv"
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
