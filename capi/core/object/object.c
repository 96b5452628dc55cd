/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An object is a slot of 16 bytes: its state, and the key by which Go finds the
 * value. The state has the generation in its high half. An odd one is alive:
 *
 *             1            2                    3           4
 *      free ----> alive ----> alive, DROPPED ----> dead ----> free
 *
 *   1  Go makes an object of a result. The class and the number of uses stand
 *      below the generation
 *   2  a drop: from here on the handle is stale. The calls that have pinned the
 *      object keep the key
 *   3  by the drop, or by the last unpin after it: exactly one of them finds
 *      DROPPED and no use. The generation grows and is even, a link stands below
 *      it, and the slot is in the list of the dead, of which Go hears
 *   4  Go has taken the key
 *
 * A drop never waits: it is one compare-and-swap, and a push. Only Go takes from
 * the dead, under a lock. From the free any goroutine takes, so that list has a
 * tag against ABA (as the nodes of calls do). tests/model/object.pml is the
 * model of uses and drops.
 */
#include <pthread.h>

#include "object/object.h"
#include "pillion/object.h"

#define CHUNK 4096u
#define CHUNKS 4096u

#define DROPPED (1u << 21) /* below it the uses */
#define USES (DROPPED - 1)
#define CLASS_SHIFT 22

struct object {
  _Atomic uint64_t state;
  uintptr_t key;
};

static _Atomic(struct object *) object_chunks[CHUNKS];
static _Atomic uint32_t chunks_known; /* chunks */
static pthread_mutex_t grow_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t objects_unused; /* tag << 32 | slot + 1 */
static _Atomic uint32_t objects_dead;   /* slot + 1 */

_Atomic uint64_t pillion__objects_alive; /* until Go is done with them */

_Atomic uint32_t *pillion__objects_dead(void) { return &objects_dead; }

/* ---- Slots --------------------------------------------------------------- */

static struct object *object_at(uint32_t slot) {
  struct object *chunk =
      atomic_load_explicit(&object_chunks[slot / CHUNK], memory_order_acquire);
  return chunk == NULL ? NULL : chunk + slot % CHUNK;
}

/* NULL for a handle that was never given. */
static struct object *object_of(uint64_t handle) {
  if (pillion__tag_of(handle) != PILLION__OBJECT || handle % 2 == 0)
    return NULL;
  return object_at(pillion__slot_of(handle));
}

static uint64_t state_of(uint32_t gen, uint32_t low) {
  return (uint64_t)gen << 32 | low;
}

/* Its state is even, so nothing but the link may stand below the generation. */
static void link_to(struct object *object, uint32_t link) {
  uint32_t gen = (uint32_t)(pillion__peek(&object->state) >> 32);
  pillion__set(&object->state, state_of(gen, link));
}

static void give_back(uint32_t slot) {
  struct object *object = object_at(slot);
  uint64_t old = pillion__peek(&objects_unused), new;
  if (pillion__peek(&object->state) >> 32 >= UINT32_MAX - 1)
    return; /* its generations are used up */
  do {
    link_to(object, (uint32_t)old);
    new = ((old >> 32) + 1) << 32 | (slot + 1);
  } while (!atomic_compare_exchange_weak(&objects_unused, &old, new));
}

static int grow(void) {
  void *memory; /* no callback under the lock */
  struct object *chunk =
      pillion__alloc_lines(CHUNK * sizeof(struct object), &memory);
  if (chunk == NULL) return PILLION_ENOMEM;
  for (uint32_t i = 0; i < CHUNK; i++)
    pillion__set(&chunk[i].state, state_of(pillion__first_gen() - 1, 0));
  pthread_mutex_lock(&grow_lock);
  uint32_t index = atomic_load(&chunks_known);
  if (index < CHUNKS) {
    atomic_store_explicit(&object_chunks[index], chunk, memory_order_release);
    atomic_store(&chunks_known, index + 1);
  }
  pthread_mutex_unlock(&grow_lock);
  if (index == CHUNKS) {
    pillion__free(memory);
    return PILLION_EAGAIN;
  }
  for (uint32_t i = CHUNK; i-- > 0;) give_back(index * CHUNK + i);
  return 0;
}

