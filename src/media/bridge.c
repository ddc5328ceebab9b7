/* SPDX-License-Identifier: Apache-2.0
 * Passing on to the peer: see bridge.h. Time is the worker's now_us. What the far end takes in no
 * such form goes to its encoder (voice.h), packet by packet: no state but the encoder's itself. */
#include "media/bridge.h"

#include "media/session.h"

static uint64_t source_of(const struct heard *h) {
  return (h->session->handle << 40 ^ (h->session->handle >> 32) << 33) ^
         ((uint64_t)1 << 32 | h->rtp.ssrc);
}

static struct bridged of(const struct heard *h, enum bridged_op op) {
  return (struct bridged){.source = source_of(h),
                          .ext = h->ext,
                          .ts = h->rtp.ts,
                          .clock_hz = h->codec ? h->codec->clock_hz : 0,
                          .op = (uint8_t)op,
                          .kind = h->codec ? h->codec->kind : CODEC_OTHER,
                          .marker = h->rtp.marker};
}

struct bridged bridged_audio(const struct heard *h) {
  struct bridged b = of(h, BRIDGED_AUDIO);
  b.n = (uint16_t)h->rtp.payload_bytes;
  return b;
}

struct bridged bridged_event(const struct heard *h, const struct telev *t,
                             const struct event_told *told) {
  struct bridged b = of(h, BRIDGED_EVENT);
  b.telev = *t;
  b.segments = h->remote->event.segments;
  b.is_begin = told->is_begin;
  b.is_old = told->is_old;
  b.is_stamped_anew = told->is_stamped_anew;
  return b;
}

struct bridged bridged_skip(const struct heard *h) {
  return of(h, BRIDGED_SKIP);
}

