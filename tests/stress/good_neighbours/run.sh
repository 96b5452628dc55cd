#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh build            builds the programs
# run.sh PROGRAM [MODE]   runs one, with a redis-server and a nats-server
set -eu
cd "$(dirname "$0")/../../.."
here=tests/stress/good_neighbours
out=$PWD/build/stress/good_neighbours
mkdir -p "$out"
if [ "$1" = build ]; then
  for loop in uv event glib; do
    case $loop in
    uv) libs=$(pkg-config --cflags --libs libuv) ;;
    event) libs=$(pkg-config --cflags --libs libevent libevent_pthreads) ;;
    glib) libs=$(pkg-config --cflags --libs glib-2.0) ;;
    esac
    # hiredis's adapters are not strict.
    # shellcheck disable=SC2086
    ${CC:-gcc} -std=gnu11 -g -O2 -Wall -Iinclude $here/test.c $here/loop_$loop.c \
      -o "$out/$loop" -Lbuild/lib -lpillion-test -Wl,-rpath,"$PWD/build/lib" \
      -lcurl -lcares -lhiredis -lnats $libs -lpthread
  done
  exit
fi
dir=$(mktemp -d)
trap 'kill $redis $nats 2>/dev/null || :; wait; rm -rf "$dir"' EXIT
redis-server --port 0 --unixsocket "$dir/redis" --save '' --dir "$dir" >"$dir/redis.log" 2>&1 &
redis=$!
nats-server -a 127.0.0.1 -p -1 --ports_file_dir "$dir" >"$dir/nats.log" 2>&1 &
nats=$!
for ((i = 0; i < 300; i++)); do
  url=$(sed -n 's/.*"nats":\["\([^"]*\)".*/\1/p' "$dir"/*.ports 2>/dev/null || :)
  [ -z "$url" ] || [ ! -S "$dir/redis" ] || break
  sleep 0.1 # the servers' start has no other sign
done
"$out/$1" "$dir/redis" "$url" "${@:2}"
