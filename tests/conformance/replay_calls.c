/* SPDX-License-Identifier: Apache-2.0 */

/*
 * replay_calls KIND FILE...: replays the vectors of calls on the library, through
 * pillion.h alone. README.md describes them. KIND says where the functions run:
 * loop, pool or goroutine. It prints each case that went differently, and the
 * totals; the exit code is 1 if one did, and 2 if a vector can't be read.
 */
#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "calls.h"
#include "vector.h"

static int passed, failed, skipped;
static int64_t patience = 10000; /* ms */

/* ---- Deeds ---------------------------------------------------------------- */

static int send_one(pillion_task task, const char *word) {
  pillion_value value = {0};
  const char *text = text_of(word);
  value.length = strlen(text);
  memcpy(value.payload.bytes, text, value.length);
  return pillion_call_send(task, &value);
}

static int answer(struct inbound *in, const char *word) {
  pillion_value value = {0};
  char failure[128];
  const char *text = text_of(word);
  value.length = strlen(text);
  if (strcmp(word, "!cancelled") == 0) {
    value.status = PILLION_ECANCELLED;
    value.length = 0;
  } else if (strncmp(word, "!failed:", 8) == 0) {
    value.status = PILLION_EFAILED;
    value.length = pillion_failure_write(failure, sizeof failure, 5, word + 8,
                                         strlen(word) - 8, "at home", 7);
    text = failure;
  }
  if (value.length <= PILLION_INLINE)
    memcpy(value.payload.bytes, text, value.length);
  else value.payload.ref.data = text;
  return pillion_call_answer(in->task, &value);
}

static const char *result_of(int rc) {
  switch (rc) {
    case 0: return "ok";
    case PILLION_EINVAL: return "invalid";
    case PILLION_EAGAIN: return "again";
    case PILLION_EBUSY: return "busy";
    case PILLION_ECLOSED: return "closed";
    case PILLION_ENOTSUP: return "unsupported";
    case PILLION_EBADHANDLE: return "finished";
    default: return pillion_strerror(rc);
  }
}

struct deed {
  char *const *word; /* VERB OBJECT ARGUMENT... */
  char result[32];
};

static void *do_it(void *data) {
  static const char *const asked[] = {"asked", "already", "finished"};
  struct deed *deed = data;
  const char *verb = deed->word[0], *object = deed->word[1],
             *argument = deed->word[2];
  const char *result = NULL;
  int rc = 0;
  if (strcmp(verb, "submit") == 0) {
    struct call *call = call_of(object);
    if (argument != NULL) call->parent = inbound_of(deed->word[3])->task;
    rc = call_submit(call);
  } else if (strcmp(verb, "credit") == 0) {
    rc = pillion_call_credit(task_of(object),
                             (uint32_t)number_of(argument));
    if (rc >= 0) snprintf(deed->result, sizeof deed->result, "%d", rc);
    if (rc >= 0) return NULL;
  } else if (strcmp(verb, "send") == 0) {
    rc = send_one(task_of(object), argument);
  } else if (strcmp(verb, "finish") == 0) {
    rc = pillion_call_finish(task_of(object));
  } else if (strcmp(verb, "cancel") == 0) {
    rc = pillion_task_cancel(call_of(object)->task);
    if (rc >= 0) result = asked[rc];
  } else if (strncmp(verb, "deadline:", 9) == 0) {
    struct call *call = call_of(object);
    rc = pillion_task_deadline(&call->deadline, call->task,
                               number_of(verb + 9));
    if (rc == 2) rc = PILLION_EBADHANDLE;
  } else if (strcmp(verb, "answer") == 0) {
    rc = answer(inbound_of(object), argument);
  } else if (strcmp(verb, "accept") == 0) {
    struct inbound *in = inbound_of(object);
    rc = pillion_call_accept(
        in->task, token_of_inbound(in),
        argument == NULL ? 0 : (uint32_t)number_of(argument));
  } else if (strcmp(verb, "provide") == 0) {
    rc = provide(object, argument == NULL ? 0 : number_of(deed->word[3]));
  } else if (strcmp(verb, "withdraw") == 0) {
    rc = pillion_provider_free(provider_of(object)->handle);
  } else if (strcmp(verb, "close") == 0) {
    int drain = strcmp(object, "drain") == 0;
    rc = pillion_executor_close(
        host.executor, drain ? PILLION_CLOSE_DRAIN : PILLION_CLOSE_CANCEL);
  } else if (strcmp(verb, "wake") == 0) {
    wake(object);
  } else {
    broken("an unknown verb", verb);
  }
  if (result == NULL) result = result_of(rc);
  snprintf(deed->result, sizeof deed->result, "%s", result);
  return NULL;
}

