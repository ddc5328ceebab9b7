/* SPDX-License-Identifier: Apache-2.0
 * Tones into G.711 or samples: up to two sines, an on-off cadence, a level; continuous over packets. A
 * table of the tones that we play (E.180, and North America's precise tone plan). Pure. */
#pragma once
#include "codec/g711.h"

enum tone_kind { TONE_SILENCE, TONE_RINGBACK, TONE_HOLD, TONE_1004, TONE_BUSY, TONE_COUNT_ };

struct tone {
  uint8_t kind;      /* kind is an enum tone_kind. */
  uint32_t phase[2]; /* phase of each sine, a turn is 2^32. */
  uint32_t at;       /* at is the sample within the cadence, of the one rate that it is filled at. */
};

void tone_start(void); /* fills the sine table (and G.711's); once, before threads */
void tone_init(struct tone *t, enum tone_kind kind);
void tone_fill(struct tone *t, enum g711_law law, uint8_t *dst, size_t n); /* the next n samples */
/* The same as samples of rate_hz (8,000 and up; the same in every call for t). */
void tone_make(struct tone *t, uint32_t rate_hz, int16_t *dst, size_t n);
