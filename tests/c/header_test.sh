#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles every public header alone, included twice, as C11 and as C++17, with
# all warnings as errors. A header must include all that it needs.
set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# The headers of loops are not strict, so they are system headers here. libuv's
# need POSIX.
for package in libuv gio-2.0 Qt6Core; do
  pkg-config --cflags $package | sed 's/-I/-isystem /g' >"$dir/$package"
done
ok=0 bad=0

compile() { # title, command...
  title=$1
  shift
  if "$@" >"$dir/log" 2>&1; then
    ok=$((ok + 1))
  else
    bad=$((bad + 1))
    echo "not ok: $title" >&2
    cat "$dir/log" >&2
  fi
}

strict="-Wall -Wextra -pedantic -Werror -Iinclude -fsyntax-only"

# Those in C++ alone.
for name in asio qt; do
  printf '#include "pillion/%s.hpp"\n#include "pillion/%s.hpp"\nint pillion__here;\n' \
    $name $name >"$dir/alone.cpp"
  for cxx in g++ clang++; do
    command -v $cxx >/dev/null || continue
    for std in c++17 c++20; do
      compile "$cxx -std=$std $name.hpp" $cxx -std=$std $strict -fPIC \
        $(cat "$dir/Qt6Core") "$dir/alone.cpp"
    done
  done
done
if [ -e /usr/include/boost/asio.hpp ]; then
  printf '#include "pillion/asio.hpp"\nint pillion__here;\n' >"$dir/alone.cpp"
  compile "Boost's Asio" g++ -std=c++17 $strict -DPILLION_BOOST_ASIO "$dir/alone.cpp"
fi

for header in include/pillion.h include/pillion/*.h; do
  name=${header#include/}
  printf '#include "%s"\n#include "%s"\nint pillion__here;\n' \
    "$name" "$name" >"$dir/alone.c"
  cp "$dir/alone.c" "$dir/alone.cpp"
  case $name in
  pillion/uv.h) more="-D_POSIX_C_SOURCE=200809L $(cat "$dir/libuv")" ;;
  pillion/glib.h | pillion/gio.h) more=$(cat "$dir/gio-2.0") ;;
  *) more= ;;
  esac
  for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    for std in c11 gnu11 c17; do
      compile "$cc -std=$std $name" \
        $cc -std=$std -Wstrict-prototypes $strict $more "$dir/alone.c"
    done
  done
  for cxx in g++ clang++; do
    command -v $cxx >/dev/null || continue
    compile "$cxx -std=c++17 $name" \
      $cxx -std=c++17 $strict $more \
      "$dir/alone.cpp"
  done
done

# Other headers and feature macros before it may not matter.
for features in '' -D_POSIX_C_SOURCE=200809L -D_GNU_SOURCE -D_XOPEN_SOURCE=700; do
  for first in stdio.h time.h unistd.h; do
    printf '#include <%s>\n#include "pillion/poll.h"\n#include <time.h>\n' \
      $first >"$dir/alone.c"
    compile "poll.h after $first $features" \
      gcc -std=c11 $features $strict "$dir/alone.c"
  done
done

# These headers are freestanding, so they use no libc.
for name in child error future scope select size static time value; do
  printf '#include "pillion/%s.h"\nint pillion__here;\n' $name >"$dir/alone.c"
  compile "freestanding $name.h" gcc -std=c11 -ffreestanding -nostdinc \
    -isystem "$(gcc -print-file-name=include)" $strict "$dir/alone.c"
done

echo "$ok passed, $bad failed"
test $bad -eq 0
