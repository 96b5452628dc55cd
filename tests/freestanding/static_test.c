/* SPDX-License-Identifier: Apache-2.0 */

/* What static.h and select.h promise, on every board. */
#include "boards/board.h"
#include "check.h"
#include "pillion/scope.h"
#include "pillion/static.h"
#include "pillion/time.h"

enum { SLOTS = 4 };

static pillion_slot slots[SLOTS];
static pillion_ticks ticks = PILLION_TICKS_INIT(BOARD_HZ, BOARD_MASK);
static int sleeps;

static int64_t clock_now(void *data) {
  (void)data;
  return pillion_ticks_now(&ticks, board_counter());
}

static void clock_wait(void *data, int64_t deadline) {
  uint32_t left = pillion_ticks_until(&ticks, board_counter(), deadline);
  (void)data;
  sleeps++;
  if (left == 0) return;
  if (deadline != PILLION_TIME_NEVER) board_alarm_set(left);
  board_sleep();
}

void board_alarm(void) {}
void board_received(char byte) { (void)byte; }

/* ---- A future that does what it is told ---------------------------------- */

struct actor {
  int polls, drops;
  int pends; /* it answers PILLION_PENDING so often, and wakes itself */
  int quiet; /* it does not wake itself */
  int answer;
  int (*deed)(struct actor *actor, pillion_context *cx);
  void (*last_deed)(struct actor *actor);
  struct actor *other;
  pillion_task task;
  pillion_waker waker;
  pillion_timer timer;
};

static char trace[64];
static int trace_length;

static void note(char what) {
  if (trace_length < 63) trace[trace_length++] = what;
  trace[trace_length] = 0;
}

static int trace_is(const char *want) {
  int i = 0;
  while (want[i] != 0 && want[i] == trace[i]) i++;
  if (want[i] != trace[i]) say("trace ", trace, "\n", NULL);
  trace_length = 0;
  int same = want[i] == trace[i];
  trace[0] = 0;
  return same;
}

static int actor_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct actor *actor = self;
  actor->polls++;
  actor->waker = cx->waker;
  if (actor->deed != NULL) {
    int rc = actor->deed(actor, cx);
    if (rc != PILLION_READY) return rc;
  }
  if (actor->pends-- > 0) {
    if (!actor->quiet) cx->ops->wake(cx->waker);
    return PILLION_PENDING;
  }
  if (actor->answer < 0) return actor->answer;
  pillion_value_set(out, &actor->answer, sizeof actor->answer);
  return PILLION_READY;
}

static void actor_drop(void *self) {
  struct actor *actor = self;
  actor->drops++;
  pillion_timer_clear(&actor->timer);
  if (actor->last_deed != NULL) actor->last_deed(actor);
}

static const pillion_future acting = {sizeof acting, actor_poll, actor_drop};

static uint64_t ended_token;
static int ended_status;
static uint32_t ended_outcome;

static void task_ended(void *data, uint64_t token, const pillion_value *value,
                       uint32_t outcome) {
  (void)data;
  ended_token = token;
  ended_status = value->status;
  ended_outcome = outcome;
}

static const pillion_port port = {clock_now, clock_wait, task_ended, NULL};

static void begin(void) {
  CHECK_INT(pillion_static_init(slots, SLOTS, &port), 0);
  trace_length = 0;
  sleeps = 0;
}

static int answer_of(const pillion_value *value) {
  const int *number = pillion_value_data(value);
  return value->length == sizeof *number ? *number : -99;
}

static int spawn(struct actor *actor, uint32_t mode) {
  return pillion_static_spawn(&actor->task, &acting, actor, 7, mode);
}

static void run_all(void) {
  for (int i = 0; i < 50 && pillion_static_turn() == 1; i++) {
  }
}

/* ---- Blocking ------------------------------------------------------------ */

