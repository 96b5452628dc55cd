/* SPDX-License-Identifier: Apache-2.0 */

/* Go functions on the loop that await descriptors, which the loop watches. */
#include "loop.h"
#include "watch_support.h"

pillion_task start_cat(pillion_executor ex, int fd) {
  char text[16];
  snprintf(text, sizeof text, "%d", fd);
  return submit(ex, "test.loop_cat", text, 9, PILLION_EVENT);
}

static uint64_t entries_of(pillion_executor ex) {
  return stats_of(ex).go_entries;
}

/* Sends a byte and waits for its echo, `length` times; then hangs up. */
static int ping(pillion_value *out, pillion_context *cx, void *self) {
  struct stream *s = self;
  char byte;
  s->polls++;
  PILLION_ASYNC(s->state);
  while (s->bytes < s->length) {
    if (write(s->fd, "x", 1) != 1) return PILLION_ESYSTEM;
    while (read(s->fd, &byte, 1) != 1)
      PILLION_AWAIT(s->state, stream_ready(s, cx, R));
    s->bytes++;
  }
  pillion_watch_close(s->watch);
  PILLION_RETURN(s->state);
  PILLION_ASYNC_END;
}

static const pillion_future pinging = {sizeof pinging, ping, stream_drop};

GIVEN(an_executor, go_is_entered_for_its_polls_only) {
  struct stream s;
  int ends[2];
  uint64_t workers = library_counts().workers;
  memset(&seen, 0, sizeof seen);
  pair_new(ends);
  loop_begin(ex);
  open_watch(ex, &s, ends[1]);
  s.length = 100;
  start_cat(ex, ends[0]);
  start(ex, &s, &pinging);
  loop_run();
  assert_int_equal(s.bytes, 100);
  assert_int_equal(seen.count, 1);
  assert_ok(seen.event[0].status);
  assert_string_equal(seen.event[0].bytes, "100");
  assert_true(entries_of(ex) <= 103);
  assert_int_equal(library_counts().workers, workers);
  assert_int_equal(library_counts().watches, 0);
  loop_end();
  close(ends[0]);
}

GIVEN(an_executor, go_and_c_fill_a_socket) {
  struct stream in, out;
  int ends[2];
  memset(&seen, 0, sizeof seen);
  pair_new(ends);
  loop_begin(ex);
  open_watch(ex, &in, ends[1]);
  out = in;
  in.length = out.length = 2 << 20;
  start_cat(ex, ends[0]);
  start(ex, &in, &reading);
  start(ex, &out, &writing);
  while (in.drops == 0 || out.drops == 0) loop_step();
  assert_int_equal(in.bytes, 2 << 20);
  assert_true(out.waits > 0);
  assert_ok(pillion_watch_close(in.watch));
  loop_run();
  assert_string_equal(seen.event[0].bytes, "2097152");
  loop_end();
  close(ends[0]);
}

GIVEN(an_executor, a_cancelled_go_task_does_not_spin) {
  struct stream c;
  int ends[2];
  memset(&seen, 0, sizeof seen);
  pair_new(ends);
  loop_begin(ex);
  pillion_task task = start_cat(ex, ends[0]);
  while (library_counts().watches == 0) loop_step();
  /* C can't watch what Go watches, nor Go what C watches. */
  assert_int_equal(pillion_watch_open(&c.watch, ex, ends[0], 0), PILLION_EBUSY);
  assert_ok(pillion_task_cancel(task));
  assert_int_equal(write(ends[1], "x", 1), 1);
  loop_run();
  assert_int_equal(seen.count, 1);
  assert_int_equal(seen.event[0].outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  assert_true(entries_of(ex) <= 4);
  assert_int_equal(library_counts().watches, 0);
  open_watch(ex, &c, ends[0]);
  start_cat(ex, ends[0]);
  loop_run();
  assert_int_equal(seen.count, 2);
  assert_int_equal(seen.event[1].status, PILLION_EFAILED);
  loop_end();
  close(ends[1]);
}

GIVEN(an_executor, an_executor_is_freed_while_go_waits) {
  int ends[2];
  pair_new(ends);
  loop_begin(ex);
  start_cat(ex, ends[0]);
  while (library_counts().watches == 0) loop_step();
  loop_end();
  assert_int_equal(library_counts().watches, 0);
  close(ends[0]);
  close(ends[1]);
}
