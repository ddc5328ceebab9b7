/* SPDX-License-Identifier: Apache-2.0
 * ICE of trunk legs: one worker driven turn by turn over the loopback, against peers made of flow's own
 * engines; the relay is coturn, where it is installed. */
#include "media/session.h"

#include "base/clock.h"
#include "base/rand.h"
#include "media/path.h"
#include "wire/classify.h"
#include "wire/stun.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

enum { MS = 1000, PEERS = 3, FRAME = 160 };

struct peer { /* the far side of one remote */
  int fd;
  struct addr at, only; /* only: from elsewhere nothing is taken; AF_UNSPEC: from everywhere */
  struct agent *agent;
  struct ice *lite;
  struct srtp_key ours, theirs;
  struct sealer *sealer;
  struct opener *opener;
  unsigned heard, stun, strange; /* strange: what came before we let it */
  struct dtls *dtls;             /* dtls: its keys come by this. */
  struct dtlscert *cert;
  bool is_lazy;       /* is_lazy: answers no checks */
  struct addr from;   /* from is where the last packet of media came from. */
  struct addr target; /* target is where our packets go. */
  uint32_t ts;
};

static struct media_options options;
static struct facts facts;
static struct worker *w;
static struct peer peers[PEERS];
static struct mset_opened opened;
static uint64_t last_id, seq;
static uint32_t told_ice;
static pid_t coturn;

static struct addr loopback(uint16_t port) {
  struct addr a;
  cr_assert_eq(addr_parse(&a, SLICE("127.0.0.1"), port), 0);
  return a;
}

static int udp(struct addr *ret) {
  socklen_t n = sizeof(*ret);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  *ret = loopback(0);
  cr_assert_eq(bind(fd, &ret->sa, addr_len(ret)), 0);
  cr_assert_eq(getsockname(fd, &ret->sa, &n), 0);
  return fd;
}

static bool is_free(uint32_t port, int *ret_fd) {
  struct addr at = loopback((uint16_t)port);
  *ret_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (bind(*ret_fd, &at.sa, addr_len(&at)) == 0)
    return true;
  close(*ret_fd);
  return false;
}

/* A hundred ports that nobody has; the last one is kept, so that no other test takes them. */
static uint32_t ports_take(void) {
  for (uint32_t i = 0; i < 120; i++) {
    uint32_t first = 20000 + ((uint32_t)getpid() + i) % 120 * 100, n = 0;
    int keep, fd;
    if (!is_free(first + 99, &keep))
      continue;
    for (; n < 99 && is_free(first + n, &fd); n++)
      close(fd);
    if (n == 99)
      return first;
    close(keep);
  }
  cr_assert(false, "no free ports");
  return 0;
}

static void begin(void) {
  cr_assert_eq(suite_start(), 0);
  options =
      (struct media_options){.workers = 1, .n_addresses = 1, .trunk_port_min = ports_take(), .dscp = 46};
  options.trunk_port_max = options.trunk_port_min + 97;
  options.addresses[0].bind = options.addresses[0].shown = loopback(0);
  told_ice = MSET_ICE_NONE;
  memset(peers, 0, sizeof(peers));
}

static void start(void) {
  struct dtlscert *cert;
  cr_assert_eq(facts_init(&facts, 16), 0);
  cr_assert_eq(worker_new(&w, &options, 0, &facts, NULL, eventfd(0, EFD_NONBLOCK)), 0);
  cr_assert_eq(dtlscert_new(&cert), 0);
  atomic_store(&w->cert, cert);
}

static void end(void) {
  const struct dtlscert *cert = atomic_load(&w->cert);
  for (unsigned i = 0; i < PEERS; i++) {
    agent_free(peers[i].agent);
    ice_free(peers[i].lite);
    dtls_free(peers[i].dtls);
    dtlscert_free(peers[i].cert);
    sealer_free(peers[i].sealer);
    opener_free(peers[i].opener);
    if (peers[i].fd)
      close(peers[i].fd);
  }
  close(w->events_fd);
  worker_free(w);
  dtlscert_free((struct dtlscert *)cert);
  facts_done(&facts);
  suite_stop();
  if (coturn) {
    kill(coturn, SIGKILL);
    waitpid(coturn, NULL, 0);
    coturn = 0;
  }
}
TestSuite(path, .init = begin, .fini = end, .timeout = 60);

