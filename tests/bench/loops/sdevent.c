/* SPDX-License-Identifier: Apache-2.0 */
#include "../../conformance/loops/drivers/sdevent.c"

#include "post.h"

/* It has nothing of its own: "wake hand" is what programs do. */
void loop_post_init(void *loop, void (*fn)(void *data), void *data) { abort(); }
void loop_post(void) {}
