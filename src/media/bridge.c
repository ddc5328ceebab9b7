/* SPDX-License-Identifier: Apache-2.0
 * Passing on to the peer: see bridge.h. Time is the worker's now_us. What the far end takes in no
 * such form goes to its encoder (voice.h), packet by packet: no state but the encoder's itself. */
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

static bool is_g711(uint8_t kind) { return kind == CODEC_PCMU || kind == CODEC_PCMA; }

/* Can a payload of kind go out as codec without being decoded? */
static bool is_near(uint8_t kind, const struct mset_codec *codec) {
  return codec->kind == kind || (is_g711(kind) && is_g711(codec->kind));
}

/* Any codec of the far end that takes it so: the way out when no encoder is to be had. */
static const struct mset_codec *near_of(const struct remote *to, uint8_t kind) {
  for (unsigned i = 0; i < to->n_codecs; i++)
    if (is_near(kind, &to->codecs[i]))
      return &to->codecs[i];
  return NULL;
}

/* What this packet goes out as; NULL: it needs an encoder. */
static const struct mset_codec *direct(struct session *peer, const struct remote *to,
                                       const struct heard *h) {
  const struct mset_codec *first = remote_audio(to);
  uint8_t kind = h->codec->kind;
  if (kind == CODEC_CN) {
    const struct mset_codec *noise = remote_of_kind(to, CODEC_CN);
    return noise && !peer->voice.is_fed && noise->clock_hz == peer->sink.clock_hz ? noise : NULL;
  }
  if (!first || is_near(kind, first))
    return first;
  if (!voice_is_open(&peer->voice) && voice_open(peer, kind) < 0)
    return near_of(to, kind);
  return NULL;
}

static void to_law(const struct heard *h, const struct mset_codec *out, uint8_t *payload) {
  if (h->codec->kind != out->kind)
    g711_convert(h->codec->kind == CODEC_PCMU ? G711_ULAW : G711_ALAW, payload, payload,
                 h->rtp.payload_bytes);
}

static enum drop pass_audio(struct link *l, const struct heard *h, struct packet *p) {
  struct session *peer;
  struct remote *to;
  struct sink_out at;
  (void)l;
  enum drop d = way_out(h, &peer, &to);
  if (d)
    return d;
  const struct mset_codec *codec = direct(peer, to, h);
  if (!codec)
    return voice_put(peer, source_of(h), h);
  voice_rest(peer);
  uint8_t *payload = p->bytes + (h->rtp.payload - p->bytes);
  struct sink_in in = {source_of(h), h->ext, h->rtp.ts, h->rtp.marker, false};
  to_law(h, codec, payload);
  sink_set_clock(&peer->sink, codec->clock_hz);
  d = sink_map(&peer->sink, &in, peer->w->now_us, &at);
  if (d)
    return d;
  peer->forwarded_us = peer->w->now_us;
  if (codec->kind != CODEC_CN)
    peer->tx.codec = codec->kind;
  struct out o = {codec->pt, at.marker, at.index, at.ts, payload, h->rtp.payload_bytes, false};
  return session_send(peer, to, &o);
}

/* Among the frames of an encoder, which is quiet meanwhile. */
static void insert_event(struct event *e, struct session *peer, const struct event_told *told,
                         struct sink_out *ret) {
  if (told->is_begin)
    e->out_ts = sink_ts(&peer->sink, peer->w->now_us);
  sink_insert(&peer->sink, e->out_ts, peer->w->now_us, ret);
  peer->voice.event_us = peer->w->now_us;
}

/* The timestamp of an event on its way out is fixed when it begins, unless both clocks are one: then
 * each segment has its own. */
static enum drop map_event(const struct heard *h, struct session *peer, bool is_one_clock,
                           const struct event_told *told, struct sink_out *ret) {
  struct event *e = &h->remote->event;
  if (peer->voice.is_fed) {
    insert_event(e, peer, told, ret);
    return DROP_NONE;
  }
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
  const struct mset_codec *codec = remote_event(to, peer->sink.clock_hz);
  if (peer->voice.is_fed)
    voice_skip(peer);
  if (!codec || told->is_old) {
    sink_skip(&peer->sink, source_of(h));
    return codec ? DROP_LATE : DROP_PAYLOAD_TYPE;
  }
  bool is_one_clock = !peer->voice.is_fed && h->codec->clock_hz == codec->clock_hz &&
                      codec->clock_hz == peer->sink.clock_hz;
  d = map_event(h, peer, is_one_clock, told, &at);
  if (d)
    return d;
  struct telev out = *t;
  if (!is_one_clock) {
    struct event *e = &h->remote->event;
    if (told->is_begin)
      e->out_cut.offset = 0;
    uint32_t lasted = telev_scale(e->segments + t->duration, h->codec->clock_hz, codec->clock_hz);
    at.ts += telev_scale(telev_cut(&e->out_cut, lasted, &out), codec->clock_hz, SINK_CLOCK_HZ);
  }
  telev_put(payload, &out);
  peer->forwarded_us = peer->w->now_us;
  struct out o = {codec->pt, told->is_begin, at.index, at.ts, payload, sizeof(payload), true};
  return session_send(peer, to, &o);
}

static void skip(struct link *l, const struct heard *h) {
  struct session *peer = session_peer(h->session);
  (void)l;
  if (!peer)
    return;
  if (peer->voice.is_fed)
    voice_skip(peer);
  else
    sink_skip(&peer->sink, source_of(h));
}

/* An encoder is had before it is needed, where the descriptions say that it will be. */
static int prepare(struct session *s) {
  struct session *peer = session_peer(s);
  const struct remote *from = session_expected(s), *to = peer ? session_expected(peer) : NULL;
  const struct mset_codec *in = from ? remote_audio(from) : NULL, *out = to ? remote_audio(to) : NULL;
  if (!in || !out)
    return 0;
  if (!is_near(in->kind, out) && xcode_may(in->kind)) {
    int error = voice_open(peer, in->kind);
    return error == -EBUSY && near_of(to, in->kind) ? 0 : error;
  }
  if (!peer->voice.tone && !peer->voice.is_fed)
    voice_close(peer);
  return 0;
}

static void retarget(struct link *l) { (void)!prepare(l->from); }

static void closed(struct link *l) {
  struct session *peer = session_peer(l->from);
  if (!peer)
    return;
  voice_rest(peer);
  if (!peer->voice.tone)
    voice_close(peer);
}

static const struct link_ops ops = {.name = "bridge",
                                    .is_last = true,
                                    .audio = pass_audio,
                                    .event = pass_event,
                                    .skip = skip,
                                    .retarget = retarget,
                                    .close = closed};

int bridge_open(struct session *s, struct session *peer) {
  bridge_close(s);
  s->peer = peer->handle;
  link_add(&s->bridge, &ops, s);
  int error = prepare(s);
  return error == -EBUSY ? error : 0;
}

void bridge_close(struct session *s) {
  link_remove(&s->bridge);
  s->peer = 0;
}
