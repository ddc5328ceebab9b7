/* SPDX-License-Identifier: Apache-2.0
 * Levels and speech: see vad.h. */
#include "codec/vad.h"

#include <math.h>

enum {
  ABOVE_CENTI = 900,   /* speech is so much louder than the floor, */
  LEAST_CENTI = -6000, /* and louder than this whatever the floor. */
  LOUD_CENTI = -3000,  /* louder than this is no noise floor */
  RISE_CENTI_S = 300,  /* the floor rises by so much a second, and falls at once. */
  HANG_US = 200000,    /* kept on behind speech */
};

uint8_t vad_level(const int16_t *samples, size_t n) {
  uint64_t sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += (uint64_t)((int32_t)samples[i] * samples[i]);
  if (sum == 0)
    return VAD_SILENCE;
  double db = 10 * log10((double)sum / (double)n / (32767.0 * 32767.0));
  return db >= 0 ? 0 : db <= -VAD_SILENCE ? VAD_SILENCE : (uint8_t)lround(-db);
}

void vad_init(struct vad *v) {
  *v = (struct vad){.floor_centi = LEAST_CENTI - ABOVE_CENTI, .level = VAD_SILENCE};
}

/* The next frame by its level. */
static bool vad_run_level(struct vad *v, uint8_t level, uint32_t frame_us) {
  int32_t centi = -100 * level, rise = (int32_t)((int64_t)RISE_CENTI_S * frame_us / 1000000);
  v->level = level;
  if (centi <= v->floor_centi)
    v->floor_centi = centi;
  else if (v->floor_centi + rise < LOUD_CENTI)
    v->floor_centi += rise;
  if (centi > LEAST_CENTI && centi > v->floor_centi + ABOVE_CENTI)
    v->hang_us = HANG_US;
  else
    v->hang_us = v->hang_us > frame_us ? v->hang_us - frame_us : 0;
  v->is_speech = v->hang_us != 0;
  return v->is_speech;
}

bool vad_run(struct vad *v, const int16_t *samples, size_t n, uint32_t rate_hz) {
  return vad_run_level(v, vad_level(samples, n), (uint32_t)(n * 1000000 / rate_hz));
}
