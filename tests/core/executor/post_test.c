/* SPDX-License-Identifier: Apache-2.0 */

/* Posted events: their order, their payloads, their limits, and their end. */
#include "support.h"

static char large[100000];

static int post(pillion_executor ex, uint64_t token, const char *text) {
  return pillion_executor_post(ex, token, text, strlen(text));
}

static pillion_executor with_posts(uint32_t posts) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  options.posts = posts;
  assert_ok(pillion_executor_new(&ex, &options, NULL, 0));
  return ex;
}

GIVEN(an_executor, post_comes_as_an_event) {
  assert_false(readable(ex));
  assert_ok(post(ex, 7, "hello"));
  assert_true(readable(ex));
  memset(events, 0xff, sizeof *events); /* every field is written */
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].token, 7);
  assert_int_equal(events[0].task, 0);
  assert_int_equal(events[0].status, 0);
  assert_int_equal(events[0].outcome, 0);
  assert_int_equal(events[0].flags, PILLION_EVENT_POSTED);
  assert_int_equal(events[0].link, 0);
  assert_int_equal(events[0].length, 5);
  assert_memory_equal(pillion_event_data(&events[0]), "hello", 5);
  assert_int_equal(progress.more, 0);
  assert_int_equal(progress.live, 0); /* it keeps no loop running */
  assert_false(readable(ex));
  assert_int_equal(turn(ex), 0);
}

GIVEN(an_executor, payloads_of_any_size_come_whole) {
  const size_t sizes[] = {0, 1, 24, 25, 4096, sizeof large};
  for (size_t i = 0; i < sizeof large; i++) large[i] = (char)(i * 7);
  for (size_t i = 0; i < COUNT(sizes); i++)
    assert_ok(pillion_executor_post(ex, i, sizes[i] ? large : NULL, sizes[i]));
  assert_int_equal(library_counts().payloads, 3);
  assert_int_equal(turn(ex), COUNT(sizes));
  for (size_t i = 0; i < COUNT(sizes); i++) {
    assert_int_equal(events[i].token, i);
    assert_int_equal(events[i].length, sizes[i]);
    assert_memory_equal(pillion_event_data(&events[i]), large, sizes[i]);
  }
  assert_int_equal((uintptr_t)events[3].payload.data % 16, 0);
  assert_int_equal(library_counts().payloads, 3);
  assert_int_equal(turn(ex), 0); /* they are released now */
  assert_int_equal(library_counts().payloads, 0);
}

/* No byte more is read than there are, and none is lost. */
GIVEN(an_executor, short_payloads_come_whole) {
  for (size_t size = 1; size <= PILLION_INLINE; size++) {
    char *exactly = malloc(size);
    for (size_t i = 0; i < size; i++) exactly[i] = (char)(size * 31 + i);
    assert_ok(pillion_executor_post(ex, size, exactly, size));
    assert_int_equal(turn(ex), 1);
    assert_int_equal(events[0].token, size);
    assert_int_equal(events[0].length, size);
    assert_memory_equal(pillion_event_data(&events[0]), exactly, size);
    free(exactly);
  }
  assert_int_equal(library_counts().payloads, 0);
}

GIVEN(an_executor, burst_pokes_the_host_once) {
  for (uint64_t i = 0; i < 100; i++) assert_ok(post(ex, i, "x"));
  assert_int_equal(stats_of(ex).pokes, 1);
  assert_int_equal(turn(ex), 100);
  assert_int_equal(stats_of(ex).events, 100);
}

TEST(full_ring_answers_again_until_it_was_taken) {
  ex = with_posts(4);
  for (int round = 0; round < 5; round++) {
    for (uint64_t i = 0; i < 4; i++) assert_ok(post(ex, i, "x"));
    assert_int_equal(post(ex, 9, "x"), PILLION_EAGAIN);
    assert_int_equal(pillion_executor_post(ex, 9, large, 99), PILLION_EAGAIN);
    assert_int_equal(library_counts().payloads, 0);
    assert_int_equal(turn(ex), 4);
    assert_int_equal(events[3].token, 3);
  }
}

GIVEN(an_executor, more_posts_than_room_come_later_in_order) {
  for (uint64_t i = 0; i < 10; i++) assert_ok(post(ex, i, "x"));
  progress = (pillion_progress)PILLION_PROGRESS_INIT;
  for (uint64_t i = 0; i < 10; i += 2) {
    assert_int_equal(
        pillion_executor_turn(events, 2, &progress, ex, NULL), 2);
    assert_int_equal(events[0].token, i);
    assert_int_equal(events[1].token, i + 1);
    assert_int_equal(progress.more, i < 8);
    assert_int_equal(readable(ex), i < 8);
  }
  assert_ok(pillion_executor_turn(NULL, 0, &progress, ex, NULL));
}