static void block_on_gives_a_value(void) {
  struct actor a = {.pends = 3, .answer = 42};
  pillion_value value;
  begin();
  CHECK_INT(pillion_block_on(&value, &acting, &a), 0);
  CHECK_INT(answer_of(&value), 42);
  CHECK_INT(a.polls, 4);
  CHECK_INT(a.drops, 1);
  CHECK_INT(sleeps, 0);
}

static void block_on_gives_an_error(void) {
  struct actor a = {.answer = -1001};
  pillion_value value;
  begin();
  CHECK_INT(pillion_block_on(&value, &acting, &a), 0);
  CHECK_INT(value.status, -1001);
  CHECK_INT(value.length, 0);
}

static int refused[4];

static void try_to_nest(void) {
  static struct actor inner;
  pillion_value value;
  refused[0] = pillion_block_on(&value, &acting, &inner);
  refused[1] = pillion_static_turn();
  refused[2] = pillion_static_init(slots, SLOTS, &port);
}

static int nest(struct actor *actor, pillion_context *cx) {
  (void)actor, (void)cx;
  try_to_nest();
  return PILLION_READY;
}

static void nest_in_drop(struct actor *actor) {
  (void)actor;
  try_to_nest();
}

static void check_refused(void) {
  for (int i = 0; i < 3; i++) CHECK_INT(refused[i], PILLION_EREENTRANT);
  refused[0] = refused[1] = refused[2] = 0;
}

static void a_nested_block_on_is_refused(void) {
  struct actor a = {.deed = nest, .answer = 1};
  struct actor b = {.last_deed = nest_in_drop, .answer = 1};
  pillion_value value;
  begin();
  CHECK_INT(pillion_block_on(&value, &acting, &a), 0);
  check_refused();
  CHECK_INT(pillion_block_on(&value, &acting, &b), 0);
  check_refused();
  spawn(&a, PILLION_DETACH);
  run_all();
  check_refused();
  b.pends = 1;
  b.quiet = 1;
  spawn(&b, PILLION_DETACH);
  run_all();
  pillion_cancel(pillion_static_ops(), b.task);
  run_all();
  check_refused();
}

static int evict_the_other(struct actor *actor, pillion_context *cx) {
  note((char)('0' - cx->ops->evict(actor->other->waker)));
  return PILLION_READY;
}

static void a_blocking_future_may_be_evicted(void) {
  struct actor a = {.pends = 1, .quiet = 1};
  struct actor b = {.deed = evict_the_other, .other = &a};
  pillion_value value;
  begin();
  spawn(&b, PILLION_DETACH);
  b.pends = 1; /* once more, when `a` has a waker */
  CHECK_INT(pillion_block_on(&value, &acting, &a), 0);
  CHECK_INT(value.status, PILLION_ECANCELLED);
  CHECK_INT(a.drops, 1);
  run_all();
}

static int join_the_other(struct actor *actor, pillion_context *cx) {
  pillion_value value;
  note(pillion_join(&value, cx, actor->other->waker) == PILLION_EINVAL ? 'i'
                                                                       : '?');
  note(cx->ops->detach(actor->other->waker) == PILLION_EINVAL ? 'i' : '?');
  return PILLION_READY;
}

static void nobody_takes_the_result_of_block_on(void) {
  struct actor a = {.pends = 3, .answer = 5};
  struct actor b = {.deed = join_the_other, .other = &a};
  pillion_value value;
  begin();
  spawn(&b, PILLION_DETACH);
  b.waker = 0;
  a.waker = 1ull << 32 | 1; /* it will have slot 1 */
  CHECK_INT(pillion_block_on(&value, &acting, &a), 0);
  CHECK_INT(answer_of(&value), 5);
  CHECK(trace_is("ii"));
}

/* ---- Slots --------------------------------------------------------------- */

static int spawn_the_other(struct actor *actor, pillion_context *cx) {
  int rc = pillion_spawn(NULL, cx, &acting, actor->other, 0, PILLION_DETACH);
  note(rc == 0 ? 's' : rc == PILLION_EAGAIN ? 'a' : '?');
  return PILLION_READY;
}

