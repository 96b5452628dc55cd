/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Context tokens: who captures them and where, and what is called in pairs
 * around polls and drops, in C's lane and in Go's.
 */
#include "support.h"

/* ---- Hooks that count ---------------------------------------------------- */

static struct {
  int current; /* the number that is "entered"; 0: none */
  int captured, entered, left, released, wrong;
  int nothing; /* capture answers NULL */
  pthread_t capturer;
  int stack[8], depth;
} seen;

/* A token is a number: ten times the one that captured it, and one. */
static void *capture(void *data) {
  if (data != &seen) seen.wrong++;
  seen.captured++;
  seen.capturer = pthread_self();
  return seen.nothing ? NULL : (void *)(intptr_t)(seen.current * 10 + 1);
}

static void enter(void *token, void *data) {
  if (data != &seen || token == NULL) seen.wrong++;
  seen.entered++;
  seen.stack[seen.depth++] = seen.current;
  seen.current = (int)(intptr_t)token;
}

static void leave(void *token, void *data) {
  if (data != &seen || seen.current != (int)(intptr_t)token) seen.wrong++;
  seen.left++;
  seen.current = seen.stack[--seen.depth];
}

static void release(void *token, void *data) {
  if (data != &seen || token == NULL) seen.wrong++;
  if (seen.current == (int)(intptr_t)token) seen.wrong++; /* still inside */
  seen.released++;
}

static void assert_seen(int captured, int pairs, int released) {
  assert_int_equal(seen.captured, captured);
  assert_int_equal(seen.entered, pairs);
  assert_int_equal(seen.left, pairs);
  assert_int_equal(seen.released, released);
  assert_int_equal(seen.wrong, 0);
  assert_int_equal(seen.depth, 0);
}

static const pillion_context_hooks hooks = {
    sizeof hooks, &seen, capture, enter, leave, release};

static pillion_executor hooked_new(const pillion_context_hooks *h) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  options.context_hooks = h;
  memset(&seen, 0, sizeof seen);
  guest_reset();
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  return ex;
}

static void records(struct probe *probe) { probe->awaited = seen.current; }

static int records_step(struct probe *probe, pillion_value *out,
                        pillion_context *cx) {
  probe->state = seen.current;
  if (probe->polls != probe->ready_at) return PILLION_PENDING;
  pillion_value_set(out, "done", 4);
  return PILLION_READY;
}

#define RECORDS .step = records_step, .dropped = records

/* ---- C tasks ------------------------------------------------------------- */

TEST(polls_and_the_drop_are_inside) {
  ex = hooked_new(&hooks);
  struct probe probe = {RECORDS, .ready_at = 2};
  seen.current = 4; /* the spawner's context */
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_seen(1, 0, 0);
  assert_true(pthread_equal(seen.capturer, pthread_self()));
  seen.current = 0;
  turn(ex);
  assert_int_equal(probe.state, 41);
  assert_seen(1, 1, 0);
  pillion_wake_local(probe.waker);
  assert_int_equal(turn(ex), 1);
  assert_memory_equal(events[0].payload.bytes, "done", 4);
  assert_int_equal(probe.awaited, 41);
  assert_seen(1, 3, 1);
  assert_int_equal(seen.current, 0);
  executor_free(ex);
  assert_seen(1, 3, 1);
}

TEST(task_without_a_token_calls_nothing) {
  ex = hooked_new(&hooks);
  struct probe probe = {RECORDS, .ready_at = 1};
  seen.nothing = 1;
  spawn(ex, &probe, 0, PILLION_EVENT);
  assert_int_equal(turn(ex), 1);
  assert_seen(1, 0, 0);
}

static int spawns(struct probe *probe, pillion_value *out,
                  pillion_context *cx) {
  probe->rc = pillion_spawn(NULL, cx, &probing, probe->data, 0, PILLION_DETACH);
  return probe->rc < 0 ? probe->rc : PILLION_READY;
}

TEST(what_a_task_spawns_is_captured_inside_it) {
  ex = hooked_new(&hooks);
  struct probe inner = {RECORDS, .ready_at = 1};
  struct probe middle = {.step = spawns, .data = &inner};
  struct probe outer = {.step = spawns, .data = &middle};
  spawn(ex, &outer, 0, PILLION_DETACH);
  turn(ex), turn(ex), turn(ex);
  assert_int_equal(inner.state, 111);
  assert_int_equal(inner.awaited, 111);
  assert_seen(3, 6, 3);
}

TEST(every_end_releases_once) {
  ex = hooked_new(&hooks);
  struct probe cancelled = {RECORDS}, evicted = {RECORDS}, freed = {RECORDS};
  struct probe unjoined = {RECORDS, .ready_at = 1};
  spawn(ex, &cancelled, 0, PILLION_EVENT);
  spawn(ex, &evicted, 0, PILLION_DETACH);
  spawn(ex, &freed, 0, PILLION_DETACH);
  spawn(ex, &unjoined, 0, PILLION_JOIN);
  pillion_task_cancel(cancelled.task);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(cancelled.polls, 0);
  assert_int_equal(cancelled.awaited, 1);
  assert_seen(4, 5, 2); /* three polls, two drops */
  assert_ok(pillion_task_evict(evicted.task));
  assert_int_equal(evicted.awaited, 1);
  assert_seen(4, 6, 3);
  executor_free(ex);
  assert_int_equal(freed.awaited, 1);
  assert_seen(4, 7, 4);
}

