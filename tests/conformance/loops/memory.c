/* SPDX-License-Identifier: Apache-2.0 */

/* Memory ends at each allocation of an attach in turn, the loop's own, too. */
#include "rig.h"

#ifdef __SANITIZE_ADDRESS__
static void fail_at(long n) {} /* malloc is the sanitizer's */
static int out_of_memory(void) { return 0; }
#else
static _Thread_local long left = -1; /* allocations until one fails */

static void fail_at(long n) { left = n; }
static int out_of_memory(void) { return left == -2; }

static int fails(void) {
  if (left < 0 || left-- > 0) return 0;
  left = -2;
  errno = ENOMEM;
  return 1;
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) {
  return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
  return fails() ? NULL : __libc_realloc(old, size);
}
#endif

static int lowest_fd(void) {
  int fd = dup(0);
  close(fd);
  return fd;
}

/* A task awaits a descriptor, so that the attach watches it. */
TEST(an_attach_without_memory_changes_nothing) {
  struct rig *rig = rig_new(record), *other = calloc(1, sizeof *other);
  struct stream in;
  int ends[2], rc;
  pair_new(ends);
  open_watch(rig->ex, &in, ends[0]);
  start(rig->ex, &in, &reading);
  settle(rig);
  other->loop = loop_new();
  other->ex = executor_new();
  assert_ok(rig_attach(other, record)); /* what the loop itself needs */
  rig_run(other);
  assert_ok(host_detach(&other->host));
  executor_free(other->ex);
  other->ex = rig->ex;
  for (long n = 0;; n++) {
    int lowest = lowest_fd();
    fail_at(n);
    rc = rig_attach(other, record);
    int failed = out_of_memory();
    fail_at(-1);
    if (rc == 0) break;
    assert_true(failed && (rc == PILLION_ENOMEM || rc == PILLION_ESYSTEM));
    assert_int_equal(lowest_fd(), lowest);
    memset(&other->host, 0xee, sizeof other->host); /* it is the program's */
    settle(other);
    memset(&other->host, 0, sizeof other->host);
    assert_int_equal(host_status(&rig->host), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    while (in.bytes < (size_t)n + 1) loop_round(rig->loop, 1);
  }
  assert_ok(host_detach(&rig->host));
  loop_destroy(rig->loop);
  free(rig);
  close(ends[1]);
  submit(other->ex, "test.echo", "x", 1, PILLION_EVENT);
  rig_run(other);
  assert_int_equal(other->seen.count, 1);
  assert_int_equal(in.drops, 1);
  rig_free(other);
}
