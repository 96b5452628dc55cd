/* SPDX-License-Identifier: Apache-2.0 */

/* A loop of one's own around epoll(7) reads a line, and awaits a Go function. */
#include <stdio.h>

#include "pillion/epoll.h"

static void on_event(const pillion_event *event, void *data) {
  (void)data;
  printf("%.*s\n", (int)event->length, (const char *)pillion_event_data(event));
}

int main(void) {
  struct epoll_event events[8], event = {EPOLLIN, {.fd = 0}};
  int epoll = epoll_create1(EPOLL_CLOEXEC), lines = 0;
  pillion_function greet;
  pillion_executor ex;
  pillion_epoll on;
  char line[80];

  if (pillion_function_find(&greet, "hello.greet") < 0) return 1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_epoll_attach(&on, epoll, ex, on_event, NULL) < 0) return 1;
  pillion_call_submit(NULL, ex, greet, "you", 3, 0, PILLION_EVENT);
  do {
    int n = epoll_wait(epoll, events, 8, pillion_epoll_timeout(&on, -1));
    for (int i = 0; i < n; i++) {
      if (pillion_epoll_take(&on, &events[i])) continue;
      if (fgets(line, sizeof line, stdin) != NULL) fputs(line, stdout);
      lines++;
    }
    pillion_epoll_turn(&on);
    if (on.adapter.live == 0 && lines == 0) /* then the program's own */
      epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
  } while (on.adapter.live > 0 || lines == 0);
  pillion_epoll_detach(&on);
  close(epoll);
  return pillion_executor_free(ex);
}
