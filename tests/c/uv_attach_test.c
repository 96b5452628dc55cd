/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pillion_executor_attach on libuv: what it does with memory, threads and the
 * ends of a host. tests/conformance/loops has the cases of every loop.
 */
#include <dlfcn.h>
#include <uv.h>

#include "cases.h"

/* ---- An allocator that counts and can fail ------------------------------- */

static struct {
  _Atomic long in_use, left; /* left < 0: never fails */
} heap = {0, -1};

static void *count_alloc(size_t bytes, void *data) {
  if (heap.left == 0) return NULL;
  if (heap.left > 0) heap.left--;
  heap.in_use++;
  return malloc(bytes);
}

static void count_free(void *memory, void *data) {
  if (memory != NULL) heap.in_use--;
  free(memory);
}

static void begin(void) {
  static const pillion_allocator counting = {count_alloc, count_free, &heap};
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.allocator = &counting;
  must(pillion_start(&options, NULL, 0) == 0);
}

/* ---- A loop, and what the host has told ---------------------------------- */

static struct rig {
  uv_loop_t loop;
  pillion_executor ex;
  int events, drops;
  void (*then)(struct rig *rig);
} rig;

static void count_event(const pillion_event *event, void *data) {
  must(data == &rig && rig.drops == 0);
  rig.events++;
  if (rig.then != NULL) rig.then(&rig);
}

static void count_drop(void *data) {
  must(data == &rig);
  rig.drops++;
}

static int attach_to(uv_loop_t *loop) {
  pillion_attach_options options = PILLION_ATTACH_OPTIONS_INIT;
  options.on_event = count_event;
  options.data = &rig;
  options.drop = count_drop;
  return pillion_executor_attach(rig.ex, "uv", loop, &options, NULL, 0);
}

static void rig_begin(void) {
  memset(&rig, 0, sizeof rig);
  must(uv_loop_init(&rig.loop) == 0);
  must(pillion_executor_new(&rig.ex, NULL, NULL, 0) == 0);
  must(attach_to(&rig.loop) == 0);
}

static void rig_end(void) {
  must(uv_run(&rig.loop, UV_RUN_DEFAULT) == 0);
  must(uv_loop_close(&rig.loop) == 0);
}

static void ask_echo(void) {
  pillion_function f;
  must(pillion_function_find(&f, "test.echo") == 0);
  must(pillion_call_submit(NULL, rig.ex, f, "x", 1, 1, PILLION_EVENT) == 0);
}

/* ---- Memory -------------------------------------------------------------- */

static void detach(struct rig *rig) {
  must(pillion_executor_detach(rig->ex) == 0);
  must(pillion_executor_detach(rig->ex) == PILLION_ECLOSED);
}

static void free_executor_now(struct rig *rig) {
  must(pillion_executor_free(rig->ex) == 0);
}

static void set_another_host(struct rig *rig) {
  pillion_host host = PILLION_HOST_INIT;
  must(pillion_host_set(rig->ex, &host) == 0);
}

static void detach_and_free(struct rig *rig) {
  detach(rig);
  free_executor_now(rig);
}

static void free_and_attach_anew(struct rig *rig) {
  set_another_host(rig);
  must(pillion_executor_detach(rig->ex) == PILLION_ECLOSED);
}

/* However an executor leaves its loop, in a handler or outside, the loop ends,
 * no memory is left, and drop comes once. */
static int every_end_frees_the_host(void) {
  static void (*const ends[])(struct rig *rig) = {
      detach, free_executor_now, set_another_host, detach_and_free,
      free_and_attach_anew};
  begin();
  for (int round = 0; round < 3; round++) {
    long before = heap.in_use;
    for (size_t i = 0; i < 2 * COUNT(ends); i++) {
      bool in_handler = i % 2 == 0;
      rig_begin();
      ask_echo();
      if (in_handler) rig.then = ends[i / 2];
      must(uv_run(&rig.loop, UV_RUN_DEFAULT) == 0);
      must(rig.events == 1);
      must(rig.drops == in_handler);
      if (!in_handler) ends[i / 2](&rig);
      must(rig.drops == 1);
      pillion_executor_free(rig.ex);
      rig_end();
    }
    /* The first round makes what the library keeps. */
    must(round == 0 || heap.in_use == before);
  }
  return 0;
}

static int a_detached_host_stays_until_libuv_has_closed_it(void) {
  begin();
  rig_begin();
  must(uv_run(&rig.loop, UV_RUN_NOWAIT) == 0);
  long before = heap.in_use;
  must(pillion_executor_detach(rig.ex) == 0);
  must(rig.drops == 1 && heap.in_use == before - 1); /* the hooks */
  must(uv_run(&rig.loop, UV_RUN_DEFAULT) == 0);
  must(heap.in_use == before - 2);
  must(pillion_executor_free(rig.ex) == 0);
  rig_end();
  return 0;
}

