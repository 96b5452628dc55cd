#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the GTK programs, in C and in Go without cgo, each on a screen of its own:
# they hash a directory, and are cancelled by a click in the middle of a file that
# has no end in sight. The pictures of the windows are
# build/examples/hash_gtk*.png.
set -eu
cd "$(dirname "$0")/../.."
out=$PWD/build/examples
state=$(mktemp -d)
chmod 700 "$state"
screen=
trap 'kill $screen 2>/dev/null || :; rm -rf "$state"' EXIT

go run ./capi/build -o "$out/libdemo.so" ./tests/examples/demo
cc -std=c11 -Wall -Wextra -Werror -Iinclude tests/examples/hash_gtk.c -o "$out/hash_gtk" \
  -L"$out" -ldemo -Wl,-rpath,"$out" $(pkg-config --cflags --libs gtk4 | sed 's/-I/-isystem /g')

CGO_ENABLED=0 go build -o "$out/hash_gtk_go" ./tests/examples/hash_gtk

export GDK_BACKEND=x11 GSK_RENDERER=cairo GTK_A11Y=none GSETTINGS_BACKEND=memory \
  DBUS_SESSION_BUS_ADDRESS=disabled: XDG_RUNTIME_DIR=$state HOME=$state
mkfifo "$state/display"
Xvfb -displayfd 7 -screen 0 460x120x24 7>"$state/display" >/dev/null 2>&1 &
screen=$!
read -r number <"$state/display"
export DISPLAY=:$number

# line WORD: waits until the program has printed a line with it.
line() {
  while read -r got <&"${program[0]}"; do
    case $got in *"$1"*) echo "$got" && return ;; *) echo "$got" >>"$state/digests" ;; esac
  done
  echo "no line with '$1'"
  exit 1
}
click() { xdotool mousemove 210 50 click 1; }

# begin PROGRAM: a window that hashes. That in Go begins by a click, which would be
# lost before the window is drawn.
begin() {
  coproc program { exec "$out/$1" "$state/tree"; }
  pid=$program_PID
  until [ "$(import -window root -format %k info:)" -gt 2 ]; do :; done # colours
  [ "$1" = hash_gtk ] || click
}

for name in hash_gtk hash_gtk_go; do
  rm -rf "$state/tree" "$state/digests"
  mkdir "$state/tree"
  cp -r tests/examples/. "$state/tree"
  files=$(find "$state/tree" -type f | wc -l)
  begin $name
  [ "$(line hashed)" = "$files of $files files hashed, 0 failed" ]
  find "$state/tree" -type f -print0 | xargs -0 sha256sum | sort | cmp - <(sort "$state/digests")
  import -window root "$out/$name.png"
  click
  wait "$pid"

  truncate -s 1T "$state/tree/without_end"
  begin $name
  while [ "$(wc -l <"$state/digests")" -lt $((2 * files)) ]; do
    read -r got <&"${program[0]}"
    echo "$got" >>"$state/digests"
  done
  click
  [ "$(line hashed)" = "$files of $((files + 1)) files hashed, 1 failed, cancelled" ]
  import -window root "$out/${name}_cancelled.png"
  click
  wait "$pid"
done
