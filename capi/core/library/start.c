/* SPDX-License-Identifier: Apache-2.0 */

/* Start, shutdown, and the counts of the whole library. */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "core.h"

struct pillion__guest pillion__guest;
_Atomic bool pillion__stopping = true;
uint64_t pillion__max_request;
uint32_t pillion__max_calls, pillion__max_workers;

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t phase_changed = PTHREAD_COND_INITIALIZER;
static enum { STOPPED, CHANGING, STARTED } phase; /* under lock */
static _Atomic bool started;                      /* once, for the fast path */
static bool configured;

static void phase_set(int new) {
  pthread_mutex_lock(&start_lock);
  phase = new;
  pthread_cond_broadcast(&phase_changed);
  pthread_mutex_unlock(&start_lock);
}

/* Waits until nobody else starts or stops; true: it is for us to do. */
static bool phase_claim(int from) {
  pthread_mutex_lock(&start_lock);
  while (phase == CHANGING) pthread_cond_wait(&phase_changed, &start_lock);
  bool ours = (int)phase == from;
  if (ours)
    phase = CHANGING;
  else if (from == STOPPED) /* it runs; perhaps a shutdown's time was up */
    atomic_store(&pillion__stopping, false);
  pthread_mutex_unlock(&start_lock);
  return ours;
}

static int configure(const pillion_start_options *o, char *errbuf,
                     size_t errcap) {
  if (o->allocator != NULL) {
    if (o->allocator->alloc == NULL || o->allocator->free == NULL)
      return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                           "an allocator needs alloc and free");
    pillion__allocator_set(o->allocator);
  }
  pillion__max_calls = o->max_calls == 0 ? 1u << 20 : o->max_calls;
  pillion__max_workers = o->max_workers;
  pillion__max_request = o->max_request == 0 ? 1u << 30 : o->max_request;
  return 0;
}

/* What the functions need, if there are any: a ring, a descriptor and Go. */
static int start_calls(const pillion_start_options *o, char *errbuf,
                       size_t errcap) {
  int rc = pillion__ring_open(o->ring == 0 ? 16384 : o->ring, errbuf, errcap);
  if (rc == 0) rc = pillion__probe_poller(pillion__ring_fd(), errbuf, errcap);
  if (rc == 0 && pillion__guest.start != NULL)
    rc = pillion__guest.start(errbuf, errcap);
  if (rc < 0) pillion__ring_undo(!configured);
  return rc;
}

/* A start that failed has changed nothing, and can be tried again. */
static int start(const pillion_start_options *o, char *errbuf,
                 size_t errcap) {
  int rc = configured ? 0 : configure(o, errbuf, errcap);
  if (rc < 0) return rc;
  if (pillion__guest.functions != NULL) {
    rc = pillion__probe_threads(errbuf, errcap);
    if (rc == 0) rc = pillion__guest.functions(errbuf, errcap);
  }
  if (rc == 0 && pillion__function_any())
    rc = start_calls(o, errbuf, errcap);
  if (rc < 0) {
    if (!configured) pillion__allocator_set(NULL);
    return rc;
  }
  configured = true;
  atomic_store(&pillion__stopping, false);
  atomic_store(&started, true);
  return 0;
}

/* Below 1.0 only the patch may differ; after it, the minor may be less. */
static int version_check(int version, char *errbuf, size_t errcap) {
  if (version >> 8 == PILLION_VERSION_NUMBER >> 8) return 0;
  return pillion__fail(
      PILLION_EVERSION, errbuf, errcap,
      "the program has the header of version %d.%d.%d, the library is %s",
      version >> 16, version >> 8 & 255, version & 255,
      PILLION_VERSION_STRING);
}

int pillion_start(const pillion_start_options *options, char *errbuf,
                  size_t errcap) {
  pillion_start_options o = PILLION_START_OPTIONS_INIT;
  if (pillion__forked())
    return pillion__fail(PILLION_EFORKED, errbuf, errcap, "a forked child");
  if (options != NULL) {
    if (options->size < sizeof o)
      return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                           "options.size is %zu, not %zu or more",
                           options->size, sizeof o);
    o = *options;
  }
  int rc = version_check(o.version, errbuf, errcap);
  if (rc < 0) return rc;
  if ((o.ring & (o.ring - 1)) != 0)
    return pillion__fail(PILLION_EINVAL, errbuf, errcap,
                         "ring is %u, not a power of two", o.ring);
  if (o.max_request > PILLION_MAX_PAYLOAD)
    return pillion__fail(PILLION_EMSGSIZE, errbuf, errcap,
                         "max_request is more than %u", PILLION_MAX_PAYLOAD);
  if (pillion__turning)
    return atomic_load(&pillion__stopping)
               ? pillion__fail(PILLION_EREENTRANT, errbuf, errcap,
                               "not inside a turn")
               : 0;
  int cancels; /* a thread that was cancelled ends after this */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancels);
  if (phase_claim(STOPPED)) {
    rc = start(&o, errbuf, errcap);
    phase_set(rc < 0 ? STOPPED : STARTED);
  }
  pthread_setcancelstate(cancels, NULL);
  return rc;
}

/* For what starts the library if nobody has, but not after a shutdown. */
int pillion__started(void) {
  if (pillion__forked()) return PILLION_EFORKED;
  if (PILLION__LIKELY(atomic_load_explicit(&started, memory_order_acquire)))
    return 0;
  return pillion_start(NULL, NULL, 0);
}

/* The same for a program with the header of `version`. */
int pillion__started_for(int version, char *errbuf, size_t errcap) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.version = version;
  return atomic_load_explicit(&started, memory_order_acquire)
             ? version_check(version, errbuf, errcap)
             : pillion_start(&options, errbuf, errcap);
}

static int stop(int mode, int64_t timeout) {
  int64_t deadline = pillion__time_after(pillion__now(), timeout);
  struct timespec nap = {0, 50000};
  atomic_store(&pillion__stopping, true);
  if (mode == PILLION_CLOSE_CANCEL) pillion__calls_cancel(NULL, 0);
  while (atomic_load(&pillion__calls_running) > 0) {
    if (pillion__now() >= deadline) {
      phase_set(STARTED); /* to be called again; calls stay refused */
      return PILLION_ETIMEDOUT;
    }
    nanosleep(&nap, NULL);
    if (nap.tv_nsec < 5000000) nap.tv_nsec *= 2;
  }
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

static void count_tasks(struct pillion__executor *ex, void *data) {
  pillion_library_counts *out = data;
  out->executors++;
  out->tasks += atomic_load(&ex->tasks_live);
  out->watches += atomic_load(&ex->watches_live);
}

int pillion_library_count(pillion_library_counts *out) {
  if (pillion__forked()) return PILLION_EFORKED;
  /* Older programs know fewer. */
  if (out == NULL || out->size < offsetof(pillion_library_counts, threads))
    return PILLION_EINVAL;
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  counts.size = out->size;
  pillion__executor_each(count_tasks, &counts);
  counts.calls = pillion__calls_alive();
  counts.payloads = atomic_load(&pillion__payloads_alive);
  if (pillion__guest.count != NULL) pillion__guest.count(&counts);
  pillion__pool_count(&counts);
  memcpy(out, &counts, counts.size < sizeof counts ? counts.size : sizeof counts);
  return 0;
}
