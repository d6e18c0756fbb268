// Owns the load of the broker benchmark: raw MQTT 3.1.1 over loopback in one thread, counted and checked message by message.
//
//   client throughput|latency|one_at_a_time|idle KEY=VALUE …
//
// Prints one line of JSON. Exit code 1 when it could not measure; what the broker lost or mixed up is in the line.
// `idle` prints its line once the connections are open and holds them until its stdin ends.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
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
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
  PAYLOAD_BYTES = 100,
  PACKET_BYTES_MAX = 512,     // everything that the benchmark receives is smaller
  READ_BYTES = 256 * 1024,    // taken from the kernel at once
  WRITE_BYTES = 64 * 1024,    // given to the kernel at once
  REPLY_TIMEOUT_S = 20,       // for CONNACK and SUBACK
  SETTLE_MS = 50,             // duplicates may come behind the last message
  PACKET_IDS = 65535,
  EVENTS_MAX = 256,
};
enum { CONNACK = 2, PUBLISH = 3, PUBACK = 4, SUBACK = 9 };
#define NS_PER_S INT64_C(1000000000)
#define TOPIC "bench/load"

struct options {
  const char *mode, *user, *password;
  long port, publishers, subscribers, qos, messages;
  long window;       // unacknowledged publishes of all publishers together, QoS 1
  long outstanding;  // of each publisher: messages that have not reached every subscriber
  long persistent;   // subscribers keep their sessions
  long offline;      // they are away while the messages are published, and come back for them
  long rate_hz;      // 0: as fast as the window allows
  long connections;  // of `idle`
  long stall_ms;     // without progress the rest counts as lost
};

static struct options options = {
  .user = "", .password = "", .port = 1883, .publishers = 1, .subscribers = 1, .messages = 1000,
  .window = 1000, .outstanding = 2000, .connections = 2000, .stall_ms = 10000,
};

// The beginning of each payload. The run tells messages of an earlier run apart.
struct stamp {
  uint32_t run, publisher, sequence, unused;
  int64_t sent_ns;
};

struct link {
  int fd, index;
  bool publishes, awaits_room, cut;
  uint8_t *out;
  size_t out_begin, out_end;
  uint8_t rest[PACKET_BYTES_MAX];
  size_t rest_bytes;
};

struct flow {  // of one publisher
  long sent, acked, complete;
  int next_ack;  // identifier
  int64_t *sent_ns;  // by sequence, in `latency`
  uint16_t *passed;  // by sequence: how many subscribers have it, or have a later one
};

struct track {  // of one publisher at one subscriber
  long next;
  uint64_t *seen;
};

static struct link *links;  // publishers first
static struct flow *flows;
static struct track *tracks;
static uint8_t template_packet[PACKET_BYTES_MAX];
static size_t packet_bytes, id_offset, stamp_offset;
static int poller, timer;
static uint32_t run_id;
static int64_t paced_from_ns;
static int64_t *latencies_ns, *ack_latencies_ns;  // of `latency`, in the order of arrival
static long arrived, acked, duplicates, out_of_order, acks_out_of_order, cut;

// ---- ground

