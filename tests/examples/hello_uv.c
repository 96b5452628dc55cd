/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "pillion/uv.h"

static void on_event(const pillion_event *event, void *data) {
  (void)data;
  printf("%.*s\n", (int)event->length, (const char *)pillion_event_data(event));
}

int main(void) {
  uv_loop_t *loop = uv_default_loop();
  pillion_executor ex;
  pillion_function greet;
  pillion_uv uv;

  if (pillion_function_find(&greet, "hello.greet") < 0) return 1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_uv_attach(&uv, loop, ex, on_event, NULL) < 0) return 1;
  pillion_call_submit(NULL, ex, greet, "you", 3, 0, PILLION_EVENT);
  uv_run(loop, UV_RUN_DEFAULT); /* returns when nothing lives any more */
  pillion_uv_detach(&uv, NULL);
  pillion_executor_free(ex);
  uv_run(loop, UV_RUN_DEFAULT); /* closes the handles */
  return uv_loop_close(loop);
}
