/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_POOL_GO_H
#define PILLION_TESTS_POOL_GO_H

/* What the tests of Go's futures on a pool of C's share. */
#include "support.h"

extern pillion_pool pool;
extern struct seen seen;
extern _Atomic int failed;

/* A fixture: `pool`, whose calls wait at a gate; it is stopped and freed. */
void a_pool(void);
void open_gate(void);

int start_call(pillion_task *out, pillion_executor home, const char *name,
               const char *request, uint64_t token, uint32_t flags,
               int64_t deadline);
/* A call whose end is an event at `home`. */
pillion_task call(pillion_executor home, const char *name, const char *request,
                  uint64_t token);

pillion_executor worker_new(uint32_t flags);
pillion_pool_stats pool_stats(pillion_pool pool);

/* Turns a worker that is its own thread's until `n` calls are waiting in Go. */
void turn_until_waiting(pillion_executor ex, long n);

/* The main of a thread that works until the pool is closed and empty. */
void *works(void *data);

#endif
