/* SPDX-License-Identifier: Apache-2.0
 * The load generator of make bench-admin, HTTP/1.1 on loopback, plain or --tls (whose certificate is not
 * looked at), one thread. --streams N opens
 * event streams, says "open N", reads until its input ends, and tells how old each overview was when it
 * came.
 * --connections N asks for a path again as soon as it is answered, for --seconds. A line of JSON ends
 * it. Source addresses are drawn from 127.0.<from>.1-200 in turn. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 65536, HEAD_BYTES = 2048, EVENTS = 512, AGES_MAX = 8000000, CONNECTING_MAX = 256 };

enum state { IDLE, CONNECTING, ASKED, OPEN, LOST };

struct conn {
  int fd;
  SSL *tls;    /* tls, where asked for, */
  bool shaken; /* and whether its handshake is done */
  enum state state;
  uint64_t asked_us;
  size_t head_bytes, left; /* left is what of the body is to come */
  char head[HEAD_BYTES];
};

static struct options {
  struct sockaddr_in target;
  unsigned streams, connections, seconds, ramp, spread, from, tls;
  const char *path, *token;
} o = {.seconds = 5, .ramp = 1000, .spread = 1, .from = 9, .path = "/admin/v1/me"};

static struct conn *conns;
static unsigned n_conns, n_begun, n_open, n_lost, n_refused, n_pending;
static uint64_t n_bytes, n_answers, n_failed;
static uint32_t *ages;
static size_t n_ages;
static int poller;
static SSL_CTX *tls;
static char request[1024];
static size_t request_bytes;

