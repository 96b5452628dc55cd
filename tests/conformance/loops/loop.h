/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_LOOP_H
#define PILLION_TESTS_LOOP_H

/*
 * What the list of cases asks of a loop. A driver defines these functions for
 * one, in C or C++; drivers/ev.c is one to read.
 */
#include "pillion/adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

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

/* A driver that has no pillion_adapter defines these, too. */
uint64_t host_live(const struct host *host);
int host_status(const struct host *host);

extern const int loop_takes_files; /* always ready, as poll(2) says */

/* Events that the loop does not tell. A loop that tells all defines nothing. */
extern const uint32_t loop_lacks __attribute__((weak));
#define loop_has(event) (&loop_lacks == NULL || !(loop_lacks & (event)))

/* The cases that do not apply to a loop, and why. The last entry is empty; a
   loop to which all apply defines nothing. */
struct exempt {
  const char *cases; /* names with spaces between them */
  const char *why;
};
extern const struct exempt loop_exempts[] __attribute__((weak));

/* The cases of a handler that runs the loop. */
#define NESTED_CASES                                                         \
  "a_handler_may_run_the_loop a_handler_waits_for_the_event_behind_its_own " \
  "a_loop_inside_a_poll_neither_spins_nor_loses_anything"

#ifdef __cplusplus
}
#endif

#endif
