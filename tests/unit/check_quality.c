/* SPDX-License-Identifier: Apache-2.0
 * Quality of streams, in virtual time: statistics beside plain models of RFC 3550, bursts of loss,
 * the E-model beside ITU-T's figures, reports and extended reports, one-way audio. */
#include "media/quality.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

enum { MS = 1000, FRAME_US = 20 * MS };

static enum drop feed_ts(struct strm *s, uint16_t seq, uint32_t ts, bool marker, uint64_t now_us) {
  uint64_t ext;
  struct rtp p = {.ssrc = 1, .seq = seq, .ts = ts, .marker = marker, .payload_bytes = 160};
  return strm_input(s, &p, true, 8000, now_us, &ext);
}

static enum drop feed(struct strm *s, uint16_t seq, uint64_t now_us) {
  return feed_ts(s, seq, seq * 160u, false, now_us);
}

/* strm beside RFC 3550 ------------------------------------------------------------------------------ */
static uint32_t seed = 1;
static uint32_t draw(uint32_t below) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % below;
}

Test(strm_model, jitter_is_that_of_appendix_a8) {
  struct strm s;
  double model = 0, last = 0;
  strm_init(&s, 1, 8000);
  for (uint16_t i = 0; i < 2000; i++) {
    uint64_t now = 1000000 + i * (uint64_t)FRAME_US + draw(40 * MS);
    double transit = (double)(uint32_t)(now * 8000 / 1000000) - i * 160.0;
    if (i)
      model += (fabs(transit - last) - model) / 16;
    last = transit;
    cr_assert_eq(feed(&s, i, now), DROP_NONE);
    cr_assert_leq(fabs(strm_jitter_us(&s) / 125.0 - model), 1.5, "packet %u", i);
  }
  cr_assert_gt(model, 60);
}

Test(strm_model, loss_order_and_duplicates_are_exact) {
  for (unsigned round = 0; round < 200; round++) {
    struct strm s;
    struct rtcp_block b;
    uint64_t lost = 0, runs = 0, twice = 0, swapped = 0;
    bool was_lost = false;
    uint16_t first = (uint16_t)draw(65536);
    strm_init(&s, 1, 8000);
    for (unsigned i = 0; i < 400; i++) {
      uint16_t seq = (uint16_t)(first + i);
      uint32_t fate = i && i < 300 ? draw(20) : 0; /* the last hundred push the rest out of the window */
      if (fate == 1) {
        lost++;
        runs += !was_lost;
      } else if (fate == 2) {
        cr_assert_eq(feed(&s, (uint16_t)(seq + 1), i * FRAME_US), DROP_NONE);
        cr_assert_eq(feed(&s, seq, i * FRAME_US), DROP_NONE);
        swapped++;
        i++;
      } else {
        cr_assert_eq(feed(&s, seq, i * FRAME_US), DROP_NONE);
        if (fate == 3)
          twice += feed(&s, seq, i * FRAME_US) == DROP_DUPLICATE;
      }
      was_lost = fate == 1;
    }
    cr_assert_eq(strm_lost(&s), lost);
    cr_assert_eq(s.duplicate, twice);
    cr_assert_eq(s.reordered, swapped);
    cr_assert(s.burst.lost == lost && s.burst.runs == runs, "%lu/%lu lost, %lu/%lu runs",
              (unsigned long)s.burst.lost, (unsigned long)lost, (unsigned long)s.burst.runs,
              (unsigned long)runs);
    strm_block(&s, 0, &b);
    cr_assert_eq(b.lost, (int32_t)lost);
    cr_assert_eq(b.fraction, lost * 256 / 400);
    cr_assert_eq((uint16_t)b.max_seq, (uint16_t)(first + 399));
  }
}

Test(strm_model, one_before_the_first_is_no_gain) {
  struct strm s;
  strm_init(&s, 1, 8000);
  cr_assert_eq(feed(&s, 10, 0), DROP_NONE);
  cr_assert_eq(feed(&s, 8, 0), DROP_NONE); /* 9 is missing */
  cr_assert(s.expected == 3 && strm_lost(&s) == 1);
  cr_assert_eq(feed(&s, 9, 0), DROP_NONE);
  cr_assert_eq(strm_lost(&s), 0);
}

