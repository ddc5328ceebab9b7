/* SPDX-License-Identifier: Apache-2.0
 * RTP headers: see rtp.h. */
#include "wire/rtp.h"

#include "wire/bytes.h"

/* Length of everything before the payload; 0 if it does not fit. */
static size_t head_bytes(const uint8_t *p, size_t n) {
  size_t head = RTP_HEAD_BYTES + 4u * (p[0] & 15u);
  if (!(p[0] & 0x10))
    return head <= n ? head : 0;
  if (head + 4 > n)
    return 0;
  head += 4 + 4u * bytes_u16(p + head + 2);
  return head <= n ? head : 0;
}

bool rtp_parse(struct rtp *ret, const uint8_t *p, size_t n) {
  if (n < RTP_HEAD_BYTES || p[0] >> 6 != 2)
    return false;
  size_t head = head_bytes(p, n), padding = 0;
  if (!head)
    return false;
  if (p[0] & 0x20) {
    padding = n > head ? p[n - 1] : 0;
    if (!padding || padding > n - head)
      return false;
  }
  *ret = (struct rtp){.ssrc = bytes_u32(p + 8),
                      .ts = bytes_u32(p + 4),
                      .seq = bytes_u16(p + 2),
                      .pt = p[1] & 0x7f,
                      .marker = p[1] >> 7,
                      .payload = p + head,
                      .payload_bytes = n - head - padding};
  if (p[0] & 0x10) {
    size_t at = RTP_HEAD_BYTES + 4u * (p[0] & 15u);
    ret->ext = p + at + 4;
    ret->ext_bytes = (uint16_t)(head - at - 4);
    ret->ext_profile = bytes_u16(p + at);
  }
  return true;
}

enum { EXT_ONE_BYTE = 0xbede, EXT_TWO_BYTES = 0x1000, EXT_STOP = 15 };

const uint8_t *rtp_ext_find(const struct rtp *r, uint8_t id, size_t *ret_n) {
  bool is_short = r->ext_profile == EXT_ONE_BYTE;
  if (!r->ext || !id || (!is_short && (r->ext_profile & 0xfff0) != EXT_TWO_BYTES))
    return NULL;
  for (size_t at = 0; at < r->ext_bytes;) {
    uint8_t first = r->ext[at++], one = is_short ? first >> 4 : first;
    if (!first)
      continue; /* padding */
    if (is_short && one == EXT_STOP)
      return NULL;
    if (!is_short && at >= r->ext_bytes)
      return NULL;
    size_t n = is_short ? (first & 15u) + 1u : r->ext[at++];
    if (at + n > r->ext_bytes)
      return NULL;
    if (one == id) {
      *ret_n = n;
      return r->ext + at;
    }
    at += n;
  }
  return NULL;
}

int rtp_level(const struct rtp *r, uint8_t id) {
  size_t n = 0;
  const uint8_t *p = rtp_ext_find(r, id, &n);
  return p && n >= 1 ? p[0] & 0x7f : -1;
}

size_t rtp_put(uint8_t *dst, uint8_t pt, bool marker, uint16_t seq, uint32_t ts, uint32_t ssrc) {
  dst[0] = 0x80;
  dst[1] = (uint8_t)((marker ? 0x80 : 0) | (pt & 0x7f));
  bytes_put_u16(dst + 2, seq);
  bytes_put_u32(dst + 4, ts);
  bytes_put_u32(dst + 8, ssrc);
  return RTP_HEAD_BYTES;
}
