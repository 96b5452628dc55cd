/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_LOOP_SUPPORT_H
#define PILLION_TESTS_LOOP_SUPPORT_H

/*
 * What loop_suite.c, the list of cases for every adapter, asks of a loop. Each
 * program defines these functions for one, and has watch_suite.c for it as well.
 */
#include "pillion/adapter.h"
#include "watch_support.h"

/* An adapter; its struct is at the beginning. */
struct host {
  union {
    pillion_adapter adapter;
    char room[1024];
  } as;
};

void *loop_new(void);
void loop_destroy(void *loop); /* whatever is on it, and before any detach */
void loop_round(void *loop, int wait); /* one round of the loop */
/* Calls fn(data) after so many milliseconds. */
void loop_after(void *loop, int ms, void (*fn)(void *data), void *data);

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data);
int host_detach(struct host *host);

extern const int loop_nests;       /* a handler may run it */
extern const int loop_takes_files; /* always ready, as poll(2) says */

#endif
