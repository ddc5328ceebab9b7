/* SPDX-License-Identifier: Apache-2.0
 * Two linked trunk legs of a real worker, with real sockets on loopback and a clock that the test sets:
 * reports and where they go, extended reports, feedback, media timeout and one-way audio over hold. */
#include "base/clock.h"
#include "media/session.h"
#include "media/worker.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>

enum { MS = 1000, FRAME_US = 20 * MS, TIMEOUT_S = 10, MUX = 1, XR = 2, PAIR = 4, MUTE = 8, V6 = 16 };

struct peer { /* the far end of a leg */
  uint64_t id;
  int fd, rtcp_fd;
  struct addr leg, leg_rtcp; /* where the leg is */
  struct addr at, at_rtcp;
  unsigned flags;
  uint16_t seq;
  uint32_t ssrc, n_audio, n_rtcp,
      n_rtcp_apart; /* n_rtcp_apart came from the leg's second port to ours */
  uint8_t rtcp[1500];
  size_t rtcp_bytes;
};

static struct {
  struct media_options options;
  struct facts facts;
  struct worker *worker;
  struct dtlscert *cert;
  uint64_t now_us, seq;
  struct peer a, b;
  unsigned silent, back, timeouts, quality_up, quality_down;
  uint64_t silent_us, silent_id;
  struct mset_facts end;
} rig;

static void take_events(struct mset_opened *opened) {
  union up m;
  while (worker_get(rig.worker, &m)) {
    if (m.h.type == MSET_FAULT)
      cr_assert(false, "%u: %d", m.fault.command, m.fault.error);
    if (m.h.type == MSET_OPENED && opened)
      *opened = m.opened;
    rig.timeouts += m.h.type == MSET_TIMEOUT;
    rig.quality_up += m.h.type == MSET_QUALITY && m.quality.up;
    rig.quality_down += m.h.type == MSET_QUALITY && !m.quality.up;
    if (m.h.type != MSET_ONEWAY)
      continue;
    rig.silent += m.oneway.active != 0;
    rig.back += !m.oneway.active;
    if (m.oneway.active && !rig.silent_us) {
      rig.silent_us = rig.now_us;
      rig.silent_id = m.h.session;
    }
  }
}

static void command(union mset_any *m, struct mset_opened *opened) {
  m->h.seq = ++rig.seq;
  cr_assert_eq(mset_check(m, m->h.bytes, true), 0);
  cr_assert(worker_put(rig.worker, m));
  worker_turn(rig.worker, 0);
  take_events(opened);
}

