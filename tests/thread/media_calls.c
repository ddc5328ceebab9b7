/* SPDX-License-Identifier: Apache-2.0
 * The media plane as its controller and its peers see it: real sockets on loopback, the real threads,
 * the real messages. A plain program (Criterion crashes under ThreadSanitizer): every CHECK that
 * fails is printed and makes the exit status 1. */
#include "codec/coder.h"
#include "codec/g711.h"
#include "codec/inband.h"
#include "codec/level.h"
#include "codec/tone.h"
#include "wire/bytes.h"
#include "wire/rtcp.h"
#include "wire/stun.h"
#include "media_rig.h"
#include "wire/telev.h"

#ifndef TEST_BACKEND
#define TEST_BACKEND "auto"
#endif

/* Cases
 * -------------------------------------------------------------------------------------------------- */
static void two_secured_legs(void) {
  struct leg a, b;
  struct got g;
  union mset_any m;
  uint8_t want[160];
  uint32_t last_ts = 0;
  uint16_t last_seq = 0;
  CHECK(pair_open(&a, &b, SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AEAD_AES_256_GCM));
  for (unsigned i = 0; i < 20; i++) {
    leg_send_frame(&a, (uint8_t)i);
    CHECK(leg_take_rtp(&b, COME_MS, &g), "frame %u", i);
    for (unsigned j = 0; j < 160; j++)
      want[j] = (uint8_t)(i + j);
    CHECK(memcmp(g.wire + 12, want, 160) != 0);
    g711_convert(G711_ULAW, want, want, 160);
    CHECK(g.rtp.payload_bytes == 160 && memcmp(g.rtp.payload, want, 160) == 0, "frame %u", i);
    CHECK(memcmp(g.wire + 12, want, 160) != 0, "the payload lies open on the wire");
    CHECK(g.rtp.ssrc == b.o.ssrc && g.rtp.ssrc != a.ssrc && g.rtp.pt == 8 && g.rtp.marker == (i == 0));
    CHECK(i == 0 || (g.rtp.seq == (uint16_t)(last_seq + 1) && g.rtp.ts - last_ts == 160));
    last_seq = g.rtp.seq;
    last_ts = g.rtp.ts;
    leg_send_frame(&b, (uint8_t)i);
    CHECK(leg_take_rtp(&a, COME_MS, &g) && g.rtp.pt == 0 && g.rtp.ssrc == a.o.ssrc);
  }
  CHECK(event_wait(MSET_FLOW, a.id, 1000, &m) && m.flow.active && m.flow.remote == 1);
  CHECK(event_wait(MSET_FLOW, b.id, 1000, &m) && m.flow.active);
  struct mset_facts f = {0};
  CHECK(leg_facts_at(&a, 20, &f));
  CHECK(f.rx.packets == 20 && f.tx.packets == 20 && f.rx.codec == CODEC_PCMU && f.rx.lost == 0);
  CHECK(f.suite == SUITE_AES_CM_128_HMAC_SHA1_80);
  leg_close(&a);
  leg_close(&b);
  CHECK(!mset_facts_read(&con.facts[a.o.facts_slot], a.id, &f));
}

/* Attacks A2, A3: what does not verify is counted and changes nothing. */
static void strangers_at_a_secured_leg(void) {
  struct leg a, b;
  struct got g;
  struct addr at;
  uint8_t junk[182];
  int stranger = udp(&at);
  CHECK(pair_open(&a, &b, SUITE_AEAD_AES_128_GCM, SUITE_AES_CM_128_HMAC_SHA1_32));
  leg_send_frame(&a, 1);
  CHECK(leg_take_rtp(&b, COME_MS, &g));
  uint64_t before = drops(DROP_AUTH);
  for (unsigned i = 0; i < 2000; i++) {
    rand_bytes(junk, sizeof(junk));
    rtp_put(junk, 0, false, (uint16_t)i, i * 160, a.ssrc);
    send_to(i & 1 ? stranger : a.fd, junk, sizeof(junk), &a.o.rtp[0]);
    if (i % 100 == 0) {
      leg_send_frame(&a, 2);
      CHECK(leg_take_rtp(&b, COME_MS, &g), "%u", i);
    }
  }
  CHECK(leg_drain(&b) == 0, "junk went through");
  CHECK(drops(DROP_AUTH) + drops(DROP_REPLAY) > before + 1000, "%llu",
        (unsigned long long)drops(DROP_AUTH));
  leg_send_frame(&b, 3);
  CHECK(leg_take_rtp(&a, COME_MS, &g), "the answer goes where it went");
  struct pollfd p = {.fd = stranger, .events = POLLIN};
  CHECK(poll(&p, 1, 50) == 0, "a stranger was answered");
  close(stranger);
  leg_close(&a);
  leg_close(&b);
}

static void replay(void) {
  struct leg a, b;
  struct got g;
  uint8_t p[2048] = {0};
  size_t n = rtp_put(p, 0, false, 0, 1, 0) + 160;
  CHECK(pair_open(&a, &b, SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AES_CM_128_HMAC_SHA1_80));
  bytes_put_u32(p + 8, a.ssrc);
  CHECK(seal_rtp_next(a.sealer, p, &n, sizeof(p)) == DROP_NONE);
  uint64_t before = drops(DROP_REPLAY);
  for (unsigned i = 0; i < 20; i++)
    send_to(a.fd, p, n, &a.o.rtp[0]);
  CHECK(leg_take_rtp(&b, COME_MS, &g));
  CHECK(leg_drain(&b) == 0);
  CHECK(drops_are(DROP_REPLAY, before + 19));
  leg_close(&a);
  leg_close(&b);
}