static _Noreturn void fail(const char *format, ...) {
  va_list words;
  va_start(words, format);
  fputs("client: ", stderr);
  vfprintf(stderr, format, words);
  fputc('\n', stderr);
  va_end(words);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void *zeroed(size_t count, size_t bytes) {
  void *memory = calloc(count ? count : 1, bytes);
  if (!memory) fail("out of memory");
  return memory;
}

static long smaller(long a, long b) { return a < b ? a : b; }

static struct link *publisher(long index) { return &links[index]; }
static struct link *subscriber(long index) { return &links[options.publishers + index]; }
static long expected(void) { return options.publishers * options.messages * options.subscribers; }

// ---- packets

static size_t put_text(uint8_t *at, const char *text) {
  size_t length = strlen(text);
  at[0] = (uint8_t)(length >> 8);
  at[1] = (uint8_t)length;
  memcpy(at + 2, text, length);
  return length + 2;
}

// Type and remaining length in front of a body; one byte of length is enough for everything sent here.
static size_t put_header(uint8_t *packet, uint8_t first, size_t body_bytes) {
  if (body_bytes > 127) fail("expected a body of at most 127 bytes, got %zu", body_bytes);
  packet[0] = first;
  packet[1] = (uint8_t)body_bytes;
  return body_bytes + 2;
}

static size_t put_connect(uint8_t *packet, const char *client_id, bool clean) {
  uint8_t *at = packet + 2;
  bool named = *options.user != 0;
  at += put_text(at, "MQTT");
  *at++ = 4;
  *at++ = (uint8_t)((clean ? 0x02 : 0) | (named ? 0xc0 : 0));
  *at++ = 0;  // no keepalive: nothing but the load is on the wire
  *at++ = 0;
  at += put_text(at, client_id);
  if (named) at += put_text(at, options.user);
  if (named) at += put_text(at, options.password);
  return put_header(packet, 0x10, (size_t)(at - packet) - 2);
}

static size_t put_subscribe(uint8_t *packet) {
  uint8_t *at = packet + 2;
  *at++ = 0;
  *at++ = 1;
  at += put_text(at, TOPIC);
  *at++ = (uint8_t)options.qos;
  return put_header(packet, 0x82, (size_t)(at - packet) - 2);
}

// The publish that all others are copied from; identifier and stamp are filled in for each.
static void make_template(void) {
  uint8_t *at = template_packet + 2;
  at += put_text(at, TOPIC);
  id_offset = (size_t)(at - template_packet);
  if (options.qos > 0) at += 2;
  stamp_offset = (size_t)(at - template_packet);
  memset(at, 'x', PAYLOAD_BYTES);
  at += PAYLOAD_BYTES;
  packet_bytes = put_header(template_packet, (uint8_t)(0x30 | options.qos << 1), (size_t)(at - template_packet) - 2);
}

static void put_publish(uint8_t *packet, uint32_t from, long sequence, int64_t sent_ns) {
  memcpy(packet, template_packet, packet_bytes);
  if (options.qos > 0) {
    long id = 1 + sequence % PACKET_IDS;
    packet[id_offset] = (uint8_t)(id >> 8);
    packet[id_offset + 1] = (uint8_t)id;
  }
  struct stamp stamp = { run_id, from, (uint32_t)sequence, 0, sent_ns };
  memcpy(packet + stamp_offset, &stamp, sizeof stamp);
}

// Whole length of the packet at `at`, 0 when too little of it is there.
static size_t packet_length(const uint8_t *at, size_t available) {
  size_t body = 0;
  for (size_t i = 1; i < available && i < 5; i++) {
    body |= (size_t)(at[i] & 0x7f) << 7 * (i - 1);
    if (at[i] & 0x80) continue;
    if (body + i + 1 > PACKET_BYTES_MAX) fail("expected packets of at most %d bytes, got %zu", PACKET_BYTES_MAX, body);
    return body + i + 1 <= available ? body + i + 1 : 0;
  }
  return 0;
}

// ---- opening and closing, one step after the other

static int dial(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)options.port) };
  struct timeval patience = { .tv_sec = REPLY_TIMEOUT_S };
  int on = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0) fail("socket: %s", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect: %s", strerror(errno));
  return fd;
}

static bool read_whole(int fd, uint8_t *to, size_t bytes) {
  for (size_t have = 0; have < bytes;) {
    ssize_t n = recv(fd, to + have, bytes - have, 0);
    if (n <= 0) return false;
    have += (size_t)n;
  }
  return true;
}

// One whole packet, not a byte more: what follows belongs to the loop. False when the connection ended.
static bool read_packet(int fd, uint8_t *packet) {
  size_t have = 0, length = 0;
  while (!length && have < 5) {
    if (!read_whole(fd, packet + have, 1)) return false;
    if (++have > 1 && !(packet[have - 1] & 0x80)) break;
  }
  for (size_t i = 1; i < have; i++) length |= (size_t)(packet[i] & 0x7f) << 7 * (i - 1);
  if (have + length > PACKET_BYTES_MAX) fail("expected packets of at most %d bytes, got %zu", PACKET_BYTES_MAX, length);
  return read_whole(fd, packet + have, length);
}

