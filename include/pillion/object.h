/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_OBJECT_H
#define PILLION_INCLUDE_OBJECT_H

/*
 * Objects: values of Go's that live on between calls. The host has a handle of
 * each, and Go the value.
 *
 * An object comes with the result of a call, or with an item: an event with
 * PILLION_EVENT_OBJECT, whose `link` is the handle, and whose payload is empty.
 * It is the host's to drop. Until a turn has taken that event the object is the
 * library's: it drops those of a call that nothing takes, since the call was
 * detached, its items are no longer wanted, or its executor is freed.
 *
 * A method is a function with PILLION_FLOW_METHOD. Its call names the object in
 * pillion_call_options.object, and other objects in `handles`, where the
 * request has their indices. The call keeps them alive until it ends, also if
 * they are dropped meanwhile.
 *
 * When an object is dropped, and no call names it any more, Go lets go of it.
 * If its class has a function for that, one of Go's workers calls it, and
 * pillion_shutdown waits for it.
 */

#include "call.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * pillion_object_drop gives an object up. Its handle is stale at once. The
 * function neither waits nor enters Go.
 *
 * Threads: any.
 * Reentrancy: anywhere, also in finalizers and hooks; not from signal handlers.
 * Ownership: the object is Go's again.
 * Returns: 0 or PILLION_EBADHANDLE (also: it was dropped before).
 * Since: 0.1
 */
int pillion_object_drop(uint64_t object);

#ifdef __cplusplus
}
#endif

#endif
