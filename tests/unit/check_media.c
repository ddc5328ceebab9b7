/* SPDX-License-Identifier: Apache-2.0
 * Units of media's engines, in virtual time: streams, sinks, events, digits, reports, remotes. */
#include "media/digits.h"
#include "media/event.h"
#include "media/remote.h"
#include "media/report.h"
#include "media/dsp.h"
#include "media/sink.h"
#include "media/strm.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { MS = 1000, FRAME_US = 20 * MS };

/* strm --------------------------------------------------------------------------------------------- */
static enum drop feed(struct strm *s, uint16_t seq, uint64_t now_us) {
  uint64_t ext;
  struct rtp p = {.ssrc = 1, .seq = seq, .ts = (uint32_t)(seq * 160u), .payload_bytes = 160};
  return strm_input(s, &p, true, 8000, now_us, &ext);
}

Test(strm, counts_loss_duplicates_and_order) {
  struct strm s;
  strm_init(&s, 1, 8000);
  uint16_t order[] = {65533, 65534, 0, 65535, 0, 1, 4};
  enum drop want[] = {DROP_NONE, DROP_NONE, DROP_NONE, DROP_NONE, DROP_DUPLICATE, DROP_NONE, DROP_NONE};
  for (unsigned i = 0; i < COUNT_OF(order); i++)
    cr_assert_eq(feed(&s, order[i], i * FRAME_US), want[i], "%u", i);
  cr_assert_eq(strm_lost(&s), 2); /* 2 and 3 */
  cr_assert_eq(s.reordered, 1);
  cr_assert_eq(s.duplicate, 1);
  cr_assert_eq(s.max_ext, 0x20004);
}

Test(strm, a_restart_is_no_loss) {
  struct strm s;
  strm_init(&s, 1, 8000);
  for (uint16_t i = 0; i < 100; i++)
    cr_assert_eq(feed(&s, (uint16_t)(1000 + i), i * FRAME_US), DROP_NONE);
  cr_assert_eq(feed(&s, 30000, 101 * FRAME_US), DROP_NONE); /* a large step ahead */
  cr_assert_eq(feed(&s, 30001, 102 * FRAME_US), DROP_NONE);
  cr_assert_eq(strm_lost(&s), 0);
  cr_assert_eq(feed(&s, 5, 103 * FRAME_US), DROP_LATE); /* far behind: only two in a row count */
  cr_assert_eq(feed(&s, 6, 104 * FRAME_US), DROP_NONE);
  cr_assert_eq(feed(&s, 7, 105 * FRAME_US), DROP_NONE);
  cr_assert_eq(strm_lost(&s), 0);
}

Test(strm, jitter_of_rfc_3550) {
  struct strm s;
  strm_init(&s, 1, 8000);
  for (uint16_t i = 0; i < 500; i++) /* every second packet is 10 ms late */
    cr_assert_eq(feed(&s, i, i * (uint64_t)FRAME_US + (i % 2) * 10 * MS), DROP_NONE);
  cr_assert(strm_jitter_us(&s) > 9000 && strm_jitter_us(&s) < 11000, "%u", strm_jitter_us(&s));
  strm_init(&s, 1, 8000);
  for (uint16_t i = 0; i < 100; i++)
    cr_assert_eq(feed(&s, i, i * (uint64_t)FRAME_US), DROP_NONE);
  cr_assert_eq(strm_jitter_us(&s), 0);
}

/* Frames as far apart as that: by how much their timestamps are slow. */
static int32_t drift(uint64_t frame_us, uint16_t n) {
  struct strm s;
  strm_init(&s, 1, 8000);
  for (uint16_t i = 0; i < n; i++)
    cr_assert_eq(feed(&s, i, 1000000 + (i < 20 ? 0 : i * frame_us)), DROP_NONE); /* a burst at first */
  return strm_drift_ppm(&s);
}

Test(strm, timestamps_against_time) {
  cr_expect_eq(drift(2 * FRAME_US, 80), 0, "too short to tell");
  cr_expect_eq(drift(FRAME_US, 300), 0);
  int32_t half = drift(2 * FRAME_US, 300), fast = drift(FRAME_US - FRAME_US / 100, 300);
  cr_expect(half > 490000 && half < 510000, "%d", half);
  cr_expect(fast < -9000 && fast > -11000, "%d", fast);
}

