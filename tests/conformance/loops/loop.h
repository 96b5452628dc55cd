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
/* Calls fn(data) in every round in which `fd` is readable, as long as the loop
   is. 0, or -1 if the loop does not take it. */
int loop_on_readable(void *loop, int fd, void (*fn)(void *data), void *data);

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data);
int host_detach(struct host *host);

/* For loops that end by themselves: runs it until it does. */
void loop_run_out(void *loop) __attribute__((weak));

/* A driver that has no pillion_adapter defines these, too. */
uint64_t host_live(const struct host *host);
int host_status(const struct host *host);
int host_turn(struct host *host); /* as pillion_adapter_turn */

/* How late its timers may be on an idle machine: 1000 if undefined. */
extern const int loop_resolution_us;

/* Adapters hold the loop, so that they watch on when the program has let go of
   it: 0 if undefined. */
extern const int loop_is_held;

/* 1: it takes regular files, always ready, as poll(2) does. 2: and tells of one
   event at a time. */
extern const int loop_takes_files;

/* Events that the loop does not tell. A loop that tells all defines nothing. */
extern const uint32_t loop_lacks __attribute__((weak));
#define loop_has(event) (&loop_lacks == NULL || !(loop_lacks & (event)))

/* The cases that do not apply to a loop, and why. The last entry is empty; a
   loop to which all apply defines nothing. */
struct exempt {
  const char *cases; /* names with spaces between them; * is any end of one */
  const char *why;
};
extern const struct exempt loop_exempts[] __attribute__((weak));

/* ---- For drivers --------------------------------------------------------- */

/* A function of a case, as the data of a timer or a descriptor. */
struct own {
  void (*fn)(void *data);
  void *data;
};

static inline struct own *own_new(void (*fn)(void *data), void *data) {
  struct own *own = (struct own *)malloc(sizeof *own);
  own->fn = fn;
  own->data = data;
  return own;
}

static inline void own_call(const void *own) {
  ((const struct own *)own)->fn(((const struct own *)own)->data);
}

/* The cases of a handler that runs the loop. */
#define NESTED_CASES                                                         \
  "a_handler_may_run_the_loop a_handler_waits_for_the_event_behind_its_own " \
  "a_loop_inside_a_poll_neither_spins_nor_loses_anything "                   \
  "descriptors_are_watched_in_a_loop_that_a_handler_runs "                   \
  "a_poll_runs_the_loop items_come_in_a_loop_that_an_items_handler_runs "    \
  "a_late_wake_inside_a_poll_does_not_silence_the_loop"

/* The cases of a loop that ends by itself. */
#define ENDING_CASES                                 \
  "the_loop_ends_when_nothing_lives_and_not_before " \
  "a_timer_that_a_task_has_left_does_not_keep_the_loop " \
  "nothing_of_a_freed_executor_keeps_the_loop"

#ifdef __cplusplus
}
#endif

#endif
