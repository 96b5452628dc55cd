/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sequences of public calls on several executors and pools, for libFuzzer.
 * model.h knows what each must answer, and which tasks and hosts it must poll,
 * tell and release. An input is a list of choices. A failure prints the calls
 * that led to it; `core_fuzz FILE` plays a file again, with FUZZ_LOUD=1 as it
 * happens.
 */
#include "steps.h"

void __sanitizer_set_death_callback(void (*callback)(void));
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* ---- A stand-in for Go --------------------------------------------------- */

static int guest_functions(char *errbuf, size_t errcap) {
  (void)errbuf, (void)errcap;
  pillion__function_add("fuzz.echo", "fuzz", "{}", PILLION_KIND_OFFLOAD, 0, 0);
  return pillion__function_add("fuzz.loop", "fuzz", "{}", PILLION_KIND_LOOP, 0, 0);
}
static void guest_turn(struct pillion__guest_turn *turn) {
  for (uint32_t i = 0; i < turn->count; i++) {
    struct pillion__call *node = turn->errands[i].call;
    struct call *c = call_of(pillion__handle(PILLION__TASK, node->slot, node->head.gen));
    if (!(turn->errands[i].bits & PILLION__PEND_START)) continue;
    if (c == NULL || c->life != LIVE || c->home != turning) wrong("a call is begun that isn't there");
    c->life = DROPPING;
    c->node = node;
  }
}
static uint32_t guest_settle(uint32_t index) { return index - index; }
static void guest_free(uint32_t index) {
  for (int i = 0; i < CALLS; i++)
    if (calls[i].life == DROPPING && calls[i].loop &&
        pillion__slot_of(executors[calls[i].home].handle) == index)
      call_completes(&calls[i]);
}
static void guest_rewatch(uint32_t index) { (void)index; }

/* ---- A host -------------------------------------------------------------- */

static void host_live(int live, void *data) {
  struct executor *ex = data;
  if (live == ex->live_told) wrong("a host is told twice that it lives: %d", live);
  ex->live_told = live;
}
static void host_drop(void *data) { ((struct executor *)data)->hosts--; }
static int host_watch(int fd, uint32_t events, uint64_t key, void *data) {
  struct executor *ex = data;
  if (fd != ex->ends[0] || !ex->watching) wrong("a host watches what is closed");
  ex->key = key;
  (void)events;
  return 0;
}
static void host_unwatch(int fd, uint64_t key, void *data) {
  struct executor *ex = data;
  if (fd != ex->ends[0] || key != ex->key) wrong("a host lets go of what it has not");
}

/* ---- Outside of turns ---------------------------------------------------- */

static int64_t fuzz_clock(void *data) { return *(int64_t *)data; }

static void executor_make(int e) {
  struct executor *ex = &executors[e];
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  options.clock = fuzz_clock;
  options.clock_data = &now;
  options.posts = ex->posts = e == 0 ? 2 : 8;
  options.max_tasks = ex->max_tasks = e == 1 ? 5 : 0;
  options.seed = e == 2 ? 7 : 0;
  options.gather = ex->gathers = e == 2;
  int rc = pillion_executor_new(&ex->handle, &options, NULL, 0);
  if (!expect("executor", e, rc, 0)) return;
  ex->alive = true;
  ex->pool = NOWHERE;
  ex->closing = ex->told_closing = ex->live_told = 0;
  ex->posted_count = 0;
  ex->watching = false;
  ex->waiter = ex->key = 0;
  fail_in = -1;
  if (pillion_executor_fd(&ex->fd, ex->handle) != 0) wrong("no descriptor");
  const pillion_host host = {sizeof host, ex, NULL, NULL, host_live, host_drop, host_watch, host_unwatch};
  if (expect("host", e, pillion_host_set(ex->handle, &host), 0)) ex->hosts++;
}

static void pool_make(int p) {
  pillion_pool_options options = PILLION_POOL_OPTIONS_INIT;
  options.max_tasks = pools[p].max_tasks = p == 1 ? 6 : 0;
  int rc = pillion_pool_new(&pools[p].handle, &options, NULL, 0);
  pools[p].alive = expect("pool", p, rc, 0);
  pools[p].closing = 0;
}

