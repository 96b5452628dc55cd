/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CALLS_H
#define PILLION_TESTS_CALLS_H

/* The calls of a case, and the host that makes them and is called. */
#include <poll.h>

#include "pillion.h"
#include "vector.h"

/* The tokens of calls, of providers, and of inbound calls that were accepted. */
#define TOKEN_CALL 1u
#define TOKEN_PROVIDER 1000u
#define TOKEN_INBOUND 2000u

struct call {
  char name[32], shape[16];
  struct words script;
  uint32_t credit, callbacks;
  int sends;
  pillion_task task, parent;
  pillion_timer deadline;
};

struct inbound {
  char name[128]; /* its request */
  pillion_task task;
};

struct provider {
  char name[32];
  pillion_provider handle;
};

static struct {
  const char *kind, *file;
  char name[128];
  int line, failed, skipped;
  int number; /* of the case, for the functions */
  int64_t now;
  pillion_executor executor, control; /* 0: not made yet, or freed */
  pillion_pool pool;
  struct call calls[16];
  struct inbound inbound[16];
  struct provider providers[16];
  int call_count, inbound_count, provider_count;
} host;

static void broken(const char *what, const char *word) {
  fprintf(stderr, "%s:%d: %s: %s\n", host.file, host.line, what,
          word == NULL ? "nothing" : word);
  exit(2);
}

static const char *text_of(const char *word) {
  return strcmp(word, "''") == 0 ? "" : word;
}

static struct call *call_of(const char *name) {
  for (int i = 0; i < host.call_count; i++)
    if (strcmp(host.calls[i].name, name) == 0) return &host.calls[i];
  broken("no such call", name);
  return NULL;
}

/* One that the host has not heard of has no handle. */
static struct inbound *inbound_of(const char *word) {
  static struct inbound unknown;
  for (int i = 0; i < host.inbound_count; i++)
    if (strcmp(host.inbound[i].name, text_of(word)) == 0)
      return &host.inbound[i];
  return &unknown;
}

/* Of a call, or of one of Go's. */
static pillion_task task_of(const char *name) {
  pillion_task task = inbound_of(name)->task;
  return task != 0 ? task : call_of(name)->task;
}

static uint64_t token_of_inbound(const struct inbound *in) {
  return TOKEN_INBOUND + (uint64_t)(in - host.inbound);
}

static struct provider *provider_of(const char *name) {
  for (int i = 0; i < host.provider_count; i++)
    if (strcmp(host.providers[i].name, name) == 0) return &host.providers[i];
  broken("no such provider", name);
  return NULL;
}

/* ---- Go's functions ------------------------------------------------------- */

static pillion_function function(const char *name) {
  pillion_function f;
  if (pillion_function_find(&f, name) < 0) broken("no such function", name);
  return f;
}

/* Calls a function of Go's beside the case, on an executor of its own. */
static void control(const char *name, const char *request, struct words *out) {
  static pillion_event event;
  struct pollfd fd = {-1, POLLIN, 0};
  pillion_executor_fd(&fd.fd, host.control);
  if (pillion_call_submit(NULL, host.control, function(name), request,
                          strlen(request), 0, PILLION_EVENT) < 0)
    broken("no call", name);
  while (pillion_executor_turn(&event, 1, NULL, host.control, NULL) == 0)
    poll(&fd, 1, -1);
  if (event.status != 0) broken("it fails", name);
  char *text = strndup(pillion_event_data(&event), event.length);
  for (char *save, *w = strtok_r(text, " ", &save); w != NULL && out != NULL;
       w = strtok_r(NULL, " ", &save))
    words_add(out, w);
  free(text);
}

static void trace_take(struct words *out) {
  char request[16];
  snprintf(request, sizeof request, "%d", host.number);
  control("vector.trace", request, out);
}

static void wake(const char *name) {
  char request[128];
  snprintf(request, sizeof request, "{\"play\":%d,\"name\":\"%s\"}",
           host.number, name);
  control("vector.wake", request, NULL);
}

static void control_begin(void) {
  if (pillion_executor_new(&host.control, NULL, NULL, 0) < 0 ||
      pillion_executor_bind(host.control) < 0)
    exit(2);
}

static void control_end(void) { pillion_executor_free(host.control); }