static void plain_leg(void) {
  struct leg a, b;
  struct got g;
  struct addr at, other;
  int same_ip = udp(&at), elsewhere = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  (void)!addr_parse(&other, SLICE("127.0.0.99"), 0);
  CHECK(bind(elsewhere, &other.sa, addr_len(&other)) == 0);
  CHECK(pair_open(&a, &b, SUITE_NONE, SUITE_AEAD_AES_256_GCM));
  uint8_t p[172] = {0};
  rtp_put(p, 0, false, 1, 0, 77);
  uint64_t before = drops(DROP_WRONG_SOURCE);
  send_to(elsewhere, p, sizeof(p), &a.o.rtp[0]);
  CHECK(!leg_take_rtp(&b, 100, &g));
  CHECK(drops_are(DROP_WRONG_SOURCE, before + 1));
  send_to(same_ip, p, sizeof(p), &a.o.rtp[0]); /* the address of the description, another port: kept */
  CHECK(leg_take_rtp(&b, COME_MS, &g));
  leg_send_frame(&a, 1); /* now even the described port is a wrong source */
  CHECK(!leg_take_rtp(&b, 100, &g));
  CHECK(drops_are(DROP_WRONG_SOURCE, before + 2));
  leg_send_frame(&b, 1);
  CHECK(leg_take_rtp(&a, COME_MS, &g), "we send where the description says");
  struct pollfd po = {.fd = same_ip, .events = POLLIN};
  CHECK(poll(&po, 1, 50) == 0);
  close(same_ip);
  close(elsewhere);
  leg_close(&a);
  leg_close(&b);
}

static void hold_has_silence(void) {
  struct leg a, b;
  struct got g;
  union mset_any m;
  CHECK(pair_open(&a, &b, SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AES_CM_128_HMAC_SHA1_80));
  leg_send_frame(&a, 1);
  CHECK(leg_take_rtp(&b, COME_MS, &g));
  uint16_t seq = g.rtp.seq;
  CHECK(link_legs(a.id, 0));
  mset_init(&m, MSET_PLAY, b.id);
  m.play.tone = MSET_TONE_SILENCE;
  CHECK(ask_ok(&m));
  for (unsigned i = 0; i < 10; i++) {
    leg_send_frame(&a, 5); /* goes nowhere */
    CHECK(leg_take_rtp(&b, COME_MS, &g), "%u", i);
    CHECK(g.rtp.seq == ++seq && g.rtp.payload_bytes == 160 &&
          g.rtp.payload[7] == g711_silence(G711_ALAW));
  }
  m.play.tone = MSET_TONE_NONE;
  CHECK(ask_ok(&m));
  leg_drain(&b);
  CHECK(link_legs(a.id, b.id));
  leg_send_frame(&a, 9);
  CHECK(leg_take_rtp(&b, COME_MS, &g) && g.rtp.marker && (uint16_t)(g.rtp.seq - seq) < 20);
  leg_close(&a);
  leg_close(&b);
}

static void digits_between_clocks(void) {
  struct leg a, b;
  struct got g;
  union mset_any m;
  struct telev t;
  uint8_t payload[4];
  uint32_t out_ts = 0;
  unsigned ends = 0;
  CHECK(pair_open(&a, &b, SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AES_CM_128_HMAC_SHA1_80));
  leg_send_frame(&a, 1);
  CHECK(leg_take_rtp(&b, COME_MS, &g));
  uint32_t ts = a.ts;
  for (unsigned i = 1; i <= 8; i++) { /* no marker: lesson 8 */
    struct telev in = {
        .event = 7, .volume = 10, .end = i >= 6, .duration = (uint16_t)(i > 6 ? 960 : 160 * i)};
    telev_put(payload, &in);
    leg_send(&a, 101, false, ts, payload, 4);
    CHECK(leg_take_rtp(&b, COME_MS, &g) && g.rtp.pt == 101 &&
          telev_parse(&t, g.rtp.payload, g.rtp.payload_bytes));
    CHECK(t.event == 7 && t.duration == in.duration * 6 && t.end == in.end, "%u: %u", i, t.duration);
    CHECK(g.rtp.marker == (i == 1) && (i == 1 || g.rtp.ts == out_ts));
    out_ts = g.rtp.ts;
    ends += t.end;
  }
  CHECK(ends == 3);
  CHECK(event_wait(MSET_DIGIT, a.id, 1000, &m) && m.digit.digit == '7' && m.digit.ms == 120);
  nap(50);
  mset_init(&m, MSET_PING, 0);
  CHECK(ask_ok(&m));
  CHECK(event_count(MSET_DIGIT, a.id) == 0, "one event a digit");
  /* ours, the other way: 8000 Hz at a */
  mset_init(&m, MSET_DIGITS, a.id);
  m.digits.op = 42;
  m.digits.duration_ms = 100;
  memcpy(m.digits.digits, "1#", 3);
  CHECK(ask_ok(&m));
  unsigned packets = 0, begins = 0;
  ends = 0;
  while (leg_take_rtp(&a, 300, &g)) {
    CHECK(g.rtp.pt == 101 && telev_parse(&t, g.rtp.payload, g.rtp.payload_bytes));
    packets++;
    begins += g.rtp.marker;
    ends += t.end;
    CHECK(!t.end || t.duration == 800);
  }
  CHECK(packets == 14 && begins == 2 && ends == 6, "%u %u %u", packets, begins, ends);
  CHECK(event_wait(MSET_DIGITS_DONE, a.id, 1000, &m) && m.digits_done.op == 42 && m.digits_done.ok);
  leg_close(&a);
  leg_close(&b);
}

/* Lessons 2 and 3: another offer with other keys, and a new source number with it; ours goes on. */
static void keys_change(void) {
  struct leg a, b;
  struct got g;
  CHECK(pair_open(&a, &b, SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AEAD_AES_128_GCM));
  leg_send_frame(&a, 1);
  leg_send_frame(&b, 1);
  CHECK(leg_take_rtp(&b, COME_MS, &g) && leg_take_rtp(&a, COME_MS, &g));
  uint16_t seq = g.rtp.seq;
  uint32_t ssrc = g.rtp.ssrc;
  a.sealer = sealer_free(a.sealer);
  a.opener = opener_free(a.opener);
  a.ssrc = rand_u32();
  CHECK(leg_describe(&a, 1, SUITE_AEAD_AES_256_GCM, 8000, MSET_SYMMETRIC_AUTO));
  leg_send_frame(&a, 2);
  leg_send_frame(&b, 2);
  CHECK(leg_take_rtp(&b, COME_MS, &g) && g.rtp.marker);
  CHECK(leg_take_rtp(&a, COME_MS, &g) && g.rtp.ssrc == ssrc && g.rtp.seq == (uint16_t)(seq + 1));
  struct mset_facts f = {0};
  CHECK(leg_facts_at(&a, 2, &f));
  CHECK(f.ssrc_changes == 1 && f.rx.packets == 2 && f.suite == SUITE_AEAD_AES_256_GCM);
  leg_close(&a);
  leg_close(&b);
}

