#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Searches each model exhaustively, and then with each of its seeded mistakes,
# which the search must find: a check that can't fail is no check. Two searches run
# at a time. The last line has the totals.
#
# All threads see the steps of a model in one order, as they see sequentially
# consistent operations of C's and Go's. A model says nothing about what the code
# orders less: a comment there has to.
set -u
cd "$(dirname "$0")" || exit 1
out=../../build/model
mkdir -p $out

# search MODEL WHAT [DEFINITION...]: WHAT is right, or wrong. A wrong one ends at its
# mistake, so compiling it well would take longer than it saves.
search() {
  local model=$1 what=$2 dir log level=-O2
  shift 2
  [ "$what" = right ] || level=-O0
  dir=$out/$model$(printf '%s' "$@" | tr -c 'A-Za-z0-9' _)
  log=$dir/log
  rm -rf "$dir"
  mkdir -p "$dir"
  if ! (cp "$model.pml" "$dir" && cd "$dir" && spin -a "$@" "$model.pml" &&
    ${CC:-gcc} $level -w -DSAFETY -o pan pan.c && ./pan -m1000000) >"$log" 2>&1 ||
    ! grep -q 'errors: ' "$log" ||
    grep -q 'max search depth too small\|out of memory' "$log"; then
    echo "FAILED $model $*: the search broke off, see $log"
  elif [ $what = right ] && ! grep -q 'errors: 0$' "$log"; then
    echo "FAILED $model $*: $(grep '^pan:' "$log"), see $dir"
  elif [ $what = wrong ] && grep -q 'errors: 0$' "$log"; then
    echo "FAILED $model $*: the mistake was not found"
  else
    echo "passed $model $*"
  fi
}
export -f search
export out

{
  echo waker right
  for bug in 1 2 3 4 5 6; do echo waker wrong -DBUG=$bug; done
  echo park right
  echo park right -DHOOK
  for bug in 1 2 3 4 5 6 8 9 10 11; do echo park wrong -DBUG=$bug; done
  for bug in 1 2 6 7 10 11; do echo park wrong -DHOOK -DBUG=$bug; done
  echo park right -DPOSTERS=0 -DENDERS=2
  echo park right -DPOSTERS=0 -DENDERS=2 -DHOOK
  for bug in 2 3 4 5 12 13 14 15 16 17; do
    echo park wrong -DPOSTERS=0 -DENDERS=2 -DBUG=$bug
  done
  echo object right
  for bug in 1 2 3 4 5 6 7 8; do echo object wrong -DBUG=$bug; done
  echo call right
  for bug in 1 2 3 4 5; do echo call wrong -DBUG=$bug; done
  echo call right -DJOIN
  for bug in 1 2 4 5 6 7 8 9; do echo call wrong -DJOIN -DBUG=$bug; done
  echo fetch right
  for bug in 1 2 3 4 6 7; do echo fetch wrong -DBUG=$bug; done
  echo fetch right -DOTHER
  for bug in 1 3 4 5 6; do echo fetch wrong -DOTHER -DBUG=$bug; done
  echo fetch right -DLEAVE
  for bug in 1 2 3 6 8 9 10 11 12; do echo fetch wrong -DLEAVE -DBUG=$bug; done
  echo home right
  for bug in 1 2 3 4 5 6; do echo home wrong -DBUG=$bug; done
  echo steal right
  for bug in 1 2 3 4 5 6 7 8; do echo steal wrong -DBUG=$bug; done
  echo post right
  for bug in 1 2 3 4 5 6; do echo post wrong -DBUG=$bug; done
  echo pool_task right
  for bug in 1 2 3 4 5 6 7 8; do echo pool_task wrong -DBUG=$bug; done
  echo pool_task right -DCANCEL
  for bug in 2 3 6; do echo pool_task wrong -DCANCEL -DBUG=$bug; done
  echo pool_deque right
  for bug in 1 2 3 4 5 6; do echo pool_deque wrong -DBUG=$bug; done
  echo pool_idle right
  for bug in 1 2 3 6 7 8 9; do echo pool_idle wrong -DBUG=$bug; done
  echo pool_idle right -DLEAVE
  for bug in 1 2 4 5 7; do echo pool_idle wrong -DLEAVE -DBUG=$bug; done
  echo pool_timer right
  for bug in 1 2 3 4 5; do echo pool_timer wrong -DBUG=$bug; done
  echo flow right
  for bug in 1 2 3 4 7 10 11 12 21; do echo flow wrong -DBUG=$bug; done
  echo flow right -DCANCEL
  for bug in 5 6 9 14 15 23; do echo flow wrong -DCANCEL -DBUG=$bug; done
  echo flow right -DFREE
  for bug in 8 13 16; do echo flow wrong -DFREE -DBUG=$bug; done
  echo flow right -DFROM
  for bug in 4 17 18 19; do echo flow wrong -DFROM -DBUG=$bug; done
  echo flow right -DFROM -DCANCEL
  echo flow right -DFROM -DTWO
  for bug in 3 20 22; do echo flow wrong -DFROM -DTWO -DBUG=$bug; done
  echo inbound right
  for bug in 1 2 3 4 5 6 9; do echo inbound wrong -DBUG=$bug; done
  echo inbound right -DFREE
  for bug in 7 8; do echo inbound wrong -DFREE -DBUG=$bug; done
  echo inbound right -DWINDOW
  for bug in 10 11 12 13; do echo inbound wrong -DWINDOW -DBUG=$bug; done
  echo inbound_flow right
  for bug in 1 2 3 4 5 6 7 8 9; do echo inbound_flow wrong -DBUG=$bug; done
  echo inbound_flow right -DFREE
  for bug in 3 4; do echo inbound_flow wrong -DFREE -DBUG=$bug; done
  echo inbound_flow right -DFROM
  for bug in 1 2 3 4 6 10 11 12; do
    echo inbound_flow wrong -DFROM -DBUG=$bug
  done
  echo static right
  for bug in 1 2 3 4 5 6 7; do echo static wrong -DBUG=$bug; done
} >$out/searches
xargs -P 2 -I{} bash -c 'search {}' <$out/searches >$out/results

grep '^FAILED' $out/results
passed=$(grep -c '^passed' $out/results) failed=$(grep -c '^FAILED' $out/results)
echo "$passed passed, $failed failed"
[ "$passed" = "$(wc -l <$out/searches)" ]