/* The peers ---------------------------------------------------------------------------------------- */
static void peer_send(struct peer *p, const uint8_t *b, size_t n, const struct addr *to) {
  (void)!sendto(p->fd, b, n, 0, &to->sa, addr_len(to));
}

static void peer_stun(struct peer *p, const uint8_t *b, size_t n, const struct addr *from) {
  uint8_t out[AGENT_DATAGRAM_BYTES];
  struct ice_pair pair = {p->at, *from};
  struct ice_result r = {0};
  p->stun++;
  if (p->lite)
    (void)!ice_input(p->lite, b, n, &pair, clock_now_us(), out, sizeof(out), &r);
  else if (p->agent)
    (void)!agent_input(p->agent, b, n, &pair, clock_now_us(), out, sizeof(out), &r);
  if (r.response_bytes)
    peer_send(p, out, r.response_bytes, from);
}

static void peer_media(struct peer *p, uint8_t *b, size_t n, const struct addr *from) {
  if (packet_classify(b, n) != PACKET_RTP || !p->opener || open_rtp(p->opener, b, &n, clock_now_us()))
    return;
  p->heard++;
  p->from = *from;
}

static void peer_dtls_out(struct peer *p, const struct addr *to) {
  uint8_t b[DTLS_DATAGRAM_BYTES];
  size_t n;
  while ((n = dtls_output(p->dtls, b, sizeof(b))))
    peer_send(p, b, n, to);
}

static void peer_dtls(struct peer *p, const uint8_t *b, size_t n, const struct addr *from) {
  (void)!dtls_input(p->dtls, b, n, clock_now_us());
  peer_dtls_out(p, from);
  if (dtls_state(p->dtls) != DTLS_UP || p->sealer)
    return;
  cr_assert_eq(dtls_keys(p->dtls, &p->ours, &p->theirs), 0);
  cr_assert_eq(sealer_new(&p->sealer, &p->ours, 77), 0);
  cr_assert_eq(opener_new(&p->opener, &p->theirs), 0);
}

static bool peer_may_be_sent(const struct peer *p) {
  return p->lite ? ice_selected(p->lite) != NULL : !p->agent || agent_may_send(p->agent);
}

static void peer_turn(struct peer *p) {
  uint8_t b[2048];
  struct addr from;
  socklen_t len = sizeof(from);
  struct ice_pair pair;
  ssize_t got;
  size_t n;
  while ((got = recvfrom(p->fd, b, sizeof(b), 0, &from.sa, &len)) > 0) {
    bool is_other = addr_family(&p->only) != AF_UNSPEC && !addr_eq_ip(&p->only, &from);
    bool is_port = addr_family(&p->only) != AF_UNSPEC && addr_port(&p->only) != addr_port(&from);
    bool is_stun = packet_classify(b, (size_t)got) == PACKET_STUN;
    if (is_other || is_port || (p->is_lazy && is_stun))
      continue;
    if (is_stun) {
      peer_stun(p, b, (size_t)got, &from);
    } else if (p->dtls && packet_classify(b, (size_t)got) == PACKET_DTLS) {
      peer_dtls(p, b, (size_t)got, &from);
    } else {
      p->strange += !peer_may_be_sent(p);
      peer_media(p, b, (size_t)got, &from);
    }
  }
  if (p->agent && agent_next_us(p->agent) <= clock_now_us())
    (void)agent_tick(p->agent, clock_now_us());
  while (p->agent && (n = agent_output(p->agent, b, sizeof(b), &pair)))
    peer_send(p, b, n, &pair.remote);
}

static void peer_speak(struct peer *p, const struct addr *to) {
  uint8_t b[512];
  size_t n = rtp_put(b, 0, false, 0, p->ts += FRAME, 77);
  memset(b + n, 0xff, FRAME);
  n += FRAME;
  cr_assert_eq(seal_rtp_next(p->sealer, b, &n, sizeof(b)), DROP_NONE);
  peer_send(p, b, n, to);
}

/* The worker --------------------------------------------------------------------------------------- */
static void note(const union up *m) {
  if (m->h.type == MSET_STATE)
    told_ice = m->state.ice;
}

