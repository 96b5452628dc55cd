/* SPDX-License-Identifier: Apache-2.0 */

/*
 * replay FILE...: replays vectors on the C executor, through pillion.h alone.
 * README.md describes the vectors. It prints each case that went differently,
 * and the totals; the exit code is 1 if one did, and 2 if a vector can't be
 * read.
 */
#include "actor.h"

static const char *const features[] = {"evict", "shield", "deadline",
                                       "interval", "scope", NULL};

static int passed, failed, skipped;

/* ---- Lines ---------------------------------------------------------------- */

static void declare(const struct words *words, uint32_t flags) {
  static char *nothing[] = {NULL};
  int colon = words_find(words, ":");
  if (colon < 0 || now_in.script_count == 64) broken("no script", NULL);
  struct words *own = &now_in.scripts[now_in.script_count++];
  own->count = 0;
  own->word[0] = NULL;
  for (int i = colon + 1; i < words->count; i++)
    words_add(own, words->word[i]);
  int drop = words_find(own, "drop");
  for (int i = 1; i < colon; i++) {
    if (now_in.actor_count == MAX_ACTORS) broken("too many tasks", NULL);
    struct actor *actor = &now_in.actors[now_in.actor_count++];
    memset(actor, 0, sizeof *actor);
    snprintf(actor->name, sizeof actor->name, "%s", words->word[i]);
    actor->flags = flags;
    actor->script = own->count == 0 ? nothing : own->word;
    actor->drop = actor->script + (drop < 0 ? own->count : drop);
  }
}

static void begin(void) {
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  now_in.began = 1;
  options.max_tasks = (uint32_t)now_in.max_tasks;
  options.clock = virtual_clock;
  if (pillion_executor_new(&now_in.executor, &options, NULL, 0) < 0 ||
      pillion_executor_bind(now_in.executor) < 0)
    broken("no executor", NULL);
}

static void compare(struct text *want, struct text *got) {
  if (text_remove(want, "more?")) text_remove(got, "more");
  if (text_remove(want, "poke?")) text_remove(got, "poke");
  if (strcmp(want->bytes, got->bytes) != 0) differs(want->bytes, got->bytes);
}

static uint64_t pokes(void) {
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  return pillion_executor_stat(&stats, now_in.executor) < 0 ? 0 : stats.pokes;
}

/* VERB OBJECT... = RESULT [poke] [TRACE] */
static void step(const struct words *words, struct text *want) {
  static struct text got;
  int equals = words_find(words, "="), elsewhere, used;
  elsewhere = strcmp(words->word[0], "elsewhere") == 0;
  if (equals < 2 + elsewhere) broken("no result", words->word[0]);
  const char *all = NULL;
  uint64_t before = pokes();
  text_clear(&got);
  for (int i = 1 + elsewhere; i < equals; i++) {
    char *one[] = {words->word[0], words->word[elsewhere], words->word[i], NULL};
    const char *result = perform(elsewhere ? one : one + 1, NULL, &used);
    if (all == NULL || strcmp(all, result) != 0) text_add(&got, "%s", result);
    all = result;
  }
  for (uint64_t n = pokes(); n > before; n--) text_add(&got, "poke");
  if (now_in.trace.length > 0) text_add(&got, "%s", now_in.trace.bytes);
  words_join(want, words, equals + 1);
  compare(want, &got);
}

/* In the vectors a result that waits for a joiner is no live task. */
static uint64_t unjoined(void) {
  uint64_t n = 0;
  for (int i = 0; i < now_in.actor_count; i++) {
    const struct actor *a = &now_in.actors[i];
    n += a->flags == PILLION_JOIN && a->ended && !a->taken;
  }
  return n;
}

