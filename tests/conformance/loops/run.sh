#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the list of cases and runs it on every loop that C has, plain and under
# ASan and UBSan, and on those of Python that are installed.
#
#   tests/conformance/loops/run.sh [-p] [-s] [LOOP...]   -p plain, -s sanitizers
#
# Environment: CC (gcc), CFLAGS, LIB (build/lib), BUILD, PYTHON. LOOPS_WAKES is how
# many wakes meet each loop (50000).
set -eu
cd "$(dirname "$0")/../../.."
CC=${CC:-gcc} CXX=${CXX:-g++}
LIB=$(cd "${LIB:-build/lib}" && pwd)
BUILD=${BUILD:-build/conformance/loops}
kinds="plain sanitized"
while getopts ps option; do
  case $option in
  p) kinds=plain ;;
  s) kinds=sanitized ;;
  *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
here=tests/conformance/loops
if [ $# -gt 0 ]; then
  names=$*
else
  names=$(cd $here/drivers && ls ./*.c* | sed 's|^\./||; s|\.[a-z]*$||')
fi
mkdir -p "$BUILD"

export ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=1:abort_on_error=1:max_free_fill_size=65536:free_fill_byte=238:use_sigaltstack=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
# Freed memory is filled, so that a library that uses it crashes.
export MALLOC_PERTURB_=113
export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"

flags="-D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Werror ${CFLAGS:-} -Iinclude -Itests/c -I$here"
export CC CXX LIB BUILD flags here

# program LOOP KIND: the driver, compiled by itself, and the cases.
program() {
  case ${1%_by_name} in
  uv) libs=$(pkg-config --libs libuv) ;;
  glib) libs=$(pkg-config --cflags --libs glib-2.0) ;;
  ev) libs=-lev ;;
  event) libs=-levent_core ;;
  sdevent) libs=-lsystemd ;;
  qt*) libs="-fPIC $(pkg-config --cflags --libs Qt6Core)" ;;
  *) libs= ;;
  esac
  compiler="$CC -std=gnu11"
  [ -e "$here/drivers/$1.c" ] || compiler="$CXX -std=c++17"
  # shellcheck disable=SC2046,SC2086
  $compiler $flags $extra "$here/drivers/$1".c* "$BUILD"/cases/*-"$2.o" \
    -o "$BUILD/$1-$2" -L"$LIB" -lpillion-test -lcmocka $libs -lpthread \
    -Wl,-rpath,"$LIB"
}
export -f program

rm -rf "$BUILD/cases"
mkdir -p "$BUILD/cases"
passed=0 failed=0 wrong=
for kind in $kinds; do
  export kind extra=-O2
  if [ "$kind" = sanitized ]; then
    extra="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined"
  fi
  for file in tests/support/test.c tests/c/{support,watch_support}.c $here/*.c; do
    echo "$file"
  done | xargs -P "$(nproc)" -I{} bash -c '$CC -std=gnu11 $flags $extra -c {} -o $BUILD/cases/$(basename {} .c)-$kind.o'
  printf '%s\n' $names | xargs -P "$(nproc)" -I{} bash -c 'program {} $kind'
  for name in $names; do
    log=$BUILD/$name-$kind.log rc=0
    "$BUILD/$name-$kind" >"$log" 2>&1 || rc=$?
    p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$log" | head -1)
    f=$(sed -n 's/^\[  FAILED  \] .*\b\([0-9]*\) test(s).*/\1/p' "$log" | head -1)
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
    if [ $rc -eq 0 ]; then
      printf '%-15s %-10s %3s passed\n' "$name" "$kind" "${p:-0}"
    else
      printf '%-15s %-10s %3s passed, FAILED (exit status %s)\n' \
        "$name" "$kind" "${p:-0}" $rc
      grep -v '^\[  *\(OK\|RUN\|PASSED\) *\]\|, listed below:$' "$log" || :
      wrong="$wrong $name-$kind"
    fi
  done
done
# Python's loops, as far as they are installed. Go's run the cases in go test.
if [ $# -eq 0 ] && [[ $kinds = *plain* ]]; then
  for name in asyncio asyncio-debug uvloop trio gi qasync; do
    log=$BUILD/$name-python.log rc=0
    PYTHONPATH=bindings/python/src QT_QPA_PLATFORM=offscreen timeout 120 \
      "${PYTHON:-build/venv/bin/python}" $here/loops.py \
      "$LIB/libpillion-test.so" $name >"$log" 2>"$log.err" || rc=$?
    [ $rc -ne 77 ] || continue
    p=$(grep -c '^\[       OK' "$log") || :
    f=$(grep -c '^\[  FAILED  \] [a-z_]*$' "$log") || :
    passed=$((passed + p)) failed=$((failed + f))
    printf '%-15s %-10s %3s passed\n' "$name" python "$p"
    [ $rc -eq 0 ] || { tail -n 60 "$log" "$log.err"; wrong="$wrong $name-python"; }
  done
fi
[ -z "$wrong" ] || echo "not well:$wrong"
echo "$passed passed, $failed failed"
test -z "$wrong"
