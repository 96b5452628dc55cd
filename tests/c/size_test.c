/* SPDX-License-Identifier: Apache-2.0 */

/* Requests longer than a C int can count reach Go whole, or are refused. */
#include "support.h"

#define GIB ((size_t)1 << 30)

/* Enough for C's copy of the request and Go's, and some more. */
static int memory_enough(void) {
  char line[200];
  long long kib = 0;
  FILE *file = fopen("/proc/meminfo", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "MemAvailable: %lld kB", &kib) == 1) break;
  if (file != NULL) fclose(file);
  return kib >> 20 >= 6;
}

TEST(request_of_more_than_2_gib) {
  size_t length = 2 * GIB + 1;
  pillion_value value;
  char expected[32];
  if (!memory_enough()) skip();
  char *request = calloc(1, length); /* unwritten pages cost nothing */
  assert_non_null(request);
  request[length - 1] = '!';
  int rc = pillion_call_wait(&value, function("test.length"), request, length,
                             PILLION_TIME_NEVER);
  free(request);
  assert_ok(rc);
  assert_ok(value.status);
  snprintf(expected, sizeof expected, "%zu!", length);
  assert_int_equal(value.length, strlen(expected));
  assert_memory_equal(pillion_value_data(&value), expected, value.length);
}

TEST(request_of_more_than_4_gib) {
  pillion_value value;
  assert_int_equal(pillion_call_wait(&value, function("test.length"), "x",
                                     4 * GIB, PILLION_TIME_NEVER),
                   PILLION_EMSGSIZE);
}

static int starts_with_the_largest_limit(void **state) {
  pillion_start_options options = PILLION_START_OPTIONS_INIT;
  options.max_request = (uint64_t)PILLION_MAX_PAYLOAD + 1;
  if (pillion_start(&options, NULL, 0) != PILLION_EMSGSIZE) return -1;
  options.max_request = PILLION_MAX_PAYLOAD;
  return pillion_start(&options, NULL, 0) < 0 ? -1 : start_clock(state);
}

int main(void) {
  return run_all_tests(starts_with_the_largest_limit, free_executor,
                       nothing_lives);
}
