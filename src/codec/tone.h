/* SPDX-License-Identifier: Apache-2.0
 * Tones into G.711: up to two sines, an on-off cadence, a level; continuous over packets. A table
 * of the tones that we play (E.180, and North America's precise tone plan). Pure. */
#pragma once
#include "codec/g711.h"

enum tone_kind { TONE_SILENCE, TONE_RINGBACK, TONE_HOLD, TONE_1004, TONE_BUSY, TONE_COUNT_ };

struct tone {
  uint8_t kind;      /* kind is an enum tone_kind. */
  uint32_t phase[2]; /* phase of each sine, a turn is 2^32. */
  uint32_t at;       /* at is the sample within the cadence. */
};

void tone_start(void); /* fills the sine table (and G.711's); once, before threads */
void tone_init(struct tone *t, enum tone_kind kind);
void tone_fill(struct tone *t, enum g711_law law, uint8_t *dst, size_t n); /* the next n samples */
