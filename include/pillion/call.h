/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_CALL_H
#define PILLION_INCLUDE_CALL_H

/*
 * Calls: functions of Go, and what comes of them.
 */

#include "pool.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t pillion_function;

#define PILLION_KIND_OFFLOAD 0 /* blocking Go in a goroutine of its own */
#define PILLION_KIND_CPU 1     /* as offload, bounded to the cores */
#define PILLION_KIND_LOOP 2    /* a coroutine, run in the turns */
#define PILLION_KIND_ASYNC 3   /* a future, polled in the turns */

/* What a call of a function carries beside request and result; see flow.h. */
#define PILLION_FLOW_OUT 1u       /* items to the host */
#define PILLION_FLOW_IN 2u        /* items from the host */
#define PILLION_FLOW_CALLBACKS 4u /* its request lends functions of the host */
#define PILLION_FLOW_METHOD 8u    /* it needs the object whose method it is */
#define PILLION_FLOW_NAMES 16u    /* its request names objects */
#define PILLION_FLOW_GIVES 32u    /* its result, or each item, is an object */

/*
 * pillion_function_info describes a Go function. All texts are static and
 * NUL-terminated. `descriptor` is JSON: {"name", "module", "kind", "codec",
 * "request", "response", "doc"}.
 */
typedef struct pillion_function_info {
  size_t size;
  const char *name;   /* "module.function" */
  const char *module; /* "module" */
  const char *descriptor;
  uint32_t kind;  /* PILLION_KIND_… */
  uint32_t flows; /* PILLION_FLOW_… that it needs, or 0 */
} pillion_function_info;

#define PILLION_FUNCTION_INFO_INIT \
  {sizeof(pillion_function_info), NULL, NULL, NULL, 0, 0}

/*
 * pillion_function_find looks up a function by its full name.
 *
 * Threads: any; the first call starts the library.
 * Reentrancy: anywhere.
 * Ownership: handles of functions live as long as the process.
 * Returns: 0, PILLION_ENOTFOUND, PILLION_EINVAL, or as pillion_start.
 * Since: 0.1
 */
int pillion_function_find(pillion_function *out, const char *name);

/*
 * pillion_function_list writes the handles of up to `cap` functions, in the
 * order of their names. `out` may be NULL if `cap` is 0.
 *
 * Threads: any; the first call starts the library.
 * Reentrancy: anywhere.
 * Ownership: handles of functions live as long as the process.
 * Returns: how many functions there are, or as pillion_start.
 * Since: 0.1
 */
int pillion_function_list(pillion_function *out, size_t cap);

/*
 * pillion_function_describe fills *out, as far as out->size goes.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: the texts are static.
 * Returns: 0, PILLION_EBADHANDLE or PILLION_EINVAL.
 * Since: 0.1
 */
int pillion_function_describe(pillion_function_info *out,
                              pillion_function function);

/*
 * pillion_module_list writes the names of up to `cap` modules, sorted.
 * `out` may be NULL if `cap` is 0.
 *
 * Threads: any; the first call starts the library.
 * Reentrancy: anywhere.
 * Ownership: the texts are static.
 * Returns: how many modules there are, or as pillion_start.
 * Since: 0.1
 */
int pillion_module_list(const char **out, size_t cap);

/*
 * pillion_call_submit asks Go to run `function` and returns at once: the thread
 * does not wait for Go. If `executor` is 0, a thread takes the result by
 * pillion_task_wait; with PILLION_JOIN a task of any executor or pool may take
 * it by pillion_join instead. `out` may be NULL.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: the request is copied before the call returns.
 * Returns: 0, PILLION_EBADHANDLE, PILLION_EAGAIN (too many in flight),
 *   PILLION_EMSGSIZE (more than max_request), PILLION_ENOMEM, PILLION_ECLOSED,
 *   PILLION_EINVAL (a loop or async function without an executor, unknown
 *   flags) or PILLION_ENOTSUP (a function with flows or callbacks, for which
 *   the options give no credit or lend nothing).
 * Since: 0.1
 */
int pillion_call_submit(pillion_task *out, pillion_executor executor,
                        pillion_function function, const void *request,
                        size_t length, uint64_t token, uint32_t flags);

#define PILLION_SENDING 4u /* beside the mode: the host will send items */

/*
 * pillion_call_options are what a call is made of.
 *
 * pool: the function runs on the workers of this pool instead of in the
 *   executor's turns, for loop and async functions only. An async function
 *   moves between the workers; a coroutine stays with the worker that began it.
 *   Until it has ended the call counts among the pool's tasks, and is cancelled
 *   with them. Its result goes to the executor, as ever, or to
 *   pillion_task_wait if that is 0. It carries no context token. The call is
 *   refused with PILLION_ECLOSED if the pool was closed, PILLION_EAGAIN if it
 *   is full, PILLION_EBADHANDLE if it is gone, and PILLION_EINVAL for functions
 *   of other kinds.
 * deadline: when the function's context ends, absolute, whether or not the loop
 *   turns. Go sees it as the context's Deadline. The call then ends with
 *   PILLION_ETIMEDOUT, unless the function returns something else than the
 *   context's error. A call whose deadline comes before a goroutine can run it
 *   never starts, but it ends only when a goroutine takes it;
 *   pillion_task_deadline does not wait for one. Loop and async functions go by
 *   the clock of the executor, or of the pool's workers; others go by
 *   CLOCK_MONOTONIC.
 * credit: how many items may come before pillion_call_credit lets more come; up
 *   to 65,536. It needs an executor, and not PILLION_DETACH.
 * callbacks: how many functions of the host's the request lends, with the
 *   indices 0 to callbacks - 1; see inbound.h. It needs an executor, and not
 *   PILLION_DETACH.
 * parent: the call of Go's in whose handler this call is made, if any. A
 *   handler that calls Go back then passes a provider's full window.
 * object: whose method the function is; see object.h.
 * handles: the objects that the request names by their index, up to 65,536.
 */
