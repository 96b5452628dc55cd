#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [NAME...]: builds capi/core without Go and runs its tests (NAME_test.c;
# all of them by default) five ways: plain, under ASan and UBSan, under clang's
# UBSan, which knows more, under TSan, and in valgrind those that need no second
# thread. A log is shown if something in it failed; the last line has the totals.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=build/core
mkdir -p $out
cc=${CC:-gcc}
flags="-std=c11 -D_GNU_SOURCE -g -Wall -Wextra -pedantic -Werror -Iinclude -Icapi/core"
declare -A how=(
  [plain]="-O2"
  [asan]="-O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
  [clang]="-O1 -fsanitize=undefined -fno-sanitize-recover=all -w" # gcc warns
  # GCC sees through less when it is instrumented, and TSan through no fences.
  [tsan]="-O1 -fsanitize=thread -Wno-tsan -Wno-maybe-uninitialized"
)
names=("$@")
if [ ${#names[@]} = 0 ]; then
  for test in tests/core/*_test.c; do
    name=${test##*/}
    names+=("${name%_test.c}")
  done
fi
one_thread=" pool pool_end pool_memory pool_options pool_guest pool_timer pool_deadline task timer timer_model timer_order options call memory chaos shield context post scope scope_end watch watch_host time deadline deadline_call "

passed=0 failed=0
# check LABEL COMMAND...: runs a test program and adds up its tests.
check() {
  local label=$1 log=$out/$1.log
  shift
  CMOCKA_MESSAGE_OUTPUT=stdout "$@" >"$log" 2>&1
  local rc=$?
  local good bad
  good=$(grep -c '^\[       OK \]' "$log")
  bad=$(grep -c '^\[  FAILED  \] [a-z_0-9]*$' "$log")
  bad=$((bad / 2)) # cmocka names each twice
  if [ $rc != 0 ]; then
    [ $bad != 0 ] || bad=1
    echo "$label failed, exit code $rc:"
    grep -v '^\[ RUN \|^\[       OK \]' "$log" | sed 's/^/  /' | tail -n 60
  fi
  passed=$((passed + good)) failed=$((failed + bad))
}

build() { # VARIANT
  local cc=$cc
  [ "$1" != clang ] || cc=clang
  local core=(capi/core/*/*.c) objects=()
  for file in "${core[@]}"; do # named as the file: two floors may have a task.c
    file=${file#capi/core/}
    objects+=("$out/$1/${file%.c}.o")
    mkdir -p "$out/$1/${file%/*}"
  done
  printf '%s\n' "${core[@]#capi/core/}" |
    xargs -P 2 -I{} sh -c "f={}; $cc $flags ${how[$1]} -c capi/core/\$f -o $out/$1/\${f%.c}.o" &&
    printf '%s\n' "${names[@]}" |
    xargs -P 2 -I{} sh -c "$cc $flags ${how[$1]} tests/core/{}_test.c ${objects[*]} -o $out/$1/{}_test -lcmocka -pthread"
}

for variant in plain asan clang tsan; do
  if ! build $variant; then
    echo "$variant does not build"
    failed=$((failed + 1))
    continue
  fi
  for name in "${names[@]}"; do
    check "$variant-$name" timeout 300 "$out/$variant/${name}_test"
  done
done
for name in "${names[@]}"; do
  [[ $one_thread == *" $name "* ]] || continue
  check "valgrind-$name" timeout 600 valgrind -q --error-exitcode=9 \
    --leak-check=full --errors-for-leak-kinds=definite "$out/plain/${name}_test"
done
if [ $# = 0 ]; then
  for script in "python3 tests/core/floors.py $out/plain" tests/core/asm_test.sh; do
    if $script; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
    fi
  done
fi

echo "$passed passed, $failed failed"
[ $failed = 0 ]
