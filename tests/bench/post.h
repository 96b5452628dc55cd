/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_POST_H
#define BENCH_POST_H

/* What a loop has to call a function on its thread: loops/ev.c and so on. */
#ifdef __cplusplus
extern "C" {
#endif

void loop_post_init(void *loop, void (*fn)(void *data), void *data);
void loop_post(void); /* on any thread */

#ifdef __cplusplus
}
#endif

#endif