Test(strm, what_overtakes_is_jitter_too) {
  struct strm s;
  strm_init(&s, 1, 8000);
  for (uint16_t i = 0; i < 500; i++) /* 1 0 3 2 5 4 …, one each 20 ms: by turns 40 ms late, and early */
    cr_assert_eq(feed(&s, 100 + (uint16_t)(i ^ 1), i * (uint64_t)FRAME_US), DROP_NONE);
  cr_assert(strm_jitter_us(&s) > 35000 && strm_jitter_us(&s) < 45000, "%u", strm_jitter_us(&s));
}

/* A report about what a sent, that says n as the highest number. */
static void told(struct report *a, uint32_t n, uint32_t sent, uint64_t now_us) {
  uint8_t rr[32] = {0x81, 201, 0, 7, 0, 0, 0, 2, 0, 0, 0, 1};
  rr[18] = (uint8_t)(n >> 8);
  rr[19] = (uint8_t)n;
  a->sent = sent;
  cr_assert(report_input(a, rr, sizeof(rr), 1, NULL, 0, now_us));
}

Test(report, a_number_that_stands_still_while_we_send) {
  struct report a;
  report_init(&a, 0);
  told(&a, 50, 60, 1000 * MS);
  told(&a, 300, 310, 6000 * MS);
  cr_assert_not(a.is_stuck);
  told(&a, 300, 410, 8000 * MS); /* for two seconds */
  cr_assert_not(a.is_stuck);
  told(&a, 300, 510, 10000 * MS);
  cr_assert_eq(report_stuck_us(&a, 10500 * MS), 6000 * MS);
  told(&a, 520, 530, 11000 * MS);
  cr_assert_not(a.is_stuck);
  told(&a, 520, 530, 19000 * MS); /* on hold: nothing goes there */
  cr_assert_not(a.is_stuck);
}

Test(strm, report_block_has_the_interval) {
  struct strm s;
  struct rtcp_block b;
  strm_init(&s, 1, 8000);
  for (uint16_t i = 0; i < 100; i++)
    if (i % 4)
      cr_assert_eq(feed(&s, (uint16_t)(i + 1), i * (uint64_t)FRAME_US), DROP_NONE);
  strm_block(&s, 0, &b);
  cr_assert(b.fraction >= 60 && b.fraction <= 66, "%u", b.fraction); /* a quarter of 256 */
  cr_assert_eq(b.lost, 24);
  for (uint16_t i = 100; i < 200; i++)
    cr_assert_eq(feed(&s, (uint16_t)(i + 1), i * (uint64_t)FRAME_US), DROP_NONE);
  strm_block(&s, 0, &b);
  cr_assert(b.fraction <= 3, "%u", b.fraction);
}

/* sink --------------------------------------------------------------------------------------------- */
static struct sink_out map(struct sink *k, uint64_t source, uint64_t ext, uint32_t ts, uint64_t now_us) {
  struct sink_in in = {source, ext, ts, false, false};
  struct sink_out out = {0};
  enum drop d = sink_map(k, &in, now_us, &out);
  cr_assert_eq(d, DROP_NONE);
  return out;
}

Test(sink, hold_of_15_minutes_goes_on) {
  struct sink k;
  struct sink_out out, last;
  uint64_t now = 0;
  sink_init(&k, 30000, 77);
  for (unsigned i = 0; i < 100; i++, now += FRAME_US)
    last = map(&k, 5, 70000 + i, 160 * i, now);
  cr_assert_eq(last.index, 30099);
  for (unsigned i = 0; i < 15 * 60 * 50; i++, now += FRAME_US) { /* silence of our own */
    sink_own(&k, true, now, &out);
    cr_assert_eq(out.index, last.index + 1);
    cr_assert(out.ts - last.ts == 160);
    cr_assert_eq(out.marker, i == 0);
    last = out;
  }
  cr_assert_gt(last.index, 65536);
  out = map(&k, 5, 70100, 160 * 100, now); /* the source stood still and goes on */
  cr_assert_eq(out.index, last.index + 1);
  cr_assert_eq(out.ts - last.ts, 160);
  cr_assert(out.marker);
}

