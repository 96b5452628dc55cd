/* SPDX-License-Identifier: Apache-2.0 */

/* The functions by handle: the host answers, on any thread. */
#include <string.h>

#include "inbound/inbound.h"

/* The call of a handle; 0, PILLION_EBADHANDLE or PILLION_EINVAL. */
static int inbound_of(struct pillion__inbound **out, pillion_task task) {
  uint32_t type;
  if (pillion__forked()) return PILLION_EFORKED;
  struct pillion__head *head = pillion__head_of(task, &type);
  if (head == NULL || pillion__tag_of(task) != PILLION__TASK)
    return PILLION_EBADHANDLE;
  *out = (struct pillion__inbound *)head;
  return type == PILLION__CHUNK_INBOUND ? 0 : pillion__other_kind(head, task);
}

/* After 0 it is BUSY, for the caller. */
static int inbound_claim(struct pillion__inbound **out, pillion_task task) {
  int rc = inbound_of(out, task);
  if (rc < 0) return rc;
  return pillion__inbound_move(*out, pillion__gen_of(task),
                               PILLION__INBOUND_IN(TOLD), PILLION__INBOUND_BUSY)
             ? 0
             : PILLION_EBADHANDLE;
}

static void inbound_unclaim(struct pillion__inbound *in, uint64_t to) {
  pillion__inbound_move(in, pillion__gen(&in->head), PILLION__INBOUND_IN(BUSY),
                        to);
}

/* Copies long bytes that are not lent. Returns NULL if there is no memory. */
static const pillion_value *answer_hold(pillion_value *copy,
                                        const pillion_value *result) {
  if (result->length <= PILLION_INLINE || result->payload.ref.release != NULL)
    return result;
  void *bytes = pillion__payload_alloc(result->length);
  if (bytes == NULL) return NULL;
  copy->length = result->length;
  copy->payload.ref.data =
      memcpy(bytes, result->payload.ref.data, result->length);
  copy->payload.ref.release = pillion__payload_free;
  copy->payload.ref.owner = bytes;
  return copy;
}

#define LEAST_STATUS (-0xff)

int pillion_call_answer(pillion_task call, const pillion_value *result) {
  static const pillion_value nothing;
  struct pillion__inbound *in;
  pillion_value copy;
  if (result == NULL) result = &nothing;
  int rc = inbound_of(&in, call);
  if (rc < 0) return rc;
  if (result->status > 0 || result->status < LEAST_STATUS)
    return PILLION_EINVAL;
  if (result->length > pillion__max_request) return PILLION_EMSGSIZE;
  const pillion_value *held = answer_hold(&copy, result);
  if (held == NULL) return PILLION_ENOMEM;
  rc = inbound_claim(&in, call);
  if (rc < 0) {
    if (held == &copy) pillion_value_drop(&copy);
    return rc;
  }
  in->length = (uint32_t)held->length;
  memcpy(&in->payload, &held->payload, sizeof in->payload);
  pillion__inbound_answer(in, result->status, false);
  return 0;
}

int pillion_call_accept(pillion_task call, uint64_t token, uint32_t credit) {
  struct pillion__inbound *in;
  int rc = inbound_claim(&in, call);
  if (rc < 0) return rc;
  in->token = token;
  inbound_unclaim(in, PILLION__INBOUND_TOLD);
  if (credit > 0) rc = pillion_call_credit(call, credit);
  return rc == PILLION_EINVAL || rc > 0 ? 0 : rc;
}

int pillion_call_info(pillion_call_information *out, pillion_task call) {
  struct pillion__inbound *in;
  pillion_call_information told = PILLION_CALL_INFORMATION_INIT;
  int rc =
      pillion__sized(out, PILLION__SIZE_MOST, PILLION__FIRST_CALL_INFORMATION);
  if (rc == 0) rc = inbound_claim(&in, call);
  if (rc < 0) return rc;
  told.token = in->token;
  if (pillion__peek(&in->provider) == 0) told.call = pillion__peek(&in->parent);
  told.function = in->function;
  told.deadline = in->deadline;
  if (pillion__inbound_flow(in, PILLION__FLOW_OUT_SIDE) != NULL)
    told.flows |= PILLION_FLOW_OUT;
  if (pillion__inbound_flow(in, PILLION__FLOW_IN_SIDE) != NULL)
    told.flows |= PILLION_FLOW_IN;
  inbound_unclaim(in, PILLION__INBOUND_TOLD);
  return pillion__sized_out(out, PILLION__FIRST_CALL_INFORMATION, &told,
                            sizeof told);
}
