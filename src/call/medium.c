/* SPDX-License-Identifier: Apache-2.0
 * Client of sallyport-media: see medium.h. A lost process is noticed in the watch or by a HELLO
 * without WELCOME, never inside a send, so that callers are not re-entered. */
#include "call/medium.h"

#include "base/clock.h"
#include "base/fdpass.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { PENDING = 4096, WORKERS_MAX = 64, UNENDED = 1024, RETRY_US = 200000, BATCH = 256 };
/* A media process that hangs is lost: PINGS_MAX in a row brought no word from it. Counted, not timed, so
 * that our own standing still is not taken for its. */
enum { PING_US = 2000000, PINGS_MAX = 4 };

struct pending {
  uint64_t seq, ctx, op, due_us;
  MEDIUM_REPLY((*fn));
};

struct medium {
  struct loop *loop;
  const char *path;
  uint8_t instance[16];
  uint64_t epoch;
  struct medium_user user;
  struct watch watch;
  bool connected, welcomed, wants_out;
  struct timer retry, deadline, ping;
  uint32_t pings; /* pings is how many were sent since it said something. */
  uint64_t next_seq, oldest_seq, lost;
  struct pending pending[PENDING];
  uint64_t unended[UNENDED];
  uint32_t n_unended;
  const struct mset_facts *facts;
  uint32_t n_facts;
  char backend[16];
  uint32_t workers;
  struct mset_load loads[WORKERS_MAX]; /* loads are what each worker said last. */
};

static void arm(struct medium *m, struct timer *t, uint64_t in_us) {
  loop_arm(m->loop, t, in_us + (clock_now_us() - loop_now_us(m->loop)));
  loop_settle(m->loop);
}

static size_t facts_bytes(uint32_t slots) {
  return slots * sizeof(struct mset_facts) + MSET_COUNTS_MAX * sizeof(uint64_t);
}

static void unmap(struct medium *m) {
  if (m->facts)
    munmap((void *)(uintptr_t)m->facts, facts_bytes(m->n_facts));
  m->facts = NULL;
  m->n_facts = 0;
}

static void answer_none(struct medium *m, struct pending *p) {
  struct pending was = *p;
  memset(p, 0, sizeof(*p));
  if (was.fn)
    was.fn(m->user.arg, was.ctx, was.op, NULL);
}

static void disconnect(struct medium *m) {
  loop_unwatch(m->loop, &m->watch);
  if (m->watch.fd >= 0)
    close(m->watch.fd);
  m->watch.fd = -1;
  m->connected = m->welcomed = m->wants_out = false;
  m->n_unended = 0;
  loop_disarm(m->loop, &m->deadline);
  loop_disarm(m->loop, &m->ping);
}

static void lose(struct medium *m) {
  bool was = m->welcomed;
  disconnect(m);
  m->lost += was;
  for (uint64_t s = m->oldest_seq; s < m->next_seq; s++)
    if (m->pending[s % PENDING].seq == s)
      answer_none(m, &m->pending[s % PENDING]);
  m->oldest_seq = m->next_seq;
  if (was)
    m->user.ready(m->user.arg, false);
  unmap(m);
  arm(m, &m->retry, RETRY_US);
}

static void watch_deadline(struct medium *m) {
  while (m->oldest_seq < m->next_seq && m->pending[m->oldest_seq % PENDING].seq != m->oldest_seq)
    m->oldest_seq++;
  if (m->oldest_seq == m->next_seq) {
    loop_disarm(m->loop, &m->deadline);
    return;
  }
  uint64_t due = m->pending[m->oldest_seq % PENDING].due_us, now = clock_now_us();
  arm(m, &m->deadline, due > now ? due - now : 0);
}

/* The oldest command has the nearest deadline: all wait equally long. */
static void on_deadline(void *arg) {
  struct medium *m = arg;
  uint64_t now = clock_now_us();
  bool late = false;
  while (m->oldest_seq < m->next_seq) {
    struct pending *p = &m->pending[m->oldest_seq % PENDING];
    bool waits = p->seq == m->oldest_seq;
    if (waits && p->due_us > now)
      break;
    m->oldest_seq++; /* first: the callback may send, and look for the oldest itself */
    if (waits)
      answer_none(m, p);
    late |= waits;
  }
  if (late && !m->welcomed) {
    lose(m);
    return;
  }
  watch_deadline(m);
}

static int command_with(struct medium *m, union mset_any *c, int fd, MEDIUM_REPLY((*fn)), uint64_t ctx,
                        uint64_t op) {
  struct pending *p = &m->pending[m->next_seq % PENDING];
  if (p->seq)
    return -EAGAIN;
  c->h.seq = m->next_seq;
  if (fdpass_send(m->watch.fd, c, c->h.bytes, fd) < 0)
    return -EAGAIN;
  *p = (struct pending){m->next_seq++, ctx, op, clock_now_us() + c->h.deadline_ms * UINT64_C(1000), fn};
  if (!timer_is_armed(&m->deadline))
    watch_deadline(m);
  return 0;
}