static void event_check(struct executor *ex, const pillion_event *event, uint32_t depth) {
  int e = (int)(ex - executors);
  if (event->flags & PILLION_EVENT_POSTED) {
    struct result right = {0, 0, (size_t)event->length};
    say(" post %d\n", (int)event->token);
    if (ex->posted_count == 0 || ex->posted[0] != event->token) wrong("a post comes out of order");
    result_check(&right, event->token, 0, pillion_event_data(event), event->length);
    memmove(ex->posted, ex->posted + 1, --ex->posted_count * sizeof *ex->posted);
    return;
  }
  struct actor *a = actor_of(event->task);
  struct call *c = call_of(event->task);
  say(" event of %s %d\n", a ? "actor" : "call", (int)event->token);
  const struct result *right = a ? &a->result : c ? &c->result : NULL;
  if (right == NULL || (a ? a->life : c->life) != ENDED || (a ? a->home : c->home) != e ||
      (a ? a->mode : c->mode) != PILLION_EVENT ||
      event->token != (uint64_t)(a ? a - actors : c - calls))
    wrong("an event of what hasn't ended, or not here");
  if (a != NULL)
    actor_result_check(a, event->status, pillion_event_data(event), event->length);
  else
    result_check(right, event->task, event->status, pillion_event_data(event), event->length);
  if (event->outcome != right->outcome) wrong("an outcome of %d, not %d", event->outcome, (int)right->outcome);
  if (c != NULL) {
    c->life = GONE;
    return;
  }
  a->life = GONE;
  a->lent = event->length > PILLION_INLINE;
  a->lent_depth = depth;
}

/* The model's count of what lives at an executor; `slack`: what may be gone. */
static uint64_t live_at(int e, uint64_t *slack) {
  uint64_t live = tasks_at(e);
  *slack = 0;
  for (int i = 0; i < ACTORS; i++)
    live += on_pool(&actors[i]) && is_there(actors[i].life) && actors[i].home == e &&
            actors[i].mode == PILLION_EVENT;
  for (int i = 0; i < CALLS; i++)
    if (calls[i].home == e && is_there(calls[i].life) && !calls[i].orphan) {
      live++;
      *slack += calls[i].life == ENDED && !calls[i].arrived && calls[i].mode == PILLION_DETACH;
    }
  return live;
}

/* The executor's count beside the model's. A worker's may be too high while it works. */
static void check_live(int e, uint64_t live) {
  uint64_t slack, right = live_at(e, &slack);
  if (executors[e].pool == NOWHERE && (live > right || live + slack < right))
    wrong("executor %d has %d alive, not %d", e, (int)live, (int)right);
}

/* At rest: no loop waits for what is gone. */
static void check_rest(int e) {
  const struct executor *ex = &executors[e];
  uint64_t slack, live = live_at(e, &slack);
  if (ex->pool != NOWHERE) live += tasks_at(EXECUTORS + ex->pool);
  if (live == 0 && ex->live_told != 0) wrong("the host of %d waits for nothing", e);
}

static void handler_runs_loop(int e, const pillion_event *events, int n, uint32_t depth, uint32_t most);

/* `most`: as many loops may run in its events' handlers, one in the other. */
static void step_turn(int e, bool whole, uint32_t depth, uint32_t most) {
  struct executor *ex = &executors[e];
  pillion_event events[16];
  pillion_progress progress = PILLION_PROGRESS_INIT;
  pillion_budget budget = PILLION_BUDGET_INIT;
  size_t cap = whole ? 16 : dice(4);
  if (!whole) budget.max_polls = 1 + dice(4);
  budget.depth = depth;
  if (!ex->alive) return;
  say("turn of %d at %lld, %d deep {\n", e, (long long)now, (int)depth);
  turn_begins(e, depth);
  turns++;
  turning = e;
  bool due[ACTORS];
  for (int i = 0; i < ACTORS; i++)
    due[i] = actors[i].life == LIVE && actors[i].place == e && actors[i].owed;
  int n = pillion_executor_turn(events, cap, &progress, ex->handle, &budget);
  turning = NOWHERE;
  if (n < 0 || (size_t)n > cap) wrong("a turn: %d", n);
  for (int i = 0; i < n; i++) event_check(ex, &events[i], depth);
  for (int i = 0; whole && i < ACTORS; i++)
    if (due[i] && actors[i].life == LIVE && actors[i].owed && actors[i].owed_turn != turns)
      wrong("actor %d was not polled", i);
  say("} more %d, live %d\n", (int)progress.more, (int)progress.live);
  for (int i = 0; (size_t)n < cap && i < ACTORS; i++)
    if (actors[i].life == ENDED && actors[i].mode == PILLION_EVENT && actors[i].home == e)
      wrong("the end of %d is not told", i);
  check_live(e, progress.live);
  if (n > 0 && most > 0) handler_runs_loop(e, events, n, depth, most);
}

