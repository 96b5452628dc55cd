/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_H
#define PILLION_H
#ifndef PILLION_INCLUDE_CALL_H
#define PILLION_INCLUDE_CALL_H
#ifndef PILLION_INCLUDE_POOL_H
#define PILLION_INCLUDE_POOL_H
#ifndef PILLION_INCLUDE_EXECUTOR_H
#define PILLION_INCLUDE_EXECUTOR_H
#ifndef PILLION_INCLUDE_FUTURE_H
#define PILLION_INCLUDE_FUTURE_H
#ifndef PILLION_INCLUDE_ERROR_H
#define PILLION_INCLUDE_ERROR_H
#ifdef __cplusplus
extern "C" {
#endif
#define PILLION_OK 0
#define PILLION_EINVAL (-1)
#define PILLION_ENOMEM (-2)
#define PILLION_EBADHANDLE (-3)
#define PILLION_EWRONGTHREAD (-4)
#define PILLION_EREENTRANT (-5)
#define PILLION_EFORKED (-6)
#define PILLION_EAGAIN (-7)
#define PILLION_EMSGSIZE (-8)
#define PILLION_EBUSY (-9)
#define PILLION_ECLOSED (-10)
#define PILLION_ECANCELLED (-11)
#define PILLION_EPANIC (-12)
#define PILLION_EFAILED (-13)
#define PILLION_ENOTFOUND (-14)
#define PILLION_EVERSION (-15)
#define PILLION_ETIMEDOUT (-16)
#define PILLION_EINTR (-17)
#define PILLION_ESYSTEM (-18)
#define PILLION_EGOEXIT (-19)
#define PILLION_ENOTSUP (-20)
const char *pillion_strerror(int code);
#ifdef __cplusplus
}
#endif
#endif
#ifndef PILLION_INCLUDE_SIZE_H
#define PILLION_INCLUDE_SIZE_H
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
enum {
  PILLION__FIRST_START_OPTIONS = 40,
  PILLION__FIRST_LIBRARY_COUNTS = 72,
  PILLION__FIRST_EXECUTOR_OPTIONS = 88,
  PILLION__FIRST_EXECUTOR_STATS = 88,
  PILLION__FIRST_CONTEXT_HOOKS = 48,
  PILLION__FIRST_BUDGET = 24,
  PILLION__FIRST_PROGRESS = 32,
  PILLION__FIRST_HOST = 64,
  PILLION__FIRST_ATTACH_OPTIONS = 48,
  PILLION__FIRST_POOL_OPTIONS = 40,
  PILLION__FIRST_POOL_STATS = 56,
  PILLION__FIRST_FUNCTION_INFO = 40,
  PILLION__FIRST_CALL_OPTIONS = 64,
  PILLION__FIRST_FAILURE = 40,
  PILLION__FIRST_FUTURE = 24,
  PILLION__SIZE_MOST = 4096
};
static inline int pillion__sized(const void *given, size_t ours, size_t first) {
  const unsigned char *bytes = (const unsigned char *)given;
  size_t size = given == NULL ? 0 : *(const size_t *)given;
  if (size < first || size > PILLION__SIZE_MOST) return PILLION_EINVAL;
  __asm__("" : "+r"(bytes));
  for (size_t at = ours; at < size; at++)
    if (bytes[at] != 0) return PILLION_ENOTSUP;
  return 0;
}
#ifdef __cplusplus
}
#endif
#endif
#ifndef PILLION_INCLUDE_VALUE_H
#define PILLION_INCLUDE_VALUE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#define PILLION_INLINE 24
typedef void (*pillion_release_fn)(void *owner);
typedef struct pillion_value {
  int32_t status;
  uint32_t reserved;
  uint64_t length;
  union {
    uint8_t bytes[PILLION_INLINE];
    struct {
      const void *data;
      pillion_release_fn release;
      void *owner;
    } ref;
  } payload;
} pillion_value;
static inline int pillion_value_set(pillion_value *out, const void *bytes,
                                    size_t length) {
  const uint8_t *from = (const uint8_t *)bytes;
  if (length > PILLION_INLINE) return -1;
  out->status = 0;
  out->reserved = 0;
  out->length = length;
  for (size_t i = 0; i < length; i++) out->payload.bytes[i] = from[i];
  return 0;
}
static inline const void *pillion_value_data(const pillion_value *value) {
  return value->length > PILLION_INLINE ? value->payload.ref.data
                                        : value->payload.bytes;
}
static inline void pillion_value_drop(pillion_value *value) {
  uint64_t length = value->length;
  value->length = 0;
  if (length > PILLION_INLINE && value->payload.ref.release != NULL)
    value->payload.ref.release(value->payload.ref.owner);
}
#ifdef __cplusplus
}
#endif
#endif
#ifdef __cplusplus
extern "C" {
#endif
typedef uint64_t pillion_waker;
typedef uint64_t pillion_task;
typedef uint64_t pillion_watch;
#define PILLION_TIME_NEVER INT64_MAX
#define PILLION_PENDING 0
#define PILLION_READY 1
#define PILLION_OUTCOME_RETURNED 0
#define PILLION_OUTCOME_CANCELLED_UNSTARTED 1
#define PILLION_OUTCOME_CANCELLED_RUNNING 2
#define PILLION_EVENT 0u
#define PILLION_JOIN 1u
#define PILLION_DETACH 2u
typedef struct pillion_ops pillion_ops;
typedef struct pillion_context {
  size_t size;
  pillion_waker waker;
  int64_t now;
  const pillion_ops *ops;
  void *runtime;
  void *child;
} pillion_context;
typedef struct pillion_timer {
  int64_t deadline;
  pillion_waker waker;
  struct pillion_timer *child, *next, *prev;
  const pillion_ops *ops;
  void *runtime;
  uint64_t seq;
} pillion_timer;
typedef struct pillion_future {
  size_t size;
  int (*poll)(pillion_value *out, pillion_context *cx, void *self);
  void (*drop)(void *self);
} pillion_future;
static inline int pillion__future_check(const pillion_future *future) {
  int rc = pillion__sized(future, sizeof *future, PILLION__FIRST_FUTURE);
  return rc == 0 && future->poll == NULL ? PILLION_EINVAL : rc;
}
struct pillion_ops {
  size_t size;
  int (*timer_set)(pillion_timer *timer, pillion_context *cx, int64_t deadline);
  void (*timer_clear)(pillion_timer *timer);
  int (*join)(pillion_value *out, pillion_context *cx, pillion_task task);
  int (*spawn)(pillion_task *out, pillion_context *cx,
               const pillion_future *future, void *self, uint64_t token,
               uint32_t flags);
  int (*wake)(pillion_waker waker);
  int (*shield)(pillion_context *cx, int on);
  int (*cancelled)(pillion_context *cx);
  int (*cancel)(pillion_task task);
  int (*detach)(pillion_task task);
  int (*evict)(pillion_task task);
  uint64_t flags;
  int (*ready)(uint32_t *events, pillion_context *cx, pillion_watch watch,
               uint32_t interest);
  void (*ready_clear)(pillion_context *cx, pillion_watch watch,
                      uint32_t interest);
};
#define PILLION_OPS_SHARED 1u
static inline int pillion_join(pillion_value *out, pillion_context *cx,
                               pillion_task task) {
  return cx->ops->join(out, cx, task);
}
static inline int pillion_spawn(pillion_task *out, pillion_context *cx,
                                const pillion_future *future, void *self,
                                uint64_t token, uint32_t flags) {
  return cx->ops->spawn(out, cx, future, self, token, flags);
}
static inline int pillion_shield(pillion_context *cx, int on) {
  return cx->ops->shield(cx, on);
}
static inline int pillion_cancelled(pillion_context *cx) {
  return cx->ops->cancelled(cx);
}
static inline int pillion_cancel(const pillion_ops *ops, pillion_task task) {
  return ops->cancel(task);
}
static inline int pillion_abandon(const pillion_ops *ops, pillion_task task) {
  if (ops == NULL || task == 0) return 0;
  ops->cancel(task);
  return ops->detach(task);
}
#if defined(__GNUC__) && __GNUC__ >= 7
#define PILLION__FALLTHROUGH __attribute__((fallthrough))
#elif defined(__clang__)
#define PILLION__FALLTHROUGH __attribute__((fallthrough))
#else
#define PILLION__FALLTHROUGH ((void)0)
#endif
#define PILLION_ASYNC(state) \
  switch (state) { \
    case 0:
#define PILLION_AWAIT(state,expression) \
  do { \
    (state) = __LINE__; \
    PILLION__FALLTHROUGH; \
    case __LINE__: { \
      int pillion__rc = (expression); \
      if (pillion__rc != PILLION_READY) return pillion__rc; \
    } \
  } while (0)
#define PILLION_RETURN(state) \
  do { \
    (state) = -1; \
    return PILLION_READY; \
  } while (0)
#define PILLION_ASYNC_END \
  } \
  return PILLION_READY
#ifdef __cplusplus
}
#endif
#endif
#ifndef PILLION_INCLUDE_LIBRARY_H
#define PILLION_INCLUDE_LIBRARY_H
#include <stddef.h>
#include <stdint.h>
#ifndef PILLION_INCLUDE_VERSION_H
#define PILLION_INCLUDE_VERSION_H
#define PILLION_VERSION_MAJOR 0
#define PILLION_VERSION_MINOR 1
#define PILLION_VERSION_PATCH 0
#define PILLION_VERSION_NUMBER \
  ((PILLION_VERSION_MAJOR << 16) | (PILLION_VERSION_MINOR << 8) | \
   PILLION_VERSION_PATCH)