/* ---- A case --------------------------------------------------------------- */

/* SHAPE NAME [credit N] [lends N] [sending] [silent] : SCRIPT */
static void declare(const struct words *words) {
  int colon = words_find(words, ":");
  if (colon < 2 || host.call_count == 16) broken("no script", NULL);
  struct call *call = &host.calls[host.call_count++];
  memset(call, 0, sizeof *call);
  snprintf(call->shape, sizeof call->shape, "%s", words->word[0]);
  snprintf(call->name, sizeof call->name, "%s", words->word[1]);
  int reads = strcmp(call->shape, "collect") == 0 ||
              strcmp(call->shape, "duplex") == 0;
  call->sends = reads;
  for (int i = 2; i < colon; i++) {
    const char *word = words->word[i];
    if (strcmp(word, "credit") == 0)
      call->credit = (uint32_t)number_of(words->word[++i]);
    else if (strcmp(word, "lends") == 0)
      call->callbacks = (uint32_t)number_of(words->word[++i]);
    else if (strcmp(word, "sending") == 0) call->sends = 1;
    else if (strcmp(word, "silent") == 0) call->sends = 0;
    else broken("what is", word);
  }
  for (int i = colon + 1; i < words->count; i++)
    words_add(&call->script, words->word[i]);
  if (reads && strcmp(host.kind, "goroutine") != 0) host.skipped = 1;
}

static int call_submit(struct call *call) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  static struct text request;
  char name[64];
  int tasks = strcmp(host.kind, "goroutine") != 0;
  text_clear(&request);
  text_add(&request,
           "{\"ask\":[0,1,2,3],\"tell\":[0,1,2,3],\"play\":%d,\"name\":\"%s\","
           "\"script\":[",
           host.number, call->name);
  for (int i = 0; i < call->script.count; i++)
    text_add(&request, "%s\"%s\"", i > 0 ? "," : "", call->script.word[i]);
  text_add(&request, "]}");
  snprintf(name, sizeof name, "vector.%s%s", tasks ? "loop_" : "", call->shape);
  o.function = function(name);
  o.request = request.bytes;
  o.length = request.length;
  o.token = TOKEN_CALL + (uint64_t)(call - host.calls);
  o.flags = PILLION_EVENT | (call->sends ? PILLION_SENDING : 0);
  o.credit = call->credit;
  o.callbacks = call->callbacks;
  o.parent = call->parent;
  if (tasks) o.pool = host.pool;
  return pillion_call_submit_with(&call->task, host.executor, &o);
}

static int provide(const char *name, int64_t window) {
  pillion_provider_options o = PILLION_PROVIDER_OPTIONS_INIT;
  struct provider *p = &host.providers[host.provider_count];
  if (host.provider_count == 16) broken("too many providers", name);
  snprintf(p->name, sizeof p->name, "%s", name);
  o.name = "vector.Host";
  o.descriptor =
      "{\"functions\":[{\"name\":\"other\"},{\"name\":\"fetch\"},"
      "{\"name\":\"feed\"},{\"name\":\"sum\"}]}";
  o.token = TOKEN_PROVIDER + (uint64_t)host.provider_count;
  o.functions = 4;
  o.window = (uint32_t)window;
  int rc = pillion_provider_new(&p->handle, host.executor, &o, NULL, 0);
  host.provider_count += rc == 0;
  return rc;
}

static int64_t virtual_clock(void *data) {
  (void)data;
  return host.now;
}

static void host_begin(void) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  if (host.executor != 0) return;
  options.clock = virtual_clock;
  if (pillion_executor_new(&host.executor, &options, NULL, 0) < 0 ||
      pillion_executor_bind(host.executor) < 0)
    broken("no executor", NULL);
  host.pool = 0;
  if (strcmp(host.kind, "pool") == 0 &&
      (pillion_pool_new(&host.pool, NULL, NULL, 0) < 0 ||
       pillion_pool_join(host.pool, host.executor, 0) < 0))
    broken("no pool", NULL);
}

/* A call on a pool counts among the pool's tasks, too. */
static uint64_t pool_live(void) {
  pillion_pool_stats stats = PILLION_POOL_STATS_INIT;
  if (host.pool != 0) pillion_pool_stat(&stats, host.pool);
  return stats.live;
}

