/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The memory of calls: 128-byte nodes in chunks that the process keeps. Any
 * thread may take and give back, so the free list is Treiber's stack with a
 * tag against ABA (Treiber 1986; IBM's tag).
 */
#include <string.h>

#include "call/call.h"

static _Atomic uint64_t node_free;  /* tag << 32 | slot + 1 */
static _Atomic uint64_t node_limbo; /* free, but still in some inbox */

_Atomic uint32_t pillion__call_chunks;

static void node_push(_Atomic uint64_t *list, struct pillion__call *call) {
  uint64_t old = pillion__peek(list), new;
  do {
    pillion__set(&call->free_link, (uint32_t)old);
    new = ((old >> 32) + 1) << 32 | (call->slot + 1);
  } while (!atomic_compare_exchange_weak(list, &old, new));
}

static struct pillion__call *node_pop(_Atomic uint64_t *list) {
  uint64_t old = atomic_load_explicit(list, memory_order_acquire), new;
  struct pillion__call *call;
  do {
    if ((uint32_t)old == 0) return NULL;
    call = pillion__call_at((uint32_t)old - 1);
    new = ((old >> 32) + 1) << 32 | pillion__peek(&call->free_link);
  } while (!atomic_compare_exchange_weak(list, &old, new));
  return call;
}

static bool node_grow(void) {
  uint32_t base;
  if (pillion__chunks_add(&pillion__call_chunks, &base, PILLION__CHUNK_CALLS,
                          NULL) < 0)
    return false;
  for (uint32_t i = PILLION__CHUNK; i-- > 0;) {
    struct pillion__call *call = pillion__call_at(base + i);
    call->slot = base + i;
    node_push(&node_free, call);
  }
  return true;
}

/*
 * Gives the node its executor, and reports whether the call may use it. As for
 * the chunks in cell.c: a late cancel either reads the new executor, or has set
 * QUEUED, at which we look.
 */
static bool node_settle(struct pillion__call *call,
                        struct pillion__executor *executor) {
  atomic_store(&call->executor, executor);
  atomic_thread_fence(memory_order_seq_cst);
  return atomic_load_explicit(&call->head.pend, memory_order_acquire) == 0;
}

/* It puts a node that a late cancel still has in an inbox aside. */
struct pillion__call *pillion__node_get(struct pillion__executor *executor) {
  for (;;) {
    struct pillion__call *call = node_pop(&node_free);
    if (call == NULL) {
      struct pillion__call *waiting = node_pop(&node_limbo);
      if (waiting != NULL && node_settle(waiting, executor)) return waiting;
      if (waiting != NULL) node_push(&node_limbo, waiting);
      if (!node_grow()) return NULL;
    } else if (PILLION__LIKELY(node_settle(call, executor))) {
      return call;
    } else {
      node_push(&node_limbo, call);
    }
  }
}

void pillion__node_put(struct pillion__call *call) {
  uint32_t gen = pillion__gen(&call->head) + 1;
  atomic_store_explicit(&call->state, 0, memory_order_release);
  atomic_store_explicit(&call->head.gen, gen, memory_order_release);
  if (gen != UINT32_MAX)
    node_push(&node_free, call); /* else used up: it retires */
}

/* ---- Payloads: 24 bytes in the node, or memory of their own -------------- */

bool pillion__payload_set(struct pillion__call *call, const void *bytes,
                          uint64_t length) {
  void *to = call->payload.bytes;
  if (length > PILLION_INLINE) {
    to = call->payload.memory = pillion__payload_alloc(length);
    if (to == NULL) return false;
  }
  if (length > 0) memcpy(to, bytes, length);
  return true;
}

void pillion__payload_clear(struct pillion__call *call, uint64_t length) {
  if (length > PILLION_INLINE) pillion__payload_free(call->payload.memory);
}