#define PILLION_VERSION_STRING "0.1.0"
#endif
#ifdef __cplusplus
extern "C" {
#endif
int pillion_version(void);
typedef struct pillion_allocator {
  void *(*alloc)(size_t bytes, void *data);
  void (*free)(void *memory, void *data);
  void *data;
} pillion_allocator;
#define PILLION_MAX_PAYLOAD UINT32_MAX
typedef struct pillion_start_options {
  size_t size;
  int version;
  uint32_t ring;
  uint32_t max_calls;
  uint32_t max_workers;
  uint64_t max_request;
  const pillion_allocator *allocator;
} pillion_start_options;
#define PILLION_START_OPTIONS_INIT \
  {sizeof(pillion_start_options), PILLION_VERSION_NUMBER, 0, 0, 0, 0, NULL}
int pillion_start(const pillion_start_options *options, char *errbuf,
                  size_t errcap);
#define PILLION_CLOSE_DRAIN 0
#define PILLION_CLOSE_CANCEL 1
int pillion_shutdown(int mode, int64_t timeout);
#define PILLION_LOG_WARNING 1
typedef void (*pillion_drop_fn)(void *data);
typedef void (*pillion_log_fn)(int level, const char *text, void *data);
int pillion_log_set(pillion_log_fn fn, void *data, pillion_drop_fn drop);
typedef struct pillion_library_counts {
  size_t size;
  uint64_t executors;
  uint64_t tasks;
  uint64_t calls;
  uint64_t payloads;
  uint64_t workers;
  uint64_t parked;
  uint64_t watches;
  uint64_t pools;
  uint64_t threads;
  uint64_t max_workers;
} pillion_library_counts;
#define PILLION_LIBRARY_COUNTS_INIT \
  {sizeof(pillion_library_counts), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
int pillion_library_count(pillion_library_counts *out);
#ifdef __cplusplus
}
#endif
#endif
#ifdef __cplusplus
extern "C" {
#endif
typedef uint64_t pillion_executor;
typedef struct pillion_context_hooks {
  size_t size;
  void *data;
  void *(*capture)(void *data);
  void (*enter)(void *token, void *data);
  void (*leave)(void *token, void *data);
  void (*release)(void *token, void *data);
} pillion_context_hooks;
#define PILLION_CONTEXT_HOOKS_INIT \
  {sizeof(pillion_context_hooks), NULL, NULL, NULL, NULL, NULL}
typedef struct pillion_executor_options {
  size_t size;
  int version;
  uint32_t flags;
  uint32_t max_tasks;
  uint32_t max_calls;
  uint32_t max_timers;
  uint32_t max_watches;
  uint32_t ready;
  uint32_t max_polls;
  int64_t max_ns;
  uint64_t seed;
  int64_t (*clock)(void *data);
  void *clock_data;
  const pillion_context_hooks *context_hooks;
  uint32_t posts;
  uint32_t gather;
} pillion_executor_options;
#define PILLION_NO_FD 1u
#define PILLION_EXECUTOR_OPTIONS_INIT \
  {sizeof(pillion_executor_options), PILLION_VERSION_NUMBER, 0, 0, 0, 0, 0, \
   0, 0, 0, 0, NULL, NULL, NULL, 0, 0}
int pillion_executor_new(pillion_executor *out,
                         const pillion_executor_options *options, char *errbuf,
                         size_t errcap);
int pillion_executor_fd(int *out, pillion_executor executor);
int pillion_executor_deadline(int64_t *out, pillion_executor executor);
int pillion_executor_live(uint64_t *out, pillion_executor executor);
#define PILLION_EVENT_POSTED 1u
typedef struct pillion_event {
  uint64_t token;
  pillion_task task;
  int32_t status;
  uint16_t outcome;
  uint16_t flags;
  uint64_t length;
  union {
    uint8_t bytes[PILLION_INLINE];
    const void *data;
  } payload;
  uint64_t reserved;
} pillion_event;
static inline const void *pillion_event_data(const pillion_event *event) {
  return event->length > PILLION_INLINE ? event->payload.data
                                        : (const void *)event->payload.bytes;
}
typedef struct pillion_budget {
  size_t size;
  uint32_t max_polls;
  uint32_t depth;
  int64_t max_ns;
} pillion_budget;
#define PILLION_BUDGET_INIT {sizeof(pillion_budget), 0, 0, 0}
typedef struct pillion_progress {
  size_t size;
  uint32_t polled;
  uint32_t more;
  int64_t deadline;
  uint64_t live;
} pillion_progress;
#define PILLION_PROGRESS_INIT {sizeof(pillion_progress), 0, 0, 0, 0}
int pillion_executor_turn(pillion_event *events, size_t cap,
                          pillion_progress *progress, pillion_executor executor,
                          const pillion_budget *budget);
int pillion_executor_post(pillion_executor executor, uint64_t token,
                          const void *payload, size_t length);
int pillion_executor_bind(pillion_executor executor);
int pillion_executor_release(pillion_executor executor);
int pillion_executor_close(pillion_executor executor, int mode);
int pillion_executor_free(pillion_executor executor);
typedef struct pillion_executor_stats {
  size_t size;
  uint64_t turns;
  uint64_t polls;
  uint64_t wakes;
  uint64_t pokes;
  uint64_t poke_errors;
  uint64_t spawned;
  uint64_t dropped;
  uint64_t calls;
  uint64_t events;
  uint64_t go_entries;
} pillion_executor_stats;
#define PILLION_EXECUTOR_STATS_INIT \
  {sizeof(pillion_executor_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
int pillion_executor_stat(pillion_executor_stats *out,
                          pillion_executor executor);
#ifdef __cplusplus
}
#endif
#endif
#ifdef __cplusplus
extern "C" {
#endif
typedef uint64_t pillion_pool;
typedef struct pillion_pool_options {
  size_t size;
  int version;
  uint32_t flags;
  uint32_t max_tasks;
  uint32_t reserved;
  uint64_t seed;
  const pillion_context_hooks *context_hooks;
} pillion_pool_options;
#define PILLION_POOL_OPTIONS_INIT \
  {sizeof(pillion_pool_options), PILLION_VERSION_NUMBER, 0, 0, 0, 0, NULL}
int pillion_pool_new(pillion_pool *out, const pillion_pool_options *options,
                     char *errbuf, size_t errcap);
#define PILLION_HOLD 1u
int pillion_pool_join(pillion_pool pool, pillion_executor executor,
                      uint32_t flags);
int pillion_pool_leave(pillion_executor executor);
int pillion_pool_spawn(pillion_task *out, pillion_pool pool,
                       pillion_executor home, const pillion_future *future,
                       void *self, uint64_t token, uint32_t flags);
int pillion_pool_start(pillion_pool pool, uint32_t n);
int pillion_pool_stop(pillion_pool pool, int64_t timeout);
int pillion_pool_close(pillion_pool pool, int mode);
int pillion_pool_free(pillion_pool pool);
typedef struct pillion_pool_stats {
  size_t size;
  uint64_t workers;
  uint64_t idle;
  uint64_t threads;
  uint64_t live;
  uint64_t polls;
  uint64_t steals;
} pillion_pool_stats;
#define PILLION_POOL_STATS_INIT {sizeof(pillion_pool_stats), 0, 0, 0, 0, 0, 0}
int pillion_pool_stat(pillion_pool_stats *out, pillion_pool pool);
#ifdef __cplusplus
}
#endif
#endif
#ifdef __cplusplus
extern "C" {
#endif
typedef uint64_t pillion_function;
#define PILLION_KIND_OFFLOAD 0
#define PILLION_KIND_CPU 1
#define PILLION_KIND_LOOP 2
#define PILLION_KIND_ASYNC 3
typedef struct pillion_function_info {
  size_t size;
  const char *name;
  const char *module;
  const char *descriptor;
  uint32_t kind;
  uint32_t reserved;
} pillion_function_info;
#define PILLION_FUNCTION_INFO_INIT \
  {sizeof(pillion_function_info), NULL, NULL, NULL, 0, 0}
int pillion_function_find(pillion_function *out, const char *name);
int pillion_function_list(pillion_function *out, size_t cap);
int pillion_function_describe(pillion_function_info *out,
                              pillion_function function);
int pillion_module_list(const char **out, size_t cap);
int pillion_call_submit(pillion_task *out, pillion_executor executor,
                        pillion_function function, const void *request,
                        size_t length, uint64_t token, uint32_t flags);
typedef struct pillion_call_options {
  size_t size;
  pillion_function function;
  const void *request;
  size_t length;
  uint64_t token;
  uint32_t flags;
  uint32_t reserved;
  int64_t deadline;
  pillion_pool pool;
} pillion_call_options;
#define PILLION_CALL_OPTIONS_INIT \
  {sizeof(pillion_call_options), 0, NULL, 0, 0, 0, 0, PILLION_TIME_NEVER, 0}
int pillion_call_submit_with(pillion_task *out, pillion_executor executor,
                             const pillion_call_options *options);
typedef struct pillion_call {
  pillion_function function;
  uint64_t token;
  uint64_t request;
  uint64_t length;
} pillion_call;
int pillion_call_batch(pillion_task *out, pillion_executor executor,
                       const pillion_call *calls, size_t count,
                       const void *base, uint32_t flags);
int pillion_call_wait(pillion_value *out, pillion_function function,
                      const void *request, size_t length, int64_t timeout);
typedef struct pillion_failure {
  size_t size;
  int32_t code;
  uint32_t message_length;
  const char *message;
  const char *stack;
  uint64_t stack_length;
} pillion_failure;
#define PILLION_FAILURE_INIT {sizeof(pillion_failure), 0, 0, NULL, NULL, 0}
int pillion_failure_parse(pillion_failure *out, const void *payload,
                          size_t length);
#ifdef __cplusplus
}
#endif
#endif
#ifndef PILLION_INCLUDE_HOST_H
#define PILLION_INCLUDE_HOST_H
#ifndef PILLION_INCLUDE_WATCH_H
#define PILLION_INCLUDE_WATCH_H
#ifdef __cplusplus
extern "C" {
#endif
#define PILLION_READABLE 1u
#define PILLION_WRITABLE 2u
#define PILLION_HANGUP 4u
#define PILLION_PRIORITY 8u
#define PILLION_FAULT 16u
#define PILLION_WATCH_OWN 1u
int pillion_watch_open(pillion_watch *out, pillion_executor executor, int fd,
                       uint32_t flags);
int pillion_watch_close(pillion_watch watch);
static inline int pillion_ready(uint32_t *events, pillion_context *cx,
                                pillion_watch watch, uint32_t interest) {
  if (cx->ops->ready == NULL) return PILLION_ENOTSUP;
  return cx->ops->ready(events, cx, watch, interest);
}
static inline void pillion_ready_clear(pillion_context *cx, pillion_watch watch,
                                       uint32_t interest) {
  if (cx->ops->ready_clear != NULL) cx->ops->ready_clear(cx, watch, interest);
}
#ifdef __cplusplus
}
#endif
#endif
#ifdef __cplusplus
extern "C" {
#endif
typedef struct pillion_host {
  size_t size;
  void *data;
  int (*wake)(void *data);
  void (*timer)(int64_t deadline, void *data);
  void (*live)(int live, void *data);
  void (*drop)(void *data);
  int (*watch)(int fd, uint32_t events, uint64_t key, void *data);
  void (*unwatch)(int fd, uint64_t key, void *data);
} pillion_host;
#define PILLION_HOST_INIT \
  {sizeof(pillion_host), NULL, NULL, NULL, NULL, NULL, NULL, NULL}
int pillion_host_set(pillion_executor executor, const pillion_host *host);
int pillion_host_get(pillion_host *out, pillion_executor executor);
int pillion_host_epoll(int *out, pillion_executor executor);
typedef void (*pillion_event_fn)(const pillion_event *event, void *data);
typedef struct pillion_attach_options {
  size_t size;
  int version;
  int32_t priority;
  pillion_event_fn on_event;
  void *data;
  pillion_drop_fn drop;
  const char *library;
} pillion_attach_options;
#define PILLION_ATTACH_OPTIONS_INIT \
  {sizeof(pillion_attach_options), \
   PILLION_VERSION_NUMBER, \
   0, \
   NULL, \
   NULL, \
   NULL, \
   NULL}
int pillion_executor_attach(pillion_executor executor, const char *name,
                            void *loop, const pillion_attach_options *options,
                            char *errbuf, size_t errcap);
int pillion_executor_detach(pillion_executor executor);
#define PILLION_TURN_FOLLOWS 0x80000000u
int pillion_executor_ready(pillion_executor executor, uint64_t key,
                           uint32_t events);
#ifdef __cplusplus
}
#endif
#endif
#ifndef PILLION_INCLUDE_SCOPE_H
#define PILLION_INCLUDE_SCOPE_H
#ifndef PILLION_INCLUDE_CHILD_H
#define PILLION_INCLUDE_CHILD_H
#ifdef __cplusplus
extern "C" {
#endif
typedef struct pillion_scope pillion_scope;
typedef struct pillion_child pillion_child;
struct pillion_child {
  pillion_value value;
  uint32_t outcome;
  uint32_t state;
  pillion_child *next_failed;
  void (*release)(pillion_child *child);
  const pillion_future *future;
  void *self;
  pillion_scope *scope;
  pillion_task task;
  pillion_child *next, *prev;
  pillion_child *link;
  pillion_scope *scopes;
  int shared;
  int failed;
  int busy;
};
struct pillion_scope {
  pillion_child *first;
  pillion_child *last_failed;
  pillion_child
      *arrived;
  pillion_child *running, *waiting, *ended;
  const pillion_ops *ops;
  pillion_waker waker;
  uint32_t count;
  uint32_t limit;
  uint32_t cancelled;
  uint32_t told;
  uint32_t dropped;
  pillion_child *owner;
  pillion_scope *later, *earlier;
  pillion_scope *fells;
  uint32_t lost;
  uint32_t kept;
};
enum pillion__child_state {
  PILLION__CHILD_WAITING = 1,
  PILLION__CHILD_STARTED = 2,
  PILLION__CHILD_ENDED = 3,
  PILLION__CHILD_DETACHED = 4
};
static inline void pillion__children_add(pillion_child **ring,
                                         pillion_child *child) {
  pillion_child *first = *ring;
  if (first == NULL) {
    *ring = child->next = child->prev = child;
    return;
  }
  child->next = first;
  child->prev = first->prev;
  first->prev->next = child;
  first->prev = child;
}
static inline void pillion__children_remove(pillion_child **ring,
                                            pillion_child *child) {
  if (child->next == child) {
    *ring = NULL;
    return;
  }
  child->prev->next = child->next;
  child->next->prev = child->prev;
  if (*ring == child) *ring = child->next;
}
static inline void pillion__scope_list(pillion_scope *scope,
                                       pillion_context *cx) {
  pillion_child *owner = (pillion_child *)cx->child;
  scope->owner = owner;
  if (owner == NULL) return;
  scope->earlier = NULL;
  scope->later = owner->scopes;
  if (scope->later != NULL) scope->later->earlier = scope;
  owner->scopes = scope;
}
static inline void pillion__scope_unlist(pillion_scope *scope) {
  if (scope->owner == NULL) return;
  if (scope->earlier != NULL) scope->earlier->later = scope->later;
  else scope->owner->scopes = scope->later;
  if (scope->later != NULL) scope->later->earlier = scope->earlier;
  scope->owner = NULL;
}
static inline void pillion__scope_less(pillion_scope *scope) {
  if (--scope->count == 0) pillion__scope_unlist(scope);
}
static inline int pillion__child_poll(pillion_value *out, pillion_context *cx,
                                      void *self) {
  pillion_child *child = (pillion_child *)self;
  (void)out;
  child->outcome = PILLION_OUTCOME_CANCELLED_RUNNING;
  child->value.status = 0;
  child->value.length = 0;
  child->busy = 1;
  if (!child->shared) cx->child = child;
  int rc = child->future->poll(&child->value, cx, child->self);
  if (!child->shared) cx->child = NULL;
  child->busy = 0;
  if (rc == PILLION_PENDING) return PILLION_PENDING;
  if (rc < 0) {
    child->value.status = rc;
    child->value.length = 0;
  }
  child->outcome = PILLION_OUTCOME_RETURNED;
  return PILLION_READY;
}
static inline void pillion__child_end(pillion_child *child, int32_t status) {
  if (child->future->drop != NULL) child->future->drop(child->self);
  if (child->outcome == PILLION_OUTCOME_RETURNED) return;
  child->value.status = status;
  child->value.length = 0;
}
static inline pillion_scope *pillion__child_leave(pillion_child *child) {
  if (child->shared)
    return __atomic_exchange_n(&child->scope, (pillion_scope *)NULL,
                               __ATOMIC_ACQ_REL);
  pillion_scope *scope = child->scope;
  child->scope = NULL;
  return scope;
}
static inline int pillion__child_failed(const pillion_child *child,
                                        const pillion_scope *scope) {
  int32_t status = child->value.status;
  return status < 0 &&
         !((scope->cancelled || scope->told) && status == PILLION_ECANCELLED);
}
static inline void pillion__scope_tell(pillion_scope *scope) {
  pillion_child *child = scope->running;
  if (scope->told || child == NULL) return;
  scope->told = 1;
  do {
    scope->ops->cancel(child->task);
    child = child->next;
  } while (child != scope->running);
}
static inline void pillion__child_drop(void *self) {
  pillion_child *child = (pillion_child *)self;
  child->busy = 1;
  while (child->scopes != NULL) pillion__scope_unlist(child->scopes);
  pillion__child_end(child, PILLION_ECANCELLED);
  pillion_scope *scope = pillion__child_leave(child);
  if (scope == NULL) {
    pillion_value_drop(&child->value);
    if (child->release != NULL) child->release(child);
    return;
  }
  const pillion_ops *ops = !child->shared && scope->dropped ? NULL : scope->ops;
  pillion_waker waker = scope->waker;
  if (child->shared) {
    child->link = __atomic_load_n(&scope->arrived, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&scope->arrived, &child->link, child, 1,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
  } else {
    child->failed = pillion__child_failed(child, scope);
    child->link = scope->arrived;
    scope->arrived = child;
    if (child->failed) pillion__scope_tell(scope);
  }
  if (ops != NULL) ops->wake(waker);
}
#ifdef __cplusplus
}
#endif
#endif
#ifdef __cplusplus
extern "C" {
#endif
static inline void pillion__scope_ended(pillion_scope *scope,
                                        pillion_child *child) {
  child->state = PILLION__CHILD_ENDED;
  child->next_failed = NULL;
  pillion__children_add(&scope->ended, child);
  if (!child->failed) return;
  if (scope->first == NULL) scope->first = child;
  else scope->last_failed->next_failed = child;
  scope->last_failed = child;
}
static inline pillion_child *pillion__scope_arrivals(pillion_scope *scope) {
  pillion_child *list, *next, *in_order = NULL;
  if (scope->ops->flags & PILLION_OPS_SHARED) {
    list = __atomic_exchange_n(&scope->arrived, (pillion_child *)NULL,
                               __ATOMIC_ACQUIRE);
  } else {
    list = scope->arrived;
    scope->arrived = NULL;
  }
  for (; list != NULL; list = next) {
    next = list->link;
    list->link = in_order;
    in_order = list;
  }
  return in_order;
}
static inline void pillion__scope_refuse(pillion_scope *scope,
                                         pillion_child *child, int status) {
  pillion__children_remove(&scope->waiting, child);
  child->scope = NULL;
  pillion__child_end(child, status);
  child->failed = pillion__child_failed(child, scope);
  pillion__scope_ended(scope, child);
}
static inline int pillion_scope_cancel(pillion_scope *scope) {
  if (scope->cancelled) return 1;
  scope->cancelled = 1;
  while (scope->waiting != NULL)
    pillion__scope_refuse(scope, scope->waiting, PILLION_ECANCELLED);
  pillion__scope_tell(scope);
  return 0;
}
static inline int pillion__scope_start(pillion_task *out, pillion_context *cx,
                                       pillion_child *child) {
  static const pillion_future future = {
      sizeof(pillion_future), pillion__child_poll, pillion__child_drop};
  return cx->ops->spawn(out, cx, &future, child, 0, PILLION_DETACH);
}
static inline int pillion__scope_run(pillion_scope *scope, pillion_context *cx,
                                     pillion_child *child) {
  child->state = PILLION__CHILD_STARTED;
  pillion__children_add(&scope->running, child);
  if (scope->count++ == 0 && !child->shared) pillion__scope_list(scope, cx);
  int rc = pillion__scope_start(&child->task, cx, child);
  if (rc == 0) return 0;
  pillion__children_remove(&scope->running, child);
  pillion__scope_less(scope);
  child->state = PILLION__CHILD_WAITING;
  return rc;
}
static inline void pillion__scope_go_on(pillion_scope *scope,
                                        pillion_context *cx) {
  while (scope->waiting != NULL &&
         (scope->limit == 0 || scope->count < scope->limit)) {
    pillion_child *child = scope->waiting;
    pillion__children_remove(&scope->waiting, child);
    int rc = pillion__scope_run(scope, cx, child);
    if (rc == 0) continue;
    pillion__children_add(&scope->waiting, child);
    scope->waiting = child;
    if (rc == PILLION_EAGAIN && scope->count > 0) return;
    pillion__scope_refuse(scope, child, rc);
    pillion_scope_cancel(scope);
  }
}
static inline void pillion__scope_look(pillion_scope *scope,
                                       pillion_context *cx) {
  pillion_child *child = pillion__scope_arrivals(scope), *next;
  for (; child != NULL; child = next) {
    next = child->link;
    pillion__children_remove(&scope->running, child);
    pillion__scope_less(scope);
    if (child->shared) child->failed = pillion__child_failed(child, scope);
    pillion__scope_ended(scope, child);
  }
  if (scope->first != NULL || cx->ops->cancelled(cx))
    pillion_scope_cancel(scope);
  pillion__scope_go_on(scope, cx);
}
static inline void pillion_scope_init(pillion_scope *scope, uint32_t limit) {
  scope->first = scope->last_failed = scope->arrived = NULL;
  scope->running = scope->waiting = scope->ended = NULL;
  scope->ops = NULL;
  scope->waker = 0;
  scope->count = scope->cancelled = scope->told = scope->dropped = 0;
  scope->owner = NULL;
  scope->fells = NULL;
  scope->lost = scope->kept = 0;
  scope->limit = limit;
}
static inline int pillion_scope_spawn(pillion_child *child,
                                      pillion_scope *scope, pillion_context *cx,
                                      const pillion_future *future,
                                      void *self) {
  int rc = pillion__future_check(future);
  if (rc < 0) return rc;
  if (scope->ops == NULL) {
    scope->ops = cx->ops;
    scope->waker = cx->waker;
  }
  if (scope->waker != cx->waker) return PILLION_EINVAL;
  pillion__scope_look(scope, cx);
  if (scope->first != NULL) return scope->first->value.status;
  if (scope->cancelled) return PILLION_ECANCELLED;
  child->value.status = 0;
  child->value.reserved = 0;
  child->value.length = 0;
  child->outcome = PILLION_OUTCOME_CANCELLED_UNSTARTED;
  child->state = PILLION__CHILD_WAITING;
  child->next_failed = NULL;
  child->release = NULL;
  child->scopes = NULL;
  child->busy = 0;
  child->future = future;
  child->self = self;
  child->scope = scope;
  child->task = 0;
  child->shared = (cx->ops->flags & PILLION_OPS_SHARED) != 0;
  if (scope->waiting != NULL ||
      (scope->limit != 0 && scope->count >= scope->limit)) {
    pillion__children_add(&scope->waiting, child);
    return 0;
  }
  return pillion__scope_run(scope, cx, child);
}
static inline int pillion_scope_next(pillion_child **out, pillion_scope *scope,
                                     pillion_context *cx) {
  *out = NULL;
  if (scope->ops != NULL) {
    if (scope->waker != cx->waker) return PILLION_EINVAL;
    pillion__scope_look(scope, cx);
  }
  if (scope->ended == NULL)
    return scope->count == 0 && scope->waiting == NULL ? PILLION_READY
                                                       : PILLION_PENDING;
  *out = scope->ended;
  pillion__children_remove(&scope->ended, *out);
  return PILLION_READY;
}
static inline int pillion_scope_join(pillion_scope *scope,
                                     pillion_context *cx) {
  if (scope->ops != NULL) {
    if (scope->waker != cx->waker) return PILLION_EINVAL;
    pillion__scope_look(scope, cx);
    if (scope->count > 0 || scope->waiting != NULL) return PILLION_PENDING;
    scope->ended = NULL;
    scope->ops = NULL;
  }
  return scope->first == NULL ? PILLION_READY : scope->first->value.status;
}
static inline int pillion_scope_detach(pillion_child *child,
                                       pillion_scope *scope,
                                       pillion_context *cx) {
  uint32_t state = child->state;
  if (scope->ops != NULL && scope->waker != cx->waker) return PILLION_EINVAL;
  if (state == PILLION__CHILD_ENDED) return 2;
  if (state == PILLION__CHILD_WAITING) {
    pillion__children_remove(&scope->waiting, child);
    child->scope = NULL;
    child->state = PILLION__CHILD_DETACHED;
    int rc = pillion__scope_start(NULL, cx, child);
    if (rc == 0) return 0;
    child->scope = scope;
    child->state = PILLION__CHILD_WAITING;
    pillion__children_add(&scope->waiting, child);
    return rc;
  }
  if (state != PILLION__CHILD_STARTED) return PILLION_EINVAL;
  pillion__children_remove(&scope->running, child);
  child->state = PILLION__CHILD_DETACHED;
  if (pillion__child_leave(child) != NULL) {
    pillion__scope_less(scope);
    return 0;
  }
  child->state = PILLION__CHILD_STARTED;
  pillion__children_add(&scope->running, child);
  return 2;
}
static inline int pillion__scope_evict(pillion_scope *scope,
                                       pillion_child *child, int shared) {
  const pillion_ops *ops = scope->ops;
  pillion_task task = child->task;
  if (!shared && child->scope != NULL && ops->evict(task) == 0) return 1;
  pillion__children_remove(&scope->running, child);
  child->state = PILLION__CHILD_DETACHED;
  if (pillion__child_leave(child) == NULL) return 0;
  scope->count--;
  ops->cancel(task);
  if (!shared) scope->kept = 1;
  return 0;
}
static inline void pillion__scope_fell(pillion_scope *top) {
  pillion_scope *scope = top;
  for (;;) {
    pillion_child *child = scope->running;
    if (child != NULL && child->scopes != NULL && !child->busy) {
      scope = child->scopes;
      scope->cancelled = scope->dropped = 1;
      if (scope->fells != NULL) scope->fells->lost = 1;
      scope->fells = top;
    } else if (scope == top) {
      return;
    } else if (child == NULL) {
      pillion_child *owner = scope->owner;
      pillion__scope_unlist(scope);
      scope->fells = NULL;
      scope = owner->scope;
    } else {
      top->lost = 0;
      int ended = pillion__scope_evict(scope, child, 0);
      if (top->lost) scope = top;
      else if (ended) pillion__children_remove(&scope->running, child);
    }
  }
}
static inline int pillion_scope_drop(pillion_scope *scope) {
  if (scope->ops == NULL) return 0;
  if (scope->fells == scope) return PILLION_EREENTRANT;
  int shared = (scope->ops->flags & PILLION_OPS_SHARED) != 0;
  scope->cancelled = 1;
  if (!shared) scope->dropped = 1;
  if (scope->fells != NULL) scope->fells->lost = 1;
  scope->fells = scope;
  while (scope->waiting != NULL)
    pillion__scope_refuse(scope, scope->waiting, PILLION_ECANCELLED);
  while (scope->running != NULL) {
    if (!shared) pillion__scope_fell(scope);
    pillion_child *child = scope->running;
    if (child != NULL && pillion__scope_evict(scope, child, shared))
      pillion__children_remove(&scope->running, child);
  }
  while (scope->count > 0) {
    pillion_child *child = pillion__scope_arrivals(scope), *next;
    for (; child != NULL; child = next) {
      next = child->link;
      scope->count--;
      pillion_value_drop(&child->value);
      child->state = PILLION__CHILD_ENDED;
    }
  }
  while (scope->ended != NULL) {
    pillion_child *child = scope->ended;
    pillion__children_remove(&scope->ended, child);
    pillion_value_drop(&child->value);
  }
  pillion__scope_unlist(scope);
  int result = scope->kept ? PILLION_EREENTRANT : 0;
  pillion_scope_init(scope, scope->limit);
  return result;
}
#ifdef __cplusplus
}
#endif
#endif
#ifndef PILLION_INCLUDE_TASK_H
#define PILLION_INCLUDE_TASK_H
#ifdef __cplusplus
extern "C" {
#endif
int pillion_task_spawn(pillion_task *out, pillion_executor executor,
                       const pillion_future *future, void *self, uint64_t token,
                       uint32_t flags);
int pillion_task_cancel(pillion_task task);
int pillion_task_deadline(pillion_timer *storage, pillion_task task,
                          int64_t at);
int pillion_task_detach(pillion_task task);
int pillion_task_evict(pillion_task task);
int pillion_task_wait(pillion_value *out, pillion_task task, int64_t timeout);
#define PILLION_WOKEN 0
#define PILLION_COALESCED 1
#define PILLION_STALE 2
int pillion_wake(pillion_waker waker);
int pillion_wake_local(pillion_waker waker);
#ifdef __cplusplus
}
#endif
#endif
#ifndef PILLION_INCLUDE_TIME_H
#define PILLION_INCLUDE_TIME_H
#ifdef __cplusplus
extern "C" {
#endif
static inline int64_t pillion__time_after(int64_t now, int64_t ns) {
  if (ns <= 0) return now;
  return now > PILLION_TIME_NEVER - ns ? PILLION_TIME_NEVER : now + ns;
}
static inline int pillion_timer_set(pillion_timer *timer, pillion_context *cx,
                                    int64_t deadline) {
  return cx->ops->timer_set(timer, cx, deadline);
}
static inline void pillion_timer_clear(pillion_timer *timer) {
  if (timer->ops == NULL) return;
  timer->ops->timer_clear(timer);
  timer->deadline = 0;
}
static inline int pillion_sleep(pillion_timer *timer, pillion_context *cx,
                                int64_t ns) {
  if (timer->deadline == 0) {
    if (ns <= 0) return PILLION_READY;
    int rc = pillion_timer_set(timer, cx, pillion__time_after(cx->now, ns));
    return rc < 0 ? rc : PILLION_PENDING;
  }
  if (cx->now < timer->deadline) return PILLION_PENDING;
  pillion_timer_clear(timer);
  return PILLION_READY;
}
static inline int pillion_sleep_until(pillion_timer *timer, pillion_context *cx,
                                      int64_t at) {
  if (cx->now >= at) {
    pillion_timer_clear(timer);
    return PILLION_READY;
  }
  if (timer->deadline == at && timer->waker == cx->waker)
    return PILLION_PENDING;
  int rc = pillion_timer_set(timer, cx, at);
  return rc < 0 ? rc : PILLION_PENDING;
}
static inline int pillion_timeout(pillion_timer *timer, pillion_context *cx,
                                  int64_t ns, int rc) {
  if (rc != PILLION_PENDING) {
    pillion_timer_clear(timer);
    return rc;
  }
  rc = pillion_sleep(timer, cx, ns);
  return rc == PILLION_READY ? PILLION_ETIMEDOUT : rc;
}
#define PILLION_MISSED_BURST 0
#define PILLION_MISSED_DELAY \
  1
#define PILLION_MISSED_SKIP \
  2
typedef struct pillion_interval {
  pillion_timer timer;
  int64_t period;
  int64_t next;
  int32_t missed;
  uint32_t reserved;
} pillion_interval;
static inline int pillion_interval_init(pillion_interval *interval,
                                        int64_t period, int missed) {
  static const pillion_interval none = {
      {0, 0, NULL, NULL, NULL, NULL, NULL, 0}, 0, 0, 0, 0};
  *interval = none;
  interval->period = period;
  interval->missed = missed;
  return period > 0 && missed >= PILLION_MISSED_BURST &&
                 missed <= PILLION_MISSED_SKIP
             ? 0
             : PILLION_EINVAL;
}
static inline int pillion_interval_tick(uint64_t *missed,
                                        pillion_interval *interval,
                                        pillion_context *cx) {
  int64_t now = cx->now, from, late;
  if (interval->period <= 0) return PILLION_EINVAL;
  if (interval->next == 0)
    interval->next = pillion__time_after(now, interval->period);
  if (now < interval->next)
    return pillion_sleep_until(&interval->timer, cx, interval->next);
  pillion_timer_clear(&interval->timer);
  late = (now - interval->next) / interval->period;
  if (missed != NULL) *missed = (uint64_t)late;
  from = interval->missed == PILLION_MISSED_DELAY ? now
         : interval->missed == PILLION_MISSED_SKIP
             ? interval->next + late * interval->period
             : interval->next;
  interval->next = pillion__time_after(from, interval->period);
  return PILLION_READY;
}
static inline void pillion_interval_clear(pillion_interval *interval) {
  pillion_timer_clear(&interval->timer);
}
#ifdef __cplusplus
}
#endif
#endif
#endif
