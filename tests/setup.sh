#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what a Debian 12 machine lacks, as root or with sudo, and prints a line
# for each thing. It prints nothing if all is there.
#
#   tests/setup.sh demo     what the main job needs besides Go and a C compiler
#   tests/setup.sh test     what the tests need as well, with build/venv and build/node
#   tests/setup.sh adapters what all of Python's loops need as well (290 MB, with
#                           Qt), with build/venv-adapters
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-demo}
case $mode in demo | test | adapters) ;; *)
  sed -n 's/^#   //p' "$0" >&2
  exit 2
  ;;
esac

# A command or a header, and the package that it comes in.
demo_needs=(
  cc:build-essential pkg-config:pkg-config python3:python3
  /usr/include/uv.h:libuv1-dev
)
test_needs=(
  make:build-essential g++:build-essential clang:clang cmake:cmake
  git:git spin:spin valgrind:valgrind strace:strace
  /usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a:libclang-rt-14-dev
  /usr/include/cmocka.h:libcmocka-dev
  /usr/include/glib-2.0/glib.h:libglib2.0-dev
  /usr/include/ev.h:libev-dev /usr/include/event2/event.h:libevent-dev
  /usr/include/systemd/sd-event.h:libsystemd-dev
  /usr/include/asio.hpp:libasio-dev /usr/include/boost/asio.hpp:libboost-dev
  /usr/lib/x86_64-linux-gnu/pkgconfig/Qt6Core.pc:qt6-base-dev
  /usr/include/gtk-4.0/gtk/gtk.h:libgtk-4-dev
  /usr/include/x86_64-linux-gnu/curl/curl.h:libcurl4-openssl-dev
  /usr/include/ares.h:libc-ares-dev /usr/include/hiredis/hiredis.h:libhiredis-dev
  /usr/include/nats/nats.h:libnats-dev redis-server:redis-server
  /usr/sbin/nats-server:nats-server
  arm-none-eabi-gcc:gcc-arm-none-eabi qemu-system-arm:qemu-system-arm
  riscv64-unknown-elf-gcc:gcc-riscv64-unknown-elf qemu-system-riscv32:qemu-system-misc
  aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu qemu-aarch64:qemu-user
  /usr/aarch64-linux-gnu/include/stdio.h:libc6-dev-arm64-cross
  Xvfb:xvfb import:imagemagick xdotool:xdotool
  chromium:chromium
)

adapters_needs=(
  /usr/include/gobject-introspection-1.0/girepository.h:libgirepository1.0-dev
  /usr/include/cairo/cairo.h:libcairo2-dev
)

is_there() {
  case $1 in
  /*) [ -e "$1" ] ;;
  *) command -v "$1" >/dev/null ;;
  esac
}

missing=()
needs=("${demo_needs[@]}")
[ "$mode" = demo ] || needs+=("${test_needs[@]}")
[ "$mode" != adapters ] || needs+=("${adapters_needs[@]}")
for need in "${needs[@]}"; do
  package=${need#*:}
  is_there "${need%%:*}" || [[ " ${missing[*]-} " == *" $package "* ]] || missing+=("$package")
done
if [ "$mode" != demo ] && [ ! -x build/venv/bin/python ] &&
  ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  missing+=(python3-venv)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Runs a command, and shows what it said only if it fails.
quietly() {
  "$@" >"$log" 2>&1 || {
    cat "$log" >&2
    echo "setup: failed: $*" >&2
    exit 1
  }
}

if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
      echo "setup: needs root or sudo to install ${missing[*]}" >&2
      exit 1
    }
    as_root=(sudo)
  fi
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
  install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
  # It fetches package lists only if the present ones don't do.
  "${install[@]}" >"$log" 2>&1 || {
    quietly "${apt[@]}" update
    quietly "${install[@]}"
  }
  for package in "${missing[@]}"; do echo "setup: installed $package"; done
fi

if ! command -v go >/dev/null; then
  echo "setup: Go is missing; see https://go.dev/dl/" >&2
  exit 1
fi
[ "$mode" != demo ] || exit 0

# The tests' own Python, made again when the requirements change.
requirements=bindings/python/requirements-test.txt
[ -e "$requirements" ] || requirements=/dev/null
if ! cmp -s "$requirements" build/venv/requirements.txt; then
  mkdir -p build
  [ -x build/venv/bin/pip ] || quietly python3 -m venv --clear build/venv
  packages=pytest
  [ "$requirements" = /dev/null ] || packages=
  # shellcheck disable=SC2086
  quietly build/venv/bin/python -m pip install -q --disable-pip-version-check \
    $packages -r "$requirements"
  cp "$requirements" build/venv/requirements.txt
  echo "setup: installed build/venv"
fi

# What the tests of bindings/browser need of npm, made again when that changes.
package=bindings/browser/package.json
if command -v npm >/dev/null && ! cmp -s "$package" build/node/installed; then
  mkdir -p build/node
  cp "$package" build/node/package.json
  quietly npm install --prefix build/node --ignore-scripts --no-audit --no-fund --no-package-lock
  cp "$package" build/node/installed
  echo "setup: installed build/node"
fi

[ "$mode" = adapters ] || exit 0
requirements=tests/conformance/loops/requirements.txt
if ! cmp -s "$requirements" build/venv-adapters/requirements.txt; then
  quietly python3 -m venv --clear build/venv-adapters
  quietly build/venv-adapters/bin/python -m pip install -q \
    --disable-pip-version-check -r "$requirements"
  cp "$requirements" build/venv-adapters/requirements.txt
  echo "setup: installed build/venv-adapters"
fi
