#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
#   run.sh build        embassy's side; it fails if its target cannot be had
#   run.sh SIDE KEY     one number, as JSON. SIDE is a board, or embassy on the m4
set -eu
cd "$(dirname "$0")/../../freestanding"
. ./boards.sh
out=$PWD/../../build/freestanding
target=thumbv7em-none-eabihf
mkdir -p "$out"

if [ "$1" = build ]; then
  rustup target add $target
  cd ../bench/bare/embassy
  exec env CARGO_TARGET_DIR="$out/embassy" cargo build --release --locked
fi
if [ "$1" = embassy ]; then
  program=$out/embassy/$target/release/bench-embassy board=m4
else
  program=$out/$1-bench board=$1
  build "$board" "$program" ../bench/bare/bench.c
fi
found=$($(quickly $board "$program") 2>&1 </dev/null | grep -o "\"$2\": [0-9]*")
echo "{$found}"