/* Packets of the peer that never come: the gateway passes the gap on. */
static void leg_skip(struct leg *l, unsigned packets) {
  uint8_t p[64];
  for (; packets; packets--, l->ts += 160) {
    size_t n = rtp_put(p, l->pt, false, 0, l->ts, l->ssrc);
    CHECK(seal_rtp_next(l->sealer, p, &n, sizeof(p)) == DROP_NONE);
  }
}

/* A re-offer with other keys after our sequence wrapped: its peer begins at roll-over counter 0, as many
 * do, and hears us. */
static void keys_change_after_a_roll_over(void) {
  struct leg a, b;
  struct got g = {0};
  CHECK(pair_open(&a, &b, SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AEAD_AES_128_GCM));
  uint16_t seq = 0, wraps = 0;
  for (unsigned i = 0; i < 1000 && !wraps; i++) {
    leg_send_frame(&b, 1);
    if (!leg_take_rtp(&a, 500, &g))
      continue;
    wraps = g.rtp.seq < seq;
    seq = g.rtp.seq;
    leg_skip(&b, 95);
  }
  CHECK(wraps == 1);
  uint32_t ssrc = g.rtp.ssrc;
  for (unsigned i = 0; i < 3; i++) { /* the second time it is no longer needed */
    sealer_free(a.sealer);
    opener_free(a.opener);
    a.sealer = NULL;
    a.opener = NULL;
    a.ssrc = rand_u32();
    CHECK(leg_describe(&a, 1, i == 1 ? SUITE_AES_256_CM_HMAC_SHA1_32 : SUITE_AEAD_AES_256_GCM, 8000,
                       MSET_SYMMETRIC_AUTO));
    leg_send_frame(&a, 2);
    leg_send_frame(&b, 2);
    CHECK(leg_take_rtp(&b, COME_MS, &g) && leg_take_rtp(&a, COME_MS, &g));
    CHECK((g.rtp.ssrc != ssrc) == (i == 0), "%x %x in turn %u", g.rtp.ssrc, ssrc, i);
    CHECK(g.rtp.seq < 0x8000 + 8);
    ssrc = g.rtp.ssrc;
  }
  leg_close(&a);
  leg_close(&b);
  CHECK(drops(DROP_INTERNAL) == 0, "a report of another source number");
}

/* Early dialogs: the last one that began is heard, SELECT decides. */
static void forked_remotes(void) {
  struct leg a, b;
  struct got g;
  union mset_any m;
  CHECK(pair_open(&a, &b, SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AES_CM_128_HMAC_SHA1_80));
  struct leg fork = a;
  fork.fd = udp(&fork.at);
  fork.ssrc = rand_u32();
  fork.sealer = NULL;
  fork.opener = NULL;
  CHECK(leg_describe(&fork, 2, SUITE_AEAD_AES_128_GCM, 8000, MSET_SYMMETRIC_AUTO));
  leg_send_frame(&a, 1);
  CHECK(leg_take_rtp(&b, COME_MS, &g));
  leg_send_frame(&fork, 1);
  CHECK(leg_take_rtp(&b, COME_MS, &g), "the one that began last");
  leg_send_frame(&a, 1);
  CHECK(!leg_take_rtp(&b, 100, &g));
  mset_init(&m, MSET_SELECT, a.id);
  m.pick.remote = 1;
  CHECK(ask_ok(&m));
  leg_send_frame(&a, 1);
  CHECK(leg_take_rtp(&b, COME_MS, &g));
  leg_send_frame(&fork, 1);
  CHECK(!leg_take_rtp(&b, 100, &g));
  leg_send_frame(&b, 1);
  CHECK(leg_take_rtp(&a, COME_MS, &g));
  mset_init(&m, MSET_DROP, a.id);
  m.pick.remote = 2;
  CHECK(ask_ok(&m));
  m.pick.remote = 3;
  union mset_any r = ask(&m);
  CHECK(r.h.type == MSET_FAULT && r.fault.error == -ENOENT && r.fault.command == MSET_DROP);
  sealer_free(fork.sealer);
  opener_free(fork.opener);
  close(fork.fd);
  leg_close(&a);
  leg_close(&b);
}

static void reports_and_a_bye_from_the_wire(void) {
  struct leg a, b;
  struct got g = {0};
  uint8_t p[512];
  CHECK(pair_open(&a, &b, SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AEAD_AES_128_GCM));
  size_t n = rtcp_put(p, sizeof(p), a.ssrc, NULL, NULL, 0, SLICE("evil-cname"), true);
  CHECK(seal_rtcp(a.sealer, p, &n, sizeof(p)) == DROP_NONE);
  send_to(a.fd, p, n, &a.o.rtp[0]);
  bool has_report = false;
  for (uint64_t until = clock_now_us() + 6000000; clock_now_us() < until && !has_report;) {
    leg_send_frame(&a, 1);
    while (!has_report && leg_take(&b, 10, &g))
      has_report = g.is_rtcp;
  }
  CHECK(has_report);
  struct rtcp_walk w = rtcp_walk_of(g.bytes, g.n);
  struct rtcp_packet one;
  struct rtcp_sender s = {0};
  CHECK(rtcp_next(&w, &one) && rtcp_sender(&one, &s) && s.ssrc == b.o.ssrc && s.packets > 10);
  CHECK(rtcp_next(&w, &one) && slice_eq(rtcp_cname(&one), slice_of(b.o.cname)));
  leg_drain(&b);
  leg_send_frame(&a, 1);
  CHECK(leg_take_rtp(&b, COME_MS, &g), "BYE from the wire ended the call");
  leg_close(&a);
  leg_close(&b);
}

