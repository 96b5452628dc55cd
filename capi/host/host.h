/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_CAPI_HOST_H
#define PILLION_CAPI_HOST_H

#include <stdbool.h>

#include "pillion.h"

#pragma GCC visibility push(hidden)

#define PILLION__NO_LIBRARY (-1000)

int pillion__host_attach(uint64_t executor, void *data, bool watches);
int pillion__host_new(uint64_t *out);
int pillion__host_free(uint64_t executor);
int pillion__host_fd(int *out, uint64_t executor);
int pillion__host_ready(uint64_t executor, uint64_t key, uint32_t events);
int pillion__host_turn(pillion_event *events, size_t cap,
                       pillion_progress *progress, uint64_t executor);
const void *pillion__host_payload(const pillion_event *event);
const char *pillion__host_strerror(int code);
void pillion__host_warn(char *text); /* frees it */

#pragma GCC visibility pop

#endif
