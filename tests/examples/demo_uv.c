/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A libuv program that hashes every file below a directory, and fetches from a
 * server, by awaiting blocking Go code. A ticker on the same loop measures how
 * late the loop is. First, for comparison, a child process does the hashing.
 *
 *     demo_uv [-c CHILD] [-u URL] [-n FETCHES] [-r ROUNDS] [-o DIGESTS] DIR
 */
#define _GNU_SOURCE
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "pillion/uv.h"

#define HASHES_IN_FLIGHT 256
#define FETCHES_IN_FLIGHT 64
#define GATHER 1000000 /* ns that the end of a call may wait for others */
#define TICK 1000000 /* ns */

static void die(const char *what, int code) {
  fprintf(stderr, "demo_uv: %s: %s\n", what,
          code < 0 ? pillion_strerror(code) : "failed");
  exit(1);
}

static void *grow(void *memory, size_t count, size_t size) {
  if ((count & (count - 1)) != 0) return memory; /* has room */
  memory = realloc(memory, (count == 0 ? 1 : 2 * count) * size);
  if (memory == NULL) die("memory", PILLION_ENOMEM);
  return memory;
}

/* ---- The ticker: every millisecond, by how much is it late? ------------- */

static struct {
  uv_poll_t poll;
  int fd;
  int64_t due;
  int64_t *late; /* ns, one for each tick, also for missed ones */
  size_t count;
} ticker;

static void on_tick(uv_poll_t *poll, int status, int events) {
  int64_t now = (int64_t)uv_hrtime();
  uint64_t ticks;
  (void)poll, (void)status, (void)events;
  if (read(ticker.fd, &ticks, sizeof ticks) != sizeof ticks) return;
  for (; ticks > 0; ticks--, ticker.due += TICK) {
    ticker.late = grow(ticker.late, ticker.count, sizeof *ticker.late);
    ticker.late[ticker.count++] = now - ticker.due;
  }
}

