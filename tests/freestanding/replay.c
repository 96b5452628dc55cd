/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replays vectors, which are compiled in, on static.h; tests/conformance/README.md
 * describes them. It works on the text where it is, in flash. `elsewhere` is an
 * interrupt. Cases with what static.h has not, or with more tasks than there is
 * memory for, are skipped and counted.
 */
#include "boards/board.h"
#include "pillion/scope.h"
#include "pillion/static.h"
#include "pillion/time.h"
#include "text.h"

#ifndef ACTORS
#define ACTORS 2048
#endif

extern const char vectors[], vectors_end[];

/* ---- Words --------------------------------------------------------------- */

/* A word; of a name like x12 `stem` letters and a number. */
struct word {
  const char *text;
  int length, stem, number;
};

/* The words up to the end of the line; x3..x5 are three. */
struct words {
  const char *at, *end;
  struct word range;
  int left;
};

static int digits(const char *at, const char *end, int *number) {
  int n = 0;
  *number = 0;
  for (; at + n < end && at[n] >= '0' && at[n] <= '9'; n++)
    if (n < 9) *number = *number * 10 + at[n] - '0';
  return n;
}

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static struct words line_at(const char *at) {
  struct words words = {at, at, {NULL, 0, 0, 0}, 0};
  while (words.end < vectors_end && *words.end != '\n') words.end++;
  return words;
}

static int next(struct words *words, struct word *word) {
  if (words->left > 0) {
    words->left--;
    words->range.number++;
    *word = words->range;
    return 1;
  }
  while (words->at < words->end && is_blank(*words->at)) words->at++;
  if (words->at == words->end || *words->at == '#') return 0;
  const char *from = words->at, *at = from;
  int last, n;
  while (at < words->end && !is_blank(*at) && *at != '.') at++;
  word->text = from;
  word->stem = (int)(at - from);
  while (word->stem > 0 && at[-1] >= '0' && at[-1] <= '9') at--, word->stem--;
  n = digits(at, words->end, &word->number);
  word->stem = (int)(at - from);
  at += n;
  word->length = (int)(at - from);
  if (n == 0) word->number = -1;
  if (at < words->end && *at == '.') {
    at += 2 + word->stem;
    at += digits(at, words->end, &last);
    word->length = -1;
    words->range = *word;
    words->left = last - word->number;
  }
  words->at = at;
  return 1;
}

static int is(const struct word *word, const char *text) {
  int i = 0;
  while (i < word->length && text[i] == word->text[i]) i++;
  return i == word->length && text[i] == 0;
}

static int begins(const struct word *word, const char *text) {
  int i = 0;
  while (text[i] != 0 && i < word->length && text[i] == word->text[i]) i++;
  return text[i] == 0;
}

static int64_t value_of(const struct word *word) {
  int64_t n = 0;
  int minus = word->text[0] == '-';
  if (is(word, "never")) return INT64_MAX;
  for (int i = minus; i < word->length; i++) n = n * 10 + (word->text[i] - '0');
  return minus ? -n : n;
}

/* A word that is being made, or read out of a line. */
struct spelled {
  char bytes[64];
  int length;
};

static void add(struct spelled *to, const char *text, int length) {
  for (int i = 0; length < 0 ? text[i] != 0 : i < length; i++)
    if (to->length < 63) to->bytes[to->length++] = text[i];
  to->bytes[to->length] = 0;
}

static void add_word(struct spelled *to, const struct word *word) {
  add(to, word->text, word->stem);
  if (word->number >= 0) add(to, number(word->number), -1);
  else add(to, word->text + word->stem, word->length - word->stem);
}

/* ---- The case that is replayed ------------------------------------------- */

struct actor {
  struct word name;
  uint8_t mode, waiting, counted;
  int16_t spawns, drops;
  const char *script, *at, *drop, *end;
  pillion_task task;
  pillion_timer timer;
  pillion_interval interval;
  pillion_scope scope;
  pillion_child child;
  int32_t status; /* of its end, to be told by the next turn */
  uint32_t outcome;
  int64_t value;
  struct actor *told;
};

static struct actor actors[ACTORS];
static pillion_slot slots[ACTORS];
static int actor_count, max_tasks, failed_here;
static struct actor *ended, **ended_last = &ended;
static struct word name_here;
static int64_t time_here;
static int passed, failed, skipped;

