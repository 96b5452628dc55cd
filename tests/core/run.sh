#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [FLOOR/NAME...]: builds capi/core without Go and runs its tests
# (FLOOR/NAME_test.c; all of them by default) five ways: plain, under ASan and
# UBSan, under clang's UBSan, which knows more, under TSan, and without a second
# thread also in valgrind. It prints the log of a program that fails; the last line
# has the totals. TEST=name in the environment runs only that test of each program.
set -u
cd "$(dirname "$0")/../.." || exit 1
export out=build/core
mkdir -p $out
cc=${CC:-gcc}
flags="-std=c11 -D_GNU_SOURCE -g -Wall -Wextra -Wno-unused-parameter -pedantic -Werror -Iinclude -Icapi/core -Itests/core"
declare -A how=(
  [plain]="-O2"
  [asan]="-O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
  [clang]="-O1 -fsanitize=undefined -fno-sanitize-recover=all -w" # gcc warns
  # GCC sees through less when it is instrumented, and TSan through no fences.
  [tsan]="-O1 -fsanitize=thread -Wno-tsan -Wno-maybe-uninitialized"
)
# A fixture frees its test's tasks, so these may not lie in the test's frame.
export ASAN_OPTIONS="detect_stack_use_after_return=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export CMOCKA_MESSAGE_OUTPUT=stdout
jobs=$(nproc)
names=("$@")
if [ ${#names[@]} = 0 ]; then
  for test in tests/core/*/*_test.c; do
    name=${test#tests/core/}
    names+=("${name%_test.c}")
  done
fi
one_thread=" base/memory call/call call/deadline executor/context executor/deadline executor/lend executor/options executor/post executor/scope executor/scope_end executor/shield executor/task executor/time executor/timer executor/timer_order executor/watch executor/watch_host guest/pool library/chaos pool/deadline pool/end pool/memory pool/options pool/pool pool/timer queue/timer_model "

# check HOW NAME COMMAND...: runs a test program and counts its tests.
check() {
  local label=$1-${2/\//-} log=$out/$1-${2/\//-}.log rc=0
  shift 2
  "$@" >"$log" 2>&1 || rc=$?
  local good bad
  good=$(grep -c '^\[       OK \]' "$log")
  bad=$(grep -c '^\[ *\(FAILED\|ERROR\) *\] [a-z_0-9]*$' "$log")
  if [ $rc != 0 ]; then
    [ "$bad" != 0 ] || bad=1
    echo "$label failed, exit code $rc:"
    grep -v '^\[ RUN \|^\[       OK \]' "$log" | sed 's/^/  /' | tail -n 60
  fi
  echo "$good $bad" >>"$out/counts"
}
export -f check

# each COMMAND: for every line of the input, which stands for {}; some at once.
each() { xargs -P "$jobs" -I{} bash -c "$1"; }

build() { # VARIANT
  local cc=$cc file units=() objects=()
  [ "$1" != clang ] || cc=clang
  for file in capi/core/*.c capi/core/*/*.c tests/core/*.c tests/support/test.c; do
    units+=("${file%.c}")
    objects+=("$out/$1/${file%.c}.o")
    mkdir -p "$out/$1/${file%/*}"
  done
  for file in "${names[@]}"; do mkdir -p "$out/$1/tests/core/${file%/*}"; done
  printf '%s\n' "${units[@]}" |
    each "$cc $flags ${how[$1]} -c {}.c -o $out/$1/{}.o" &&
    printf '%s\n' "${names[@]}" |
    each "$cc $flags ${how[$1]} tests/core/{}_test.c ${objects[*]} -o $out/$1/tests/core/{}_test -lcmocka -pthread"
}

: >$out/counts
for variant in plain asan clang tsan; do
  if ! build $variant; then
    echo "$variant does not build"
    echo "0 1" >>$out/counts
    continue
  fi
  printf '%s\n' "${names[@]}" |
    each "check $variant {} timeout 300 $out/$variant/tests/core/{}_test"
done
for name in "${names[@]}"; do
  [[ $one_thread != *" $name "* ]] || echo "$name"
done | each "check valgrind {} timeout 600 valgrind -q --error-exitcode=9 \
  --leak-check=full --errors-for-leak-kinds=definite $out/plain/tests/core/{}_test"
if [ $# = 0 ]; then
  for script in "python3 tests/core/floors.py $out/plain/capi/core" tests/core/asm_test.sh; do
    count="1 0"
    $script || count="0 1"
    echo "$count" >>$out/counts
  done
fi

read -r passed failed < <(awk '{ p += $1; f += $2 } END { print p, f }' $out/counts)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
