/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Executors on loops that were found by name. An adapter's storage is here, and
 * is freed when the loop has let go of it: after a detach, and also when the
 * executor is freed or moves to another host, for then no program can detach it.
 */
#include <string.h>

#include "loops/loops.h"

static void drop_data(const struct pillion__loop_host *host) {
  if (host->drop != NULL) host->drop(host->on.adapter.data);
}

/* The executor has no turns here any more. On another thread than the loop's
 * nothing can be done: the handles stay, and with them the memory. */
static void stop(pillion_adapter *adapter) {
  struct pillion__loop_host *host = (struct pillion__loop_host *)adapter;
  if (adapter->hosts) {
    host->functions->stop(adapter);
    pillion__log(PILLION_LOG_WARNING, "a loop \"%s\" makes no more turns: %s",
                 host->kind->name, pillion_strerror(adapter->status));
  } else if (adapter->detached || pillion__me() == host->thread) {
    host->functions->stop(adapter);
    pillion_adapter_detach(adapter);
  } else {
    drop_data(host);
  }
}

static void close_host(pillion_adapter *adapter) {
  struct pillion__loop_host *host = (struct pillion__loop_host *)adapter;
  host->functions->close(adapter);
  bool kept = pillion__loop_keeps(host, true);
  drop_data(host);
  if (!kept) pillion__free(host);
}

static const struct pillion__loop_kind *kind_of(const char *name) {
  for (size_t i = 0; name != NULL && i < PILLION__LOOP_KINDS; i++)
    if (strcmp(pillion__loop_kinds[i].name, name) == 0)
      return &pillion__loop_kinds[i];
  return NULL;
}

static struct pillion__loop_host *host_of(pillion_executor executor) {
  return (struct pillion__loop_host *)pillion__adapter_of(executor);
}

static int attach(const struct pillion__loop_kind *kind, void *loop,
                  const pillion_attach_options *o, pillion_executor executor) {
  struct pillion__loop_host *host = host_of(executor);
  int rc;
  if (host != NULL && host->kind == kind && host->loop == loop &&
      kind->is_open(host)) /* else the address is another loop's by now */
    return PILLION_EBUSY;
  host = pillion__alloc(sizeof *host);
  if (host == NULL) return PILLION_ENOMEM;
  memset(host, 0, sizeof *host);
  host->kind = kind;
  host->loop = loop;
  host->thread = pillion__me();
  rc = kind->attach(host, loop, o->priority, executor, o->on_event, o->data);
  if (rc < 0) {
    if (!pillion__loop_keeps(host, false)) pillion__free(host);
    return rc;
  }
  host->drop = o->drop;
  host->functions = host->on.adapter.loop;
  host->between = *host->functions;
  host->between.stop = stop;
  host->between.close = close_host;
  host->on.adapter.loop = &host->between;
  return 0;
}

int pillion_executor_attach(pillion_executor executor, const char *name,
                            void *loop, const pillion_attach_options *options,
                            char *errbuf, size_t errcap) {
  pillion_attach_options o = PILLION_ATTACH_OPTIONS_INIT;
  struct pillion__why why = {errbuf, errcap};
  const struct pillion__loop_kind *kind = kind_of(name);
  int rc = pillion__options_take(&o, sizeof o, PILLION__FIRST_ATTACH_OPTIONS,
                                 options, why);
  if (rc < 0) return rc;
  if (kind == NULL)
    return pillion__fail(PILLION_EINVAL, why,
                         "the name of a loop is \"uv\", \"glib\", \"event\", "
                         "\"ev\" or \"sd-event\", not \"%s\"",
                         name != NULL ? name : "");
  if (loop == NULL && strcmp(name, "glib") != 0)
    return pillion__fail(PILLION_EINVAL, why, "loop is NULL");
  rc = pillion__loop_find(kind, loop, o.library, why);
  if (rc < 0) return rc;
  rc = attach(kind, loop, &o, executor);
  return rc == 0 ? 0 : pillion__fail(rc, why, "%s", pillion_strerror(rc));
}

int pillion_executor_detach(pillion_executor executor) {
  pillion_host host = PILLION_HOST_INIT;
  int rc = pillion_host_get(&host, executor);
  if (rc < 0) return rc;
  return host.drop == pillion__adapter_drop ? pillion_adapter_detach(host.data)
                                            : PILLION_ECLOSED;
}