/* What must be seen, and what was before it can be compared. */
static struct words wanted;
static int may_be_more, may_poke, streaming;
static char held[256];
static int held_length;

static void differs(const char *want, const char *got) {
  struct spelled name = {"", 0};
  if (failed_here) return;
  failed_here = 1;
  add(&name, name_here.text, name_here.length);
  say(name.bytes, ": want ", want, ", got ", got, "\n", NULL);
}

static int optional(const struct word *word) {
  return is(word, "more?") || is(word, "poke?");
}

static void compare(const char *got) {
  struct spelled want = {"", 0};
  struct word word;
  int there = next(&wanted, &word);
  while (there && optional(&word)) there = next(&wanted, &word);
  if (there) add_word(&want, &word);
  int i = 0;
  while (want.bytes[i] != 0 && want.bytes[i] == got[i]) i++;
  if (want.bytes[i] != got[i]) differs(want.bytes, got);
}

static void trace(const char *mark, const struct word *word, const char *more) {
  struct spelled got = {"", 0};
  add(&got, mark, -1);
  if (word != NULL) add_word(&got, word);
  add(&got, more, -1);
  if (streaming) {
    compare(got.bytes);
    return;
  }
  for (int i = 0; i <= got.length && held_length < 255; i++)
    held[held_length++] = got.bytes[i];
}

static void want(struct words words) {
  struct word word;
  wanted = words;
  may_be_more = may_poke = 0;
  while (next(&words, &word)) {
    may_be_more |= is(&word, "more?");
    may_poke |= is(&word, "poke?");
  }
}

static struct actor *actor_of(const struct word *name) {
  for (int i = 0; i < actor_count; i++) {
    const struct word *its = &actors[i].name;
    int k = 0;
    if (its->stem != name->stem || its->number != name->number) continue;
    while (k < its->stem && its->text[k] == name->text[k]) k++;
    if (k == its->stem) return &actors[i];
  }
  differs("a task", "another name");
  return &actors[0];
}

/* ---- Deeds --------------------------------------------------------------- */

static const pillion_future script;

static const char *error_text(int rc) {
  switch (rc) {
    case 0: return "ok";
    case 2: return "finished";
    case PILLION_EAGAIN: return "again";
    case PILLION_EINVAL: return "invalid";
    case PILLION_EBUSY: return "busy";
    case PILLION_EREENTRANT: return "reentrant";
    case PILLION_EBADHANDLE: return "finished";
    default: return number(rc);
  }
}

static int spawn(struct actor *actor, pillion_context *cx) {
  static const pillion_timer none;
  uint64_t token = (uint64_t)(actor - actors);
  actor->at = actor->script;
  actor->waiting = 0;
  actor->timer = none;
  int rc = cx != NULL ? pillion_spawn(&actor->task, cx, &script, actor, token,
                                      actor->mode)
                      : pillion_static_spawn(&actor->task, &script, actor,
                                             token, actor->mode);
  if (rc == 0) actor->spawns++;
  return rc;
}

/* `elsewhere` wakes in the alarm's interrupt. */
static volatile int woken;
static pillion_waker to_wake;

void board_alarm(void) { woken = pillion_wake(to_wake); }
void board_received(char byte) { (void)byte; }

static int wake_elsewhere(pillion_waker waker) {
  to_wake = waker;
  woken = -99;
  board_alarm_set(1);
  while (woken == -99) board_counter();
  return woken;
}

static const char *perform(const struct word *verb, const struct word *object,
                           pillion_context *cx, int elsewhere) {
  static const char *const wakes[] = {"woken", "coalesced", "stale"};
  static const char *const cancels[] = {"asked", "already", "finished"};
  if (is(verb, "advance")) {
    time_here += value_of(object);
    return "ok";
  }
  struct actor *actor = actor_of(object);
  int rc;
  if (is(verb, "spawn")) return error_text(spawn(actor, cx));
  if (is(verb, "wake")) {
    rc = elsewhere ? wake_elsewhere(actor->task)
         : cx != NULL ? cx->ops->wake(actor->task)
                      : pillion_wake(actor->task);
    return rc < 0 ? error_text(rc) : wakes[rc];
  }
  if (is(verb, "cancel")) {
    rc = pillion_cancel(pillion_static_ops(), actor->task);
    return rc < 0 ? error_text(rc) : cancels[rc];
  }
  if (is(verb, "evict"))
    return error_text(pillion_static_ops()->evict(actor->task));
  differs("a deed", "an unknown verb");
  return "";
}

