/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_DECLARED_UV_H
#define PILLION_DECLARED_UV_H

/*
 * What pillion/uv.h uses of libuv 1.x, of which every release has the same ABI.
 * The functions are pointers, which capi/loops/find.c sets. uv_handle_size
 * tells whether the handles have room enough.
 */
#include <stddef.h>
#include <stdint.h>

typedef struct uv_loop_s uv_loop_t;

#define PILLION__UV_HANDLE \
  {                        \
    void *data;            \
    uv_loop_t *loop;       \
    char room[240];        \
  }
typedef struct uv_handle_s PILLION__UV_HANDLE uv_handle_t;
typedef struct uv_poll_s PILLION__UV_HANDLE uv_poll_t;
typedef struct uv_timer_s PILLION__UV_HANDLE uv_timer_t;

typedef int uv_os_fd_t;
typedef void (*uv_close_cb)(uv_handle_t *handle);
typedef void (*uv_poll_cb)(uv_poll_t *poll, int status, int events);
typedef void (*uv_timer_cb)(uv_timer_t *timer);

enum {
  UV_READABLE = 1,
  UV_WRITABLE = 2,
  UV_DISCONNECT = 4,
  UV_PRIORITIZED = 8
};
enum { UV_EPERM = -1, UV_EEXIST = -17 };
typedef enum { UV_POLL = 8, UV_TIMER = 13 } uv_handle_type;

#define UV_FUNCTIONS(_)                                                       \
  _(int, uv_poll_init, (uv_loop_t * loop, uv_poll_t * poll, int fd))          \
  _(int, uv_poll_start, (uv_poll_t * poll, int events, uv_poll_cb callback))  \
  _(int, uv_poll_stop, (uv_poll_t * poll))                                    \
  _(int, uv_timer_init, (uv_loop_t * loop, uv_timer_t * timer))               \
  _(int, uv_timer_start,                                                      \
    (uv_timer_t * timer, uv_timer_cb callback, uint64_t ms, uint64_t repeat)) \
  _(int, uv_timer_stop, (uv_timer_t * timer))                                 \
  _(void, uv_close, (uv_handle_t * handle, uv_close_cb callback))             \
  _(int, uv_is_closing, (const uv_handle_t *handle))                          \
  _(int, uv_fileno, (const uv_handle_t *handle, uv_os_fd_t *fd))              \
  _(void, uv_ref, (uv_handle_t * handle))                                     \
  _(void, uv_unref, (uv_handle_t * handle))                                   \
  _(uint64_t, uv_now, (const uv_loop_t *loop))                                \
  _(unsigned, uv_version, (void))                                             \
  _(size_t, uv_handle_size, (uv_handle_type type))

UV_FUNCTIONS(PILLION__LOOP_FUNCTION)

#endif
