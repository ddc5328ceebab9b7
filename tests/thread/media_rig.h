/* SPDX-License-Identifier: Apache-2.0
 * What the thread tests of the media plane share: the process under test, its controller, legs with
 * real sockets and keys. Functions that a test does not use are no fault. */
#pragma once
#pragma GCC diagnostic ignored "-Wunused-function"
#include "base/clock.h"
#include "base/rand.h"
#include "flow/flow.h"
#include "media/media.h"
#include "wire/desc.h"
#include "wire/rtp.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/un.h>

static unsigned failures;
#define CHECK(c, ...) \
  do { \
    if (!(c)) { \
      failures++; \
      printf("%s:%d: %s: ", __func__, __LINE__, #c); \
      printf(" " __VA_ARGS__); \
      printf("\n"); \
    } \
  } while (0)

/* The process under test ---------------------------------------------------------------------------- */
static struct media *media;
static struct media_options options;

static void *serve(void *arg) {
  (void)arg;
  media_run(media);
  return NULL;
}

static uint64_t drops(enum drop d) { return media_drops(media, d, NULL); }

/* How long is waited for what must come, on a machine that does much else; what must not come is waited for less. */
enum { COME_MS = 5000 };

static bool drops_are(enum drop d, uint64_t n) {
  for (unsigned ms = 0; drops(d) < n && ms < COME_MS; ms++)
    (void)poll(NULL, 0, 1);
  return drops(d) == n;
}

/* Controller ------------------------------------------------------------------------------------------
 */
enum { EVENTS = 512 };
static struct controller {
  int fd, facts_fd;
  uint64_t seq, live;
  union mset_any events[EVENTS];
  unsigned n_events;
  struct mset_facts *facts;
  uint32_t slots;
} con = {.fd = -1, .facts_fd = -1};

static bool take_one(int timeout_ms, union mset_any *ret) {
  struct pollfd p = {.fd = con.fd, .events = POLLIN};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec iov = {ret, sizeof(*ret)};
  struct msghdr msg = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
  if (poll(&p, 1, timeout_ms) <= 0)
    return false;
  ssize_t n = recvmsg(con.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n <= 0)
    return false;
  CHECK(mset_check(ret, (size_t)n, false) == 0, "type %u, %zd bytes", ret->h.type, n);
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  if (c && c->cmsg_type == SCM_RIGHTS)
    memcpy(&con.facts_fd, CMSG_DATA(c), sizeof(int));
  return true;
}

static void keep(const union mset_any *m) {
  if (con.n_events < EVENTS)
    con.events[con.n_events++] = *m;
}

/* Sends, gives the reply; events that come before it are kept. */
static union mset_any ask(union mset_any *m) {
  union mset_any reply = {0};
  m->h.seq = ++con.seq;
  if (send(con.fd, m, m->h.bytes, 0) < 0)
    perror("send");
  while (take_one(3000, &reply)) {
    if (reply.h.seq == m->h.seq)
      return reply;
    keep(&reply);
  }
  reply.h.type = MSET_NONE;
  return reply;
}

static bool ask_ok(union mset_any *m) {
  uint32_t type = m->h.type;
  union mset_any r = ask(m);
  if (r.h.type != MSET_OK)
    printf("%s: %s %d\n", mset_name(type), mset_name(r.h.type),
           r.h.type == MSET_FAULT ? r.fault.error : 0);
  return r.h.type == MSET_OK;
}

/* An event of that type and session, waited for; taken out. session 0: any. */
static bool event_wait(uint32_t type, uint64_t session, int timeout_ms, union mset_any *ret) {
  uint64_t until = clock_now_us() + (uint64_t)timeout_ms * 1000u;
  union mset_any m;
  for (;;) {
    for (unsigned i = 0; i < con.n_events; i++)
      if (con.events[i].h.type == type && (!session || con.events[i].h.session == session)) {
        *ret = con.events[i];
        con.events[i] = con.events[--con.n_events];
        return true;
      }
    uint64_t now = clock_now_us();
    if (now >= until)
      return false;
    if (take_one((int)((until - now) / 1000) + 1, &m))
      keep(&m);
  }
}

static unsigned event_count(uint32_t type, uint64_t session) {
  unsigned n = 0;
  for (unsigned i = 0; i < con.n_events; i++)
    n += con.events[i].h.type == type && con.events[i].h.session == session;
  return n;
}

static bool controller_connect(uint8_t instance) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  union mset_any hello, reply;
  (void)!slice_copy(un.sun_path, sizeof(un.sun_path), slice_of(options.socket));
  con.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connect(con.fd, (struct sockaddr *)&un, sizeof(un)) < 0)
    return false;
  con.n_events = 0;
  mset_init(&hello, MSET_HELLO, 0);
  hello.hello.version = MSET_VERSION;
  memset(hello.hello.instance, instance, sizeof(hello.hello.instance));
  reply = ask(&hello);
  if (reply.h.type != MSET_WELCOME || con.facts_fd < 0)
    return false;
  con.live = reply.welcome.live;
  con.slots = reply.welcome.facts_slots;
  con.facts = mmap(NULL, con.slots * sizeof(*con.facts), PROT_READ, MAP_SHARED, con.facts_fd, 0);
  return con.facts != MAP_FAILED;
}