static int same(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return *a == *b;
}

static void perform_inside(struct words *words, struct word *verb,
                           pillion_context *cx) {
  struct word object;
  int elsewhere = is(verb, "elsewhere");
  if (elsewhere) next(words, verb);
  next(words, &object);
  const char *result = perform(verb, &object, cx, elsewhere);
  if (!same(result, "ok") && !same(result, "woken") && !same(result, "asked"))
    trace("!", NULL, result);
}

/* ---- The future ---------------------------------------------------------- */

static const char *status_text(int32_t status, uint32_t outcome,
                               int64_t value) {
  if (status == PILLION_ECANCELLED)
    return outcome == PILLION_OUTCOME_CANCELLED_UNSTARTED ? "unstarted"
                                                          : "cancelled";
  return number(status < 0 ? status : value);
}

static int64_t payload(const pillion_value *value) {
  int64_t n = 0;
  if (value->length == sizeof n)
    for (unsigned i = 0; i < sizeof n; i++)
      ((uint8_t *)&n)[i] = value->payload.bytes[i];
  return n;
}

static int join(pillion_context *cx, const struct word *name) {
  pillion_value value;
  int rc = pillion_join(&value, cx, actor_of(name)->task);
  if (rc == PILLION_PENDING) return rc;
  if (rc < 0) trace("!", NULL, error_text(rc));
  else
    trace("<", NULL,
          status_text(value.status, PILLION_OUTCOME_CANCELLED_RUNNING,
                      payload(&value)));
  return PILLION_READY;
}

static int until(struct actor *actor, pillion_context *cx, int64_t deadline) {
  if (deadline <= cx->now) {
    pillion_timer_clear(&actor->timer);
    actor->waiting = 0;
    return PILLION_READY;
  }
  if (!actor->waiting) pillion_timer_set(&actor->timer, cx, deadline);
  actor->waiting = 1;
  return PILLION_PENDING;
}

static int tick(struct actor *actor, pillion_context *cx) {
  uint64_t missed;
  int rc = pillion_interval_tick(&missed, &actor->interval, cx);
  if (rc == PILLION_READY) trace("+", NULL, number((int64_t)missed));
  return rc;
}

static void begin_child(struct actor *actor, pillion_context *cx,
                        const struct word *name) {
  struct actor *other = actor_of(name);
  other->at = other->script;
  other->spawns++;
  int rc = pillion_scope_spawn(&other->child, &actor->scope, cx, &script,
                               other);
  if (rc < 0) {
    other->spawns--;
    trace("!", NULL, error_text(rc));
  }
  other->task = other->child.task;
}

static int gather(struct actor *actor, pillion_context *cx) {
  int rc = pillion_scope_join(&actor->scope, cx);
  if (rc == PILLION_PENDING) return rc;
  trace("<", NULL,
        rc < 0 ? status_text(rc, PILLION_OUTCOME_CANCELLED_RUNNING, 0) : "ok");
  return PILLION_READY;
}

static int script_poll(pillion_value *out, pillion_context *cx, void *self) {
  struct actor *actor = self;
  struct word verb, object, more;
  trace("", &actor->name, "");
  actor->task = cx->waker;
  for (;;) {
    struct words words = {actor->at, actor->drop, {NULL, 0, 0, 0}, 0};
    int rc = PILLION_READY;
    if (!next(&words, &verb)) return PILLION_PENDING;
    if (is(&verb, "again")) {
      words.at = actor->script;
    } else if (is(&verb, "pend") || is(&verb, "yield")) {
      if (is(&verb, "yield")) cx->ops->wake(cx->waker);
      actor->at = words.at;
      return PILLION_PENDING;
    } else if (is(&verb, "ready")) {
      next(&words, &object);
      int64_t n = value_of(&object);
      pillion_value_set(out, &n, sizeof n);
      return PILLION_READY;
    } else if (is(&verb, "fail")) {
      next(&words, &object);
      return (int)value_of(&object);
    } else if (is(&verb, "sleep")) {
      next(&words, &object);
      rc = pillion_sleep(&actor->timer, cx, value_of(&object));
    } else if (is(&verb, "until")) {
      next(&words, &object);
      rc = until(actor, cx, value_of(&object));
    } else if (is(&verb, "join")) {
      next(&words, &object);
      rc = join(cx, &object);
    } else if (is(&verb, "interval")) {
      next(&words, &object);
      next(&words, &more);
      pillion_interval_init(&actor->interval, value_of(&object),
                            is(&more, "burst")   ? PILLION_MISSED_BURST
                            : is(&more, "delay") ? PILLION_MISSED_DELAY
                                                 : PILLION_MISSED_SKIP);
    } else if (is(&verb, "tick")) {
      rc = tick(actor, cx);
    } else if (is(&verb, "shield") || is(&verb, "unshield")) {
      pillion_shield(cx, is(&verb, "shield"));
    } else if (is(&verb, "asked")) {
      trace("!", NULL, pillion_cancelled(cx) ? "asked" : "unasked");
    } else if (is(&verb, "scope")) {
      next(&words, &object);
      pillion_scope_init(&actor->scope, (uint32_t)value_of(&object));
    } else if (is(&verb, "child")) {
      next(&words, &object);
      begin_child(actor, cx, &object);
    } else if (is(&verb, "gather")) {
      rc = gather(actor, cx);
    } else if (is(&verb, "arm")) {
      next(&words, &object);
      pillion_timer_set(&actor->timer, cx, value_of(&object));
    } else if (is(&verb, "disarm")) {
      pillion_timer_clear(&actor->timer);
    } else {
      perform_inside(&words, &verb, cx);
    }
    if (rc == PILLION_PENDING) return rc;
    actor->at = words.at;
  }
}

