#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Replays the vectors on every executor: Go's, also as WebAssembly in Node and in wazero;
# C's, compiled without Go under ASan and UBSan, and in the built library from C and from
# Python; those of calls also in the modules that Node loads. Then shows that each replayer
# finds the mistakes in wrong/, and that the vectors of calls find each rule that their
# model breaks. README.md describes the vectors.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=build/conformance
mkdir -p $out
lib=$PWD/build/lib
passed=0 failed=0
cc="${CC:-gcc} -std=gnu11 -g -Wall -Wextra -Werror -Iinclude"

go build -race -o $out/go ./tests/conformance/local || exit 1
go build -race -o $out/calls ./tests/conformance/calls || exit 1
for program in local calls; do
  for os in js wasip1; do
    GOOS=$os GOARCH=wasm go build -o $out/$program-$os.wasm ./tests/conformance/$program || exit 1
  done
done
go -C tests/wasip1 build -o "$PWD/$out/" github.com/tetratelabs/wazero/cmd/wazero || exit 1
ln -sf "$(go env GOROOT)/lib/wasm/go_js_wasm_exec" $out/node
js=$out/node
wasip1="$out/wazero run -cachedir $out/wazero.cache -env-inherit -mount /:/:ro"
$cc -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -D_GNU_SOURCE \
  -Icapi -Icapi/core tests/conformance/replay.c capi/core.c -o $out/core -pthread || exit 1
$cc -O2 tests/conformance/replay.c -o $out/library -L"$lib" -lpillion \
  -Wl,-rpath,"$lib" -pthread || exit 1
$cc -O2 tests/conformance/replay_calls.c -o $out/calls_library -L"$lib" -lpillion-test \
  -Wl,-rpath,"$lib" -pthread || exit 1

# replayer NAME FOLDER COMMAND...: adds up its totals. A folder is of vectors/ and wrong/.
replayer() {
  local name=$1 folder=$2 rc=0 last wrong n
  shift 2
  timeout 120 "$@" tests/conformance/vectors/"$folder"*.vec >"$out/$name.log" 2>&1 || rc=$?
  last=$(tail -n 1 "$out/$name.log")
  if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    [ "$rc" = 0 ] || [ "${BASH_REMATCH[2]}" != 0 ] || failed=$((failed + 1))
  else
    failed=$((failed + 1))
  fi
  printf '%-28s %s\n' "$name:" "$last"
  [ "$rc" = 0 ] || head -n 60 "$out/$name.log"

  # A mistake in what has not come yet is found late on a busy machine.
  n=$(cat tests/conformance/wrong/"$folder"*.vec | grep -c '^case ')
  for patience in 50 1000; do
    wrong=$(PATIENCE=$patience timeout 120 "$@" tests/conformance/wrong/"$folder"*.vec 2>&1)
    rc=$?
    last=$(tail -n 1 <<<"$wrong")
    if [ $rc = 1 ] && [[ $last =~ ^0\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]] &&
      [ $((BASH_REMATCH[1] + ${BASH_REMATCH[3]:-0})) = "$n" ] && [ "${BASH_REMATCH[1]}" -gt 20 ]; then
      passed=$((passed + 1))
      return
    fi
  done
  printf '%s\n' "$wrong" | tail -n 20
  echo "$name does not find all $n mistakes"
  failed=$((failed + 1))
}

replayer go "" $out/go
replayer go-js "" $js $out/local-js.wasm
replayer go-wasip1 "" $wasip1 $out/local-wasip1.wasm
replayer core "" $out/core
replayer library "" $out/library
replayer python "" build/venv/bin/python tests/conformance/replay.py "$lib/libpillion.so"
for kind in loop pool goroutine; do
  replayer "go-$kind" calls/ $out/calls -kind $kind
  replayer "js-$kind" calls/ $js $out/calls-js.wasm -kind $kind
  replayer "wasip1-$kind" calls/ $wasip1 $out/calls-wasip1.wasm -kind $kind
  for module in pillion-test pillion-test-wasi; do
    [ $kind = pool ] || replayer "$module-$kind" calls/ node --no-warnings \
      tests/conformance/replay_calls.mjs "$lib/$module.wasm" $kind
  done
  replayer "library-$kind" calls/ $out/calls_library $kind
  replayer "python-$kind" calls/ build/venv/bin/python tests/conformance/replay_calls.py \
    "$lib/libpillion-test.so" $kind
done

# A host that breaks one rule.
for rule in $($out/calls -rules); do
  PATIENCE=50 timeout 60 $out/calls -kind goroutine -wrong "$rule" -first \
    tests/conformance/vectors/calls/*.vec >"$out/rule.log" 2>&1
  if [ $? = 1 ]; then
    passed=$((passed + 1))
  else
    echo "no vector finds that a host breaks the rule $rule"
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
