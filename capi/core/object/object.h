/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_OBJECT_H
#define PILLION_OBJECT_H

/*
 * Objects: values of Go's that the host has handles of. A handle is dropped
 * once; a call that names an object pins it until the call's end.
 */
#include "cell/cell.h"

#pragma GCC visibility push(hidden)

#define PILLION__CLASSES 1023u /* numbers of classes, from 1 on */

extern _Atomic uint64_t pillion__objects_alive;

/* A new object's handle: 0, PILLION_ENOMEM or PILLION_EAGAIN. */
int pillion__object_new(uint64_t *out, uintptr_t key, uint32_t class);

/*
 * A pinned object's key stays Go's until it is unpinned. `class` 0 is any. 0,
 * PILLION_EBADHANDLE, PILLION_EINVAL (another class) or PILLION_EAGAIN.
 */
int pillion__object_pin(uint64_t handle, uint32_t class);
void pillion__object_unpin(uint64_t handle);
uintptr_t pillion__object_key(uint64_t handle);

/* On any thread: 0 or PILLION_EBADHANDLE. */
int pillion__object_drop(uint64_t handle);
void pillion__objects_drop_all(void);

/*
 * The keys of objects that are dropped and not pinned: Go takes them under a
 * lock, ends what they stand for, and then says that so many are done.
 */
_Atomic uint32_t *pillion__objects_dead(void);
int pillion__objects_take(uintptr_t *keys, int cap);
void pillion__objects_done(uint32_t count);

/* Of a higher floor: tells Go that there is one. */
extern void (*const pillion__objects_tell)(void);

#pragma GCC visibility pop

#endif
