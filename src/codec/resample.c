/* SPDX-License-Identifier: Apache-2.0
 * Resampling: see resample.h. */
#include "codec/resample.h"

#include <speex/speex_resampler.h>

enum { QUALITY = 3 };

struct resampler {
  SpeexResamplerState *speex; /* speex is NULL where the rates are equal. */
  uint32_t from_hz, to_hz;
};

static bool is_rate(uint32_t hz) { return hz >= RESAMPLER_HZ_MIN && hz <= RESAMPLER_HZ_MAX; }

int resampler_new(struct resampler **ret, uint32_t from_hz, uint32_t to_hz) {
  if (!is_rate(from_hz) || !is_rate(to_hz))
    return -EINVAL;
  own(resampler) r = calloc(1, sizeof(*r));
  if (!r)
    return -ENOMEM;
  r->from_hz = from_hz;
  r->to_hz = to_hz;
  int error = 0;
  if (from_hz != to_hz) {
    r->speex = speex_resampler_init(1, from_hz, to_hz, QUALITY, &error);
    if (!r->speex)
      return -ENOMEM;
    speex_resampler_skip_zeros(r->speex);
  }
  *ret = take(r);
  return 0;
}

struct resampler *resampler_free(struct resampler *r) {
  if (r && r->speex)
    speex_resampler_destroy(r->speex);
  free(r);
  return NULL;
}

size_t resampler_room(const struct resampler *r, size_t n) {
  return (n * r->to_hz + r->from_hz - 1) / r->from_hz + 1;
}

size_t resampler_run(struct resampler *r, const int16_t *src, size_t n, int16_t *dst) {
  if (!r->speex) {
    memcpy(dst, src, n * sizeof(*dst));
    return n;
  }
  spx_uint32_t in = (spx_uint32_t)n, out = (spx_uint32_t)resampler_room(r, n);
  speex_resampler_process_int(r->speex, 0, src, &in, dst, &out);
  return out;
}
