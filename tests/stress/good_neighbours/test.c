/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Good neighbours: libcurl's multi interface, c-ares, hiredis and nats.c do
 * their work on the loop that an executor is on, with calls always in flight.
 * All finish.
 *
 *   test SOCKET URL [alone|late]   redis-server's and nats-server's addresses
 *
 * "alone" leaves Pillion out. Both do it for longer, and print how late a
 * ticker of a millisecond was, in µs: {"late": […]}.
 */
#include <ares.h>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

enum { PAGES = 100, NAMES = 200, WORDS = 500, MESSAGES = 200, CALLS = 5000 };
enum { AT_ONCE = 8, IN_FLIGHT = 100, TICKS = 20000 };

#define must(condition)                                                   \
  do {                                                                    \
    if (!(condition)) {                                                   \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,          \
              #condition);                                                \
      exit(1);                                                            \
    }                                                                     \
  } while (0)

static int pages, names, words, calls, with_us = 1;
static int times = 1; /* as much of all this */

/* ---- The servers of libcurl and c-ares ----------------------------------- */

static int server(int type, int *port) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t length = sizeof at;
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(fd >= 0 && bind(fd, (struct sockaddr *)&at, length) == 0);
  must(getsockname(fd, (struct sockaddr *)&at, &length) == 0);
  must(type == SOCK_DGRAM || listen(fd, 64) == 0);
  *port = ntohs(at.sin_port);
  return fd;
}

static void *serve_pages(void *data) {
  static const char page[] =
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\npage";
  for (;;) {
    char request[4096];
    int fd = accept(*(int *)data, NULL, NULL);
    if (fd >= 0 && read(fd, request, sizeof request) > 0 &&
        write(fd, page, sizeof page - 1) > 0)
      shutdown(fd, SHUT_WR);
    close(fd);
  }
  return NULL;
}

/* Each name has the address 127.0.0.1. */
static void *serve_names(void *data) {
  static const unsigned char address[] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                          0,    60, 0, 4, 127, 0, 0, 1};
  for (;;) {
    unsigned char text[600];
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t end = 12, n = recvfrom(*(int *)data, text, 512, 0,
                                   (struct sockaddr *)&from, &length);
    if (n < 17) continue;
    while (end < n && text[end] != 0) end += text[end] + 1;
    end += 5;
    text[2] = 0x81, text[3] = 0x80, text[7] = 1;
    memset(text + 8, 0, 4);
    memcpy(text + end, address, sizeof address);
    sendto(*(int *)data, text, (size_t)end + sizeof address, 0,
           (struct sockaddr *)&from, length);
  }
  return NULL;
}

/* ---- libcurl ------------------------------------------------------------- */

static CURLM *curl;
static char url[64];
static int pages_begun;
static int64_t curl_at = -1; /* when it wants to be called */

static size_t drop_page(char *text, size_t size, size_t count, void *data) {
  (void)text, (void)data;
  return size * count;
}

static void begin_page(void) {
  CURL *easy = curl_easy_init();
  pages_begun++;
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_page);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  must(curl_multi_add_handle(curl, easy) == CURLM_OK);
}

static void take_pages(void) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(curl, &left)) != NULL) {
    CURL *easy = message->easy_handle;
    must(message->msg == CURLMSG_DONE && message->data.result == CURLE_OK);
    curl_multi_remove_handle(curl, easy);
    curl_easy_cleanup(easy);
    pages++;
    if (pages_begun < times * PAGES) begin_page();
  }
}

static void on_curl(int fd, int events) {
  int running;
  curl_multi_socket_action(curl, fd,
                           (events & POLLIN ? CURL_CSELECT_IN : 0) |
                               (events & POLLOUT ? CURL_CSELECT_OUT : 0),
                           &running);
  take_pages();
}

static int watch_curl(CURL *easy, curl_socket_t fd, int what, void *data,
                      void *own) {
  (void)easy, (void)data, (void)own;
  net_watch(fd,
            what == CURL_POLL_REMOVE
                ? 0
                : (what & CURL_POLL_IN ? POLLIN : 0) |
                      (what & CURL_POLL_OUT ? POLLOUT : 0),
            on_curl);
  return 0;
}

static int time_curl(CURLM *multi, long ms, void *data) {
  (void)multi, (void)data;
  curl_at = ms < 0 ? -1 : pillion_adapter_now() + ms * 1000000;
  return 0;
}

/* ---- c-ares -------------------------------------------------------------- */

static ares_channel ares;
static int names_begun;

static void begin_name(void);

static void on_name(void *data, int status, int timeouts,
                    struct hostent *host) {
  (void)data, (void)timeouts;
  if (status == ARES_EDESTRUCTION) return;
  must(status == ARES_SUCCESS && host->h_addr_list[0][0] == 127);
  names++;
  if (names_begun < times * NAMES) begin_name();
}

static void begin_name(void) {
  char name[32];
  snprintf(name, sizeof name, "name-%d.test", names_begun++);
  ares_gethostbyname(ares, name, AF_INET, on_name, NULL);
}

static void on_ares(int fd, int events) {
  ares_process_fd(ares, events & POLLIN ? fd : ARES_SOCKET_BAD,
                  events & POLLOUT ? fd : ARES_SOCKET_BAD);
}

static void watch_ares(void *data, ares_socket_t fd, int in, int out) {
  (void)data;
  net_watch(fd, (in ? POLLIN : 0) | (out ? POLLOUT : 0), on_ares);
}

