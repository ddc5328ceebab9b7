/* SPDX-License-Identifier: Apache-2.0
 * Sessions and their encoders: see voice.h. */
#include "media/voice.h"

#include "codec/coder.h"
#include "media/bridge.h"
#include "media/session.h"

enum { EVENT_QUIET_US = 60000, LOSS_STEP = 2 };

/* Its stream of frames, beside those of source numbers (bit 32 is theirs). A new encoder counts from
 * the beginning: it is another source, or what it says were late. */
static uint64_t source_of(const struct session *s) {
  return (s->handle << 40 ^ (s->handle >> 32) << 33) | (uint64_t)s->voice.epoch << 8 | 1;
}

static struct dsp_input order(const struct session *s, enum dsp_op op) {
  return (struct dsp_input){
      .session = s->handle, .now_us = s->w->now_us, .op = (uint8_t)op, .epoch = s->voice.epoch};
}

static bool put(struct session *s, const struct dsp_input *in, const uint8_t *payload) {
  return dsps_put(s->w->dsps, s->voice.thread - 1u, s->w->index, in, payload);
}

/* Opus has 10, 20, 40 and 60 ms; the others any tens. */
static uint8_t ptime_of(const struct mset_codec *c) {
  uint8_t ms = c->ptime_ms < 10 ? 20 : c->ptime_ms / 10 * 10;
  if (ms > XCODE_PTIME_MAX_MS)
    ms = XCODE_PTIME_MAX_MS;
  return c->kind == CODEC_OPUS && (ms == 30 || ms == 50) ? (uint8_t)(ms - 10) : ms;
}

int voice_form(struct session *s, uint8_t in_kind, struct xcode_form *ret) {
  const struct remote *to = session_expected(s);
  const struct mset_codec *c = to ? remote_audio(to) : NULL;
  if (!c || !xcode_may(c->kind))
    return -ENOTSUP;
  *ret = (struct xcode_form){.kind = c->kind,
                             .in_kind = in_kind,
                             .ptime_ms = ptime_of(c),
                             .complexity = (uint8_t)s->w->options->opus_complexity,
                             .bitrate = c->bitrate,
                             .fec = c->flags & MSET_CODEC_FEC,
                             .dtx = c->flags & MSET_CODEC_DTX,
                             .takes_cn = remote_of_kind(to, CODEC_CN) != NULL};
  return 0;
}

static bool is_same(const struct xcode_form *a, const struct xcode_form *b) {
  return a->kind == b->kind && a->in_kind == b->in_kind && a->ptime_ms == b->ptime_ms &&
         a->complexity == b->complexity && a->bitrate == b->bitrate && a->fec == b->fec &&
         a->dtx == b->dtx && a->takes_cn == b->takes_cn;
}

static int admit(struct session *s, uint32_t cost_us) {
  struct voice *v = &s->voice;
  uint32_t thread;
  if (voice_is_open(v)) { /* who is in stays in */
    dsps_recost(s->w->dsps, v->thread - 1u, v->cost_us, cost_us);
    v->cost_us = cost_us;
    return 0;
  }
  int error = s->w->dsps ? dsps_admit(s->w->dsps, cost_us, &thread) : -ENOTSUP;
  if (error)
    return error;
  v->thread = (uint8_t)(thread + 1);
  v->cost_us = cost_us;
  return 0;
}

int voice_open(struct session *s, uint8_t in_kind) {
  struct voice *v = &s->voice;
  struct dsp_input in;
  bool was_open = voice_is_open(v);
  struct xcode_form form;
  int error = voice_form(s, in_kind ? in_kind : v->form.in_kind, &form);
  if (error || (was_open && is_same(&form, &v->form)))
    return error;
  error = admit(s, xcode_cost_us(&form));
  if (error)
    return error;
  in = order(s, DSP_FORM);
  in.form = form;
  if (put(s, &in, NULL)) {
    v->form = form;
    return 0;
  }
  if (!was_open)
    voice_close(s);
  return -EAGAIN;
}

void voice_close(struct session *s) {
  struct voice *v = &s->voice;
  if (!voice_is_open(v))
    return;
  struct dsp_input in = order(s, DSP_CLOSE);
  (void)put(s, &in, NULL); /* lost: the next one in this place replaces it */
  dsps_release(s->w->dsps, v->thread - 1u, v->cost_us);
  *v = (struct voice){.epoch = (uint8_t)(v->epoch + 1)};
}

static void begin(struct session *s, uint64_t source) {
  struct voice *v = &s->voice;
  if (!v->is_fed || v->source != source) {
    struct dsp_input in = order(s, DSP_REST);
    (void)put(s, &in, NULL);
    v->skips = 0;
  }
  v->is_fed = true;
  v->source = source;
}

