/* SPDX-License-Identifier: Apache-2.0 */

/* The host's knowledge: whether anything lives, and until when it may sleep. */
#include "executor/executor.h"

void pillion__tell_live(struct pillion__executor *ex) {
  uint32_t live = pillion__live(ex) > 0;
  if (live == ex->live_told) return;
  ex->live_told = live;
  pillion_host *host = pillion__peek(&ex->host);
  if (host != NULL && host->live != NULL) host->live((int)live, host->data);
}

/* Each side tells of its own work. */
int64_t pillion__next_deadline(const struct pillion__executor *ex) {
  int64_t deadline = ex->timers.deadline;
  if (ex->guest_deadline < deadline) deadline = ex->guest_deadline;
  if (PILLION__LIKELY(ex->worker == NULL)) return deadline;
  int64_t pool = pillion__pool_side->deadline(ex);
  return pool < deadline ? pool : deadline;
}

void pillion__tell_deadline(struct pillion__executor *ex) {
  int64_t deadline = pillion__next_deadline(ex);
  if (deadline == ex->told_deadline) return;
  ex->told_deadline = deadline;
  pillion_host *host = pillion__peek(&ex->host);
  if (host != NULL && host->timer != NULL) host->timer(deadline, host->data);
}
