/* SPDX-License-Identifier: Apache-2.0 */
#include "futures.h"

static int blinking_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct blinking *light = self;
  PILLION_ASYNC(light->state);
  pillion_interval_init(&light->interval, light->period, PILLION_MISSED_BURST);
  while (light->done < light->times) {
    PILLION_AWAIT(light->state,
                  pillion_interval_tick(NULL, &light->interval, cx));
    light->done++;
  }
  pillion_value_set(out, &light->done, sizeof light->done);
  PILLION_RETURN(light->state);
  PILLION_ASYNC_END;
}

static void blinking_drop(void *self) {
  pillion_interval_clear(&((struct blinking *)self)->interval);
}

const pillion_future blinking_future = {sizeof blinking_future, blinking_poll,
                                        blinking_drop};

static int nap_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct nap *nap = self;
  (void)out;
  return pillion_sleep(&nap->timer, cx, nap->ns);
}

static void nap_drop(void *self) {
  pillion_timer_clear(&((struct nap *)self)->timer);
}

static const pillion_future nap_future = {sizeof nap_future, nap_poll,
                                          nap_drop};

static int watching_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct watching *watch = self;
  PILLION_ASYNC(watch->state);
  pillion_scope_init(&watch->scope, 0);
  for (int i = 0; i < 2; i++) {
    int rc = pillion_scope_spawn(&watch->child[i], &watch->scope, cx,
                                 &blinking_future, &watch->light[i]);
    if (rc < 0) return rc;
  }
  watch->reading.line = watch->line;
  watch->nap.ns = watch->patience;
  watch->branch[0].future = &reading_future;
  watch->branch[0].self = &watch->reading;
  watch->branch[1].future = &nap_future;
  watch->branch[1].self = &watch->nap;
  PILLION_AWAIT(watch->state,
                pillion_select(&watch->which, watch->branch, 2, cx));
  watch->value = watch->branch[watch->which].value;
  PILLION_AWAIT(watch->state, pillion_scope_join(&watch->scope, cx));
  *out = watch->value;
  PILLION_RETURN(watch->state);
  PILLION_ASYNC_END;
}

static void watching_drop(void *self) {
  struct watching *watch = self;
  if (watch->branch[0].future != NULL) pillion_branches_drop(watch->branch, 2);
  pillion_scope_drop(&watch->scope);
}

const pillion_future watching_future = {sizeof watching_future, watching_poll,
                                        watching_drop};