static void turn_all(void) {
  union up m;
  struct pollfd none = {.fd = -1};
  poll(&none, 1, 1);
  worker_turn(w, 0);
  while (worker_get(w, &m))
    note(&m);
  for (unsigned i = 0; i < PEERS; i++)
    if (peers[i].fd)
      peer_turn(&peers[i]);
}

static void run(unsigned ms) {
  for (uint64_t until = clock_now_us() + ms * (uint64_t)MS; clock_now_us() < until;)
    turn_all();
}

/* The reply to a command, within two seconds. */
static union up ask(union mset_any *m) {
  union up r = {.h = {.type = MSET_NONE}};
  m->h.seq = ++seq;
  cr_assert_eq(mset_check(m, m->h.bytes, true), 0, "%s", mset_name(m->h.type));
  cr_assert(worker_put(w, m));
  for (uint64_t until = clock_now_us() + 2000 * (uint64_t)MS; clock_now_us() < until;) {
    worker_turn(w, 0);
    while (worker_get(w, &r)) {
      if (r.h.seq == seq)
        return r;
      note(&r);
    }
    for (unsigned i = 0; i < PEERS; i++)
      if (peers[i].fd)
        peer_turn(&peers[i]);
    usleep(500);
  }
  r.h.type = MSET_NONE;
  return r;
}

static void leg_open_as(enum mset_kind kind, uint32_t flags) {
  union mset_any m;
  start();
  mset_init(&m, MSET_OPEN, ++last_id);
  m.open.kind = kind;
  m.open.family = AF_INET;
  m.open.flags = flags;
  union up r = ask(&m);
  cr_assert_eq(r.h.type, MSET_OPENED, "%s", mset_name(r.h.type));
  cr_assert_eq(mset_check(&r, sizeof(r.opened), false), 0);
  opened = r.opened;
  mset_init(&m, MSET_LINK, last_id); /* an echo */
  m.link.peer = last_id;
  cr_assert_eq(ask(&m).h.type, MSET_OK);
}

static void leg_open(uint32_t flags) { leg_open_as(MSET_TRUNK_LEG, flags); }

static struct peer *peer_add(unsigned i, bool is_lite) {
  struct peer *p = &peers[i];
  p->fd = udp(&p->at);
  if (is_lite)
    cr_assert_eq(ice_new(&p->lite), 0);
  else
    cr_assert_eq(agent_new(&p->agent, false, NULL), 0);
  if (p->agent)
    cr_assert_eq(agent_add_local(p->agent, CAND_HOST, &p->at, &p->at), 0);
  srtpkey_make(&p->ours, SUITE_AES_CM_128_HMAC_SHA1_80);
  srtpkey_make(&p->theirs, SUITE_AES_CM_128_HMAC_SHA1_80);
  cr_assert_eq(sealer_new(&p->sealer, &p->ours, 77), 0);
  cr_assert_eq(opener_new(&p->opener, &p->theirs), 0);
  p->target = opened.rtp[0];
  return p;
}

static void peer_learn(struct peer *p) {
  struct desc_candidate c;
  if (!p->agent)
    return;
  cr_assert_eq(agent_set_remote(p->agent, opened.ufrag, opened.pwd, false), 0);
  for (uint32_t i = 0; i < opened.n_candidates; i++) {
    c = (struct desc_candidate){.component = 1,
                                .is_udp = true,
                                .type = (uint8_t)opened.candidates[i].type,
                                .priority = opened.candidates[i].priority,
                                .address = opened.candidates[i].address};
    memcpy(c.foundation, opened.candidates[i].foundation, sizeof(c.foundation));
    cr_assert_eq(agent_add_remote(p->agent, &c), 0);
  }
}

static void put_keys(const struct peer *p, struct mset_remote *r, bool we_begin) {
  r->security = p->dtls ? MSET_DTLS : MSET_SDES;
  if (p->dtls) {
    r->fingerprint_bytes = 32;
    r->dtls_active = we_begin;
    memcpy(r->fingerprint, dtlscert_sha256(p->cert), 32);
  } else {
    r->rx = p->ours;
    r->tx = p->theirs;
  }
}

