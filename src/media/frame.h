/* SPDX-License-Identifier: Apache-2.0
 * Ethernet frames with one UDP datagram over IPv4 or IPv6, without fragments, options and extension
 * headers: read and written whole, for packets that pass the kernel by (io_xdp.h). Pure. */
#pragma once
#include "base/addr.h"

enum {
  FRAME_HEAD_MAX = 14 + 40 + 8, /* before the payload */
  FRAME_PAYLOAD_MAX = 1500 - 48 /* over either IP on Ethernet */
};

struct frame {
  struct addr from, to;
  uint8_t *bytes; /* the payload, within what was given */
  size_t n;
};
/* false: anything else, cut short, or with a wrong checksum. A UDP checksum that its sender left to
 * hardware that was never passed (the sum of the pseudo header alone, as on a veth) is right. */
bool frame_parse(struct frame *ret, uint8_t *p, size_t n) must_check;

struct frame_way {
  uint8_t to_mac[6], our_mac[6];
  uint8_t dscp;
};
/* Writes the whole frame, at most FRAME_HEAD_MAX + n bytes; 0: n is over FRAME_PAYLOAD_MAX, or the
 * addresses are of two families. Both checksums are right. */
size_t frame_build(uint8_t *dst, const struct frame_way *way, const struct addr *from,
                   const struct addr *to, const uint8_t *payload, size_t n) must_check;
