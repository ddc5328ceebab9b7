/* SPDX-License-Identifier: Apache-2.0
 * Levels: see level.h. */
#include "codec/level.h"

#include "codec/vad.h"

#include <math.h>

static double power(enum g711_law law, const uint8_t *samples, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    double v = g711_expand(law, samples[i]);
    sum += v * v;
  }
  return n ? sum / (double)n : 0;
}

double level_dbm0(enum g711_law law, const uint8_t *samples, size_t n) {
  double full = 32124.0 * 32124.0 / 2, p = power(law, samples, n);
  double db = p > 0 ? 10 * log10(p / full) + 3.17 : -96;
  return db < -96 ? -96 : db;
}

int level_glance(enum g711_law law, const uint8_t *samples, size_t n) {
  enum { PROBE = 20 };
  int16_t few[PROBE];
  if (n < PROBE)
    return -1;
  for (size_t i = 0; i < PROBE; i++) /* not evenly: a tone may be zero at even steps */
    few[i] = g711_expand(law, samples[i * (n - 7) / PROBE + i * 5 % 7]);
  return vad_level(few, PROBE);
}

double level_share(enum g711_law law, const uint8_t *samples, size_t n, double hz) {
  double total = power(law, samples, n), w = 2 * M_PI * hz / G711_RATE_HZ, c = 2 * cos(w), s1 = 0,
         s2 = 0;
  if (total <= 0)
    return 0;
  for (size_t i = 0; i < n; i++) {
    double s = g711_expand(law, samples[i]) + c * s1 - s2;
    s2 = s1;
    s1 = s;
  }
  double at = (s1 * s1 + s2 * s2 - c * s1 * s2) * 2 / ((double)n * (double)n);
  return at / total > 1 ? 1 : at / total;
}
