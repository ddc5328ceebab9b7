/* SPDX-License-Identifier: Apache-2.0
 * What a session says of its own, every 20 ms: digits first, else a tone while nothing is passed on.
 * See session.h. */
#include "media/session.h"

enum { FRAME_BYTES = G711_RATE_HZ / 1000 * SINK_FRAME_MS };

static void tell_done(struct session *s, uint64_t op, bool ok) {
  union up m = {
      .digits_done = {.h = {.bytes = sizeof(m.digits_done), .type = MSET_DIGITS_DONE, .session = s->id},
                      .op = op,
                      .ok = ok}};
  worker_tell(s->w, &m, false);
}

static enum drop send_digit(struct session *s, const struct digits_step *step) {
  struct remote *to = session_target(s);
  const struct mset_codec *codec = to ? remote_event(to, s->sink.clock_hz) : NULL;
  uint8_t payload[TELEV_BYTES];
  struct sink_out at;
  enum drop d = codec ? session_may_send(s, to) : DROP_PAYLOAD_TYPE;
  if (d)
    return d;
  struct telev t = step->event;
  sink_own(&s->sink, false, s->w->now_us, &at);
  if (step->is_begin) {
    s->digits_ts = at.ts;
    s->digits_cut.offset = 0;
    s->tx.digits++;
  }
  uint32_t lasted = telev_scale(t.duration, SINK_CLOCK_HZ, codec->clock_hz);
  uint64_t offset = telev_cut(&s->digits_cut, lasted, &t);
  uint32_t ts = s->digits_ts + (uint32_t)(offset * s->sink.clock_hz / codec->clock_hz);
  telev_put(payload, &t);
  struct out o = {codec->pt, step->is_begin, at.index, ts, payload, sizeof(payload), true};
  return session_send(s, to, &o);
}

/* Without telephone-events a digit is sound (Q.23), where the codec is G.711. */
static bool has_no_events(struct session *s) {
  const struct remote *to = session_target(s);
  const struct mset_codec *codec = to ? remote_audio(to) : NULL;
  bool is_sound = codec && (to->dtmf == MSET_DTMF_INBAND || !remote_event(to, s->sink.clock_hz));
  return is_sound && to->dtmf != MSET_DTMF_SIGNALED &&
         (codec->kind == CODEC_PCMU || codec->kind == CODEC_PCMA);
}

static enum drop send_sound(struct session *s, const struct digits_step *step) {
  struct remote *to = session_target(s);
  const struct mset_codec *codec = remote_audio(to);
  enum g711_law law = codec->kind == CODEC_PCMU ? G711_ULAW : G711_ALAW;
  int16_t pcm[FRAME_BYTES] = {0};
  uint8_t payload[FRAME_BYTES];
  struct sink_out at;
  enum drop d = session_may_send(s, to);
  if (d)
    return d;
  if (step->is_packet && step->is_begin) {
    inband_begin(&s->digit_sound, telev_char(step->event.event), G711_RATE_HZ, DIGITS_MAX_MS, -10, 2);
    s->tx.digits++;
  }
  if (step->is_packet && s->digit_sound.at < step->event.duration)
    inband_fill(&s->digit_sound, pcm, FRAME_BYTES);
  for (unsigned i = 0; i < FRAME_BYTES; i++)
    payload[i] = g711_compress(law, pcm[i]);
  sink_own(&s->sink, true, s->w->now_us, &at);
  struct out o = {codec->pt, at.marker, at.index, at.ts, payload, sizeof(payload), false};
  return session_send(s, to, &o);
}

static void tick_digits(struct session *s) {
  struct digits_step step;
  uint64_t op;
  enum drop d = DROP_NONE;
  digits_tick(&s->digits, &step);
  if (has_no_events(s))
    d = send_sound(s, &step);
  else if (step.is_packet)
    d = send_digit(s, &step);
  if (step.is_done)
    tell_done(s, step.op, true);
  if (!d)
    return;
  worker_drop(s->w, d);
  while (digits_drop(&s->digits, &op)) /* nobody takes them: no telephone-event, or nowhere to send */
    tell_done(s, op, false);
}

static enum drop send_frame(struct session *s) {
  struct remote *to = session_target(s);
  enum drop d = session_may_send(s, to);
  uint8_t payload[FRAME_BYTES];
  struct sink_out at;
  if (d)
    return d;
  const struct mset_codec *codec = remote_audio(to);
  if (!codec)
    return DROP_CODEC;
  if (s->has_file)
    return voice_file(s, &s->play) < 0 ? DROP_DSP_FULL : DROP_NONE;
  if (codec->kind != CODEC_PCMU && codec->kind != CODEC_PCMA) /* its frames come by themselves */
    return voice_tone(s, s->tone.kind) < 0 ? DROP_DSP_FULL : DROP_NONE;
  (void)!voice_tone(s, -1);
  sink_set_clock(&s->sink, codec->clock_hz);
  tone_fill(&s->tone, codec->kind == CODEC_PCMU ? G711_ULAW : G711_ALAW, payload, sizeof(payload));
  sink_own(&s->sink, true, s->w->now_us, &at);
  s->tx.codec = codec->kind;
  struct out o = {codec->pt, at.marker, at.index, at.ts, payload, sizeof(payload), false};
  return session_send(s, to, &o);
}

void session_tick_fast(struct session *s) {
  uint64_t now_us = s->w->now_us, next_us = s->fast.at_us + SESSION_FAST_US;
  if (digits_are_due(&s->digits))
    tick_digits(s);
  else if (s->is_playing && now_us - s->forwarded_us > SESSION_FORWARD_US)
    (void)!send_frame(s);
  else if (!s->has_file) /* a file waits, and goes on */
    (void)!voice_tone(s, -1);
  if (!digits_are_due(&s->digits) && !s->is_playing)
    return;
  if (next_us + 5 * SESSION_FAST_US < now_us)
    next_us = now_us + SESSION_FAST_US; /* we were held up: no burst to catch up */
  if (timer_arm(&s->w->timers, &s->fast, next_us) < 0)
    worker_drop(s->w, DROP_INTERNAL);
}

void session_played(struct session *s, int error) {
  union up m = {
      .play_done = {.h = {.bytes = sizeof(m.play_done), .type = MSET_PLAY_DONE, .session = s->id},
                    .op = s->play_op,
                    .error = error}};
  s->is_playing = s->has_file = s->plays_over = false;
  (void)!voice_tone(s, -1);
  worker_tell(s->w, &m, false);
}

void session_play(struct session *s, const struct mset_play *m) {
  if (s->has_file)
    session_played(s, -ECANCELED);
  s->is_playing = m->tone != MSET_TONE_NONE;
  s->plays_over = s->is_playing && m->over;
  s->has_file = m->tone == MSET_TONE_FILE;
  s->play = (struct xcode_play){m->file, m->repeat, m->level_db};
  s->play_op = m->op;
  (void)!voice_tone(s, -1);
  if (!s->is_playing)
    return;
  if (!s->has_file)
    tone_init(&s->tone, (enum tone_kind)(m->tone - 1)); /* the rows are the same but NONE */
  session_hurry(s);
}
