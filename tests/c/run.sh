#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs the C tests with the built library, plain and under ASan and
# UBSan, which watch the host's side.
#
#   tests/c/run.sh [-p] [-s] [TEST...]     -p plain only, -s sanitizers only
#
# Environment: CC (gcc), CFLAGS, LIB (build/lib), BUILD (build/tests/c).
set -eu
cd "$(dirname "$0")/../.."
CC=${CC:-gcc} CXX=${CXX:-g++}
LIB=$(cd "${LIB:-build/lib}" && pwd)
BUILD=${BUILD:-build/tests/c}
loops=tests/conformance/loops # the cases of every loop, and a driver for each
kinds="plain sanitized"
while getopts ps option; do
  case $option in
  p) kinds=plain ;;
  s) kinds=sanitized ;;
  *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
if [ $# -gt 0 ]; then
  names=$*
else
  names=$(cd tests/c && ls ./*_test.c* | sed 's|^\./||; s|\.c[p]*$||')
fi
mkdir -p "$BUILD"

# The tests count what lives themselves, and some end with memory in use. So the
# leak checker runs for leak_test only. What a fixture frees after its test may
# not lie in the test's frame.
export ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=1:abort_on_error=1:use_sigaltstack=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"

flags="-D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Werror ${CFLAGS:-} -Iinclude -Itests/c -I$loops"
export CC CXX LIB BUILD flags

# program NAME KIND: links a test with the parts that it shares.
program() {
  libs='' shared="test support"
  case $1 in
  host_epoll_watch_test | adapter_test)
    shared="$shared watch_support watch watch_go" ;;
  uv_test | glib_test | poll_watch_test) shared="$shared watch_support" ;;
  epoll_test | event_test | ev_test | sdevent_test)
    shared="$shared watch_support ${1%_test}" ;;
  asio*_test | qt_test) shared="$shared watch_support" ;;
  pool_go*) shared="$shared pool_go" ;;
  esac
  case $1 in
  uv_*) libs=$(pkg-config --libs libuv) ;;
  glib_*) libs=$(pkg-config --cflags --libs gio-2.0) ;;
  ev_test) libs=-lev ;;
  event_test) libs=-levent_core ;;
  sdevent_test) libs=-lsystemd ;;
  qt_test) libs="-fPIC $(pkg-config --cflags --libs Qt6Core)" ;;
  libraries_test)
    for author in other test; do
      $CC -std=gnu11 $flags $extra -fPIC -shared -DAUTHOR="author_$author" tests/c/author.c \
        -o "$BUILD/libauthor-$author-$2.so" -L"$LIB" "-lpillion-$author" -Wl,-rpath,"$LIB"
      libs="$libs -lauthor-$author-$2"
    done
    libs="-L$BUILD $libs -Wl,-rpath,$(cd "$BUILD" && pwd)"
    ;;
  attach_test) libs='-ldl -rdynamic' ;;
  esac
  compiler="$CC -std=gnu11"
  [ -e "tests/c/$1.c" ] || compiler="$CXX -std=c++17"
  # shellcheck disable=SC2046,SC2086
  $compiler $flags $extra "tests/c/$1".c* $(printf "$BUILD/%s-$2.o " $shared) \
    -o "$BUILD/$1-$2" -L"$LIB" -lpillion-test -lcmocka $libs -lpthread \
    -Wl,-rpath,"$LIB"
}
export -f program

passed=0 failed=0 wrong=
for kind in $kinds; do
  export kind extra=-O2
  if [ "$kind" = sanitized ]; then
    extra="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined"
  fi
  for file in tests/support/test.c tests/c/{support,pool_go,watch_support}.c \
    $loops/watch{,_go}.c $loops/drivers/{epoll,event,ev,sdevent}.c; do
    echo "$file"
  done | xargs -P "$(nproc)" -I{} bash -c '$CC -std=gnu11 $flags $extra -c {} -o $BUILD/$(basename {} .c)-$kind.o'
  printf '%s\n' $names | xargs -P "$(nproc)" -I{} bash -c 'program {} $kind'
  for name in $names; do
    log=$BUILD/$name-$kind.log rc=0
    own=
    case $name in
    leak_test) own=:detect_leaks=1 ;;
    visit_test) own=:detect_stack_use_after_return=0 ;; # it compares frames
    esac
    ASAN_OPTIONS=$ASAN_OPTIONS$own "$BUILD/$name-$kind" >"$log" 2>&1 || rc=$?
    p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$log" | head -1)
    f=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' "$log" | head -1)
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
    if [ $rc -eq 0 ]; then
      printf '%-20s %-10s %3s passed\n' "$name" "$kind" "${p:-0}"
    else
      printf '%-20s %-10s %3s passed, FAILED (exit status %s)\n' \
        "$name" "$kind" "${p:-0}" $rc
      grep -v '^\[  *\(OK\|RUN\|PASSED\) *\]\|, listed below:$' "$log" || :
      wrong="$wrong $name-$kind"
    fi
  done
done
[ -z "$wrong" ] || echo "not well:$wrong"
echo "$passed passed, $failed failed"
test -z "$wrong"