/* Payloads stay as they are until a turn that is no deeper than theirs. */
static void handler_runs_loop(int e, const pillion_event *events, int n, uint32_t depth, uint32_t most) {
  uint8_t bytes[16][64];
  for (int i = 0; i < n; i++) memcpy(bytes[i], pillion_event_data(&events[i]), events[i].length);
  for (uint32_t more = 1 + dice(2); more > 0; more--) {
    act(NULL);
    step_turn(e, dice(2), depth + 1, most - 1);
  }
  for (int i = 0; i < n; i++)
    if (memcmp(bytes[i], pillion_event_data(&events[i]), events[i].length) != 0)
      wrong("a payload does not outlive its handler");
}

static void step_join_pool(void) {
  int e = (int)dice(EXECUTORS), p = (int)dice(POOLS);
  struct executor *ex = &executors[e];
  if (!ex->alive || pools[p].handle == 0) return;
  if (ex->pool != NOWHERE && dice(2)) {
    expect("leave", e, pillion_pool_leave(ex->handle), 0);
    ex->pool = NOWHERE;
    return;
  }
  int right = !pools[p].alive ? PILLION_EBADHANDLE : ex->pool != NOWHERE ? PILLION_EBUSY : 0;
  if (expect("join", e, pillion_pool_join(pools[p].handle, ex->handle, 0), right)) ex->pool = p;
}

static void step_close(void) {
  int place = (int)dice(PLACES), mode = (int)dice(2), p = place - EXECUTORS;
  if (place < EXECUTORS) {
    if (!executors[place].alive) return;
    expect("close", place, pillion_executor_close(executors[place].handle, mode), 0);
    if (executors[place].closing < 1 + mode) executors[place].closing = 1 + mode;
    return;
  }
  if (!pools[p].alive) return;
  expect("pool close", p, pillion_pool_close(pools[p].handle, mode), 0);
  if (pools[p].closing >= 1 + mode) return;
  pools[p].closing = 1 + mode;
  for (int i = 0; mode == PILLION_CLOSE_CANCEL && i < ACTORS; i++)
    if (actors[i].place == place) ask(&actors[i], CANCELLED);
}

static void executor_unmake(int e) {
  struct executor *ex = &executors[e];
  if (!ex->alive) return;
  ex->alive = false; /* its drops find it gone */
  for (int i = 0; i < ACTORS; i++) {
    struct actor *a = &actors[i];
    if (!on_pool(a) || a->home != e) continue;
    if (a->life == ENDED && a->mode == PILLION_EVENT) a->life = GONE;
    a->home = NOWHERE;
  }
  freeing = true;
  ex->pool = NOWHERE;
  expect("free", e, pillion_executor_free(ex->handle), 0);
  freeing = ex->watching = false;
  for (int i = 0; i < ACTORS; i++) {
    struct actor *a = &actors[i];
    if (a->place != e) continue;
    if (a->life == LIVE) wrong("actor %d outlives its executor", i);
    a->life = GONE;
    a->lent = false;
  }
  for (int i = 0; i < CALLS; i++) {
    struct call *c = &calls[i];
    if (c->home != e || c->life == GONE) continue;
    if (c->life == DROPPING) c->orphan = c->asked = true;
    else c->life = GONE;
  }
  if (ex->hosts != 0) wrong("the host of %d is not dropped", e);
}

static void pool_unmake(int p) {
  int right = 0;
  if (!pools[p].alive) return;
  for (int e = 0; e < EXECUTORS; e++)
    if (executors[e].alive && executors[e].pool == p) right = PILLION_EBUSY;
  freeing = right == 0;
  int rc = pillion_pool_free(pools[p].handle);
  freeing = false;
  expect("pool free", p, rc, right);
  if (rc != 0) return;
  pools[p].alive = false;
  for (int i = 0; i < ACTORS; i++) {
    if (actors[i].place != EXECUTORS + p) continue;
    if (actors[i].life == LIVE) wrong("actor %d outlives its pool", i);
    if (actors[i].mode != PILLION_EVENT) actors[i].life = GONE;
  }
}

