/* SPDX-License-Identifier: Apache-2.0
 * Fuzz: extended reports, every reader on every block; metrics that were read are written alike. */
#include "wire/rtcpxr.h"

static void rewrite(const struct rtcpxr_block *b, const struct rtcpxr_voip *v) {
  struct rtcpxr_out o = {.voip = v};
  uint8_t buf[RTCPXR_MAX_BYTES];
  if (rtcpxr_put(buf, sizeof(buf), &o) != 8 + RTCPXR_VOIP_BYTES)
    abort();
  for (size_t i = 0; i < b->body_bytes; i++)
    if (i != 25 && buf[12 + i] != b->body[i]) /* 25 is reserved */
      abort();
}

static void read_block(const struct rtcpxr_block *b) {
  struct rtcpxr_voip v;
  struct rtcpxr_dlrr d;
  uint64_t ntp;
  unsigned n = 0;
  if (rtcpxr_read_voip(b, &v))
    rewrite(b, &v);
  while (rtcpxr_read_dlrr(b, n, &d))
    n++;
  if (n * 12 > b->body_bytes || (rtcpxr_read_rrt(b, &ntp) && n))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct rtcp_walk w = rtcp_walk_of(data, n);
  struct rtcp_packet p;
  struct rtcpxr_walk x;
  struct rtcpxr_block b;
  uint32_t from;
  while (rtcp_next(&w, &p)) {
    if (!rtcpxr_walk_of(&p, &from, &x))
      continue;
    while (rtcpxr_next(&x, &b)) {
      if (b.body < data || b.body + b.body_bytes > data + n)
        abort();
      read_block(&b);
    }
  }
  return 0;
}
