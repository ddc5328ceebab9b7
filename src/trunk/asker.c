/* SPDX-License-Identifier: Apache-2.0
 * The stub resolver's sockets: see asker.h. Call thread. */
#include "trunk/asker.h"

#include "base/log.h"
#include "base/pool.h"
#include "base/rand.h"
#include "wire/bytes.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UDP_BYTES = 4096, TCP_BYTES = 65535, DNS_PORT = 53 };

/* One open question. */
struct question {
  struct asker *asker;
  pool_handle self;
  char name[DNS_NAME_BYTES];
  enum dns_type type;
  uint16_t id;
  unsigned tries;      /* tries made */
  uint32_t server;     /* server asked now */
  bool is_tcp, is_cut; /* is_cut: some server refused or broke off, and none has just been silent. */
  struct watch watch;
  struct timer timer;
  uint8_t *buf; /* buf: TCP only; what came so far, the length first */
  size_t got;
};

struct asker {
  struct loop *loop;
  asker_done_fn *fn;
  void *arg;
  struct addr servers[ASKER_SERVERS_MAX];
  uint32_t n, first; /* first is the server that answered last. */
  struct pool *open;
};

static void try_next(struct question *q);

static void question_close(struct question *q) {
  if (q->watch.on)
    loop_unwatch(q->asker->loop, &q->watch);
  if (q->watch.fd >= 0)
    close(q->watch.fd);
  q->watch.fd = -1;
  free(take(q->buf));
  q->got = 0;
}

static void question_done(struct question *q, int error, const struct dns_answer *answer) {
  struct asker *a = q->asker;
  char name[DNS_NAME_BYTES];
  enum dns_type type = q->type;
  memcpy(name, q->name, sizeof name);
  question_close(q);
  loop_disarm(a->loop, &q->timer);
  if (!error)
    a->first = q->server;
  pool_del(a->open, q->self);
  a->fn(a->arg, name, type, error, answer);
}

static void tcp_begin(struct question *q);

static void answer_take(struct question *q, struct slice message) {
  struct dns_answer answer;
  int e = dns_read(&answer, message, q->id, q->name, q->type);
  if (e == -ENOMSG && !q->is_tcp)
    return; /* not to this question: the right one may still come */
  if (e < 0 || (answer.rcode && answer.rcode != DNS_RCODE_NXDOMAIN && q->tries < ASKER_TRIES)) {
    q->is_cut = true;
    try_next(q);
  } else if (answer.is_truncated && !q->is_tcp) {
    tcp_begin(q);
  } else {
    question_done(q, answer.is_truncated ? -EIO : 0, &answer);
  }
}

static void on_udp(void *arg, uint32_t events) {
  struct question *q = arg;
  char buf[UDP_BYTES];
  ssize_t n = recv(q->watch.fd, buf, sizeof buf, MSG_DONTWAIT);
  if (n >= 0) {
    answer_take(q, slice_from(buf, (size_t)n));
  } else if (errno != EAGAIN || (events & (EPOLLERR | EPOLLHUP))) {
    q->is_cut = true;
    try_next(q);
  }
}

