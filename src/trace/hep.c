/* SPDX-License-Identifier: Apache-2.0
 * HEP version 3: one captured message as chunks of {vendor, type, length, value} behind "HEP3" and the
 * length of all, everything in network order, as the paper of the protocol's authors says. Pure. */
#include "trace/trace.h"

enum chunk {
  CHUNK_FAMILY = 1,
  CHUNK_PROTOCOL = 2,
  CHUNK_SOURCE_4 = 3,
  CHUNK_TARGET_4 = 4,
  CHUNK_SOURCE_6 = 5,
  CHUNK_TARGET_6 = 6,
  CHUNK_SOURCE_PORT = 7,
  CHUNK_TARGET_PORT = 8,
  CHUNK_SECONDS = 9,
  CHUNK_MICROSECONDS = 10,
  CHUNK_KIND = 11,
  CHUNK_CAPTURE_ID = 12,
  CHUNK_PAYLOAD = 15,
  CHUNK_CORRELATION = 17,
};
enum { HEAD = 6, CHUNK_HEAD = 6, FAMILY_4 = 2, FAMILY_6 = 10, KIND_SIP = 1 };

struct frame {
  uint8_t *p;
  size_t n, room;
  bool is_full;
};

static void chunk_add(struct frame *f, enum chunk type, const void *value, size_t n) {
  if (f->is_full || n + CHUNK_HEAD > UINT16_MAX || f->n + CHUNK_HEAD + n > f->room) {
    f->is_full = true;
    return;
  }
  uint8_t *h = f->p + f->n;
  h[0] = h[1] = h[2] = 0;
  h[3] = (uint8_t)type;
  h[4] = (uint8_t)((CHUNK_HEAD + n) >> 8);
  h[5] = (uint8_t)(CHUNK_HEAD + n);
  if (n)
    memcpy(h + CHUNK_HEAD, value, n);
  f->n += CHUNK_HEAD + n;
}

static void number_add(struct frame *f, enum chunk type, uint64_t v, size_t bytes) {
  uint8_t b[8];
  for (size_t i = 0; i < bytes; i++)
    b[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
  chunk_add(f, type, b, bytes);
}

static void ends_add(struct frame *f, const struct trace_wire *w) {
  bool is_six = addr_family(&w->source) == AF_INET6;
  number_add(f, CHUNK_FAMILY, is_six ? FAMILY_6 : FAMILY_4, 1);
  number_add(f, CHUNK_PROTOCOL, w->is_stream ? 6 : 17, 1);
  if (is_six) {
    chunk_add(f, CHUNK_SOURCE_6, &w->source.in6.sin6_addr, 16);
    chunk_add(f, CHUNK_TARGET_6, &w->target.in6.sin6_addr, 16);
  } else {
    chunk_add(f, CHUNK_SOURCE_4, &w->source.in4.sin_addr, 4);
    chunk_add(f, CHUNK_TARGET_4, &w->target.in4.sin_addr, 4);
  }
  number_add(f, CHUNK_SOURCE_PORT, addr_port(&w->source), 2);
  number_add(f, CHUNK_TARGET_PORT, addr_port(&w->target), 2);
}

size_t trace_hep(uint8_t *dst, size_t dst_bytes, const struct trace_wire *w, uint32_t capture_id) {
  struct frame f = {.p = dst, .n = HEAD, .room = dst_bytes < UINT16_MAX ? dst_bytes : UINT16_MAX};
  if (dst_bytes < HEAD)
    return 0;
  ends_add(&f, w);
  number_add(&f, CHUNK_SECONDS, w->wall_us / 1000000, 4);
  number_add(&f, CHUNK_MICROSECONDS, w->wall_us % 1000000, 4);
  number_add(&f, CHUNK_KIND, KIND_SIP, 1);
  number_add(&f, CHUNK_CAPTURE_ID, capture_id, 4);
  chunk_add(&f, CHUNK_CORRELATION, w->sip_call_id, strlen(w->sip_call_id));
  chunk_add(&f, CHUNK_PAYLOAD, w->text.p, w->text.n);
  if (f.is_full)
    return 0;
  memcpy(dst, "HEP3", 4);
  dst[4] = (uint8_t)(f.n >> 8);
  dst[5] = (uint8_t)f.n;
  return f.n;
}
