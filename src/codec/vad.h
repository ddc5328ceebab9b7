/* SPDX-License-Identifier: Apache-2.0
 * Level of samples in -dBov (RFC 6464: 0 the loudest, 127 silence), and whether they are speech: louder
 * than the noise floor that the last seconds show. Pure; an engine by frames. */
#pragma once
#include "base/own.h"

enum { VAD_SILENCE = 127 };

/* 20 log10(32767 / rms), 0-127. */
uint8_t vad_level(const int16_t *samples, size_t n);

struct vad {
  int32_t floor_centi; /* floor_centi is the noise floor in hundredths of a dBov, negative. */
  uint32_t hang_us;    /* hang_us is how long it still counts as speech. */
  uint8_t level;       /* level of the last frame. */
  bool is_speech;
};

void vad_init(struct vad *v);
/* The next frame of n samples; sets level, and returns whether it is speech. */
bool vad_run(struct vad *v, const int16_t *samples, size_t n, uint32_t rate_hz);
