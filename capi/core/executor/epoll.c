/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A host that watches descriptors by an epoll(7) set of the library's own, for
 * loops that no compiled adapter can reach. The loop watches the set; the turns
 * look into it.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "executor/executor.h"
#include "pillion/adapter.h"

#define LOOK 64 /* reports of a turn; a rest keeps the set readable */

static void leave_out(struct pillion__executor *ex, int fd) {
  int saved = errno;
  ex->epolled -= epoll_ctl(ex->epoll, EPOLL_CTL_DEL, fd, NULL) == 0;
  errno = saved;
}

/* A descriptor in the set reports hang-ups unasked: so it is in no set for no
 * events. */
static int epoll_watch(int fd, uint32_t events, uint64_t key, void *data) {
  struct pillion__executor *ex = data;
  struct epoll_event entry = {.data.fd = fd};
  int saved = errno, rc = 0;
  (void)key;
  if (events == 0) {
    leave_out(ex, fd);
    return 0;
  }
  entry.events = (uint32_t)pillion_adapter_mask(events);
  if (epoll_ctl(ex->epoll, EPOLL_CTL_MOD, fd, &entry) == 0) return 0;
  if (epoll_ctl(ex->epoll, EPOLL_CTL_ADD, fd, &entry) == 0) ex->epolled++;
  else
    rc = errno == EPERM || errno == ELOOP ? PILLION_ENOTSUP /* a file, say */
         : errno == ENOMEM                ? PILLION_ENOMEM
                                          : PILLION_ESYSTEM;
  errno = saved;
  return rc;
}

static void epoll_unwatch(int fd, uint64_t key, void *data) {
  (void)key;
  leave_out(data, fd);
}

static void epoll_drop(void *data) {
  struct pillion__executor *ex = data;
  pillion__descriptor_close(ex->epoll);
  ex->epolled = 0;
}

/* In a turn. After a fault the host watches the descriptor no more. */
void pillion__epoll_look(struct pillion__executor *ex) {
  struct epoll_event found[LOOK];
  int n = pillion__descriptor_look(ex->epoll, found, LOOK);
  for (int i = 0; i < n; i++) {
    int fd = found[i].data.fd;
    uint32_t type, slot = ex->watched[fd];
    uint32_t events = pillion_adapter_events((int)found[i].events);
    if (slot-- == 0) continue; /* closed by the program before its watch */
    if (events & PILLION_FAULT) leave_out(ex, fd);
    uint64_t key = pillion__watch_key(slot, pillion__head_at(slot, &type));
    pillion__watch_report(ex, key, events);
  }
}

int pillion_host_epoll(int *out, pillion_executor executor) {
  pillion_host host = PILLION_HOST_INIT;
  struct pillion__executor *ex;
  int rc = pillion__executor_own_outside(&ex, executor);
  if (rc < 0) return rc;
  if (out == NULL) return PILLION_EINVAL;
  const pillion_host *now = pillion__peek(&ex->host);
  if (now == NULL || now->drop != epoll_drop) {
    int set = pillion__descriptor_epoll();
    if (set < 0) return PILLION_ESYSTEM;
    host.data = ex;
    host.watch = epoll_watch;
    host.unwatch = epoll_unwatch;
    host.drop = epoll_drop;
    ex->epoll = set;
    rc = pillion_host_set(executor, &host);
    if (rc < 0) {
      pillion__descriptor_close(set);
      return rc;
    }
  }
  *out = ex->epoll;
  return 0;
}