/* The slot is the caller's after 0. */
static int take_unused(uint32_t *slot) {
  uint64_t old = atomic_load_explicit(&objects_unused, memory_order_acquire), new;
  do {
    while ((uint32_t)old == 0) {
      int rc = grow();
      if (rc < 0) return rc;
      old = atomic_load_explicit(&objects_unused, memory_order_acquire);
    }
    *slot = (uint32_t)old - 1;
    new = ((old >> 32) + 1) << 32 |
          (uint32_t)pillion__peek(&object_at(*slot)->state);
  } while (!atomic_compare_exchange_weak(&objects_unused, &old, new));
  return 0;
}

int pillion__object_new(uint64_t *out, uintptr_t key, uint32_t class) {
  uint32_t slot;
  int rc = take_unused(&slot);
  if (rc < 0) return rc;
  struct object *object = object_at(slot);
  uint32_t gen = (uint32_t)(pillion__peek(&object->state) >> 32) + 1;
  object->key = key;
  atomic_fetch_add(&pillion__objects_alive, 1);
  atomic_store(&object->state, state_of(gen, class << CLASS_SHIFT));
  *out = pillion__handle(PILLION__OBJECT, slot, gen);
  return 0;
}

/* ---- Uses, and the drop -------------------------------------------------- */

static bool is_alive(uint64_t state, uint64_t handle) {
  return state >> 32 == pillion__gen_of(handle) && !(state & DROPPED);
}

/* The caller has found it DROPPED and without a use. */
static void bury(uint32_t slot) {
  struct object *object = object_at(slot);
  uint32_t gen = (uint32_t)(pillion__peek(&object->state) >> 32) + 1;
  uint32_t first = pillion__peek(&objects_dead);
  do pillion__set(&object->state, state_of(gen, first));
  while (!atomic_compare_exchange_weak(&objects_dead, &first, slot + 1));
  pillion__objects_tell();
}

int pillion__object_pin(uint64_t handle, uint32_t class) {
  struct object *object = object_of(handle);
  if (object == NULL) return PILLION_EBADHANDLE;
  uint64_t old = atomic_load(&object->state);
  do {
    if (!is_alive(old, handle)) return PILLION_EBADHANDLE;
    if (class != 0 && class != (uint32_t)old >> CLASS_SHIFT)
      return PILLION_EINVAL;
    if ((old & USES) == USES) return PILLION_EAGAIN;
  } while (!atomic_compare_exchange_weak(&object->state, &old, old + 1));
  return 0;
}

void pillion__object_unpin(uint64_t handle) {
  uint32_t slot = pillion__slot_of(handle);
  uint64_t old = atomic_fetch_sub(&object_at(slot)->state, 1);
  if (old & DROPPED && (old & USES) == 1) bury(slot);
}

/* Of a pinned one. */
uintptr_t pillion__object_key(uint64_t handle) {
  return object_of(handle)->key;
}

int pillion__object_drop(uint64_t handle) {
  struct object *object = object_of(handle);
  if (object == NULL) return PILLION_EBADHANDLE;
  uint64_t old = atomic_load(&object->state);
  do
    if (!is_alive(old, handle)) return PILLION_EBADHANDLE;
  while (!atomic_compare_exchange_weak(&object->state, &old, old | DROPPED));
  if ((old & USES) == 0) bury(pillion__slot_of(handle));
  return 0;
}

int pillion_object_drop(uint64_t object) {
  return pillion__forked() ? PILLION_EFORKED : pillion__object_drop(object);
}

void pillion__objects_drop_all(void) {
  for (uint32_t slot = 0; slot < atomic_load(&chunks_known) * CHUNK; slot++) {
    uint64_t state = atomic_load(&object_at(slot)->state);
    pillion__object_drop(
        pillion__handle(PILLION__OBJECT, slot, (uint32_t)(state >> 32)));
  }
}

/* ---- Go's part ----------------------------------------------------------- */

int pillion__objects_take(uintptr_t *keys, int cap) {
  uint32_t first = atomic_load_explicit(&objects_dead, memory_order_acquire);
  int n = 0;
  while (n < cap && first != 0) {
    struct object *object = object_at(first - 1);
    /* Others only push, so a first that is the same has the same next. */
    uint32_t next = (uint32_t)pillion__peek(&object->state);
    uint32_t slot = first - 1;
    if (!atomic_compare_exchange_weak(&objects_dead, &first, next)) continue;
    keys[n++] = object->key;
    give_back(slot);
    first = next;
  }
  return n;
}

void pillion__objects_done(uint32_t count) {
  atomic_fetch_sub(&pillion__objects_alive, count);
}