static void full_slots_refuse(void) {
  struct actor a[SLOTS + 1] = {{.pends = 1, .quiet = 1}, {.pends = 1, .quiet = 1},
                               {.pends = 1, .quiet = 1}};
  struct actor late = {.answer = 1}, b = {.deed = spawn_the_other};
  pillion_value value;
  begin();
  b.other = &late;
  for (int i = 0; i < SLOTS - 1; i++) CHECK_INT(spawn(&a[i], PILLION_DETACH), 0);
  CHECK_INT(pillion_block_on(&value, &acting, &b), 0);
  CHECK(trace_is("a"));
  a[SLOTS - 1].pends = a[SLOTS - 1].quiet = 1;
  CHECK_INT(spawn(&a[SLOTS - 1], PILLION_DETACH), 0);
  CHECK_INT(spawn(&late, PILLION_DETACH), PILLION_EAGAIN);
  CHECK_INT(pillion_block_on(&value, &acting, &late), PILLION_EAGAIN);
  CHECK_INT(late.polls, 0);
  CHECK_INT(late.drops, 0);
  run_all();
  CHECK_INT(pillion_wake(a[1].waker), PILLION_WOKEN);
  run_all();
  CHECK_INT(a[1].drops, 1);
  CHECK_INT(pillion_block_on(&value, &acting, &late), 0);
  CHECK_INT(late.drops, 1);
}

static int wake_self(struct actor *actor, pillion_context *cx) {
  (void)actor;
  cx->ops->wake(cx->waker);
  return PILLION_READY;
}

/* Its slot is in the list of ready ones still. */
static void a_slot_that_is_queued_is_not_given_away(void) {
  struct actor a = {.deed = wake_self}, b[SLOTS] = {{0}};
  begin();
  spawn(&a, PILLION_DETACH);
  pillion_static_turn();
  CHECK_INT(a.drops, 1);
  for (int i = 0; i < SLOTS - 1; i++) CHECK_INT(spawn(&b[i], PILLION_DETACH), 0);
  CHECK_INT(spawn(&b[SLOTS - 1], PILLION_DETACH), PILLION_EAGAIN);
  run_all();
  for (int i = 0; i < SLOTS - 1; i++) CHECK_INT(b[i].drops, 1);
  CHECK_INT(spawn(&b[SLOTS - 1], PILLION_DETACH), 0);
  run_all();
  CHECK_INT(b[SLOTS - 1].drops, 1);
  CHECK_INT(a.polls, 1);
}

static void wakers_that_are_late_or_forged_do_nothing(void) {
  struct actor a = {.answer = 1}, b = {.pends = 1, .quiet = 1};
  pillion_value value;
  begin();
  CHECK_INT(pillion_wake(0), PILLION_STALE);
  CHECK_INT(pillion_wake(UINT64_MAX), PILLION_EBADHANDLE);
  CHECK_INT(pillion_wake(SLOTS), PILLION_EBADHANDLE);
  CHECK_INT(pillion_wake(1ull << 32), PILLION_STALE); /* the slot is free */
  CHECK_INT(pillion_block_on(&value, &acting, &a), 0);
  CHECK_INT(pillion_wake(a.waker), PILLION_STALE);
  spawn(&b, PILLION_DETACH);
  run_all();
  CHECK_INT((uint32_t)a.waker, (uint32_t)b.waker);
  CHECK_INT(pillion_wake(a.waker), PILLION_STALE);
  run_all();
  CHECK_INT(b.polls, 1);
  const pillion_ops *ops = pillion_static_ops();
  CHECK_INT(ops->cancel(a.waker), PILLION_EBADHANDLE);
  CHECK_INT(ops->detach(UINT64_MAX), PILLION_EBADHANDLE);
  CHECK_INT(ops->evict(a.waker), PILLION_EBADHANDLE);
  CHECK_INT(ops->evict(b.waker), 0);
  CHECK_INT(ops->evict(b.waker), PILLION_EBADHANDLE);
  CHECK_INT(b.drops, 1);
}

