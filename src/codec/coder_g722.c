/* SPDX-License-Identifier: Apache-2.0
 * G.722 at 64 kbit/s by spandsp: an octet is two samples of 16,000 Hz, or one of 8,000 Hz where only
 * the lower band is wanted (half the work). */
#include "codec/coderpart.h"

#include <spandsp/telephony.h>
#include <spandsp/g722.h>

enum { BITRATE = 64000 };

static unsigned octet_samples(const struct coder_format *f) { return f->rate_hz == 16000 ? 2 : 1; }
static int options(const struct coder_format *f) {
  return f->rate_hz == 16000 ? 0 : G722_SAMPLE_RATE_8000;
}

static int decoder_init(struct decoder *d) {
  d->state = g722_decode_init(NULL, BITRATE, options(&d->format));
  return d->state ? 0 : -ENOMEM;
}

static void decoder_done(struct decoder *d) {
  if (d->state)
    g722_decode_free(d->state);
}

static size_t samples_of(const struct decoder *d, const uint8_t *payload, size_t n) {
  (void)payload;
  return n * octet_samples(&d->format);
}

static size_t decode(struct decoder *d, const uint8_t *payload, size_t n, int16_t *dst) {
  int made = g722_decode(d->state, dst, payload, (int)n);
  return made > 0 ? (size_t)made : 0;
}

static int encoder_init(struct encoder *e) {
  e->state = g722_encode_init(NULL, BITRATE, options(&e->format));
  return e->state ? 0 : -ENOMEM;
}

static void encoder_done(struct encoder *e) {
  if (e->state)
    g722_encode_free(e->state);
}

static size_t encode(struct encoder *e, const int16_t *src, size_t samples, uint8_t *dst, size_t room) {
  unsigned each = octet_samples(&e->format);
  if (samples % each || samples / each > room)
    return 0;
  int made = g722_encode(e->state, dst, src, (int)samples);
  return made > 0 ? (size_t)made : 0;
}

const struct coder_ops coder_g722 = {
    .decoder_init = decoder_init,
    .decoder_done = decoder_done,
    .decode = decode,
    .samples = samples_of,
    .encoder_init = encoder_init,
    .encoder_done = encoder_done,
    .encode = encode,
};
