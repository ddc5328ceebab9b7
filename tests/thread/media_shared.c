/* SPDX-License-Identifier: Apache-2.0
 * Trunk legs that share their worker's ports: whose a packet is, who may not come, what END and another
 * description leave behind. */
#include "media_rig.h"

#ifndef TEST_BACKEND
#define TEST_BACKEND "auto"
#endif

static const enum srtp_suite suite = SUITE_AEAD_AES_128_GCM;

static uint16_t port_of(const struct leg *l) { return addr_port(&l->o.rtp[0]); }

static bool open_beside(struct leg *l, uint64_t beside) {
  bool done = leg_open(l, MSET_TRUNK_LEG, beside);
  l->kind = CODEC_PCMU;
  return done;
}

/* l's peer sends from where that of other does. */
static void live_with(struct leg *l, const struct leg *other) {
  close(l->fd);
  l->fd = dup(other->fd);
  l->at = other->at;
}

static bool describe(struct leg *l) {
  if (l->sealer)
    l->ssrc = rand_u32(); /* its index begins anywhere */
  sealer_free(l->sealer); /* of a description before */
  opener_free(l->opener);
  return leg_describe(l, 1, suite, 8000, MSET_SYMMETRIC_AUTO);
}

static int describe_error(struct leg *l, enum mset_security security) {
  union mset_any m, r;
  mset_init(&m, MSET_REMOTE, l->id);
  m.remote.remote = 1;
  m.remote.security = security;
  m.remote.rtcp_mux = m.remote.send = m.remote.recv = 1;
  m.remote.rtp = m.remote.rtcp = l->at;
  srtpkey_make(&m.remote.rx, suite);
  srtpkey_make(&m.remote.tx, suite);
  codecs_set(&m.remote, l, 8000);
  r = ask(&m);
  return r.h.type == MSET_FAULT ? r.fault.error : 0;
}

static bool goes(struct leg *from, struct leg *to) {
  struct got g;
  leg_send_frame(from, 7);
  return leg_take_rtp(to, COME_MS, &g) && g.rtp.ssrc == to->o.ssrc;
}

static bool is_refused(struct leg *from, struct leg *to, enum drop d) {
  struct got g;
  uint64_t before = drops(d);
  leg_send_frame(from, 7);
  return !leg_take_rtp(to, 100, &g) && drops_are(d, before + 1);
}

static void two_calls_on_a_port(void) {
  struct leg a, b, c, d;
  CHECK(open_beside(&a, 0) && open_beside(&b, a.id) && open_beside(&c, a.id) && open_beside(&d, a.id));
  CHECK(port_of(&a) == port_of(&b) && port_of(&a) == port_of(&d));
  CHECK(describe(&a) && describe(&b) && describe(&c) && describe(&d));
  CHECK(link_legs(a.id, b.id) && link_legs(c.id, d.id));
  for (unsigned i = 0; i < 5; i++)
    CHECK(goes(&a, &b) && goes(&d, &c) && goes(&c, &d) && goes(&b, &a), "%u", i);
  CHECK(leg_drain(&a) + leg_drain(&b) + leg_drain(&c) + leg_drain(&d) == 0, "somebody else's");
  leg_close(&a);
  CHECK(goes(&c, &d) && goes(&d, &c), "the port goes on");
  leg_close(&b);
  leg_close(&c);
  leg_close(&d);
}

