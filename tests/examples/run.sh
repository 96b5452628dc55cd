#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds and runs every example as the README tells to, the composed library of
# two packages, and the main job on a part of Go's source tree.
set -eu
cd "$(dirname "$0")/../.."
out=$PWD/build/examples
mkdir -p "$out"
passed=0

# expect WANTED COMMAND...: the command prints just that.
expect() {
  local wanted=$1 got
  shift
  got=$("$@")
  [ "$got" = "$wanted" ] || { echo "expected '$wanted', got '$got' from: $*"; exit 1; }
  passed=$((passed + 1))
}

go run ./capi/build -o "$out/libhello.so" ./tests/examples/hello
flags="-Wall -Wextra -Werror -Iinclude -L$out -lhello -Wl,-rpath,$out"

# The README's own lines, in a copy of what they name.
readme=$out/readme
rm -rf "$readme"
mkdir "$readme"
cp -r README.md LICENSE go.mod go.sum include capi executor foreign bindings tests "$readme"
lines=$(grep -E '^(go run ./capi|cc -I|PYTHONPATH=|CGO_ENABLED=0)' README.md)
[ "$(wc -l <<<"$lines")" = 6 ]
bytes=$(cat README.md LICENSE | wc -c)
expect "$(printf '%s\n' 'Hello, you!' 'Hello, you!' 'Hello, you!' "$bytes <nil>")" \
  env -C "$readme" PATH="$PWD/build/venv/bin:$PATH" bash -euc "$lines"

cc -std=c11 -o "$out/hello_glib" tests/examples/hello_glib.c $flags $(pkg-config --cflags --libs gio-2.0)
expect "$(printf '%s\n' 'Hello, you!' cancelled)" "$out/hello_glib"
g++ -x c++ -o "$out/hello_glib" tests/examples/hello_glib.c $flags $(pkg-config --cflags --libs gio-2.0)
expect "$(printf '%s\n' 'Hello, you!' cancelled)" "$out/hello_glib"

for loop in ev:-lev event:-levent_core sdevent:-lsystemd; do
  cc -std=c11 -o "$out/hello" "tests/examples/hello_${loop%:*}.c" $flags "${loop#*:}"
  expect 'Hello, you!' "$out/hello"
done
cc -std=c11 -o "$out/hello_epoll" tests/examples/hello_epoll.c $flags
expect "$(printf '%s\n' 'Hello, you!' 'a line')" sh -c "echo a line | '$out/hello_epoll'"

g++ -std=c++17 -o "$out/hello" tests/examples/hello_asio.cpp $flags
expect 'Hello, you!' "$out/hello"
g++ -std=c++17 -fPIC -o "$out/hello" tests/examples/hello_qt.cpp $flags $(pkg-config --cflags --libs Qt6Core)
expect 'Hello, you!' "$out/hello"
expect 'Hello, you!' env QT_NO_GLIB=1 "$out/hello"

tests/examples/hash_gtk.sh
passed=$((passed + 1))

go run ./capi/build -o build/examples/hash.wasm ./tests/examples/browser/hash
node --test tests/examples/browser
passed=$((passed + 1))

# One server on three reactors.
cc -std=c11 -o "$out/echo_uv" tests/examples/echo_uv.c $flags $(pkg-config --cflags --libs libuv)
cc -std=c11 -o "$out/echo_glib" tests/examples/echo_glib.c $flags $(pkg-config --cflags --libs glib-2.0)
cc -std=c11 -o "$out/echo_poll" tests/examples/echo_poll.c $flags
for server in echo_uv echo_glib echo_poll; do
  expect '10 of 10, exit status 0' build/venv/bin/python tests/examples/echo_client.py "$out/$server"
done

# Flows, and calls of the host.
go run ./capi/build -o "$out/libexamples.so" ./tests/examples/{tail,upload,template,login,news,table}
cc -Wall -Wextra -Werror -Iinclude -o "$out/tail_uv" tests/examples/tail_uv.c \
  -L"$out" -lexamples -Wl,-rpath,"$out" $(pkg-config --cflags --libs libuv)
cc -std=c11 -Wall -Wextra -Werror -Iinclude -o "$out/table_glib" tests/examples/table_glib.c \
  -L"$out" -lexamples -Wl,-rpath,"$out" $(pkg-config --cflags --libs glib-2.0)
runs=$(PYTHONPATH=bindings/python/src build/venv/bin/python \
  tests/examples/both_ways.py "$out/libexamples.so" "$out/tail_uv" "$out/table_glib")
passed=$((passed + runs))

go run ./capi/build -o "$out/libboth.so" -soname libboth.so.3 ./tests/examples/hello ./tests/module
expect 'libboth.so.3' sh -c "readelf -d $out/libboth.so | sed -n 's/.*soname: \[\(.*\)\]/\1/p'"
expect "['flow', 'hello', 'import', 'items', 'lent', 'store', 'test', 'vector']" env PYTHONPATH=bindings/python/src build/venv/bin/python -c \
  "import pillion; print(sorted(pillion.load('$out/libboth.so').modules()))"

printf 12345 >"$out/five"
printf 123 >"$out/three"
CGO_ENABLED=0 go build -o "$out/gather" ./tests/examples/gather
expect '8 <nil>' "$out/gather" "$out/five" "$out/three"

# Names that are hard to print, empty files, and links, which are not followed.
tree=$out/_tree
rm -rf "$tree"
mkdir -p "$tree/empty" "$tree/a b"
cp -r "$(go env GOROOT)/src/crypto" "$tree/a b/"
: >"$tree/none"
echo x >"$tree/new
line"
echo y >"$tree/back\\slash"
ln -s none "$tree/link"
tests/demo.sh "$tree"
passed=$((passed + 1))
echo "$passed passed, 0 failed"