static void controller_close(void) {
  munmap(con.facts, con.slots * sizeof(*con.facts));
  close(con.facts_fd);
  close(con.fd);
  con.fd = con.facts_fd = -1;
}

/* Legs -------------------------------------------------------------------------------------------------
 */
struct leg {
  uint64_t id;
  struct mset_opened o;
  int fd;
  struct addr at;               /* at is where the peer lives, */
  struct srtp_key theirs, ours; /* theirs is what the peer sends with. */
  struct sealer *sealer;
  struct opener *opener;
  uint32_t ssrc, ts;
  uint8_t pt, kind;
  bool has_no_events;
  uint32_t dtmf; /* dtmf is an enum mset_dtmf. */
};

static uint64_t last_id;
static uint32_t leg_flags = MSET_OPEN_URGENT; /* on a machine that does other things, too */

static int udp_at(struct addr *ret, const char *ip) {
  socklen_t n = sizeof(*ret);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  (void)!addr_parse(ret, slice_of(ip), 0);
  if (bind(fd, &ret->sa, addr_len(ret)) < 0 || getsockname(fd, &ret->sa, &n) < 0)
    perror("bind");
  return fd;
}

static int udp(struct addr *ret) { return udp_at(ret, "127.0.0.1"); }

static bool leg_open(struct leg *l, enum mset_kind kind, uint64_t beside) {
  union mset_any m, r;
  memset(l, 0, sizeof(*l));
  l->id = ++last_id;
  mset_init(&m, MSET_OPEN, l->id);
  m.open.kind = kind;
  m.open.family = AF_INET;
  m.open.flags = leg_flags;
  m.open.beside = beside;
  (void)!slice_copy(m.open.call, sizeof(m.open.call), SLICE("c_test"));
  r = ask(&m);
  l->o = r.opened;
  l->fd = udp(&l->at);
  l->ssrc = rand_u32();
  l->ts = rand_u32();
  return r.h.type == MSET_OPENED && r.opened.n_addrs >= 1;
}

static void codecs_set(struct mset_remote *r, const struct leg *l, uint32_t event_hz) {
  r->codecs[0] = (struct mset_codec){
      .pt = l->pt, .kind = l->kind, .clock_hz = l->kind == CODEC_OPUS ? 48000 : 8000};
  r->codecs[1] = (struct mset_codec){.pt = 101, .kind = CODEC_TELEV, .clock_hz = event_hz};
  r->n_codecs = l->has_no_events ? 1 : 2;
}

static bool leg_describe(struct leg *l, uint32_t number, enum srtp_suite suite, uint32_t event_hz,
                         enum mset_symmetric symmetric) {
  union mset_any m;
  mset_init(&m, MSET_REMOTE, l->id);
  m.remote.remote = number;
  m.remote.security = suite ? MSET_SDES : MSET_PLAIN;
  m.remote.rtcp_mux = m.remote.send = m.remote.recv = 1;
  m.remote.symmetric = symmetric;
  m.remote.rtp = m.remote.rtcp = l->at;
  srtpkey_make(&l->theirs, suite);
  srtpkey_make(&l->ours, suite);
  m.remote.dtmf = l->dtmf;
  m.remote.rx = l->theirs;
  m.remote.tx = l->ours;
  codecs_set(&m.remote, l, event_hz);
  bool done = sealer_new(&l->sealer, &l->theirs, l->ssrc) == 0 && opener_new(&l->opener, &l->ours) == 0;
  return ask_ok(&m) && done;
}

static void leg_close(struct leg *l) {
  union mset_any m, r;
  mset_init(&m, MSET_END, l->id);
  r = ask(&m);
  CHECK(r.h.type == MSET_ENDED && r.ended.reason == MSET_END_ASKED, "%s", mset_name(r.h.type));
  sealer_free(l->sealer);
  opener_free(l->opener);
  close(l->fd);
}

static bool link_legs(uint64_t a, uint64_t b) {
  union mset_any m;
  mset_init(&m, MSET_LINK, a);
  m.link.peer = b;
  return ask_ok(&m);
}

static void send_to(int fd, const uint8_t *p, size_t n, const struct addr *to) {
  if (sendto(fd, p, n, 0, &to->sa, addr_len(to)) < 0)
    perror("sendto");
}

