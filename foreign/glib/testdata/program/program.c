/* SPDX-License-Identifier: Apache-2.0 */

/* Threads of C's, each with a loop on which an executor of Go's rides. */
#include <glib.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

extern intptr_t attach(uintptr_t context, uintptr_t loop);
extern intptr_t detach(uintptr_t loop);
extern uintptr_t no_export(void);

static intptr_t (*attach_unknown)(uintptr_t context, uintptr_t loop);

static void *run(void *known) {
  GMainContext *context = g_main_context_new();
  GMainLoop *loop = g_main_loop_new(context, FALSE);
  intptr_t bad = 0;

  if (known == NULL) {
    bad = attach_unknown((uintptr_t)context, (uintptr_t)loop) != 1;
  } else {
    for (int i = 0; i < 10 && !bad; i++) {
      bad = attach((uintptr_t)context, (uintptr_t)loop);
      if (bad) break;
      g_main_loop_run(loop);
      bad = detach((uintptr_t)loop);
    }
  }
  g_main_loop_unref(loop);
  g_main_context_unref(context);
  return (void *)bad;
}

int main(void) {
  enum { THREADS = 5 };
  pthread_t threads[THREADS];
  void *bad;
  int failed = 0;

  attach_unknown = (intptr_t(*)(uintptr_t, uintptr_t))no_export();
  for (int round = 0; round < 4; round++) {
    for (intptr_t i = 0; i < THREADS; i++)
      pthread_create(&threads[i], NULL, run, (void *)i);
    for (int i = 0; i < THREADS; i++) {
      pthread_join(threads[i], &bad);
      if (bad != NULL) failed = 1;
    }
  }
  if (failed) fprintf(stderr, "a thread has failed\n");
  return failed;
}
