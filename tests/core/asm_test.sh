#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# From spawn to completion the owner's thread does no locked instruction and no
# exchange with memory (which locks without saying so). This looks at what the
# compiler made of those functions; what they call in other files is another
# matter. Most of the files have to be free of them altogether.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=build/core/asm
mkdir -p $out
[ "$(uname -m)" = x86_64 ] || { echo "for x86-64 only"; exit 0; }
flags="-std=c11 -D_GNU_SOURCE -O2 -fPIC -Iinclude -Icapi/core"

for file in executor/{wake,cells,task,spawn,timer,ops,turn} queue/{timers,wheel}; do
  # One function would disappear in its only caller.
  inline=$([ $file = executor/turn ] && echo -fno-inline)
  mkdir -p $out/${file%/*}
  ${CC:-gcc} $flags $inline -c capi/core/$file.c -o $out/$file.o || exit 1
  objdump -d --no-show-raw-insn $out/$file.o >$out/$file.txt || exit 1
done

# clean FILE [FUNCTION]: without one, all functions of the file.
clean() {
  local text
  text=$(awk -v f="<${2:-[^>]*}(\\\\.[a-z0-9.]+)?>:$" \
    '/>:$/ {p = $0 ~ f} p' "$out/$1.txt")
  if [ -z "$text" ]; then
    echo "$1.c: no ${2:-function} to be found"
    return 1
  fi
  if grep -E '\block |\bxchg[a-z]* .*\(|\bmfence' <<<"$text"; then
    echo "$1.c: ${2:-something} locks"
    return 1
  fi
}

rc=0
for function in pillion__task_run pillion__task_value; do
  clean executor/task $function || rc=1
done
clean executor/spawn pillion__spawn || rc=1
clean executor/wake pillion__wake_local_in || rc=1
# The way through a turn that has nothing to do, too.
for function in run_tasks pillion_executor_turn work told due; do
  clean executor/turn $function || rc=1
done
for file in executor/{task,cells,spawn,timer,ops} queue/{timers,wheel}; do clean $file || rc=1; done

# The check itself must find code that locks.
if clean executor/wake pillion_wake >/dev/null; then
  echo "pillion_wake should have been found to lock"
  rc=1
fi
exit $rc
