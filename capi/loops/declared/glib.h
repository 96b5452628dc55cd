/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_DECLARED_GLIB_H
#define PILLION_DECLARED_GLIB_H

/*
 * What pillion/glib.h uses of GLib 2.36 or later, whose GSource is public and
 * cannot grow. The functions are pointers, which capi/loops/find.c sets.
 */
#include <limits.h>
#include <stdint.h>

typedef int gint;
typedef int gboolean;
typedef int64_t gint64;
typedef void *gpointer;
typedef unsigned GIOCondition;
typedef struct _GMainContext GMainContext;
typedef gboolean (*GSourceFunc)(gpointer data);

typedef struct _GSource {
  gpointer its_own[12];
} GSource;

typedef struct _GSourceFuncs {
  gboolean (*prepare)(GSource *source, gint *timeout);
  gboolean (*check)(GSource *source);
  gboolean (*dispatch)(GSource *source, GSourceFunc callback, gpointer data);
  void (*finalize)(GSource *source);
  void (*its_own)(void);
  void (*its_own_too)(void);
} GSourceFuncs;

#define TRUE 1
#define G_MAXINT INT_MAX
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define G_IO_IN 1u
#define G_SOURCE_CONTINUE 1

#define GLIB_FUNCTIONS(_)                                                   \
  _(gpointer, g_source_add_unix_fd,                                         \
    (GSource * source, gint fd, GIOCondition events))                       \
  _(void, g_source_modify_unix_fd,                                          \
    (GSource * source, gpointer tag, GIOCondition events))                  \
  _(void, g_source_remove_unix_fd, (GSource * source, gpointer tag))        \
  _(GIOCondition, g_source_query_unix_fd, (GSource * source, gpointer tag)) \
  _(GSource *, g_source_new, (GSourceFuncs * functions, unsigned size))     \
  _(unsigned, g_source_attach, (GSource * source, GMainContext * context))  \
  _(void, g_source_destroy, (GSource * source))                             \
  _(void, g_source_unref, (GSource * source))                               \
  _(gboolean, g_source_is_destroyed, (GSource * source))                    \
  _(void, g_source_set_can_recurse, (GSource * source, gboolean recurse))   \
  _(void, g_source_set_priority, (GSource * source, gint priority))         \
  _(gint, g_source_get_priority, (GSource * source))                        \
  _(GMainContext *, g_source_get_context, (GSource * source))               \
  _(gint64, g_source_get_time, (GSource * source))                          \
  _(GMainContext *, g_main_context_get_thread_default, (void))

GLIB_FUNCTIONS(PILLION__LOOP_FUNCTION)

#endif
