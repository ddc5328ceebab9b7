/* SPDX-License-Identifier: Apache-2.0
 * Coders: see coder.h. The bounds are checked here once, for all kinds. */
#include "codec/coderpart.h"

static const struct {
  const struct coder_ops *ops;
  uint32_t clock_hz;
  uint32_t rates[3]; /* rates that it makes and takes, 0: no more */
} coders[CODER_COUNT_] = {
    [CODER_PCMU] = {&coder_g711, 8000, {8000}},
    [CODER_PCMA] = {&coder_g711, 8000, {8000}},
    [CODER_G722] = {&coder_g722, 8000, {8000, 16000}},
    [CODER_OPUS] = {&coder_opus, 48000, {8000, 16000, 48000}},
};

uint32_t coder_clock_hz(enum coder_kind kind) { return kind < CODER_COUNT_ ? coders[kind].clock_hz : 0; }

bool coder_takes(enum coder_kind kind, uint32_t rate_hz) {
  for (size_t i = 0; kind < CODER_COUNT_ && rate_hz && i < COUNT_OF(coders[kind].rates); i++)
    if (coders[kind].rates[i] == rate_hz)
      return true;
  return false;
}

int decoder_new(struct decoder **ret, const struct coder_format *f) {
  if (!coder_takes((enum coder_kind)f->kind, f->rate_hz))
    return -EINVAL;
  own(decoder) d = calloc(1, sizeof(*d));
  if (!d)
    return -ENOMEM;
  d->ops = coders[f->kind].ops;
  d->format = *f;
  int r = d->ops->conceal ? 0 : conceal_new(&d->conceal, f->rate_hz);
  if (r == 0)
    r = d->ops->decoder_init(d);
  if (r < 0)
    return r;
  *ret = take(d);
  return 0;
}

struct decoder *decoder_free(struct decoder *d) {
  if (!d)
    return NULL;
  d->ops->decoder_done(d);
  conceal_free(d->conceal);
  free(d);
  return NULL;
}

size_t decoder_samples(const struct decoder *d, const uint8_t *payload, size_t n) {
  if (!payload || n == 0 || n > CODER_PAYLOAD_MAX)
    return 0;
  size_t samples = d->ops->samples(d, payload, n);
  return samples <= d->format.rate_hz / 1000 * CODER_FRAME_MS_MAX ? samples : 0;
}

size_t decoder_decode(struct decoder *d, const uint8_t *payload, size_t n, int16_t *dst, size_t room) {
  size_t samples = decoder_samples(d, payload, n);
  if (samples == 0 || samples > room)
    return 0;
  samples = d->ops->decode(d, payload, n, dst);
  if (d->conceal)
    conceal_heard(d->conceal, dst, samples);
  return samples;
}

size_t decoder_conceal(struct decoder *d, size_t samples, const uint8_t *next, size_t n_next,
                       int16_t *dst) {
  if (samples > d->format.rate_hz / 1000 * CODER_FRAME_MS_MAX)
    samples = d->format.rate_hz / 1000 * CODER_FRAME_MS_MAX;
  if (!d->conceal)
    return d->ops->conceal(d, samples, next, n_next, dst);
  conceal_make(d->conceal, dst, samples);
  return samples;
}

int encoder_new(struct encoder **ret, const struct coder_format *f) {
  if (!coder_takes((enum coder_kind)f->kind, f->rate_hz) ||
      f->channels > (f->kind == CODER_OPUS ? 2 : 1))
    return -EINVAL;
  own(encoder) e = calloc(1, sizeof(*e));
  if (!e)
    return -ENOMEM;
  e->ops = coders[f->kind].ops;
  e->format = *f;
  int r = e->ops->encoder_init(e);
  if (r < 0)
    return r;
  *ret = take(e);
  return 0;
}

struct encoder *encoder_free(struct encoder *e) {
  if (!e)
    return NULL;
  e->ops->encoder_done(e);
  free(e);
  return NULL;
}

size_t encoder_encode(struct encoder *e, const int16_t *src, size_t samples, uint8_t *dst, size_t room) {
  if (samples == 0 || samples > e->format.rate_hz / 1000 * CODER_FRAME_MS_MAX)
    return 0;
  return e->ops->encode(e, src, samples, dst, room < CODER_PAYLOAD_MAX ? room : CODER_PAYLOAD_MAX);
}

size_t encoder_delay(const struct encoder *e) { return e->ops->delay ? e->ops->delay(e) : 0; }

void encoder_set_loss(struct encoder *e, unsigned percent) {
  if (e->ops->set_loss)
    e->ops->set_loss(e, percent > 100 ? 100 : percent);
}