/* ---- hiredis ------------------------------------------------------------- */

static void on_reply(redisAsyncContext *redis, void *answer, void *data) {
  redisReply *reply = answer;
  (void)data;
  if (reply == NULL) return; /* at the end */
  must(reply->type == REDIS_REPLY_INTEGER && reply->integer == words + 1);
  if (++words < times * WORDS) redisAsyncCommand(redis, on_reply, NULL, "INCR words");
}

/* ---- nats.c -------------------------------------------------------------- */

static natsConnection *nats; /* NULL: it has no adapter for the loop */
static _Atomic int messages;
static int published;

static void on_message(natsConnection *nc, natsSubscription *subscription,
                       natsMsg *message, void *data) {
  (void)nc, (void)subscription, (void)data;
  messages++;
  natsMsg_Destroy(message);
}

static void begin_nats(const char *server) {
  natsOptions *options;
  natsSubscription *subscription;
  must(natsOptions_Create(&options) == NATS_OK);
  must(natsOptions_SetURL(options, server) == NATS_OK);
  if (!net_nats(options)) return;
  must(natsConnection_Connect(&nats, options) == NATS_OK);
  must(natsConnection_Subscribe(&subscription, nats, "words", on_message,
                                NULL) == NATS_OK);
}

/* ---- Pillion ------------------------------------------------------------- */

static pillion_executor executor;
static pillion_function echo;
static int calls_begun;

static void begin_call(void) {
  calls_begun++;
  must(pillion_call_submit(NULL, executor, echo, "word", 4, 0,
                           PILLION_EVENT) == 0);
}

static int others_work(void);

/* There are calls in flight until all others are done. */
static void on_event(const pillion_event *event, void *data) {
  (void)data;
  must(event->status == 0 && event->length == 4);
  calls++;
  if (calls_begun < times * CALLS || others_work()) begin_call();
}

/* ---- The ticker ---------------------------------------------------------- */

static int64_t late[TICKS], before;
static int ticks;

static int others_work(void) {
  return pages < times * PAGES || names < times * NAMES || words < times * WORDS ||
         (nats != NULL && messages < times * MESSAGES);
}

static void tick(void) {
  int64_t now = pillion_adapter_now();
  if (ticks < TICKS && before != 0) late[ticks++] = now - before - 1000000;
  before = now;
  if (curl_at >= 0 && now >= curl_at) {
    int running;
    curl_at = -1;
    curl_multi_socket_action(curl, CURL_SOCKET_TIMEOUT, 0, &running);
    take_pages();
  }
  for (int i = 0; i < 10 && nats != NULL && published < times * MESSAGES; i++) {
    published++;
    must(natsConnection_PublishString(nats, "words", "word") == NATS_OK);
  }
  if (!others_work() && (!with_us || (calls >= times * CALLS && calls == calls_begun)))
    net_stop();
}

int main(int argc, char **argv) {
  static int http, dns;
  int port;
  char servers[32];
  pthread_t thread;
  struct ares_options options = {.sock_state_cb = watch_ares, .timeout = 5000};
  must(argc > 2);
  alarm(100);
  if (argc > 3) times = 20;
  with_us = argc < 4 || strcmp(argv[3], "alone") != 0;
  signal(SIGPIPE, SIG_IGN);
  net_begin();
  http = server(SOCK_STREAM, &port);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
  pthread_create(&thread, NULL, serve_pages, &http);
  dns = server(SOCK_DGRAM, &port);
  snprintf(servers, sizeof servers, "127.0.0.1:%d", port);
  pthread_create(&thread, NULL, serve_names, &dns);

  must(curl_global_init(CURL_GLOBAL_DEFAULT) == 0);
  curl = curl_multi_init();
  curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, watch_curl);
  curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, time_curl);
  for (int i = 0; i < AT_ONCE; i++) begin_page();

  must(ares_library_init(ARES_LIB_INIT_ALL) == 0);
  must(ares_init_options(&ares, &options,
                         ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS) == 0);
  must(ares_set_servers_ports_csv(ares, servers) == 0);
  for (int i = 0; i < AT_ONCE; i++) begin_name();

  redisAsyncContext *redis = redisAsyncConnectUnix(argv[1]);
  must(redis != NULL && redis->err == 0);
  net_redis(redis);
  redisAsyncCommand(redis, NULL, NULL, "DEL words");
  redisAsyncCommand(redis, on_reply, NULL, "INCR words");
  begin_nats(argv[2]);
  net_tick(tick);

  if (with_us) {
    must(pillion_function_find(&echo, "test.echo") == 0);
    must(pillion_executor_new(&executor, NULL, NULL, 0) == 0);
    must(net_attach(executor, on_event) == 0);
    for (int i = 0; i < IN_FLIGHT; i++) begin_call();
  }
  net_run();
  if (argc > 3) {
    printf("{\"late\": [");
    for (int i = 0; i < ticks; i++)
      printf("%s%.1f", i > 0 ? ", " : "", (double)late[i] / 1000);
    printf("]}\n");
    exit(0);
  }
  must(pages == times * PAGES && names == times * NAMES && words == times * WORDS);
  must(nats == NULL || messages == times * MESSAGES);
  must(calls == calls_begun && calls >= times * CALLS);
  net_detach();
  must(pillion_executor_free(executor) == 0);
  printf("%d pages, %d names, %d words, %d messages\n", pages, names, words,
         messages);
  exit(0);
}
