/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

void record(const pillion_event *event, void *data) {
  see(event, &((struct rig *)data)->seen);
}

void submit_again(const pillion_event *event, void *data) {
  struct rig *rig = data;
  see(event, &rig->seen);
  if (rig->seen.count < 20)
    pillion_call_submit(NULL, rig->ex, event->token, "x", 1, event->token,
                        PILLION_EVENT);
}

int rig_attach(struct rig *rig, pillion_event_fn on_event) {
  return host_attach(&rig->host, rig->loop, rig->ex, on_event, rig);
}

struct rig *rig_of(pillion_executor ex, pillion_event_fn on_event) {
  struct rig *rig = calloc(1, sizeof *rig);
  assert_non_null(rig);
  rig->ex = ex;
  rig->loop = loop_new();
  assert_non_null(rig->loop);
  assert_ok(rig_attach(rig, on_event));
  return rig;
}

struct rig *rig_new(pillion_event_fn on_event) {
  return rig_of(executor_new(), on_event);
}

void rig_run(struct rig *rig) {
  if (loop_run_out != NULL) {
    loop_run_out(rig->loop);
    return;
  }
  loop_round(rig->loop, 0);
  while (host_live(&rig->host) > 0 && host_status(&rig->host) == 0)
    loop_round(rig->loop, 1);
}

void settle(struct rig *rig) {
  for (int i = 0; i < 4; i++) loop_round(rig->loop, 0);
}

void rig_free(struct rig *rig) {
  assert_ok(host_detach(&rig->host));
  assert_int_equal(host_detach(&rig->host), PILLION_ECLOSED);
  executor_free(rig->ex);
  loop_destroy(rig->loop);
  free(rig);
}

void stop_rounds(void *data) { *(int *)data = 1; }

__attribute__((weak)) uint64_t host_live(const struct host *host) {
  return host->as.adapter.live;
}

__attribute__((weak)) int host_status(const struct host *host) {
  return host->as.adapter.status;
}

__attribute__((weak)) int host_turn(struct host *host) {
  return pillion_adapter_turn(&host->as.adapter);
}

__attribute__((weak)) const int loop_resolution_us = 1000;
__attribute__((weak)) const int loop_is_held = 0;

/* ---- What does not apply ------------------------------------------------- */

/* tests/support/test.h: why the loop cannot have a case, or NULL. */
const char *test_exempt(const char *name) {
  const struct exempt *exempt = loop_exempts;
  for (; exempt != NULL && exempt->cases != NULL; exempt++)
    for (const char *at = exempt->cases; at != NULL; at = strchr(at, ' ')) {
      at += *at == ' ';
      size_t length = strcspn(at, " *");
      if (strncmp(at, name, length) == 0 &&
          (at[length] == '*' || name[length] == 0))
        return exempt->why;
    }
  return NULL;
}

int applies(const char *name) { return test_exempt(name) == NULL; }

/* ---- For watch.c --------------------------------------------------------- */

static struct rig *watched;

static void see_all(const pillion_event *event, void *data) {
  see(event, &seen);
}

void loop_begin(pillion_executor executor) {
  watched = rig_of(executor, see_all);
}

void loop_step(void) { loop_round(watched->loop, 1); }

void loop_run(void) { rig_run(watched); }

void loop_end(void) {
  executor_free(watched->ex);
  assert_ok(host_detach(&watched->host));
  loop_destroy(watched->loop);
  free(watched);
}