/* Ringback gives way to speech: the timestamps jump by a second, the path did not. */
Test(strm_model, a_marked_jump_is_no_jitter) {
  struct strm s;
  strm_init(&s, 1, 8000);
  for (uint16_t i = 0; i < 50; i++)
    cr_assert_eq(feed(&s, i, i * FRAME_US), DROP_NONE);
  for (uint16_t i = 50; i < 60; i++)
    cr_assert_eq(feed_ts(&s, i, i * 160u + 8000, i == 50, i * FRAME_US), DROP_NONE);
  cr_assert(strm_jitter_us(&s) == 0 && s.max_jitter_us == 0, "%u", s.max_jitter_us);
  cr_assert_eq(feed_ts(&s, 60, 60 * 160u + 16000, false, 60 * FRAME_US), DROP_NONE);
  cr_assert_gt(strm_jitter_us(&s), 50 * MS); /* unmarked, it may be the path */
}

/* burst --------------------------------------------------------------------------------------------- */
static void came(struct burst *b, unsigned n) {
  while (n--)
    burst_add_came(b);
}

Test(burst, gaps_and_bursts_of_rfc_3611) {
  struct burst b = {0};
  struct burst_figures f;
  came(&b, 100);
  burst_read(&b, 20, &f);
  cr_assert(f.burst_density == 0 && f.gap_density == 0 && f.gap_ms == 2000);
  burst_add_lost(&b); /* single losses, far apart: a gap of low density */
  came(&b, 99);
  burst_add_lost(&b);
  came(&b, 99);
  burst_read(&b, 20, &f);
  cr_assert(f.burst_density == 0 && f.burst_ms == 0 && f.gap_density <= 2);
  for (unsigned i = 0; i < 8; i++) { /* every second of sixteen: a burst of density 1/2 */
    burst_add_lost(&b);
    came(&b, 1);
  }
  came(&b, 100);
  burst_read(&b, 20, &f);
  cr_assert(f.burst_density > 110 && f.burst_density < 150, "%u", f.burst_density);
  cr_assert(f.burst_ms > 200 && f.burst_ms < 400, "%u", f.burst_ms);
  cr_assert(b.lost == 10 && b.runs == 10);
}

Test(burst, a_dead_second_is_one_run) {
  struct burst b = {0};
  struct burst_figures f;
  came(&b, 50);
  for (unsigned i = 0; i < 50; i++)
    burst_add_lost(&b);
  came(&b, 50);
  burst_read(&b, 20, &f);
  cr_assert(b.lost == 50 && b.runs == 1 && f.burst_density == 255, "%u", f.burst_density);
  cr_assert(f.burst_ms >= 900 && f.burst_ms <= 1100, "%u", f.burst_ms);
}

/* E-model --------------------------------------------------------------------------------------------
 */
static double rate(enum codec_kind codec, double loss, double burst, double delay_ms) {
  struct mos_in in = {codec, loss, burst, delay_ms};
  return mos_rating(&in);
}
#define NEAR(x, y, by) cr_assert_leq(fabs((x) - (y)), by, "%s is %.3f", #x, (double)(x))

Test(mos, figures_of_g107) {
  NEAR(rate(CODEC_PCMU, 0, 1, 0), 93.2, 0.02);
  NEAR(rate(CODEC_PCMU, 0, 1, 100), 90.7, 0.2);
  NEAR(rate(CODEC_PCMU, 0, 1, 400), 62.2, 0.5);
  const double table[][2] = {{93.2, 4.41}, {90, 4.34}, {80, 4.03}, {70, 3.60}, {60, 3.10}, {50, 2.58}};
  for (unsigned i = 0; i < COUNT_OF(table); i++)
    NEAR(mos_score(table[i][0]), table[i][1], 0.01);
  cr_assert(mos_score(0) == 1 && mos_score(-4) == 1 && mos_score(100) == 4.5);
}

Test(mos, loss_and_bursts) {
  NEAR(93.2 - rate(CODEC_PCMA, 0.05, 1, 0), 95 * 5 / 30.1, 0.05); /* with concealment */
  NEAR(93.2 - rate(CODEC_OTHER, 0.05, 1, 0), 95 * 5 / 9.3, 0.05); /* without */
  NEAR(93.2 - rate(CODEC_PCMU, 0.05, 2, 0), 95 * 5 / 27.6, 0.05); /* twice as clustered */
  double last = 5;
  for (unsigned percent = 0; percent <= 100; percent += 5) {
    double mos = mos_score(rate(CODEC_OPUS, percent / 100.0, 1, 150));
    cr_assert(mos < last && mos >= 1, "%u %% %f", percent, mos);
    last = mos;
  }
  NEAR(mos_burst_ratio(50, 50, 0.1), 1, 1e-9);
  NEAR(mos_burst_ratio(50, 10, 0.1), 4.5, 1e-9);
  NEAR(mos_burst_ratio(0, 0, 0), 1, 1e-9);
  NEAR(mos_delay_ms(100 * MS, 2 * MS, 20), 90, 1e-9);
  NEAR(mos_delay_ms(100 * MS, 30 * MS, 20), 130, 1e-9);
  cr_assert(isfinite(rate((enum codec_kind)200, 7, -3, -1)));
}

