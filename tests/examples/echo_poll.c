/* SPDX-License-Identifier: Apache-2.0 */

/* The same echo server on poll(2): echo_poll CONNECTIONS. */
#include "echo.h"

#include "pillion/poll.h"

int main(int argc, char **argv) {
  pillion_executor ex;
  struct server server;

  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (server_start(&server, ex, argc > 1 ? atoi(argv[1]) : 1) < 0) return 1;
  if (pillion_poll_run(ex, NULL, NULL) < 0) return 1;
  return pillion_executor_free(ex);
}