static bool dtls_active; /* the leg's role */
static void describe(unsigned i, bool has_ice) {
  struct peer *p = &peers[i];
  struct ice_cred c = {"", ""};
  union mset_any m;
  mset_init(&m, MSET_REMOTE, last_id);
  m.remote.remote = i + 1;
  put_keys(p, &m.remote, dtls_active);
  m.remote.rtcp_mux = m.remote.send = m.remote.recv = 1;
  m.remote.rtp = m.remote.rtcp = has_ice ? loopback(9) : p->at; /* ICE knows better */
  m.remote.codecs[0] = (struct mset_codec){.pt = 0, .kind = CODEC_PCMU, .clock_hz = 8000};
  m.remote.n_codecs = 1;
  if (has_ice && p->lite)
    ice_cred(p->lite, &c);
  else if (has_ice)
    agent_cred(p->agent, &c);
  memcpy(m.remote.ufrag, c.ufrag, sizeof(c.ufrag));
  memcpy(m.remote.pwd, c.pwd, sizeof(c.pwd));
  m.remote.peer_lite = p->lite != NULL;
  cr_assert_eq(ask(&m).h.type, MSET_OK);
}

static void give_candidates(unsigned i) {
  union mset_any m;
  mset_init(&m, MSET_CANDIDATES, last_id);
  m.candidates.remote = i + 1;
  m.candidates.n_candidates = m.candidates.is_end = 1;
  m.candidates.candidates[0] =
      (struct mset_candidate){.address = peers[i].at, .priority = 0x7effffff, .component = 1};
  memcpy(m.candidates.candidates[0].foundation, "1", 2);
  cr_assert_eq(ask(&m).h.type, MSET_OK);
}

/* So many frames to the leg, which sends them back. Returns how many came. */
static unsigned echo(struct peer *p, unsigned n) {
  unsigned was = p->heard;
  for (unsigned i = 0; i < n; i++) {
    peer_speak(p, &p->target);
    run(20);
  }
  for (unsigned i = 0; i < 10 && p->heard - was < n; i++)
    run(20); /* a slow machine */
  return p->heard - was;
}

/* Until both sides have a pair, at most five seconds. */
static void await_pair(const struct peer *p) {
  for (unsigned i = 0; i < 250; i++) {
    bool is_there = p->lite ? ice_state(p->lite) == ICE_STATE_CONNECTED : agent_may_send(p->agent);
    if (is_there && told_ice == MSET_ICE_CONNECTED)
      return;
    run(20);
  }
  cr_assert(false, "no pair");
}

Test(path, a_full_leg_calls_a_lite_peer) {
  leg_open(MSET_OPEN_ICE | MSET_OPEN_CONTROLLING);
  cr_assert_eq(strlen(opened.ufrag), ICE_UFRAG_CHARS);
  cr_assert_eq(opened.n_candidates, 1);
  cr_assert(addr_eq(&opened.candidates[0].address, &opened.rtp[0]));
  struct peer *p = peer_add(0, true);
  p->is_lazy = true;
  describe(0, true);
  give_candidates(0);
  cr_assert_eq(told_ice, MSET_ICE_NONE);
  cr_assert_eq(echo(p, 5), 0, "nothing is sent before a pair is selected");
  p->is_lazy = false;
  await_pair(p);
  cr_assert_geq(echo(p, 10), 9);
  cr_assert_eq(p->strange, 0);
}

Test(path, a_lite_leg_is_called_by_a_full_peer) {
  leg_open(MSET_OPEN_ICE | MSET_OPEN_LITE);
  cr_assert_eq(opened.n_candidates, 1);
  struct peer *p = peer_add(0, false);
  peer_learn(p);
  run(300); /* its checks come before its description, and in the wrong role */
  cr_assert_eq(agent_set_remote(p->agent, opened.ufrag, opened.pwd, true), 0);
  describe(0, true);
  await_pair(p);
  cr_assert_geq(echo(p, 10), 9);
  cr_assert_eq(p->strange, 0);
}