static void silence_is_told(void) {
  struct leg a;
  union mset_any m;
  memset(&a, 0, sizeof(a));
  a.id = ++last_id;
  mset_init(&m, MSET_OPEN, a.id);
  m.open.kind = MSET_TRUNK_LEG;
  m.open.family = AF_INET;
  m.open.media_timeout_s = 1;
  m.open.rtcp_pair = 1;
  a.o = ask(&m).opened;
  CHECK(a.o.h.type == MSET_OPENED && addr_port(&a.o.rtcp) == addr_port(&a.o.rtp[0]) + 1);
  a.fd = udp(&a.at);
  CHECK(leg_describe(&a, 1, SUITE_NONE, 8000, MSET_SYMMETRIC_OFF));
  CHECK(event_wait(MSET_TIMEOUT, a.id, 2500, &m));
  leg_close(&a);
}

/* A browser's part: ICE controlling and DTLS client, by hand ------------------------------------------
 */
struct app {
  struct leg l;
  struct dtls *dtls;
  struct dtlscert *cert;
  struct dtls_fingerprint theirs;
  const char *ufrag; /* ufrag is the app's own */
};

static void app_check(const struct app *a, const char *pwd, bool nominate, int fd) {
  uint8_t buf[512], id[STUNMSG_ID_BYTES];
  char user[64];
  struct stunmsg_out o;
  snprintf(user, sizeof(user), "%s:%s", a->l.o.ufrag, a->ufrag);
  rand_bytes(id, sizeof(id));
  stunmsg_begin(&o, buf, sizeof(buf), STUNMSG_REQUEST, id);
  stunmsg_put(&o, STUNATTR_USERNAME, slice_of(user));
  stunmsg_put_u32(&o, STUNATTR_PRIORITY, 1234567);
  stunmsg_put_u64(&o, STUNATTR_ICE_CONTROLLING, 99);
  if (nominate)
    stunmsg_put(&o, STUNATTR_USE_CANDIDATE, (struct slice){NULL, 0});
  stunmsg_put_integrity(&o, slice_of(pwd));
  stunmsg_put_fingerprint(&o);
  size_t n = stunmsg_end(&o);
  CHECK(n > 0);
  send_to(fd, buf, n, &a->l.o.rtp[0]);
}

static bool is_answered(int fd, uint8_t *first_byte) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  uint8_t buf[2048];
  if (poll(&p, 1, 150) <= 0)
    return false;
  ssize_t n = recv(fd, buf, sizeof(buf), 0);
  *first_byte = buf[0];
  return n > 0;
}

static bool app_describe_as(struct app *a, bool we_begin) {
  union mset_any m;
  mset_init(&m, MSET_REMOTE, a->l.id);
  m.remote.remote = 1;
  m.remote.security = MSET_DTLS;
  m.remote.rtcp_mux = m.remote.send = m.remote.recv = 1;
  m.remote.fingerprint_bytes = 32;
  memcpy(m.remote.fingerprint, dtlscert_sha256(a->cert), 32);
  (void)!slice_copy(m.remote.ufrag, sizeof(m.remote.ufrag), slice_of(a->ufrag));
  if (a->l.o.ufrag[0] == 0) /* a trunk leg: no ICE, the address is the description's */
    m.remote.rtp = m.remote.rtcp = a->l.at;
  m.remote.dtls_active = we_begin;
  codecs_set(&m.remote, &a->l, 8000);
  return ask_ok(&m);
}

static bool app_describe(struct app *a) { return app_describe_as(a, false); }

static void app_flush(struct app *a) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  size_t n;
  while ((n = dtls_output(a->dtls, buf, sizeof(buf))) > 0)
    send_to(a->l.fd, buf, n, &a->l.o.rtp[0]);
}

static bool app_handshake(struct app *a) {
  uint8_t buf[2048];
  uint64_t until = clock_now_us() + 5000000;
  app_flush(a);
  while (dtls_state(a->dtls) != DTLS_UP && clock_now_us() < until) {
    struct pollfd p = {.fd = a->l.fd, .events = POLLIN};
    if (poll(&p, 1, 50) > 0) {
      ssize_t n = recv(a->l.fd, buf, sizeof(buf), 0);
      if (n > 0 && buf[0] >= 20 && buf[0] <= 63)
        (void)!dtls_input(a->dtls, buf, (size_t)n, clock_now_us());
    } else {
      dtls_tick(a->dtls, clock_now_us());
    }
    app_flush(a);
  }
  struct srtp_key send_key, receive_key;
  if (dtls_state(a->dtls) != DTLS_UP || dtls_keys(a->dtls, &send_key, &receive_key) < 0)
    return false;
  return sealer_new(&a->l.sealer, &send_key, a->l.ssrc) == 0 &&
         opener_new(&a->l.opener, &receive_key) == 0;
}

static bool app_open_as(struct app *a, enum mset_kind kind, enum dtls_role role, uint64_t beside) {
  memset(a, 0, sizeof(*a));
  if (!leg_open(&a->l, kind, beside))
    return false;
  a->l.pt = 0;
  a->l.kind = CODEC_PCMU;
  a->ufrag = "peer";
  a->theirs.bytes = 32;
  memcpy(a->theirs.value, a->l.o.fingerprint, 32);
  return dtlscert_new(&a->cert) == 0 && dtls_new(&a->dtls, a->cert, role) == 0;
}

static bool app_open(struct app *a, uint64_t beside) {
  return app_open_as(a, MSET_NATIVE_LEG, DTLS_CLIENT, beside);
}

static void app_close(struct app *a) {
  leg_close(&a->l);
  dtls_free(a->dtls);
  dtlscert_free(a->cert);
}

/* Attacks A1, A5: from a stranger nothing is answered, nothing kept. */
static void strangers_at_the_shared_port(const struct app *a) {
  uint8_t hello[DTLS_DATAGRAM_BYTES], first;
  struct addr at;
  int fd = udp(&at);
  struct dtls *other = NULL;
  CHECK(dtls_new(&other, a->cert, DTLS_CLIENT) == 0);
  dtls_expect(other, &a->theirs, clock_now_us());
  size_t n = dtls_output(other, hello, sizeof(hello));
  CHECK(n > 0 && dtls_is_hello(hello, n));
  uint64_t before = drops(DROP_DTLS_STRANGER);
  for (unsigned i = 0; i < 200; i++)
    send_to(fd, hello, n, &a->l.o.rtp[0]);
  app_check(a, "a wrong password, long enough", true, fd);
  CHECK(!is_answered(fd, &first), "a stranger was answered");
  CHECK(drops_are(DROP_DTLS_STRANGER, before + 200));
  CHECK(drops(DROP_ICE_INTEGRITY) > 0);
  dtls_free(other);
  close(fd);
}