static void leg_send(struct leg *l, uint8_t pt, bool marker, uint32_t ts, const uint8_t *payload,
                     size_t n) {
  uint8_t p[2048];
  size_t at = rtp_put(p, pt, marker, 0, ts, l->ssrc);
  memcpy(p + at, payload, n);
  at += n;
  if (seal_rtp_next(l->sealer, p, &at, sizeof(p)))
    CHECK(false, "sealing");
  send_to(l->fd, p, at, &l->o.rtp[0]);
}

static void leg_send_frame(struct leg *l, uint8_t fill) {
  uint8_t payload[160];
  for (unsigned i = 0; i < sizeof(payload); i++)
    payload[i] = (uint8_t)(fill + i);
  leg_send(l, l->pt, false, l->ts, payload, sizeof(payload));
  l->ts += 160;
}

struct got {
  uint8_t bytes[2048], wire[2048];
  size_t n, wire_n;
  struct rtp rtp;
  bool is_rtcp;
};

/* Others on this machine may send to any port: only what the gateway sent counts. */
static bool leg_knows(const struct leg *l, const struct addr *from) {
  for (unsigned i = 0; i < l->o.n_addrs; i++)
    if (addr_port(from) == addr_port(&l->o.rtp[i]))
      return true;
  return false;
}

/* The next datagram, opened; false: none in time, or it did not verify, or it is a check or a handshake said twice
 * (RFC 7983). */
static bool leg_take(struct leg *l, int timeout_ms, struct got *g) {
  struct pollfd p = {.fd = l->fd, .events = POLLIN};
  if (poll(&p, 1, timeout_ms) <= 0)
    return false;
  struct addr from;
  socklen_t from_bytes = sizeof(from);
  ssize_t n = recvfrom(l->fd, g->wire, sizeof(g->wire), MSG_DONTWAIT, &from.sa, &from_bytes);
  if (n < 12 || !leg_knows(l, &from) || g->wire[0] < 128)
    return false;
  memcpy(g->bytes, g->wire, (size_t)n);
  g->n = g->wire_n = (size_t)n;
  g->is_rtcp = g->bytes[1] >= 192 && g->bytes[1] <= 223;
  enum drop d = g->is_rtcp ? open_rtcp(l->opener, g->bytes, &g->n, clock_now_us())
                           : open_rtp(l->opener, g->bytes, &g->n, clock_now_us());
  CHECK(d == DROP_NONE, "%s", drop_text(d));
  return d == DROP_NONE && (g->is_rtcp || rtp_parse(&g->rtp, g->bytes, g->n));
}

static bool leg_take_rtp(struct leg *l, int timeout_ms, struct got *g) {
  uint64_t until = clock_now_us() + (uint64_t)timeout_ms * 1000u;
  while (clock_now_us() < until)
    if (leg_take(l, 20, g) && !g->is_rtcp)
      return true;
  return false;
}

static unsigned leg_drain(struct leg *l) {
  struct got g;
  unsigned n = 0;
  while (leg_take_rtp(l, 60, &g))
    n++;
  return n;
}

/* The leg's figures, once they tell of that many packets; at most 5 s, for a machine that is busy. */
static bool leg_facts_at(const struct leg *l, uint64_t packets, struct mset_facts *ret) {
  for (unsigned i = 0; i < 250; i++, (void)poll(NULL, 0, 20))
    if (mset_facts_read(&con.facts[l->o.facts_slot], l->id, ret) && ret->rx.packets >= packets)
      return true;
  return false;
}

static void nap(unsigned ms) { (void)poll(NULL, 0, (int)ms); }

static bool pair_open(struct leg *a, struct leg *b, enum srtp_suite sa, enum srtp_suite sb) {
  if (!leg_open(a, MSET_TRUNK_LEG, 0) || !leg_open(b, MSET_TRUNK_LEG, a->id))
    return false;
  a->pt = 0;
  a->kind = CODEC_PCMU;
  b->pt = 8;
  b->kind = CODEC_PCMA;
  return leg_describe(a, 1, sa, 8000, MSET_SYMMETRIC_AUTO) &&
         leg_describe(b, 1, sb, 48000, MSET_SYMMETRIC_OFF) && link_legs(a->id, b->id);
}

/* Start and end ---------------------------------------------------------------------------------------
 */
static pthread_t rig_thread;

/* The process as `options` says, on 127.0.0.1, with a controller. False: it was told why. */
static bool rig_start(const char *name) {
  const char *text = "";
  snprintf(options.socket, sizeof(options.socket), "/tmp/sallyport-%s-test.%d", name, (int)getpid());
  (void)!addr_parse(&options.addresses[0].bind, SLICE("127.0.0.1"), 0);
  if (media_new(&media, &options, &text) < 0) {
    printf("start: %s\n", text);
    return false;
  }
  pthread_create(&rig_thread, NULL, serve, NULL);
  CHECK(controller_connect(1));
  return true;
}

static void rig_stop(void) {
  media_stop(media);
  pthread_join(rig_thread, NULL);
  media = media_free(media);
}