enum drop voice_put(struct session *s, const struct bridged *b, const uint8_t *payload) {
  struct voice *v = &s->voice;
  if (!voice_is_open(v)) {
    int error = voice_open(s, b->kind);
    if (error)
      return error == -ENOTSUP ? DROP_CODEC : DROP_DSP_FULL;
  }
  if (b->n > CODER_PAYLOAD_MAX)
    return DROP_TOO_LONG;
  begin(s, b->source);
  struct dsp_input in = order(s, DSP_PACKET);
  in.n = b->n;
  in.packet = (struct xcode_packet){.ext = b->ext - v->skips,
                                    .ts = b->ts,
                                    .clock_hz = b->clock_hz,
                                    .kind = b->kind,
                                    .marker = b->marker};
  return put(s, &in, payload) ? DROP_NONE : DROP_QUEUE_FULL;
}

void voice_skip(struct session *s) { s->voice.skips++; }

void voice_rest(struct session *s) {
  struct voice *v = &s->voice;
  if (!v->is_fed)
    return;
  v->is_fed = false;
  v->epoch++;
  struct dsp_input in = order(s, DSP_REST);
  (void)put(s, &in, NULL);
}

int voice_tone(struct session *s, int tone) {
  struct voice *v = &s->voice;
  uint8_t wanted = (uint8_t)(tone + 1);
  if (v->tone == wanted && !v->has_file)
    return 0;
  int error = tone >= 0 ? voice_open(s, v->form.in_kind) : 0;
  if (error)
    return error;
  struct dsp_input in = order(s, DSP_TONE);
  in.tone = wanted;
  if (!put(s, &in, NULL))
    return -EAGAIN;
  v->tone = wanted;
  v->has_file = false;
  return 0;
}

int voice_file(struct session *s, const struct xcode_play *p) {
  struct voice *v = &s->voice;
  if (v->has_file)
    return 0;
  int error = voice_open(s, v->form.in_kind);
  if (error)
    return error;
  struct dsp_input in = order(s, DSP_PLAY);
  in.play = *p;
  if (!put(s, &in, NULL))
    return -EAGAIN;
  v->has_file = true;
  v->tone = 0;
  return 0;
}

void voice_tick(struct session *s) {
  struct voice *v = &s->voice;
  uint32_t percent = s->report.remote_fraction * 100u / 256u;
  uint32_t off = percent > v->loss_percent ? percent - v->loss_percent : v->loss_percent - percent;
  if (!voice_is_open(v) || off < LOSS_STEP)
    return;
  struct dsp_input in = order(s, DSP_LOSS);
  in.loss_percent = percent;
  if (put(s, &in, NULL))
    v->loss_percent = (uint8_t)percent;
}

/* Frames -------------------------------------------------------------------------------------------- */
/* Is it still what is to be heard? */
static enum drop may_go(const struct session *s, const struct dsp_output *out) {
  uint64_t now_us = s->w->now_us;
  if (out->frame.is_own)
    return s->is_playing && !digits_are_due(&s->digits) && now_us - s->forwarded_us > SESSION_FORWARD_US
               ? DROP_NONE
               : DROP_HELD;
  if (out->epoch != s->voice.epoch || !s->voice.is_fed)
    return DROP_LATE;
  if (digits_are_due(&s->digits) || now_us - s->voice.event_us < EVENT_QUIET_US)
    return DROP_HELD;
  return DROP_NONE;
}

static const struct mset_codec *codec_of(const struct remote *to, uint8_t kind) {
  const struct mset_codec *c = kind == CODEC_CN ? remote_of_kind(to, kind) : remote_audio(to);
  return c && c->kind == kind ? c : NULL;
}

/* What is not sent leaves no gap. */
static enum drop send_frame(struct session *s, const struct dsp_output *out, const uint8_t *payload) {
  struct remote *to = session_target(s);
  struct sink_out at;
  enum drop d = may_go(s, out);
  if (!d)
    d = session_may_send(s, to);
  const struct mset_codec *codec = d ? NULL : codec_of(to, out->frame.kind);
  struct sink_in in = {source_of(s), out->frame.ext, out->frame.ts, out->frame.marker, false};
  if (!codec) {
    sink_skip(&s->sink, in.source);
    return d ? d : DROP_CODEC;
  }
  d = sink_map(&s->sink, &in, s->w->now_us, &at);
  if (d)
    return d;
  if (!out->frame.is_own)
    s->forwarded_us = s->w->now_us;
  s->tx.codec = codec->kind;
  struct out o = {codec->pt, at.marker, at.index, at.ts, payload, out->frame.n, false};
  return session_send(s, to, &o);
}

static enum drop take_frame(struct worker *w, const struct dsp_output *out, const uint8_t *payload) {
  struct session *s = pool_get(w->sessions, out->session);
  if (!s)
    return DROP_NO_SESSION;
  if (out->made == DSP_MADE_PLAYED) {
    if (s->voice.has_file)
      session_played(s, out->error);
    return DROP_NONE;
  }
  s->voice.buffer = out->frame.buffer;
  return send_frame(s, out, payload);
}

void voice_results(struct worker *w) {
  const struct dsp_output *out;
  const uint8_t *payload;
  while (w->dsps && (out = dsps_get(w->dsps, w->index, &payload))) {
    enum drop d = out->made == DSP_MADE_FRAME || out->made == DSP_MADE_PLAYED
                      ? take_frame(w, out, payload)
                      : roomlink_take(w, out, payload);
    if (d && !out->frame.is_own)
      worker_drop(w, d);
  }
}