Test(path, a_full_leg_answers_a_full_peer) {
  leg_open(MSET_OPEN_ICE);
  struct peer *p = peer_add(0, false);
  agent_free(p->agent);
  cr_assert_eq(agent_new(&p->agent, true, NULL), 0);
  cr_assert_eq(agent_add_local(p->agent, CAND_HOST, &p->at, &p->at), 0);
  describe(0, true);
  give_candidates(0);
  peer_learn(p);
  await_pair(p);
  cr_assert(agent_is_controlling(p->agent));
  cr_assert_geq(echo(p, 10), 9);
}

Test(path, several_early_answers_each_have_their_pair) {
  union mset_any m;
  leg_open(MSET_OPEN_ICE | MSET_OPEN_CONTROLLING);
  for (unsigned i = 0; i < 2; i++) {
    peer_add(i, true);
    describe(i, true);
    give_candidates(i);
  }
  for (unsigned i = 0; i < 2; i++)
    await_pair(&peers[i]);
  for (unsigned i = 0; i < 2; i++) {
    mset_init(&m, MSET_SELECT, last_id);
    m.pick.remote = i + 1;
    cr_assert_eq(ask(&m).h.type, MSET_OK);
    unsigned was = peers[!i].heard;
    cr_assert_geq(echo(&peers[i], 10), 9, "%u", i);
    cr_assert_eq(peers[!i].heard, was);
  }
}

Test(path, a_peer_without_ice_is_sent_to_at_once) {
  leg_open(MSET_OPEN_ICE | MSET_OPEN_CONTROLLING);
  struct peer *p = peer_add(0, true);
  describe(0, false);
  cr_assert_geq(echo(p, 10), 9);
  cr_assert_eq(p->stun, 0);
}

/* The peer moves: another port, nominated without a word of signaling. */
Test(path, a_lite_leg_follows_the_nomination) {
  leg_open(MSET_OPEN_ICE | MSET_OPEN_LITE);
  struct peer *p = peer_add(0, false);
  peer_learn(p);
  cr_assert_eq(agent_set_remote(p->agent, opened.ufrag, opened.pwd, true), 0);
  describe(0, true);
  await_pair(p);
  cr_assert_geq(echo(p, 5), 4);
  struct addr old = p->at;
  close(p->fd);
  p->fd = udp(&p->at);
  cr_assert_eq(agent_add_local(p->agent, CAND_HOST, &p->at, &p->at), 0);
  cr_assert_eq(agent_del_local(p->agent, &old), ICE_EVENT_CONSENT_LOST);
  await_pair(p);
  run(100);
  cr_assert_geq(echo(p, 10), 9);
}

/* The peer restarts: another ufrag in its description, ours made anew; sound goes on meanwhile. */
static void restarted(bool peer_is_lite) {
  struct ice_cred theirs;
  union mset_any m;
  struct peer *p = &peers[0];
  cr_assert_geq(echo(p, 5), 4);
  mset_init(&m, MSET_ICE_RESTART, last_id);
  union up r = ask(&m);
  cr_assert_eq(r.h.type, MSET_ICE);
  cr_assert_str_neq(r.ice.ufrag, opened.ufrag);
  cr_assert_geq(echo(p, 10), 9, "with the old credentials");
  memcpy(opened.ufrag, r.ice.ufrag, sizeof(opened.ufrag));
  memcpy(opened.pwd, r.ice.pwd, sizeof(opened.pwd));
  if (peer_is_lite)
    ice_restart(p->lite);
  else
    agent_restart(p->agent, NULL);
  describe(0, true);
  cr_assert_geq(echo(p, 5), 4, "before anything is checked");
  if (peer_is_lite) {
    give_candidates(0);
    run(1500);
    cr_assert_not(ice_old_cred(p->lite, &theirs), "the new generation nominated");
  } else {
    peer_learn(p);
    cr_assert_eq(agent_set_remote(p->agent, opened.ufrag, opened.pwd, true), 0);
    run(1500);
    cr_assert_not(agent_old_cred(p->agent, &theirs));
  }
  cr_assert_geq(echo(p, 10), 9);
  cr_assert_eq(told_ice, MSET_ICE_CONNECTED);
}

Test(path, a_full_leg_restarts) {
  leg_open(MSET_OPEN_ICE | MSET_OPEN_CONTROLLING);
  peer_add(0, true);
  describe(0, true);
  give_candidates(0);
  await_pair(&peers[0]);
  restarted(true);
}