static void a_generation_begins_again(void) {
  struct actor a = {.answer = 1}, b = {.answer = 2};
  pillion_value value;
  begin();
  for (int i = 0; i < SLOTS; i++) slots[i].waker |= UINT64_C(0xffffffff) << 32;
  CHECK_INT(pillion_block_on(&value, &acting, &a), 0);
  CHECK_INT(pillion_block_on(&value, &acting, &b), 0);
  CHECK_INT(answer_of(&value), 2);
  CHECK_INT(a.waker >> 32, UINT32_MAX);
  CHECK_INT(b.waker >> 32, 1);
  CHECK_INT(pillion_wake(a.waker), PILLION_STALE);
}

/* ---- Ends ---------------------------------------------------------------- */

static void an_end_is_told_once(void) {
  struct actor a = {.answer = -5}, b = {.pends = 1, .quiet = 1}, c = {0};
  begin();
  spawn(&a, PILLION_EVENT);
  run_all();
  CHECK_INT(ended_token, 7);
  CHECK_INT(ended_status, -5);
  CHECK_INT(ended_outcome, PILLION_OUTCOME_RETURNED);
  spawn(&b, PILLION_EVENT);
  run_all();
  pillion_cancel(pillion_static_ops(), b.task);
  CHECK_INT(b.drops, 0);
  run_all();
  CHECK_INT(ended_status, PILLION_ECANCELLED);
  CHECK_INT(ended_outcome, PILLION_OUTCOME_CANCELLED_RUNNING);
  spawn(&c, PILLION_EVENT);
  pillion_static_ops()->evict(c.task);
  CHECK_INT(ended_outcome, PILLION_OUTCOME_CANCELLED_UNSTARTED);
}

static int released;

static void release(void *owner) {
  released++;
  CHECK(owner == &released);
}

static int large_poll(pillion_value *out, pillion_context *cx, void *self) {
  static const char bytes[100];
  (void)cx, (void)self;
  out->length = sizeof bytes;
  out->payload.ref.data = bytes;
  out->payload.ref.release = release;
  out->payload.ref.owner = &released;
  return PILLION_READY;
}

static const pillion_future large = {sizeof large, large_poll, NULL};

static void a_large_value_is_released_once(void) {
  pillion_value value;
  pillion_task task = 0;
  begin();
  pillion_static_spawn(NULL, &large, NULL, 0, PILLION_DETACH);
  pillion_static_spawn(NULL, &large, NULL, 0, PILLION_EVENT);
  run_all();
  CHECK_INT(released, 2);
  pillion_static_spawn(&task, &large, NULL, 0, PILLION_JOIN);
  run_all();
  CHECK_INT(released, 2);
  CHECK_INT(pillion_abandon(pillion_static_ops(), task), 0);
  CHECK_INT(released, 3);
  CHECK_INT(pillion_block_on(&value, &large, NULL), 0);
  CHECK_INT(value.length, 100);
  pillion_value_drop(&value);
  CHECK_INT(released, 4);
}

static void what_cannot_start_is_refused(void) {
  static const pillion_future no_poll = {sizeof no_poll, NULL, NULL};
  static const pillion_future no_size = {0, actor_poll, NULL};
  struct actor a = {0};
  begin();
  CHECK_INT(pillion_static_spawn(NULL, &no_poll, &a, 0, 0), PILLION_EINVAL);
  CHECK_INT(pillion_static_spawn(NULL, &no_size, &a, 0, 0), PILLION_EINVAL);
  CHECK_INT(pillion_static_spawn(NULL, &acting, &a, 0, 3), PILLION_EINVAL);
  CHECK_INT(pillion_static_init(slots, 0, &port), PILLION_EINVAL);
  CHECK_INT(pillion_static_init(NULL, 1, &port), PILLION_EINVAL);
  CHECK_INT(pillion_static_init(slots, 1, NULL), PILLION_EINVAL);
}

/* ---- Futures that go in polls -------------------------------------------- */

