/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Handlers that run the loop, begin more, detach and free, at random. Each
 * event comes once, with its own payload for as long as its handler runs.
 */
#include "rig.h"

enum { MOST = 120 };

static struct program {
  struct rig rig;
  uint64_t state;
  int begun, depth, nests, detached, freed, faults;
  int came[MOST];
} now;

static uint32_t draw(uint32_t n) {
  now.state = now.state * UINT64_C(6364136223846793005) + 1;
  return (uint32_t)(now.state >> 33) % n;
}

static int gift_poll(pillion_value *out, pillion_context *cx, void *self) {
  char *text = malloc(40);
  snprintf(text, 40, "the payload of what has the number %4d",
           (int)(intptr_t)self);
  out->status = 0;
  out->length = 39;
  out->payload.ref.data = out->payload.ref.owner = text;
  out->payload.ref.release = free;
  return PILLION_READY;
}

static const pillion_future gift = {sizeof gift, gift_poll, NULL};

static void begin_one(void) {
  char text[40];
  int i = now.begun, rc;
  pillion_executor executor = now.rig.ex;
  if (i == MOST || now.freed) return;
  now.begun++;
  snprintf(text, sizeof text, "the payload of what has the number %4d", i);
  switch (draw(3)) {
    case 0:
      rc = pillion_task_spawn(NULL, executor, &gift, (void *)(intptr_t)i,
                              (uint64_t)i, PILLION_EVENT);
      break;
    case 1:
      rc = pillion_executor_post(executor, (uint64_t)i, text, 39);
      break;
    default:
      rc = pillion_call_submit(NULL, executor, function("test.echo"), text, 39,
                               (uint64_t)i, PILLION_EVENT);
  }
  if (rc < 0) now.faults++;
}

static int is_its_own(const pillion_event *event) {
  char text[40] = "";
  if (event->length != 39) return 0;
  memcpy(text, pillion_event_data(event), 39);
  return atoi(text + 34) == (int)event->token;
}

static void act(const pillion_event *event, void *data) {
  if (!is_its_own(event) || now.came[event->token]++ > 0) now.faults++;
  now.depth++;
  for (uint32_t n = draw(3); n > 0; n--) begin_one();
  if (now.nests && now.depth < 7)
    for (uint32_t n = draw(4); n > 0; n--) loop_round(now.rig.loop, 0);
  uint32_t end = draw(60);
  if (end < 2 && host_detach(&now.rig.host) == 0) now.detached = 1;
  if (end == 2 && !now.freed) {
    now.freed = 1;
    if (pillion_executor_free(now.rig.ex) < 0) now.faults++;
  }
  if (!now.freed && !is_its_own(event)) now.faults++;
  now.depth--;
}

static int all_came(void) {
  for (int i = 0; i < now.begun; i++)
    if (now.came[i] != 1) return 0;
  return 1;
}

static void run_program(uint64_t seed) {
  static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                       {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  memset(&now, 0, sizeof now);
  now.state = seed;
  now.nests = applies("a_handler_may_run_the_loop");
  now.rig.ex = executor_new();
  now.rig.loop = loop_new();
  assert_ok(rig_attach(&now.rig, act));
  for (int i = 0; i < 5; i++) begin_one();
  while (!now.freed && !all_came()) {
    if (now.detached) assert_ok(rig_attach(&now.rig, act));
    now.detached = 0;
    loop_round(now.rig.loop, 0);
  }
  const uint8_t *order = orders[draw(6)];
  for (int i = 0; i < 3; i++) {
    if (order[i] == 0 && !now.detached) assert_ok(host_detach(&now.rig.host));
    if (order[i] == 1 && !now.freed) executor_free(now.rig.ex);
    if (order[i] == 2) loop_destroy(now.rig.loop);
  }
  assert_int_equal(now.faults, 0);
}

TEST(random_programs) {
  for (uint64_t seed = 1; seed <= 400; seed++) run_program(seed);
}