static uint64_t time_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void die(const char *what) {
  fprintf(stderr, "httpgen: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void age_add(uint64_t us) {
  if (n_ages < AGES_MAX)
    ages[n_ages++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void lose(struct conn *c) {
  if (c->state == OPEN)
    n_lost++;
  else
    n_refused++;
  if (c->state < OPEN)
    n_pending--;
  c->state = LOST;
  SSL_free(c->tls);
  c->tls = NULL;
  close(c->fd);
}

static void begin(struct conn *c, unsigned i) {
  struct sockaddr_in me = {.sin_family = AF_INET};
  int one = 1;
  me.sin_addr.s_addr = htonl(0x7f000001u + (o.from << 8) + (o.spread > 1 ? i % o.spread : 0));
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0)
    die("socket");
  (void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
  (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  if (bind(c->fd, (struct sockaddr *)&me, sizeof(me)) < 0)
    die("bind");
  if (tls && (!(c->tls = SSL_new(tls)) || !SSL_set_fd(c->tls, c->fd)))
    die("TLS");
  n_pending++;
  c->state = CONNECTING;
  if (connect(c->fd, (struct sockaddr *)&o.target, sizeof(o.target)) < 0 && errno != EINPROGRESS) {
    lose(c);
    return;
  }
  struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, {.ptr = c}};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e) < 0)
    die("epoll_ctl");
}

/* As write() and read() are. */
static ssize_t tls_result(struct conn *c, int r) {
  int e = r > 0 ? 0 : SSL_get_error(c->tls, r);
  if (r > 0)
    return r;
  errno = e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
  return e == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t conn_write(struct conn *c, const void *p, size_t n) {
  return c->tls ? tls_result(c, SSL_write(c->tls, p, (int)n)) : write(c->fd, p, n);
}

static ssize_t conn_read(struct conn *c, void *p, size_t n) {
  return c->tls ? tls_result(c, SSL_read(c->tls, p, (int)n)) : read(c->fd, p, n);
}

/* False: not yet, or lost. */
static bool shake(struct conn *c) {
  if (c->tls && !c->shaken) {
    ssize_t r = tls_result(c, SSL_connect(c->tls));
    c->shaken = r > 0;
    if (r <= 0 && errno != EAGAIN)
      lose(c);
  }
  return !c->tls || c->shaken;
}

static void ask(struct conn *c) {
  c->asked_us = time_us(CLOCK_MONOTONIC);
  c->head_bytes = 0;
  if (conn_write(c, request, request_bytes) != (ssize_t)request_bytes)
    lose(c);
  else if (c->state == CONNECTING)
    c->state = ASKED;
}

static unsigned two(const char *p) { return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0'); }

/* Of each overview in what was read: its "now" against the clock (both of this machine, UTC). */
static void ages_take(const char *p, size_t n, uint64_t wall_us) {
  static const char mark[] = "data: {\"now\":\"";
  const char *end = p + n, *at;
  while ((at = memmem(p, (size_t)(end - p), mark, sizeof(mark) - 1))) {
    const char *t = at + sizeof(mark) - 1 + 11;
    p = at + 1;
    if (t + 12 > end)
      return;
    uint64_t ms = (two(t) * 3600u + two(t + 3) * 60u + two(t + 6)) * 1000u + two(t + 9) * 10u +
                  (unsigned)(t[11] - '0');
    age_add((wall_us % 86400000000u + 86400000000u - ms * 1000u) % 86400000000u);
  }
}

/* The head of an answer, from what came so far; the length of the rest of what came, or -1: not whole.
 */
static ssize_t head_take(struct conn *c, const char **p, size_t n) {
  size_t room = HEAD_BYTES - 1 - c->head_bytes, take = n < room ? n : room;
  memcpy(c->head + c->head_bytes, *p, take);
  c->head[c->head_bytes + take] = 0;
  char *end = strstr(c->head, "\r\n\r\n");
  if (!end) {
    c->head_bytes += take;
    return -1;
  }
  size_t used = (size_t)(end + 4 - c->head) - c->head_bytes;
  *p += used;
  end[2] = 0;
  return (ssize_t)(n - used);
}

static bool head_ok(const struct conn *c) { return strncmp(c->head, "HTTP/1.1 200", 12) == 0; }

static void answered(struct conn *c) {
  age_add(time_us(CLOCK_MONOTONIC) - c->asked_us);
  n_answers++;
  ask(c);
}

static void open_now(struct conn *c) {
  n_pending--;
  n_open++;
  c->state = OPEN;
}

static void on_stream(struct conn *c, const char *p, size_t n, uint64_t wall_us) {
  if (c->state == ASKED) {
    if (head_take(c, &p, n) < 0)
      return;
    if (!head_ok(c)) {
      lose(c);
      return;
    }
    open_now(c);
    return; /* a snapshot follows: its overview may be a second old */
  }
  ages_take(p, n, wall_us);
}

static void on_answer(struct conn *c, const char *p, size_t n) {
  if (!c->left) {
    ssize_t rest = head_take(c, &p, n);
    if (rest < 0)
      return;
    const char *length = strcasestr(c->head, "\r\nContent-Length: ");
    n_failed += !head_ok(c);
    c->left = length ? (size_t)atoi(length + 18) : 0;
    n = (size_t)rest;
    if (c->state == ASKED)
      open_now(c);
  }
  c->left -= n < c->left ? n : c->left;
  if (!c->left)
    answered(c);
}

static void on_ready(struct conn *c, uint32_t events) {
  static char bytes[READ_BYTES];
  if (c->state == LOST)
    return;
  if (c->state == CONNECTING && events & EPOLLOUT && shake(c))
    ask(c);
  while (c->state == ASKED || c->state == OPEN) {
    ssize_t n = conn_read(c, bytes, sizeof(bytes));
    if (n < 0 && errno == EAGAIN)
      break;
    if (n <= 0) {
      lose(c);
      return;
    }
    n_bytes += (uint64_t)n;
    if (o.streams)
      on_stream(c, bytes, (size_t)n, time_us(CLOCK_REALTIME));
    else
      on_answer(c, bytes, (size_t)n);
    if (!c->tls && n < (ssize_t)sizeof(bytes))
      break; /* edge-triggered: what comes later tells again */
  }
  if (c->state == CONNECTING && events & (EPOLLERR | EPOLLHUP))
    lose(c);
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static double percentile_ms(unsigned permille) {
  return n_ages ? ages[(n_ages - 1) * permille / 1000] / 1e3 : 0;
}

static void tell(double seconds) {
  qsort(ages, n_ages, sizeof(*ages), by_size);
  printf("{\"open\": %u, \"refused\": %u, \"lost\": %u, \"seconds\": %.3f, \"bytes\": %llu, "
         "\"answers\": %llu, "
         "\"failed\": %llu, \"samples\": %zu, \"p50_ms\": %.3f, \"p95_ms\": %.3f, \"p99_ms\": %.3f, "
         "\"max_ms\": %.3f}\n",
         n_open, n_refused, n_lost, seconds, (unsigned long long)n_bytes, (unsigned long long)n_answers,
         (unsigned long long)n_failed, n_ages, percentile_ms(500), percentile_ms(950),
         percentile_ms(990), percentile_ms(1000));
}

static bool input_ended(void) {
  struct pollfd p = {.fd = 0, .events = POLLIN};
  char c;
  return poll(&p, 1, 0) > 0 && read(0, &c, 1) <= 0;
}

/* For requests it never sleeps: whoever answers has nobody to wake, be it fast or slow. */
static void turn(void) {
  struct epoll_event e[EVENTS];
  int n = epoll_wait(poller, e, EVENTS, o.streams ? 5 : 0);
  for (int i = 0; i < n; i++)
    on_ready(e[i].data.ptr, e[i].events);
}

static void begin_due(uint64_t began_us) {
  uint64_t due = (time_us(CLOCK_MONOTONIC) - began_us) * o.ramp / 1000000u + 1;
  for (unsigned k = 0; k < 64 && n_begun < n_conns && n_begun < due && n_pending < CONNECTING_MAX;
       k++, n_begun++)
    begin(&conns[n_begun], n_begun);
}

/* Streams: what came while they were opened is not counted. */
static void run(void) {
  uint64_t began_us = time_us(CLOCK_MONOTONIC), told_us = 0;
  for (;;) {
    uint64_t now_us = time_us(CLOCK_MONOTONIC);
    begin_due(began_us);
    turn();
    if (!told_us && n_begun == n_conns && !n_pending) {
      printf("open %u\n", n_open);
      fflush(stdout);
      told_us = now_us;
      n_bytes = n_answers = n_ages = 0;
    }
    if (o.streams ? input_ended() : told_us && now_us > told_us + o.seconds * 1000000ull)
      break;
  }
  tell((double)(time_us(CLOCK_MONOTONIC) - (told_us ? told_us : began_us)) / 1e6);
}

static void target_take(const char *text) {
  char host[24] = "";
  const char *colon = strchr(text, ':');
  if (!colon || (size_t)(colon - text) >= sizeof(host))
    die("expected IP:PORT");
  memcpy(host, text, (size_t)(colon - text));
  o.target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
  if (inet_pton(AF_INET, host, &o.target.sin_addr) != 1)
    die(text);
}

static void options_take(int argc, char **argv) {
  static const struct option names[] = {{"target", 1, 0, 't'},      {"streams", 1, 0, 's'},
                                        {"connections", 1, 0, 'c'}, {"seconds", 1, 0, 'n'},
                                        {"ramp", 1, 0, 'r'},        {"spread", 1, 0, 'a'},
                                        {"from", 1, 0, 'f'},        {"path", 1, 0, 'p'},
                                        {"tls", 0, 0, 'l'},         {0, 0, 0, 0}};
  for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    unsigned n = optarg ? (unsigned)atoi(optarg) : 0;
    if (c == 't')
      target_take(optarg);
    else if (c == 'p')
      o.path = optarg;
    else if (c == 'l')
      o.tls = 1;
    else if (c == '?')
      exit(2);
    else
      *(c == 's'   ? &o.streams
        : c == 'c' ? &o.connections
        : c == 'n' ? &o.seconds
        : c == 'r' ? &o.ramp
        : c == 'a' ? &o.spread
                   : &o.from) = n;
  }
  o.token = getenv("HTTPGEN_TOKEN");
  n_conns = o.streams ? o.streams : o.connections;
  if (!o.target.sin_port || !n_conns || !o.ramp || o.spread > 250) {
    fprintf(stderr,
            "usage: httpgen --target IP:PORT --streams N | --connections N [--seconds S --path P] "
            "[--ramp N --spread N --from N --tls]\n");
    exit(2);
  }
}

int main(int argc, char **argv) {
  options_take(argc, argv);
  (void)signal(SIGPIPE, SIG_IGN);
  request_bytes = (size_t)snprintf(
      request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s%sAccept: %s\r\n\r\n",
      o.streams ? "/admin/v1/events" : o.path, o.token ? "Authorization: Bearer " : "",
      o.token ? o.token : "", o.token ? "\r\n" : "",
      o.streams ? "text/event-stream" : "application/json");
  conns = calloc(n_conns, sizeof(*conns));
  ages = malloc(AGES_MAX * sizeof(*ages));
  poller = epoll_create1(EPOLL_CLOEXEC);
  tls = o.tls ? SSL_CTX_new(TLS_client_method()) : NULL;
  if (!conns || !ages || poller < 0 || (o.tls && !tls))
    die("start");
  run();
  return 0;
}