/* Even with the right key: where nobody is described, nobody is looked for. */
static void stranger(void) {
  struct leg a, b;
  struct addr at;
  int home, elsewhere = udp(&at);
  CHECK(open_beside(&a, 0) && open_beside(&b, a.id) && describe(&a) && describe(&b));
  CHECK(link_legs(a.id, b.id) && goes(&a, &b));
  home = a.fd;
  a.fd = elsewhere;
  CHECK(is_refused(&a, &b, DROP_WRONG_SOURCE));
  a.fd = home;
  CHECK(goes(&a, &b) && goes(&b, &a));
  struct pollfd p = {.fd = elsewhere, .events = POLLIN};
  CHECK(poll(&p, 1, 50) == 0, "a stranger was answered");
  uint8_t junk[182];
  rand_bytes(junk, sizeof(junk));
  rtp_put(junk, 0, false, 1, 160, a.ssrc + 1);
  uint64_t before = drops(DROP_AUTH);
  send_to(a.fd, junk, sizeof(junk), &a.o.rtp[0]);
  CHECK(goes(&a, &b) && drops_are(DROP_AUTH, before + 1));
  uint8_t stun[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
  before = drops(DROP_NOT_FOR_US);
  send_to(a.fd, stun, sizeof(stun), &a.o.rtp[0]);
  CHECK(goes(&a, &b) && drops_are(DROP_NOT_FOR_US, before + 1));
  close(elsewhere);
  leg_close(&a);
  leg_close(&b);
}

/* The tag says whose it is, and nobody is pushed out of his own address. */
static void contested(void) {
  struct leg a[5], b[5];
  for (unsigned i = 0; i < 5; i++) {
    CHECK(open_beside(&a[i], i ? a[0].id : 0) && open_beside(&b[i], a[0].id));
    if (i)
      live_with(&a[i], &a[0]);
    CHECK(describe(&b[i]) && link_legs(a[i].id, b[i].id));
    if (i < 4)
      CHECK(describe(&a[i]), "%u", i);
  }
  CHECK(describe_error(&a[4], MSET_SDES) == -EADDRINUSE);
  for (unsigned i = 0; i < 4; i++) {
    struct got g;
    leg_send_frame(&a[i], 7);
    CHECK(leg_take_rtp(&b[i], COME_MS, &g), "%u", i);
  }
  CHECK(describe(&a[2]), "its own address again");
  leg_close(&a[0]); /* the one that stands in the map */
  for (unsigned i = 1; i < 4; i++)
    CHECK(goes(&a[i], &b[i]), "%u", i);
  CHECK(describe(&a[4]) && goes(&a[4], &b[4]), "the place of the one that ended");
  leg_close(&a[3]);
  CHECK(goes(&a[1], &b[1]) && goes(&a[2], &b[2]) && goes(&a[4], &b[4]));
  leg_close(&a[2]);
  leg_close(&a[1]);
  CHECK(goes(&a[4], &b[4]));
  leg_close(&a[4]);
  for (unsigned i = 0; i < 5; i++)
    leg_close(&b[i]);
}

static void address_changes(void) {
  struct leg a, b, other;
  union mset_any m;
  CHECK(open_beside(&a, 0) && open_beside(&b, a.id) && describe(&a) && describe(&b));
  CHECK(link_legs(a.id, b.id) && goes(&a, &b));
  int old = a.fd;
  a.fd = udp(&a.at);
  CHECK(describe(&a) && goes(&a, &b) && goes(&b, &a));
  other = a;
  other.fd = old;
  CHECK(is_refused(&other, &b, DROP_WRONG_SOURCE), "the address before");
  CHECK(describe_error(&a, MSET_PLAIN) == -ENOTSUP && goes(&a, &b), "plain media proves nothing");
  mset_init(&m, MSET_DROP, a.id);
  m.pick.remote = 1;
  CHECK(ask_ok(&m) && is_refused(&a, &b, DROP_WRONG_SOURCE));
  close(old);
  leg_close(&a);
  leg_close(&b);
}

/* ICE tells its own legs apart, by a port. */
static void ice_is_private(void) {
  struct leg a, b;
  CHECK(open_beside(&a, 0));
  leg_flags |= MSET_OPEN_ICE | MSET_OPEN_LITE;
  CHECK(open_beside(&b, a.id) && port_of(&a) != port_of(&b));
  leg_flags &= ~(uint32_t)(MSET_OPEN_ICE | MSET_OPEN_LITE);
  leg_close(&a);
  leg_close(&b);
}

/* RTCP at a port of its own, from an address of its own. */
static void rtcp_pair(void) {
  struct leg a;
  struct addr rtcp_at;
  union mset_any m, r;
  uint8_t p[64] = {0x80, 201, 0, 1, 1, 2, 3, 4};
  size_t n = 8;
  int rtcp = udp(&rtcp_at);
  memset(&a, 0, sizeof(a));
  a.id = ++last_id;
  a.fd = udp(&a.at);
  mset_init(&m, MSET_OPEN, a.id);
  m.open.kind = MSET_TRUNK_LEG;
  m.open.family = AF_INET;
  m.open.rtcp_pair = 1;
  m.open.flags = leg_flags;
  r = ask(&m);
  a.o = r.opened;
  CHECK(r.h.type == MSET_OPENED && addr_port(&a.o.rtcp) == port_of(&a) + 1);
  mset_init(&m, MSET_REMOTE, a.id);
  m.remote.remote = 1;
  m.remote.security = MSET_SDES;
  m.remote.send = m.remote.recv = 1;
  m.remote.rtp = a.at;
  m.remote.rtcp = rtcp_at;
  srtpkey_make(&a.theirs, suite);
  srtpkey_make(&a.ours, suite);
  m.remote.rx = a.theirs;
  m.remote.tx = a.ours;
  codecs_set(&m.remote, &a, 8000);
  CHECK(ask_ok(&m) && sealer_new(&a.sealer, &a.theirs, 0x01020304) == 0);
  uint64_t auth = drops(DROP_AUTH), wrong = drops(DROP_WRONG_SOURCE), port = drops(DROP_WRONG_PORT);
  CHECK(seal_rtcp(a.sealer, p, &n, sizeof(p)) == DROP_NONE);
  send_to(rtcp, p, n, &a.o.rtcp);
  nap(50);
  CHECK(drops(DROP_AUTH) == auth && drops(DROP_WRONG_SOURCE) == wrong, "taken");
  send_to(rtcp, p, n, &a.o.rtcp);
  nap(50);
  CHECK(drops(DROP_REPLAY) > 0, "it was taken before");
  send_to(a.fd, (const uint8_t[12]){0x80}, 12, &a.o.rtcp);
  nap(50);
  CHECK(drops_are(DROP_WRONG_PORT, port + 1));
  close(rtcp);
  leg_close(&a);
}

int main(void) {
  uint32_t ports = 20000 + (uint32_t)(getpid() % 300) * 40;
  options = (struct media_options){.workers = 2,
                                   .n_addresses = 1,
                                   .trunk_port_min = ports,
                                   .trunk_port_max = ports + 39,
                                   .dscp = 46,
                                   .backend = TEST_BACKEND,
                                   .max_sessions = 64,
                                   .orphan_s = 2};
  if (!rig_start("shared"))
    return 1;
  leg_flags |= MSET_OPEN_SHARED;
  two_calls_on_a_port();
  stranger();
  contested();
  address_changes();
  ice_is_private();
  rtcp_pair();
  controller_close();
  rig_stop();
  suite_stop();
  printf("%u failures\n", failures);
  return failures > 0;
}
