#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Sequences of calls, each with an oracle of its own: of the core's public functions
# (core/: libFuzzer, with ASan and UBSan), and of Go's Local and Pool (go test -fuzz,
# beside the model). Replays the corpora, shows that they find what planted.txt
# plants, and then tries new sequences for FUZZ_SECONDS, 300 by default. A failure
# prints the calls that led to it, and names a file in build/fuzz, or in Go's testdata,
# that plays them again:
#
#   FUZZ_LOUD=1 build/fuzz/core_fuzz FILE
#   go test -run FuzzLocal/FILE ./executor/internal/model
#
# `run.sh grow` adds the finds in build/fuzz/core to the core's corpus.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=build/fuzz
seconds=${FUZZ_SECONDS:-300}
seed=${FUZZ_SEED:-0} # 0: another one each time
passed=0 failed=0
mkdir -p $out/core $out/go

# step COMMAND...: shows its output if it fails.
step() {
  if "$@" >"$out/log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    tail -n 150 "$out/log"
    echo "failed: $*"
  fi
  grep -E 'exec/s|execs: ' "$out/log" | tail -n 1
}

clang -std=c11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror -Wno-static-in-inline \
  -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iinclude -Icapi/core \
  tests/fuzz/core/core_fuzz.c capi/core.c -o $out/core_fuzz -pthread || exit 1

if [ "${1-}" = grow ]; then
  exec $out/core_fuzz -set_cover_merge=1 -use_counters=0 tests/fuzz/core/corpus $out/core
fi

step $out/core_fuzz -timeout=20 -runs=0 tests/fuzz/core/corpus
step build/venv/bin/python tests/fuzz/planted.py
step $out/core_fuzz -timeout=20 -max_len=600 -len_control=0 -seed="$seed" -artifact_prefix=$out/ \
  -max_total_time=$((seconds / 2)) $out/core tests/fuzz/core/corpus

# fuzz NAME PACKAGE RUNS: so many runs for each second. By the clock, Go's fuzzer now
# and then fails with only "context deadline exceeded".
fuzz() {
  step go test "$2" -run '^$' -fuzz "^$1\$" -fuzztime "$((seconds * $3))x" -fuzzminimizetime 50x \
    -test.fuzzcachedir "$PWD/$out/go"
}
fuzz FuzzLocal ./executor/internal/model 1500
fuzz FuzzPool ./executor 1500

echo "$passed passed, $failed failed"
[ $failed = 0 ]
