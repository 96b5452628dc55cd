/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A loop without its adapter: pillion_executor_attach finds LOOP in this
 * process. DRIVER is the one that knows the loop.
 */
#include <assert.h>
#include <stdlib.h>

#define host_attach its_attach
#define host_detach its_detach
#include DRIVER
#undef host_attach
#undef host_detach

/* What is left of an attach when the library has let go of it. */
struct on {
  pillion_event_fn on_event;
  void *data;
  int dropped; /* 1: on_event is never called again */
};

struct named {
  pillion_executor ex;
  struct on *on;
  int detached;
};

static void pass(const pillion_event *event, void *data) {
  const struct on *on = data;
  assert(!on->dropped);
  if (on->on_event != NULL) on->on_event(event, on->data);
}

static void drop(void *data) { ((struct on *)data)->dropped++; }

int host_attach(struct host *host, void *loop, pillion_executor ex,
                pillion_event_fn on_event, void *data) {
  pillion_attach_options options = PILLION_ATTACH_OPTIONS_INIT;
  struct named *named = (struct named *)host;
  struct on *on = malloc(sizeof *on);
  char text[256];
  if (on == NULL) return PILLION_ENOMEM;
  *on = (struct on){on_event, data, 0};
  options.on_event = pass;
  options.data = on;
  options.drop = drop;
  int rc = pillion_executor_attach(ex, LOOP, loop, &options, text, sizeof text);
  assert(!on->dropped);
  if (rc == 0) *named = (struct named){ex, on, 0};
  else free(on);
  return rc;
}

/* An executor that is freed, or has another host, has left the loop already. */
int host_detach(struct host *host) {
  struct named *named = (struct named *)host;
  int rc = named->on->dropped ? 0 : pillion_executor_detach(named->ex);
  assert(named->on->dropped <= 1);
  if (named->detached) { /* and perhaps freed, in a handler */
    assert(rc == PILLION_ECLOSED || rc == PILLION_EBADHANDLE ||
           named->on->dropped);
    return PILLION_ECLOSED;
  }
  named->detached = rc == 0;
  return rc;
}

static const pillion_adapter *adapter_of(const struct host *host) {
  const struct named *named = (const struct named *)host;
  pillion_host hooks = PILLION_HOST_INIT;
  if (named->on->dropped || pillion_host_get(&hooks, named->ex) < 0)
    return NULL;
  return hooks.data;
}

uint64_t host_live(const struct host *host) {
  const pillion_adapter *adapter = adapter_of(host);
  return adapter == NULL ? 0 : adapter->live;
}

int host_status(const struct host *host) {
  const pillion_adapter *adapter = adapter_of(host);
  return adapter == NULL ? PILLION_ECLOSED : adapter->status;
}
