/* SPDX-License-Identifier: Apache-2.0
 * Passing on to the peer: see bridge.h. Time is the worker's now_us. */
#include "media/bridge.h"

#include "media/session.h"

static uint64_t source_of(const struct heard *h) {
  return (h->session->handle << 40 ^ (h->session->handle >> 32) << 33) ^
         ((uint64_t)1 << 32 | h->rtp.ssrc);
}

/* The peer and whom it sends to, when it may. */
static enum drop way_out(const struct heard *h, struct session **ret_peer, struct remote **ret_to) {
  *ret_peer = session_peer(h->session);
  if (!*ret_peer)
    return DROP_NO_SINK;
  if (digits_are_due(&(*ret_peer)->digits))
    return DROP_HELD;
  *ret_to = session_target(*ret_peer);
  return session_may_send(*ret_peer, *ret_to);
}

static enum drop to_codec(const struct heard *h, const struct mset_codec *out, uint8_t *payload) {
  bool was_u = h->codec->kind == CODEC_PCMU, was_a = h->codec->kind == CODEC_PCMA;
  if (!out)
    return DROP_CODEC;
  if (h->codec->kind == out->kind)
    return DROP_NONE;
  if (!(was_u && out->kind == CODEC_PCMA) && !(was_a && out->kind == CODEC_PCMU))
    return DROP_CODEC;
  g711_convert(was_u ? G711_ULAW : G711_ALAW, payload, payload, h->rtp.payload_bytes);
  return DROP_NONE;
}

static enum drop pass_audio(struct link *l, const struct heard *h, struct packet *p) {
  (void)l;
  struct session *peer;
  struct remote *to;
  struct sink_out at;
  enum drop d = way_out(h, &peer, &to);
  if (d)
    return d;
  const struct mset_codec *codec = remote_audio(to);
  uint8_t *payload = p->bytes + (h->rtp.payload - p->bytes);
  struct sink_in in = {source_of(h), h->ext, h->rtp.ts, h->rtp.marker, false};
  d = to_codec(h, codec, payload);
  if (!d)
    d = sink_map(&peer->sink, &in, peer->w->now_us, &at);
  else
    sink_skip(&peer->sink, in.source);
  if (d)
    return d;
  peer->forwarded_us = peer->w->now_us;
  peer->tx.codec = codec->kind;
  struct out o = {codec->pt, at.marker, at.index, at.ts, payload, h->rtp.payload_bytes, false};
  return session_send(peer, to, &o);
}

/* The timestamp of an event on its way out is fixed when it begins, unless both clocks are one: then
 * each segment has its own. */
static enum drop map_event(const struct heard *h, struct session *peer, bool is_one_clock,
                           const struct event_told *told, struct sink_out *ret) {
  struct event *e = &h->remote->event;
  uint32_t ts = told->is_begin ? sink_ts(&peer->sink, peer->w->now_us) : e->out_ts;
  struct sink_in in = {source_of(h), h->ext, h->rtp.ts, told->is_begin, true};
  if (!is_one_clock || told->is_stamped_anew)
    in.ts = ts - peer->sink.ts_shift;
  enum drop d = sink_map(&peer->sink, &in, peer->w->now_us, ret);
  if (told->is_begin || (is_one_clock && !told->is_stamped_anew))
    e->out_ts = ret->ts;
  return d;
}

static enum drop pass_event(struct link *l, const struct heard *h, const struct telev *t,
                            const struct event_told *told) {
  (void)l;
  struct session *peer;
  struct remote *to;
  struct sink_out at;
  uint8_t payload[TELEV_BYTES];
  enum drop d = way_out(h, &peer, &to);
  if (d)
    return d;
  const struct mset_codec *codec = remote_event(to, SINK_CLOCK_HZ);
  if (!codec || told->is_old) {
    sink_skip(&peer->sink, source_of(h));
    return codec ? DROP_LATE : DROP_PAYLOAD_TYPE;
  }
  bool is_one_clock = h->codec->clock_hz == codec->clock_hz && codec->clock_hz == SINK_CLOCK_HZ;
  d = map_event(h, peer, is_one_clock, told, &at);
  if (d)
    return d;
  struct telev out = *t;
  if (!is_one_clock)
    out.duration =
        telev_scale(h->remote->event.segments + t->duration, h->codec->clock_hz, codec->clock_hz);
  telev_put(payload, &out);
  peer->forwarded_us = peer->w->now_us;
  struct out o = {codec->pt, told->is_begin, at.index, at.ts, payload, sizeof(payload), true};
  return session_send(peer, to, &o);
}

static void skip(struct link *l, const struct heard *h) {
  struct session *peer = session_peer(h->session);
  (void)l;
  if (peer)
    sink_skip(&peer->sink, source_of(h));
}

static const struct link_ops ops = {
    .name = "bridge", .is_last = true, .audio = pass_audio, .event = pass_event, .skip = skip};

void bridge_open(struct session *s, struct session *peer) {
  link_remove(&s->bridge);
  s->peer = peer->handle;
  link_add(&s->bridge, &ops, s);
}

void bridge_close(struct session *s) {
  link_remove(&s->bridge);
  s->peer = 0;
}