static void script_drop(void *self) {
  struct actor *actor = self;
  struct words words = {actor->drop, actor->end, {NULL, 0, 0, 0}, 0};
  struct word verb;
  trace("~", &actor->name, "");
  actor->drops++;
  pillion_timer_clear(&actor->timer);
  pillion_interval_clear(&actor->interval);
  pillion_scope_drop(&actor->scope);
  next(&words, &verb); /* the word drop */
  while (next(&words, &verb)) perform_inside(&words, &verb, NULL);
}

static const pillion_future script = {sizeof script, script_poll, script_drop};

static int64_t clock_now(void *data) {
  (void)data;
  return time_here;
}

static void task_ended(void *data, uint64_t token, const pillion_value *value,
                       uint32_t outcome) {
  struct actor *actor = &actors[token];
  (void)data;
  actor->status = value->status;
  actor->outcome = outcome;
  actor->value = payload(value);
  actor->told = NULL;
  *ended_last = actor;
  ended_last = &actor->told;
}

static const pillion_port port = {clock_now, NULL, task_ended, NULL};

/* ---- Lines --------------------------------------------------------------- */

static void declare(struct words words, uint8_t mode) {
  static const struct actor none;
  struct word word;
  int first = actor_count;
  while (next(&words, &word) && !is(&word, ":")) {
    actors[actor_count] = none;
    actors[actor_count].name = word;
    actors[actor_count].mode = mode;
    actor_count++;
  }
  const char *from = words.at, *drop = words.end;
  while (next(&words, &word))
    if (is(&word, "drop")) drop = word.text;
  for (int i = first; i < actor_count; i++) {
    actors[i].script = from;
    actors[i].drop = drop;
    actors[i].end = words.end;
  }
}

/* VERB OBJECT... = RESULT [poke] [TRACE] */
static void step(struct words words, struct word verb) {
  struct word object;
  const char *all = NULL;
  int idle = pillion__static.first == NULL;
  int elsewhere = is(&verb, "elsewhere");
  struct words behind = words;
  while (next(&behind, &object) && !is(&object, "=")) {
  }
  want(behind);
  streaming = held_length = 0;
  if (elsewhere) next(&words, &verb);
  while (next(&words, &object) && !is(&object, "=")) {
    const char *result = perform(&verb, &object, NULL, elsewhere);
    if (all == NULL || !same(all, result)) compare(result);
    all = result;
  }
  streaming = 1;
  if (idle && pillion__static.first != NULL && !may_poke) compare("poke");
  for (int i = 0; i < held_length; i++) {
    compare(&held[i]);
    while (held[i] != 0) i++;
  }
  compare("");
}

