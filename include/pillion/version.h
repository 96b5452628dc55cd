/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_VERSION_H
#define PILLION_INCLUDE_VERSION_H

/*
 * The numbers of this header, and the promise behind them.
 *
 * MAJOR stands for an incompatible change, MINOR for additions, and PATCH for
 * everything else. The library's SONAME carries MAJOR. From 0.1.0 on a program
 * runs on every later library of its MAJOR: structs grow at their end only,
 * constants keep their numbers, and no function changes its meaning.
 *
 * The library compares PILLION_VERSION_NUMBER, which every options struct
 * carries, with its own. It answers PILLION_EVERSION to a program of another
 * MAJOR, and to one of a later MINOR, which may ask for what is not there yet.
 */
#define PILLION_VERSION_MAJOR 0
#define PILLION_VERSION_MINOR 1
#define PILLION_VERSION_PATCH 0

#define PILLION_VERSION_NUMBER                                    \
  ((PILLION_VERSION_MAJOR << 16) | (PILLION_VERSION_MINOR << 8) | \
   PILLION_VERSION_PATCH)

#define PILLION_VERSION_STRING "0.1.0"

#endif
