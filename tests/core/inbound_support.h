/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_TESTS_CORE_INBOUND_SUPPORT_H
#define PILLION_TESTS_CORE_INBOUND_SUPPORT_H

/* Go's part in calls of the host's functions. */
#include "inbound/inbound.h"
#include "support.h"

#define LENDER_TOKEN 7
#define PROVIDER_TOKEN 70

/* A running call of "test.echo" on `executor` that lends two functions. */
struct pillion__job lend(pillion_executor executor);
/* Ends it, and takes its end. */
void lent_back(const struct pillion__job *job);

/* "app.Fetch" with three functions. */
pillion_provider provide(pillion_executor executor, uint32_t window);

struct pillion__inbound_request lent_request(const struct pillion__job *job);
struct pillion__inbound_request provider_request(pillion_provider provider);
/* Offers it with the payload `text`, or fails the test. */
struct pillion__inbound *offer(struct pillion__inbound_request request,
                               const char *text);

/* Makes a turn with no event, or with one, which it answers. */
void assert_quiet(pillion_executor executor);
pillion_event told(pillion_executor executor, uint32_t flags);

void answer(pillion_task task, const char *text);
/* Takes the answer and releases the call. */
void assert_answered(struct pillion__inbound *in, int status, uint32_t outcome,
                     const char *text);
/* Takes the news that the inbound call has its answer. */
void assert_news(struct pillion__inbound *in);
void assert_no_news(void);

#endif
