/* SPDX-License-Identifier: Apache-2.0
 * Opus in Ogg, read: see ogg.h. The first stream that begins is the one; other streams' pages are passed
 * over. */
#include "codec/ogg.h"

#include <ogg/ogg.h>
#include <opus.h>

enum { HEAD_BYTES = 19, FEED_MAX = 65536, SYNC_MAX = 131072, STREAM_MAX = 262144 };

struct oggin {
  ogg_sync_state sync;
  ogg_stream_state stream;
  struct oggin_head head;
  bool has_stream, has_tags, is_bad, is_ended;
};

int oggin_new(struct oggin **ret) {
  struct oggin *o = calloc(1, sizeof(*o));
  if (!o)
    return -ENOMEM;
  ogg_sync_init(&o->sync);
  *ret = o;
  return 0;
}

struct oggin *oggin_free(struct oggin *o) {
  if (!o)
    return NULL;
  ogg_sync_clear(&o->sync);
  if (o->has_stream)
    ogg_stream_clear(&o->stream);
  free(o);
  return NULL;
}

const struct oggin_head *oggin_head(const struct oggin *o) { return &o->head; }

int oggin_feed(struct oggin *o, const void *bytes, size_t n) {
  if (n > FEED_MAX || o->sync.fill - o->sync.returned > SYNC_MAX)
    return -EINVAL;
  char *to = ogg_sync_buffer(&o->sync, (long)n);
  if (!to)
    return -ENOMEM;
  memcpy(to, bytes, n);
  return ogg_sync_wrote(&o->sync, (long)n) == 0 ? 0 : -EINVAL;
}

static bool take_page(struct oggin *o, ogg_page *page) {
  if (!o->has_stream) {
    if (!ogg_page_bos(page) || ogg_stream_init(&o->stream, ogg_page_serialno(page)) != 0)
      return false; /* what does not begin with a beginning is no file */
    o->has_stream = true;
  }
  if (ogg_page_serialno(page) != o->stream.serialno)
    return true;
  return ogg_stream_pagein(&o->stream, page) == 0 && o->stream.body_fill <= STREAM_MAX;
}

static bool read_head(struct oggin *o, const ogg_packet *p) {
  const uint8_t *b = p->packet;
  if (!p->b_o_s || p->bytes < HEAD_BYTES || memcmp(b, "OpusHead", 8) != 0 || b[8] > 15 || b[18] != 0)
    return false;
  o->head = (struct oggin_head){.channels = b[9],
                                .pre_skip = (uint16_t)(b[10] | b[11] << 8),
                                .gain_q8 = (int16_t)(b[16] | b[17] << 8),
                                .is_known = true};
  return b[9] == 1 || b[9] == 2;
}

/* A packet of the stream: of the head (taken in here), or audio. */
static enum oggin_verdict take_packet(struct oggin *o, const ogg_packet *p, struct slice *ret,
                                      uint32_t *ret_units) {
  o->is_ended = p->e_o_s;
  if (!o->head.is_known)
    return read_head(o, p) ? OGGIN_MORE : OGGIN_BAD;
  if (!o->has_tags) {
    o->has_tags = p->bytes >= 8 && memcmp(p->packet, "OpusTags", 8) == 0;
    return o->has_tags ? OGGIN_MORE : OGGIN_BAD;
  }
  if (p->bytes <= 0 || p->bytes > CODER_PAYLOAD_MAX)
    return OGGIN_MORE;
  int units = opus_packet_get_nb_samples(p->packet, (opus_int32)p->bytes, OGG_CLOCK_HZ);
  if (units <= 0)
    return OGGIN_MORE;
  *ret = slice_from(p->packet, (size_t)p->bytes);
  *ret_units = (uint32_t)units;
  return OGGIN_PACKET;
}

static enum oggin_verdict step(struct oggin *o, struct slice *ret_packet, uint32_t *ret_units,
                               bool *ret_again) {
  ogg_packet packet;
  ogg_page page;
  *ret_again = true;
  int r = o->has_stream ? ogg_stream_packetout(&o->stream, &packet) : 0;
  if (r > 0)
    return take_packet(o, &packet, ret_packet, ret_units);
  if (r < 0)
    return OGGIN_MORE; /* a hole: what follows it is next */
  if (o->is_ended)
    return OGGIN_END;
  r = ogg_sync_pageout(&o->sync, &page);
  if (r > 0)
    return take_page(o, &page) ? OGGIN_MORE : OGGIN_BAD;
  *ret_again = r < 0; /* bytes that are no page were passed over */
  return OGGIN_MORE;
}

enum oggin_verdict oggin_next(struct oggin *o, struct slice *ret_packet, uint32_t *ret_units) {
  bool again = true;
  enum oggin_verdict v = OGGIN_MORE;
  *ret_packet = (struct slice){NULL, 0};
  *ret_units = 0;
  while (!o->is_bad && v == OGGIN_MORE && again)
    v = step(o, ret_packet, ret_units, &again);
  o->is_bad |= v == OGGIN_BAD;
  return o->is_bad ? OGGIN_BAD : v;
}