static void host_free(void) {
  if (host.executor == 0) return;
  if (pillion_executor_free(host.executor) < 0) broken("no free", NULL);
  if (host.pool != 0) pillion_pool_free(host.pool);
  host.executor = 0;
}

static void host_case(const char *file, const char *name) {
  for (int i = 0; i < host.call_count; i++) words_free(&host.calls[i].script);
  host.file = file;
  host.failed = host.skipped = 0;
  host.call_count = host.inbound_count = host.provider_count = 0;
  host.executor = 0;
  host.now = 1000;
  host.number++;
  snprintf(host.name, sizeof host.name, "%s", name);
}

/* ---- Events --------------------------------------------------------------- */

static const char *token_name(uint64_t token) {
  if (token - TOKEN_CALL < (uint64_t)host.call_count)
    return host.calls[token - TOKEN_CALL].name;
  if (token - TOKEN_PROVIDER < (uint64_t)host.provider_count)
    return host.providers[token - TOKEN_PROVIDER].name;
  if (token - TOKEN_INBOUND < (uint64_t)host.inbound_count)
    return host.inbound[token - TOKEN_INBOUND].name;
  return "unknown";
}

static const char *called(const pillion_event *e, const char *payload) {
  static char text[256];
  const char *name = token_name(e->token), *shown = *payload ? payload : "''";
  if (e->task == 0) {
    snprintf(text, sizeof text, "%s:%d:%s", name, e->outcome, shown);
    return text;
  }
  if (host.inbound_count == 16) broken("too many inbound calls", payload);
  struct inbound *in = &host.inbound[host.inbound_count++];
  snprintf(in->name, sizeof in->name, "%s", payload);
  in->task = e->task;
  snprintf(text, sizeof text, "%s?%d:%s%s%s", name, e->outcome, shown,
           e->flags & PILLION_EVENT_LINKED ? "@" : "",
           e->flags & PILLION_EVENT_LINKED ? token_name(e->link) : "");
  return text;
}

static const char *ended(const pillion_event *e, const char *payload) {
  static char text[256];
  int unstarted = e->outcome == PILLION_OUTCOME_CANCELLED_UNSTARTED;
  pillion_failure failure = PILLION_FAILURE_INIT;
  switch (e->status) {
    case 0:
      return *payload ? payload : "''";
    case PILLION_ECANCELLED:
      return unstarted ? "unstarted" : "cancelled";
    case PILLION_ETIMEDOUT:
      return unstarted ? "unstarted" : "late";
    case PILLION_EPANIC:
      return "panic";
    case PILLION_EFAILED:
      if (pillion_failure_parse(&failure, pillion_event_data(e), e->length) < 0)
        return "failed";
      snprintf(text, sizeof text, "failed:%.*s", (int)failure.message_length,
               failure.message);
      return text;
    default:
      return pillion_strerror(e->status);
  }
}

/* The word for an event, until the next. */
static const char *event_word(const pillion_event *e) {
  static char text[512];
  char payload[128];
  const char *name = token_name(e->token), *own = name;
  for (int i = 0; i < host.inbound_count; i++)
    if (host.inbound[i].task == e->task) own = host.inbound[i].name;
  snprintf(payload, sizeof payload, "%.*s", (int)e->length,
           (const char *)pillion_event_data(e));
  switch (e->flags & ~(PILLION_EVENT_LINKED | PILLION_EVENT_FLOWS)) {
    case PILLION_EVENT_CALLED:
      return called(e, payload);
    case PILLION_EVENT_ITEM:
      snprintf(text, sizeof text, "%s>%s", own, *payload ? payload : "''");
      break;
    case PILLION_EVENT_WRITABLE:
      snprintf(text, sizeof text, "%s~%s", own,
               e->status == PILLION_ECLOSED ? "closed" : "");
      break;
    case PILLION_EVENT_FINISHED:
      snprintf(text, sizeof text, "%s/", own);
      break;
    case PILLION_EVENT_CANCEL:
      snprintf(text, sizeof text, "%s!%s", name, own);
      break;
    default:
      snprintf(text, sizeof text, "%s=%s", name, ended(e, payload));
  }
  return text;
}

#endif
