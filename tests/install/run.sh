#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs into a folder of its own, then builds and runs a program from there,
# once with find_package and once with pkg-config.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD/build/install
rm -rf "$root"
cmake -S . -B "$root/cmake" -DCMAKE_INSTALL_PREFIX="$root/prefix" -DCMAKE_INSTALL_LIBDIR=lib
cmake --build "$root/cmake"
cmake --install "$root/cmake"
prefix=$root/prefix
mv "$root/cmake" "$root/cmake-away" # nothing may lean on the build tree
version=$(sed -n 's/.*VERSION_STRING "\(.*\)"/\1/p' include/pillion/version.h)

cmake -S tests/install/consumer -B "$root/consumer" -DCMAKE_PREFIX_PATH="$prefix"
cmake --build "$root/consumer"
[ "$("$root/consumer/consumer")" = "pillion $version" ]

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
[ "$(pkg-config --modversion pillion)" = "$version" ]
cc -o "$root/by-pkg-config" tests/install/consumer/consumer.c $(pkg-config --cflags --libs pillion)
[ "$(LD_LIBRARY_PATH=$prefix/lib "$root/by-pkg-config")" = "pillion $version" ]
echo "2 passed, 0 failed"