/* Reports --------------------------------------------------------------------------------------------
 */
struct end { /* a leg that reports */
  struct report r;
  struct strm strms[1];
  struct report_ours ours;
  struct rtcpxr_voip voip;
};

static void end_init(struct end *e, uint32_t ssrc, uint32_t hears, bool takes_xr) {
  *e = (struct end){.ours = {ssrc, 0, 0, 0, SLICE("c"), takes_xr ? &e->voip : NULL}};
  report_init(&e->r, 0);
  strm_init(&e->strms[0], hears, 8000);
}

static void pass(struct end *from, struct end *to, uint64_t at_us, uint32_t takes_us) {
  uint8_t buf[512];
  size_t n = report_put(&from->r, &from->ours, from->strms, 1, false, at_us, buf, sizeof(buf));
  cr_assert(n && report_input(&to->r, buf, n, to->ours.ssrc, to->strms, 1, at_us + takes_us));
}

Test(report_xr, metrics_and_round_trip_without_sender_reports) {
  struct end a, b;
  report_set_epoch(0, 1700000000000u);
  end_init(&a, 1, 2, true);
  end_init(&b, 2, 1, true);
  b.voip =
      (struct rtcpxr_voip){.ssrc = 1, .loss = 20, .burst_ms = 300, .r_factor = 70, .mos_listening = 36};
  pass(&a, &b, 1000 * MS, 40 * MS); /* a sends nothing: its reference time, answered by b */
  pass(&b, &a, 3000 * MS, 20 * MS);
  cr_assert(a.r.rtt_us > 59 * MS && a.r.rtt_us < 61 * MS, "%u", a.r.rtt_us);
  cr_assert(a.r.xr.ssrc == 1 && a.r.xr.loss == 20 && a.r.xr.burst_ms == 300 && a.r.xr.r_factor == 70);
  cr_assert(a.r.xr_rx == 1 && a.r.xr_tx == 1 && b.r.xr_rx == 1 && b.r.xr_tx == 1);
  pass(&b, &a, 4000 * MS, 20 * MS); /* answered once */
  cr_assert(a.r.rtt_us > 59 * MS && a.r.rtt_us < 61 * MS);
}

Test(report_xr, nothing_of_it_goes_to_who_takes_none) {
  struct end a, b;
  end_init(&a, 1, 2, false);
  end_init(&b, 2, 1, false);
  pass(&a, &b, 1000 * MS, 0);
  cr_assert(a.r.xr_tx == 0 && b.r.xr_rx == 0);
}

static bool input(struct end *e, const char *bytes, size_t n, uint64_t now_us) {
  return report_input(&e->r, (const uint8_t *)bytes, n, e->ours.ssrc, e->strms, 1, now_us);
}

Test(report, reduced_size_and_feedback) {
  struct end e;
  end_init(&e, 1, 2, false);
  static const char pli[] = "\x81\xce\0\2\0\0\0\2\0\0\0\1",
                    nack[] = "\x81\xcd\0\3\0\0\0\2\0\0\0\1\0\7\0\0", bye[] = "\x81\xcb\0\1\0\0\0\2",
                    rr[] = "\x80\xc9\0\1\0\0\0\2", other[] = "\x8f\xce\0\4\0\0\0\2\0\0\0\0REMB\1\0\0\0";
  cr_assert(input(&e, pli, sizeof(pli) - 1, 0) && input(&e, nack, sizeof(nack) - 1, 0) &&
            input(&e, bye, sizeof(bye) - 1, 0) && input(&e, rr, sizeof(rr) - 1, 0) &&
            input(&e, other, sizeof(other) - 1, 0));
  cr_assert(e.r.picture_losses == 1 && e.r.nacks == 1 && e.r.byes == 1 && e.r.rtcp_rx == 5);
  cr_assert_not(input(&e, pli, sizeof(pli) - 2, 0));
}

