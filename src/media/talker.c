/* SPDX-License-Identifier: Apache-2.0
 * A member's packets, their loudness and their sound: see talker.h. */
#include "media/talker.h"

#include "codec/g711.h"
#include "codec/level.h"
#include "codec/vad.h"

enum {
  CONCEAL_STEPS = 6,
  REST_US = 2000000, /* nothing came for so long: the buffer is not asked */
  QUIET_US = 100000, /* nothing came for so long: it gets quieter */
  IS_CN = 0x80,      /* in a packet's tag, beside the loudness that it claims */
  OPUS_DTX_BYTES = 2,
  GUESS_MAX = 100,
  QUIET_LOUDNESS = 80,
};
static const float RISE = 0.5f, FALL = 0.12f;   /* of the loudness, for each packet */
static const float DOUBT = 0.1f, TRUST = 0.05f; /* of the bias, for each frame decoded, */
static const float GUESS = 0.4f;                /* and where the claim was a guess. */
static const float FORGET_STEP = 0.01f;         /* of the bias, in dB for 10 ms */

static float loudness_of(uint8_t level) { return level > 127 ? 0 : 127.0f - level; }

void talker_init(struct talker *t, uint32_t rate_hz) { *t = (struct talker){.rate_hz = rate_hz}; }

void talker_done(struct talker *t) {
  t->jitter = jitter_free(t->jitter);
  t->decoder = decoder_free(t->decoder);
  t->resampler = resampler_free(t->resampler);
  free(t->pcm);
  t->pcm = NULL;
}

/* Loudness without decoding ------------------------------------------------------------------------- */
static float sampled(enum g711_law law, const uint8_t *payload, size_t n) {
  int level = level_glance(law, payload, n);
  return level < 0 ? 0 : loudness_of((uint8_t)level);
}

/* More is louder; how loud, decoding tells. */
static float by_size(const struct talker *t, size_t n, uint32_t units) {
  if (n <= OPUS_DTX_BYTES || !units)
    return 0;
  float guess = 40.0f + (float)n * (float)t->clock_hz / ((float)units * 100.0f); /* + bytes of 10 ms */
  return guess > GUESS_MAX ? GUESS_MAX : guess;
}

static float claim(struct talker *t, const struct room_packet *p, const uint8_t *payload, size_t n,
                   uint32_t units) {
  t->is_exact = true;
  if (p->level != TALKER_NO_LEVEL)
    return loudness_of(p->level);
  if (p->kind == CODEC_PCMU || p->kind == CODEC_PCMA)
    return sampled(p->kind == CODEC_PCMU ? G711_ULAW : G711_ALAW, payload, n);
  t->is_exact = false;
  return by_size(t, n, units);
}

float talker_loudness(const struct talker *t) {
  float f = t->heard - t->bias;
  return f < 0 ? 0 : f;
}

void talker_age(struct talker *t, uint64_t now_us) {
  if (now_us > t->put_us + QUIET_US)
    t->heard *= 0.9f;
  if (!t->is_decoded && t->bias > 0 && t->is_exact)
    t->bias = t->bias > FORGET_STEP ? t->bias - FORGET_STEP : 0;
}

/* A frame was decoded: is it as loud as it said? */
static void compare(struct talker *t, float claimed, const int16_t *pcm, size_t n) {
  float is = loudness_of(vad_level(pcm, n)), more = claimed - is;
  float pace = !t->is_exact ? GUESS : more > t->bias ? DOUBT : TRUST;
  t->bias += (more - t->bias) * pace;
  if (t->is_exact && t->bias < 0)
    t->bias = 0;
  jitter_quiet(t->jitter, is < QUIET_LOUDNESS);
}

/* In ------------------------------------------------------------------------------------------------ */
static int make_coder(struct talker *t, uint8_t kind) {
  struct coder_format f = {.kind = (uint8_t)xcode_coder(kind)};
  f.rate_hz = coder_takes(f.kind, t->rate_hz) ? t->rate_hz : 8000;
  size_t room = (size_t)f.rate_hz / 1000 * (CODER_FRAME_MS_MAX + TALKER_STEP_MS);
  int16_t *pcm = realloc(t->pcm, room * sizeof(*pcm));
  if (!pcm)
    return -ENOMEM;
  t->pcm = pcm;
  t->room = room;
  t->coder_hz = f.rate_hz;
  t->have = 0;
  t->resampler = resampler_free(t->resampler);
  t->decoder = decoder_free(t->decoder);
  int error = decoder_new(&t->decoder, &f);
  if (!error && f.rate_hz != t->rate_hz)
    error = resampler_new(&t->resampler, f.rate_hz, t->rate_hz);
  return error;
}

void talker_rate(struct talker *t, uint32_t rate_hz) {
  t->rate_hz = rate_hz;
  if (t->is_fed && make_coder(t, t->kind) < 0) {
    t->decoder = decoder_free(t->decoder);
    t->is_fed = false;
  }
}

/* Another codec, or another source: what is behind is forgotten. */
static bool begin(struct talker *t, const struct room_packet *p) {
  bool is_kind = t->decoder && p->kind == t->kind && p->clock_hz == t->clock_hz;
  if (!is_kind && make_coder(t, p->kind) < 0) {
    t->decoder = decoder_free(t->decoder);
    t->is_fed = false; /* tried anew by the next packet */
    return false;
  }
  if (!t->jitter && jitter_new(&t->jitter, p->clock_hz) < 0)
    return false;
  jitter_reset(t->jitter, p->clock_hz);
  t->kind = p->kind;
  t->clock_hz = p->clock_hz;
  t->ssrc = p->ssrc;
  t->fresh = 0;
  t->is_fed = true;
  return true;
}