static void evicted_in_anothers_poll(void) {
  struct actor a = {.pends = 1, .quiet = 1};
  struct actor b = {.deed = evict_the_other, .other = &a}, c = {0};
  begin();
  spawn(&b, PILLION_DETACH); /* it goes first, and `a` is queued behind it */
  spawn(&a, PILLION_DETACH);
  a.waker = a.task;
  spawn(&c, PILLION_DETACH);
  pillion_static_turn();
  CHECK(trace_is("0"));
  CHECK_INT(a.polls, 0);
  CHECK_INT(a.drops, 1);
  CHECK_INT(c.drops, 1);
  for (int i = 0; i < SLOTS; i++) {
    struct actor again = {.answer = i};
    pillion_value value;
    CHECK_INT(pillion_block_on(&value, &acting, &again), 0);
    CHECK_INT(answer_of(&value), i);
  }
}

static void evict_the_other_last(struct actor *actor) {
  note((char)('0' - pillion_static_ops()->evict(actor->other->waker)));
}

static void evicted_in_its_own_poll_or_drop(void) {
  struct actor a = {.deed = evict_the_other, .last_deed = evict_the_other_last};
  begin();
  a.other = &a;
  spawn(&a, PILLION_DETACH);
  a.waker = a.task;
  run_all();
  CHECK(trace_is("55")); /* PILLION_EREENTRANT */
  CHECK_INT(a.drops, 1);
}

/* A cancelled task's drop evicts the one that was polled before it. */
static void evicted_in_anothers_drop(void) {
  struct actor a = {.pends = 1, .quiet = 1};
  struct actor b = {.last_deed = evict_the_other_last, .other = &a};
  begin();
  spawn(&a, PILLION_DETACH);
  spawn(&b, PILLION_DETACH);
  pillion_cancel(pillion_static_ops(), b.task);
  run_all();
  CHECK(trace_is("0"));
  CHECK_INT(a.drops, 1);
  CHECK_INT(b.drops, 1);
}

/* ---- Times --------------------------------------------------------------- */

static int nap(struct actor *actor, pillion_context *cx) {
  return pillion_sleep(&actor->timer, cx, 3000000);
}

static void a_sleep_sleeps(void) {
  struct actor a = {.deed = nap, .answer = 1};
  pillion_value value;
  begin();
  int64_t before = clock_now(NULL);
  CHECK_INT(pillion_block_on(&value, &acting, &a), 0);
  CHECK_INT(value.status, 0);
  CHECK(clock_now(NULL) - before >= 3000000);
  CHECK(sleeps > 0);
  CHECK_INT(pillion_static_deadline(), PILLION_TIME_NEVER);
}

/* Two rounds of the counter and a bit. */
static int64_t long_ns(void) {
  return (int64_t)((uint64_t)BOARD_MASK * 2100 / (BOARD_HZ / 1000) * 1000);
}

static int long_nap(struct actor *actor, pillion_context *cx) {
  return pillion_sleep(&actor->timer, cx, long_ns());
}

static void a_sleep_beyond_the_counters_range(void) {
  struct actor a = {.deed = long_nap, .answer = 1};
  pillion_value value;
  begin();
  int64_t before = clock_now(NULL);
  CHECK_INT(pillion_block_on(&value, &acting, &a), 0);
  int64_t took = clock_now(NULL) - before;
  CHECK(took >= long_ns());
  CHECK(took < long_ns() + long_ns() / 100);
  CHECK(sleeps >= 4);
}

static int set_timer(struct actor *actor, pillion_context *cx) {
  return pillion_timer_set(&actor->timer, cx, 5);
}

static void without_a_clock_there_are_no_timers(void) {
  static const pillion_port no_clock;
  struct actor a = {.deed = set_timer};
  pillion_value value;
  pillion_static_init(slots, SLOTS, &no_clock);
  CHECK_INT(pillion_block_on(&value, &acting, &a), 0);
  CHECK_INT(value.status, PILLION_ENOTSUP);
}

