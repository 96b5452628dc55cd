/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_LIBRARY_H
#define PILLION_LIBRARY_H

/* The highest floor: loading, starting and counting the library. */
#include "guest/guest.h"
#include "inbound/inbound.h"

#pragma GCC visibility push(hidden)

/* probe.c */
int pillion__probe_threads(struct pillion__why why);
int pillion__probe_poller(int fd, struct pillion__why why);

#pragma GCC visibility pop

#endif
