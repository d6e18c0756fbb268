// Owns the load of the event stream benchmark: thousands of raw EventSource connections and the publisher, in one thread.
//
//   client KEY=VALUE …      port, open (path of the stream), publish (path of the POST), token, clients, stalled, body
//
// Opens the streams and prints {"open":n}. Then each line "EVENTS RATE" on its stdin is one run: that many POSTs at that
// many a second, each with a number and the instant of its sending; when all have arrived, or nothing came for ten
// seconds, it prints one line of JSON. It counts markers and reads nothing else of what it is sent.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum {
  READ_BYTES = 64 * 1024,
  STALLED_RCVBUF_BYTES = 4096,
  MARK_BYTES = 32,      // "@@" number (8) "." instant in ns (19) "@@" and one to spare
  STALL_MS = 10000,
  OPEN_TIMEOUT_S = 60,
  EVENTS_MAX = 512,
  CONNECTS_AT_ONCE = 200,
};
#define NS_PER_S INT64_C(1000000000)

static long port, clients = 1, stalled, body_bytes = 0;
static const char *open_path = "/", *publish_path = "/", *token = "", *body_head = "", *body_tail = "";

struct client {
  int fd;
  bool ready, stalled, closed;
  int carried;               // bytes of a marker that came in two parts
  uint32_t next;             // number expected next
  char carry[MARK_BYTES];
};
static struct client *all;
static int loop;
static char buffer[READ_BYTES + MARK_BYTES];
static long opened, readers_cut, stalled_cut, arrived, lost, twice;
static int64_t last_arrival_ns;
static uint32_t *latency_us;
static size_t latencies, latency_room;

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * NS_PER_S + time.tv_nsec;
}

static double cpu_s(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int dial(bool small_window) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket: %s", strerror(errno));
  int size = STALLED_RCVBUF_BYTES, one = 1;
  if (small_window) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect: %s", strerror(errno));
  return fd;
}