static void block_from(struct end *peer, struct end *e, uint32_t jitter, int32_t lost, uint32_t max_seq,
                       uint64_t now_us) {
  uint8_t buf[200];
  struct rtcp_block b = {.ssrc = e->ours.ssrc, .lost = lost, .jitter = jitter, .max_seq = max_seq};
  size_t n = rtcp_put(buf, sizeof(buf), peer->ours.ssrc, NULL, &b, 1, SLICE("p"), false);
  cr_assert(input(e, (const char *)buf, n, now_us));
}

/* Peers count telephone-events too, whose timestamps stand still: 90 ms of jitter that never was. */
Test(report, jitter_of_events_is_not_taken) {
  struct end e, peer;
  end_init(&e, 1, 2, false);
  end_init(&peer, 2, 1, false);
  block_from(&peer, &e, 14, 0, 100, 1000 * MS);
  e.r.events_us = 5000 * MS;
  block_from(&peer, &e, 719, 3, 200, 6500 * MS);
  cr_assert(e.r.remote_jitter == 14 && e.r.remote_lost == 3);
  block_from(&peer, &e, 15, 3, 300, 7500 * MS);
  cr_assert_eq(e.r.remote_jitter, 15);
}

/* Quality --------------------------------------------------------------------------------------------
 */
struct leg {
  struct quality q;
  struct report r;
  struct quality_in in;
  uint64_t now_us;
  unsigned silent, back, up, down;
  struct quality_told last;
};

static void leg_init(struct leg *l) {
  *l = (struct leg){.in = {.ptime_ms = 20, .rx_codec = CODEC_PCMU, .tx_codec = CODEC_PCMU}};
  quality_init(&l->q, 0);
}

/* Runs for ms in ticks of 200 ms; hears: packets come; flows: the other way too; lost of 100. */
static void run(struct leg *l, unsigned ms, bool hears, bool flows, unsigned lost) {
  for (uint64_t until = l->now_us + ms * (uint64_t)MS; l->now_us < until;) {
    l->now_us += 200 * MS;
    l->in.report = &l->r;
    if (hears) {
      l->in.expected += 100;
      l->in.packets += 100 - lost;
      l->in.heard_us = l->now_us;
    }
    if (flows)
      l->in.sent_us = l->now_us;
    quality_tick(&l->q, &l->in, l->now_us, &l->last);
    l->silent += l->last.is_oneway_told && l->last.is_silent;
    l->back += l->last.is_oneway_told && !l->last.is_silent;
    l->up += l->last.up.is_told;
    l->down += l->last.down.is_told;
  }
}

Test(quality, both_ways_every_5_s) {
  struct leg l;
  leg_init(&l);
  run(&l, 5000, true, true, 4);
  cr_assert(l.up == 1 && l.down == 0 && fabs(l.last.up.loss - 0.04) < 1e-9 && l.last.up.mos < 4.2);
  l.r.has_remote = true;
  l.r.remote_lost = 10;
  l.r.remote_max_seq = 1000;
  l.r.remote_fraction = 26;
  run(&l, 5000, true, true, 0);
  cr_assert(l.up == 2 && l.down == 1 && fabs(l.last.down.loss - 26 / 256.0) < 1e-9);
  l.r.has_remote = true;
  l.r.remote_lost = 60;
  l.r.remote_max_seq = 2000;
  run(&l, 5000, true, true, 0);
  cr_assert(fabs(l.last.down.loss - 0.05) < 1e-9, "%f", l.last.down.loss);
  uint16_t centi = quality_centi(&l.q.up), down = quality_centi(&l.q.down);
  cr_assert(centi > 420 && centi < 441 && down > 300 && down < centi, "%u %u", centi, down);
  run(&l, 5000, false, false, 0); /* nothing comes, no RTCP: nothing is told, nothing is made up */
  cr_assert(l.up == 3 && l.down == 2);
}

Test(quality, what_comes_too_late_for_our_buffer_is_lost) {
  struct leg l;
  leg_init(&l);
  l.in.buffer_ms = 60;
  l.in.discards = 50;
  run(&l, 5000, true, true, 0);
  cr_assert(fabs(l.last.up.loss - 50 / 2500.0) < 1e-9, "%f", l.last.up.loss);
  run(&l, 5000, true, true, 0);
  cr_assert(l.last.up.loss == 0);
  l.in.discards = 3; /* another buffer */
  run(&l, 5000, true, true, 0);
  cr_assert(l.last.up.loss == 0);
  l.in.discards = 5;
  run(&l, 5000, true, true, 0);
  cr_assert(l.q.discarded == 52, "%u", l.q.discarded);
}

