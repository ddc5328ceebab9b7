/* SPDX-License-Identifier: Apache-2.0
 * Units of wire/rtp, wire/rtcp, wire/telev. */
#include "wire/bytes.h"
#include "wire/rtcp.h"
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
  cr_assert_eq(telev_scale(0xffff, 8000, 48000), 0xffff);
  cr_assert_eq(telev_scale(1, 0, 48000), 0);
}
