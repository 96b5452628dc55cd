/* SPDX-License-Identifier: Apache-2.0 */

/* Payloads lent by turns that a loop makes inside event handlers. */
#include "support.h"

static char far_away[100];
static int released[64];

static void release(void *owner) { ++*(int *)owner; }

/* Its result is counted in released[token]. */
static int gives_far(struct probe *probe, pillion_value *out,
                     pillion_context *cx) {
  out->status = 0;
  out->length = sizeof far_away;
  out->payload.ref.data = far_away;
  out->payload.ref.release = release;
  out->payload.ref.owner = probe->data;
  return PILLION_READY;
}

static struct probe probes[64];

static void give(int token) {
  probes[token] = (struct probe){.step = gives_far, .data = &released[token]};
  spawn(ex, &probes[token], (uint64_t)token, PILLION_EVENT);
}

static int turn_at(uint32_t depth) {
  pillion_budget budget = PILLION_BUDGET_INIT;
  budget.depth = depth;
  return pillion_executor_turn(events, COUNT(events), &progress, ex, &budget);
}

static void begin(void) {
  memset(released, 0, sizeof released);
  an_executor();
}

GIVEN(begin, a_deeper_turn_releases_nothing_of_those_around_it) {
  give(0);
  assert_int_equal(turn_at(0), 1);
  give(1);
  assert_int_equal(turn_at(1), 1);
  give(2);
  assert_int_equal(turn_at(2), 1);
  assert_int_equal(released[0] + released[1] + released[2], 0);
  assert_int_equal(turn_at(2), 0);
  assert_int_equal(released[2], 1);
  assert_int_equal(turn_at(1), 0);
  assert_int_equal(released[1], 1);
  assert_int_equal(released[0], 0);
  assert_int_equal(turn(ex), 0); /* without a budget */
  assert_int_equal(released[0], 1);
}

/* Otherwise a loop in a handler would turn without end, and never wait. */
GIVEN(begin, a_deeper_turn_has_no_work_in_what_the_others_lend) {
  give(0);
  assert_ok(pillion_executor_post(ex, 0, far_away, sizeof far_away));
  assert_int_equal(turn_at(0), 2);
  for (uint32_t depth = 1; depth < 7; depth++) {
    assert_int_equal(turn_at(depth), 0);
    uint64_t turns = stats_of(ex).turns;
    assert_int_equal(turn_at(depth), 0);
    assert_int_equal(stats_of(ex).turns, turns);
  }
  assert_int_equal(released[0], 0);
}

/* A dialog that is open for long releases the payloads that came in it. */
GIVEN(begin, turns_of_one_depth_release_each_other) {
  give(0);
  assert_int_equal(turn_at(0), 1);
  for (int i = 1; i < 64; i++) {
    give(i);
    assert_int_equal(turn_at(1), 1);
    for (int k = 1; k < 64; k++) assert_int_equal(released[k], k < i);
  }
  assert_int_equal(released[0], 0);
}

GIVEN(begin, a_turn_outside_releases_all_depths_at_once) {
  for (int i = 0; i < 10; i++) {
    give(i);
    assert_int_equal(turn_at((uint32_t)i), 1);
  }
  assert_int_equal(turn_at(0), 0);
  for (int i = 0; i < 10; i++) assert_int_equal(released[i], 1);
  uint64_t turns = stats_of(ex).turns;
  assert_int_equal(turn_at(0), 0);
  assert_int_equal(stats_of(ex).turns, turns); /* nothing was left to do */
}

GIVEN(begin, the_free_of_an_executor_releases_all_depths) {
  for (int i = 0; i < 10; i++) {
    give(i);
    assert_ok(pillion_executor_post(ex, 0, far_away, sizeof far_away));
    assert_int_equal(turn_at((uint32_t)i), 2);
  }
  assert_int_equal(library_counts().payloads, 10);
  executor_free(ex);
  ex = 0;
  for (int i = 0; i < 10; i++) assert_int_equal(released[i], 1);
  assert_int_equal(library_counts().payloads, 0);
  ex = executor_new(); /* it begins without depth */
  give(10);
  assert_int_equal(turn_at(0), 1);
  assert_int_equal(turn_at(0), 0);
  assert_int_equal(released[10], 1);
}

static uint32_t draw(uint32_t n) {
  static uint64_t state = 1;
  state = state * UINT64_C(6364136223846793005) + 1;
  return (uint32_t)(state >> 33) % n;
}

/*
 * A model: what is lent at each depth. Handlers are left one by one or several
 * at once, and loops may nest without a turn. Turns deeper than four wait for
 * one that is not; see PILLION__DEPTHS.
 */
GIVEN(begin, payloads_live_as_long_as_their_handlers) {
  int token = 0, posted[8] = {0}, lent[64] = {0};
  for (int round = 0; round < 20000; round++) {
    uint32_t depth = draw(7), least = depth > 4 ? COUNT(posted) : depth;
    int alive = 0, posts = 0, n = 0;
    for (int i = 0; i < 64; i++)
      if (lent[i] >= (int)least && released[i] == 0 && i < token) lent[i] = -1;
    for (uint32_t d = least; d < COUNT(posted); d++) posted[d] = 0;
    for (uint32_t kind = draw(4); kind > 0; kind--) {
      if (kind == 2) {
        assert_ok(pillion_executor_post(ex, 0, far_away, sizeof far_away));
        posted[depth]++;
        n++;
      } else if (token < 64) {
        lent[token] = (int)depth;
        give(token++);
        n++;
      }
    }
    assert_int_equal(turn_at(depth), n);
    for (int i = 0; i < token; i++) {
      assert_int_equal(released[i], lent[i] < 0);
      alive += lent[i] >= 0;
    }
    for (uint32_t d = 0; d < COUNT(posted); d++) posts += posted[d];
    assert_int_equal(library_counts().payloads, posts);
    if (alive == 0 && token > 40) {
      memset(released, 0, sizeof released);
      token = 0;
    }
  }
}
