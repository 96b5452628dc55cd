/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The parts of higher floors that lower ones reach, as constants: so the
 * compiler, which has all floors in one unit, sees through them.
 */
#include "library/library.h"

static const struct pillion__kind no_kind;
/* A local task has no row: executors call their own functions directly. */
const struct pillion__kind *const pillion__kinds[PILLION__CHUNK_TYPES] = {
    [0] = &no_kind,
    [PILLION__CHUNK_TASKS] = &no_kind,
    [PILLION__CHUNK_GUEST] = &pillion__guest_kind,
    [PILLION__CHUNK_CALLS] = &pillion__call_kind,
    [PILLION__CHUNK_FLOWS] = &pillion__flow_kind,
    [PILLION__CHUNK_INBOUND] = &pillion__inbound_kind,
    [PILLION__CHUNK_ALIEN] = &no_kind,
    [PILLION__CHUNK_POOL] = &pillion__pool_kind,
    [PILLION__CHUNK_GUEST_POOL] = &pillion__guest_pool_kind,
};

const struct pillion__side *const pillion__pool_side = &pillion__side_of_pool;
const struct pillion__side *const pillion__guest_side = &pillion__side_of_guest;

void (*const pillion__objects_tell)(void) = pillion__ring_hurry;

void (*const pillion__log_keeper)(const char *text) = pillion__log_keep;
int (*const pillion__starter)(const pillion_start_options *options,
                              char *errbuf, size_t errcap) = pillion_start;