Test(sink, a_late_packet_fills_its_hole_only) {
  struct sink k;
  struct sink_out out;
  sink_init(&k, 100, 0);
  map(&k, 5, 10, 0, 0);
  out = map(&k, 5, 13, 480, 60 * MS);
  cr_assert_eq(out.index, 103);
  out = map(&k, 5, 11, 160, 61 * MS);
  cr_assert_eq(out.index, 101);
  struct sink_in again = {5, 11, 160, false, false}, before = {5, 9, 0, false, false};
  cr_assert_eq(sink_map(&k, &again, 62 * MS, &out), DROP_LATE);
  cr_assert_eq(sink_map(&k, &before, 62 * MS, &out), DROP_LATE);
  cr_assert_eq(k.next, 104);
}

Test(sink, never_the_same_number_twice) {
  struct sink k;
  struct sink_out out;
  static bool given[400000];
  uint64_t now = 0, ext = 500, source = 1;
  sink_init(&k, 20000, 0);
  srand(1);
  for (unsigned i = 0; i < 100000; i++, now += 5 * MS) {
    int what = rand() % 100;
    if (what == 0)
      source++;
    if (what < 3)
      ext += (uint64_t)(rand() % 300);
    if (what == 3)
      sink_skip(&k, source);
    struct sink_in in = {source, ext - (uint64_t)(what > 90 ? rand() % 80 : 0), (uint32_t)(ext * 160),
                         false, false};
    enum drop d = DROP_NONE;
    if (what > 40 && what < 50)
      sink_own(&k, what & 1, now, &out);
    else
      d = sink_map(&k, &in, now, &out);
    ext++;
    if (d)
      continue;
    cr_assert(out.index < COUNT_OF(given) && !given[out.index], "%u: %llu", i,
              (unsigned long long)out.index);
    given[out.index] = true;
    cr_assert(out.index < k.next);
  }
}

Test(sink, timestamps_that_jump_are_anchored_anew) {
  struct sink k;
  struct sink_out a, b;
  sink_init(&k, 0, 1000);
  a = map(&k, 5, 1, 0, 0);
  b = map(&k, 5, 2, 0x70000000u, FRAME_US);
  cr_assert_eq(b.ts - a.ts, 160);
  a = map(&k, 5, 3, 0x70000000u + 160, 2 * FRAME_US);
  cr_assert_eq(a.ts - b.ts, 160);
  b = map(&k, 5, 4, 5, 3 * FRAME_US); /* and back */
  cr_assert_eq(b.ts - a.ts, 160);
}

Test(sink, a_huge_step_of_the_source_is_not_passed_on) {
  struct sink k;
  sink_init(&k, 0, 0);
  map(&k, 5, 1, 0, 0);
  cr_assert_eq(map(&k, 5, 1000, 160, FRAME_US).index, 1);
  cr_assert_eq(map(&k, 5, 1002, 480, 3 * FRAME_US).index, 3);
}

/* event -------------------------------------------------------------------------------------------- */
static struct event_told event_feed(struct event *e, uint32_t ts, uint8_t code, uint16_t duration,
                                    bool end, uint64_t now) {
  struct rtp p = {.ssrc = 3, .ts = ts};
  struct telev t = {.event = code, .duration = duration, .end = end};
  struct event_told told;
  event_input(e, &p, &t, 8000, now, &told);
  return told;
}

Test(event, one_digit_for_three_ends) {
  struct event e = {0};
  unsigned digits = 0, begins = 0;
  for (unsigned i = 1; i <= 8; i++) {
    struct event_told t =
        event_feed(&e, 1000, 5, (uint16_t)(i > 6 ? 960 : i * 160), i >= 6, i * FRAME_US);
    digits += t.digits;
    begins += t.is_begin;
    if (t.digits)
      cr_assert(t.digit[0].digit == '5' && t.digit[0].ms == 120);
  }
  cr_assert(digits == 1 && begins == 1);
}

