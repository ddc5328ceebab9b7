/* SPDX-License-Identifier: Apache-2.0
 * Fuzz: a WAV file's head, and its samples. */
#include "codec/wav.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct wav w;
  int16_t samples[320];
  size_t look = n < WAV_LOOK_BYTES ? n : WAV_LOOK_BYTES;
  if (wav_parse(&w, data, look, n) != 0)
    return 0;
  if (w.data_at > n || w.data_bytes > n - w.data_at || w.data_bytes % w.frame_bytes ||
      w.data_bytes == 0 || w.channels < 1 || w.channels > 2 || w.coding > WAV_ALAW)
    abort();
  for (uint64_t at = 0; at < w.data_bytes;) {
    size_t got = wav_samples(&w, data + w.data_at + at, (size_t)(w.data_bytes - at), samples, 320);
    if (got == 0 || got > 320)
      abort();
    at += got * w.frame_bytes;
  }
  return 0;
}