static void begin(struct client *client) {
  char request[1024];
  int length = snprintf(request, sizeof request,
    "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n%s%s%s\r\n", open_path,
    *token ? "Authorization: Bearer " : "", token, *token ? "\r\n" : "");
  client->fd = dial(client->stalled);
  if (write(client->fd, request, length) != length) fail("write: %s", strerror(errno));
  fcntl(client->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
  if (epoll_ctl(loop, EPOLL_CTL_ADD, client->fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
}

// One marker: in its turn, lost before it, or twice.
static void on_marker(struct client *client, const char *marker, int64_t now) {
  uint32_t number = strtoul(marker + 2, NULL, 10);
  int64_t sent = strtoll(marker + 11, NULL, 10);
  if (number < client->next) {
    twice++;
    return;
  }
  lost += number - client->next;
  client->next = number + 1;
  arrived++;
  if (latencies < latency_room) latency_us[latencies++] = (now - sent) / 1000;
}

// Only the first answer's head is looked at: an answer that is not 200 is a fault of the benchmark.
static void on_head(struct client *client, const char *text, size_t length) {
  if (length < 12 || memcmp(text, "HTTP/1.1 200", 12) != 0) fail("expected 200, got '%.*s'", (int)length, text);
  client->ready = true;
  opened++;
  // A stalled one takes nothing more; only its end is looked for.
  struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = client};
  if (client->stalled) epoll_ctl(loop, EPOLL_CTL_MOD, client->fd, &event);
}

static void on_end(struct client *client) {
  client->closed = true;
  if (client->stalled) stalled_cut++;
  else readers_cut++;
  epoll_ctl(loop, EPOLL_CTL_DEL, client->fd, NULL);
  close(client->fd);
}

static void on_readable(struct client *client) {
  memcpy(buffer, client->carry, client->carried);
  ssize_t got = read(client->fd, buffer + client->carried, READ_BYTES);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return on_end(client);
  if (!client->ready) on_head(client, buffer, got);
  int64_t now = now_ns();
  size_t length = client->carried + got;
  char *at = buffer, *end = buffer + length;
  client->carried = 0;
  while ((at = memmem(at, end - at, "@@", 2)) != NULL) {
    if (end - at < MARK_BYTES) break;
    on_marker(client, at, now);
    last_arrival_ns = now;
    at += MARK_BYTES;
  }
  if (!at && length > 0 && end[-1] == '@') at = end - 1;
  if (!at) return;
  client->carried = end - at;
  memcpy(client->carry, at, client->carried);
}

static void turn(int timeout_ms) {
  static struct epoll_event events[EVENTS_MAX];
  int count = epoll_wait(loop, events, EVENTS_MAX, timeout_ms);
  for (int index = 0; index < count; index++) {
    struct client *client = events[index].data.ptr;
    if (client->closed) continue;
    if (client->stalled && client->ready) on_end(client);
    else on_readable(client);
  }
}

static void open_all(void) {
  all = calloc(clients, sizeof *all);
  loop = epoll_create1(EPOLL_CLOEXEC);
  int64_t deadline = now_ns() + OPEN_TIMEOUT_S * NS_PER_S;
  for (long begun = 0; opened < clients;) {
    for (; begun < clients && begun - opened < CONNECTS_AT_ONCE; begun++) {
      // stalled ones are spread among the others, as they are in a house
      all[begun].stalled = stalled > 0 && begun % (clients / stalled) == 0 && begun / (clients / stalled) < stalled;
      begin(&all[begun]);
    }
    turn(100);
    if (now_ns() > deadline) fail("only %ld of %ld streams opened within %d s", opened, clients, OPEN_TIMEOUT_S);
  }
}

static void post(int fd, uint32_t number) {
  char body[2048], request[4096], padding[1024];
  int pad = body_bytes - (int)strlen(body_head) - (int)strlen(body_tail) - MARK_BYTES;
  memset(padding, 'x', sizeof padding);
  int length = snprintf(body, sizeof body, "%s@@%08u.%019ld@@ %.*s%s", body_head, number, (long)now_ns(),
    pad > 0 ? pad : 0, padding, body_tail);
  int total = snprintf(request, sizeof request,
    "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s%s%s\r\n%s",
    publish_path, length, *token ? "Authorization: Bearer " : "", token, *token ? "\r\n" : "", body);
  if (write(fd, request, total) != total) fail("publish: %s", strerror(errno));
}

// Takes the answers of the publisher; the first of them is looked at.
static void drain_answers(int fd, bool *judged) {
  char text[8192];
  ssize_t got = read(fd, text, sizeof text - 1);
  if (got == 0) fail("the publisher's connection was ended");
  if (got < 0) return;
  text[got] = 0;
  if (!*judged && memcmp(text, "HTTP/1.1 20", 11) != 0) fail("the publish was refused: %s", text);
  *judged = true;
}

static int by_value(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

static uint32_t percentile(double share) {
  return latencies == 0 ? 0 : latency_us[(size_t)((latencies - 1) * share)];
}

static void run(long events, double rate, uint32_t *next_number) {
  long readers = clients - stalled, wanted = events * readers;
  latency_room = wanted;
  latency_us = realloc(latency_us, latency_room * sizeof *latency_us);
  latencies = arrived = lost = twice = 0;
  for (long index = 0; index < clients; index++) all[index].next = *next_number;
  int fd = dial(false);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  bool judged = false;
  double cpu = cpu_s();
  int64_t start = now_ns();
  last_arrival_ns = start;
  for (long sent = 0; sent < events || arrived + lost < wanted - readers_cut * events;) {
    int64_t now = now_ns();
    while (sent < events && now >= start + (int64_t)(sent * (NS_PER_S / rate))) {
      post(fd, (*next_number)++);
      sent++;
    }
    turn(sent < events ? 1 : 20);
    drain_answers(fd, &judged);
    if (sent == events && now_ns() - last_arrival_ns > STALL_MS * (NS_PER_S / 1000)) break;
  }
  double wall = (now_ns() - start) / 1e9;
  close(fd);
  qsort(latency_us, latencies, sizeof *latency_us, by_value);
  printf("{\"deliveries\":%ld,\"missing\":%ld,\"twice\":%ld,\"readers_cut\":%ld,\"stalled_cut\":%ld,\"seconds\":%.3f,"
         "\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u,\"client_cpu_s\":%.3f}\n",
    arrived, wanted - arrived, twice, readers_cut, stalled_cut, wall, percentile(0.5), percentile(0.99),
    percentile(1), cpu_s() - cpu);
  fflush(stdout);
}

static void read_options(int count, char **words) {
  for (int index = 1; index < count; index++) {
    char *value = strchr(words[index], '=');
    if (!value) fail("expected KEY=VALUE, got '%s'", words[index]);
    *value++ = 0;
    const char *key = words[index];
    if (!strcmp(key, "port")) port = atol(value);
    else if (!strcmp(key, "clients")) clients = atol(value);
    else if (!strcmp(key, "stalled")) stalled = atol(value);
    else if (!strcmp(key, "open")) open_path = value;
    else if (!strcmp(key, "publish")) publish_path = value;
    else if (!strcmp(key, "token")) token = value;
    else if (!strcmp(key, "body_bytes")) body_bytes = atol(value);
    else if (!strcmp(key, "body_head")) body_head = value;
    else if (!strcmp(key, "body_tail")) body_tail = value;
    else fail("no option '%s'", key);
  }
  if (port < 1 || clients < 1 || stalled < 0 || stalled >= clients) fail("expected a port, clients, fewer stalled ones");
}

int main(int count, char **words) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  signal(SIGPIPE, SIG_IGN);
  read_options(count, words);
  open_all();
  printf("{\"open\":%ld}\n", opened);
  fflush(stdout);
  char line[128];
  uint32_t next_number = 0;
  fcntl(0, F_SETFL, O_NONBLOCK);
  for (;;) {
    ssize_t got = read(0, line, sizeof line - 1);
    if (got == 0) return 0;
    long events;
    double rate;
    if (got > 0) {
      line[got] = 0;
      if (sscanf(line, "%ld %lf", &events, &rate) == 2) run(events, rate, &next_number);
    }
    turn(20); // what comes between runs: heartbeats
  }
}