Test(event, ends_stamped_anew_are_one_digit) {
  struct event e = {0};
  unsigned digits = event_feed(&e, 1000, 1, 160, false, 0).digits;
  digits += event_feed(&e, 1000, 1, 800, true, 100 * MS).digits;
  struct event_told t = event_feed(&e, 1160, 1, 800, true, 120 * MS);
  digits += t.digits;
  cr_assert(t.is_stamped_anew);
  digits += event_feed(&e, 1320, 1, 800, true, 140 * MS).digits;
  cr_assert_eq(digits, 1);
  digits += event_feed(&e, 4000, 1, 160, false, 400 * MS).digits; /* the same key again */
  digits += event_feed(&e, 4000, 1, 800, true, 500 * MS).digits;
  cr_assert_eq(digits, 2);
}

Test(event, a_lost_end_is_told_by_silence_or_by_the_next) {
  struct event e = {0};
  struct event_told t;
  event_feed(&e, 1000, 1, 480, false, 0);
  cr_assert_not(event_tick(&e, 200 * MS, &t));
  cr_assert(event_tick(&e, 301 * MS, &t) && t.digits == 1 && t.digit[0].digit == '1' &&
            t.digit[0].ms == 60);
  cr_assert_not(event_tick(&e, 900 * MS, &t));
  event_feed(&e, 5000, 2, 160, false, 1000 * MS);
  t = event_feed(&e, 9000, 3, 800, true, 1100 * MS);
  cr_assert(t.digits == 2 && t.digit[0].digit == '2' && t.digit[1].digit == '3');
  t = event_feed(&e, 5000, 2, 800, true, 1110 * MS);
  cr_assert(t.is_old && !t.digits);
}

Test(event, segments_of_a_long_tone_are_one) {
  struct event e = {0};
  event_feed(&e, 0, 7, 0xffff, false, 0);
  struct event_told t = event_feed(&e, 0xffff, 7, 800, false, 20 * MS);
  cr_assert(!t.is_begin && !t.digits);
  cr_assert_eq(event_duration(&e), 0xffff + 800);
  t = event_feed(&e, 0xffff, 7, 1600, true, 40 * MS);
  cr_assert(t.digits == 1 && t.digit[0].ms == (0xffff + 1600) / 8);
}

Test(event, flash_is_no_digit) {
  struct event e = {0};
  cr_assert_eq(event_feed(&e, 0, 16, 800, true, 0).digits, 0);
}

/* digits ------------------------------------------------------------------------------------------- */
Test(digits, three_ends_and_a_pause) {
  struct digits d = {0};
  struct mset_digits m = {.op = 9, .duration_ms = 100, .gap_ms = 60, .digits = "1,#"};
  struct digits_step st;
  unsigned packets = 0, begins = 0, ends = 0, ticks = 0, done = 0;
  uint8_t last = 0;
  cr_assert_eq(digits_add(&d, &m), 0);
  for (; digits_are_due(&d) && ticks < 1000; ticks++) {
    digits_tick(&d, &st);
    packets += st.is_packet;
    begins += st.is_begin;
    ends += st.is_packet && st.event.end;
    done += st.is_done && st.op == 9;
    if (st.is_packet) {
      last = st.event.event;
      cr_assert(!st.event.end || st.event.duration == 800);
    }
  }
  cr_assert(begins == 2 && ends == 6 && done == 1 && last == 11);
  cr_assert_eq(packets, 2 * (4 + 3));
  cr_assert(ticks * 20 > 2000 && ticks * 20 < 2700, "%u", ticks);
  digits_done(&d);
}

Test(digits, queue_is_bounded) {
  struct digits d = {0};
  struct mset_digits m = {.op = 1, .digits = "1"};
  uint64_t op;
  for (unsigned i = 0; i < DIGITS_ORDERS_MAX; i++)
    cr_assert_eq(digits_add(&d, &m), 0);
  cr_assert_eq(digits_add(&d, &m), -EAGAIN);
  cr_assert(digits_drop(&d, &op) && op == 1);
  cr_assert_eq(digits_add(&d, &m), 0);
  digits_done(&d);
}

