/* SPDX-License-Identifier: Apache-2.0 */

/* An echo server on libuv's reactor: echo_uv CONNECTIONS. */
#include "echo.h"

#include "pillion/uv.h"

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  pillion_executor ex;
  struct server server;
  pillion_uv uv;

  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_uv_attach(&uv, loop, ex, NULL, NULL) < 0) return 1;
  if (server_start(&server, ex, argc > 1 ? atoi(argv[1]) : 1) < 0) return 1;
  uv_run(loop, UV_RUN_DEFAULT); /* returns when the last has hung up */
  pillion_uv_detach(&uv, NULL);
  pillion_executor_free(ex);
  uv_run(loop, UV_RUN_DEFAULT); /* closes the handles */
  return uv_loop_close(loop);
}
