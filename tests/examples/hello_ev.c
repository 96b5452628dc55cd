/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "pillion/ev.h"

static void on_event(const pillion_event *event, void *data) {
  (void)data;
  printf("%.*s\n", (int)event->length, (const char *)pillion_event_data(event));
}

int main(void) {
  struct ev_loop *loop = ev_default_loop(0);
  pillion_executor ex;
  pillion_function greet;
  pillion_ev on;

  if (pillion_function_find(&greet, "hello.greet") < 0) return 1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_ev_attach(&on, loop, ex, on_event, NULL) < 0) return 1;
  pillion_call_submit(NULL, ex, greet, "you", 3, 0, PILLION_EVENT);
  ev_run(loop, 0); /* returns when nothing lives any more */
  pillion_ev_detach(&on);
  return pillion_executor_free(ex);
}
