/* SPDX-License-Identifier: Apache-2.0 */

/* tail_uv FILE: prints a log as it is written, on libuv. Ctrl-C ends it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "pillion/uv.h"

#define WINDOW 32 /* lines that Go may be ahead */

static pillion_task call;
static uv_signal_t interrupt;
static int unused, code;

static void on_interrupt(uv_signal_t *handle, int number) {
  (void)handle, (void)number;
  pillion_task_cancel(call); /* its end comes as an event, as always */
  code = 130;
}

static void on_event(const pillion_event *event, void *data) {
  const char *bytes = (const char *)pillion_event_data(event);
  pillion_failure failure = PILLION_FAILURE_INIT;
  (void)data;

  if (event->flags == PILLION_EVENT_ITEM) {
    printf("%.*s\n", (int)event->length, bytes);
    fflush(stdout);
    if (++unused == WINDOW / 2) { /* so many are read, and may follow */
      pillion_call_credit(call, (uint32_t)unused);
      unused = 0;
    }
    return;
  }
  /* The end is the call's last event. */
  if (event->status == PILLION_EFAILED &&
      pillion_failure_parse(&failure, bytes, event->length) == 0) {
    fprintf(stderr, "tail_uv: %.*s\n", (int)failure.message_length,
            failure.message);
    code = 1;
  }
  uv_close((uv_handle_t *)&interrupt, NULL);
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  pillion_call_options options = PILLION_CALL_OPTIONS_INIT;
  pillion_executor ex;
  pillion_uv uv;

  if (argc != 2) return 2;
  if (pillion_function_find(&options.function, "tail.follow") < 0) return 1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_uv_attach(&uv, loop, ex, on_event, NULL) < 0) return 1;
  options.request = argv[1];
  options.length = strlen(argv[1]);
  options.credit = WINDOW;
  if (pillion_call_submit_with(&call, ex, &options) < 0) return 1;
  uv_signal_init(loop, &interrupt);
  uv_signal_start(&interrupt, on_interrupt, SIGINT);
  uv_run(loop, UV_RUN_DEFAULT); /* until the call's end is handled */
  pillion_uv_detach(&uv, NULL);
  pillion_executor_free(ex);
  uv_run(loop, UV_RUN_DEFAULT); /* closes the handles */
  uv_loop_close(loop);
  return code;
}
