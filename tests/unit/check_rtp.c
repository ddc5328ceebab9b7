/* SPDX-License-Identifier: Apache-2.0
 * Units of wire/rtp, wire/rtcp, wire/telev. */
#include "wire/bytes.h"
#include "wire/rtcpxr.h"
#include "wire/rtp.h"
#include "wire/telev.h"

#include <criterion/criterion.h>

Test(rtp, comes_back_as_written) {
  uint8_t p[16] = {0};
  struct rtp r;
  cr_assert_eq(rtp_put(p, 101, true, 65535, 0xfffffff0u, 0xdeadbeefu), 12);
  cr_assert(rtp_parse(&r, p, 16));
  cr_assert(r.pt == 101 && r.marker && r.seq == 65535 && r.ts == 0xfffffff0u && r.ssrc == 0xdeadbeefu);
  cr_assert(r.payload == p + 12 && r.payload_bytes == 4);
}

Test(rtp, csrc_extension_and_padding_are_cut) {
  uint8_t p[40] = {0};
  struct rtp r;
  rtp_put(p, 0, false, 1, 1, 1);
  p[0] = 0x80 | 0x20 | 0x10 | 2; /* padding, extension, two CSRCs */
  bytes_put_u16(p + 22, 1);      /* one word of extension */
  p[39] = 4;
  cr_assert(rtp_parse(&r, p, 40));
  cr_assert(r.payload == p + 28 && r.payload_bytes == 8);
}

Test(rtp, nothing_is_read_past_the_end) {
  uint8_t p[40] = {0};
  struct rtp r;
  rtp_put(p, 0, false, 1, 1, 1);
  cr_assert_not(rtp_parse(&r, p, 11));
  p[0] = 0x8f;
  cr_assert_not(rtp_parse(&r, p, 40)); /* 15 CSRCs: 72 bytes */
  p[0] = 0x90;
  bytes_put_u16(p + 14, 100);
  cr_assert_not(rtp_parse(&r, p, 40)); /* extension of 400 bytes */
  cr_assert_not(rtp_parse(&r, p, 14));
  p[0] = 0xa0;
  p[39] = 29;
  cr_assert_not(rtp_parse(&r, p, 40)); /* padding longer than what follows the head */
  p[39] = 0;
  cr_assert_not(rtp_parse(&r, p, 40)); /* padding of nothing */
  p[0] = 0x40;
  cr_assert_not(rtp_parse(&r, p, 40)); /* version 1 */
}

static size_t sample(uint8_t *buf, size_t room, bool bye) {
  struct rtcp_sender s = {.ssrc = 7, .ntp = 0x1122334455667788u, .ts = 160, .packets = 5, .octets = 800};
  struct rtcp_block b[2] = {
      {.ssrc = 9, .fraction = 12, .lost = -3, .max_seq = 70000, .jitter = 44, .lsr = 1, .dlsr = 2},
      {.ssrc = 10}};
  return rtcp_put(buf, room, 7, &s, b, 2, SLICE("abc"), bye);
}

static struct rtp with_ext(uint8_t *p, uint16_t profile, const char *ext, size_t n) {
  struct rtp r;
  rtp_put(p, 0, false, 1, 2, 3);
  p[0] |= 0x10;
  bytes_put_u16(p + 12, profile);
  bytes_put_u16(p + 14, (uint16_t)(n / 4));
  memcpy(p + 16, ext, n);
  cr_assert(rtp_parse(&r, p, 16 + n + 4) && r.payload_bytes == 4 && r.ext_bytes == n);
  return r;
}

