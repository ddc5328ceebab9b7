/* SPDX-License-Identifier: Apache-2.0
 * Fuzz: decoders. The first octet chooses the coder and the rate; then come records of a length (two
 * octets, the upper bits say what to do: decode, or fill a hole with this as what follows it) and a
 * payload. */
#include "codec/coder.h"

static void record(struct decoder *d, const struct coder_format *f, uint16_t how, const uint8_t *p,
                   size_t n) {
  static int16_t samples[CODER_SAMPLES_MAX];
  size_t most = f->rate_hz / 1000 * CODER_FRAME_MS_MAX, told = decoder_samples(d, p, n);
  if (told > most)
    abort();
  if (how & 0x8000) {
    size_t hole = (how >> 11 & 15) * f->rate_hz / 100, made = decoder_conceal(d, hole, p, n, samples);
    if (made > hole)
      abort();
    return;
  }
  size_t room = how & 0x4000 ? most / 4 : most, made = decoder_decode(d, p, n, samples, room);
  if (made > room || (made && made != told))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static const uint32_t rates[] = {8000, 16000, 48000};
  if (n == 0)
    return 0;
  struct coder_format f = {.kind = data[0] & 3, .rate_hz = rates[(data[0] >> 2) % 3]};
  struct decoder *d = NULL;
  if (decoder_new(&d, &f) < 0)
    return 0;
  for (size_t at = 1; at + 2 <= n;) {
    uint16_t how = (uint16_t)(data[at] << 8 | data[at + 1]);
    size_t bytes = how & 0x7ff, left = n - at - 2;
    bytes = bytes < left ? bytes : left;
    record(d, &f, how, data + at + 2, bytes);
    at += 2 + bytes;
  }
  decoder_free(d);
  return 0;
}
