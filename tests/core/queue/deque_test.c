/* SPDX-License-Identifier: Apache-2.0 */

/* The deque alone: order, growth, halves, and thieves at their worst. */
#include "support.h"

static struct pillion__deque ours, theirs;

static void free_deques(void) {
  pillion__deque_free(&ours);
  pillion__deque_free(&theirs);
  memset(&ours, 0, sizeof ours);
  memset(&theirs, 0, sizeof theirs);
}

static void two_deques(void) {
  afterwards(free_deques);
  assert_true(pillion__deque_open(&ours) && pillion__deque_open(&theirs));
}

static void push_some(struct pillion__deque *deque, uint32_t from,
                      uint32_t to) {
  for (uint32_t i = from; i < to; i++)
    assert_true(pillion__deque_push(deque, i, i % 2));
}

GIVEN(two_deques, first_in_first_out_while_it_grows) {
  uint32_t got;
  push_some(&ours, 0, 40);
  for (uint32_t i = 0; i < 30; i++) {
    assert_true(pillion__deque_pop(&ours, &got));
    assert_int_equal(got, i);
  }
  push_some(&ours, 40, 1000); /* from the middle of the buffer */
  for (uint32_t i = 30; i < 1000; i++) {
    assert_true(pillion__deque_pop(&ours, &got));
    assert_int_equal(got, i);
  }
  assert_false(pillion__deque_pop(&ours, &got));
  assert_true(pillion__deque_empty(&ours));
}

GIVEN(two_deques, thief_gets_the_older_half) {
  uint32_t got;
  assert_int_equal(pillion__deque_steal(&ours, &theirs), 0);
  push_some(&theirs, 0, 7);
  assert_int_equal(pillion__deque_steal(&ours, &theirs), 4);
  for (uint32_t i = 0; i < 7; i++) {
    assert_true(pillion__deque_pop(i < 4 ? &ours : &theirs, &got));
    assert_int_equal(got, i);
  }
  push_some(&theirs, 7, 8);
  assert_int_equal(pillion__deque_steal(&ours, &theirs), 1);
  assert_true(pillion__deque_empty(&theirs));
}

GIVEN(two_deques, thief_takes_no_more_than_has_room) {
  push_some(&theirs, 0, 1000);
  assert_int_equal(pillion__deque_steal(&ours, &theirs), 64);
}

/* ---- Thieves ------------------------------------------------------------- */

enum { ITEMS = 200000, THIEVES = 2 };

static _Atomic uint8_t seen[ITEMS];
static _Atomic int over, twice;
static struct pillion__deque loot[THIEVES];

static void count(uint32_t item) {
  if (atomic_fetch_add_explicit(&seen[item], 1, memory_order_relaxed) != 0)
    atomic_store(&twice, 1);
}

static void *steals_all(void *data) {
  struct pillion__deque *mine = data;
  uint32_t got;
  while (!atomic_load(&over) || !pillion__deque_empty(&ours)) {
    if (pillion__deque_steal(mine, &ours) == 0) sched_yield();
    while (pillion__deque_pop(mine, &got)) count(got);
  }
  return NULL;
}

GIVEN(two_deques, every_item_is_taken_once) {
  pthread_t threads[THIEVES];
  uint32_t got;
  for (int i = 0; i < THIEVES; i++) {
    assert_true(pillion__deque_open(&loot[i]));
    threads[i] = thread_start(steals_all, &loot[i]);
  }
  for (uint32_t i = 0; i < ITEMS; i++) {
    pillion__deque_push(&ours, i, false);
    if (i % 3 == 0 && pillion__deque_pop(&ours, &got)) count(got);
    if (i % 5000 == 0) sched_yield();
  }
  atomic_store(&over, 1);
  while (pillion__deque_pop(&ours, &got)) count(got);
  for (int i = 0; i < THIEVES; i++) {
    pthread_join(threads[i], NULL);
    pillion__deque_free(&loot[i]);
  }
  assert_false(atomic_load(&twice));
  for (uint32_t i = 0; i < ITEMS; i++) assert_int_equal(seen[i], 1);
}