/* Hosts that turn only when they are told to, until none is told. */
static void settle(void) {
  for (int rounds = 0, busy = 1; busy; rounds++) {
    busy = 0;
    if (rounds > 400 && left == 0) wrong("the executors don't come to rest");
    for (int e = 0; e < EXECUTORS; e++)
      while (executors[e].alive && readable(&executors[e]) && busy++ < 50) step_turn(e, true, 0, 0);
    check_told();
  }
  for (int i = 0; i < ACTORS; i++) {
    bool worked = !on_pool(&actors[i]);
    for (int e = 0; e < EXECUTORS; e++)
      worked |= executors[e].alive && executors[e].pool == actors[i].place - EXECUTORS;
    if (worked && actors[i].life == LIVE && actors[i].owed) wrong("actor %d is forgotten", i);
  }
  for (int e = 0; e < EXECUTORS; e++)
    if (executors[e].alive) check_rest(e);
}

static void step(void) {
  failed = false;
  switch (dice(16)) {
    case 1: case 2: case 3: step_turn((int)dice(EXECUTORS), false, 0, 0); break;
    case 4: step_turn((int)dice(EXECUTORS), true, 0, 0); break;
    case 5: settle(); break;
    case 6: now += dice(64); break;
    case 7: step_join_pool(); break;
    case 8: if (dice(4) == 1) step_close(); break;
    case 9:
      switch (dice(4)) {
        case 1: executor_unmake((int)dice(EXECUTORS)); break;
        case 2: step_turn((int)dice(EXECUTORS), true, 0, dice(8)); break;
      }
      break;
    case 10: if (dice(4) == 1) pool_unmake((int)dice(POOLS)); break;
    case 11:
      for (int e = 0; e < EXECUTORS; e++) if (!executors[e].alive) executor_make(e);
      for (int p = 0; p < POOLS; p++) if (!pools[p].alive) pool_make(p);
      break;
    case 12: fail_in = (int)dice(4); break;
    default: act(NULL);
  }
  check_told();
}

static void all_ends(void) {
  fail_in = -1;
  settle();
  while (step_serve() > 0) continue;
  for (int i = 0; i < CALLS; i++) {
    if (calls[i].life == DROPPING) call_completes(&calls[i]);
    if (calls[i].home == NOWHERE && calls[i].life != GONE && !calls[i].orphan) {
      pillion_task_cancel(calls[i].task);
      pillion_task_detach(calls[i].task);
      calls[i].life = GONE;
    }
  }
  for (int e = 0; e < EXECUTORS; e++) executor_unmake(e);
  for (int p = 0; p < POOLS; p++) pool_unmake(p);
  struct pillion__job jobs[16];
  while (pillion__ring_take(jobs, 16) > 0) continue;
  for (int i = 0; i < ACTORS; i++)
    if (actors[i].drops != actors[i].spawns) wrong("actor %d: %d spawns, %d drops", i, actors[i].spawns, actors[i].drops);
  if (payloads != 0) wrong("%d payloads are not released", payloads);
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  pillion_library_count(&counts);
  if (counts.executors + counts.tasks + counts.calls + counts.payloads + counts.watches + counts.pools != 0)
    wrong("alive: %d executors, %d tasks, %d calls, %d payloads, %d watches, %d pools",
          (int)counts.executors, (int)counts.tasks, (int)counts.calls, (int)counts.payloads,
          (int)counts.watches, (int)counts.pools);
}

/* ---- For libFuzzer ------------------------------------------------------- */

static void *fuzz_alloc(size_t bytes, void *data) {
  (void)data;
  if (fail_in < 0 || fail_in-- > 0) return malloc(bytes);
  failed = true;
  return NULL;
}
static void fuzz_free(void *memory, void *data) {
  (void)data;
  free(memory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  static const pillion_allocator allocator = {fuzz_alloc, fuzz_free, NULL};
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  pillion__guest = (struct pillion__guest){
      .functions = guest_functions, .turn = guest_turn,
      .settle = guest_settle, .free = guest_free, .rewatch = guest_rewatch};
  options.allocator = &allocator;
  loud = getenv("FUZZ_LOUD") != NULL;
  __sanitizer_set_death_callback(tell_story);
  if (pillion_start(&options, NULL, 0) < 0) return 1;
  for (int e = 0; e < EXECUTORS; e++)
    if (pipe2(executors[e].ends, O_CLOEXEC | O_NONBLOCK) < 0) return 1;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  told_length = 0;
  input = bytes;
  left = size;
  now = 1000;
  memset(actors, 0, sizeof actors);
  memset(calls, 0, sizeof calls);
  for (int e = 0; e < EXECUTORS; e++) executor_make(e);
  for (int p = 0; p < POOLS; p++) pool_make(p);
  while (left > 0) step();
  all_ends();
  return 0;
}