Test(path, a_lite_leg_restarts) {
  leg_open(MSET_OPEN_ICE | MSET_OPEN_LITE);
  struct peer *p = peer_add(0, false);
  peer_learn(p);
  cr_assert_eq(agent_set_remote(p->agent, opened.ufrag, opened.pwd, true), 0);
  describe(0, true);
  await_pair(p);
  restarted(false);
}

Test(path, strangers_hear_nothing) {
  uint8_t b[512];
  struct stunmsg_out o;
  leg_open(MSET_OPEN_ICE);
  struct peer *p = peer_add(0, true);
  char user[40];
  snprintf(user, sizeof(user), "%s:them", opened.ufrag);
  for (unsigned i = 0; i < 2; i++) {
    stunmsg_begin(&o, b, sizeof(b), STUNMSG_REQUEST, (const uint8_t *)"0123456789ab");
    stunmsg_put(&o, STUNATTR_USERNAME, slice_of(i ? user : "who:them"));
    stunmsg_put_u32(&o, STUNATTR_PRIORITY, 1);
    stunmsg_put_integrity(&o, slice_of(i ? "wrong" : opened.pwd));
    stunmsg_put_fingerprint(&o);
    peer_send(p, b, stunmsg_end(&o), &opened.rtp[0]);
  }
  run(100);
  cr_assert_eq(p->stun, 0);
  cr_assert_eq(atomic_load(&w->drops[DROP_ICE_USER]), 1);
  cr_assert_eq(atomic_load(&w->drops[DROP_ICE_INTEGRITY]), 1);
}

/* Keys by DTLS over the pair that ICE found, in both roles. */
static void peer_wants_dtls(struct peer *p, bool leg_is_client) {
  struct dtls_fingerprint f = {.bytes = 32};
  p->sealer = sealer_free(p->sealer);
  p->opener = opener_free(p->opener);
  cr_assert_eq(dtlscert_new(&p->cert), 0);
  cr_assert_eq(dtls_new(&p->dtls, p->cert, leg_is_client ? DTLS_SERVER : DTLS_CLIENT), 0);
  memcpy(f.value, opened.fingerprint, 32);
  dtls_expect(p->dtls, &f, clock_now_us());
  dtls_active = leg_is_client;
}

static void run_dtls(struct peer *p) {
  for (unsigned i = 0; i < 60 && !p->sealer; i++) {
    run(50);
    dtls_tick(p->dtls, clock_now_us());
    peer_dtls_out(p, &opened.rtp[0]);
  }
  cr_assert_eq(dtls_state(p->dtls), DTLS_UP);
  run(200); /* the leg has its keys a moment later */
  cr_assert_eq(told_ice, MSET_ICE_CONNECTED);
  cr_assert_geq(echo(p, 10), 9);
}

static void with_dtls(bool leg_is_client) {
  leg_open(MSET_OPEN_ICE | MSET_OPEN_CONTROLLING);
  struct peer *p = peer_add(0, true);
  peer_wants_dtls(p, leg_is_client);
  describe(0, true);
  if (!leg_is_client) { /* a hello from where no check came is a stranger's */
    peer_dtls_out(p, &opened.rtp[0]);
    run(50);
    cr_assert_eq(atomic_load(&w->drops[DROP_DTLS_STRANGER]), 1);
  }
  give_candidates(0);
  run_dtls(p);
}
Test(path, dtls_over_ice_as_server) { with_dtls(false); }
Test(path, dtls_over_ice_as_client) { with_dtls(true); }

/* Native legs: the shared port, a browser made of our own engines. -----------------------------------
 */
static struct peer *browser(bool leg_is_client) {
  struct desc_candidate c = {.component = 1, .is_udp = true, .priority = 1, .address = opened.rtp[0]};
  struct peer *p = peer_add(0, false);
  peer_wants_dtls(p, leg_is_client);
  cr_assert_eq(agent_set_remote(p->agent, opened.ufrag, opened.pwd, true), 0);
  cr_assert_eq(agent_add_remote(p->agent, &c), 0);
  describe(0, true);
  return p;
}

