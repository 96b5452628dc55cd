/* SPDX-License-Identifier: Apache-2.0 */
#include "futures.h"

/* Only here is `in` written, and only in the poll `out`. */
void line_put(struct line *line, char byte) {
  uint32_t in = line->in;
  if (in - __atomic_load_n(&line->out, __ATOMIC_ACQUIRE) == LINE_RING) {
    line->lost++;
    return;
  }
  line->ring[in % LINE_RING] = byte;
  __atomic_store_n(&line->in, in + 1, __ATOMIC_RELEASE);
  pillion_wake(line->waker);
}

/* The spawner sets line->waker, or the first poll, before it looks. */
static int reading_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct reading *reading = self;
  struct line *line = reading->line;
  if (line->waker != cx->waker) line->waker = cx->waker;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  while (line->out != __atomic_load_n(&line->in, __ATOMIC_ACQUIRE)) {
    char byte = line->ring[line->out % LINE_RING];
    __atomic_store_n(&line->out, line->out + 1, __ATOMIC_RELEASE);
    if (byte == '\n') {
      pillion_value_set(out, reading->text, reading->length);
      reading->length = 0;
      return PILLION_READY;
    }
    if (reading->length < sizeof reading->text)
      reading->text[reading->length++] = byte;
  }
  return PILLION_PENDING;
}

const pillion_future reading_future = {sizeof reading_future, reading_poll,
                                       NULL};