static void app_to_trunk(void) {
  struct app a;
  struct leg b;
  struct got g;
  union mset_any m;
  uint8_t first = 0;
  CHECK(app_open(&a, 0));
  CHECK(leg_open(&b, MSET_TRUNK_LEG, a.l.id));
  b.pt = 8;
  b.kind = CODEC_PCMA;
  CHECK(leg_describe(&b, 1, SUITE_AEAD_AES_256_GCM, 8000, MSET_SYMMETRIC_AUTO));
  CHECK(link_legs(a.l.id, b.id));
  app_check(&a, a.l.o.pwd, true, a.l.fd); /* answered before the description is known */
  CHECK(is_answered(a.l.fd, &first) && first == 1);
  dtls_expect(a.dtls, &a.theirs, clock_now_us());
  app_flush(&a); /* a ClientHello before the description: kept */
  nap(30);
  CHECK(app_describe(&a));
  strangers_at_the_shared_port(&a);
  CHECK(app_handshake(&a), "%s", dtls_failure(a.dtls));
  bool is_up = false;
  while (!is_up && event_wait(MSET_STATE, a.l.id, 2000, &m))
    is_up = m.state.dtls == MSET_DTLS_UP && m.state.ice == MSET_ICE_CONNECTED && m.state.assoc == 1;
  CHECK(is_up && m.state.suite == SUITE_AEAD_AES_256_GCM && addr_eq(&m.state.remote, &a.l.at));
  for (unsigned i = 0; i < 10; i++) {
    leg_send_frame(&a.l, (uint8_t)i);
    CHECK(leg_take_rtp(&b, COME_MS, &g) && g.rtp.pt == 8, "%u", i);
    leg_send_frame(&b, (uint8_t)i);
    CHECK(leg_take_rtp(&a.l, COME_MS, &g) && g.rtp.pt == 0 && g.rtp.ssrc == a.l.o.ssrc, "%u", i);
  }
  mset_init(&m, MSET_ICE_RESTART, a.l.id);
  union mset_any r = ask(&m);
  CHECK(r.h.type == MSET_ICE && strcmp(r.ice.ufrag, a.l.o.ufrag) != 0);
  leg_send_frame(&b, 1); /* the old pair goes on */
  CHECK(leg_take_rtp(&a.l, COME_MS, &g));
  /* the new generation from another port (the network changed) */
  struct addr old_at = a.l.at;
  int old_fd = a.l.fd;
  a.l.fd = udp(&a.l.at);
  memcpy(a.l.o.ufrag, r.ice.ufrag, sizeof(a.l.o.ufrag));
  a.ufrag = "peer-again";
  CHECK(app_describe(&a));
  app_check(&a, r.ice.pwd, true, a.l.fd);
  CHECK(is_answered(a.l.fd, &first) && first == 1);
  leg_send_frame(&b, 2);
  CHECK(leg_take_rtp(&a.l, COME_MS, &g), "audio follows the newly nominated pair");
  CHECK(!addr_eq(&old_at, &a.l.at));
  close(old_fd);
  leg_close(&b);
  app_close(&a);
}

/* A trunk's leg whose keys come by DTLS, in either role; a stranger's ClientHello is not answered. */
static void trunk_with_dtls(bool we_begin) {
  struct app a;
  struct leg b;
  struct got g;
  union mset_any m;
  uint8_t hello[DTLS_DATAGRAM_BYTES], first;
  struct addr at;
  CHECK(app_open_as(&a, MSET_TRUNK_LEG, we_begin ? DTLS_SERVER : DTLS_CLIENT, 0));
  CHECK(leg_open(&b, MSET_TRUNK_LEG, a.l.id));
  b.pt = 8;
  b.kind = CODEC_PCMA;
  CHECK(leg_describe(&b, 1, SUITE_AEAD_AES_256_GCM, 8000, MSET_SYMMETRIC_AUTO));
  CHECK(link_legs(a.l.id, b.id));
  CHECK(app_describe_as(&a, we_begin));
  uint64_t before = drops(DROP_DTLS_STRANGER);
  struct dtls *other = NULL;
  CHECK(dtls_new(&other, a.cert, DTLS_CLIENT) == 0);
  dtls_expect(other, &a.theirs, clock_now_us());
  size_t n = dtls_output(other, hello, sizeof(hello));
  int fd = udp_at(&at, "127.0.0.9");
  send_to(fd, hello, n, &a.l.o.rtp[0]);
  CHECK(!is_answered(fd, &first), "a stranger was answered");
  CHECK(drops_are(DROP_DTLS_STRANGER, before + 1));
  dtls_free(other);
  close(fd);
  dtls_expect(a.dtls, &a.theirs, clock_now_us());
  CHECK(app_handshake(&a), "%s", dtls_failure(a.dtls));
  bool is_up = false;
  while (!is_up && event_wait(MSET_STATE, a.l.id, 2000, &m))
    is_up = m.state.dtls == MSET_DTLS_UP && m.state.ice == MSET_ICE_NONE && m.state.assoc == 1;
  CHECK(is_up && m.state.suite == SUITE_AEAD_AES_256_GCM);
  for (unsigned i = 0; i < 10; i++) {
    leg_send_frame(&a.l, (uint8_t)i);
    CHECK(leg_take_rtp(&b, COME_MS, &g) && g.rtp.pt == 8, "%u", i);
    leg_send_frame(&b, (uint8_t)i);
    CHECK(leg_take_rtp(&a.l, COME_MS, &g) && g.rtp.pt == 0 && g.rtp.ssrc == a.l.o.ssrc, "%u", i);
  }
  CHECK(app_describe_as(&a, we_begin)); /* the same fingerprint: the association stays */
  leg_send_frame(&b, 3);
  CHECK(leg_take_rtp(&a.l, COME_MS, &g));
  leg_close(&b);
  app_close(&a);
}