Test(rtp, audio_level_of_either_form) {
  uint8_t p[64] = {0};
  struct rtp r = with_ext(p, 0xbede,
                          "\x22"
                          "abc"
                          "\0\x30\x9a\0",
                          8);
  cr_assert(rtp_level(&r, 3) == 0x1a && rtp_level(&r, 2) == 'a' && rtp_level(&r, 1) == -1);
  r = with_ext(p, 0xbede, "\xf0\x05\x30\x7f", 4); /* 15 ends the list */
  cr_assert_eq(rtp_level(&r, 3), -1);
  r = with_ext(p, 0xbede, "\x3f\x05\x30\x7f", 4); /* longer than what is there */
  cr_assert_eq(rtp_level(&r, 3), -1);
  r = with_ext(p, 0x1000, "\x09\x00\x03\x01\x7f\0\0\x04", 8); /* an empty one before; cut after */
  cr_assert(rtp_level(&r, 3) == 127 && rtp_level(&r, 9) == -1 && rtp_level(&r, 4) == -1);
  r = with_ext(p, 0x1234, "\x30\x7f\0\0", 4);
  cr_assert_eq(rtp_level(&r, 3), -1);
  cr_assert(rtp_parse(&r, p, 12) == false);
  rtp_put(p, 0, false, 1, 2, 3);
  cr_assert(rtp_parse(&r, p, 20) && !r.ext && rtp_level(&r, 3) == -1);
}

Test(rtcp, compound_comes_back) {
  uint8_t buf[200];
  size_t n = sample(buf, sizeof(buf), true);
  struct rtcp_packet p;
  struct rtcp_sender s;
  struct rtcp_block b;
  cr_assert(n && rtcp_is_sound(buf, n));
  struct rtcp_walk w = rtcp_walk_of(buf, n);
  cr_assert(rtcp_next(&w, &p) && rtcp_sender(&p, &s));
  cr_assert(s.ssrc == 7 && s.ntp == 0x1122334455667788u && s.ts == 160 && s.packets == 5 &&
            s.octets == 800);
  cr_assert(rtcp_block(&p, 0, &b) && b.lost == -3 && b.fraction == 12 && b.max_seq == 70000 &&
            b.dlsr == 2);
  cr_assert(rtcp_block(&p, 1, &b) && b.ssrc == 10);
  cr_assert_not(rtcp_block(&p, 2, &b));
  cr_assert(rtcp_next(&w, &p) && p.type == RTCP_SDES && slice_eq(rtcp_cname(&p), SLICE("abc")));
  cr_assert(rtcp_next(&w, &p) && p.type == RTCP_BYE);
  cr_assert_not(rtcp_next(&w, &p));
}

Test(rtcp, cut_anywhere_is_refused_or_whole) {
  uint8_t buf[200];
  size_t n = sample(buf, sizeof(buf), true), sound = 0;
  for (size_t i = 0; i <= n; i++)
    sound += rtcp_is_sound(buf, i);
  cr_assert_eq(sound, 3); /* after SR, after SDES, after BYE */
  for (size_t i = 0; i < n; i++)
    cr_assert_eq(sample(buf, i, true), 0);
}

Test(rtcp, count_larger_than_body) {
  uint8_t buf[8] = {0x80 | 31, RTCP_RR, 0, 1};
  struct rtcp_packet p;
  struct rtcp_block b;
  struct rtcp_walk w = rtcp_walk_of(buf, 8);
  cr_assert(rtcp_next(&w, &p));
  cr_assert_not(rtcp_block(&p, 0, &b));
}