static uint32_t units_of(const struct talker *t, const uint8_t *payload, size_t n) {
  size_t samples = decoder_samples(t->decoder, payload, n);
  return (uint32_t)((uint64_t)samples * t->clock_hz / t->coder_hz);
}

bool talker_put(struct talker *t, const struct room_packet *p, const uint8_t *payload, size_t n,
                uint64_t now_us) {
  bool is_cn = p->kind == CODEC_CN;
  if ((!is_cn && !xcode_may(p->kind)) || (is_cn && !t->is_fed))
    return false;
  bool is_other = !is_cn && (p->kind != t->kind || p->clock_hz != t->clock_hz);
  if ((!t->is_fed || is_other || p->ssrc != t->ssrc) && (is_cn || !begin(t, p)))
    return false;
  uint32_t units = is_cn ? 0 : units_of(t, payload, n);
  if (!is_cn && !units)
    return false;
  float claimed = is_cn ? 0 : claim(t, p, payload, n, units);
  t->heard += (claimed - t->heard) * (claimed > t->heard ? RISE : FALL);
  t->put_us = now_us;
  struct jitter_packet j = {.ext = p->ext,
                            .ts = p->ts,
                            .units = units,
                            .tag = (uint8_t)(is_cn ? IS_CN : (unsigned)claimed & 127u),
                            .payload = payload,
                            .bytes = n};
  return jitter_put(t->jitter, &j, now_us);
}

/* Out ----------------------------------------------------------------------------------------------- */
void talker_decode(struct talker *t, bool is_wanted, uint64_t now_us) {
  if (is_wanted == t->is_decoded)
    return;
  t->is_decoded = is_wanted;
  t->fresh = 0;
  t->decode_us = now_us;
  if (is_wanted && t->have)
    memset(t->pcm, 0, t->have * sizeof(*t->pcm)); /* was only counted */
}

static void add_hole(struct talker *t, size_t n, const struct jitter_packet *next) {
  if (n > t->room - t->have)
    n = t->room - t->have;
  size_t made = 0;
  if (t->is_decoded) {
    bool has_next = next && next->payload && !(next->tag & IS_CN);
    made = decoder_conceal(t->decoder, n, has_next ? next->payload : NULL, has_next ? next->bytes : 0,
                           t->pcm + t->have);
    memset(t->pcm + t->have + made, 0, (n - made) * sizeof(*t->pcm));
  }
  t->have += n;
}

static void add_pause(struct talker *t, size_t n) {
  if (t->empty_steps < CONCEAL_STEPS) {
    t->empty_steps++;
    add_hole(t, n, NULL);
    return;
  }
  if (t->is_decoded)
    memset(t->pcm + t->have, 0, n * sizeof(*t->pcm));
  t->have += n;
}

static size_t samples_of(const struct talker *t, uint32_t units) {
  uint64_t n = (uint64_t)units * t->coder_hz / t->clock_hz, most = t->room - t->have;
  return (size_t)(n > most ? most : n);
}

static void add_frame(struct talker *t, const struct jitter_frame *f, uint64_t now_us) {
  if (f->packet.tag & IS_CN) {
    t->empty_steps = CONCEAL_STEPS; /* silence, not a hole */
    return;
  }
  t->empty_steps = 0;
  size_t n = samples_of(t, f->units);
  if (t->is_decoded) {
    int16_t *at = t->pcm + t->have;
    n = decoder_decode(t->decoder, f->packet.payload, f->packet.bytes, at, t->room - t->have);
    if (!n) {
      add_hole(t, t->coder_hz / 1000 * TALKER_STEP_MS, NULL);
      return;
    }
    compare(t, f->packet.tag, at, n);
    t->fresh++;
    t->decoded++;
    t->decode_us = now_us;
  } else {
    jitter_quiet(t->jitter, true); /* nobody hears what is left out */
  }
  t->have += n;
}

static void fill(struct talker *t, uint64_t now_us, size_t need) {
  struct jitter_frame f;
  while (t->have < need) {
    enum jitter_verdict v = jitter_get(t->jitter, now_us, &f);
    if (v == JITTER_FRAME)
      add_frame(t, &f, now_us);
    else if (v == JITTER_LOST && samples_of(t, f.units))
      add_hole(t, samples_of(t, f.units), &f.next);
    else
      add_pause(t, need - t->have);
  }
}

static void give(struct talker *t, size_t need, int16_t *dst, size_t n) {
  if (!t->is_decoded)
    memset(dst, 0, n * sizeof(*dst));
  else if (t->resampler)
    (void)resampler_run(t->resampler, t->pcm, need, dst);
  else
    memcpy(dst, t->pcm, n * sizeof(*dst));
  t->have -= need;
  if (t->is_decoded)
    memmove(t->pcm, t->pcm + need, t->have * sizeof(*t->pcm));
}

void talker_step(struct talker *t, uint64_t now_us, int16_t *dst, size_t n) {
  if (!t->is_fed || now_us > t->put_us + REST_US) {
    t->have = 0;
    memset(dst, 0, n * sizeof(*dst));
    return;
  }
  size_t need = t->coder_hz / 1000 * TALKER_STEP_MS;
  fill(t, now_us, need);
  give(t, need, dst, n);
}
