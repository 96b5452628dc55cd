/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The memory of nodes, in chunks that the process keeps. Any thread may take
 * and give back, so the free list is Treiber's stack with a tag against ABA
 * (Treiber 1986; IBM's tag).
 */
#include <string.h>

#include "call/call.h"

struct pillion__nodes pillion__calls = {.type = PILLION__CHUNK_CALLS};
struct pillion__nodes pillion__flows = {.type = PILLION__CHUNK_FLOWS};

static void node_push(_Atomic uint64_t *list, struct pillion__node *node) {
  uint64_t old = pillion__peek(list), new;
  do {
    pillion__set(&node->free_link, (uint32_t)old);
    new = ((old >> 32) + 1) << 32 | (node->slot + 1);
  } while (!atomic_compare_exchange_weak(list, &old, new));
}

static struct pillion__node *node_pop(_Atomic uint64_t *list) {
  uint64_t old = atomic_load_explicit(list, memory_order_acquire), new;
  struct pillion__node *node;
  do {
    if ((uint32_t)old == 0) return NULL;
    node = pillion__node_at((uint32_t)old - 1);
    new = ((old >> 32) + 1) << 32 | pillion__peek(&node->free_link);
  } while (!atomic_compare_exchange_weak(list, &old, new));
  return node;
}

static bool node_grow(struct pillion__nodes *nodes) {
  uint32_t base;
  if (pillion__chunks_add(&nodes->chunks, &base, nodes->type, NULL) < 0)
    return false;
  for (uint32_t i = PILLION__CHUNK; i-- > 0;) {
    struct pillion__node *node = pillion__node_at(base + i);
    node->slot = base + i;
    node_push(&nodes->free, node);
  }
  return true;
}

/*
 * Gives the node its executor, and reports whether it may be used. As for the
 * chunks in cell.c: a late cancel either reads the new executor, or has set
 * QUEUED, at which we look.
 */
static bool node_settle(struct pillion__node *node,
                        struct pillion__executor *executor) {
  atomic_store(&node->executor, executor);
  atomic_thread_fence(memory_order_seq_cst);
  return atomic_load_explicit(&node->head.pend, memory_order_acquire) == 0;
}

/* It puts a node that a late cancel still has in an inbox aside. */
struct pillion__node *pillion__node_get(struct pillion__nodes *nodes,
                                        struct pillion__executor *executor) {
  for (;;) {
    struct pillion__node *node = node_pop(&nodes->free);
    if (node == NULL) {
      struct pillion__node *waiting = node_pop(&nodes->limbo);
      if (waiting != NULL && node_settle(waiting, executor)) return waiting;
      if (waiting != NULL) node_push(&nodes->limbo, waiting);
      if (!node_grow(nodes)) return NULL;
    } else if (PILLION__LIKELY(node_settle(node, executor))) {
      return node;
    } else {
      node_push(&nodes->limbo, node);
    }
  }
}

/* Its handles are stale from here on. */
void pillion__node_put(struct pillion__nodes *nodes,
                       struct pillion__node *node) {
  uint32_t gen = pillion__gen(&node->head) + 1;
  atomic_store_explicit(&node->head.gen, gen, memory_order_release);
  if (gen != UINT32_MAX)
    node_push(&nodes->free, node); /* else used up: it retires */
}

/* ---- Payloads: 24 bytes in the node, or a block of their own ------------- */

bool pillion__payload_set(struct pillion__call *call, const void *bytes,
                          uint64_t length) {
  void *to = call->payload.bytes;
  if (length > PILLION_INLINE) {
    struct pillion__block *block = pillion__block_make(length);
    if (block == NULL) return false;
    to = call->payload.memory = block->bytes;
  }
  if (length > 0) memcpy(to, bytes, length);
  return true;
}

void pillion__payload_clear(struct pillion__call *call, uint64_t length) {
  if (length > PILLION_INLINE) 
    pillion__payload_free(pillion__block_of(call->payload.memory));
}

/* Asks its executor for something. A late bell finds that it has none. */
void pillion__node_ask(struct pillion__node *node, uint32_t gen,
                       uint32_t bits) {
  uint64_t old = 0;
  if (pillion__mark(&node->head, gen, bits, &old) != PILLION_WOKEN) return;
  struct pillion__executor *ex = atomic_load(&node->executor);
  if (ex == NULL) atomic_store(&node->head.pend, 0);
  else pillion__push(ex, &node->head, node->slot);
}
