/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "pillion/poll.h"

static void on_event(const pillion_event *event, void *data) {
  (void)data;
  printf("%.*s\n", (int)event->length, (const char *)pillion_event_data(event));
}

int main(void) {
  pillion_executor ex;
  pillion_function greet;

  if (pillion_function_find(&greet, "hello.greet") < 0) return 1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  pillion_call_submit(NULL, ex, greet, "you", 3, 0, PILLION_EVENT);
  pillion_poll_run(ex, on_event, NULL); /* until nothing lives any more */
  pillion_executor_free(ex);
  return 0;
}