Test(quality, a_peer_s_metrics_sharpen_what_it_hears) {
  struct leg l;
  double mos[3];
  for (unsigned i = 0; i < 3; i++) {
    leg_init(&l);
    l.r = (struct report){.has_remote = true, .remote_fraction = 13};
    if (i == 1)
      l.r.xr = (struct rtcpxr_voip){.ssrc = 1, .burst_ms = 400, .burst_density = 192};
    if (i == 2)
      l.r.xr = (struct rtcpxr_voip){.ssrc = 1, .end_delay_ms = 300};
    run(&l, 5000, true, true, 0);
    mos[i] = l.last.down.mos;
  }
  cr_assert(mos[1] < mos[0] - 0.05 && mos[2] < mos[0] - 0.2, "%f %f %f", mos[0], mos[1], mos[2]);
}

Test(quality, one_way_is_told_within_5_s_and_taken_back) {
  struct leg l;
  leg_init(&l);
  l.in.is_open = true;
  run(&l, 20000, true, true, 0);
  cr_assert_eq(l.silent, 0);
  run(&l, 3200, false, true, 0);
  cr_assert_eq(l.silent, 0);
  run(&l, 1000, false, true, 0);
  cr_assert(l.silent == 1 && l.q.silent_us == 20000 * MS);
  run(&l, 3000, false, true, 0);
  cr_assert_eq(l.silent, 4); /* again each second, for who did not care yet */
  run(&l, 400, true, true, 0);
  cr_assert(l.back == 1 && l.q.silence_us >= 7000 * MS && l.q.silence_us <= 7600 * MS);
}

Test(quality, hold_mute_of_both_and_never_linked_are_no_one_way_audio) {
  struct leg l;
  leg_init(&l);
  run(&l, 20000, false, true, 0); /* not linked, or inactive */
  l.in.is_open = true;
  run(&l, 20000, false, false, 0); /* both silent */
  run(&l, 3200, false, true, 0);
  cr_assert_eq(l.silent, 0);
  l.in.is_open = false; /* held in time */
  run(&l, 10000, false, true, 0);
  l.in.is_open = true; /* resumed: the time begins anew */
  run(&l, 3200, false, true, 0);
  cr_assert_eq(l.silent, 0);
  run(&l, 800, false, true, 0);
  cr_assert_eq(l.silent, 1);
  l.in.is_open = false;
  run(&l, 200, false, true, 0);
  cr_assert_eq(l.back, 1);
}

Test(quality, metrics_say_what_was_heard) {
  struct strm s;
  struct report r = {.rtt_us = 80 * MS};
  struct quality_in in = {.report = &r, .ptime_ms = 20, .rx_codec = CODEC_PCMA};
  struct rtcpxr_voip v;
  strm_init(&s, 77, 8000);
  for (uint16_t i = 0; i < 1000; i++)
    if (i % 10 != 5)
      cr_assert_eq(feed(&s, i, i * FRAME_US), DROP_NONE);
  quality_metrics(&s, &in, &v);
  cr_assert(v.ssrc == 77 && v.loss == 25 && v.discard == 0 && v.round_trip_ms == 80 && v.gmin == 16);
  cr_assert(v.burst_density > 20 && v.burst_density < 32, "%u", v.burst_density); /* a loss in 10 */
  cr_assert(v.mos_listening >= 31 && v.mos_listening <= 36 && v.mos_conversational <= v.mos_listening);
  cr_assert(v.r_factor > 50 && v.r_factor < 75, "%u", v.r_factor);
  cr_assert(v.config == 0 && v.buffer_ms == 0 && v.end_delay_ms == 20);
  struct rtcpxr_voip with;
  in.buffer_ms = 60; /* decoded here */
  in.buffer_max_ms = 90;
  in.discards = 100;
  quality_metrics(&s, &in, &with);
  cr_assert(with.config == 0xb0 && with.buffer_ms == 60 && with.buffer_max_ms == 90 &&
            with.buffer_abs_ms == 200);
  cr_assert(with.loss == 25 && with.discard == 25 && with.end_delay_ms == 80 &&
            with.r_factor + 10 < v.r_factor);
}