static int open_socket(struct addr *at, bool is_v6) {
  struct addr local;
  socklen_t n = sizeof(*at);
  cr_assert_eq(addr_parse(&local, slice_of(is_v6 ? "::1" : "127.0.0.1"), 0), 0);
  int fd = socket(local.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  cr_assert(fd >= 0 && bind(fd, &local.sa, addr_len(&local)) == 0);
  memset(at, 0, sizeof(*at));
  cr_assert_eq(getsockname(fd, &at->sa, &n), 0);
  return fd;
}

static void describe(struct peer *p, bool send, bool recv) {
  union mset_any m;
  mset_init(&m, MSET_REMOTE, p->id);
  m.remote.remote = 1;
  m.remote.send = send;
  m.remote.recv = recv;
  m.remote.rtcp_mux = (p->flags & MUX) != 0;
  m.remote.rtcp_xr = (p->flags & XR) != 0;
  m.remote.rx_ptime_ms = 20;
  m.remote.rtp = p->at;
  m.remote.rtcp = p->flags & MUX ? p->at : p->at_rtcp;
  m.remote.n_codecs = 2;
  m.remote.codecs[0] =
      (struct mset_codec){.pt = 0, .kind = CODEC_PCMU, .clock_hz = 8000, .ptime_ms = 20};
  m.remote.codecs[1] = (struct mset_codec){.pt = 101, .kind = CODEC_TELEV, .clock_hz = 8000};
  command(&m, NULL);
}

static void link_to(uint64_t a, uint64_t b) {
  union mset_any m;
  mset_init(&m, MSET_LINK, a);
  m.link.peer = b;
  command(&m, NULL);
}

static void open_leg(struct peer *p, uint64_t id, unsigned flags) {
  union mset_any m;
  struct mset_opened o = {0};
  *p = (struct peer){.id = id, .flags = flags, .ssrc = (uint32_t)(1000 + id)};
  p->fd = open_socket(&p->at, flags & V6);
  p->rtcp_fd = open_socket(&p->at_rtcp, flags & V6);
  mset_init(&m, MSET_OPEN, id);
  m.open.kind = MSET_TRUNK_LEG;
  m.open.family = flags & V6 ? AF_INET6 : AF_INET;
  m.open.rtcp_pair = (flags & PAIR) != 0;
  m.open.media_timeout_s = TIMEOUT_S;
  command(&m, &o);
  p->leg = o.rtp[0];
  p->leg_rtcp = flags & PAIR ? o.rtcp : o.rtp[0];
  describe(p, true, true);
}

static void start(unsigned flags_a, unsigned flags_b) {
  memset(&rig, 0, sizeof(rig));
  rig.now_us = 1000000 * (uint64_t)MS;
  clock_fake(rig.now_us, 1700000000000u);
  report_set_epoch(rig.now_us, 1700000000000u);
  rig.options = (struct media_options){.workers = 1,
                                       .n_addresses = 2,
                                       .trunk_port_min = 20000,
                                       .trunk_port_max = 29999,
                                       .backend = "epoll",
                                       .max_sessions = 16};
  cr_assert_eq(addr_parse(&rig.options.addresses[0].bind, SLICE("127.0.0.1"), 0), 0);
  cr_assert_eq(addr_parse(&rig.options.addresses[1].bind, SLICE("::1"), 0), 0);
  for (unsigned i = 0; i < 2; i++)
    rig.options.addresses[i].shown = rig.options.addresses[i].bind;
  cr_assert_eq(suite_start(), 0);
  cr_assert_eq(facts_init(&rig.facts, 16), 0);
  cr_assert_eq(worker_new(&rig.worker, &rig.options, 0, &rig.facts, NULL, -1), 0);
  cr_assert_eq(dtlscert_new(&rig.cert), 0);
  rig.worker->cert = rig.cert;
  open_leg(&rig.a, 1, flags_a);
  open_leg(&rig.b, 2, flags_b);
  link_to(1, 2);
}

static void stop(void) {
  close(rig.a.fd), close(rig.a.rtcp_fd), close(rig.b.fd), close(rig.b.rtcp_fd);
  worker_free(rig.worker);
  dtlscert_free(rig.cert);
  facts_done(&rig.facts);
  clock_fake(0, 0);
}

static void send_to(const struct peer *p, bool is_rtcp, const void *bytes, size_t n) {
  const struct addr *to = is_rtcp ? &p->leg_rtcp : &p->leg;
  int fd = is_rtcp && !(p->flags & MUX) ? p->rtcp_fd : p->fd;
  cr_assert_eq(sendto(fd, bytes, n, 0, &to->sa, addr_len(to)), (ssize_t)n);
}

static void speak(struct peer *p) {
  uint8_t buf[172] = {0};
  rtp_put(buf, 0, false, p->seq, p->seq * 160u, p->ssrc);
  p->seq++;
  if (!(p->flags & MUTE))
    send_to(p, false, buf, sizeof(buf));
}

static void hear(struct peer *p) {
  uint8_t buf[1500];
  struct addr from = {0};
  for (int i = 0; i < 2; i++)
    for (;;) {
      socklen_t from_n = sizeof(from);
      ssize_t n = recvfrom(i ? p->rtcp_fd : p->fd, buf, sizeof(buf), 0, &from.sa, &from_n);
      if (n <= 0)
        break;
      bool is_rtcp = n > 1 && buf[1] >= 192 && buf[1] <= 223;
      p->n_audio += !is_rtcp;
      p->n_rtcp += is_rtcp;
      p->n_rtcp_apart += is_rtcp && i && addr_port(&from) == addr_port(&p->leg_rtcp);
      if (is_rtcp)
        memcpy(p->rtcp, buf, p->rtcp_bytes = (size_t)n);
    }
}

static void run(unsigned ms) {
  for (unsigned i = 0; i < ms / 20; i++) {
    rig.now_us += FRAME_US;
    clock_fake(rig.now_us, 1700000000000u + rig.now_us / 1000);
    speak(&rig.a);
    speak(&rig.b);
    worker_turn(rig.worker, 0);
    worker_turn(rig.worker, 0);
    take_events(NULL);
    hear(&rig.a);
    hear(&rig.b);
  }
}

static struct mset_facts facts_of(const struct peer *p) {
  struct mset_facts f;
  run(200); /* they are written by the slow timer */
  session_facts(session_find(rig.worker, p->id), &f);
  return f;
}

TestSuite(leg, .fini = stop);

Test(leg, reports_go_where_the_description_says) {
  start(MUX, PAIR);
  run(12000);
  cr_assert(rig.a.n_audio > 590 && rig.b.n_audio > 590, "%u %u", rig.a.n_audio, rig.b.n_audio);
  cr_assert(rig.a.n_rtcp >= 2 && rig.a.n_rtcp_apart == 0);
  cr_assert(rig.b.n_rtcp >= 2 && rig.b.n_rtcp_apart == rig.b.n_rtcp);
  cr_assert(rig.quality_up == 4 && rig.quality_down == 0); /* no report came: nothing is made up */
  struct mset_facts f = facts_of(&rig.a);
  cr_assert(f.rtcp_rx == 0 && f.remote_lost == 0 && f.rtt_us == 0 && f.mos_tx_centi == 0);
  cr_assert(f.mos_rx_centi > 430 && rig.timeouts == 0);
}

/* The block about what p sends, in the last report that it got. */
static bool block_of(const struct peer *p, struct rtcp_sender *sender, struct rtcp_block *ret) {
  struct rtcp_walk w = rtcp_walk_of(p->rtcp, p->rtcp_bytes);
  struct rtcp_packet one;
  return rtcp_next(&w, &one) && rtcp_sender(&one, sender) && rtcp_block(&one, 0, ret);
}

Test(leg, a_peer_s_report_gives_loss_and_round_trip) {
  struct rtcp_sender sender;
  struct rtcp_block heard, b;
  uint8_t buf[200];
  start(MUX, MUX);
  rig.a.seq = 0;
  run(3000);
  rig.a.seq += 10;
  for (unsigned i = rig.a.n_rtcp; rig.a.n_rtcp == i;)
    run(20);
  cr_assert(block_of(&rig.a, &sender, &heard) && heard.ssrc == rig.a.ssrc && heard.lost == 10);
  b = (struct rtcp_block){.ssrc = sender.ssrc,
                          .fraction = 13,
                          .lost = 7,
                          .max_seq = 200,
                          .jitter = 16,
                          .lsr = (uint32_t)(sender.ntp >> 16),
                          .dlsr = 65536 / 2};
  run(600); /* half a second here, the rest on the way */
  size_t n = rtcp_put(buf, sizeof(buf), rig.a.ssrc, NULL, &b, 1, SLICE("a"), false);
  send_to(&rig.a, true, buf, n);
  struct mset_facts f = facts_of(&rig.a);
  cr_assert(f.remote_lost == 7 && f.remote_jitter_us == 2000 && f.rtcp_rx == 1);
  cr_assert(f.rtt_us >= 80 * MS && f.rtt_us <= 140 * MS, "%u", f.rtt_us);
  run(6000);
  cr_assert_eq(rig.quality_down, 1);
  f = facts_of(&rig.a);
  cr_assert(f.mos_tx_centi > 300 && f.mos_tx_centi < 420 && f.rx.lost == 10, "%u", f.mos_tx_centi);
}

Test(leg, feedback_of_reduced_size_is_counted_and_a_bye_ends_nothing) {
  static const char pli[] = "\x81\xce\0\2\0\0\0\2\0\0\0\1",
                    nack[] = "\x81\xcd\0\3\0\0\0\2\0\0\0\1\0\7\0\0", bye[] = "\x81\xcb\0\1\0\0\0\2";
  start(MUX, MUX);
  run(200);
  send_to(&rig.a, true, pli, sizeof(pli) - 1);
  send_to(&rig.a, true, nack, sizeof(nack) - 1);
  send_to(&rig.a, true, bye, sizeof(bye) - 1);
  struct mset_facts f = facts_of(&rig.a);
  cr_assert(f.picture_losses == 1 && f.nacks == 1 && f.byes == 1 && f.rx.malformed == 0);
  unsigned heard = rig.b.n_audio;
  run(1000);
  cr_assert_geq(rig.b.n_audio, heard + 48);
}

static bool find_voip(const struct peer *p, struct rtcpxr_voip *ret) {
  struct rtcp_walk w = rtcp_walk_of(p->rtcp, p->rtcp_bytes);
  struct rtcp_packet one;
  struct rtcpxr_walk x;
  struct rtcpxr_block b;
  uint32_t from;
  while (rtcp_next(&w, &one))
    if (rtcpxr_walk_of(&one, &from, &x))
      while (rtcpxr_next(&x, &b))
        if (rtcpxr_read_voip(&b, ret))
          return true;
  return false;
}

Test(leg, metrics_go_to_who_takes_them_and_come_from_it) {
  struct rtcpxr_voip v, theirs = {.loss = 9, .burst_ms = 77, .r_factor = 80, .mos_listening = 40};
  uint8_t buf[200];
  start(MUX | XR, MUX);
  run(6000);
  rig.a.seq += 30; /* a hole in what a sends */
  run(10000);
  cr_assert(find_voip(&rig.a, &v) && v.ssrc == rig.a.ssrc && v.loss > 5 && v.burst_density > 200);
  cr_assert(v.r_factor > 60 && v.mos_listening > 30 && v.signal == RTCPXR_UNKNOWN);
  cr_assert_not(find_voip(&rig.b, &v));
  struct mset_facts f = facts_of(&rig.a);
  cr_assert(f.xr.tx >= 2 && !f.xr.is_given);
  theirs.ssrc = f.tx.ssrc;
  size_t n = rtcpxr_put(buf, sizeof(buf), &(struct rtcpxr_out){.ssrc = rig.a.ssrc, .voip = &theirs});
  send_to(&rig.a, true, buf, n);
  f = facts_of(&rig.a);
  cr_assert(f.xr.is_given && f.xr.loss == 9 && f.xr.burst_ms == 77 && f.xr.r_factor == 80 &&
            f.xr.rx == 1);
}

Test(leg, media_timeout_knows_of_hold) {
  start(MUX, MUX);
  run(2000);
  describe(&rig.a, true, false); /* held: we send, it does not */
  rig.a.flags |= MUTE;
  run(30000);
  cr_assert_eq(rig.timeouts, 0);
  describe(&rig.a, false, false); /* inactive */
  run(30000);
  cr_assert_eq(rig.timeouts, 0);
  describe(&rig.a, true, true); /* resumed, and dead: the time begins now */
  run(TIMEOUT_S * 1000 - 600);
  cr_assert_eq(rig.timeouts, 0);
  run(1200);
  cr_assert_eq(rig.timeouts, 1);
  run(5000);
  cr_assert_eq(rig.timeouts, 1); /* told once */
}

Test(leg, one_way_audio_is_told_within_5_s) {
  start(MUX, MUX);
  run(10000);
  cr_assert_eq(rig.silent, 0);
  uint64_t muted_us = rig.now_us;
  rig.a.flags |= MUTE;
  run(5000);
  cr_assert(rig.silent >= 1 && rig.silent_id == 1 && rig.silent_us - muted_us <= 5000 * MS, "%lu us",
            (unsigned long)(rig.silent_us - muted_us));
  rig.a.flags &= ~(unsigned)MUTE;
  run(400);
  cr_assert_eq(rig.back, 1);
  struct mset_facts f = facts_of(&rig.a);
  cr_assert(f.silent_ms >= 4500 && f.silent_ms <= 5500, "%u", f.silent_ms);
}

Test(leg, held_unlinked_both_mute_or_comfort_noise_is_not_one_way) {
  start(MUX, MUX);
  run(2000);
  rig.a.flags |= MUTE;
  describe(&rig.a, true, false);
  run(8000);
  describe(&rig.a, true, true);
  link_to(1, 0); /* how a hold by the verb looks from here */
  run(8000);
  link_to(1, 2);
  rig.b.flags |= MUTE;
  run(8000);
  rig.b.flags &= ~(unsigned)MUTE;
  uint8_t noise[13];
  rtp_put(noise, 13, false, rig.a.seq, rig.a.seq * 160u, rig.a.ssrc);
  rig.a.seq++;
  noise[12] = 60;
  send_to(&rig.a, false, noise, sizeof(noise)); /* silence that is meant */
  run(8000);
  cr_assert_eq(rig.silent, 0);
}

Test(leg, a_call_goes_from_ipv4_to_ipv6_and_back) {
  start(MUX, MUX | V6);
  cr_assert_eq(addr_family(&rig.a.leg), AF_INET);
  cr_assert_eq(addr_family(&rig.b.leg), AF_INET6);
  run(2000);
  cr_assert(rig.a.n_audio > 90 && rig.b.n_audio > 90, "%u %u", rig.a.n_audio, rig.b.n_audio);
}

/* OPEN of a session; its reply's -errno, 0 for OPENED. */
static int try_open(uint64_t id, uint64_t beside, uint32_t flags) {
  union mset_any m;
  union up reply;
  mset_init(&m, MSET_OPEN, id);
  m.h.seq = ++rig.seq;
  m.open.kind = MSET_TRUNK_LEG;
  m.open.family = AF_INET;
  m.open.beside = beside;
  m.open.flags = flags;
  cr_assert_eq(mset_check(&m, m.h.bytes, true), 0);
  cr_assert(worker_put(rig.worker, &m));
  worker_turn(rig.worker, 0);
  while (worker_get(rig.worker, &reply))
    if (reply.h.seq == rig.seq)
      return reply.h.type == MSET_FAULT ? reply.fault.error : 0;
  return -ETIME;
}

Test(leg, a_worker_with_too_much_to_do_opens_no_new_call) {
  start(MUX, MUX);
  run(100);
  cr_assert_eq(try_open(11, 0, 0), 0);
  rig.worker->overload.verdict = OVERLOAD_NO_NEW;
  cr_assert_eq(try_open(12, 0, 0), -EBUSY);
  cr_assert_eq(try_open(13, 1, 0), 0);                /* the other leg of a call that is there */
  cr_assert_eq(try_open(14, 0, MSET_OPEN_URGENT), 0); /* an emergency */
  unsigned had = rig.b.n_audio;
  run(1500); /* calls go on; the window of few packets opens the door again */
  cr_assert(rig.b.n_audio > had + 70);
  cr_assert_eq(rig.worker->overload.verdict, OVERLOAD_OPEN);
  cr_assert_eq(try_open(15, 0, 0), 0);
}

Test(leg, what_does_not_speak_yet_is_counted_until_it_does_or_ends) {
  start(MUX, MUX);
  cr_assert_eq(rig.worker->overload.silent, 2);
  run(100);
  cr_assert_eq(rig.worker->overload.silent, 0);
  cr_assert_eq(try_open(11, 0, 0), 0);
  cr_assert_eq(rig.worker->overload.silent, 1);
  run(31000);
  cr_assert_eq(rig.worker->overload.silent, 0);
  cr_assert_eq(try_open(12, 0, 0), 0);
  session_close(session_find(rig.worker, 12));
  cr_assert_eq(rig.worker->overload.silent, 0);
}

/* Both stop at once (a network that went away); encoders go on with what they conceal. */
Test(leg, an_encoder_s_tail_is_not_the_far_end) {
  start(MUX, MUX);
  run(2000);
  rig.a.flags |= MUTE;
  rig.b.flags |= MUTE;
  for (unsigned i = 0; i < 40; i++) {
    run(200);
    session_find(rig.worker, 1)->forwarded_us = session_find(rig.worker, 2)->forwarded_us = rig.now_us;
  }
  cr_assert_eq(rig.silent, 0);
}