static void faults(void) {
  union mset_any m, r;
  mset_init(&m, MSET_PLAY, 987654);
  r = ask(&m);
  CHECK(r.h.type == MSET_FAULT && r.fault.error == -ENOENT && r.fault.command == MSET_PLAY);
  mset_init(&m, MSET_PING, 0);
  CHECK(ask(&m).h.type == MSET_OK);
}

static void ports_run_out(void) {
  struct leg l[64];
  unsigned n = 0;
  union mset_any m, r = {0};
  while (n < COUNT_OF(l) && r.h.type != MSET_FAULT) {
    mset_init(&m, MSET_OPEN, ++last_id);
    m.open.kind = MSET_TRUNK_LEG;
    m.open.family = AF_INET;
    r = ask(&m);
    if (r.h.type == MSET_OPENED)
      l[n++].id = last_id;
  }
  CHECK(r.h.type == MSET_FAULT && r.fault.error == -EMFILE && n > 4, "%u", n);
  while (n) {
    mset_init(&m, MSET_END, l[--n].id);
    CHECK(ask(&m).h.type == MSET_ENDED);
  }
  mset_init(&m, MSET_OPEN, ++last_id);
  m.open.kind = MSET_TRUNK_LEG;
  m.open.family = AF_INET;
  CHECK(ask(&m).h.type == MSET_OPENED);
  mset_init(&m, MSET_END, last_id);
  CHECK(ask(&m).h.type == MSET_ENDED);
}

/* The controller dies: audio goes on, its successor is told, and after a while the sessions end. */
static void controller_dies(void) {
  struct leg a, b;
  struct got g;
  union mset_any m;
  CHECK(pair_open(&a, &b, SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AES_CM_128_HMAC_SHA1_80));
  controller_close();
  leg_send_frame(&a, 1);
  CHECK(leg_take_rtp(&b, COME_MS, &g), "audio goes on");
  CHECK(controller_connect(2));
  CHECK(con.live == 2);
  CHECK(event_wait(MSET_LIVE, a.id, 1000, &m) && strcmp(m.live.call, "c_test") == 0);
  mset_init(&m, MSET_PLAY, b.id);
  CHECK(ask_ok(&m)); /* taken up by the new one */
  CHECK(event_wait(MSET_ENDED, a.id, 5000, &m) && m.ended.reason == MSET_END_ORPHAN &&
        m.ended.facts.rx.packets == 1);
  CHECK(!event_wait(MSET_ENDED, b.id, 1000, &m));
  leg_close(&b);
  sealer_free(a.sealer);
  opener_free(a.opener);
  close(a.fd);
}

static void malformed_command(void) {
  uint8_t junk[64] = {64};
  CHECK(send(con.fd, junk, sizeof(junk), 0) > 0);
  struct pollfd p = {.fd = con.fd, .events = POLLIN};
  CHECK(poll(&p, 1, 2000) > 0 && recv(con.fd, junk, sizeof(junk), 0) <= 0);
  controller_close();
  CHECK(controller_connect(2));
}

/* To a peer without telephone-events digits go as sound. */
static void digits_as_sound(void) {
  struct leg a;
  struct got g;
  union mset_any m;
  struct inband *ear;
  struct inband_event heard[INBAND_EVENTS_MAX];
  char digits[16] = "";
  unsigned n = 0;
  CHECK(inband_new(&ear, 8000) == 0 && leg_open(&a, MSET_TRUNK_LEG, 0));
  a.kind = CODEC_PCMA;
  a.pt = 8;
  a.has_no_events = true;
  CHECK(leg_describe(&a, 1, SUITE_AES_CM_128_HMAC_SHA1_80, 8000, MSET_SYMMETRIC_OFF));
  mset_init(&m, MSET_DIGITS, a.id);
  m.digits.op = 77;
  m.digits.duration_ms = 100;
  (void)!slice_copy(m.digits.digits, sizeof(m.digits.digits), SLICE("15#"));
  CHECK(ask_ok(&m));
  while (leg_take_rtp(&a, 300, &g)) {
    int16_t pcm[160];
    CHECK(g.rtp.pt == 8 && g.rtp.payload_bytes == 160, "%u", g.rtp.pt);
    for (unsigned i = 0; i < 160; i++)
      pcm[i] = g711_expand(G711_ALAW, g.rtp.payload[i]);
    size_t events = inband_feed(ear, pcm, 160, heard);
    for (size_t i = 0; i < events; i++)
      if (heard[i].is_end && n < sizeof(digits) - 1) {
        CHECK(heard[i].ms >= 75 && heard[i].ms <= 115, "%u ms", heard[i].ms);
        digits[n++] = heard[i].digit;
      }
  }
  CHECK(strcmp(digits, "15#") == 0, "%s", digits);
  CHECK(event_wait(MSET_DIGITS_DONE, a.id, 1000, &m) && m.digits_done.op == 77 && m.digits_done.ok);
  inband_free(ear);
  leg_close(&a);
}

/* Every octet of G.711 passes as it is: fax and modems live on that. */
static void all_octets_pass(void) {
  struct leg a, b;
  struct got g;
  uint8_t payload[256];
  for (unsigned i = 0; i < sizeof(payload); i++)
    payload[i] = (uint8_t)i;
  for (unsigned law = 0; law < 2; law++) {
    CHECK(leg_open(&a, MSET_TRUNK_LEG, 0) && leg_open(&b, MSET_TRUNK_LEG, a.id));
    a.pt = b.pt = law ? 8 : 0;
    a.kind = b.kind = law ? CODEC_PCMA : CODEC_PCMU;
    CHECK(leg_describe(&a, 1, SUITE_AES_CM_128_HMAC_SHA1_80, 8000, MSET_SYMMETRIC_OFF));
    CHECK(leg_describe(&b, 1, SUITE_AEAD_AES_128_GCM, 8000, MSET_SYMMETRIC_OFF) &&
          link_legs(a.id, b.id));
    leg_send(&a, a.pt, false, a.ts, payload, sizeof(payload));
    CHECK(leg_take_rtp(&b, COME_MS, &g) && g.rtp.payload_bytes == sizeof(payload));
    CHECK(memcmp(g.rtp.payload, payload, sizeof(payload)) == 0);
    leg_close(&a);
    leg_close(&b);
  }
}

