#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [NAME...]: builds and runs the stress tests' examples and tests, in C and
# in Go. C's are linked to the library, and again compiled with the core alone,
# without Go, under TSan where threads share something.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=build/stress
mkdir -p $out
lib=$PWD/build/lib
here=tests/stress
cc="${CC:-gcc} -std=gnu11 -g -Wall -Wextra -Werror -Iinclude"
library="-O2 -L$lib -lpillion -Wl,-rpath,$lib -pthread"
core="-D_GNU_SOURCE -Icapi -Icapi/core -DWITHOUT_GO capi/core.c -pthread"
tsan="-O1 -fsanitize=thread -Wno-tsan -Wno-maybe-uninitialized $core"
passed=0 failed=0

verdict() { # RC WHAT
  if [ "$1" = 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "$2 failed"
  fi
}

# example NAME HOW FLAGS: builds NAME/example.c and compares its output.
example() {
  local program=$out/$1-example-$2 rc=0
  $cc "$here/$1/example.c" $3 -o "$program" || { verdict 1 "$1: $2"; return; }
  timeout 120 "$program" 2>&1 | diff "$here/$1/expected.txt" - || rc=1
  verdict $rc "$1: example, $2"
}

# counted NAME HOW FLAGS [ARGUMENT...]: builds NAME/test.c, which counts itself.
counted() {
  local program=$out/$1-test-$2
  $cc "$here/$1/test.c" $3 -o "$program" || { verdict 1 "$1: $2"; return; }
  counts_itself "$1" "$2" "$program" "${@:4}"
}

# counts_itself NAME HOW COMMAND...: its last line has the counts.
counts_itself() {
  local log=$out/$1-test-$2.log rc=0
  timeout 120 "${@:3}" >"$log" 2>&1 || rc=1
  [ $rc = 0 ] || cat "$log"
  if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
  else
    verdict 1 "$1: test, $2"
  fi
}

in_go() { # NAME
  local log=$out/$1-go.log rc=0
  go test -race -v "./$here/$1/..." >"$log" 2>&1 || rc=1
  [ $rc = 0 ] || tail -n 40 "$log"
  passed=$((passed + $(grep -c '^--- PASS: ' "$log")))
  [ $rc = 0 ] || verdict 1 "$1: in Go"
}

# The example's own machine code has no locked instruction either. (asm_test.sh in
# tests/core checks the executor's paths.)
no_locks() {
  [ "$(uname -m)" = x86_64 ] || return 0
  $cc -O2 -c $here/single_threaded/example.c -o $out/example.o &&
    ! objdump -d --no-show-raw-insn $out/example.o |
    grep -E '\block |\bxchg[a-z]* .*\(|\bmfence'
}

single_threaded() {
  example single_threaded library "$library"
  example single_threaded tsan "$tsan"
  no_locks
  verdict $? "single_threaded: no locked instruction"
  in_go single_threaded
}

zero_allocation() {
  example zero_allocation library "$library"
  counted zero_allocation library "$library"
  counted zero_allocation core "-O2 $core"
  in_go zero_allocation
}

bring_your_own_runtime() {
  example bring_your_own_runtime library "$library"
  counted bring_your_own_runtime library "$library"
  counted bring_your_own_runtime core "-O2 $core"
}

multi_threaded() {
  local uv
  uv=$(pkg-config --libs libuv)
  example multi_threaded library "$library $uv"
  example multi_threaded tsan "$tsan $uv"
  in_go multi_threaded
}

# Three libraries, two of them with one SONAME, in both orders of loading.
libraries() {
  local third=$PWD/$out/libpillion-third.so
  local all=("$lib/libpillion-test.so" "$lib/libpillion-other.so" "$third")
  cp "$lib/libpillion-other.so" "$third"
  counted libraries upward "-O2 -pthread" "${all[@]}"
  counted libraries downward "-O2 -pthread" "${all[2]}" "${all[1]}" "${all[0]}"
}

many_runtimes() {
  local loops=$PWD/$out/loops test=$lib/libpillion-test.so uv_and_glib
  local python=(env PYTHONPATH=bindings/python/src build/venv/bin/python "$here/many_runtimes/test.py" "$test")
  local flags="-fPIC -shared $here/many_runtimes/loops.c -L$lib -lpillion-test -Wl,-rpath,$lib"
  uv_and_glib=$(pkg-config --cflags --libs libuv glib-2.0)
  $cc -O2 $flags $uv_and_glib -o "$loops.so" &&
    $cc -O1 -fsanitize=address,undefined $flags $uv_and_glib -o "$loops-asan.so" ||
    { verdict 1 many_runtimes; return; }
  counts_itself many_runtimes library "${python[@]}" "$loops.so"
  counts_itself many_runtimes one-core taskset -c 0 "${python[@]}" "$loops.so"
  counts_itself many_runtimes asan env ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:use_sigaltstack=0 \
    UBSAN_OPTIONS=halt_on_error=1 LD_PRELOAD="$($cc -print-file-name=libasan.so) $($cc -print-file-name=libstdc++.so)" \
    "${python[@]}" "$loops-asan.so"
}

# libcurl, c-ares, hiredis and nats.c on the loop of an executor: all finish.
good_neighbours() {
  local run=$here/good_neighbours/run.sh all='100 pages, 200 names, 500 words' how loop
  "$run" build || { verdict 1 good_neighbours; return; }
  for how in "" "taskset -c 0"; do
    for loop in uv event; do
      [ "$($how timeout 120 "$run" $loop)" = "$all, 200 messages" ]
      verdict $? "good_neighbours: $loop $how"
    done
    [ "$($how timeout 120 "$run" glib)" = "$all, 0 messages" ] # nats.c has no adapter
    verdict $? "good_neighbours: glib $how"
  done
}

[ $# -gt 0 ] || set -- single_threaded multi_threaded bring_your_own_runtime zero_allocation \
  libraries many_runtimes good_neighbours
for name; do
  before=$passed
  "$name"
  printf '%-24s %3d passed\n' "$name" $((passed - before))
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
