/* SPDX-License-Identifier: Apache-2.0 */

/* Asio's io_context, with a timer of its own. */
#include "pillion/asio.hpp"

#include "loop.h"

const int loop_takes_files = 0;
const uint32_t loop_lacks = PILLION_HANGUP | PILLION_FAULT;
const struct exempt loop_exempts[] = {
    {"hang_up_comes_to_whoever_waits", "Asio tells of no hang-up"},
    {NULL, NULL}};

using pillion__net::io_context;

void *loop_new(void) { return new io_context; }
void loop_destroy(void *loop) { delete static_cast<io_context *>(loop); }

/* The program has other work, so a context on which nothing lives waits, too. */
void loop_round(void *loop, int wait) {
  io_context *context = static_cast<io_context *>(loop);
  auto work = pillion__net::make_work_guard(*context);
  context->restart();
  if (wait) context->run_one();
  else context->poll();
}

void loop_run_out(void *loop) {
  static_cast<io_context *>(loop)->restart();
  static_cast<io_context *>(loop)->run();
}

void loop_after(void *loop, int ms, void (*fn)(void *data), void *data) {
  auto timer = std::make_shared<pillion__net::steady_timer>(
      *static_cast<io_context *>(loop), std::chrono::milliseconds(ms));
  timer->async_wait([timer, fn, data](auto error) {
    if (!error) fn(data);
  });
}

/* Asio closes what it watches at its end. */
static void await(std::shared_ptr<pillion__net::posix::stream_descriptor> file,
                  void (*fn)(void *data), void *data) {
  file->async_wait(file->wait_read,
                   [file, fn, data](auto error) {
                     if (!error) fn(data);
                     if (!error) await(file, fn, data);
                   });
}

int loop_on_readable(void *loop, int fd, void (*fn)(void *data), void *data) {
  try {
    await(std::make_shared<pillion__net::posix::stream_descriptor>(
              *static_cast<io_context *>(loop), fd),
          fn, data);
    return 0;
  } catch (const std::exception &) { return -1; }
}

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  return pillion_asio_attach(reinterpret_cast<pillion_asio *>(host),
                             *static_cast<io_context *>(loop), ex, on_event,
                             data);
}

int host_detach(struct host *host) {
  return pillion_asio_detach(reinterpret_cast<pillion_asio *>(host));
}
