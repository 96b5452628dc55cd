/* SPDX-License-Identifier: Apache-2.0 */

/* The deque alone: order, growth, halves, and thieves at their worst. */
#include "pool_support.h"

static struct pillion__deque ours, theirs;

static int reset(void **state) {
  (void)state;
  pillion__deque_free(&ours);
  pillion__deque_free(&theirs);
  memset(&ours, 0, sizeof ours);
  memset(&theirs, 0, sizeof theirs);
  return pillion__deque_open(&ours) && pillion__deque_open(&theirs) ? 0 : 1;
}

static int clear(void **state) {
  (void)state;
  pillion__deque_free(&ours);
  pillion__deque_free(&theirs);
  return 0;
}

static void push_some(struct pillion__deque *deque, uint32_t from,
                      uint32_t to) {
  for (uint32_t i = from; i < to; i++)
    assert_true(pillion__deque_push(deque, i, i % 2));
}

static void first_in_first_out_while_it_grows(void **state) {
  (void)state;
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

static void thief_gets_the_older_half(void **state) {
  (void)state;
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

static void thief_takes_no_more_than_has_room(void **state) {
  (void)state;
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

static void every_item_is_taken_once(void **state) {
  (void)state;
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

#define DEQUE_TEST(name) cmocka_unit_test_setup_teardown(name, reset, clear)

int main(void) {
  const struct CMUnitTest tests[] = {
      DEQUE_TEST(first_in_first_out_while_it_grows),
      DEQUE_TEST(thief_gets_the_older_half),
      DEQUE_TEST(thief_takes_no_more_than_has_room),
      DEQUE_TEST(every_item_is_taken_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
