/* SPDX-License-Identifier: Apache-2.0
 * Fuzz: compound RTCP, every reader on every packet. */
#include "wire/rtcp.h"

static void read_blocks(const struct rtcp_packet *p) {
  struct rtcp_block b;
  for (unsigned i = 0; i <= RTCP_BLOCKS_MAX + 1; i++)
    if (rtcp_block(p, i, &b) && (b.lost > 0x7fffff || b.lost < -0x800000))
      abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct rtcp_walk w = rtcp_walk_of(data, n);
  struct rtcp_packet p;
  struct rtcp_sender s;
  size_t total = 0;
  while (rtcp_next(&w, &p)) {
    if (p.body < data || p.body + p.body_bytes > data + n)
      abort();
    total += 4 + p.body_bytes;
    read_blocks(&p);
    (void)rtcp_sender(&p, &s);
    (void)rtcp_is_nack(&p);
    (void)rtcp_is_pli(&p);
    struct slice c = rtcp_cname(&p);
    if (c.n && ((const uint8_t *)c.p < data || (const uint8_t *)c.p + c.n > data + n))
      abort();
  }
  if (rtcp_is_sound(data, n) && (w.n || total > n))
    abort();
  return 0;
}