static void perform(struct deed *deed, int elsewhere) {
  pthread_t thread;
  if (!elsewhere) {
    do_it(deed);
    return;
  }
  if (pthread_create(&thread, NULL, do_it, deed) != 0) exit(2);
  pthread_join(thread, NULL);
}

/* ---- Lines ---------------------------------------------------------------- */

static void differs(const struct text *want, const struct text *got) {
  printf("%s:%d: %s (%s)\n  want %s\n  got  %s\n", host.file, host.line,
         host.name, host.kind, want->bytes, got->bytes);
  host.failed = 1;
}

static void compare(const struct text *want, const struct text *got) {
  if (strcmp(want->bytes, got->bytes) != 0) differs(want, got);
}

/* [elsewhere] VERB OBJECT ARGUMENT... = RESULT... */
static void step(struct words *words) {
  static struct text want, got;
  int equals = words_find(words, "="),
      elsewhere = strcmp(words->word[0], "elsewhere") == 0;
  if (equals < 2 + elsewhere) broken("no result", words->word[0]);
  words_join(&want, words, equals + 1);
  text_clear(&got);
  char **word = words->word + elsewhere, *end = words->word[equals];
  words->word[equals] = NULL;
  struct deed deed = {word, ""};
  if (strcmp(word[0], "send") == 0) {
    char *one[] = {word[0], word[1], NULL, NULL}, last[32] = "";
    deed.word = one;
    for (word += 2; *word != NULL; word++) {
      one[2] = *word;
      perform(&deed, elsewhere);
      if (strcmp(last, deed.result) != 0) text_add(&got, "%s", deed.result);
      memcpy(last, deed.result, sizeof last);
    }
  } else {
    perform(&deed, elsewhere);
    text_add(&got, "%s", deed.result);
  }
  words->word[equals] = end;
  compare(&want, &got);
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What has been seen in a turn, or has to be. */
struct state {
  struct words trace, events;
  uint64_t live;
};

static void state_free(struct state *state) {
  words_free(&state->trace);
  words_free(&state->events);
  state->live = 0;
}

/* The call that an event belongs to: events of several calls have no order. */
static void owner_of(char *out, size_t size, const char *event) {
  size_t at = strcspn(event, ">:=~?!/");
  const char *from = event;
  if (event[at] == '!') {
    from = event + at + 1;
    at = strlen(from);
  } else if (event[at] == '?') {
    from = strchr(event + at, ':') + 1;
    at = strcspn(from, "@");
  }
  snprintf(out, size, "%.*s", (int)at, from);
}

static int comes_before(const char *a, const char *b) {
  char of_a[128], of_b[128];
  owner_of(of_a, sizeof of_a, a);
  owner_of(of_b, sizeof of_b, b);
  return strcmp(of_a, of_b) < 0;
}

static void state_text(struct text *out, struct state *state) {
  struct words *events = &state->events;
  for (int i = 1; i < events->count; i++)
    for (int j = i; j > 0 && comes_before(events->word[j], events->word[j - 1]);
         j--) {
      char *word = events->word[j];
      events->word[j] = events->word[j - 1];
      events->word[j - 1] = word;
    }
  words_join(out, &state->trace, 0);
  text_add(out, ";");
  for (int i = 0; i < events->count; i++) text_add(out, "%s", events->word[i]);
  if (state->live > 0) text_add(out, "live %d", (int)state->live);
}

static void wait_a_little(void) {
  struct pollfd fd = {-1, POLLIN, 0};
  pillion_executor_fd(&fd.fd, host.executor);
  poll(&fd, 1, 1); /* what a function has seen wakes nothing */
}

/* turn [N] : TRACE ; EVENTS [live N], with N events at most */
static void turn(const struct words *words) {
  static pillion_event events[256];
  static struct state want, got;
  static struct text wanted, seen;
  int colon = words_find(words, ":"), semicolon = words_find(words, ";");
  if (colon < 0 || semicolon < colon) broken("no trace", "turn");
  int most = colon == 2 ? (int)number_of(words->word[1]) : INT32_MAX;
  for (int i = colon + 1; i < semicolon; i++)
    words_add(&want.trace, words->word[i]);
  for (int i = semicolon + 1; i < words->count; i++) {
    if (strcmp(words->word[i], "live") == 0)
      want.live = (uint64_t)number_of(words->word[++i]);
    else words_add(&want.events, words->word[i]);
  }
  for (int64_t end = now_ms() + patience;;) {
    pillion_progress progress = PILLION_PROGRESS_INIT;
    int room = most - got.events.count;
    int n = pillion_executor_turn(events, room > 256 ? 256 : (size_t)room,
                                  &progress, host.executor, NULL);
    if (n < 0) broken("the turn fails", pillion_strerror(n));
    for (int i = 0; i < n; i++) words_add(&got.events, event_word(&events[i]));
    got.live = progress.live - pool_live();
    trace_take(&got.trace);
    if (n > 0 || (progress.more && room > 0)) continue;
    if ((got.events.count >= want.events.count &&
         got.trace.count >= want.trace.count && got.live == want.live) ||
        now_ms() > end)
      break;
    wait_a_little();
  }
  state_text(&wanted, &want);
  state_text(&seen, &got);
  compare(&wanted, &seen);
  state_free(&want);
  state_free(&got);
}

/* free : TRACE */
static void give_up(const struct words *words) {
  static struct words got;
  static struct text want, seen;
  words_join(&want, words, 2);
  host_free();
  for (int64_t end = now_ms() + patience;
       got.count < words->count - 2 && now_ms() < end;) {
    trace_take(&got);
    poll(NULL, 0, 1);
  }
  words_join(&seen, &got, 0);
  compare(&want, &seen);
  words_free(&got);
}

static void end_case(void) {
  if (host.name[0] == 0) return;
  host_free();
  if (host.skipped) skipped++;
  else if (host.failed) failed++;
  else passed++;
}

static void take_line(struct words *words) {
  char *const *word = words->word;
  if (host.failed || host.skipped) return;
  if (strcmp(word[0], "on") == 0) {
    host.skipped = words_find(words, host.kind) < 0;
  } else if (strcmp(word[0], "call") == 0 || strcmp(word[0], "stream") == 0 ||
             strcmp(word[0], "collect") == 0 ||
             strcmp(word[0], "duplex") == 0) {
    declare(words);
  } else if (strcmp(word[0], "advance") == 0) {
    host.now += number_of(word[1]);
  } else if (strcmp(word[0], "turn") == 0) {
    host_begin();
    turn(words);
  } else if (strcmp(word[0], "free") == 0) {
    give_up(words);
  } else {
    host_begin();
    step(words);
  }
}

static void replay(const char *path) {
  static char line[65536];
  static struct words words;
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    perror(path);
    exit(2);
  }
  for (int n = 1; fgets(line, sizeof line, file) != NULL; n++) {
    words_read(&words, line);
    host.line = n;
    if (words.count == 0) continue;
    if (strcmp(words.word[0], "case") == 0) {
      end_case();
      host_case(path, words.word[1]);
      host.line = n;
    } else {
      take_line(&words);
    }
    words_free(&words);
  }
  fclose(file);
  end_case();
  host.name[0] = 0;
}

/* What the functions have left behind goes soon. */
static void nothing_is_alive(void) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  for (int64_t end = now_ms() + 10000; now_ms() < end; poll(NULL, 0, 1)) {
    pillion_library_count(&counts);
    if (counts.executors + counts.tasks + counts.calls + counts.payloads +
            counts.pools + counts.providers + counts.inbound ==
        0)
      return;
  }
  puts("something is alive at the end");
  failed++;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  const char *ms = getenv("PATIENCE");
  if (ms != NULL) patience = number_of(ms);
  host.kind = argv[1];
  control_begin();
  for (int i = 2; i < argc; i++) replay(argv[i]);
  control_end();
  nothing_is_alive();
  printf("%d passed, %d failed", passed, failed);
  if (skipped > 0) printf(", %d skipped", skipped);
  puts("");
  return failed > 0;
}