static int evicts(struct probe *probe, pillion_value *out,
                  pillion_context *cx) {
  struct probe *victim = probe->data;
  probe->rc = pillion_task_evict(victim->task);
  probe->state = seen.current;
  return PILLION_READY;
}

TEST(drop_inside_another_tasks_poll_nests) {
  ex = hooked_new(&hooks);
  struct probe victim = {RECORDS}, other = {.step = evicts, .data = &victim};
  seen.current = 1;
  spawn(ex, &other, 0, PILLION_DETACH);
  seen.current = 2;
  spawn(ex, &victim, 0, PILLION_DETACH);
  seen.current = 0;
  turn(ex);
  assert_ok(other.rc);
  assert_int_equal(victim.awaited, 21);
  assert_int_equal(other.state, 11);
  assert_seen(2, 3, 2);
}

TEST(refused_spawn_gives_its_token_back) {
  ex = hooked_new(&hooks);
  struct probe probe = {0};
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_DRAIN));
  assert_int_equal(pillion_task_spawn(NULL, ex, &probing, &probe, 0, 0),
                   PILLION_ECLOSED);
  assert_seen(1, 0, 1);
}

TEST(next_task_in_the_slot_carries_its_own) {
  ex = hooked_new(&hooks);
  struct probe first = {RECORDS, .ready_at = 1}, next = {RECORDS, .ready_at = 1};
  spawn(ex, &first, 0, PILLION_DETACH);
  turn(ex);
  seen.nothing = 1;
  spawn(ex, &next, 0, PILLION_DETACH);
  assert_int_equal(pillion__slot_of(next.task), pillion__slot_of(first.task));
  turn(ex);
  assert_int_equal(next.drops, 1);
  assert_seen(2, 2, 1);
}

TEST(next_executor_in_the_place_has_no_hooks) {
  executor_free(hooked_new(&hooks));
  ex = hooked_new(NULL);
  struct probe probe = {.ready_at = 1};
  spawn(ex, &probe, 0, PILLION_DETACH);
  turn(ex);
  assert_int_equal(probe.drops, 1);
  assert_seen(0, 0, 0);
}

TEST(hooks_that_lack_a_function_are_refused) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  char why[128] = "";
  for (int lack = 0; lack < 5; lack++) {
    pillion_context_hooks h = hooks;
    if (lack == 0) h.size = PILLION__FIRST_CONTEXT_HOOKS - 1;
    if (lack == 1) h.capture = NULL;
    if (lack == 2) h.enter = NULL;
    if (lack == 3) h.leave = NULL;
    if (lack == 4) h.release = NULL;
    options.context_hooks = &h;
    int rc = pillion_executor_new(&ex, &options, why, sizeof why);
    assert_int_equal(rc, lack == 4 ? 0 : PILLION_EINVAL);
  }
  assert_string_equal(why, "context_hooks lack a function");
  executor_free(ex);
}

/* ---- Calls --------------------------------------------------------------- */

struct submission {
  pillion_executor ex;
  pillion_task task;
  const char *name;
  int rc;
};

static void *submits(void *data) {
  struct submission *s = data;
  s->rc = pillion_call_submit(&s->task, s->ex, function(s->name), "a", 1, 7,
                              PILLION_EVENT);
  return NULL;
}

TEST(loop_call_is_captured_where_it_is_made) {
  ex = hooked_new(&hooks);
  struct submission s = {.ex = ex, .name = "test.loop"};
  seen.current = 3;
  pthread_t thread = thread_start(submits, &s);
  pthread_join(thread, NULL);
  assert_ok(s.rc);
  assert_true(pthread_equal(seen.capturer, thread));
  seen.current = 0;
  assert_int_equal(turn(ex), 0);
  assert_int_equal(guest.post_count, 1);
  uintptr_t token = guest.posts[0].context;
  assert_int_equal(token, 31);

  /* Go enters and leaves it for each poll, and releases it once. */
  uint32_t index = pillion__slot_of(ex);
  pillion__guest_enter(index, token);
  assert_int_equal(seen.current, 31);
  pillion__guest_leave(index, token);
  pillion__guest_release(index, token);
  guest.loop_count = 0;
  pillion__call_complete(guest.posts[0].call, 0, PILLION_OUTCOME_RETURNED,
                         "result", 6);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].length, 6);
  assert_memory_equal(events[0].payload.bytes, "result", 6);
  assert_seen(1, 1, 1);
}

