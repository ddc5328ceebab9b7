/* SPDX-License-Identifier: Apache-2.0
 * Compound RTCP: see rtcp.h. */
#include "wire/rtcp.h"

#include "wire/bytes.h"

enum { HEAD = 4, SENDER = 24, BLOCK = 24, CNAME = 1 };

bool rtcp_next(struct rtcp_walk *w, struct rtcp_packet *ret) {
  const uint8_t *p = w->p;
  if (w->n < HEAD || p[0] >> 6 != 2 || p[1] < 192 || p[1] > 223)
    return false;
  size_t bytes = 4u * (bytes_u16(p + 2) + 1u), padding = 0;
  if (bytes > w->n)
    return false;
  if (p[0] & 0x20) {
    padding = p[bytes - 1];
    if (bytes != w->n || !padding || padding % 4 || padding > bytes - HEAD)
      return false;
  }
  *ret = (struct rtcp_packet){p[1], p[0] & 31, p + HEAD, bytes - HEAD - padding};
  w->p += bytes;
  w->n -= bytes;
  return true;
}

bool rtcp_is_sound(const uint8_t *p, size_t n) {
  struct rtcp_walk w = rtcp_walk_of(p, n);
  struct rtcp_packet one;
  if (n < HEAD + 4)
    return false;
  while (w.n)
    if (!rtcp_next(&w, &one))
      return false;
  return true;
}

bool rtcp_sender(const struct rtcp_packet *p, struct rtcp_sender *ret) {
  if (p->type != RTCP_SR || p->body_bytes < SENDER)
    return false;
  const uint8_t *b = p->body;
  *ret = (struct rtcp_sender){bytes_u32(b), (uint64_t)bytes_u32(b + 4) << 32 | bytes_u32(b + 8),
                              bytes_u32(b + 12), bytes_u32(b + 16), bytes_u32(b + 20)};
  return true;
}

bool rtcp_block(const struct rtcp_packet *p, unsigned i, struct rtcp_block *ret) {
  size_t at = p->type == RTCP_SR ? SENDER : 4;
  if ((p->type != RTCP_SR && p->type != RTCP_RR) || i >= p->count ||
      p->body_bytes < at + BLOCK * (i + 1u))
    return false;
  const uint8_t *b = p->body + at + BLOCK * i;
  uint32_t lost = bytes_u32(b + 4) & 0xffffff;
  *ret = (struct rtcp_block){.ssrc = bytes_u32(b),
                             .fraction = b[4],
                             .lost = lost & 0x800000 ? (int32_t)lost - 0x1000000 : (int32_t)lost,
                             .max_seq = bytes_u32(b + 8),
                             .jitter = bytes_u32(b + 12),
                             .lsr = bytes_u32(b + 16),
                             .dlsr = bytes_u32(b + 20)};
  return true;
}

bool rtcp_is_nack(const struct rtcp_packet *p) {
  return p->type == RTCP_RTPFB && p->count == RTCP_FB_NACK && p->body_bytes >= 12;
}

bool rtcp_is_pli(const struct rtcp_packet *p) {
  return p->type == RTCP_PSFB && p->count == RTCP_FB_PLI && p->body_bytes >= 8;
}

struct slice rtcp_cname(const struct rtcp_packet *p) {
  if (p->type != RTCP_SDES || !p->count)
    return (struct slice){NULL, 0};
  for (size_t at = 4; at + 2 <= p->body_bytes && p->body[at];) {
    size_t n = p->body[at + 1];
    if (at + 2 + n > p->body_bytes)
      break;
    if (p->body[at] == CNAME)
      return slice_from(p->body + at + 2, n);
    at += 2 + n;
  }
  return (struct slice){NULL, 0};
}

static void put_head(uint8_t *dst, unsigned count, unsigned type, size_t bytes) {
  dst[0] = (uint8_t)(0x80 | count);
  dst[1] = (uint8_t)type;
  bytes_put_u16(dst + 2, (uint16_t)(bytes / 4 - 1));
}

static size_t put_sender(uint8_t *p, const struct rtcp_sender *s) {
  bytes_put_u32(p, (uint32_t)(s->ntp >> 32));
  bytes_put_u32(p + 4, (uint32_t)s->ntp);
  bytes_put_u32(p + 8, s->ts);
  bytes_put_u32(p + 12, s->packets);
  bytes_put_u32(p + 16, s->octets);
  return SENDER - 4;
}

static size_t put_block(uint8_t *p, const struct rtcp_block *b) {
  bytes_put_u32(p, b->ssrc);
  bytes_put_u32(p + 4, (uint32_t)b->lost & 0xffffff);
  p[4] = b->fraction;
  bytes_put_u32(p + 8, b->max_seq);
  bytes_put_u32(p + 12, b->jitter);
  bytes_put_u32(p + 16, b->lsr);
  bytes_put_u32(p + 20, b->dlsr);
  return BLOCK;
}

static size_t put_sdes(uint8_t *p, uint32_t ssrc, struct slice cname) {
  size_t bytes = (HEAD + 4 + 2 + cname.n + 1 + 3) & ~(size_t)3;
  memset(p, 0, bytes);
  put_head(p, 1, RTCP_SDES, bytes);
  bytes_put_u32(p + 4, ssrc);
  p[8] = CNAME;
  p[9] = (uint8_t)cname.n;
  memcpy(p + 10, cname.p, cname.n);
  return bytes;
}

size_t rtcp_put_bye(uint8_t *dst, size_t room, uint32_t ssrc) {
  if (room < 8)
    return 0;
  put_head(dst, 1, RTCP_BYE, 8);
  bytes_put_u32(dst + 4, ssrc);
  return 8;
}

size_t rtcp_put(uint8_t *dst, size_t dst_bytes, uint32_t ssrc, const struct rtcp_sender *sender,
                const struct rtcp_block *blocks, unsigned n, struct slice cname, bool bye) {
  size_t report = HEAD + 4 + (sender ? SENDER - 4 : 0) + BLOCK * (size_t)n;
  size_t sdes = (HEAD + 4 + 2 + cname.n + 1 + 3) & ~(size_t)3;
  if (n > RTCP_BLOCKS_MAX || !cname.n || cname.n > RTCP_CNAME_MAX_BYTES ||
      report + sdes + (bye ? 8 : 0) > dst_bytes)
    return 0;
  put_head(dst, n, sender ? RTCP_SR : RTCP_RR, report);
  bytes_put_u32(dst + 4, ssrc);
  size_t at = 8;
  if (sender)
    at += put_sender(dst + at, sender);
  for (unsigned i = 0; i < n; i++)
    at += put_block(dst + at, &blocks[i]);
  at += put_sdes(dst + at, ssrc, cname);
  if (bye)
    at += rtcp_put_bye(dst + at, dst_bytes - at, ssrc);
  return at;
}
