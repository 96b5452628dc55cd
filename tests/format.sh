#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
set -eu
cd "$(dirname "$0")/.."
bad=$(gofmt -l $(git ls-files --cached --others --exclude-standard '*.go'))
[ -z "$bad" ] || { echo "gofmt would change: $bad"; exit 1; }
go vet ./executor/... ./foreign/... ./capi/... ./tests/module/... ./tests/conformance/...
go mod tidy -diff
headers=(include/*.h include/*/*.h include/*/*.hpp)
build/venv/bin/clang-format --dry-run -Werror "${headers[@]}"
# It leaves comments alone.
bad=$(LC_ALL=C.UTF-8 grep -nE '^.{81}' "${headers[@]}") || :
[ -z "$bad" ] || { echo "more than 80 columns: $bad"; exit 1; }
echo "5 passed, 0 failed"
