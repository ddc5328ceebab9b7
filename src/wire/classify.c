/* SPDX-License-Identifier: Apache-2.0
 * Datagrams by their first bytes: see classify.h. */
#include "wire/classify.h"

static const char *const names[PACKET_KINDS_] = {
    [PACKET_NONE] = "none",       [PACKET_STUN] = "stun", [PACKET_ZRTP] = "zrtp", [PACKET_DTLS] = "dtls",
    [PACKET_CHANNEL] = "channel", [PACKET_RTP] = "rtp",   [PACKET_RTCP] = "rtcp",
};

enum packet_kind packet_classify(const uint8_t *p, size_t n) {
  if (n == 0)
    return PACKET_NONE;
  uint8_t b = p[0];
  if (b <= 3)
    return PACKET_STUN;
  if (b >= 16 && b <= 19)
    return PACKET_ZRTP;
  if (b >= 20 && b <= 63)
    return PACKET_DTLS;
  if (b >= 64 && b <= 79)
    return PACKET_CHANNEL;
  if (b < 128 || b > 191 || n < 2)
    return PACKET_NONE;
  return p[1] >= 192 && p[1] <= 223 ? PACKET_RTCP : PACKET_RTP;
}

const char *packet_kind_name(enum packet_kind k) { return names[k < PACKET_KINDS_ ? k : PACKET_NONE]; }
