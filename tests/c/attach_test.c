/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pillion_executor_attach in a process that has no loop, or one that cannot be
 * used: libraries that are not what they look like are in this program, which
 * exports its symbols.
 */
#include <dlfcn.h>

#include "support.h"

static char text[512];
static int loop; /* which no function may touch */

static int attach_from(const char *name, void *its_loop, const char *library) {
  pillion_attach_options options = PILLION_ATTACH_OPTIONS_INIT;
  options.library = library;
  memset(text, 0, sizeof text);
  return pillion_executor_attach(ex, name, its_loop, &options, text,
                                 sizeof text);
}

static int attach(const char *name) { return attach_from(name, &loop, NULL); }

static int says(const char *part) { return strstr(text, part) != NULL; }

/* ---- Nothing is there ---------------------------------------------------- */

GIVEN(an_executor, a_loop_that_the_process_lacks_is_named_with_its_library) {
  assert_int_equal(attach("glib"), PILLION_ENOTFOUND);
  assert_true(says("\"glib\"") && says("g_source_add_unix_fd") &&
              says("libglib-2.0.so.0 is not loaded"));
  assert_int_equal(attach_from("glib", NULL, NULL), PILLION_ENOTFOUND);
  assert_int_equal(attach("event"), PILLION_ENOTFOUND);
  assert_true(says("event_assign") && says("libevent_core-2.1.so.7"));
  assert_null(dlopen("libglib-2.0.so.0", RTLD_LAZY | RTLD_NOLOAD));
  assert_null(dlopen("libevent_core-2.1.so.7", RTLD_LAZY | RTLD_NOLOAD));
}

GIVEN(an_executor, a_library_that_is_not_loaded_stays_so) {
  assert_int_equal(attach_from("glib", &loop, "libglib-2.0.so.0"),
                   PILLION_ENOTFOUND);
  assert_true(says("libglib-2.0.so.0 is not loaded"));
  assert_null(dlopen("libglib-2.0.so.0", RTLD_LAZY | RTLD_NOLOAD));
  assert_int_equal(attach_from("uv", &loop, "/no/such/file"),
                   PILLION_ENOTFOUND);
  assert_true(says("/no/such/file is not loaded"));
}

GIVEN(an_executor, a_library_without_the_loop_is_named) {
  assert_int_equal(attach_from("uv", &loop, "libcmocka.so.0"),
                   PILLION_ENOTFOUND);
  assert_true(says("libcmocka.so.0 has no uv_poll_init"));
}

GIVEN(an_executor, what_can_never_be_is_refused) {
  static const char *const names[] = {"", "UV", "uv ", "libuv", "asyncio"};
  for (size_t i = 0; i < COUNT(names); i++) {
    assert_int_equal(attach(names[i]), PILLION_EINVAL);
    assert_true(says("\"sd-event\""));
  }
  assert_int_equal(attach(NULL), PILLION_EINVAL);
  static const char *const need[] = {"uv", "event", "ev", "sd-event"};
  for (size_t i = 0; i < COUNT(need); i++)
    assert_int_equal(attach_from(need[i], NULL, NULL), PILLION_EINVAL);
  pillion_attach_options small = PILLION_ATTACH_OPTIONS_INIT;
  small.size = PILLION__FIRST_ATTACH_OPTIONS - 1;
  assert_int_equal(pillion_executor_attach(ex, "uv", &loop, &small, NULL, 0),
                   PILLION_EINVAL);
}

GIVEN(an_executor, detach_without_attach_is_told) {
  pillion_host none = PILLION_HOST_INIT;
  int set;
  assert_ok(pillion_executor_bind(ex));
  assert_int_equal(pillion_executor_detach(ex), PILLION_ECLOSED);
  assert_ok(pillion_host_set(ex, &none));
  assert_int_equal(pillion_executor_detach(ex), PILLION_ECLOSED);
  assert_ok(pillion_host_epoll(&set, ex));
  assert_int_equal(pillion_executor_detach(ex), PILLION_ECLOSED);
  assert_int_equal(pillion_executor_detach(0), PILLION_EBADHANDLE);
}

/* ---- What is there cannot be used ---------------------------------------- */

#define NOTHING(name) \
  void name(void) { abort(); }