static int command(struct medium *m, union mset_any *c, MEDIUM_REPLY((*fn)), uint64_t ctx, uint64_t op) {
  return command_with(m, c, -1, fn, ctx, op);
}

int medium_send_with(struct medium *m, union mset_any *c, int fd, MEDIUM_REPLY((*fn)), uint64_t ctx,
                     uint64_t op) {
  return m->welcomed ? command_with(m, c, fd, fn, ctx, op) : -EAGAIN;
}

int medium_send(struct medium *m, union mset_any *c, MEDIUM_REPLY((*fn)), uint64_t ctx, uint64_t op) {
  return m->welcomed ? command(m, c, fn, ctx, op) : -EAGAIN;
}

static void on_ping(void *arg) {
  struct medium *m = arg;
  union mset_any c;
  if (m->pings == PINGS_MAX) {
    log_error(call, "the media process hangs: %u pings without a word", m->pings);
    lose(m);
    return;
  }
  m->pings++;
  mset_init(&c, MSET_PING, 0);
  (void)command(m, &c, NULL, 0, 0); /* a full socket is silence too */
  arm(m, &m->ping, PING_US);
}

static void want_out(struct medium *m, bool on) {
  if (m->wants_out == on || !m->connected)
    return;
  m->wants_out = on;
  loop_rewatch(m->loop, &m->watch, on ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

int medium_end(struct medium *m, uint64_t session, MEDIUM_REPLY((*fn)), uint64_t ctx, uint64_t op) {
  union mset_any c;
  if (!m->welcomed)
    return 1;
  mset_init(&c, MSET_END, session);
  if (command(m, &c, fn, ctx, op) == 0)
    return 0;
  if (m->n_unended < UNENDED)
    m->unended[m->n_unended++] = session;
  want_out(m, true);
  return 1;
}

static void flush_ends(struct medium *m) {
  union mset_any c;
  while (m->n_unended) {
    mset_init(&c, MSET_END, m->unended[m->n_unended - 1]);
    if (command(m, &c, NULL, 0, 0) < 0)
      return;
    m->n_unended--;
  }
  want_out(m, false);
}

static void map_facts(struct medium *m, int fd, uint32_t slots) {
  struct stat st;
  size_t bytes = facts_bytes(slots);
  unmap(m);
  if (fd < 0 || slots == 0 || fstat(fd, &st) < 0 || st.st_size < (off_t)bytes)
    return;
  void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    return;
  m->facts = p;
  m->n_facts = slots;
}

static void on_welcome(struct medium *m, const struct mset_welcome *w, int fd) {
  if (w->version != MSET_VERSION) {
    lose(m);
    return;
  }
  map_facts(m, fd, w->facts_slots);
  memcpy(m->backend, w->backend, sizeof(m->backend));
  m->workers = w->workers;
  memset(m->loads, 0, sizeof(m->loads));
  m->welcomed = true;
  arm(m, &m->ping, PING_US);
  m->user.ready(m->user.arg, true);
}

/* Sessions of an earlier controller: nobody can take them up again yet, so they end now. */
static void on_live(struct medium *m, uint64_t session) { (void)medium_end(m, session, NULL, 0, 0); }

static void on_reply(struct medium *m, const union mset_any *msg) {
  struct pending *p = &m->pending[msg->h.seq % PENDING], was = *p;
  if (was.seq != msg->h.seq)
    return;                 /* too late: its deadline was told already */
  memset(p, 0, sizeof(*p)); /* the timer stays: it looks for the oldest when it fires */
  if (was.fn)
    was.fn(m->user.arg, was.ctx, was.op, msg);
}

static void on_message(struct medium *m, const union mset_any *msg, int fd) {
  m->pings = 0;
  if (!m->welcomed) {
    on_reply(m, msg);
    if (msg->h.type == MSET_WELCOME)
      on_welcome(m, &msg->welcome, fd);
    else
      lose(m); /* another controller is there, or it is no media process */
    return;
  }
  if (msg->h.type == MSET_LOAD && msg->load.worker < WORKERS_MAX)
    m->loads[msg->load.worker] = msg->load;
  else if (msg->h.type == MSET_LIVE)
    on_live(m, msg->h.session);
  else if (msg->h.seq)
    on_reply(m, msg);
  else
    m->user.event(m->user.arg, msg);
}

/* One message; false when there is none or the connection is over. */
static bool get(struct medium *m) {
  union mset_any msg;
  own_fd fd = -1;
  ssize_t n = fdpass_receive(m->watch.fd, &msg, sizeof(msg), &fd);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return false;
  if (n <= 0 || mset_check(&msg, (size_t)n, false) < 0) {
    lose(m);
    return false;
  }
  on_message(m, &msg, fd);
  return m->connected;
}

static void on_events(void *arg, uint32_t events) {
  struct medium *m = arg;
  for (int i = 0; i < BATCH && get(m); i++)
    continue;
  if (m->connected && (events & EPOLLOUT))
    flush_ends(m);
}

static int hello(struct medium *m) {
  union mset_any c;
  mset_init(&c, MSET_HELLO, 0);
  c.hello.version = MSET_VERSION;
  memcpy(c.hello.instance, m->instance, sizeof(m->instance));
  c.hello.epoch = m->epoch;
  return command(m, &c, NULL, 0, 0);
}

static int connect_now(struct medium *m) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  if (strlen(m->path) >= sizeof(un.sun_path))
    return -ENAMETOOLONG;
  snprintf(un.sun_path, sizeof(un.sun_path), "%s", m->path);
  m->watch.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (m->watch.fd < 0)
    return -errno;
  if (connect(m->watch.fd, (struct sockaddr *)&un, sizeof(un)) < 0)
    return -errno;
  int r = loop_watch(m->loop, &m->watch, EPOLLIN);
  if (r < 0)
    return r;
  m->connected = true;
  return hello(m);
}

static void on_retry(void *arg) {
  struct medium *m = arg;
  if (connect_now(m) == 0)
    return;
  disconnect(m);
  arm(m, &m->retry, RETRY_US);
}

static void parse_instance(struct medium *m, const char *hex) {
  for (size_t i = 0; i < sizeof(m->instance) && hex[2 * i] && hex[2 * i + 1]; i++) {
    char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
    m->instance[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
}

int medium_new(struct medium **ret, struct loop *loop, const char *path, const char *instance,
               const struct medium_user *user) {
  own(medium) m = calloc(1, sizeof(*m));
  if (!m)
    return -ENOMEM;
  m->loop = loop;
  m->path = path;
  m->user = *user;
  m->watch = (struct watch){.fd = -1, .fn = on_events, .arg = m};
  m->retry = (struct timer){.fn = on_retry, .arg = m};
  m->deadline = (struct timer){.fn = on_deadline, .arg = m};
  m->ping = (struct timer){.fn = on_ping, .arg = m};
  m->next_seq = m->oldest_seq = 1;
  m->epoch = clock_wall_ms();
  parse_instance(m, instance);
  arm(m, &m->retry, 0);
  *ret = take(m);
  return 0;
}

struct medium *medium_free(struct medium *m) {
  if (!m)
    return NULL;
  loop_disarm(m->loop, &m->retry);
  disconnect(m);
  unmap(m);
  free(m);
  return NULL;
}

bool medium_has_room(const struct medium *m) {
  for (uint32_t i = 0; i < m->workers && i < WORKERS_MAX; i++)
    if (m->loads[i].verdict == MSET_LOAD_OPEN)
      return true;
  return m->workers == 0;
}

static uint32_t more(uint32_t a, uint32_t b) { return a > b ? a : b; }

void medium_load(const struct medium *m, struct mset_load *ret) {
  *ret = (struct mset_load){.dsp_permille = (uint32_t)medium_count(m, MSET_COUNT_DSP)};
  for (uint32_t i = 0; i < m->workers && i < WORKERS_MAX; i++) {
    ret->verdict = more(ret->verdict, m->loads[i].verdict);
    ret->busy_permille = more(ret->busy_permille, m->loads[i].busy_permille);
    ret->age_us = more(ret->age_us, m->loads[i].age_us);
    ret->dsp_permille = more(ret->dsp_permille, m->loads[i].dsp_permille);
  }
}

const char *medium_backend(const struct medium *m) { return m->welcomed ? m->backend : ""; }
bool medium_is_ready(const struct medium *m) { return m->welcomed; }
uint64_t medium_lost_count(const struct medium *m) { return m->lost; }

bool medium_facts(const struct medium *m, uint32_t slot, uint64_t session, struct mset_facts *ret) {
  if (!m->facts || slot >= m->n_facts)
    return false;
  return mset_facts_read(&m->facts[slot], session, ret);
}

uint64_t medium_count(const struct medium *m, uint32_t i) {
  const uint64_t *counts = m->facts ? (const void *)(m->facts + m->n_facts) : NULL;
  return counts && i < MSET_COUNTS_MAX ? __atomic_load_n(&counts[i], __ATOMIC_RELAXED) : 0;
}
