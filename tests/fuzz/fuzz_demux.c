/* SPDX-License-Identifier: Apache-2.0
 * A datagram on a media port: what it is by its first bytes, and the parser that it is then given to.
 * No parser reads past it. */
#include "flow/flow.h"
#include "wire/classify.h"
#include "wire/rtcp.h"
#include "wire/rtp.h"
#include "wire/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool c) {
  if (!c)
    abort();
}

static enum packet_kind kind_of(uint8_t first) {
  return first < 4                    ? PACKET_STUN
         : first < 16                 ? PACKET_NONE
         : first < 20                 ? PACKET_ZRTP
         : first < 64                 ? PACKET_DTLS
         : first < 80                 ? PACKET_CHANNEL
         : first < 128 || first > 191 ? PACKET_NONE
                                      : PACKET_RTP;
}

static void rtp_seen(const uint8_t *data, size_t n) {
  struct rtp r;
  if (rtp_parse(&r, data, n))
    must(r.payload >= data + RTP_HEAD_BYTES && r.payload + r.payload_bytes <= data + n);
}

static void rtcp_seen(const uint8_t *data, size_t n) {
  struct rtcp_walk w = rtcp_walk_of(data, n);
  struct rtcp_packet p;
  size_t seen = 0;
  for (; rtcp_next(&w, &p); seen += 4 + p.body_bytes)
    must(p.body >= data + 4 && p.body + p.body_bytes <= data + n);
  must(seen <= n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  enum packet_kind kind = packet_classify(data, n);
  struct stunmsg m;
  if (n == 0) {
    must(kind == PACKET_NONE);
    return 0;
  }
  enum packet_kind want = kind_of(data[0]);
  if (want == PACKET_RTP)
    must(n < 2 ? kind == PACKET_NONE : kind == PACKET_RTP || kind == PACKET_RTCP);
  else
    must(kind == want);
  must(stunmsg_parse(&m, data, n) < 0 || data[0] < 64); /* of methods that nobody has: not passed on */
  must(!dtls_is_hello(data, n) || kind == PACKET_DTLS);
  if (kind == PACKET_RTP)
    rtp_seen(data, n);
  else if (kind == PACKET_RTCP)
    rtcp_seen(data, n);
  must(packet_kind_name(kind)[0] != 0);
  return 0;
}
