/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_POOL_GO_H
#define PILLION_TESTS_POOL_GO_H

/* What the tests of Go's futures on a pool of C's share. */
#include "support.h"

extern pillion_pool pool;
extern struct seen seen;
extern _Atomic int failed;

/* A fixture: makes `pool` and closes the gate; afterwards it frees the pool. */
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

/* Turns a worker on its thread until `n` calls wait inside Go. */
void turn_until_waiting(pillion_executor ex, long n);

/* The main of a thread that works until the pool is closed and empty. */
void *works(void *data);

#endif