/* report ------------------------------------------------------------------------------------------- */
Test(report, round_trip_and_loss) {
  struct report a, b;
  struct strm at_a = {0}, at_b = {0};
  uint8_t buf[512];
  report_set_epoch(0, 1700000000000u);
  report_init(&a, 0);
  report_init(&b, 0);
  strm_init(&at_b, 1, 8000);
  strm_init(&at_a, 2, 8000);
  for (uint16_t i = 0; i < 100; i++)
    if (i % 10)
      cr_assert_eq(feed(&at_b, i, i * FRAME_US), DROP_NONE);
  struct report_ours from_a = {1, 16000, 100, 16000, SLICE("a")}, from_b = {2, 0, 0, 0, SLICE("b")};
  size_t n = report_put(&a, &from_a, NULL, 0, false, 2000 * MS, buf, sizeof(buf));
  cr_assert(n && report_input(&b, buf, n, 2, &at_b, 1, 2050 * MS)); /* 50 ms on the way */
  n = report_put(&b, &from_b, &at_b, 1, false, 3000 * MS, buf, sizeof(buf));
  cr_assert(n && report_input(&a, buf, n, 1, &at_a, 1, 3030 * MS)); /* 30 ms back */
  cr_assert(a.rtt_us > 79 * MS && a.rtt_us < 81 * MS, "%u", a.rtt_us);
  cr_assert(a.remote_lost >= 9 && a.remote_lost <= 10 && a.has_remote);
  cr_assert(a.next_us >= 2000 * MS + REPORT_INTERVAL_US / 2 &&
            a.next_us <= 2000 * MS + 3 * REPORT_INTERVAL_US / 2);
  cr_assert_not(report_input(&a, buf, n - 1, 1, &at_a, 1, 3040 * MS));
  n = report_put(&b, &from_b, &at_b, 1, false, 4000 * MS, buf, sizeof(buf));
  cr_assert(n && report_input(&a, buf, n, 1, &at_a, 1, 6000 * MS)); /* one report is late: not yet the way */
  cr_assert(a.rtt_us > 500 * MS && a.rtt_us < 600 * MS, "%u", a.rtt_us);
  n = report_put(&b, &from_b, &at_b, 1, false, 7000 * MS, buf, sizeof(buf));
  cr_assert(n && report_input(&a, buf, n, 1, &at_a, 1, 7030 * MS)); /* what was faster has been that way */
  cr_assert(a.rtt_us > 79 * MS && a.rtt_us < 81 * MS, "%u", a.rtt_us);
}

/* remote ------------------------------------------------------------------------------------------- */
static struct addr at(const char *text) {
  struct addr a;
  cr_assert_eq(addr_parse_port(&a, slice_of(text)), 0);
  return a;
}

static struct mset_remote plain(const char *rtp) {
  return (struct mset_remote){
      .remote = 1, .security = MSET_PLAIN, .send = 1, .recv = 1, .rtcp_mux = 1, .rtp = at(rtp)};
}

Test(remote, plain_takes_the_described_address_and_the_sources) {
  struct remote r = {0};
  struct mset_remote m = plain("192.0.2.1:4000");
  struct addr same = at("192.0.2.1:9999"), other = at("198.51.100.7:4000"),
              listed = at("203.0.113.9:5000"), to;
  m.n_sources = 1;
  m.sources[0].base = at("203.0.113.0:0");
  m.sources[0].bits = 24;
  cr_assert_eq(suite_start(), 0);
  cr_assert_eq(remote_set(&r, &m, 0), 0);
  cr_assert(remote_may_come(&r, &same, false) && remote_may_come(&r, &listed, false));
  cr_assert_not(remote_may_come(&r, &other, false));
  remote_heard(&r, &listed, false, 0);
  cr_assert(remote_may_come(&r, &listed, false));
  cr_assert_not(remote_may_come(&r, &same, false)); /* the first is kept */
  cr_assert(remote_target(&r, false, 10 * REMOTE_QUIET_US, &to) && addr_eq(&to, &m.rtp));
  cr_assert_eq(remote_set(&r, &m, 0), 0); /* until the next offer/answer */
  cr_assert(remote_may_come(&r, &same, false));
  m.symmetric = MSET_SYMMETRIC_ONCE;
  cr_assert_eq(remote_set(&r, &m, 0), 0);
  remote_heard(&r, &same, false, 0);
  cr_assert(remote_target(&r, false, 0, &to) && addr_eq(&to, &same));
  remote_drop(&r);
}