/* turn [polls N] [ns N] : TRACE ; ENDS [live N] [more] [deadline N] */
static void turn(const struct words *words, struct text *want) {
  static pillion_event events[4096];
  static struct text got;
  pillion_budget budget = PILLION_BUDGET_INIT;
  pillion_progress progress = PILLION_PROGRESS_INIT;
  int colon = words_find(words, ":");
  if (colon < 0) broken("no trace", "turn");
  for (int i = 1; i < colon; i += 2) {
    int64_t n = number_of(words->word[i + 1]);
    if (strcmp(words->word[i], "polls") == 0)
      budget.max_polls = (uint32_t)n;
    else if (strcmp(words->word[i], "ns") == 0)
      budget.max_ns = n;
    else
      broken("no budget", words->word[i]);
  }
  int n = pillion_executor_turn(events, 4096, &progress, now_in.executor,
                                colon == 1 ? NULL : &budget);
  if (n < 0) broken("the turn fails", error_text(n));
  got = now_in.trace;
  text_add(&got, ";");
  for (int i = 0; i < n; i++) {
    int64_t number = 0;
    if (events[i].length == sizeof number)
      memcpy(&number, pillion_event_data(&events[i]), sizeof number);
    text_add(&got, "%s=%s", now_in.actors[events[i].token].name,
             status_text(events[i].status, events[i].outcome, number));
  }
  if (progress.live > unjoined())
    text_add(&got, "live %d", (int)(progress.live - unjoined()));
  if (progress.more) text_add(&got, "more");
  if (progress.deadline != PILLION_TIME_NEVER)
    text_add(&got, "deadline %lld", (long long)progress.deadline);
  words_join(want, words, colon + 1);
  compare(want, &got);
}

static void give_up(struct text *want, const struct words *words) {
  words_join(want, words, 2);
  if (pillion_executor_free(now_in.executor) < 0) broken("no free", NULL);
  now_in.executor = 0;
  compare(want, &now_in.trace);
}

static void end_case(void) {
  if (now_in.name[0] == 0) return;
  if (now_in.executor != 0) pillion_executor_free(now_in.executor);
  for (int i = 0; i < now_in.actor_count && !now_in.failed; i++) {
    const struct actor *a = &now_in.actors[i];
    if (a->spawns != a->drops) differs("one drop a spawn", a->name);
  }
  for (int i = 0; i < now_in.script_count; i++) words_free(&now_in.scripts[i]);
  if (now_in.unknown)
    skipped++;
  else if (now_in.failed)
    failed++;
  else
    passed++;
}

static void begin_case(const char *file, int line, const char *name) {
  end_case();
  now_in.file = file;
  now_in.line = line;
  now_in.failed = now_in.began = now_in.max_tasks = now_in.unknown = 0;
  now_in.actor_count = now_in.script_count = 0;
  now_in.executor = 0;
  now_in.now = 1000;
  snprintf(now_in.name, sizeof now_in.name, "%s", name);
}

static void need(const char *what) {
  for (const char *const *f = features; *f != NULL; f++)
    if (strcmp(*f, what) == 0) return;
  now_in.unknown = 1;
}

static void take_line(const struct words *words) {
  static struct text want;
  char *const *word = words->word;
  if (now_in.failed || now_in.unknown) return;
  if (strcmp(word[0], "needs") == 0) {
    for (int i = 1; i < words->count; i++) need(word[i]);
  } else if (strcmp(word[0], "max_tasks") == 0) {
    now_in.max_tasks = (int)number_of(word[1]);
  } else if (strcmp(word[0], "task") == 0) {
    declare(words, PILLION_EVENT);
  } else if (strcmp(word[0], "joined") == 0) {
    declare(words, PILLION_JOIN);
  } else if (strcmp(word[0], "detached") == 0) {
    declare(words, PILLION_DETACH);
  } else if (strcmp(word[0], "advance") == 0) {
    now_in.now += number_of(word[1]);
  } else {
    if (!now_in.began) begin();
    text_clear(&now_in.trace);
    if (strcmp(word[0], "turn") == 0)
      turn(words, &want);
    else if (strcmp(word[0], "free") == 0)
      give_up(&want, words);
    else
      step(words, &want);
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
    now_in.line = n;
    if (words.count == 0) continue;
    if (strcmp(words.word[0], "case") == 0)
      begin_case(path, n, words.word[1]);
    else
      take_line(&words);
    words_free(&words);
  }
  fclose(file);
  end_case();
  now_in.name[0] = 0;
}

int main(int argc, char **argv) {
  pillion_library_counts counts = PILLION_LIBRARY_COUNTS_INIT;
  for (int i = 1; i < argc; i++) replay(argv[i]);
  pillion_library_count(&counts);
  if (counts.executors + counts.tasks + counts.payloads > 0) {
    puts("something is alive at the end");
    failed++;
  }
  printf("%d passed, %d failed", passed, failed);
  if (skipped > 0) printf(", %d skipped", skipped);
  puts("");
  return failed > 0;
}
