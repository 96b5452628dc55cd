/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_VERSION_H
#define PILLION_INCLUDE_VERSION_H

/*
 * The numbers of this header, and the promise behind them.
 *
 * While MAJOR is 0, MINOR stands for an incompatible change and PATCH for
 * everything else. From 1.0.0 on, MAJOR stands for an incompatible change,
 * and the library's SONAME carries it: a program built against 1.2 runs on
 * every later 1.x library. Within that promise structs grow at their end
 * only, constants keep their numbers, and no function changes its meaning.
 *
 * The library compares PILLION_VERSION_NUMBER, which every options struct
 * carries, with its own and answers PILLION_EVERSION if they do not fit.
 */
#define PILLION_VERSION_MAJOR 0
#define PILLION_VERSION_MINOR 1
#define PILLION_VERSION_PATCH 0

#define PILLION_VERSION_NUMBER                                    \
  ((PILLION_VERSION_MAJOR << 16) | (PILLION_VERSION_MINOR << 8) | \
   PILLION_VERSION_PATCH)

#define PILLION_VERSION_STRING "0.1.0"

#endif