Test(remote, secured_moves_only_when_the_description_is_silent) {
  struct remote r = {0};
  struct mset_remote m = plain("192.0.2.1:4000");
  struct addr other = at("198.51.100.7:4000"), to;
  m.security = MSET_SDES;
  cr_assert_eq(suite_start(), 0);
  cr_assert_eq(remote_set(&r, &m, 0), -EINVAL); /* no keys: not a plain leg by accident */
  cr_assert_eq(r.number, 0);
  srtpkey_make(&m.tx, SUITE_AEAD_AES_128_GCM);
  srtpkey_make(&m.rx, SUITE_AES_CM_128_HMAC_SHA1_80);
  m.symmetric = MSET_SYMMETRIC_AUTO;
  cr_assert_eq(remote_set(&r, &m, 0), 0);
  cr_assert(remote_may_come(&r, &other, false));
  remote_heard(&r, &other, false, REMOTE_QUIET_US / 2);
  cr_assert(remote_target(&r, false, REMOTE_QUIET_US, &to) && addr_eq(&to, &m.rtp));
  cr_assert(remote_target(&r, false, REMOTE_QUIET_US + 1, &to) && addr_eq(&to, &other));
  remote_heard(&r, &m.rtp, false, REMOTE_QUIET_US + 2);
  cr_assert(remote_target(&r, false, REMOTE_QUIET_US + 3, &to) && addr_eq(&to, &m.rtp));
  m.symmetric = MSET_SYMMETRIC_OFF;
  cr_assert_eq(remote_set(&r, &m, 0), 0);
  remote_heard(&r, &other, false, 0);
  cr_assert(remote_target(&r, false, 9 * REMOTE_QUIET_US, &to) && addr_eq(&to, &m.rtp));
  remote_drop(&r);
}

Test(remote, order_is_source_first_and_bounded) {
  struct remote list[8] = {0}, *order[4];
  cr_assert_eq(suite_start(), 0);
  for (unsigned i = 0; i < 8; i++) {
    char text[32];
    snprintf(text, sizeof(text), "192.0.2.%u:4000", i + 1);
    struct mset_remote m = plain(text);
    m.remote = i + 1;
    m.security = MSET_SDES;
    srtpkey_make(&m.tx, SUITE_AEAD_AES_128_GCM);
    srtpkey_make(&m.rx, SUITE_AEAD_AES_128_GCM);
    cr_assert_eq(remote_set(&list[i], &m, 0), 0);
  }
  struct addr from = at("192.0.2.7:4000");
  cr_assert_eq(remote_order(list, 8, &from, false, order, 4), 4);
  cr_assert_eq(order[0]->number, 7);
  for (unsigned i = 0; i < 8; i++)
    remote_drop(&list[i]);
}

Test(dsp, admission_is_by_cost) {
  struct dsps *d;
  struct dsps_options o = {.threads = 2, .share_percent = 1, .workers = 1, .sessions_max = 4};
  uint32_t first, second, third;
  cr_assert_eq(dsps_new(&d, &o), 0);
  cr_assert_eq(dsps_admit(d, 6000, &first), 0);
  cr_assert_eq(dsps_admit(d, 6000, &second), 0);
  cr_assert_neq(first, second); /* the one with most room */
  cr_assert_eq(dsps_admit(d, 6000, &third), -EBUSY);
  cr_assert_eq(dsps_admit(d, 4000, &third), 0);
  cr_assert_eq(dsps_admit(d, 6000, &third), -EBUSY);
  dsps_recost(d, second, 6000, 100);
  cr_assert_eq(dsps_admit(d, 6000, &third), 0);
  cr_assert_eq(third, second);
  cr_assert_eq(dsps_permille(d), 805); /* 16,100 of 20,000 */
  dsps_release(d, third, 6000);
  cr_assert_eq(dsps_permille(d), 505);
  cr_assert_eq(dsps_admit(d, 9000, &third), 0);
  dsps_free(d);
}