/* Whom it is sent to, when it may. */
static enum drop way_out(struct session *peer, struct remote **ret_to) {
  if (digits_are_due(&peer->digits) || peer->plays_over)
    return DROP_HELD;
  *ret_to = session_target(peer);
  return session_may_send(peer, *ret_to);
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
static const struct mset_codec *direct(struct session *peer, const struct remote *to, uint8_t kind) {
  const struct mset_codec *first = remote_audio(to);
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

static enum drop take_audio(struct session *peer, const struct bridged *b, uint8_t *payload) {
  struct remote *to;
  struct sink_out at;
  enum drop d = way_out(peer, &to);
  if (d)
    return d;
  const struct mset_codec *codec = direct(peer, to, b->kind);
  if (!codec)
    return voice_put(peer, b, payload);
  voice_rest(peer);
  struct sink_in in = {b->source, b->ext, b->ts, b->marker, false};
  if (b->kind != codec->kind)
    g711_convert(b->kind == CODEC_PCMU ? G711_ULAW : G711_ALAW, payload, payload, b->n);
  sink_set_clock(&peer->sink, codec->clock_hz);
  d = sink_map(&peer->sink, &in, peer->w->now_us, &at);
  if (d)
    return d;
  peer->forwarded_us = peer->w->now_us;
  if (codec->kind != CODEC_CN)
    peer->tx.codec = codec->kind;
  struct out o = {codec->pt, at.marker, at.index, at.ts, payload, b->n, false};
  return session_send(peer, to, &o);
}

/* Among the frames of an encoder, which is quiet meanwhile. */
static void insert_event(struct session *peer, bool is_begin, struct sink_out *ret) {
  if (is_begin)
    peer->event_out.ts = sink_ts(&peer->sink, peer->w->now_us);
  sink_insert(&peer->sink, peer->event_out.ts, peer->w->now_us, ret);
  peer->voice.event_us = peer->w->now_us;
}

/* The timestamp of an event on its way out is fixed when it begins, unless both clocks are one: then
 * each segment has its own. */
static enum drop map_event(struct session *peer, const struct bridged *b, bool is_one_clock,
                           struct sink_out *ret) {
  struct event_out *e = &peer->event_out;
  if (peer->voice.is_fed) {
    insert_event(peer, b->is_begin, ret);
    return DROP_NONE;
  }
  uint32_t ts = b->is_begin ? sink_ts(&peer->sink, peer->w->now_us) : e->ts;
  struct sink_in in = {b->source, b->ext, b->ts, b->is_begin, true};
  if (!is_one_clock || b->is_stamped_anew)
    in.ts = ts - peer->sink.ts_shift;
  enum drop d = sink_map(&peer->sink, &in, peer->w->now_us, ret);
  if (b->is_begin || (is_one_clock && !b->is_stamped_anew))
    e->ts = ret->ts;
  return d;
}

/* In the other clock; more than fits goes on as another segment. */
static void scale_event(struct session *peer, const struct bridged *b, const struct mset_codec *codec,
                        struct telev *t, uint32_t *ts) {
  if (b->is_begin)
    peer->event_out.cut.offset = 0;
  uint32_t lasted = telev_scale(b->segments + t->duration, b->clock_hz, codec->clock_hz);
  uint32_t offset = telev_cut(&peer->event_out.cut, lasted, t);
  *ts += (uint32_t)((uint64_t)offset * peer->sink.clock_hz / codec->clock_hz);
}

static void skip_one(struct session *peer, uint64_t source) {
  if (peer->voice.is_fed)
    voice_skip(peer);
  else
    sink_skip(&peer->sink, source);
}

static enum drop take_event(struct session *peer, const struct bridged *b) {
  struct remote *to;
  struct sink_out at;
  uint8_t payload[TELEV_BYTES];
  enum drop d = way_out(peer, &to);
  if (d)
    return d;
  const struct mset_codec *codec = remote_event(to, peer->sink.clock_hz);
  if (!codec || b->is_old || to->dtmf != MSET_DTMF_EVENTS) { /* ear_take() may say it */
    skip_one(peer, b->source);
    return codec ? DROP_LATE : DROP_PAYLOAD_TYPE;
  }
  bool is_one_clock =
      !peer->voice.is_fed && b->clock_hz == codec->clock_hz && codec->clock_hz == peer->sink.clock_hz;
  d = map_event(peer, b, is_one_clock, &at);
  if (peer->voice.is_fed)
    voice_skip(peer);
  if (d)
    return d;
  struct telev out = b->telev;
  if (!is_one_clock)
    scale_event(peer, b, codec, &out, &at.ts);
  telev_put(payload, &out);
  peer->forwarded_us = peer->w->now_us;
  struct out o = {codec->pt, b->is_begin, at.index, at.ts, payload, sizeof(payload), true};
  return session_send(peer, to, &o);
}

struct bridged bridged_digit(char digit, uint32_t ms, bool by_sound) {
  return (struct bridged){.op = BRIDGED_DIGIT,
                          .digit = digit,
                          .digit_ms = (uint16_t)(ms < UINT16_MAX ? ms : UINT16_MAX),
                          .by_sound = by_sound};
}

enum drop bridge_take(struct session *to, const struct bridged *b, uint8_t *payload) {
  if (b->op == BRIDGED_AUDIO)
    return take_audio(to, b, payload);
  if (b->op == BRIDGED_EVENT)
    return take_event(to, b);
  if (b->op == BRIDGED_DIGIT)
    return ear_take(to, b->digit, b->digit_ms, b->by_sound);
  skip_one(to, b->source);
  return DROP_NONE;
}

/* The sink ----------------------------------------------------------------------------------------- */
static enum drop pass_audio(struct link *l, const struct heard *h, struct packet *p) {
  struct session *peer = session_peer(l->from);
  if (peer && ear_mutes(h->session, session_target(peer)))
    return DROP_HELD;
  struct bridged b = bridged_audio(h);
  return peer ? bridge_take(peer, &b, p->bytes + (h->rtp.payload - p->bytes)) : DROP_NO_SINK;
}

static enum drop pass_event(struct link *l, const struct heard *h, const struct telev *t,
                            const struct event_told *told) {
  struct session *peer = session_peer(l->from);
  struct bridged b = bridged_event(h, t, told);
  return peer ? bridge_take(peer, &b, NULL) : DROP_NO_SINK;
}

static void skip(struct link *l, const struct heard *h) {
  struct session *peer = session_peer(l->from);
  if (peer)
    skip_one(peer, source_of(h));
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

static void pass_digit(struct link *l, char digit, uint32_t ms, bool by_sound) {
  struct session *peer = session_peer(l->from);
  enum drop d = peer ? ear_take(peer, digit, ms, by_sound) : DROP_NONE;
  if (d)
    worker_drop(peer->w, d);
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
                                    .digit = pass_digit,
                                    .skip = skip,
                                    .retarget = retarget,
                                    .close = closed};

int bridge_open(struct session *s, struct session *peer) {
  bridge_close(s);
  s->peer = peer->handle;
  link_add(&s->bridge, &ops, s);
  if (s->ear && digits_ready(&peer->digits) < 0)
    return -ENOMEM;
  int error = prepare(s);
  return error == -EBUSY ? error : 0;
}

void bridge_close(struct session *s) {
  link_remove(&s->bridge);
  s->peer = s->far = 0;
}
