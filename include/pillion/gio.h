/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_GIO_H
#define PILLION_INCLUDE_GIO_H

/*
 * Calls of Go functions in GTask's form, for programs on GIO 2.52 or later. The
 * executor is on a GMainContext by pillion/glib.h.
 *
 *     pillion_glib_call_async(ex, f, "you", 3, cancellable, ready, self);
 *
 *     static void ready(GObject *object, GAsyncResult *result, gpointer self) {
 *       GError *error = NULL;
 *       GBytes *bytes = pillion_glib_call_finish(result, &error);
 *
 * The callback may do everything: free the executor, or run a loop in which
 * tasks and calls go on.
 */

#include <gio/gio.h>

#include "../pillion.h"

#define PILLION_GLIB_ERROR g_quark_from_static_string("pillion-glib-error")

struct pillion__glib_call { /* the task's data, and a future */
  GTask *task;
  pillion_task call; /* 0 when the value is there */
  pillion_value value;
  gulong cancelled;
};

/* The handle is the data, so a cancel that comes late does no harm. */
static inline void pillion__glib_cancel(GCancellable *cancellable,
                                        gpointer call) {
  (void)cancellable;
  pillion_task_cancel((pillion_task)(uintptr_t)call);
}

static inline gboolean pillion__glib_answer(gpointer data) {
  GTask *task = (GTask *)data;
  struct pillion__glib_call *call =
      (struct pillion__glib_call *)g_task_get_task_data(task);
  pillion_value *value = &call->value;
  pillion_failure failure = PILLION_FAILURE_INIT;
  const void *bytes = pillion_value_data(value);
  if (call->cancelled != 0)
    g_signal_handler_disconnect(g_task_get_cancellable(task), call->cancelled);
  if (value->status == 0) {
    GBytes *result = value->length > PILLION_INLINE
                         ? g_bytes_new_with_free_func(
                               bytes, value->length, value->payload.ref.release,
                               value->payload.ref.owner)
                         : g_bytes_new(bytes, value->length);
    g_task_return_pointer(task, result, (GDestroyNotify)g_bytes_unref);
  } else {
    int cancelled = value->status == PILLION_ECANCELLED;
    gchar *text =
        pillion_failure_parse(&failure, bytes, value->length) == 0
            ? g_utf8_make_valid(failure.message, failure.message_length)
            : g_strdup(pillion_strerror(value->status));
    g_task_return_new_error(task, cancelled ? G_IO_ERROR : PILLION_GLIB_ERROR,
                            cancelled ? G_IO_ERROR_CANCELLED : value->status,
                            "%s", text);
    g_free(text);
    pillion_value_drop(value);
  }
  return G_SOURCE_REMOVE;
}

static inline int pillion__glib_await(pillion_value *out, pillion_context *cx,
                                      void *self) {
  struct pillion__glib_call *call = (struct pillion__glib_call *)self;
  int rc = PILLION_READY;
  (void)out;
  if (call->call != 0) rc = pillion_join(&call->value, cx, call->call);
  if (rc == PILLION_PENDING) return rc;
  if (rc < 0) call->value.status = rc;
  call->call = 0;
  return PILLION_READY;
}

/* The callback comes from a source of its own: outside of the turn, in the
 * starter's context, and in any loop that runs. */
static inline void pillion__glib_ended(void *self) {
  struct pillion__glib_call *call = (struct pillion__glib_call *)self;
  GTask *task = call->task;
  GSource *source = g_idle_source_new();
  if (call->call != 0) {
    pillion_task_cancel(call->call);
    pillion_task_detach(call->call);
    call->value.status = PILLION_ECLOSED;
  }
  g_task_attach_source(task, source, pillion__glib_answer);
  g_source_unref(source);
  g_object_unref(task);
}

/*
 * pillion_glib_call_async calls a Go function, and `callback` when it has
 * ended: in the thread's default context, as with every GTask. The executor may
 * be on that context or on another host. When `cancellable` (may be NULL) is
 * cancelled, the call is: what the function then returns decides how it ends.
 * If that was before, there is no call.
 *
 * Threads: the owner's.
 * Reentrancy: anywhere.
 * Ownership: the request is copied before the call returns; `user_data` must
 *   stay until `callback`, which also comes if the executor is freed.
 * Returns: nothing; errors come by pillion_glib_call_finish.
 * Since: 0.1
 */
static inline void pillion_glib_call_async(pillion_executor executor,
                                           pillion_function function,
                                           const void *request, gsize length,
                                           GCancellable *cancellable,
                                           GAsyncReadyCallback callback,
                                           gpointer user_data) {
  static const pillion_future future = {
      sizeof(pillion_future), pillion__glib_await, pillion__glib_ended};
  struct pillion__glib_call *call = g_new0(struct pillion__glib_call, 1);
  call->task = g_task_new(NULL, cancellable, callback, user_data);
  g_task_set_check_cancellable(call->task, FALSE);
  g_task_set_task_data(call->task, call, g_free);
  call->value.status = g_cancellable_is_cancelled(cancellable)
                           ? PILLION_ECANCELLED
                           : pillion_task_spawn(NULL, executor, &future, call,
                                                0, PILLION_DETACH);
  if (call->value.status < 0) {
    pillion__glib_ended(call);
    return;
  }
  call->value.status = pillion_call_submit(&call->call, executor, function,
                                           request, length, 0, PILLION_JOIN);
  if (cancellable != NULL)
    call->cancelled =
        g_cancellable_connect(cancellable, G_CALLBACK(pillion__glib_cancel),
                              (gpointer)(uintptr_t)call->call, NULL);
}

/*
 * pillion_glib_call_finish takes the result of a call in its callback. In
 * *error G_IO_ERROR_CANCELLED says that it was cancelled; others are of the
 * domain PILLION_GLIB_ERROR, with a code of error.h and Go's message.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: the bytes are the caller's, as is *error.
 * Returns: the bytes, or NULL with *error.
 * Since: 0.1
 */
static inline GBytes *pillion_glib_call_finish(GAsyncResult *result,
                                               GError **error) {
  return (GBytes *)g_task_propagate_pointer(G_TASK(result), error);
}

#endif