/* turn : TRACE ; ENDS [live N] [more] [deadline N] */
static void turn(struct words words) {
  struct word word;
  int live = 0;
  next(&words, &word); /* : */
  want(words);
  streaming = 1;
  int more = pillion_static_turn();
  compare(";");
  for (; ended != NULL; ended = ended->told) {
    struct spelled suffix = {"", 0};
    add(&suffix, "=", 1);
    add(&suffix, status_text(ended->status, ended->outcome, ended->value), -1);
    trace("", &ended->name, suffix.bytes);
  }
  ended_last = &ended;
  for (int i = 0; i < actor_count; i++)
    live += actors[i].spawns - actors[i].drops;
  if (live > 0) {
    compare("live");
    compare(number(live));
  }
  if (more && !may_be_more) compare("more");
  if (pillion_static_deadline() != PILLION_TIME_NEVER) {
    compare("deadline");
    compare(number(pillion_static_deadline()));
  }
  compare("");
}

static void skip(void) {
  struct spelled name = {"", 0};
  add(&name, name_here.text, name_here.length);
  say("skipped ", name.bytes, "\n", NULL);
  skipped++;
}

static void begin(void) {
  if (pillion_static_init(slots, max_tasks > 0 ? (uint32_t)max_tasks : ACTORS,
                          &port) < 0)
    differs("an executor", "none");
}

static void end_case(void) {
  int live = 1;
  streaming = held_length = 0;
  while (live) {
    live = 0;
    for (int i = 0; i < actor_count; i++) {
      struct actor *actor = &actors[i];
      if (actor->spawns == actor->drops) continue;
      live = pillion_static_ops()->evict(actor->task) == 0;
    }
  }
  for (int i = 0; i < actor_count; i++)
    if (actors[i].spawns != actors[i].drops) differs("one drop a spawn", "");
  if (failed_here) failed++;
  else passed++;
}

/* Here a wake from an interrupt and the owner's own go into one list. */
static const char *const of_an_inbox[] = {
    "what_is_ready_goes_before_the_inbox", "wakes_from_both_sides_are_one_poll",
    "wake_before_the_first_poll_from_elsewhere"};

/* Whether to skip the case that begins at `at`. */
static int unknown(const char *at) {
  static const char *const not_here[] = {"close", "free", "polls", "ns",
                                         "deadline"};
  struct word word, before;
  int names = 0;
  struct words words = line_at(at);
  next(&words, &word);
  next(&words, &word);
  for (int i = 0; i < 3; i++)
    if (is(&word, of_an_inbox[i])) return 1;
  for (at = words.end + 1; at < vectors_end; at = words.end + 1) {
    words = line_at(at);
    if (!next(&words, &word)) continue;
    if (is(&word, "case")) break;
    int declared = is(&word, "task") || is(&word, "joined") ||
                   is(&word, "detached");
    int needs = is(&word, "needs");
    if (is(&word, "close") || is(&word, "free")) return 1;
    for (before = word; next(&words, &word); before = word) {
      if (is(&word, ":")) declared = 0;
      if (declared && ++names > ACTORS) return 1;
      for (int i = 0; i < (needs ? 5 : 4); i++)
        if (is(&word, not_here[i])) return 1;
      if (is(&before, "elsewhere") && !is(&word, "wake")) return 1;
      if (begins(&word, "deadline:")) return 1;
    }
    if (begins(&before, "deadline:")) return 1;
  }
  return 0;
}

void test_main(void) {
  struct word word;
  struct words words;
  int in_case = 0, begun = 0;
  for (const char *at = vectors; at < vectors_end; at = words.end + 1) {
    words = line_at(at);
    if (!next(&words, &word)) continue;
    if (is(&word, "case")) {
      if (begun) end_case();
      in_case = !unknown(at);
      begun = failed_here = actor_count = max_tasks = 0;
      ended = NULL;
      ended_last = &ended;
      time_here = 1000;
      next(&words, &name_here);
      if (!in_case) skip();
    } else if (!in_case || failed_here || is(&word, "needs")) {
    } else if (is(&word, "max_tasks")) {
      next(&words, &word);
      max_tasks = (int)value_of(&word);
    } else if (is(&word, "task")) {
      declare(words, PILLION_EVENT);
    } else if (is(&word, "joined")) {
      declare(words, PILLION_JOIN);
    } else if (is(&word, "detached")) {
      declare(words, PILLION_DETACH);
    } else if (is(&word, "advance")) {
      next(&words, &word);
      time_here += value_of(&word);
    } else {
      if (!begun) begin();
      begun = 1;
      if (is(&word, "turn")) turn(words);
      else step(words, word);
    }
  }
  if (begun) end_case();
  say(number(passed), " passed, ", number(failed), " failed, ",
      number(skipped), " skipped\n", NULL);
  board_exit(failed > 0);
}