typedef struct pillion_call_options {
  size_t size;
  pillion_function function;
  const void *request;
  size_t length;
  uint64_t token;
  uint32_t flags;    /* PILLION_EVENT, _JOIN or _DETACH; PILLION_SENDING */
  uint32_t reserved; /* zero */
  int64_t deadline;  /* PILLION_TIME_NEVER: none */
  pillion_pool pool; /* 0: none */
  uint32_t credit;   /* 0: no items, and no one-way callbacks */
  uint32_t callbacks;
  pillion_task parent; /* 0: none */
  uint64_t object;     /* 0: none */
  const uint64_t *handles;
  uint32_t handle_count;
  uint32_t reserved2; /* zero */
} pillion_call_options;

/* clang-format off */
#define PILLION_CALL_OPTIONS_INIT                                           \
  {sizeof(pillion_call_options), 0, NULL, 0, 0, 0, 0, PILLION_TIME_NEVER, 0, \
   0, 0, 0, 0, NULL, 0, 0}
/* clang-format on */

/*
 * pillion_call_submit_with is pillion_call_submit with all options of a call.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: *options and the request are copied before the call returns.
 * Returns: as pillion_call_submit, or PILLION_ENOTSUP (see SIZES in pillion.h).
 * Since: 0.1
 */
int pillion_call_submit_with(pillion_task *out, pillion_executor executor,
                             const pillion_call_options *options);

/*
 * pillion_call is one call of a batch. It has 32 bytes, and its layout is
 * frozen. `request` is an address, or an offset if the batch has a base.
 */
typedef struct pillion_call {
  pillion_function function;
  uint64_t token;
  uint64_t request;
  uint64_t length;
} pillion_call;

/*
 * pillion_call_batch submits `count` calls at once, in order, and wakes Go at
 * most once. A request is at the address `calls[i].request`, or so many bytes
 * behind `base` if that is not NULL. Task handles go to out[0 … count - 1];
 * `out` may be NULL.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: calls and requests are copied before the call returns.
 * Returns: how many were submitted; fewer than `count` means that the next
 *   one was refused: submit the rest again to learn why. If that was the
 *   first, the error is returned, as for pillion_call_submit.
 * Since: 0.1
 */
int pillion_call_batch(pillion_task *out, pillion_executor executor,
                       const pillion_call *calls, size_t count,
                       const void *base, uint32_t flags);

/*
 * pillion_call_wait runs `function` and waits for its result, on a thread that
 * has no loop. When `timeout` ns have passed, the call is cancelled and its
 * result thrown away.
 *
 * Threads: any, except a loop's, which it would block.
 * Reentrancy: not inside a turn.
 * Ownership: *out is the caller's, to be released with pillion_value_drop.
 * Returns: 0 with the result in *out (out->status tells how the function
 *   ended; a failure's payload is described at pillion_failure),
 *   PILLION_ETIMEDOUT, PILLION_EREENTRANT, PILLION_EDEADLOCK (the thread owns
 *   an executor with a provider, or the function calls back), or as
 *   pillion_call_submit.
 * Since: 0.1
 */
int pillion_call_wait(pillion_value *out, pillion_function function,
                      const void *request, size_t length, int64_t timeout);

/*
 * pillion_failure is what a failed call's payload says. `code` is the Go
 * function's own, or 0 if its error has none. Message and stack are not
 * NUL-terminated and may contain NUL bytes; the stack is empty unless it was a
 * panic. The payload is int32_t code, uint32_t message length, message,
 * uint32_t stack length, stack, all in the machine's byte order and unaligned.
 */
typedef struct pillion_failure {
  size_t size;
  int32_t code;
  uint32_t message_length;
  const char *message;
  const char *stack;
  uint64_t stack_length;
} pillion_failure;

#define PILLION_FAILURE_INIT {sizeof(pillion_failure), 0, 0, NULL, NULL, 0}

/*
 * pillion_failure_parse reads a failure's payload.
 *
 * Threads: any.
 * Reentrancy: anywhere.
 * Ownership: message and stack point into the payload.
 * Returns: 0 or PILLION_EINVAL (it is no failure).
 * Since: 0.1
 */
int pillion_failure_parse(pillion_failure *out, const void *payload,
                          size_t length);

/*
 * pillion_failure_write makes a failure's payload: what a handler that fails
 * answers with (pillion_call_answer). `message` and `stack` need no NUL, and
 * may be NULL if they are empty.
 *
 * Threads: any.
 * Reentrancy: anywhere, also in a forked child.
 * Ownership: `out` is the caller's.
 * Returns: the length of the payload. If it is more than `cap`, or `out` is
 *   NULL, nothing is written.
 * Since: 0.1
 */
size_t pillion_failure_write(void *out, size_t cap, int32_t code,
                             const char *message, size_t message_length,
                             const char *stack, size_t stack_length);

#ifdef __cplusplus
}
#endif

#endif