/* The question with its length before it: far less than a send buffer. */
static bool tcp_write(struct question *q) {
  uint8_t buf[2 + DNS_QUERY_BYTES];
  size_t n = 0;
  if (dns_write(buf + 2, sizeof buf - 2, q->id, q->name, q->type, &n) < 0)
    return false;
  bytes_put_u16(buf, (uint16_t)n);
  q->buf = malloc(2 + TCP_BYTES);
  return q->buf && send(q->watch.fd, buf, n + 2, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n + 2 &&
         loop_rewatch(q->asker->loop, &q->watch, EPOLLIN) == 0;
}

/* True while more is to come. */
static bool tcp_read(struct question *q) {
  size_t want = q->got < 2 ? 2 : 2 + (size_t)bytes_u16(q->buf);
  while (q->got < want) {
    ssize_t n = recv(q->watch.fd, q->buf + q->got, want - q->got, MSG_DONTWAIT);
    if (n <= 0)
      return n < 0 && errno == EAGAIN;
    q->got += (size_t)n;
    want = q->got < 2 ? 2 : 2 + (size_t)bytes_u16(q->buf);
  }
  return false;
}

static void on_tcp(void *arg, uint32_t events) {
  struct question *q = arg;
  if ((events & EPOLLOUT) && !q->buf && tcp_write(q))
    return;
  if (q->buf && tcp_read(q))
    return;
  if (q->buf && q->got >= 2 && q->got == 2 + (size_t)bytes_u16(q->buf)) {
    uint8_t *buf = take(q->buf);
    answer_take(q, slice_from(buf + 2, q->got - 2));
    free(buf);
    return;
  }
  q->is_cut = true;
  try_next(q);
}

static int open_to(struct question *q, int type) {
  const struct addr *to = &q->asker->servers[q->server];
  q->watch.fd = socket(addr_family(to), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  q->watch.arg = q;
  q->watch.fn = type == SOCK_DGRAM ? on_udp : on_tcp;
  if (q->watch.fd < 0)
    return -errno;
  if (connect(q->watch.fd, &to->sa, addr_len(to)) < 0 && errno != EINPROGRESS)
    return -errno;
  return loop_watch(q->asker->loop, &q->watch, type == SOCK_DGRAM ? EPOLLIN : EPOLLOUT);
}

static int udp_send(struct question *q) {
  uint8_t buf[DNS_QUERY_BYTES];
  size_t n = 0;
  int e = open_to(q, SOCK_DGRAM);
  if (e == 0)
    e = dns_write(buf, sizeof buf, q->id, q->name, q->type, &n);
  if (e == 0 && send(q->watch.fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
    e = -errno;
  return e;
}

/* The same server, the whole answer. */
static void tcp_begin(struct question *q) {
  question_close(q);
  q->is_tcp = true;
  q->id = (uint16_t)rand_u32();
  loop_arm(q->asker->loop, &q->timer, (uint64_t)ASKER_TRY_MS * 1000);
  if (open_to(q, SOCK_STREAM) < 0)
    try_next(q);
}

/* A failure that is seen at once is told by the timer, so that nobody is called from inside of ask. */
static void try_next(struct question *q) {
  struct asker *a = q->asker;
  uint32_t tries = a->n > ASKER_TRIES ? a->n : ASKER_TRIES;
  question_close(q);
  q->is_tcp = false;
  if (q->tries == tries) {
    question_done(q, q->is_cut ? -EIO : -ETIMEDOUT, NULL);
    return;
  }
  q->server = (a->first + q->tries++) % a->n;
  q->id = (uint16_t)rand_u32();
  loop_arm(a->loop, &q->timer, udp_send(q) < 0 ? 10000 : (uint64_t)ASKER_TRY_MS * 1000);
}

static void on_time(void *arg) {
  struct question *q = arg;
  q->is_cut = false;
  try_next(q);
}

int asker_ask(struct asker *a, const char *name, enum dns_type type) {
  uint8_t probe[DNS_QUERY_BYTES];
  size_t n;
  pool_handle id;
  int e = dns_write(probe, sizeof probe, 0, name, type, &n);
  struct question *q = e < 0 ? NULL : pool_add(a->open, &id);
  if (!q)
    return e < 0 ? e : -ENOSPC;
  q->asker = a;
  q->self = id;
  q->type = type;
  q->watch.fd = -1;
  q->timer = (struct timer){.fn = on_time, .arg = q};
  slice_copy(q->name, sizeof q->name, slice_of(name));
  try_next(q);
  return 0;
}

uint32_t asker_servers(const char *path, struct addr *ret, uint32_t max) {
  char line[512], word[128];
  uint32_t n = 0;
  FILE *f = fopen(path, "re");
  while (f && n < max && fgets(line, sizeof line, f))
    if (sscanf(line, "nameserver %127s", word) == 1 &&
        addr_parse(&ret[n], slice_of(word), DNS_PORT) == 0)
      n++;
  if (f)
    fclose(f);
  return n;
}

int asker_new(struct asker **ret, struct loop *loop, const struct addr *servers, uint32_t n,
              asker_done_fn *fn, void *arg) {
  own(asker) a = calloc(1, sizeof *a);
  if (!a)
    return -ENOMEM;
  a->loop = loop;
  a->fn = fn;
  a->arg = arg;
  for (; a->n < n && a->n < ASKER_SERVERS_MAX; a->n++)
    a->servers[a->n] = servers[a->n];
  if (!n)
    a->n = asker_servers("/etc/resolv.conf", a->servers, ASKER_SERVERS_MAX);
  if (!a->n && addr_parse(&a->servers[a->n++], SLICE("127.0.0.1"), DNS_PORT) < 0)
    return -EINVAL;
  int e = pool_new(&a->open, sizeof(struct question), ASKER_OPEN_MAX);
  if (e == 0)
    *ret = take(a);
  return e;
}

struct asker *asker_free(struct asker *a) {
  uint32_t slot = 0;
  struct question *q;
  if (!a)
    return NULL;
  while (a->open && (q = pool_next(a->open, &slot, NULL))) {
    question_close(q);
    loop_disarm(a->loop, &q->timer);
  }
  pool_free(a->open);
  free(a);
  return NULL;
}