static void ticks_of_32_bits_wrap(void) {
  pillion_ticks t = PILLION_TICKS_INIT(1000000, UINT32_MAX);
  uint32_t at = 0;
  int64_t want = 1;
  for (int i = 0; i < 20; i++) {
    CHECK_INT(pillion_ticks_now(&t, at), want);
    at += 0x7fffffff;
    want += 0x7fffffffll * 1000;
  }
}

static void ticks_of_any_rate_do_not_drift(void) {
  pillion_ticks t = PILLION_TICKS_INIT(32768, 0xffffff);
  pillion_ticks thirds = PILLION_TICKS_INIT(84000000, 0xffff);
  int64_t now = 0;
  for (uint32_t second = 1; second <= 3600; second++)
    now = pillion_ticks_now(&t, second * 32768 & 0xffffff);
  CHECK_INT(now, 1 + 3600 * 1000000000ll);
  for (uint32_t n = 1; n <= 84000; n++)
    now = pillion_ticks_now(&thirds, n * 1000 & 0xffff);
  CHECK(now > 1000000000 - 2 && now <= 1000000001);
}

static void waits_are_no_longer_than_half_a_round(void) {
  pillion_ticks t = PILLION_TICKS_INIT(1000000, 0xffff);
  CHECK_INT(pillion_ticks_until(&t, 0, PILLION_TIME_NEVER), 0x8000);
  CHECK_INT(pillion_ticks_until(&t, 0, 1 + 40000000), 0x8000);
  CHECK_INT(pillion_ticks_until(&t, 0, 1), 0);
  CHECK_INT(pillion_ticks_until(&t, 0, -5), 0);
  CHECK_INT(pillion_ticks_until(&t, 0, 2), 1);
  CHECK_INT(pillion_ticks_until(&t, 0, 1 + 5000), 6);
  pillion_ticks full = PILLION_TICKS_INIT(1000000000, UINT32_MAX);
  CHECK_INT(pillion_ticks_until(&full, 0, PILLION_TIME_NEVER), 0x80000000u);
  CHECK_INT(pillion_ticks_until(&full, 0, 1 + 0x7ffffff0), 0x7ffffff1);
}

/* ---- Several at once ----------------------------------------------------- */

struct several {
  pillion_branch branch[3];
  uint32_t which;
  int select, rc;
};

static int several_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct several *all = self;
  int rc = all->select ? pillion_select(&all->which, all->branch, 3, cx)
                       : pillion_join_all(all->branch, 3, cx);
  if (rc == PILLION_PENDING) return rc;
  (void)out;
  all->rc = rc;
  return rc;
}

static void several_drop(void *self) {
  pillion_branches_drop(((struct several *)self)->branch, 3);
}

static const pillion_future several = {sizeof several, several_poll,
                                       several_drop};

static void set_up(struct several *all, struct actor *actors, int select) {
  static const struct several none;
  begin();
  *all = none;
  all->select = select;
  for (int i = 0; i < 3; i++) {
    all->branch[i].future = &acting;
    all->branch[i].self = &actors[i];
  }
}

static void check_drops(const struct actor *actors) {
  for (int i = 0; i < 3; i++) CHECK_INT(actors[i].drops, 1);
}

static void join_all_awaits_all(void) {
  struct actor a[3] = {{.pends = 2, .answer = 1}, {.answer = 2},
                       {.pends = 1, .answer = 3}};
  struct several all;
  pillion_value value;
  set_up(&all, a, 0);
  CHECK_INT(pillion_block_on(&value, &several, &all), 0);
  CHECK_INT(all.rc, PILLION_READY);
  for (int i = 0; i < 3; i++) CHECK_INT(answer_of(&all.branch[i].value), i + 1);
  CHECK_INT(a[1].polls, 1); /* it was not polled again */
  check_drops(a);
}