Test(rtcpxr, comes_back_as_written) {
  struct rtcpxr_voip v = {9,  1,  2,  3,   4,  500, 6000, 70, 80, 0xe0, 0xc0,
                          55, 16, 90, 127, 42, 41,  0xb5, 60, 90, 120},
                     voip;
  struct rtcpxr_dlrr d = {7, 0x11223344, 65536}, dlrr;
  struct rtcpxr_out o = {.ssrc = 5, .voip = &v, .dlrr = &d, .rrt_ntp = 0x1122334455667788u};
  uint8_t buf[RTCPXR_MAX_BYTES];
  uint64_t ntp;
  uint32_t from;
  struct rtcp_packet p;
  struct rtcpxr_walk x;
  struct rtcpxr_block b;
  size_t n = rtcpxr_put(buf, sizeof(buf), &o);
  struct rtcp_walk w = rtcp_walk_of(buf, n);
  cr_assert(n == sizeof(buf) && rtcp_is_sound(buf, n) && rtcp_next(&w, &p));
  cr_assert(rtcpxr_walk_of(&p, &from, &x) && from == 5);
  cr_assert(rtcpxr_next(&x, &b) && rtcpxr_read_rrt(&b, &ntp) && ntp == o.rrt_ntp);
  cr_assert(!rtcpxr_read_voip(&b, &voip) && !rtcpxr_read_dlrr(&b, 0, &dlrr));
  cr_assert(rtcpxr_next(&x, &b) && rtcpxr_read_dlrr(&b, 0, &dlrr) && !rtcpxr_read_dlrr(&b, 1, &dlrr));
  cr_assert(dlrr.ssrc == 7 && dlrr.lrr == 0x11223344 && dlrr.dlrr == 65536);
  cr_assert(rtcpxr_next(&x, &b) && rtcpxr_read_voip(&b, &voip));
  uint8_t again[RTCPXR_MAX_BYTES];
  o.voip = &voip;
  cr_assert(rtcpxr_put(again, sizeof(again), &o) == n && memcmp(again, buf, n) == 0);
  cr_assert(voip.gap_ms == 6000 && voip.config == 0xb5 && voip.buffer_max_ms == 90);
  cr_assert_not(rtcpxr_next(&x, &b));
  cr_assert_eq(rtcpxr_put(buf, sizeof(buf) - 1, &o), 0);
  o = (struct rtcpxr_out){.ssrc = 5};
  cr_assert_eq(rtcpxr_put(buf, sizeof(buf), &o), 0);
}

/* The layout of RFC 3611, 4.7, by hand; an unknown block before it; one that does not fit after it. */
Test(rtcpxr, layout_and_strange_blocks) {
  uint8_t buf[] = {0x80, 207, 0,  13,  0,  0,  0, 5, 9, 0,  0,  1,  1,  2,   3,  4, 7,  0,    0,
                   8,    0,   0,  0,   9,  1,  2, 3, 4, 0,  10, 0,  20, 0,   30, 0, 40, 0xe0, 0xc0,
                   55,   16,  90, 127, 42, 41, 0, 0, 0, 60, 0,  90, 0,  120, 7,  0, 0,  9};
  struct rtcp_packet p;
  struct rtcpxr_walk x;
  struct rtcpxr_block b;
  struct rtcpxr_voip v;
  uint32_t from;
  struct rtcp_walk w = rtcp_walk_of(buf, sizeof(buf));
  cr_assert(rtcp_next(&w, &p) && rtcpxr_walk_of(&p, &from, &x));
  cr_assert(rtcpxr_next(&x, &b) && b.kind == 9 && b.body_bytes == 4 && !rtcpxr_read_voip(&b, &v));
  cr_assert(rtcpxr_next(&x, &b) && rtcpxr_read_voip(&b, &v));
  cr_assert(v.ssrc == 9 && v.gap_density == 4 && v.burst_ms == 10 && v.end_delay_ms == 40 &&
            v.gmin == 16);
  cr_assert(v.r_factor == 90 && v.mos_conversational == 41 && v.buffer_ms == 60 &&
            v.buffer_abs_ms == 120);
  cr_assert_not(rtcpxr_next(&x, &b));
}

Test(telev, digits_and_clocks) {
  uint8_t p[4];
  struct telev t = {.event = 11, .volume = 10, .end = true, .duration = 1600}, u;
  telev_put(p, &t);
  cr_assert(telev_parse(&u, p, 4) && u.event == 11 && u.end && u.volume == 10 && u.duration == 1600);
  cr_assert_not(telev_parse(&u, p, 3));
  cr_assert_eq(telev_char(11), '#');
  cr_assert_eq(telev_char(16), 0);
  cr_assert_eq(telev_event('a'), 12);
  cr_assert_eq(telev_event('x'), -EINVAL);
  cr_assert_eq(telev_event(0), -EINVAL);
  cr_assert_eq(telev_scale(1600, 8000, 48000), 9600);
  cr_assert_eq(telev_scale(9600, 48000, 8000), 1600);
  cr_assert_eq(telev_scale(0xffff, 8000, 48000), 6 * 0xffff);
  cr_assert_eq(telev_scale(1, 0, 48000), 0);
}
