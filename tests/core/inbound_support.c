/* SPDX-License-Identifier: Apache-2.0 */
#include "inbound_support.h"

struct pillion__job lend(pillion_executor executor) {
  pillion_call_options o = PILLION_CALL_OPTIONS_INIT;
  pillion_task task;
  o.function = function("test.echo");
  o.token = LENDER_TOKEN;
  o.callbacks = 2;
  assert_ok(pillion_call_submit_with(&task, executor, &o));
  return take_one();
}

void lent_back(const struct pillion__job *job) {
  pillion_task task = pillion__handle(PILLION__TASK, job->call->slot, job->gen);
  pillion_executor home = pillion__handle(
      PILLION__EXECUTOR, atomic_load(&job->call->executor)->base.index,
      (uint32_t)atomic_load(&atomic_load(&job->call->executor)->base.gen));
  job_return(job, NULL, 0);
  assert_true(told(home, 0).task == task);
}

pillion_provider provide(pillion_executor executor, uint32_t window) {
  pillion_provider_options o = PILLION_PROVIDER_OPTIONS_INIT;
  pillion_provider provider = 0;
  o.name = "app.Fetch";
  o.token = PROVIDER_TOKEN;
  o.functions = 3;
  o.window = window;
  assert_ok(pillion_provider_new(&provider, executor, &o, NULL, 0));
  return provider;
}

struct pillion__inbound_request lent_request(const struct pillion__job *job) {
  return (struct pillion__inbound_request){.lender = job->call,
                                           .function = 1,
                                           .deadline = PILLION_TIME_NEVER,
                                           .who = PILLION__WAITS_GO};
}

struct pillion__inbound_request provider_request(pillion_provider provider) {
  return (struct pillion__inbound_request){.provider = provider,
                                           .function = 2,
                                           .deadline = PILLION_TIME_NEVER,
                                           .who = PILLION__WAITS_GO};
}

struct pillion__inbound *offer(struct pillion__inbound_request request,
                               const char *text) {
  struct pillion__inbound *in = NULL;
  request.payload = text;
  request.length = strlen(text);
  assert_ok(pillion__inbound_offer(&in, &request));
  return in;
}

void assert_quiet(pillion_executor executor) {
  assert_int_equal(turn(executor), 0);
}

pillion_event told(pillion_executor executor, uint32_t flags) {
  assert_int_equal(turn(executor), 1);
  assert_int_equal(events[0].flags, flags);
  return events[0];
}

void answer(pillion_task task, const char *text) {
  pillion_value value = {0};
  value.length = strlen(text);
  if (value.length > PILLION_INLINE) value.payload.ref.data = text;
  else memcpy(value.payload.bytes, text, value.length);
  assert_ok(pillion_call_answer(task, &value));
}

void assert_answered(struct pillion__inbound *in, int status, uint32_t outcome,
                     const char *text) {
  pillion_value value;
  uint32_t how;
  assert_int_equal(pillion__inbound_take(in, &value, &how), PILLION_READY);
  assert_int_equal(value.status, status);
  assert_int_equal(how, outcome);
  assert_int_equal(value.length, strlen(text));
  assert_memory_equal(pillion_value_data(&value), text, value.length);
  pillion_value_drop(&value);
  pillion__inbound_release(in);
}

void assert_news(struct pillion__inbound *in) {
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 1);
  assert_int_equal(jobs[0].news, PILLION__NEWS_ANSWER);
  assert_ptr_equal(jobs[0].call, in);
  assert_int_equal(jobs[0].gen, pillion__gen_of(pillion__inbound_handle(in)));
}

void assert_no_news(void) {
  assert_int_equal(pillion__ring_take(jobs, COUNT(jobs)), 0);
}
