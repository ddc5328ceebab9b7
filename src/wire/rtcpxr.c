/* SPDX-License-Identifier: Apache-2.0
 * Extended reports: see rtcpxr.h. */
#include "wire/rtcpxr.h"

#include "wire/bytes.h"

enum { HEAD = 4, RRT_BYTES = 12, DLRR_BYTES = 12 };

bool rtcpxr_walk_of(const struct rtcp_packet *p, uint32_t *ret_ssrc, struct rtcpxr_walk *ret) {
  if (p->type != RTCP_XR || p->body_bytes < 4)
    return false;
  *ret_ssrc = bytes_u32(p->body);
  *ret = (struct rtcpxr_walk){p->body + 4, p->body_bytes - 4};
  return true;
}

bool rtcpxr_next(struct rtcpxr_walk *w, struct rtcpxr_block *ret) {
  if (w->n < HEAD)
    return false;
  size_t bytes = HEAD + 4u * bytes_u16(w->p + 2);
  if (bytes > w->n)
    return false;
  *ret = (struct rtcpxr_block){w->p[0], w->p + HEAD, bytes - HEAD};
  w->p += bytes;
  w->n -= bytes;
  return true;
}

bool rtcpxr_read_voip(const struct rtcpxr_block *b, struct rtcpxr_voip *ret) {
  const uint8_t *p = b->body;
  if (b->kind != RTCPXR_VOIP || b->body_bytes != RTCPXR_VOIP_BYTES - HEAD)
    return false;
  *ret = (struct rtcpxr_voip){
      .ssrc = bytes_u32(p),
      .loss = p[4],
      .discard = p[5],
      .burst_density = p[6],
      .gap_density = p[7],
      .burst_ms = bytes_u16(p + 8),
      .gap_ms = bytes_u16(p + 10),
      .round_trip_ms = bytes_u16(p + 12),
      .end_delay_ms = bytes_u16(p + 14),
      .signal = p[16],
      .noise = p[17],
      .rerl = p[18],
      .gmin = p[19],
      .r_factor = p[20],
      .r_external = p[21],
      .mos_listening = p[22],
      .mos_conversational = p[23],
      .config = p[24],
      .buffer_ms = bytes_u16(p + 26),
      .buffer_max_ms = bytes_u16(p + 28),
      .buffer_abs_ms = bytes_u16(p + 30),
  };
  return true;
}

bool rtcpxr_read_rrt(const struct rtcpxr_block *b, uint64_t *ret_ntp) {
  if (b->kind != RTCPXR_RRT || b->body_bytes != RRT_BYTES - HEAD)
    return false;
  *ret_ntp = (uint64_t)bytes_u32(b->body) << 32 | bytes_u32(b->body + 4);
  return true;
}

bool rtcpxr_read_dlrr(const struct rtcpxr_block *b, unsigned i, struct rtcpxr_dlrr *ret) {
  if (b->kind != RTCPXR_DLRR || b->body_bytes < DLRR_BYTES * ((size_t)i + 1))
    return false;
  const uint8_t *p = b->body + (size_t)DLRR_BYTES * i;
  *ret = (struct rtcpxr_dlrr){bytes_u32(p), bytes_u32(p + 4), bytes_u32(p + 8)};
  return true;
}

static size_t put_block(uint8_t *p, unsigned kind, size_t bytes) {
  p[0] = (uint8_t)kind;
  p[1] = 0;
  bytes_put_u16(p + 2, (uint16_t)(bytes / 4 - 1));
  return HEAD;
}

static size_t put_rrt(uint8_t *p, uint64_t ntp) {
  put_block(p, RTCPXR_RRT, RRT_BYTES);
  bytes_put_u32(p + 4, (uint32_t)(ntp >> 32));
  bytes_put_u32(p + 8, (uint32_t)ntp);
  return RRT_BYTES;
}

static size_t put_dlrr(uint8_t *p, const struct rtcpxr_dlrr *d) {
  put_block(p, RTCPXR_DLRR, HEAD + DLRR_BYTES);
  bytes_put_u32(p + 4, d->ssrc);
  bytes_put_u32(p + 8, d->lrr);
  bytes_put_u32(p + 12, d->dlrr);
  return HEAD + DLRR_BYTES;
}

static size_t put_voip(uint8_t *block, const struct rtcpxr_voip *v) {
  uint8_t *p = block + put_block(block, RTCPXR_VOIP, RTCPXR_VOIP_BYTES);
  const uint8_t shares[] = {v->loss, v->discard, v->burst_density, v->gap_density};
  const uint8_t levels[] = {v->signal,        v->noise,
                            v->rerl,          v->gmin,
                            v->r_factor,      v->r_external,
                            v->mos_listening, v->mos_conversational,
                            v->config,        0};
  bytes_put_u32(p, v->ssrc);
  memcpy(p + 4, shares, sizeof(shares));
  bytes_put_u16(p + 8, v->burst_ms);
  bytes_put_u16(p + 10, v->gap_ms);
  bytes_put_u16(p + 12, v->round_trip_ms);
  bytes_put_u16(p + 14, v->end_delay_ms);
  memcpy(p + 16, levels, sizeof(levels));
  bytes_put_u16(p + 26, v->buffer_ms);
  bytes_put_u16(p + 28, v->buffer_max_ms);
  bytes_put_u16(p + 30, v->buffer_abs_ms);
  return RTCPXR_VOIP_BYTES;
}

size_t rtcpxr_put(uint8_t *dst, size_t room, const struct rtcpxr_out *o) {
  size_t at = 8;
  if (room < RTCPXR_MAX_BYTES || (!o->voip && !o->dlrr && !o->rrt_ntp))
    return 0;
  if (o->rrt_ntp)
    at += put_rrt(dst + at, o->rrt_ntp);
  if (o->dlrr)
    at += put_dlrr(dst + at, o->dlrr);
  if (o->voip)
    at += put_voip(dst + at, o->voip);
  dst[0] = 0x80;
  dst[1] = RTCP_XR;
  bytes_put_u16(dst + 2, (uint16_t)(at / 4 - 1));
  bytes_put_u32(dst + 4, o->ssrc);
  return at;
}