NOTHING(uv_poll_init)
NOTHING(uv_poll_start)
NOTHING(uv_poll_stop)
NOTHING(uv_timer_init)
NOTHING(uv_timer_start)
NOTHING(uv_timer_stop)
NOTHING(uv_close)
NOTHING(uv_is_closing)
NOTHING(uv_fileno)
NOTHING(uv_ref)
NOTHING(uv_unref)
NOTHING(uv_now)

static unsigned version;
static size_t bytes;

unsigned uv_version(void) { return version; }
size_t uv_handle_size(int type) { return bytes; }

GIVEN(an_executor, another_libuv_is_refused) {
  version = 2 << 16;
  bytes = 160;
  assert_int_equal(attach("uv"), PILLION_ENOTSUP);
  assert_true(says("libuv 1.x"));
  version = 1 << 16;
  bytes = 1000;
  assert_int_equal(attach("uv"), PILLION_ENOTSUP);
}

NOTHING(ev_loop_new)
NOTHING(ev_io_start)
NOTHING(ev_io_stop)
NOTHING(ev_timer_start)
NOTHING(ev_timer_stop)
NOTHING(ev_prepare_start)
NOTHING(ev_prepare_stop)
NOTHING(ev_cleanup_start)
NOTHING(ev_cleanup_stop)
NOTHING(ev_ref)
NOTHING(ev_unref)
NOTHING(ev_now_update)

static int major;
static size_t callback;

int ev_version_major(void) { return major; }

void ev_invoke(void *its_loop, void *watcher, int events) {
  void (*call)(void *its_loop, void *watcher, int events);
  memcpy(&call, (char *)watcher + callback, sizeof call);
  call(its_loop, watcher, events);
}

/* Without priorities, with more data, and another version. */
GIVEN(an_executor, watchers_of_another_layout_are_refused) {
  static const size_t elsewhere[] = {16, 32, 40};
  major = 4;
  for (size_t i = 0; i < COUNT(elsewhere); i++) {
    callback = elsewhere[i];
    assert_int_equal(attach("ev"), PILLION_ENOTSUP);
    assert_true(says("usual libev 4"));
  }
  major = 3;
  callback = 24;
  assert_int_equal(attach("ev"), PILLION_ENOTSUP);
}

NOTHING(sd_event_add_io)

GIVEN(an_executor, a_library_that_is_not_whole_is_refused) {
  assert_int_equal(attach("sd-event"), PILLION_ENOTSUP);
  assert_true(says("has no sd_event_add_time"));
}

GIVEN(an_executor, nothing_has_touched_the_executor_or_the_loop) {
  struct seen its = {0};
  assert_int_equal(attach("uv"), PILLION_ENOTSUP);
  submit(ex, "test.echo", "x", 1, PILLION_EVENT);
  run(ex, &its);
  assert_int_equal(its.count, 1);
  assert_int_equal(loop, 0);
}

/* ---- Two that have names in common --------------------------------------- */

/* libev exports some of libevent's. Neither's are global here. */
GIVEN(an_executor, all_functions_come_from_one_library) {
  static const char name[] = "libevent_core-2.1.so.7";
  void *libev = dlopen("libev.so.4", RTLD_NOW | RTLD_LOCAL);
  void *libevent = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  assert_non_null(dlsym(libev, "event_add"));
  assert_int_equal(attach_from("event", &loop, "libev.so.4"),
                   PILLION_ENOTFOUND);
  assert_true(says("has no event_assign"));
  void *(*base_new)(void) = (void *(*)(void))dlsym(libevent, "event_base_new");
  void (*base_free)(void *) =
      (void (*)(void *))dlsym(libevent, "event_base_free");
  void *base = base_new();
  assert_ok(attach_from("event", base, name));
  assert_int_equal(attach_from("event", base, NULL), PILLION_EBUSY);
  assert_ok(pillion_executor_detach(ex));
  base_free(base);
  assert_ok(dlclose(libev));
  assert_ok(dlclose(libevent));
  assert_non_null(dlopen(name, RTLD_LAZY | RTLD_NOLOAD)); /* it stays */
}

/* ---- Forks --------------------------------------------------------------- */

GIVEN(an_executor, a_forked_child_is_told) {
  int status = 0;
  assert_ok(pillion_executor_bind(ex));
  pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    if (attach("glib") != PILLION_EFORKED || !says("forked")) _exit(1);
    _exit(pillion_executor_detach(ex) == PILLION_EFORKED ? 0 : 2);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
}
