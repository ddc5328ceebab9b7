/* SPDX-License-Identifier: Apache-2.0
 * What a datagram on a media port is, by its first bytes: RFC 7983, and RFC 5761 for RTP or RTCP.
 * Says nothing about whether it is well-formed. Pure. */
#pragma once
#include "base/slice.h"

enum packet_kind {
  PACKET_NONE,    /* empty, or a first byte that is nobody's */
  PACKET_STUN,    /* 0-3 */
  PACKET_ZRTP,    /* 16-19 */
  PACKET_DTLS,    /* 20-63 */
  PACKET_CHANNEL, /* 64-79: TURN ChannelData */
  PACKET_RTP,     /* 128-191 */
  PACKET_RTCP,    /* 128-191, second byte 192-223 */
  PACKET_KINDS_
};

enum packet_kind packet_classify(const uint8_t *p, size_t n);
const char *packet_kind_name(enum packet_kind k); /* "stun", "rtp", … */
