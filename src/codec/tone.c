/* SPDX-License-Identifier: Apache-2.0
 * Tones: see tone.h. Sines by a table of 1,024 steps, phases in 32 bits. */
#include "codec/tone.h"

#include <math.h>

enum { STEPS = 1024 };

static int16_t sine[STEPS];

static const struct {
  uint16_t hz[2];            /* hz of the sines; 0: absent */
  int16_t amplitude;         /* amplitude of each sine, linear */
  uint16_t on_ms, period_ms; /* period_ms 0: steady */
} tones[TONE_COUNT_] = {
    [TONE_SILENCE] = {{0, 0}, 0, 0, 0},         [TONE_RINGBACK] = {{440, 480}, 2500, 2000, 6000},
    [TONE_HOLD] = {{350, 525}, 500, 400, 4000}, /* soft, a short chime each 4 s */
    [TONE_1004] = {{1004, 0}, 8000, 0, 0},      [TONE_BUSY] = {{480, 620}, 2500, 500, 1000},
};

void tone_start(void) {
  g711_start();
  for (int i = 0; i < STEPS; i++)
    sine[i] = (int16_t)lround(32767 * sin(2 * M_PI * i / STEPS));
}

void tone_init(struct tone *t, enum tone_kind kind) { *t = (struct tone){.kind = (uint8_t)kind}; }

static int16_t next_sample(struct tone *t, uint32_t rate_hz) {
  int sum = 0;
  bool on = !tones[t->kind].period_ms || t->at < rate_hz / 1000 * tones[t->kind].on_ms;
  if (++t->at >= rate_hz / 1000 * tones[t->kind].period_ms)
    t->at = 0;
  for (int i = 0; i < 2 && on && tones[t->kind].hz[i]; i++) {
    sum += sine[t->phase[i] >> 22] * tones[t->kind].amplitude / 32768;
    t->phase[i] += (uint32_t)((uint64_t)tones[t->kind].hz[i] * 0x100000000u / rate_hz);
  }
  return (int16_t)sum;
}

void tone_fill(struct tone *t, enum g711_law law, uint8_t *dst, size_t n) {
  if (t->kind == TONE_SILENCE) {
    memset(dst, g711_silence(law), n);
    return;
  }
  for (size_t i = 0; i < n; i++)
    dst[i] = g711_compress(law, next_sample(t, G711_RATE_HZ));
}

void tone_make(struct tone *t, uint32_t rate_hz, int16_t *dst, size_t n) {
  for (size_t i = 0; i < n; i++)
    dst[i] = next_sample(t, rate_hz);
}
