/* SPDX-License-Identifier: Apache-2.0 */

/* pillion/poll.h, with a program's own timers between the waits. */
#include "loop.h"

#include "pillion/poll.h"

const int loop_takes_files = 1;
const struct exempt loop_exempts[] = {
    {"the_loop_may_* loop_executor_detach_* a_loop_is_destroyed_* "
     "an_adapter_of_* detach_* a_sleeping_task_moves_* free_in_on_event_* "
     "a_forked_child_* random_programs attach_* an_attach_* "
     "a_second_adapter_* items_move_* free_in_an_items_*",
     "its loop is in the executor's host: nothing to attach, detach, destroy"},
    {"a_freed_executors_descriptor_is_the_programs "
     "the_programs_descriptors_have_their_turn "
     "the_program_watches_the_same_descriptor",
     "it watches what tasks await, and no more"},
    {"an_executor_moves_to_*", "it is the other kind"},
    {"a_loop_run_on_the_wrong_*", "the first round binds the executor"},
    {"two_executors_share_a_loop a_closed_watch_lets_go_of_its_descriptor",
     "each executor has a loop of its own"},
    {"the_executor_may_be_freed_first", "its next round answers the error"},
    {"a_program_sees_at_any_time_that_something_lives",
     "pillion_executor_live tells it"},
    {"a_loop_inside_a_poll_* a_late_wake_inside_a_poll_*",
     "its round answers PILLION_EREENTRANT, and does not wait"},
    {NULL, NULL}};

struct loop {
  pillion_poll *on;
  int status;
  int64_t at; /* the time of its own function */
  struct own own;
};

struct its_host {
  pillion_poll on;
  struct loop *loop;
  int detached;
};

void *loop_new(void) { return calloc(1, sizeof(struct loop)); }

void loop_destroy(void *loop) { free(loop); }

void loop_after(void *data, int ms, void (*fn)(void *data), void *its) {
  struct loop *loop = data;
  loop->at = pillion_adapter_now() + ms * 1000000;
  loop->own = (struct own){fn, its};
}

int loop_on_readable(void *loop, int fd, void (*fn)(void *data), void *data) {
  return -1;
}

void loop_round(void *data, int wait) {
  struct loop *loop = data;
  struct own own = loop->own;
  int64_t left = PILLION_TIME_NEVER;
  if (own.fn != NULL)
    left = pillion_adapter_wait(loop->at, pillion_adapter_now(), 1);
  int n = pillion_poll_once(loop->on, wait ? left : 0);
  if (n < 0) loop->status = n;
  if (own.fn == NULL || pillion_adapter_now() < loop->at) return;
  loop->own.fn = NULL;
  own_call(&own);
}

void loop_run_out(void *data) {
  struct loop *loop = data;
  while (loop->own.fn != NULL) loop_round(loop, 1);
  loop->status = pillion_poll_loop(loop->on);
}

int host_attach(struct host *host, void *data, pillion_executor ex,
                pillion_event_fn on_event, void *its) {
  struct its_host *self = (struct its_host *)host;
  self->loop = data;
  self->detached = 0;
  self->loop->on = &self->on;
  pillion_poll_init(&self->on, ex, on_event, its);
  return 0;
}

int host_detach(struct host *host) {
  return ((struct its_host *)host)->detached++ ? PILLION_ECLOSED : 0;
}

uint64_t host_live(const struct host *host) {
  uint64_t live = 0;
  pillion_executor_live(&live, host->as.adapter.executor);
  return live;
}

int host_status(const struct host *host) {
  return ((const struct its_host *)host)->loop->status;
}
