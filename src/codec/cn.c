/* SPDX-License-Identifier: Apache-2.0
 * Comfort noise: see cn.h. Levinson-Durbin for the coefficients, an all-pole lattice for the noise,
 * whose excitation is scaled so that the filter leaves the level as it is. */
#include "codec/cn.h"
#include "codec/vad.h"

#include <math.h>

enum {
  ZERO = 127,
  STEPS = 254
}; /* a coefficient is 258 * (octet - 127) / 32768; octet 255 is reserved */
static const float SLIDE = 0.999f;      /* of the difference in level stays after each sample */
static const double WHITENING = 1.0001; /* keeps the recursion sound for tones */

static void correlate(const int16_t *s, size_t n, unsigned order, double *r) {
  for (unsigned k = 0; k <= order; k++) {
    r[k] = 0;
    for (size_t i = k; i < n; i++)
      r[k] += (double)s[i] * s[i - k];
  }
}

static uint8_t quantize(double k) {
  long octet = ZERO + lround(k * 32768 / 258);
  return (uint8_t)(octet < 0 ? 0 : octet > STEPS ? STEPS : octet);
}

/* Reflection coefficients of the autocorrelation r, as octets. */
static void reflect(const double *r, unsigned order, uint8_t *dst) {
  double a[CN_ORDER_MAX + 1] = {1}, error = r[0] * WHITENING;
  for (unsigned i = 1; i <= order; i++) {
    double sum = 0, old[CN_ORDER_MAX + 1];
    for (unsigned j = 0; j < i; j++)
      sum += a[j] * r[i - j];
    double k = -sum / error;
    memcpy(old, a, sizeof(old));
    for (unsigned j = 1; j < i; j++)
      a[j] = old[j] + k * old[i - j];
    a[i] = k;
    error *= 1 - k * k;
    dst[i - 1] = quantize(k);
  }
}

size_t cn_make(const int16_t *samples, size_t n, unsigned order, uint8_t dst[CN_BYTES_MAX]) {
  double r[CN_ORDER_MAX + 1];
  if (order > CN_ORDER_MAX)
    order = CN_ORDER_MAX;
  dst[0] = vad_level(samples, n);
  if (order == 0 || n < CN_SAMPLES_MIN || dst[0] == VAD_SILENCE)
    return 1;
  correlate(samples, n, order, r);
  reflect(r, order, dst + 1);
  return 1 + order;
}

void cn_init(struct cn *c, uint32_t seed) { *c = (struct cn){.seed = seed | 1}; }

static void set_level(struct cn *c, uint8_t level) {
  bool was_silent = c->rms <= 0;
  c->rms = level >= VAD_SILENCE ? 0 : 32767 * powf(10, -(float)level / 20);
  if (was_silent)
    c->now_rms = c->rms;
}

void cn_set_level(struct cn *c, uint8_t level) {
  set_level(c, level);
  c->order = 0;
}

bool cn_set(struct cn *c, const uint8_t *payload, size_t n) {
  if (n == 0)
    return false;
  set_level(c, payload[0] & 0x7f);
  c->order = n - 1 > CN_ORDER_MAX ? CN_ORDER_MAX : (unsigned)(n - 1);
  for (unsigned i = 0; i < c->order; i++) {
    int octet = payload[1 + i] > STEPS ? ZERO : payload[1 + i];
    c->reflect[i] = (float)(258 * (octet - ZERO)) / 32768;
  }
  return true;
}

/* Even in -1 … 1. */
static float draw(struct cn *c) {
  c->seed = c->seed * 1664525u + 1013904223u;
  return (float)(int32_t)c->seed / 2147483648.0f;
}

/* What the lattice does to the power of white noise, undone. */
static float excitation_gain(const struct cn *c) {
  float gain = 1;
  for (unsigned i = 0; i < c->order; i++)
    gain *= 1 - c->reflect[i] * c->reflect[i];
  return sqrtf(gain * 3); /* 3: even noise of -1 … 1 has a power of a third */
}

static float lattice(struct cn *c, float v) {
  for (unsigned i = c->order; i-- > 0;) {
    v -= c->reflect[i] * c->back[i];
    c->back[i + 1] = c->back[i] + c->reflect[i] * v;
  }
  c->back[0] = v;
  return v;
}

void cn_fill(struct cn *c, int16_t *dst, size_t n) {
  float gain = excitation_gain(c);
  for (size_t i = 0; i < n; i++) {
    c->now_rms = c->rms + (c->now_rms - c->rms) * SLIDE;
    float v = lattice(c, draw(c) * gain) * c->now_rms;
    dst[i] = (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : lrintf(v));
  }
}