/* A conversation between PCMU and Opus ----------------------------------------------------------- */
struct talk {
  struct leg a, b; /* a speaks PCMU, b Opus */
  struct encoder *encoder;
  struct decoder *decoder;
  struct tone tone;
  unsigned to_a, to_b, steps_back, gaps;
  uint16_t seq_a, seq_b;
  uint32_t ts_a, ts_b;
  double level_a, level_b; /* level_a and level_b of the newest frame, dBm0 */
};

static void talk_hear_a(struct talk *t) {
  struct got g;
  while (leg_take(&t->a, 0, &g)) {
    if (g.is_rtcp)
      continue;
    CHECK(g.rtp.pt == 0 && g.rtp.payload_bytes == 160, "%u, %zu", g.rtp.pt, g.rtp.payload_bytes);
    t->gaps += t->to_a && g.rtp.seq != (uint16_t)(t->seq_a + 1);
    t->steps_back += t->to_a && (int32_t)(g.rtp.ts - t->ts_a) <= 0;
    t->level_a = level_dbm0(G711_ULAW, g.rtp.payload, g.rtp.payload_bytes);
    t->seq_a = g.rtp.seq;
    t->ts_a = g.rtp.ts;
    t->to_a++;
  }
}

static void talk_hear_b(struct talk *t) {
  struct got g;
  int16_t pcm[960];
  uint8_t law[960];
  while (leg_take(&t->b, 0, &g)) {
    if (g.is_rtcp || g.rtp.pt == 101)
      continue;
    size_t n = 0;
    bool is_left = t->b.kind != CODEC_OPUS && g.rtp.pt == 111; /* was on its way */
    CHECK(g.rtp.pt == t->b.pt || is_left, "%u", g.rtp.pt);
    if (g.rtp.pt == 111) {
      n = decoder_decode(t->decoder, g.rtp.payload, g.rtp.payload_bytes, pcm, COUNT_OF(pcm));
      CHECK(n == 160, "%zu samples", n);
    }
    for (size_t i = 0; i < n; i++)
      law[i] = g711_compress(G711_ULAW, pcm[i]);
    t->level_b = level_dbm0(G711_ULAW, n ? law : g.rtp.payload, n ? n : g.rtp.payload_bytes);
    t->gaps += t->to_b && g.rtp.seq != (uint16_t)(t->seq_b + 1);
    t->steps_back += t->to_b && (int32_t)(g.rtp.ts - t->ts_b) <= 0;
    t->seq_b = g.rtp.seq;
    t->ts_b = g.rtp.ts;
    t->to_b++;
  }
}

/* Both speak for so many packets of 20 ms, at their pace. */
static void talk_on(struct talk *t, unsigned frames) {
  uint8_t law[160], payload[CODER_PAYLOAD_MAX];
  int16_t pcm[160];
  uint64_t next_us = clock_now_us();
  for (unsigned i = 0; i < frames; i++, next_us += 20000) {
    tone_fill(&t->tone, G711_ULAW, law, sizeof(law));
    leg_send(&t->a, 0, false, t->a.ts, law, sizeof(law));
    t->a.ts += 160;
    for (unsigned k = 0; k < 160; k++)
      pcm[k] = g711_expand(G711_ULAW, law[k]);
    size_t n =
        t->b.kind == CODEC_OPUS ? encoder_encode(t->encoder, pcm, 160, payload, sizeof(payload)) : 0;
    leg_send(&t->b, t->b.pt, false, t->b.ts, n ? payload : law, n ? n : sizeof(law));
    t->b.ts += n ? 960 : 160;
    while (clock_now_us() < next_us + 20000) {
      talk_hear_a(t);
      talk_hear_b(t);
      nap(2);
    }
  }
}