static void join_all_ends_with_the_first_error(void) {
  struct actor a[3] = {{.pends = 1, .quiet = 1}, {.pends = 1, .answer = -7},
                       {.pends = 9, .quiet = 1}};
  struct several all;
  pillion_value value;
  set_up(&all, a, 0);
  a[0].pends = 9;
  CHECK_INT(pillion_block_on(&value, &several, &all), 0);
  CHECK_INT(all.rc, -7);
  CHECK_INT(value.status, -7);
  check_drops(a);
}

static void select_takes_the_first_and_drops_the_others(void) {
  struct actor a[3] = {{.pends = 9}, {.pends = 1, .answer = 8},
                       {.pends = 1, .answer = 9}};
  struct several all;
  pillion_value value;
  set_up(&all, a, 1);
  CHECK_INT(pillion_block_on(&value, &several, &all), 0);
  CHECK_INT(all.rc, PILLION_READY);
  CHECK_INT(all.which, 1);
  CHECK_INT(answer_of(&all.branch[1].value), 8);
  CHECK_INT(a[2].polls, 1); /* it lost before its second poll */
  check_drops(a);
}

static void select_gives_an_error_too(void) {
  struct actor a[3] = {{.pends = 9}, {.pends = 9}, {.answer = -3}};
  struct several all;
  pillion_value value;
  set_up(&all, a, 1);
  CHECK_INT(pillion_block_on(&value, &several, &all), 0);
  CHECK_INT(all.rc, -3);
  CHECK_INT(all.which, 2);
  check_drops(a);
}

static void a_dropped_join_drops_its_branches_once(void) {
  struct actor a[3] = {{.pends = 9, .quiet = 1}, {.answer = 2},
                       {.pends = 9, .quiet = 1}};
  struct several all;
  pillion_task task = 0;
  set_up(&all, a, 0);
  all.branch[1].future = &large; /* its value was not given out */
  a[1].drops = 1;
  released = 0;
  pillion_static_spawn(&task, &several, &all, 0, PILLION_DETACH);
  run_all();
  CHECK_INT(a[0].polls, 1);
  CHECK_INT(released, 0);
  pillion_cancel(pillion_static_ops(), task);
  run_all();
  CHECK_INT(released, 1);
  check_drops(a);
}

static void dropped_before_the_first_poll(void) {
  struct actor a[3] = {{0}};
  struct several all;
  pillion_task task = 0;
  set_up(&all, a, 1);
  pillion_static_spawn(&task, &several, &all, 0, PILLION_DETACH);
  pillion_cancel(pillion_static_ops(), task);
  run_all();
  CHECK_INT(a[0].polls, 0);
  check_drops(a);
}

void test_main(void) {
  TEST(block_on_gives_a_value);
  TEST(block_on_gives_an_error);
  TEST(a_nested_block_on_is_refused);
  TEST(a_blocking_future_may_be_evicted);
  TEST(nobody_takes_the_result_of_block_on);
  TEST(full_slots_refuse);
  TEST(a_slot_that_is_queued_is_not_given_away);
  TEST(wakers_that_are_late_or_forged_do_nothing);
  TEST(a_generation_begins_again);
  TEST(an_end_is_told_once);
  TEST(a_large_value_is_released_once);
  TEST(what_cannot_start_is_refused);
  TEST(evicted_in_anothers_poll);
  TEST(evicted_in_its_own_poll_or_drop);
  TEST(evicted_in_anothers_drop);
  TEST(a_sleep_sleeps);
  TEST(a_sleep_beyond_the_counters_range);
  TEST(without_a_clock_there_are_no_timers);
  TEST(ticks_of_32_bits_wrap);
  TEST(ticks_of_any_rate_do_not_drift);
  TEST(waits_are_no_longer_than_half_a_round);
  TEST(join_all_awaits_all);
  TEST(join_all_ends_with_the_first_error);
  TEST(select_takes_the_first_and_drops_the_others);
  TEST(select_gives_an_error_too);
  TEST(a_dropped_join_drops_its_branches_once);
  TEST(dropped_before_the_first_poll);
  finish_tests();
}
