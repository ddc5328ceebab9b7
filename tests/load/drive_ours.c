/* SPDX-License-Identifier: Apache-2.0
 * The load generator's driver of sallyport-media: trunk legs with SDES keys by the message
 * set; "ours-webrtc" has an app's leg (ICE, DTLS) as A. */
#include "base/rand.h"
#include "gen.h"
#include "mset/mset.h"
#include "wire/desc.h"

#include <poll.h>
#include <stdio.h>
#include <sys/un.h>

static int fd = -1;
static uint64_t last_seq, last_id;

static int take_message(union mset_any *m, int timeout_ms) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  if (poll(&p, 1, timeout_ms) <= 0)
    return -ETIMEDOUT;
  ssize_t n = recv(fd, m, sizeof(*m), 0);
  return n <= 0 ? -EPIPE : mset_check(m, (size_t)n, false);
}

/* Sends m under the next number; its reply is taken later. */
static int tell(union mset_any *m) {
  m->h.seq = ++last_seq;
  return send(fd, m, m->h.bytes, 0) < 0 ? -errno : 0;
}

/* Sends m, puts the reply in its place. 0, what a FAULT says, or -ETIMEDOUT. */
static int ask(union mset_any *m, uint32_t want) {
  uint64_t seq = ++last_seq;
  m->h.seq = seq;
  if (send(fd, m, m->h.bytes, 0) < 0)
    return -errno;
  do {
    int error = take_message(m, 5000);
    if (error)
      return error;
  } while (m->h.seq != seq);
  return m->h.type == want ? 0 : m->h.type == MSET_FAULT ? m->fault.error : -EPROTO;
}

static int ours_start(struct gen *g) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  union mset_any m;
  int error = slice_copy(un.sun_path, sizeof(un.sun_path), slice_of(g->control));
  if (error)
    return error;
  fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
    return -errno;
  mset_init(&m, MSET_HELLO, 0);
  m.hello.version = MSET_VERSION;
  rand_bytes(m.hello.instance, sizeof(m.hello.instance));
  error = ask(&m, MSET_WELCOME);
  if (!error)
    fprintf(stderr, "sallyport-media: %u workers, %s\n", m.welcome.workers, m.welcome.backend);
  return error;
}

static int native_learn(struct native *n, const struct mset_opened *o) {
  memcpy(n->their_fingerprint, o->fingerprint, sizeof(n->their_fingerprint));
  int error = slice_copy(n->their_ufrag, sizeof(n->their_ufrag), slice_of(o->ufrag));
  return error ? error : slice_copy(n->their_pwd, sizeof(n->their_pwd), slice_of(o->pwd));
}

static int leg_open(struct gen *g, struct leg *l, const char *name, uint64_t beside) {
  union mset_any m;
  l->id = ++last_id;
  mset_init(&m, MSET_OPEN, l->id);
  m.open.kind = l->native ? MSET_NATIVE_LEG : MSET_TRUNK_LEG;
  m.open.family = (uint32_t)addr_family(&g->at[l->index % 2]);
  m.open.beside = beside;
  m.open.flags = g->is_spread ? MSET_OPEN_SHARED : 0;
  (void)!slice_copy(m.open.call, sizeof(m.open.call), slice_of(name));
  return tell(&m);
}

static int leg_opened(struct leg *l, const struct mset_opened *o) {
  l->target = o->rtp[0];
  l->rx_ssrc = o->ssrc;
  return l->native ? native_learn(l->native, o) : 0;
}

static int leg_describe(struct gen *g, struct leg *l) {
  union mset_any m;
  mset_init(&m, MSET_REMOTE, l->id);
  m.remote.remote = 1;
  if (l->native) {
    m.remote.security = MSET_DTLS;
    m.remote.fingerprint_bytes = 32;
    memcpy(m.remote.fingerprint, native_fingerprint(), 32);
    (void)!slice_copy(m.remote.ufrag, sizeof(m.remote.ufrag), slice_of(l->native->ufrag));
    (void)!slice_copy(m.remote.pwd, sizeof(m.remote.pwd), slice_of(l->native->pwd));
  } else {
    m.remote.security = l->tx_key.suite ? MSET_SDES : MSET_PLAIN;
    m.remote.rtp = m.remote.rtcp = g->is_spread ? l->local : g->at[l->index % 2];
    m.remote.rx = l->tx_key;
    m.remote.tx = l->rx_key;
  }
  m.remote.rtcp_mux = m.remote.send = m.remote.recv = 1;
  m.remote.n_codecs = 1;
  m.remote.codecs[0] = (struct mset_codec){.pt = 0, .kind = CODEC_PCMU, .clock_hz = 8000};
  return tell(&m);
}

static void leg_end(struct leg *l) {
  union mset_any m;
  l->native = native_free(l->native);
  if (!l->id)
    return;
  mset_init(&m, MSET_END, l->id);
  (void)!tell(&m); /* its reply goes by */
  l->id = 0;
}

static void ours_close(struct gen *g, struct call *c) {
  (void)g;
  leg_end(&c->leg[0]);
  leg_end(&c->leg[1]);
}

/* The replies to a call's commands after the one numbered from: the first fault, or 0. */
static int replies_take(struct call *c, uint64_t from) {
  union mset_any m;
  int first = 0;
  for (uint64_t left = last_seq - from; left;) {
    int error = take_message(&m, 5000);
    if (error)
      return error;
    if (m.h.seq <= from)
      continue;
    left--;
    if (m.h.type == MSET_FAULT)
      error = m.fault.error;
    else if (m.h.type == MSET_OPENED)
      error = leg_opened(&c->leg[m.h.session != c->leg[0].id], &m.opened);
    first = first ? first : error;
  }
  return first;
}

/* All commands at once: each names what the ones before it made. */
static int ours_open(struct gen *g, struct call *c) {
  union mset_any m;
  uint64_t from = last_seq;
  int error = leg_open(g, &c->leg[0], c->name, 0);
  if (!error)
    error = leg_open(g, &c->leg[1], c->name, c->leg[0].id);
  for (unsigned i = 0; i < 2 && !error; i++)
    error = leg_describe(g, &c->leg[i]);
  if (!error) {
    mset_init(&m, MSET_LINK, c->leg[0].id);
    m.link.peer = c->leg[1].id;
    error = tell(&m);
  }
  if (!error)
    error = replies_take(c, from);
  if (error)
    ours_close(g, c);
  return error;
}

static void ours_poll(struct gen *g) {
  union mset_any m;
  (void)g;
  while (take_message(&m, 0) == 0)
    ;
}

const struct driver drive_ours = {"ours", false, ours_start, ours_open, ours_poll, ours_close};
const struct driver drive_ours_shared = {"ours-shared", false,     ours_start,
                                         ours_open,     ours_poll, ours_close};
const struct driver drive_ours_webrtc = {"ours-webrtc", true,      ours_start,
                                         ours_open,     ours_poll, ours_close};