static void write_whole(int fd, const uint8_t *packet, size_t bytes) {
  if (send(fd, packet, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) fail("send: %s", strerror(errno));
}

// The CONNACK's return code, -1 when the broker closed without one.
static int greet(int fd, const char *client_id, bool clean) {
  uint8_t packet[PACKET_BYTES_MAX];
  write_whole(fd, packet, put_connect(packet, client_id, clean));
  if (!read_packet(fd, packet) || packet[0] >> 4 != CONNACK) return -1;
  return packet[3];
}

static int enter(const char *client_id, bool clean) {
  int fd = dial();
  int code = greet(fd, client_id, clean);
  if (code != 0) fail("expected CONNACK 0 for %s, got %d", client_id, code);
  return fd;
}

static void leave(int fd) {
  static const uint8_t disconnect[] = { 0xe0, 0 };
  send(fd, disconnect, sizeof disconnect, MSG_NOSIGNAL);
  close(fd);
}

static void subscribe(int fd) {
  uint8_t packet[PACKET_BYTES_MAX];
  write_whole(fd, packet, put_subscribe(packet));
  do {
    if (!read_packet(fd, packet)) fail("expected SUBACK, the connection ended");
  } while (packet[0] >> 4 != SUBACK);
  if (packet[4] != options.qos) fail("expected QoS %ld granted, got 0x%02x", options.qos, packet[4]);
}

static const char *name_of(const struct link *link) {
  static char name[32];
  snprintf(name, sizeof name, "bench-%x-%c%d", run_id, link->publishes ? 'p' : 's', link->index);
  return name;
}

// Hands a connection over to the loop.
static void watch(struct link *link, int fd) {
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = link };
  if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
    fail("watch: %s", strerror(errno));
  link->fd = fd;
}

static void cut_off(struct link *link) {
  close(link->fd);
  link->cut = true;
  link->out_begin = link->out_end = 0;
  cut++;
}

// ---- writing

static void await_room(struct link *link, bool awaits) {
  if (link->awaits_room == awaits) return;
  struct epoll_event event = { .events = EPOLLIN | (awaits ? EPOLLOUT : 0u), .data.ptr = link };
  epoll_ctl(poller, EPOLL_CTL_MOD, link->fd, &event);
  link->awaits_room = awaits;
}

