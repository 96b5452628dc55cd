/* SPDX-License-Identifier: Apache-2.0 */

/* libuv's own SIGCHLD handler has no SA_ONSTACK, and no program can change that. */
#include "pillion/uv.h"
#include "storm.h"

static uv_process_t processes[16];
static uv_loop_t loop;

static void start(uv_process_t *process);

static void on_closed(uv_handle_t *handle) {
  if (children_left > 0) start((uv_process_t *)handle);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal) {
  if (status == 0 && signal == 0) children_ended++;
  children_alive--;
  uv_close((uv_handle_t *)process, on_closed);
}

static void start(uv_process_t *process) {
  char *arguments[] = {"true", NULL};
  uv_process_options_t options;
  memset(&options, 0, sizeof options);
  options.file = "/bin/true";
  options.args = arguments;
  options.exit_cb = on_exit_of;
  assert_ok(uv_spawn(&loop, process, &options));
  children_left--;
  children_alive++;
}

TEST(libuv_starts_children) {
  pillion_uv uv;
  storm_begin();
  int children = children_left;
  assert_ok(uv_loop_init(&loop));
  assert_ok(pillion_uv_attach(&uv, &loop, storm_executor, storm_event, NULL));
  for (size_t i = 0; i < COUNT(processes); i++) start(&processes[i]);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_ok(pillion_uv_detach(&uv, NULL));
  uv_run(&loop, UV_RUN_DEFAULT);
  storm_end(children);
  assert_ok(uv_loop_close(&loop));
}

int main(void) {
  return run_all_tests(NULL, free_executor, nothing_lives);
}
