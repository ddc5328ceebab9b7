/* SPDX-License-Identifier: Apache-2.0
 * Headers of a call's media packets: collected for each way between two addresses, and written as items
 * of kind TRACE_PACKETS when enough stand together. In an item each header is told by what differs from
 * the one before: mostly two octets and the time. Bounded by a share of the timeline. */
#include "trace/inner.h"

enum {
  FLOWS_MAX = 16,    /* pairs of addresses that are collected at a time */
  TEXT_BYTES = 640,  /* of an item */
  PACKET_BYTES = 80, /* the most that one takes */
  SHARE = 4,         /* of the timeline's parts */
  RTP_BYTES = 12,
  IS_WHOLE = 1, /* the header follows as it is; else it is the one before, counted on */
  IS_DROPPED = 2,
  IS_SIZED = 4, /* another length than the one before */
};

struct packets {
  struct packets *next;
  struct addr from, to;
  uint8_t lane;
  bool is_out, is_rtcp;
  struct trace_packet last; /* last was written, with the bytes of head; last.n 0: none. */
  uint8_t head[TRACE_HEADER_BYTES];
  uint32_t step, n; /* step is between the last two timestamps, n are the bytes of text. */
  uint8_t text[TEXT_BYTES];
};

static uint32_t get32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v) {
  for (unsigned i = 0; i < 4; i++)
    p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* What comes after head, if nothing surprises: the next number, as much later. */
static void count_on(uint8_t head[TRACE_HEADER_BYTES], uint32_t step) {
  unsigned seq = (unsigned)(head[2] << 8 | head[3]) + 1;
  head[2] = (uint8_t)(seq >> 8);
  head[3] = (uint8_t)seq;
  put32(head + 4, get32(head + 4) + step);
}

static void add_number(struct packets *f, uint64_t v) {
  for (; v > 127; v >>= 7)
    f->text[f->n++] = (uint8_t)(v | 128);
  f->text[f->n++] = (uint8_t)v;
}

static bool is_next(const struct packets *f, const struct trace_packet *p) {
  uint8_t want[TRACE_HEADER_BYTES];
  if (f->is_rtcp || !f->last.n || p->n != f->last.n || p->n < RTP_BYTES)
    return false;
  memcpy(want, f->head, sizeof(want));
  count_on(want, f->step);
  return memcmp(want, p->head, RTP_BYTES) == 0;
}

static void packet_write(struct packets *f, const struct trace_packet *p) {
  bool is_whole = !is_next(f, p), is_sized = is_whole || p->bytes != f->last.bytes;
  f->text[f->n++] =
      (uint8_t)((is_whole ? IS_WHOLE : 0) | (p->drop ? IS_DROPPED : 0) | (is_sized ? IS_SIZED : 0));
  add_number(f, p->at_us > f->last.at_us ? p->at_us - f->last.at_us : 0);
  if (is_sized)
    add_number(f, p->bytes);
  if (p->drop)
    f->text[f->n++] = p->drop;
  if (is_whole)
    f->text[f->n++] = p->n;
  size_t known = is_whole || p->n < RTP_BYTES ? 0 : RTP_BYTES;
  memcpy(f->text + f->n, p->head + known, p->n - known);
  f->n += (uint32_t)(p->n - known);
  f->step = f->last.n >= RTP_BYTES && p->n >= RTP_BYTES ? get32(p->head + 4) - get32(f->head + 4) : 0;
  uint64_t at_us = p->at_us > f->last.at_us ? p->at_us : f->last.at_us;
  f->last = *p;
  f->last.at_us = at_us;
  memcpy(f->head, p->head, p->n);
}

/* Collecting --------------------------------------------------------------------------------------- */
static void flow_write(struct trace *t, const struct packets *f) {
  char peer[ADDR_TEXT_BYTES], local[ADDR_TEXT_BYTES];
  if (!f->n)
    return;
  item_add(t, &(struct item){.kind = TRACE_PACKETS,
                             .lane = f->lane,
                             .dir = f->is_out ? TRACE_OUT : TRACE_IN,
                             .title = f->is_rtcp ? "RTCP" : "RTP",
                             .peer = addr_text(f->is_out ? &f->to : &f->from, peer, sizeof(peer)),
                             .local = addr_text(f->is_out ? &f->from : &f->to, local, sizeof(local)),
                             .text = slice_from(f->text, f->n)});
}

/* Each item can be read alone. */
static void flow_begin(struct packets *f) {
  f->n = f->step = 0;
  f->last = (struct trace_packet){.n = 0};
}

void packets_write(struct trace *t) {
  for (const struct packets *f = t->packets; f; f = f->next)
    flow_write(t, f);
}

void packets_free(struct trace *t) {
  while (t->packets) {
    struct packets *f = t->packets;
    t->packets = f->next;
    free(f);
  }
}

static bool is_flow(const struct packets *f, unsigned lane, const struct trace_packet *p) {
  return f->lane == lane && f->is_out == p->is_out && f->is_rtcp == p->is_rtcp &&
         addr_eq(&f->from, &p->from) && addr_eq(&f->to, &p->to);
}

/* The one of p, the last used first; when there are too many the one that rests longest makes room. */
static struct packets *flow_of(struct trace *t, unsigned lane, const struct trace_packet *p) {
  struct packets **at = &t->packets, *f = NULL;
  unsigned n = 1;
  while (*at && !is_flow(*at, lane, p) && (n < FLOWS_MAX || (*at)->next)) {
    at = &(*at)->next;
    n++;
  }
  f = *at;
  if (f)
    *at = f->next;
  else if (!(f = calloc(1, sizeof(*f))))
    return NULL;
  if (!is_flow(f, lane, p) || !f->n) {
    flow_write(t, f);
    flow_begin(f);
    f->from = p->from;
    f->to = p->to;
    f->lane = (uint8_t)lane;
    f->is_out = p->is_out;
    f->is_rtcp = p->is_rtcp;
  }
  f->next = t->packets;
  t->packets = f;
  return f;
}

static void lose(struct trace *t) {
  t->lost++;
  count_one(&t->ts->counts, COUNT_LOST);
}

void trace_packet(struct trace *t, unsigned lane, const struct trace_packet *p) {
  if (!t || t->is_over || !p->n || p->n > TRACE_HEADER_BYTES)
    return;
  struct trace_packet mine = *p;
  struct packets *f = t->n_packet_bytes < t->lines.max / SHARE * PARTS_MAX ? flow_of(t, lane, p) : NULL;
  if (!f) {
    lose(t);
    return;
  }
  mine.at_us = p->at_us > t->start_us ? p->at_us - t->start_us : 0;
  if (f->n + PACKET_BYTES > TEXT_BYTES) {
    flow_write(t, f);
    flow_begin(f);
  }
  uint32_t was = f->n;
  packet_write(f, &mine);
  t->n_packet_bytes += f->n - was;
}

/* Reading ------------------------------------------------------------------------------------------ */
struct reader {
  const uint8_t *p;
  size_t n;
  bool is_bad;
};

static uint8_t take_byte(struct reader *r) {
  if (!r->n) {
    r->is_bad = true;
    return 0;
  }
  r->n--;
  return *r->p++;
}

static uint64_t take_number(struct reader *r) {
  uint64_t v = 0;
  uint8_t b = 128;
  for (unsigned i = 0; i < 63 && b & 128; i += 7) {
    b = take_byte(r);
    v |= (uint64_t)(b & 127) << i;
  }
  r->is_bad |= (b & 128) != 0;
  return v;
}

static void take_header(struct reader *r, bool is_whole, struct trace_packet *p,
                        uint8_t head[TRACE_HEADER_BYTES], uint32_t *step) {
  uint32_t was = p->n >= RTP_BYTES ? get32(head + 4) : 0;
  bool had = p->n >= RTP_BYTES;
  if (is_whole)
    p->n = take_byte(r);
  else
    count_on(head, *step);
  size_t known = is_whole || p->n < RTP_BYTES ? 0 : RTP_BYTES;
  if (p->n > TRACE_HEADER_BYTES || !p->n || r->n < p->n - known) {
    r->is_bad = true;
    return;
  }
  memcpy(head + known, r->p, p->n - known);
  r->p += p->n - known;
  r->n -= p->n - known;
  *step = had && p->n >= RTP_BYTES ? get32(head + 4) - was : 0;
}

int trace_packets(const struct trace_item *i, trace_packet_fn *fn, void *arg) {
  struct reader r = {(const uint8_t *)i->text, i->text_n, false};
  uint8_t head[TRACE_HEADER_BYTES] = {0};
  uint32_t step = 0;
  struct trace_packet p = {
      .is_out = i->dir == TRACE_OUT, .is_rtcp = i->title && strcmp(i->title, "RTCP") == 0, .head = head};
  struct addr peer, local;
  if (i->kind != TRACE_PACKETS || !i->peer || !i->local ||
      addr_parse_port(&peer, slice_of(i->peer)) < 0 || addr_parse_port(&local, slice_of(i->local)) < 0)
    return -EBADMSG;
  p.from = p.is_out ? local : peer;
  p.to = p.is_out ? peer : local;
  while (r.n) {
    uint8_t flags = take_byte(&r);
    p.at_us += take_number(&r);
    p.bytes = flags & IS_SIZED ? (uint16_t)take_number(&r) : p.bytes;
    p.drop = flags & IS_DROPPED ? take_byte(&r) : 0;
    take_header(&r, flags & IS_WHOLE, &p, head, &step);
    int error = r.is_bad || p.n > p.bytes ? -EBADMSG : fn(arg, &p);
    if (error)
      return error;
  }
  return 0;
}
