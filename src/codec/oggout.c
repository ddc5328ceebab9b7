/* SPDX-License-Identifier: Apache-2.0
 * Opus in Ogg, written: see ogg.h. The last packet must say that it is the last, so one is held back. */
#include "codec/ogg.h"

#include <ogg/ogg.h>
#include <opus.h>

enum { HEAD_BYTES = 19, TEXT_MAX = 1000, PAGE_UNITS = OGG_CLOCK_HZ, PAGE_BYTES = 32768 };

struct oggout {
  ogg_stream_state stream;
  int64_t granule;     /* granule of the packets that stream has. */
  int64_t count;       /* count of packets that stream has. */
  uint32_t page_units; /* page_units and */
  size_t page_bytes;   /* page_bytes since the last page. */
  bool is_flushing;    /* is_flushing: what stream has becomes pages now. */
  bool is_ended;
  size_t held_bytes; /* held_bytes of the packet held back, 0: none. */
  uint32_t held_units;
  uint8_t held[CODER_PAYLOAD_MAX];
};

static uint8_t *put32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(v >> 8 * i);
  return p + 4;
}

static int put_packet(struct oggout *o, const uint8_t *p, size_t n, bool is_last) {
  ogg_packet packet = {
      .packet = (unsigned char *)(uintptr_t)p,
      .bytes = (long)n,
      .b_o_s = o->count == 0,
      .e_o_s = is_last,
      .granulepos = o->granule,
      .packetno = o->count,
  };
  o->count++;
  return ogg_stream_packetin(&o->stream, &packet) == 0 ? 0 : -ENOMEM;
}

static int put_head(struct oggout *o, const struct oggout_format *f) {
  uint8_t head[HEAD_BYTES] = "OpusHead";
  head[8] = 1;
  head[9] = f->channels;
  head[10] = (uint8_t)f->pre_skip;
  head[11] = (uint8_t)(f->pre_skip >> 8);
  put32(head + 12, f->rate_hz); /* then gain 0, family 0 */
  return put_packet(o, head, sizeof(head), false);
}

static uint8_t *put_text(uint8_t *p, const char *text) {
  uint32_t n = (uint32_t)strnlen(text, TEXT_MAX);
  p = put32(p, n);
  memcpy(p, text, n);
  return p + n;
}

static int put_tags(struct oggout *o, const struct oggout_format *f) {
  uint8_t tags[8 + 4 + TEXT_MAX + 4 + 4 + TEXT_MAX] = "OpusTags";
  uint8_t *p = put_text(tags + 8, f->vendor ? f->vendor : "");
  p = put32(p, f->comment != NULL);
  if (f->comment)
    p = put_text(p, f->comment);
  return put_packet(o, tags, (size_t)(p - tags), false);
}

int oggout_new(struct oggout **ret, const struct oggout_format *f) {
  if (f->channels < 1 || f->channels > 2)
    return -EINVAL;
  own(oggout) o = calloc(1, sizeof(*o));
  if (!o || ogg_stream_init(&o->stream, (int)f->serial) != 0)
    return -ENOMEM;
  int r = put_head(o, f);
  if (r == 0)
    r = put_tags(o, f);
  if (r < 0)
    return r;
  o->is_flushing = true;
  *ret = take(o);
  return 0;
}

struct oggout *oggout_free(struct oggout *o) {
  if (o)
    ogg_stream_clear(&o->stream);
  free(o);
  return NULL;
}

/* Hands the packet that was held back to the stream. */
static int release(struct oggout *o, uint32_t trim, bool is_last) {
  if (o->held_bytes == 0)
    return 0;
  o->granule += trim < o->held_units ? o->held_units - trim : 0;
  o->page_units += o->held_units;
  o->page_bytes += o->held_bytes;
  size_t n = o->held_bytes;
  o->held_bytes = 0;
  if (o->page_units >= PAGE_UNITS || o->page_bytes >= PAGE_BYTES)
    o->is_flushing = true;
  return put_packet(o, o->held, n, is_last);
}

int oggout_packet(struct oggout *o, const uint8_t *payload, size_t n) {
  if (o->is_ended || n == 0 || n > CODER_PAYLOAD_MAX)
    return -EINVAL;
  int units = opus_packet_get_nb_samples(payload, (opus_int32)n, OGG_CLOCK_HZ);
  if (units <= 0)
    return -EINVAL;
  int r = release(o, 0, false);
  memcpy(o->held, payload, n);
  o->held_bytes = n;
  o->held_units = (uint32_t)units;
  return r;
}

int oggout_end(struct oggout *o, uint32_t trim) {
  if (o->is_ended)
    return 0;
  o->is_ended = o->is_flushing = true;
  return release(o, trim, true);
}

bool oggout_page(struct oggout *o, struct slice ret[2]) {
  ogg_page page;
  if (!o->is_flushing || ogg_stream_flush(&o->stream, &page) == 0) {
    o->is_flushing = false;
    return false;
  }
  o->page_units = 0;
  o->page_bytes = 0;
  ret[0] = slice_from(page.header, (size_t)page.header_len);
  ret[1] = slice_from(page.body, (size_t)page.body_len);
  return true;
}
