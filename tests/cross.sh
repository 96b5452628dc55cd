#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The pure Go packages build where there is no C, and the tests of the executor
# run in Node's WebAssembly.
set -eu
cd "$(dirname "$0")/.."
passed=0
for target in linux/amd64 linux/arm64 darwin/arm64 windows/amd64 js/wasm wasip1/wasm; do
  export CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/}
  packages=(./executor/... ./foreign/channel)
  [ "$GOOS" != linux ] || packages+=(./foreign/... ./tests/examples/hash_gtk)
  [ "$GOARCH" != wasm ] || packages+=(./foreign/js ./capi/wasm ./tests/module)
  go build "${packages[@]}"
  go build -o /dev/null ./tests/examples/gather
  go vet "${packages[@]}" ./tests/examples/gather
  passed=$((passed + 1))
done
unset CGO_ENABLED GOOS GOARCH
if command -v node >/dev/null; then
  GOOS=js GOARCH=wasm go test -v -exec "$(go env GOROOT)/lib/wasm/go_js_wasm_exec" ./executor/... ./foreign/channel
else
  echo "no Node: the tests do not run in WebAssembly" >&2
fi
echo "$passed passed, 0 failed"
