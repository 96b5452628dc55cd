/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_RIG_H
#define PILLION_TESTS_RIG_H

/* What the cases share: a loop with an executor on it. */
#include "loop.h"
#include "watch_support.h"

struct rig {
  struct host host;
  void *loop;
  pillion_executor ex;
  struct seen seen; /* the events that it has told */
  int failed;
};

void record(const pillion_event *event, void *data);       /* in a struct rig */
void submit_again(const pillion_event *event, void *data); /* 20 times */

struct rig *rig_new(pillion_event_fn on_event);
struct rig *rig_of(pillion_executor ex, pillion_event_fn on_event);
int rig_attach(struct rig *rig, pillion_event_fn on_event);
void rig_run(struct rig *rig); /* until nothing lives */
void rig_free(struct rig *rig);

/* So many rounds that what is ready has been done, on any loop. */
void settle(struct rig *rig);

void stop_rounds(void *data); /* sets an int, for loop_after */

/* Reports whether a case applies to the loop. */
int applies(const char *name);

#endif
