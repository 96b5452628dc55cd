#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The cases in Node and in Chromium. `make lib` builds their modules.
set -eu
cd "$(dirname "$0")"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
node --no-warnings --test "$@" >"$log" || :
cat "$log"
awk '$2 == "pass" { p = $3 } $2 == "fail" || $2 == "cancelled" { f += $3 } $2 == "skipped" { s = $3 }
  END { print p " passed, " f " failed, " s " skipped"; exit f > 0 || p == 0 }' "$log"