static void ticker_start(uv_loop_t *loop) {
  struct itimerspec spec = {{0, TICK}, {0, 0}};
  ticker.count = 0;
  ticker.due = (int64_t)uv_hrtime() + TICK;
  spec.it_value.tv_sec = ticker.due / 1000000000;
  spec.it_value.tv_nsec = ticker.due % 1000000000;
  ticker.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (ticker.fd < 0 || uv_poll_init(loop, &ticker.poll, ticker.fd) < 0 ||
      timerfd_settime(ticker.fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
    die("ticker", 0);
  uv_poll_start(&ticker.poll, UV_READABLE, on_tick);
}

static void ticker_stop(void) {
  if (uv_is_closing((uv_handle_t *)&ticker.poll)) return;
  uv_close((uv_handle_t *)&ticker.poll, NULL);
  close(ticker.fd);
}

static int compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static double late_us(double quantile) {
  size_t i = (size_t)(quantile * (double)ticker.count);
  if (ticker.count == 0) return 0;
  return (double)ticker.late[i < ticker.count ? i : ticker.count - 1] / 1000;
}

struct row {
  double mb_per_s, late_us; /* the 99th percentile */
};

/* One row of the table: what was done, how fast, and how late the loop was. */
static struct row report(const char *what, uint64_t items, uint64_t bytes,
                         int64_t ns) {
  double s = (double)ns / 1e9, mb = (double)bytes / 1e6;
  qsort(ticker.late, ticker.count, sizeof *ticker.late, compare);
  if (items == 0)
    printf("%-22s %8s %8s %8.2f %8s", what, "", "", s, "");
  else
    printf("%-22s %8" PRIu64 " %8.1f %8.2f %8.1f", what, items, mb, s, mb / s);
  printf(" | %7.0f %7.0f %7.0f %7.0f\n", late_us(0.5), late_us(0.99),
         late_us(0.999), late_us(1));
  fflush(stdout);
  return (struct row){mb / s, late_us(0.99)};
}

/* ---- The files ---------------------------------------------------------- */

static struct file {
  char *path, digest[65];
} *files;
static size_t file_count;
static uint64_t file_bytes;

static int on_file(const char *path, const struct stat *st, int type,
                   struct FTW *ftw) {
  (void)ftw;
  if (type != FTW_F || !S_ISREG(st->st_mode)) return 0;
  files = grow(files, file_count, sizeof *files);
  memset(&files[file_count], 0, sizeof *files);
  files[file_count++].path = strdup(path);
  file_bytes += (uint64_t)st->st_size;
  return 0;
}

static void write_digests(const char *name) {
  FILE *out = fopen(name, "w");
  if (out == NULL) die(name, 0);
  for (size_t i = 0; i < file_count; i++)
    if (files[i].digest[0] != 0)
      fprintf(out, "%s  %s%c", files[i].digest, files[i].path, 0);
  if (fclose(out) != 0) die(name, 0);
}

/* ---- Work through Pillion: so many calls, so many of them at once ------- */

static struct {
  uv_loop_t loop;
  pillion_uv uv;
  pillion_executor ex;
  pillion_function hash, fetch;
  const char *url;
  int bar; /* draw one */

  int fetching;
  size_t in_flight, total, submitted, done, failed;
  uint64_t bytes;
  int64_t cpu; /* ns of this thread */
} app;

static int64_t thread_cpu(void) {
  struct timespec ts;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void draw_bar(void) {
  static const char full[] = "##############################";
  int n = (int)(30 * app.done / app.total);
  if (!app.bar) return;
  fprintf(stderr, "\r[%-30.*s] %zu/%zu", n, full, app.done, app.total);
  if (app.done == app.total) fprintf(stderr, "\r%60s\r", "");
}

/*
 * Keeps between half and all of `in_flight` calls running: one batch of many
 * calls costs less than a submission with every result.
 */
static void refill(void) {
  static char urls[FETCHES_IN_FLIGHT][200];
  pillion_call calls[HASHES_IN_FLIGHT];
  size_t n = 0, running = app.submitted - app.done;
  if (running > app.in_flight / 2) return;
  for (; running < app.in_flight && app.submitted < app.total; running++) {
    size_t i = app.submitted++;
    const char *request = files[i % file_count].path;
    if (app.fetching) {
      snprintf(urls[n], sizeof *urls, "%s/%zu", app.url, 1000 + i % 50 * 1000);
      request = urls[n];
    }
    calls[n++] = (pillion_call){app.fetching ? app.fetch : app.hash, i,
                                (uintptr_t)request, strlen(request)};
  }
  int rc = pillion_call_batch(NULL, app.ex, calls, n, NULL, PILLION_EVENT);
  if (rc != (int)n) die("pillion_call_batch", rc);
}

static void check_fetch(const pillion_event *event) {
  char text[PILLION_INLINE + 1] = "";
  uint64_t length = 0;
  memcpy(text, pillion_event_data(event), event->length);
  if (sscanf(text, "200 %" SCNu64, &length) != 1 ||
      length != 1000 + event->token % 50 * 1000)
    app.failed++;
  app.bytes += length;
}

/* Every round over the files must give the same digests. */
static void check_digest(const pillion_event *event) {
  struct file *file = &files[event->token % file_count];
  const char *digest = pillion_event_data(event);
  if (event->length != 64 ||
      (file->digest[0] != 0 && memcmp(file->digest, digest, 64) != 0))
    app.failed++;
  else
    memcpy(file->digest, digest, 64);
}

static void on_event(const pillion_event *event, void *data) {
  pillion_failure failure = PILLION_FAILURE_INIT;
  (void)data;
  if (event->status < 0) {
    app.failed++;
    if (pillion_failure_parse(&failure, pillion_event_data(event),
                              event->length) == 0)
      fprintf(stderr, "demo_uv: %.*s\n", (int)failure.message_length,
              failure.message);
  } else if (app.fetching) {
    check_fetch(event);
  } else {
    check_digest(event);
  }
  app.done++;
  refill();
  if (app.done % 256 == 0 || app.done == app.total) draw_bar();
  if (app.done == app.total) ticker_stop();
}

static int64_t work(int fetching, size_t total, size_t in_flight) {
  app.fetching = fetching;
  app.total = total;
  app.in_flight = in_flight;
  app.submitted = app.done = 0;
  app.bytes = 0;
  ticker_start(&app.loop);
  int64_t start = (int64_t)uv_hrtime(), cpu = thread_cpu();
  refill();
  uv_run(&app.loop, UV_RUN_DEFAULT);
  app.cpu += thread_cpu() - cpu;
  return (int64_t)uv_hrtime() - start;
}

/* ---- The same hashing in a child process -------------------------------- */

static void on_exit_of_child(uv_process_t *process, int64_t status,
                             int signal) {
  if (status != 0 || signal != 0) die("the child", 0);
  uv_close((uv_handle_t *)process, NULL);
  ticker_stop();
}

static struct row run_child(const char *child, char *rounds, char *dir) {
  char *argv[] = {(char *)(uintptr_t)child, "-r", rounds, dir, NULL};
  uv_stdio_container_t stdio[3];
  uv_process_options_t options;
  uv_process_t process;
  uint64_t count, bytes;
  int64_t ns;
  FILE *out = tmpfile();
  if (out == NULL) die("tmpfile", 0);
  memset(&options, 0, sizeof options);
  stdio[0].flags = UV_IGNORE;
  stdio[1].flags = stdio[2].flags = UV_INHERIT_FD;
  stdio[1].data.fd = fileno(out);
  stdio[2].data.fd = 2;
  options.file = child;
  options.args = argv;
  options.stdio = stdio;
  options.stdio_count = 3;
  options.exit_cb = on_exit_of_child;
  ticker_start(&app.loop);
  if (uv_spawn(&app.loop, &process, &options) < 0) die(child, 0);
  uv_run(&app.loop, UV_RUN_DEFAULT);
  rewind(out);
  if (fscanf(out, "%" SCNu64 " %" SCNu64 " %" SCNd64, &count, &bytes, &ns) != 3)
    die("the child's answer", 0);
  fclose(out);
  return report("hashing in a child", count, bytes, ns);
}

static void on_idle_end(uv_timer_t *timer) {
  uv_close((uv_handle_t *)timer, NULL);
  ticker_stop();
}

static void run_idle(void) {
  uv_timer_t timer;
  uv_timer_init(&app.loop, &timer);
  uv_timer_start(&timer, on_idle_end, 1000, 0);
  ticker_start(&app.loop);
  uv_run(&app.loop, UV_RUN_DEFAULT);
  report("nothing", 0, 0, 1000000000);
}

/* ---- All of it ---------------------------------------------------------- */

int main(int argc, char **argv) {
  const char *child = NULL, *digests = NULL;
  char *rounds = "1";
  size_t fetches = 200;
  pillion_executor_stats stats = PILLION_EXECUTOR_STATS_INIT;
  pillion_executor_options options = PILLION_EXECUTOR_OPTIONS_INIT;
  struct row beside = {0, 0};
  int option, rc;
  while ((option = getopt(argc, argv, "c:u:n:r:o:")) != -1) {
    if (option == 'c') child = optarg;
    else if (option == 'u') app.url = optarg;
    else if (option == 'n') fetches = strtoul(optarg, NULL, 10);
    else if (option == 'r') rounds = optarg;
    else if (option == 'o') digests = optarg;
    else return 2;
  }
  if (argc - optind != 1) return 2;
  if (nftw(argv[optind], on_file, 20, FTW_PHYS) < 0 || file_count == 0)
    die(argv[optind], 0);
  app.bar = isatty(2);

  rc = pillion_function_find(&app.hash, "demo.sha256");
  if (rc == 0) rc = pillion_function_find(&app.fetch, "demo.fetch");
  options.gather = GATHER;
  if (rc == 0) rc = pillion_executor_new(&app.ex, &options, NULL, 0);
  if (rc == 0) rc = uv_loop_init(&app.loop) == 0 ? 0 : PILLION_ESYSTEM;
  if (rc == 0)
    rc = pillion_uv_attach(&app.uv, &app.loop, app.ex, on_event, NULL);
  if (rc < 0) die("start", rc);

  printf("%-22s %8s %8s %8s %8s | the loop is late by, µs\n", "C on libuv", "",
         "", "", "");
  printf("%-22s %8s %8s %8s %8s | %7s %7s %7s %7s\n", "beside the ticker",
         "items", "MB", "seconds", "MB/s", "p50", "p99", "p99.9", "max");
  run_idle();
  if (child != NULL) beside = run_child(child, rounds, argv[optind]);
  size_t n = strtoul(rounds, NULL, 10);
  int64_t ns = work(0, n * file_count, HASHES_IN_FLIGHT);
  struct row ours =
      report("hashing, Pillion", n * file_count, n * file_bytes, ns);
  if (app.url != NULL) {
    ns = work(1, fetches, FETCHES_IN_FLIGHT);
    report("fetching, Pillion", fetches, app.bytes, ns);
  }
  if (digests != NULL) write_digests(digests);

  if (child != NULL)
    printf("hashing: %.2f of the child's throughput; the loop's p99 is %.2f "
           "of the one beside the child\n",
           ours.mb_per_s / beside.mb_per_s, ours.late_us / beside.late_us);
  pillion_executor_stat(&stats, app.ex);
  printf("%" PRIu64 " calls, %zu failed; each took %.1f µs of the loop's "
         "thread, which entered Go %" PRIu64 " times\n",
         stats.calls, app.failed, (double)app.cpu / 1e3 / (double)stats.calls,
         stats.go_entries);
  pillion_uv_detach(&app.uv, NULL);
  pillion_executor_free(app.ex);
  uv_run(&app.loop, UV_RUN_DEFAULT);
  rc = uv_loop_close(&app.loop);
  for (size_t i = 0; i < file_count; i++) free(files[i].path);
  free(files);
  free(ticker.late);
  return rc != 0 || app.failed != 0 || stats.go_entries != 0;
}
