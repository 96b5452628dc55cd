/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The futures of futures/ with the board's timer and its serial line. serial.py
 * sends a line whenever the board says that it is asleep.
 */
#include "boards/board.h"
#include "check.h"
#include "futures/futures.h"
#include "pillion/static.h"

static pillion_slot slots[4];
static pillion_ticks ticks = PILLION_TICKS_INIT(BOARD_HZ, BOARD_MASK);
static struct line line;

static int64_t clock_now(void *data) {
  (void)data;
  return pillion_ticks_now(&ticks, board_counter());
}

static void clock_wait(void *data, int64_t deadline) {
  uint32_t left = pillion_ticks_until(&ticks, board_counter(), deadline);
  (void)data;
  if (left == 0) return;
  if (deadline != PILLION_TIME_NEVER) board_alarm_set(left);
  else board_write("asleep\n");
  board_sleep();
}

static const pillion_port port = {clock_now, clock_wait, NULL, NULL};

void board_alarm(void) {}
void board_received(char byte) { line_put(&line, byte); }

static int text_is(const pillion_value *value, const char *want) {
  const char *got = pillion_value_data(value);
  uint64_t i = 0;
  while (i < value->length && got[i] == want[i]) i++;
  return i == value->length && want[i] == 0;
}

static void a_line_wakes_its_reader(void) {
  struct watching watch = {.line = &line,
                           .patience = PILLION_TIME_NEVER,
                           .light = {{.period = 1000000, .times = 3},
                                     {.period = 700000, .times = 5}}};
  pillion_value value;
  CHECK_INT(pillion_block_on(&value, &watching_future, &watch), 0);
  CHECK_INT(value.status, 0);
  CHECK_INT(watch.which, 0);
  CHECK(text_is(&value, "hello 1"));
  CHECK_INT(watch.light[0].done, 3);
  CHECK_INT(watch.light[1].done, 5);
}

static void a_reader_sleeps_until_bytes_come(void) {
  struct reading reading = {.line = &line};
  pillion_value value;
  CHECK_INT(pillion_block_on(&value, &reading_future, &reading), 0);
  CHECK(text_is(&value, "hello 2"));
  CHECK_INT(line.lost, 0);
  CHECK_INT(pillion_static_deadline(), PILLION_TIME_NEVER);
}

static void a_select_ends_by_its_time(void) {
  struct watching watch = {.line = &line,
                           .patience = 2000000,
                           .light = {{.period = 100000, .times = 3},
                                     {.period = 9000000, .times = 1}}};
  pillion_value value;
  CHECK_INT(pillion_block_on(&value, &watching_future, &watch), 0);
  CHECK_INT(value.status, 0);
  CHECK_INT(watch.which, 1);
  CHECK_INT(value.length, 0);
  CHECK_INT(watch.light[1].done, 1);
  CHECK_INT(pillion_static_deadline(), PILLION_TIME_NEVER);
}

void test_main(void) {
  pillion_static_init(slots, 4, &port);
  board_listen();
  TEST(a_line_wakes_its_reader);
  TEST(a_reader_sleeps_until_bytes_come);
  TEST(a_select_ends_by_its_time);
  finish_tests();
}
