/* SPDX-License-Identifier: Apache-2.0 */

/* Start and shutdown. */
#include "library/library.h"

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t phase_changed = PTHREAD_COND_INITIALIZER;
static enum { STOPPED, CHANGING, STARTED } phase; /* under lock */
static bool configured;

static void phase_set(int new) {
  pthread_mutex_lock(&start_lock);
  phase = new;
  pthread_cond_broadcast(&phase_changed);
  pthread_mutex_unlock(&start_lock);
}

/*
 * Waits until no other thread starts or stops; true: this thread has to do it.
 */
static bool phase_claim(int from) {
  pthread_mutex_lock(&start_lock);
  while (phase == CHANGING) pthread_cond_wait(&phase_changed, &start_lock);
  bool ours = (int)phase == from;
  if (ours) phase = CHANGING;
  else if (from == STOPPED) /* it runs: a shutdown may have timed out */
    atomic_store(&pillion__stopping, false);
  pthread_mutex_unlock(&start_lock);
  return ours;
}

static int set_limits(const pillion_start_options *o, struct pillion__why why) {
  if (o->allocator != NULL) {
    if (o->allocator->alloc == NULL || o->allocator->free == NULL)
      return pillion__fail(PILLION_EINVAL, why,
                           "an allocator needs alloc and free");
    pillion__allocator_set(o->allocator);
  }
  pillion__max_calls = o->max_calls == 0 ? 1u << 20 : o->max_calls;
  pillion__max_workers = o->max_workers;
  pillion__max_request = o->max_request == 0 ? 1u << 30 : o->max_request;
  return 0;
}

/* If there are functions: their ring, their descriptor and Go. */
static int start_calls(const pillion_start_options *o,
                       struct pillion__why why) {
  int rc = pillion__ring_open(o->ring == 0 ? 16384 : o->ring, why);
  if (rc == 0) rc = pillion__probe_poller(pillion__ring_fd(), why);
  if (rc == 0 && pillion__guest.start != NULL)
    rc = pillion__guest.start(why.text, why.cap);
  if (rc < 0) pillion__ring_undo(!configured);
  return rc;
}

/* A start that failed has changed nothing, and can be tried again. */
static int start(const pillion_start_options *o, struct pillion__why why) {
  int rc = configured ? 0 : set_limits(o, why);
  if (rc < 0) return rc;
  if (pillion__guest.functions != NULL) {
    rc = pillion__probe_threads(why);
    if (rc == 0) rc = pillion__guest.functions(why.text, why.cap);
  }
  if (rc == 0 && pillion__function_any()) rc = start_calls(o, why);
  if (rc < 0) {
    if (!configured) pillion__allocator_set(NULL);
    return rc;
  }
  configured = true;
  atomic_store(&pillion__stopping, false);
  atomic_store(&pillion__is_started, true);
  return 0;
}

int pillion_start(const pillion_start_options *options, char *errbuf,
                  size_t errcap) {
  pillion_start_options o = PILLION_START_OPTIONS_INIT;
  struct pillion__why why = {errbuf, errcap};
  int rc = pillion__options_take(&o, sizeof o, PILLION__FIRST_START_OPTIONS,
                                 options, why);
  if (rc < 0) return rc;
  if ((o.ring & (o.ring - 1)) != 0)
    return pillion__fail(PILLION_EINVAL, why, "ring is %u, not a power of two",
                         o.ring);
  if (o.max_request > PILLION_MAX_PAYLOAD)
    return pillion__fail(PILLION_EMSGSIZE, why, "max_request is more than %u",
                         PILLION_MAX_PAYLOAD);
  if (pillion__turning)
    return atomic_load(&pillion__stopping)
               ? pillion__fail(PILLION_EREENTRANT, why, "not inside a turn")
               : 0;
  int cancels; /* a cancelled thread ends after this */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
  if (phase_claim(STOPPED)) {
    rc = start(&o, why);
    phase_set(rc < 0 ? STOPPED : STARTED);
  }
  pthread_setcancelstate(cancels, NULL);
  return rc;
}

static int stop(int mode, int64_t timeout) {
  atomic_store(&pillion__stopping, true);
  if (mode == PILLION_CLOSE_CANCEL) pillion__calls_cancel(NULL, 0);
  int64_t end = pillion__time_after(pillion__now(), timeout);
  bool done = pillion__await_zero(&pillion__calls_running, end);
  if (done) pillion__objects_drop_all();
  if (!done || !pillion__await_zero(&pillion__objects_alive, end)) {
    phase_set(STARTED); /* a shutdown may follow; calls stay refused */
    return PILLION_ETIMEDOUT;
  }
  pillion__inbounds_end(NULL, 0, PILLION__INBOUND_OPEN, PILLION_ECLOSED);
  pillion__ring_close();
  if (pillion__guest.stop != NULL) pillion__guest.stop();
  phase_set(STOPPED);
  return 0;
}

int pillion_shutdown(int mode, int64_t timeout) {
  if (pillion__forked()) return PILLION_EFORKED;
  if (mode != PILLION_CLOSE_DRAIN && mode != PILLION_CLOSE_CANCEL)
    return PILLION_EINVAL;
  if (pillion__turning) return PILLION_EREENTRANT;
  int rc = 0, cancels;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
  if (phase_claim(STARTED)) rc = stop(mode, timeout);
  pthread_setcancelstate(cancels, NULL);
  return rc;
}
