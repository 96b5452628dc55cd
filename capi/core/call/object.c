/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The objects of a call. Those that its request names are pinned by the
 * submission, and their handles stand behind the request, in one block with it:
 * they end with it. An object that is a call's result is a handle in its
 * payload, until its event is taken.
 */
#include <string.h>

#include "call/call.h"

struct names {
  uint32_t count, reserved;
  uint64_t objects[]; /* the receiver or 0, and then the `handles` */
};

static struct names *names_behind(char *bytes, uint64_t length) {
  return (struct names *)(bytes + (length + 7) / 8 * 8);
}

static void unpin(struct names *names) {
  while (names->count > 0)
    if (names->objects[--names->count] != 0)
      pillion__object_unpin(names->objects[names->count]);
}

/* `class` is of the receiver, or 0. */
static int pin(struct names *names, const pillion_call_options *o,
               uint32_t class) {
  int rc = 0;
  names->count = 0;
  while (rc == 0 && names->count <= o->handle_count) {
    uint32_t at = names->count;
    uint64_t object = at == 0 ? o->object : o->handles[at - 1];
    if (at > 0 || object != 0)
      rc = pillion__object_pin(object, at == 0 ? class : 0);
    names->objects[at] = object;
    if (rc == 0) names->count++;
  }
  if (rc < 0) unpin(names);
  return rc;
}

/* The request, too. The options fit. */
int pillion__call_names_set(struct pillion__call *call,
                            const pillion_call_options *o, uint32_t class) {
  struct names *names;
  uint64_t room = (o->length + 7) / 8 * 8;
  struct pillion__block *block = pillion__block_make(
      room + sizeof *names + (o->handle_count + 1) * sizeof(uint64_t));
  if (block == NULL) return PILLION_ENOMEM;
  names = names_behind(block->bytes, o->length);
  int rc = pin(names, o, class);
  if (rc < 0) {
    pillion__payload_free(block);
    return rc;
  }
  if (o->length > 0) memcpy(block->bytes, o->request, o->length);
  call->payload.memory = block->bytes;
  return 0;
}

void pillion__call_names_clear(struct pillion__call *call) {
  unpin(names_behind(call->payload.memory, call->request_length));
  pillion__payload_free(pillion__block_of(call->payload.memory));
}

uintptr_t pillion__call_object(struct pillion__call *call, uint32_t at) {
  if (!(atomic_load(&call->state) & PILLION__CALL_NAMES)) return 0;
  struct names *names =
      names_behind(call->payload.memory, call->request_length);
  return at < names->count && names->objects[at] != 0
             ? pillion__object_key(names->objects[at])
             : 0;
}

