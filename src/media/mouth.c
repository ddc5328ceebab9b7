/* SPDX-License-Identifier: Apache-2.0
 * A room's encoders: see mouth.h. */
#include "media/mouth.h"

enum { STEP_MS = 10, LOW_BITRATE = 16000, FULL_BITRATE = 24000 };

int mouth_form(const struct xcode_form *asked, struct xcode_form *ret) {
  if (!xcode_may(asked->kind) || asked->ptime_ms < STEP_MS || asked->ptime_ms > XCODE_PTIME_MAX_MS ||
      asked->ptime_ms % STEP_MS)
    return -ENOTSUP;
  *ret = (struct xcode_form){.kind = asked->kind, .ptime_ms = asked->ptime_ms};
  if (asked->kind != CODEC_OPUS)
    return 0;
  if (asked->ptime_ms == 30 || asked->ptime_ms == 50)
    return -ENOTSUP;
  ret->complexity = asked->complexity;
  ret->fec = asked->fec;
  ret->dtx = asked->dtx;
  ret->bitrate = asked->bitrate && asked->bitrate < FULL_BITRATE ? LOW_BITRATE : 0;
  return 0;
}

bool mouth_is(const struct mouth *m, const struct xcode_form *f) {
  const struct xcode_form *is = &m->form;
  return is->kind == f->kind && is->ptime_ms == f->ptime_ms && is->complexity == f->complexity &&
         is->bitrate == f->bitrate && is->fec == f->fec && is->dtx == f->dtx;
}

int mouth_new(struct mouth **ret, const struct xcode_form *f, uint32_t rate_hz) {
  own(mouth) m = calloc(1, sizeof(*m));
  if (!m)
    return -ENOMEM;
  struct coder_format c = {.kind = (uint8_t)xcode_coder(f->kind),
                           .bitrate = f->bitrate,
                           .complexity = f->complexity,
                           .fec = f->fec,
                           .dtx = f->dtx};
  c.rate_hz = coder_takes(c.kind, rate_hz) ? rate_hz : 8000;
  m->form = *f;
  m->rate_hz = rate_hz;
  m->coder_hz = c.rate_hz;
  m->pcm = calloc((size_t)c.rate_hz / 1000 * (XCODE_PTIME_MAX_MS + 1), sizeof(*m->pcm));
  int error = m->pcm ? encoder_new(&m->encoder, &c) : -ENOMEM;
  if (!error && c.rate_hz != rate_hz)
    error = resampler_new(&m->resampler, rate_hz, c.rate_hz);
  if (error)
    return error;
  *ret = take(m);
  return 0;
}

struct mouth *mouth_free(struct mouth *m) {
  if (!m)
    return NULL;
  encoder_free(m->encoder);
  resampler_free(m->resampler);
  free(m->pcm);
  free(m);
  return NULL;
}

void mouth_join(struct mouth *m, const struct mouth *from) {
  m->have = from->have;
  memcpy(m->pcm, from->pcm, m->have * sizeof(*m->pcm));
}

void mouth_add(struct mouth *m, const int16_t *pcm, size_t n) {
  size_t step = m->coder_hz / 1000 * STEP_MS, room = m->coder_hz / 1000 * m->form.ptime_ms;
  if (m->have + step > room)
    return;
  if (m->resampler)
    (void)resampler_run(m->resampler, pcm, n, m->pcm + m->have);
  else
    memcpy(m->pcm + m->have, pcm, n * sizeof(*pcm));
  m->have += step;
}

size_t mouth_take(struct mouth *m, uint8_t *dst) {
  size_t n = m->have;
  m->have = 0;
  return encoder_encode(m->encoder, m->pcm, n, dst, XCODE_PAYLOAD_MAX);
}

uint32_t mouth_clock_hz(const struct mouth *m) {
  return coder_clock_hz((enum coder_kind)xcode_coder(m->form.kind));
}