/* Another socket, the old one is gone: what a phone does that leaves the Wi-Fi. */
static void move(struct peer *p) {
  struct addr old = p->at;
  close(p->fd);
  p->fd = udp(&p->at);
  cr_assert_eq(agent_add_local(p->agent, CAND_HOST, &p->at, &p->at), 0);
  (void)agent_del_local(p->agent, &old);
}

Test(path, a_native_leg_keeps_its_role_as_dtls_client) {
  leg_open_as(MSET_NATIVE_LEG, 0);
  run_dtls(browser(true));
}

Test(path, a_browser_roams_and_nothing_is_described_anew) {
  leg_open_as(MSET_NATIVE_LEG, 0);
  struct peer *p = browser(false);
  run_dtls(p);
  for (unsigned i = 0; i < 4; i++) {
    move(p);
    await_pair(p);
    run(100);
    cr_assert_geq(echo(p, 10), 9, "move %u", i);
    cr_assert_eq(told_ice, MSET_ICE_CONNECTED);
  }
  cr_assert_eq(atomic_load(&w->drops[DROP_AUTH]), 0);
}

Test(path, a_browser_roams_before_its_keys_are_there) {
  leg_open_as(MSET_NATIVE_LEG, 0);
  struct peer *p = browser(false);
  run(100);
  peer_dtls_out(p, &opened.rtp[0]); /* its hello goes, the answer finds nobody */
  move(p);
  run_dtls(p);
}

/* Through a relay ----------------------------------------------------------------------------------- */
static void with_relay(uint16_t port) {
  options.turn_server = loopback(port);
  (void)!slice_copy(options.turn_username, sizeof(options.turn_username), SLICE("us"));
  (void)!slice_copy(options.turn_password, sizeof(options.turn_password), SLICE("pw"));
}

Test(path, a_dead_relay_costs_a_second_and_no_call) {
  struct addr dead;
  int fd = udp(&dead);
  with_relay(addr_port(&dead));
  uint64_t was = clock_now_us();
  leg_open(MSET_OPEN_ICE | MSET_OPEN_CONTROLLING);
  uint64_t took_ms = (clock_now_us() - was) / MS;
  cr_assert(took_ms >= 900 && took_ms < 2000, "%u ms", (unsigned)took_ms);
  cr_assert_eq(opened.n_candidates, 1);
  struct peer *p = peer_add(0, true);
  describe(0, true);
  give_candidates(0);
  await_pair(p);
  cr_assert_geq(echo(p, 5), 4);
  close(fd);
}

static void coturn_start(uint16_t port) {
  char p[16];
  snprintf(p, sizeof(p), "%u", port);
  coturn = fork();
  if (coturn == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 1);
    dup2(null, 2);
    execlp("turnserver", "turnserver", "-n", "-L", "127.0.0.1", "-E", "127.0.0.1", "-p", p, "-a", "-u",
           "us:pw", "-r", "realm.example", "--no-tls", "--no-dtls", "--no-tcp", "--no-cli",
           "--allow-loopback-peers", "--no-stdout-log", "--log-file", "/dev/null", "--pidfile",
           "/dev/null", "--userdb", "/nonexistent/turndb", (char *)NULL);
    _exit(127);
  }
  usleep(400000);
}

Test(path, behind_a_nat_the_relay_carries_the_call) {
  struct addr at;
  if (system("command -v turnserver >/dev/null 2>&1") != 0) {
    start();
    cr_skip_test("coturn is not installed");
  }
  close(udp(&at));
  coturn_start(addr_port(&at));
  with_relay(addr_port(&at));
  leg_open(MSET_OPEN_ICE | MSET_OPEN_CONTROLLING);
  cr_assert_eq(opened.n_candidates, 2, "host and relayed: the mapped one is the host's");
  cr_assert_eq(opened.candidates[1].type, CAND_RELAY);
  struct peer *p = peer_add(0, true);
  p->only = p->target = opened.candidates[1].address; /* our own address leads nowhere */
  describe(0, true);
  give_candidates(0);
  await_pair(p);
  cr_assert_geq(echo(p, 20), 18);
  cr_assert(addr_eq(&p->from, &opened.candidates[1].address));
  union mset_any m;
  mset_init(&m, MSET_END, last_id);
  cr_assert_eq(ask(&m).h.type, MSET_ENDED);
}
