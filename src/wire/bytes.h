/* SPDX-License-Identifier: Apache-2.0
 * Bounds-checked cursors over big-endian bytes. A read or write that does not fit does nothing,
 * gives 0 (or an empty slice) and sets bad for good: parse the whole, then test bad once. Pure. */
#pragma once
#include "base/slice.h"

struct reader {
  const uint8_t *p;   /* p is the next byte. */
  const uint8_t *end; /* end is behind the last byte. */
  bool bad;           /* bad: something did not fit. */
};

static inline struct reader reader_of(const void *p, size_t n) {
  const uint8_t *b = p;
  return (struct reader){b, b ? b + n : b, false};
}
static inline size_t reader_left(const struct reader *r) { return (size_t)(r->end - r->p); }
/* The next n bytes where they lie, taken; NULL and bad if there are fewer. */
static inline const uint8_t *reader_take(struct reader *r, size_t n) {
  const uint8_t *at = r->p;
  if (r->bad || n > reader_left(r)) {
    r->bad = true;
    return NULL;
  }
  r->p += n;
  return at;
}
static inline void reader_skip(struct reader *r, size_t n) { (void)reader_take(r, n); }
static inline uint8_t reader_u8(struct reader *r) {
  const uint8_t *b = reader_take(r, 1);
  return b ? b[0] : 0;
}
static inline uint16_t reader_u16(struct reader *r) {
  const uint8_t *b = reader_take(r, 2);
  return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}
static inline uint32_t reader_u24(struct reader *r) {
  const uint8_t *b = reader_take(r, 3);
  return b ? (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2] : 0;
}
static inline uint32_t reader_u32(struct reader *r) {
  const uint8_t *b = reader_take(r, 4);
  return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}
static inline uint64_t reader_u64(struct reader *r) {
  uint64_t high = reader_u32(r);
  return high << 32 | reader_u32(r);
}
static inline struct slice reader_slice(struct reader *r, size_t n) {
  const uint8_t *b = reader_take(r, n);
  return b ? slice_from(b, n) : (struct slice){NULL, 0};
}
/* A reader of the next n bytes alone, taken from r; bad if there are fewer. */
static inline struct reader reader_sub(struct reader *r, size_t n) {
  const uint8_t *b = reader_take(r, n);
  struct reader sub = reader_of(b, b ? n : 0);
  sub.bad = b == NULL;
  return sub;
}

struct writer {
  uint8_t *base; /* base is the first byte. */
  uint8_t *p;    /* p is where the next byte goes. */
  uint8_t *end;  /* end is behind the room. */
  bool bad;      /* bad: something did not fit. */
};

static inline struct writer writer_of(void *p, size_t room) {
  uint8_t *b = p;
  return (struct writer){b, b, b ? b + room : b, false};
}
static inline size_t writer_bytes(const struct writer *w) { return (size_t)(w->p - w->base); }
/* Room for n bytes that the caller fills; NULL and bad if there is less. */
static inline uint8_t *writer_room(struct writer *w, size_t n) {
  uint8_t *at = w->p;
  if (w->bad || n > (size_t)(w->end - w->p)) {
    w->bad = true;
    return NULL;
  }
  w->p += n;
  return at;
}
static inline void writer_u8(struct writer *w, uint8_t v) {
  uint8_t *b = writer_room(w, 1);
  if (b)
    b[0] = v;
}
static inline void bytes_put_u16(uint8_t *b, uint16_t v) {
  b[0] = (uint8_t)(v >> 8);
  b[1] = (uint8_t)v;
}
static inline void bytes_put_u32(uint8_t *b, uint32_t v) {
  bytes_put_u16(b, (uint16_t)(v >> 16));
  bytes_put_u16(b + 2, (uint16_t)v);
}
static inline uint16_t bytes_u16(const uint8_t *b) { return (uint16_t)(b[0] << 8 | b[1]); }
static inline uint32_t bytes_u32(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static inline void writer_u16(struct writer *w, uint16_t v) {
  uint8_t *b = writer_room(w, 2);
  if (b)
    bytes_put_u16(b, v);
}
static inline void writer_u24(struct writer *w, uint32_t v) {
  uint8_t *b = writer_room(w, 3);
  if (b) {
    b[0] = (uint8_t)(v >> 16);
    bytes_put_u16(b + 1, (uint16_t)v);
  }
}
static inline void writer_u32(struct writer *w, uint32_t v) {
  uint8_t *b = writer_room(w, 4);
  if (b)
    bytes_put_u32(b, v);
}
static inline void writer_u64(struct writer *w, uint64_t v) {
  uint8_t *b = writer_room(w, 8);
  if (b) {
    bytes_put_u32(b, (uint32_t)(v >> 32));
    bytes_put_u32(b + 4, (uint32_t)v);
  }
}
static inline void writer_slice(struct writer *w, struct slice s) {
  uint8_t *b = writer_room(w, s.n);
  if (b && s.n)
    memcpy(b, s.p, s.n);
}
/* n times the byte v. */
static inline void writer_fill(struct writer *w, uint8_t v, size_t n) {
  uint8_t *b = writer_room(w, n);
  if (b && n)
    memset(b, v, n);
}
