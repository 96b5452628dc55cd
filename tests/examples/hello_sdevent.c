/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "pillion/sdevent.h"

/* sd-event's loop does not end when nothing lives: the program says when. */
static void on_event(const pillion_event *event, void *loop) {
  printf("%.*s\n", (int)event->length, (const char *)pillion_event_data(event));
  sd_event_exit((sd_event *)loop, 0);
}

int main(void) {
  sd_event *loop = NULL;
  pillion_executor ex;
  pillion_function greet;
  pillion_sdevent on;

  if (pillion_function_find(&greet, "hello.greet") < 0) return 1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (sd_event_default(&loop) < 0) return 1;
  if (pillion_sdevent_attach(&on, loop, SD_EVENT_PRIORITY_NORMAL, ex, on_event,
                             loop) < 0)
    return 1;
  pillion_call_submit(NULL, ex, greet, "you", 3, 0, PILLION_EVENT);
  sd_event_loop(loop);
  pillion_sdevent_detach(&on);
  sd_event_unref(loop);
  return pillion_executor_free(ex);
}