GIVEN(an_executor, turn_without_room_leaves_it_there) {
  assert_ok(post(ex, 1, "x"));
  progress = (pillion_progress)PILLION_PROGRESS_INIT;
  assert_ok(pillion_executor_turn(NULL, 0, &progress, ex, NULL));
  assert_int_equal(progress.more, 1);
  assert_true(readable(ex));
  assert_int_equal(turn(ex), 1);
}

/* A flood of one kind doesn't hold back the other, even with room for one. */
GIVEN(an_executor, posts_and_ends_do_not_starve_each_other) {
  struct probe probes[8];
  memset(probes, 0, sizeof probes);
  for (uint64_t i = 0; i < COUNT(probes); i++) {
    probes[i].ready_at = 1;
    spawn(ex, &probes[i], i, PILLION_EVENT);
    assert_ok(post(ex, i, "x"));
  }
  int posted = 0;
  for (int i = 0; i < 8; i++) {
    assert_int_equal(pillion_executor_turn(events, 1, NULL, ex, NULL), 1);
    posted += events[0].flags == PILLION_EVENT_POSTED;
  }
  assert_int_equal(posted, 4);
  assert_int_equal(turn(ex), 8);
}

static int posts_to_itself(struct probe *probe, pillion_value *out,
                           pillion_context *cx) {
  probe->rc = post(probe->executor, 5, "inside");
  return PILLION_PENDING;
}

GIVEN(an_executor, post_inside_a_turn_is_taken_by_it) {
  static struct probe probe = {.step = posts_to_itself};
  spawn(ex, &probe, 0, PILLION_DETACH);
  assert_int_equal(turn(ex), 1);
  assert_ok(probe.rc);
  assert_int_equal(events[0].token, 5);
  assert_false(readable(ex));
}

GIVEN(an_executor, free_releases_what_is_left) {
  assert_ok(pillion_executor_post(ex, 1, large, 1000));
  assert_int_equal(turn(ex), 1); /* one is lent */
  assert_ok(pillion_executor_post(ex, 2, large, 1000));
  assert_ok(post(ex, 3, "x"));
  assert_int_equal(library_counts().payloads, 2);
  executor_free(ex);
  assert_int_equal(library_counts().payloads, 0);
  ex = executor_new(); /* in the same place */
  assert_int_equal(turn(ex), 0);
}

GIVEN(an_executor, closed_executor_takes_what_came_before) {
  assert_ok(post(ex, 1, "x"));
  assert_ok(pillion_executor_close(ex, PILLION_CLOSE_CANCEL));
  assert_int_equal(post(ex, 2, "x"), PILLION_ECLOSED);
  assert_int_equal(turn(ex), 1);
  assert_int_equal(events[0].token, 1);
}

TEST(misuse_has_a_name) {
  pillion_executor ex = executor_new(), gone = executor_new();
  executor_free(gone);
  assert_int_equal(post(0, 1, "x"), PILLION_EBADHANDLE);
  assert_int_equal(post(gone, 1, "x"), PILLION_EBADHANDLE);
  assert_int_equal(post(ex ^ UINT64_C(3) << 56, 1, "x"), PILLION_EBADHANDLE);
  assert_int_equal(pillion_executor_post(ex, 1, NULL, 1), PILLION_EINVAL);
  assert_int_equal(
      pillion_executor_post(ex, 1, large, (size_t)pillion__max_request + 1),
      PILLION_EMSGSIZE);
  assert_false(readable(ex));
  executor_free(ex);
}

TEST(ring_is_a_power_of_two) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  pillion_executor ex;
  char why[128];
  options.posts = 3;
  assert_int_equal(pillion_executor_new(&ex, &options, why, sizeof why),
                   PILLION_EINVAL);
  assert_string_equal(why, "posts is 3, not a power of two up to 16777216");
  options.posts = 1u << 25;
  assert_int_equal(pillion_executor_new(&ex, &options, NULL, 0),
                   PILLION_EINVAL);
  ex = with_posts(1);
  assert_ok(post(ex, 1, "x"));
  assert_int_equal(post(ex, 2, "x"), PILLION_EAGAIN);
  assert_int_equal(turn(ex), 1);
  assert_ok(post(ex, 2, "x"));
  executor_free(ex);
}

/* The position is 32 bits wide, and goes round. */
TEST(positions_go_round) {
  ex = with_posts(4);
  struct pillion__executor *inside = pillion__executor_at(pillion__slot_of(ex));
  uint32_t from = UINT32_MAX - 5;
  atomic_store(&inside->posts_head, from);
  atomic_store(&inside->posts_tail,
               (uint64_t)pillion__gen_of(ex) << 32 | from);
  for (int i = 0; i < 5; i++) {
    for (uint64_t j = 0; j < 3; j++) assert_ok(post(ex, j, "abc"));
    assert_int_equal(turn(ex), 3);
    assert_int_equal(events[2].token, 2);
  }
  assert_int_equal(atomic_load(&inside->posts_tail) >> 32, pillion__gen_of(ex));
}