static void flush(struct link *link) {
  while (!link->cut && link->out_begin < link->out_end) {
    ssize_t n = send(link->fd, link->out + link->out_begin, link->out_end - link->out_begin, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return await_room(link, true);
    if (n < 0) return cut_off(link);
    link->out_begin += (size_t)n;
  }
  link->out_begin = link->out_end = 0;
  if (!link->cut) await_room(link, false);
}

// How many messages are due by the clock; the pace does not follow the answers.
static long due(void) {
  return (long)((now_ns() - paced_from_ns) * options.rate_hz / NS_PER_S);
}

static long allowance(const struct flow *flow) {
  long room = options.messages - flow->sent;
  if (options.rate_hz > 0) return smaller(room, due() - flow->sent);
  if (options.qos > 0) {
    long share = options.window / options.publishers;
    room = smaller(room, (share > 0 ? share : 1) - (flow->sent - flow->acked));
  }
  if (!options.offline) room = smaller(room, options.outstanding - (flow->sent - flow->complete));
  return room;
}

static void publish_some(struct link *link) {
  struct flow *flow = &flows[link->index];
  while (!link->cut && link->out_end == 0) {
    long count = smaller(allowance(flow), (long)(WRITE_BYTES / packet_bytes));
    if (count <= 0) return;
    int64_t sent_ns = now_ns();
    for (long i = 0; i < count; i++, link->out_end += packet_bytes) {
      if (flow->sent_ns) flow->sent_ns[flow->sent] = sent_ns;
      put_publish(link->out + link->out_end, (uint32_t)link->index, flow->sent++, sent_ns);
    }
    flush(link);
  }
}

// ---- reading

// One more subscriber has the message, or will never have it in its place.
static void pass(struct flow *flow, long sequence) {
  if (++flow->passed[sequence] == options.subscribers) flow->complete = sequence + 1;
}

static void on_message(const struct link *link, const struct stamp *stamp, int64_t at_ns) {
  if (stamp->run != run_id || stamp->publisher >= options.publishers || stamp->sequence >= options.messages)
    fail("expected messages of this run only");
  struct track *track = &tracks[link->index * options.publishers + stamp->publisher];
  long sequence = stamp->sequence;
  uint64_t bit = UINT64_C(1) << sequence % 64;
  if (track->seen[sequence / 64] & bit) {
    duplicates++;
    return;
  }
  track->seen[sequence / 64] |= bit;
  if (latencies_ns) latencies_ns[arrived] = at_ns - stamp->sent_ns;
  arrived++;
  if (sequence < track->next) out_of_order++;
  for (; track->next <= sequence; track->next++) pass(&flows[stamp->publisher], track->next);
}

static void on_publish(struct link *link, const uint8_t *packet, size_t length, int64_t at_ns) {
  int qos = packet[0] >> 1 & 3;
  size_t topic_bytes = (size_t)packet[2] << 8 | packet[3];
  const uint8_t *id = packet + 4 + topic_bytes;
  const uint8_t *payload = id + (qos > 0 ? 2 : 0);
  struct stamp stamp;
  if (qos != options.qos) fail("expected messages of QoS %ld, got %d", options.qos, qos);
  if (packet[1] & 0x80 || payload + PAYLOAD_BYTES != packet + length) fail("expected the payload that was sent");
  memcpy(&stamp, payload, sizeof stamp);
  if (memcmp(payload + sizeof stamp, template_packet + stamp_offset + sizeof stamp, PAYLOAD_BYTES - sizeof stamp))
    fail("expected the payload that was sent");
  on_message(link, &stamp, at_ns);
  if (qos == 0) return;
  uint8_t ack[] = { 0x40, 2, id[0], id[1] };
  memcpy(link->out + link->out_end, ack, sizeof ack);
  link->out_end += sizeof ack;
}

// Acknowledgements come in the order of the publishes [MQTT-4.6.0-2].
static void on_ack(struct flow *flow, const uint8_t *packet, int64_t at_ns) {
  if (flow->acked >= flow->sent) fail("expected no more acknowledgements than publishes");
  int id = packet[2] << 8 | packet[3];
  if (id != flow->next_ack) acks_out_of_order++;
  flow->next_ack = 1 + id % PACKET_IDS;
  if (ack_latencies_ns) ack_latencies_ns[acked] = at_ns - flow->sent_ns[flow->acked];
  flow->acked++;
  acked++;
}

static void on_packet(struct link *link, const uint8_t *packet, size_t length, int64_t at_ns) {
  int type = packet[0] >> 4;
  if (type == PUBLISH && !link->publishes) on_publish(link, packet, length, at_ns);
  else if (type == PUBACK && link->publishes) on_ack(&flows[link->index], packet, at_ns);
  else fail("unexpected packet of type %d", type);
}

// A subscriber whose acknowledgements are not taken is not read either.
static bool has_room(const struct link *link) {
  return link->publishes || link->out_end + READ_BYTES / PAYLOAD_BYTES * 4 + PACKET_BYTES_MAX < WRITE_BYTES;
}

static void on_readable(struct link *link) {
  static uint8_t inbox[PACKET_BYTES_MAX + READ_BYTES];
  if (!has_room(link)) return;
  memcpy(inbox, link->rest, link->rest_bytes);
  ssize_t n = recv(link->fd, inbox + link->rest_bytes, READ_BYTES, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return cut_off(link);
  size_t end = link->rest_bytes + (size_t)n, at = 0;
  int64_t at_ns = latencies_ns ? now_ns() : 0;
  for (size_t length; (length = packet_length(inbox + at, end - at)) > 0; at += length)
    on_packet(link, inbox + at, length, at_ns);
  link->rest_bytes = end - at;
  memcpy(link->rest, inbox + at, link->rest_bytes);
  if (!link->publishes) flush(link);
}

// The timer goes on when it is read; what is due is asked of the clock.
static void take_beat(void) {
  uint64_t beats;
  if (read(timer, &beats, sizeof beats) < 0 && errno != EAGAIN) fail("timerfd: %s", strerror(errno));
}

static void turn(int wait_ms) {
  struct epoll_event events[EVENTS_MAX];
  int count = epoll_wait(poller, events, EVENTS_MAX, wait_ms);
  for (int i = 0; i < count; i++) {
    struct link *link = events[i].data.ptr;
    if (!link) take_beat();
    if (!link || link->cut) continue;
    if (events[i].events & EPOLLOUT) flush(link);
    if (!link->cut && events[i].events & ~(uint32_t)EPOLLOUT) on_readable(link);
  }
}

// ---- runs

static bool is_published(void) { return options.qos == 0 || acked >= options.publishers * options.messages; }
static bool is_delivered(void) { return arrived >= expected(); }
static bool is_done(void) { return is_published() && is_delivered(); }

// Runs until `done`, or until nothing has moved for too long; returns the instant of the last progress.
static int64_t loop_until(bool (*done)(void), bool publishes) {
  int64_t moved_ns = now_ns();
  for (long before = arrived + acked; !done();) {
    for (long i = 0; publishes && i < options.publishers; i++) publish_some(publisher(i));
    turn(1000);
    if (arrived + acked != before) moved_ns = now_ns();
    else if (now_ns() - moved_ns > options.stall_ms * 1000000) break;
    before = arrived + acked;
  }
  return moved_ns;
}

static void settle(void) {
  for (int64_t until_ns = now_ns() + SETTLE_MS * INT64_C(1000000); now_ns() < until_ns;) turn(5);
}

// Wakes the loop at each beat of the pace.
static void start_pace(void) {
  struct epoll_event event = { .events = EPOLLIN };
  struct itimerspec beat = { 0 };
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  beat.it_interval.tv_nsec = beat.it_value.tv_nsec = NS_PER_S / options.rate_hz;
  paced_from_ns = now_ns();
  if (timer < 0 || timerfd_settime(timer, 0, &beat, NULL) < 0) fail("timerfd: %s", strerror(errno));
  if (epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event) < 0) fail("timerfd: %s", strerror(errno));
}

static void make_books(void) {
  links = zeroed((size_t)(options.publishers + options.subscribers), sizeof *links);
  flows = zeroed((size_t)options.publishers, sizeof *flows);
  tracks = zeroed((size_t)(options.publishers * options.subscribers), sizeof *tracks);
  if (options.rate_hz > 0) {
    latencies_ns = zeroed((size_t)expected(), sizeof *latencies_ns);
    ack_latencies_ns = zeroed((size_t)(options.publishers * options.messages), sizeof *ack_latencies_ns);
  }
  for (long i = 0; i < options.publishers * options.subscribers; i++)
    tracks[i].seen = zeroed((size_t)options.messages / 64 + 1, sizeof(uint64_t));
  for (long i = 0; i < options.publishers; i++) {
    flows[i] = (struct flow){ .next_ack = 1, .passed = zeroed((size_t)options.messages, sizeof(uint16_t)) };
    if (options.rate_hz > 0) flows[i].sent_ns = zeroed((size_t)options.messages, sizeof(int64_t));
  }
  for (long i = 0; i < options.publishers + options.subscribers; i++) {
    links[i].publishes = i < options.publishers;
    links[i].index = (int)(links[i].publishes ? i : i - options.publishers);
    links[i].out = zeroed(WRITE_BYTES, 1);
  }
}

static void open_links(void) {
  for (long i = 0; i < options.subscribers; i++) {
    int fd = enter(name_of(subscriber(i)), !options.persistent);
    subscribe(fd);
    if (options.offline) leave(fd);
    else watch(subscriber(i), fd);
  }
  for (long i = 0; i < options.publishers; i++) watch(publisher(i), enter(name_of(publisher(i)), true));
}

static void come_back(void) {
  for (long i = 0; i < options.subscribers; i++) watch(subscriber(i), enter(name_of(subscriber(i)), false));
}

// Leaves nothing in the broker: a clean connection erases the session of its name.
static void close_links(void) {
  for (long i = 0; i < options.publishers + options.subscribers; i++)
    if (!links[i].cut) leave(links[i].fd);
  for (long i = 0; options.persistent && i < options.subscribers; i++) leave(enter(name_of(subscriber(i)), true));
}

static int by_size(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

// "p50" and "p99" of one kind of latency. -1: there are none.
static void print_latencies(const char *prefix, int64_t *sorted_ns, long count) {
  static const struct { const char *name; double share; } figures[] = { { "p50", 0.5 }, { "p99", 0.99 } };
  qsort(sorted_ns, (size_t)count, sizeof *sorted_ns, by_size);
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
    long at = smaller(count - 1, (long)((double)count * figures[i].share));
    printf("\"%s%s_us\":%.1f,", prefix, figures[i].name, at < 0 ? -1 : (double)sorted_ns[at] / 1000);
  }
}

static double own_cpu_s(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_result(double seconds, double cpu_s) {
  putchar('{');
  if (latencies_ns) {
    print_latencies("", latencies_ns, arrived);
    print_latencies("ack_", ack_latencies_ns, options.qos > 0 ? acked : 0);
  } else {
    long counted = options.offline ? acked : arrived;
    printf("\"per_second\":%.0f,", seconds > 0 ? (double)counted / seconds : 0);
  }
  long total = options.publishers * options.messages;
  printf("\"seconds\":%.3f,\"published\":%ld,\"acked\":%ld,\"delivered\":%ld,\"lost\":%ld,\"unacknowledged\":%ld,"
    "\"out_of_order\":%ld,\"acks_out_of_order\":%ld,\"duplicates\":%ld,\"cut\":%ld,\"client_cpu_pct\":%.0f}\n",
    seconds, total, acked, arrived, expected() - arrived, options.qos > 0 ? total - acked : 0, out_of_order,
    acks_out_of_order, duplicates, cut, 100 * cpu_s / seconds);
}

static void run_load(void) {
  make_template();
  make_books();
  open_links();
  double cpu_before_s = own_cpu_s();
  if (options.rate_hz > 0) start_pace();
  int64_t begin_ns = now_ns();
  int64_t end_ns = loop_until(options.offline ? is_published : is_done, true);
  double cpu_s = own_cpu_s() - cpu_before_s;
  if (options.offline) {
    come_back();
    loop_until(is_delivered, false);
  }
  settle();
  print_result((double)(end_ns - begin_ns) / NS_PER_S, cpu_s);
  fflush(stdout);
  close_links();
}

static void run_idle(void) {
  long open = 0;
  char name[32];
  for (long i = 0; i < options.connections; i++) {
    int fd = dial();
    snprintf(name, sizeof name, "bench-%x-i%ld", run_id, i);
    if (greet(fd, name, true) == 0) open++;
    else close(fd);
  }
  printf("{\"open\":%ld,\"refused\":%ld}\n", open, options.connections - open);
  fflush(stdout);
  while (getchar() != EOF) continue;
}

// ---- the command line

static long *number_named(const char *name, size_t length) {
  static const struct { const char *name; long *value; } numbers[] = {
    { "port", &options.port }, { "publishers", &options.publishers }, { "subscribers", &options.subscribers },
    { "qos", &options.qos }, { "messages", &options.messages }, { "window", &options.window },
    { "outstanding", &options.outstanding }, { "persistent", &options.persistent }, { "offline", &options.offline },
    { "rate_hz", &options.rate_hz }, { "connections", &options.connections }, { "stall_ms", &options.stall_ms },
  };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (strlen(numbers[i].name) == length && strncmp(numbers[i].name, name, length) == 0) return numbers[i].value;
  return NULL;
}

static void read_option(const char *word) {
  const char *equals = strchr(word, '=');
  size_t length = equals ? (size_t)(equals - word) : 0;
  long *number = number_named(word, length);
  char *end;
  if (number) {
    *number = strtol(equals + 1, &end, 10);
    if (end == equals + 1 || *end || *number < 0) fail("expected a number in '%s'", word);
  } else if (equals && strncmp(word, "user=", length + 1) == 0) options.user = equals + 1;
  else if (equals && strncmp(word, "password=", length + 1) == 0) options.password = equals + 1;
  else fail("unknown option '%s'", word);
}

static bool is_mode(const char *mode) { return strcmp(options.mode, mode) == 0; }

static void read_line(int count, char **words) {
  if (count < 2) fail("expected throughput, latency, one_at_a_time or idle");
  options.mode = words[1];
  for (int i = 2; i < count; i++) read_option(words[i]);
  if (options.publishers < 1 || options.subscribers < 1 || options.messages < 1 || options.qos > 1)
    fail("expected at least one publisher, subscriber and message, and QoS 0 or 1");
  if (is_mode("one_at_a_time")) options.qos = options.window = options.publishers = 1;
  if (options.offline) options.persistent = 1;
  if (options.offline && options.qos == 0) fail("expected QoS 1 for subscribers that are away");
  if (is_mode("latency") != (options.rate_hz > 0)) fail("rate_hz belongs to latency");
}

static void raise_file_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int count, char **words) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlives the benchmark
  read_line(count, words);
  raise_file_limit();
  run_id = (uint32_t)now_ns() ^ (uint32_t)getpid() << 16;
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (is_mode("idle")) run_idle();
  else if (is_mode("throughput") || is_mode("latency") || is_mode("one_at_a_time")) run_load();
  else fail("unknown mode '%s'", options.mode);
  return 0;
}