/* A loop that closes nothing later: its hosts are freed at once. */
static int a_detached_host_of_libev_is_freed(void) {
  begin();
  void *libev = dlopen("libev.so.4", RTLD_NOW);
  void *(*loop_new)(unsigned) =
      (void *(*)(unsigned))dlsym(libev, "ev_loop_new");
  void (*loop_destroy)(void *) =
      (void (*)(void *))dlsym(libev, "ev_loop_destroy");
  void *loop = loop_new(0);
  must(pillion_executor_new(&rig.ex, NULL, NULL, 0) == 0);
  long before = heap.in_use;
  for (int i = 0; i < 3; i++) {
    must(pillion_executor_attach(rig.ex, "ev", loop, NULL, NULL, 0) == 0);
    must(heap.in_use == before + 2);
    must(pillion_executor_detach(rig.ex) == 0);
    must(heap.in_use == before);
  }
  loop_destroy(loop);
  return pillion_executor_free(rig.ex);
}

static int an_attach_without_memory_changes_nothing(void) {
  uv_loop_t other;
  int rc = PILLION_ENOMEM;
  begin();
  rig_begin();
  must(uv_loop_init(&other) == 0);
  long before = heap.in_use, n = 0;
  for (; rc == PILLION_ENOMEM; n++) {
    heap.left = n;
    rc = attach_to(&other);
    heap.left = -1;
    must(rc == 0 || heap.in_use == before + (n > 0)); /* libuv has it */
    must(uv_run(&other, UV_RUN_DEFAULT) == 0);
    must(rc == 0 || heap.in_use == before);
    must(rc == 0 || uv_loop_close(&other) == 0);
    if (rc < 0) must(uv_loop_init(&other) == 0);
    if (rc < 0) must(rig.drops == 0);
  }
  must(rc == 0 && n > 1);
  must(rig.drops == 1); /* it has moved */
  rig.drops = 0;
  ask_echo();
  must(uv_run(&other, UV_RUN_DEFAULT) == 0);
  must(rig.events == 1);
  must(pillion_executor_free(rig.ex) == 0);
  must(uv_run(&other, UV_RUN_DEFAULT) == 0);
  must(uv_loop_close(&other) == 0);
  rig_end();
  return 0;
}

static void close_it(uv_handle_t *handle, void *data) {
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

/* libuv does not tell when it is done with them: the memory stays. */
static int a_program_may_close_all_handles_itself(void) {
  begin();
  rig_begin();
  long before = heap.in_use;
  uv_walk(&rig.loop, close_it, NULL);
  must(pillion_executor_detach(rig.ex) == 0); /* while they close */
  must(rig.drops == 1);
  rig_end();
  must(heap.in_use <= before);
  must(pillion_executor_free(rig.ex) == 0);
  return 0;
}

/* ---- Threads ------------------------------------------------------------- */

static void count_open(uv_handle_t *handle, void *data) {
  if (!uv_is_closing(handle)) ++*(int *)data;
}

static int free_it(void *arg) { return pillion_executor_free(rig.ex); }

static int run_once(void *arg) { return uv_run(&rig.loop, UV_RUN_NOWAIT); }

/* That thread cannot close the loop's handles; the loop goes on without. */
static int another_thread_frees_the_executor(void) {
  begin();
  rig_begin();
  ask_echo();
  must(uv_run(&rig.loop, UV_RUN_DEFAULT) == 0);
  must(on_thread(free_it, NULL) == 0);
  must(rig.drops == 1);
  int open = 0;
  uv_walk(&rig.loop, count_open, &open);
  must(open == 2);
  must(uv_run(&rig.loop, UV_RUN_DEFAULT) == 0);
  uv_walk(&rig.loop, close_it, NULL);
  rig_end();
  return 0;
}

static _Atomic int warnings;

static void count_warning(int level, const char *message, void *data) {
  if (strstr(message, "makes no more turns") != NULL) warnings++;
}

/* The executor belongs to the thread that attached it. */
static int a_loop_that_another_thread_runs_makes_no_turns(void) {
  begin();
  rig_begin();
  must(pillion_log_set(count_warning, NULL, NULL) == 0);
  ask_echo();
  on_thread(run_once, NULL);
  must(warnings == 1 && rig.events == 0);
  on_thread(run_once, NULL); /* it has stopped, so it does not spin */
  must(warnings == 1);
  must(pillion_executor_detach(rig.ex) == 0);
  must(rig.drops == 1);
  rig.drops = 0;
  must(attach_to(&rig.loop) == 0);
  must(attach_to(&rig.loop) == PILLION_EBUSY && rig.drops == 0);
  must(uv_run(&rig.loop, UV_RUN_DEFAULT) == 0);
  must(rig.events == 1);
  must(pillion_executor_free(rig.ex) == 0);
  rig_end();
  return pillion_log_set(NULL, NULL, NULL);
}

/* ---- Running them -------------------------------------------------------- */

static const struct test_case cases[] = {
    CASE(every_end_frees_the_host),
    CASE(a_detached_host_stays_until_libuv_has_closed_it),
    CASE(a_detached_host_of_libev_is_freed),
    CASE(an_attach_without_memory_changes_nothing),
    CASE(a_program_may_close_all_handles_itself),
    CASE(another_thread_frees_the_executor),
    CASE(a_loop_that_another_thread_runs_makes_no_turns),
};

int main(int argc, char **argv) {
  return run_cases(argc, argv, cases, COUNT(cases), in_a_process_of_its_own);
}
