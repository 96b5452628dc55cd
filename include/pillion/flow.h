/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_FLOW_H
#define PILLION_INCLUDE_FLOW_H

/*
 * Flows: what a call carries beside its request and its result. A call has at
 * most two, one to the host and one from it. A flow is a series of items, in
 * order, each at most PILLION_MAX_PAYLOAD bytes; an empty item is an item. This
 * page is about calls of Go functions; inbound.h says what is different in
 * calls that Go makes.
 *
 * CREDIT. The reader says how many items may come, and the writer sends no
 * more. For a flow to the host that is pillion_call_options.credit, and later
 * pillion_call_credit. For a flow to Go the library grants by itself what its
 * buffer holds, and pillion_call_send answers PILLION_EAGAIN beyond. So nothing
 * is ever dropped, and a slow reader stops its writer. A flow holds 1 MiB of
 * longer items at most, but always one item.
 *
 * EVENTS. An item for the host is an event with the flag PILLION_EVENT_ITEM,
 * the token of the call, and its bytes. After the last comes the end of the
 * call, the event without these flags: there is always exactly one, and it is
 * the call's last event. If the function fails, or its deadline passes, the
 * items from before come first. If the host cancels, and the cancel is not too
 * late, no item comes in later turns. With PILLION_JOIN items go to
 * pillion_next instead.
 *
 * A flow ends with its call. What a function sends after it has returned, or a
 * host after the end, is refused.
 */

#include "call.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * pillion_call_credit lets `items` more come to the host. As many may be
 * granted ahead as the flow's buffer holds: the call's first credit, rounded up
 * to a power of two; 32 in an inbound call.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: none.
 * Returns: how many were added, which may be fewer; PILLION_EBADHANDLE (the
 *   call has ended) or PILLION_EINVAL (it has no flow to the host, or a task
 *   reads it by pillion_next, which grants by itself).
 * Since: 0.1
 */
int pillion_call_credit(pillion_task call, uint32_t items);

/*
 * pillion_call_send sends an item to Go. After PILLION_EAGAIN one event with
 * PILLION_EVENT_WRITABLE comes, with the token of the call, or the call's end:
 * there is room, or the next send tells why not.
 *
 * Threads: any, one at a time for a call.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: after 0 the item is the library's. If it has a release function
 *   and more than PILLION_INLINE bytes it is lent, and released once, on any
 *   thread, when Go has read it or no longer will; else its bytes are copied.
 *   After an error it is still the caller's.
 * Returns: 0, PILLION_EAGAIN (no room), PILLION_EBUSY (another thread sends),
 *   PILLION_ECLOSED (Go reads no more, or the flow is finished),
 *   PILLION_EMSGSIZE, PILLION_ENOMEM, PILLION_EBADHANDLE (the call has ended)
 *   or PILLION_EINVAL (it has no flow from the host).
 * Since: 0.1
 */
int pillion_call_send(pillion_task call, const pillion_value *item);

/*
 * pillion_call_finish says that the host sends no more items. It needs no room.
 * A call whose function reads items waits for it, unless it stops reading
 * before.
 *
 * Threads: any.
 * Reentrancy: anywhere; not from signal handlers.
 * Ownership: none.
 * Returns: 0, also if it was finished before or Go reads no more;
 *   PILLION_EBADHANDLE or PILLION_EINVAL (no flow from the host).
 * Since: 0.1
 */
int pillion_call_finish(pillion_task call);

#ifdef __cplusplus
}
#endif

#endif
