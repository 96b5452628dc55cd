/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A struct that has grown: programs know less of it, or more. (Every struct of
 * the ABI is in tests/support/sized.h.)
 */
#include "support.h"

struct grown {
  size_t size;
  uint32_t old, later;
  uint64_t latest;
};
enum { FIRST = 12 }; /* size and old */

static const struct grown defaults = {sizeof defaults, 1, 2, 3};
static const struct grown given = {0, 11, 12, 13};

/* In memory of its own, so that a sanitizer sees each byte too much. */
static struct grown *of_size(size_t size, const struct grown *like) {
  struct grown *made = malloc(size);
  memset(made, 0, size);
  memcpy(made, like, size < sizeof *like ? size : sizeof *like);
  made->size = size;
  return made;
}

TEST(what_a_shorter_struct_lacks_keeps_its_default) {
  static const size_t sizes[] = {12, 16, 24, 40};
  for (size_t i = 0; i < COUNT(sizes); i++) {
    struct grown ours = defaults, *its = of_size(sizes[i], &given);
    assert_ok(pillion__sized_in(&ours, sizeof ours, FIRST, its,
                                PILLION__NOWHERE));
    assert_int_equal(ours.size, sizeof ours);
    assert_int_equal(ours.old, 11);
    assert_int_equal(ours.later, sizes[i] >= 16 ? 12 : 2);
    assert_int_equal(ours.latest, sizes[i] >= 24 ? 13 : 3);
    free(its);
  }
}

TEST(struct_is_written_as_far_as_both_know_it) {
  static const size_t sizes[] = {12, 16, 24, 40};
  for (size_t i = 0; i < COUNT(sizes); i++) {
    size_t size = sizes[i];
    struct grown *its = of_size(size, &given);
    unsigned char *bytes = (unsigned char *)its;
    if (size == 40) memset(bytes + 24, 0xa5, 16);
    assert_ok(pillion__sized_out(its, FIRST, &defaults, sizeof defaults));
    assert_int_equal(its->size, size);
    assert_memory_equal(bytes + 8, (const char *)&defaults + 8,
                        (size < 24 ? size : 24) - 8);
    for (size_t at = 24; at < size; at++) assert_int_equal(bytes[at], 0xa5);
    free(its);
  }
}

TEST(refused_struct_changes_nothing) {
  struct grown ours = defaults, *its = of_size(sizeof *its + 8, &given);
  char why[128];
  struct pillion__why say = {why, sizeof why};
  unsigned char *bytes = (unsigned char *)its;
  bytes[31] = 1;
  assert_int_equal(pillion__sized_in(&ours, sizeof ours, FIRST, its, say),
                   PILLION_ENOTSUP);
  assert_string_equal(why, "size is 32, of which the library knows 24 bytes, "
                           "and those beyond are not zero");
  its->size = FIRST - 1;
  assert_int_equal(pillion__sized_in(&ours, sizeof ours, FIRST, its, say),
                   PILLION_EINVAL);
  assert_string_equal(why, "size is 11, not 12 to 4096");
  assert_int_equal(pillion__sized_in(&ours, sizeof ours, FIRST, NULL, say),
                   PILLION_EINVAL);
  assert_memory_equal(&ours, &defaults, sizeof ours);
  assert_int_equal(pillion__sized_out(its, FIRST, &ours, sizeof ours),
                   PILLION_EINVAL);
  assert_int_equal(pillion__sized_out(NULL, FIRST, &ours, sizeof ours),
                   PILLION_EINVAL);
  assert_int_equal(its->old, 11);
  free(its);
}
