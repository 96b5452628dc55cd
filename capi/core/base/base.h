/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_BASE_H
#define PILLION_BASE_H

/*
 * The lowest floor: memory, log and errors, the process and its threads, its
 * descriptors and its clock, and whether the library has started. It knows no
 * task and no executor. capi/core.c lists the floors.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "pillion.h"

/* Loads and stores that order nothing: the owner's own, and first guesses. */
#define pillion__peek(at) atomic_load_explicit(at, memory_order_relaxed)
#define pillion__set(at, value) \
  atomic_store_explicit(at, value, memory_order_relaxed)

#pragma GCC visibility push(hidden)

#define PILLION__LIKELY(x) __builtin_expect(!!(x), 1)
#define PILLION__UNLIKELY(x) __builtin_expect(!!(x), 0)

/* memory.c */
void *pillion__alloc(size_t bytes);
void *pillion__alloc_lines(size_t bytes, void **memory);
void pillion__free(void *memory);
void pillion__allocator_set(const pillion_allocator *a);
void *pillion__payload_alloc(size_t bytes);
void pillion__payload_free(void *memory);
extern _Atomic uint64_t pillion__payloads_alive;

/*
 * Where a program wants to read why a call fails: its errbuf and errcap, or
 * nowhere.
 */
struct pillion__why {
  char *text;
  size_t cap;
};
#define PILLION__NOWHERE ((struct pillion__why){NULL, 0})

/* size.c */
int pillion__sized_in(void *ours, size_t size, size_t first, const void *given,
                      struct pillion__why why);
int pillion__sized_out(void *given, size_t first, const void *ours,
                       size_t size);

/* log.c, error.c */
void pillion__log(int level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int pillion__fail(int code, struct pillion__why why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int pillion__fail_system(struct pillion__why why, const char *what);
int pillion__options_take(void *ours, size_t size, size_t first,
                          const void *given, struct pillion__why why);

/* process.c: forks, and threads, which have a serial each */
#if defined(__x86_64__)
#define PILLION__PAGE 4096
#else
#define PILLION__PAGE 65536 /* the largest that there is */
#endif
extern union pillion__page {
  _Alignas(PILLION__PAGE) uint32_t word;
  char whole[PILLION__PAGE];
} pillion__alive;
extern _Thread_local uint64_t pillion__serial
    __attribute__((tls_model("initial-exec")));
/* Whether the thread is inside a turn, or in a call that counts as one. */
extern _Thread_local uint32_t pillion__turning
    __attribute__((tls_model("initial-exec")));
uint64_t pillion__serial_new(void);
void pillion__process_watch(void (*thread_ends)(void *serial));
int pillion__thread_start(pthread_t *out, void *(*body)(void *data),
                          void *data);

/*
 * The first generation of every place for a handle. No two libraries of a
 * process have the same one, since they lie in different pages. So a handle of
 * another library is refused, unless billions of lives have made up for it.
 */
static inline uint32_t pillion__first_gen(void) {
  uint32_t page = (uint32_t)((uintptr_t)&pillion__alive / PILLION__PAGE);
  return (page * 0x9e3779b1u << 1 & 0x3fffffffu) | 1u;
}

static inline bool pillion__forked(void) {
  return PILLION__UNLIKELY(pillion__alive.word == 0);
}
static inline uint64_t pillion__me(void) {
  return PILLION__LIKELY(pillion__serial != 0) ? pillion__serial
                                               : pillion__serial_new();
}

/* descriptor.c */
int pillion__descriptor_event(void);
int pillion__descriptor_timer(void);
int pillion__descriptor_epoll(void);
struct epoll_event;
int pillion__descriptor_look(int set, struct epoll_event *events, int cap);
int pillion__descriptor_set(int event, int timer);
int pillion__descriptor_copy(int fd);
bool pillion__descriptor_poke(int fd);
void pillion__descriptor_arm(int timer, uint32_t ns);
bool pillion__descriptor_empty(int fd);
void pillion__descriptor_close(int fd);

/* clock.c */
int64_t pillion__now(void);
struct timespec *pillion__until(struct timespec *left, int64_t deadline);
void pillion__let_run(uint32_t round);
bool pillion__await_zero(_Atomic uint64_t *count, int64_t deadline);

/* started.c */
int pillion__started(void); /* starts the library if need be */
int pillion__started_or(struct pillion__why why);
extern _Atomic bool pillion__is_started;
extern _Atomic bool pillion__stopping;
extern uint64_t pillion__max_request;
extern uint32_t pillion__max_calls, pillion__max_workers;
/* Starts the library; wired. */
/* Where a warning goes, too: to those who take the log. */
extern void (*const pillion__log_keeper)(const char *text);
extern int (*const pillion__starter)(const pillion_start_options *options,
                                     char *errbuf, size_t errcap);

#pragma GCC visibility pop

#endif