TEST(call_that_never_began_is_released_by_its_cancel) {
  ex = hooked_new(&hooks);
  struct submission s = {.ex = ex, .name = "test.loop"}, t = s;
  submits(&s), submits(&t);
  assert_int_equal(pillion_task_cancel(s.task), 0);
  assert_seen(2, 0, 1);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(guest.post_count, 1);
  assert_int_equal(events[0].length, 0);
  pillion__guest_release(pillion__slot_of(ex), guest.posts[0].context);
  submits(&s); /* and one that only the free cancels */
  executor_free(ex);
  assert_seen(3, 0, 3);
}

TEST(offloaded_call_is_not_captured) {
  ex = hooked_new(&hooks);
  struct submission s = {.ex = ex, .name = "test.echo"};
  submits(&s);
  assert_int_equal(pillion_task_cancel(s.task), 0);
  assert_int_equal(turn(ex), 1);
  assert_seen(0, 0, 0);
  pillion__ring_take(jobs, COUNT(jobs));
}

TEST(loop_call_without_a_token_has_none_in_go) {
  ex = hooked_new(&hooks);
  struct submission s = {.ex = ex, .name = "test.loop"};
  seen.nothing = 1;
  submits(&s);
  turn(ex);
  assert_int_equal(guest.post_count, 1);
  assert_int_equal(guest.posts[0].context, 0);
  pillion__guest_release(pillion__slot_of(ex), 0);
  executor_free(ex);
  assert_seen(1, 0, 0);
}

/* ---- Hooks that do something --------------------------------------------- */

static struct probe hooked; /* what these do it to */
static int evicted[2];

static void enter_and_meddle(void *token, void *data) {
  enter(token, data);
  if (hooked.drops > 0) return;
  evicted[0] = pillion_task_evict(hooked.task);
  if (hooked.polls == 0) pillion_wake_local(waker_of(hooked.task));
  if (hooked.polls == 1) pillion_task_cancel(hooked.task);
  if (hooked.polls == 1) pillion_task_detach(hooked.task);
}

static void leave_and_meddle(void *token, void *data) {
  if (hooked.drops == 0) evicted[1] = pillion_task_evict(hooked.task);
  leave(token, data);
}

TEST(hooks_do_not_end_the_poll_that_they_stand_around) {
  pillion_context_hooks meddling = hooks;
  meddling.enter = enter_and_meddle;
  meddling.leave = leave_and_meddle;
  ex = hooked_new(&meddling);
  hooked = (struct probe){.ready_at = 9};
  spawn(ex, &hooked, 0, PILLION_JOIN);
  turn(ex);
  assert_int_equal(hooked.polls, 1);
  assert_int_equal(evicted[0], PILLION_EREENTRANT);
  assert_int_equal(evicted[1], PILLION_EREENTRANT);
  turn(ex); /* for the wake */
  assert_int_equal(hooked.polls, 2);
  assert_int_equal(hooked.drops, 0);
  turn(ex); /* for the cancel of the detached task */
  assert_int_equal(hooked.polls, 2);
  assert_int_equal(hooked.drops, 1);
  assert_int_equal(progress.live, 0);
  assert_int_equal(pillion_task_cancel(hooked.task), PILLION_EBADHANDLE);
  assert_seen(1, 3, 1);
}

static pillion_timer same_time[2];

static void release_and_clear(void *token, void *data) {
  release(token, data);
  pillion_timer_clear(&same_time[1]);
}

TEST(release_of_a_call_that_expires_may_clear_timers) {
  pillion_context_hooks clearing = hooks;
  pillion_executor_options options = virtual_options(100);
  clearing.release = release_and_clear;
  options.context_hooks = &clearing;
  ex = executor_with(&options);
  struct probe other = {.ready_at = 9};
  struct submission s = {.ex = ex, .name = "test.loop"};
  memset(&seen, 0, sizeof seen);
  memset(same_time, 0, sizeof same_time);
  spawn(ex, &other, 0, PILLION_DETACH);
  submits(&s);
  assert_ok(pillion_task_deadline(&same_time[0], s.task, 500));
  assert_ok(pillion_task_deadline(&same_time[1], other.task, 500));
  virtual_now = 500;
  turn(ex);
  assert_int_equal(seen.released, 1);
  turn(ex);
  assert_int_equal(other.drops, 0);
  assert_int_equal(progress.deadline, PILLION_TIME_NEVER);
  executor_free(ex);
}

static int freed_in_capture;

static void *capture_and_free(void *data) {
  freed_in_capture = pillion_executor_free(hooked.executor);
  return capture(data);
}

TEST(capture_of_a_call_does_not_free_its_executor) {
  pillion_context_hooks freeing = hooks;
  freeing.capture = capture_and_free;
  ex = hooked_new(&freeing);
  hooked.executor = ex;
  struct submission s = {.ex = ex, .name = "test.loop"};
  submits(&s);
  assert_int_equal(freed_in_capture, PILLION_EREENTRANT);
  executor_free(ex);
  assert_seen(1, 0, 1);
}
