#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The main job: hashes every file below a directory, and fetches from a server,
# with blocking Go code, from C on libuv and from Python on asyncio. Checks every
# digest against sha256sum.
#
#   tests/demo.sh [DIR]      by default the Go toolchain's own source tree
set -euo pipefail
cd "$(dirname "$0")/.."
tests/setup.sh demo
dir=${1:-$(go env GOROOT)/src}
[ -d "$dir" ] || {
  echo "demo: $dir is no directory" >&2
  exit 1
}
out=build/demo
mkdir -p "$out"

go run ./capi/build -o "$out/libdemo.so" ./tests/examples/demo
go build -o "$out/" ./tests/examples/demo/child ./tests/examples/demo/httpd
# shellcheck disable=SC2046
${CC:-cc} -O2 -Wall -Wextra -Iinclude tests/examples/demo_uv.c -o "$out/demo_uv" \
  -L"$out" -ldemo $(pkg-config --cflags --libs libuv) -Wl,-rpath,"$PWD/$out"

# sha256sum's answers. It also brings the files into the page cache.
find "$dir" -type f -print0 | xargs -0 -r sha256sum -z | sort -z >"$out/expected"
files=$(tr -cd '\0' <"$out/expected" | wc -c)
[ "$files" -gt 0 ] || {
  echo "demo: no files below $dir" >&2
  exit 1
}
# Small trees are hashed several times, so that the time can be measured.
bytes=$(find "$dir" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%d", n }')
rounds=$((4500000000 / (bytes + 20000 * files) + 1))
[ $rounds -le 50 ] || rounds=50

coproc server { exec "$out/httpd"; }
read -r url <&"${server[0]}"
trap 'kill "$server_PID" 2>/dev/null || :' EXIT

# matches NAME: the digests that a program has written are those of sha256sum.
matches() {
  local same wrong
  sort -z "$out/$1" >"$out/$1.sorted"
  same=$(comm -z -12 "$out/expected" "$out/$1.sorted" | tr -cd '\0' | wc -c)
  wrong=$(comm -z -3 "$out/expected" "$out/$1.sorted" | tr -cd '\0' | wc -c)
  echo "$same of $files digests are those of sha256sum"
  [ "$same" = "$files" ] && [ "$wrong" = 0 ]
}

echo "$files files below $dir, each $rounds times, on $(nproc) cores; $(go version | cut -d' ' -f3)"
status=0
echo
"$out/demo_uv" -c "$out/child" -u "$url" -r "$rounds" -o "$out/uv.digests" "$dir" || status=1
matches uv.digests || status=1
echo
PYTHONPATH=bindings/python/src python3 tests/examples/demo_asyncio.py --library "$out/libdemo.so" \
  --child "$out/child" --url "$url" --rounds "$rounds" --digests "$out/asyncio.digests" "$dir" || status=1
matches asyncio.digests || status=1
[ $status = 0 ] || echo "demo: something is wrong, see above" >&2
exit $status
