#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs into new folders, then builds and runs a program from there, with
# find_package and with pkg-config. The build knows the prefix, or only the
# install does, or the folder moves afterwards.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD/build/install
rm -rf "$root"
cmake -S . -B "$root/cmake" -DCMAKE_INSTALL_PREFIX="$root/known" -DCMAKE_INSTALL_LIBDIR=lib
cmake --build "$root/cmake"
cmake --install "$root/cmake"
cmake -S . -B "$root/cmake" -DCMAKE_INSTALL_PREFIX=/usr/local -DCMAKE_INSTALL_LIBDIR="lib/$(cc -print-multiarch)"
cmake --install "$root/cmake" --prefix "$root/given"
cp -a "$root/given" "$root/moved"
mv "$root/cmake" "$root/cmake-away" # nothing may need the build tree
version=$(sed -n 's/.*VERSION_STRING "\(.*\)"/\1/p' include/pillion/version.h)

passed=0
for prefix in known given moved; do
  at=$root/$prefix
  [ "$prefix" != moved ] || rm -r "$root/given"
  cmake -S tests/install/consumer -B "$root/consumer-$prefix" -DCMAKE_PREFIX_PATH="$at"
  cmake --build "$root/consumer-$prefix"
  [ "$("$root/consumer-$prefix/consumer")" = "pillion $version" ]

  pc=$(find "$at" -name pillion.pc)
  export PKG_CONFIG_PATH=${pc%/*}
  [ "$(pkg-config --modversion pillion)" = "$version" ]
  [ "$(realpath "$(pkg-config --variable=prefix pillion)")" = "$at" ]
  cc -o "$root/by-pkg-config" tests/install/consumer/consumer.c $(pkg-config --cflags --libs pillion)
  [ "$(LD_LIBRARY_PATH=${pc%/*}/.. "$root/by-pkg-config")" = "pillion $version" ]
  passed=$((passed + 2))
done
echo "$passed passed, 0 failed"
