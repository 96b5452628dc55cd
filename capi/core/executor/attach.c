/* SPDX-License-Identifier: Apache-2.0 */

/* A host comes, with its hooks, and goes. */
#include "executor/executor.h"

int pillion_host_set(pillion_executor executor, const pillion_host *host) {
  struct pillion__executor *ex;
  int rc = pillion__executor_own_outside(&ex, executor);
  if (rc < 0) return rc;
  pillion_host its = PILLION_HOST_INIT, *copy = NULL;
  if (host != NULL) {
    rc = pillion__sized_in(&its, sizeof its, PILLION__FIRST_HOST, host,
                           PILLION__NOWHERE);
    if (rc < 0) return rc;
    if ((its.watch == NULL) != (its.unwatch == NULL)) return PILLION_EINVAL;
    copy = pillion__alloc(sizeof *copy);
    if (copy == NULL) return PILLION_ENOMEM;
    *copy = its;
  }
  pillion__watches_leave(ex);
  pillion_host *old = pillion__host_swap(ex, copy);
  /* The new host has heard nothing yet: its loop must come by once. */
  pillion__park_leave(ex, true);
  pillion__tell_live(ex);
  pillion__watches_tell(ex);
  pillion__host_forget(old);
  return 0;
}

int pillion_host_get(pillion_host *out, pillion_executor executor) {
  struct pillion__executor *ex;
  int rc = pillion__executor_mine(&ex, executor);
  if (rc < 0) return rc;
  static const pillion_host none = PILLION_HOST_INIT;
  const pillion_host *host = pillion__peek(&ex->host);
  return pillion__sized_out(out, PILLION__FIRST_HOST,
                            host != NULL ? host : &none, sizeof none);
}
