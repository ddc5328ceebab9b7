/* SPDX-License-Identifier: Apache-2.0
 * G.711 as a coder: an octet a sample. */
#include "codec/coderpart.h"
#include "codec/g711.h"

static enum g711_law law_of(const struct coder_format *f) {
  return f->kind == CODER_PCMU ? G711_ULAW : G711_ALAW;
}

static int decoder_init(struct decoder *d) {
  (void)d;
  g711_start();
  return 0;
}

static void decoder_done(struct decoder *d) { (void)d; }

static size_t samples_of(const struct decoder *d, const uint8_t *payload, size_t n) {
  (void)d;
  (void)payload;
  return n;
}

static size_t decode(struct decoder *d, const uint8_t *payload, size_t n, int16_t *dst) {
  enum g711_law law = law_of(&d->format);
  for (size_t i = 0; i < n; i++)
    dst[i] = g711_expand(law, payload[i]);
  return n;
}

static int encoder_init(struct encoder *e) {
  (void)e;
  g711_start();
  return 0;
}

static void encoder_done(struct encoder *e) { (void)e; }

static size_t encode(struct encoder *e, const int16_t *src, size_t samples, uint8_t *dst, size_t room) {
  enum g711_law law = law_of(&e->format);
  if (samples > room)
    return 0;
  for (size_t i = 0; i < samples; i++)
    dst[i] = g711_compress(law, src[i]);
  return samples;
}

const struct coder_ops coder_g711 = {
    .decoder_init = decoder_init,
    .decoder_done = decoder_done,
    .decode = decode,
    .samples = samples_of,
    .encoder_init = encoder_init,
    .encoder_done = encoder_done,
    .encode = encode,
};
