/* SPDX-License-Identifier: Apache-2.0 */
#include <iostream>
#include <string_view>

#include "pillion/asio.hpp"

/* What it throws leaves run(), as an exception of Asio's own handlers does. */
static void on_event(const pillion_event *event, void *) {
  std::string_view text(
      static_cast<const char *>(pillion_event_data(event)), event->length);
  if (event->status < 0) throw std::runtime_error(std::string(text));
  std::cout << text << std::endl;
}

int main() {
  asio::io_context context;
  pillion_executor ex;
  pillion_function greet;
  pillion_asio on;

  if (pillion_function_find(&greet, "hello.greet") < 0) return 1;
  if (pillion_executor_new(&ex, NULL, NULL, 0) < 0) return 1;
  if (pillion_asio_attach(&on, context, ex, on_event, NULL) < 0) return 1;
  pillion_call_submit(NULL, ex, greet, "you", 3, 0, PILLION_EVENT);
  context.run(); /* until nothing lives any more */
  pillion_asio_detach(&on);
  return pillion_executor_free(ex);
}