/* are_apart: on two workers. */
static void transcoded(bool are_apart) {
  struct talk t = {0};
  struct coder_format f = {.kind = CODER_OPUS, .rate_hz = 8000, .complexity = 0};
  struct got g;
  union mset_any m;
  tone_init(&t.tone, TONE_1004);
  CHECK(encoder_new(&t.encoder, &f) == 0 && decoder_new(&t.decoder, &f) == 0);
  CHECK(leg_open(&t.a, MSET_TRUNK_LEG, 0) && leg_open(&t.b, MSET_TRUNK_LEG, are_apart ? 0 : t.a.id));
  CHECK((t.a.o.worker != t.b.o.worker) == are_apart);
  t.a.kind = CODEC_PCMU;
  t.b.kind = CODEC_OPUS;
  t.b.pt = 111;
  CHECK(leg_describe(&t.a, 1, SUITE_AES_CM_128_HMAC_SHA1_80, 8000, MSET_SYMMETRIC_OFF));
  CHECK(leg_describe(&t.b, 1, SUITE_AEAD_AES_128_GCM, 48000, MSET_SYMMETRIC_OFF));
  CHECK(link_legs(t.a.id, t.b.id));
  talk_on(&t, 75);
  CHECK(t.to_a > 30 && t.to_b > 30, "%u to a, %u to b", t.to_a, t.to_b);
  CHECK(t.level_a > -15 && t.level_a < -6 && t.level_b > -15 && t.level_b < -6, "%.1f and %.1f dBm0",
        t.level_a, t.level_b);
  CHECK(!t.gaps && !t.steps_back, "%u gaps, %u steps back", t.gaps, t.steps_back);
  uint32_t ts = t.ts_b;
  CHECK(ts != 0);
  /* A digit, between the clocks, while the encoder is quiet. */
  for (unsigned i = 0; i < 6; i++) {
    uint8_t event[4] = {7, (uint8_t)(i > 2 ? 0x8a : 0x0a), 0, (uint8_t)(i < 3 ? 40 * (i + 1) : 160)};
    leg_send(&t.a, 101, i == 0, t.a.ts, event, sizeof(event));
  }
  unsigned events = 0;
  uint64_t late = drops(DROP_LATE);
  while (events < 6 && leg_take_rtp(&t.b, COME_MS, &g)) {
    CHECK(g.rtp.seq == (uint16_t)(t.seq_b + 1), "no gap before a %u", g.rtp.pt);
    t.seq_b = g.rtp.seq;
    if (g.rtp.pt == 101) {
      CHECK(g.rtp.payload[0] == 7 && g.rtp.marker == (events == 0));
      CHECK((g.rtp.payload[2] << 8 | g.rtp.payload[3]) % 240 == 0, "scaled");
      events++;
    }
  }
  CHECK(events == 6, "%u", events);
  CHECK(event_wait(MSET_DIGIT, t.a.id, 1000, &m) && m.digit.digit == '7');
  t.a.ts += 160;
  t.to_b = 1;
  t.gaps = t.steps_back = 0;
  talk_on(&t, 25);
  CHECK(t.to_b >= 10 && !t.gaps && !t.steps_back, "%u after the digit, %u gaps", t.to_b, t.gaps);
  CHECK(drops(DROP_LATE) == late, "a place was given twice");
  /* b goes over to PCMU: what it sends and hears passes as it is, its numbers go on. */
  t.gaps = t.steps_back = t.to_b = 0;
  t.b.kind = CODEC_PCMU;
  t.b.pt = 0;
  mset_init(&m, MSET_REMOTE, t.b.id);
  m.remote.remote = 1;
  m.remote.security = MSET_SDES;
  m.remote.rtcp_mux = m.remote.send = m.remote.recv = 1;
  m.remote.rtp = m.remote.rtcp = t.b.at;
  m.remote.rx = t.b.theirs;
  m.remote.tx = t.b.ours;
  codecs_set(&m.remote, &t.b, 8000);
  CHECK(ask_ok(&m));
  uint16_t seq = t.seq_b;
  talk_hear_b(&t); /* of the old kind */
  talk_on(&t, 20);
  CHECK(t.to_b >= 19 && (uint16_t)(t.seq_b - seq) >= 19, "%u, %u", t.to_b, (uint16_t)(t.seq_b - seq));
  CHECK(t.level_b > -15 && t.level_b < -6, "%.1f", t.level_b);
  CHECK(!t.gaps && !t.steps_back, "%u gaps, %u steps back", t.gaps, t.steps_back);
  leg_close(&t.a);
  leg_close(&t.b);
  encoder_free(t.encoder);
  decoder_free(t.decoder);
}

/* The legs of a link on two workers; another link undoes it, and one that ended is no harm. */
static void between_workers(void) {
  struct leg a, b, c;
  struct got g;
  uint16_t last = 0;
  CHECK(leg_open(&a, MSET_TRUNK_LEG, 0) && leg_open(&b, MSET_TRUNK_LEG, 0) && a.o.worker != b.o.worker);
  CHECK(leg_open(&c, MSET_TRUNK_LEG, a.id) && c.o.worker == a.o.worker);
  a.kind = b.kind = c.kind = CODEC_PCMU;
  CHECK(leg_describe(&a, 1, SUITE_AES_CM_128_HMAC_SHA1_80, 8000, MSET_SYMMETRIC_OFF));
  CHECK(leg_describe(&b, 1, SUITE_AEAD_AES_128_GCM, 48000, MSET_SYMMETRIC_OFF));
  CHECK(leg_describe(&c, 1, SUITE_AEAD_AES_256_GCM, 8000, MSET_SYMMETRIC_OFF));
  CHECK(link_legs(a.id, b.id));
  for (unsigned i = 0; i < 20; i++) {
    leg_send_frame(&a, (uint8_t)i);
    CHECK(leg_take_rtp(&b, COME_MS, &g) && g.rtp.payload_bytes == 160 && g.rtp.payload[0] == i, "frame %u",
          i);
    CHECK(!i || g.rtp.seq == (uint16_t)(last + 1));
    last = g.rtp.seq;
    leg_send_frame(&b, (uint8_t)i);
    CHECK(leg_take_rtp(&a, COME_MS, &g) && g.rtp.payload[0] == i, "frame %u back", i);
  }
  uint8_t event[4] = {3, 0x0a, 0, 160};
  leg_send(&a, 101, true, a.ts, event, sizeof(event));
  CHECK(leg_take_rtp(&b, COME_MS, &g) && g.rtp.pt == 101 && g.rtp.payload[0] == 3);
  CHECK((g.rtp.payload[2] << 8 | g.rtp.payload[3]) == 960, "in the other clock");
  CHECK(link_legs(a.id, c.id)); /* b is alone */
  leg_send_frame(&b, 50);
  CHECK(leg_drain(&a) == 0);
  leg_send_frame(&a, 60);
  CHECK(leg_take_rtp(&c, COME_MS, &g) && g.rtp.payload[0] == 60 && leg_drain(&b) == 0);
  CHECK(link_legs(b.id, a.id)); /* and now c */
  leg_send_frame(&c, 70);
  leg_send_frame(&b, 80);
  CHECK(leg_take_rtp(&a, COME_MS, &g) && g.rtp.payload[0] == 80 && leg_drain(&a) == 0);
  leg_close(&a);
  leg_send_frame(&b, 90);
  leg_close(&b);
  leg_close(&c);
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
  if (!rig_start("calls"))
    return 1;
  two_secured_legs();
  strangers_at_a_secured_leg();
  replay();
  plain_leg();
  hold_has_silence();
  digits_between_clocks();
  digits_as_sound();
  all_octets_pass();
  transcoded(false);
  transcoded(true);
  between_workers();
  keys_change();
  keys_change_after_a_roll_over();
  forked_remotes();
  reports_and_a_bye_from_the_wire();
  silence_is_told();
  app_to_trunk();
  trunk_with_dtls(false);
  trunk_with_dtls(true);
  faults();
  ports_run_out();
  controller_dies();
  malformed_command();
  controller_close();
  rig_stop();
  suite_stop();
  printf("%u failures\n", failures);
  return failures > 0;
}
