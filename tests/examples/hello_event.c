/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "pillion/event.h"

/* libevent's loop does not end when nothing lives: the program says when. */
static void on_event(const pillion_event *event, void *base) {
  printf("%.*s\n", (int)event->length, (const char *)pillion_event_data(event));
  event_base_loopbreak((struct event_base *)base);
}

int main(void) {
  struct event_base *base = event_base_new();
  pillion_executor ex;
  pillion_function greet;
  pillion_libevent on;

  if (pillion_function_find(&greet, "hello.greet") < 0) return 1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_libevent_attach(&on, base, ex, on_event, base) < 0) return 1;
  pillion_call_submit(NULL, ex, greet, "you", 3, 0, PILLION_EVENT);
  event_base_dispatch(base);
  pillion_libevent_detach(&on);
  event_base_free(base);
  return pillion_executor_free(ex);
}
