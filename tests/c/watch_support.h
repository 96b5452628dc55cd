/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_WATCH_SUPPORT_H
#define PILLION_TESTS_WATCH_SUPPORT_H

/* Streams on descriptors, and the loop that the tests of watches run on. */
#include "support.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* The test program of each loop defines these. Its executor's ends go to
   `seen`. */
void loop_begin(pillion_executor ex); /* puts an executor on the loop */
void loop_step(void);                 /* waits, and makes a turn */
void loop_run(void);                  /* until no task lives */
void loop_end(void);                  /* takes it off and frees it */
extern struct seen seen;

#define R PILLION_READABLE
#define W PILLION_WRITABLE
#define H PILLION_HANGUP

/* ---- A stream that is read to its end, or written to a length ------------ */

struct stream {
  int state, fd, events, polls, waits, rc;
  pillion_watch watch;
  size_t bytes, length; /* 0: read to the end */
  pillion_task task;
  int drops;
};

int stream_ready(struct stream *s, pillion_context *cx, uint32_t interest);
void stream_drop(void *self);

/* `waiting` awaits the events in `length`, once. */
extern const pillion_future reading, writing, waiting;

void start(pillion_executor ex, struct stream *s, const pillion_future *future);
void open_watch(pillion_executor ex, struct stream *s, int fd);
void pair_new(int ends[2]);
uint64_t turns_of(pillion_executor ex);

/* A Go function that sends back what it reads from `fd`. */
pillion_task start_cat(pillion_executor ex, int fd);

#endif
