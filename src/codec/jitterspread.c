/* SPDX-License-Identifier: Apache-2.0
 * The spread of transit times: see jitterspread.h. */
#include "codec/jitterspread.h"

void spread_reset(struct spread *s) { s->count = s->at = 0; }

static int64_t find_least(const struct spread *s) {
  int64_t least = s->transit[0];
  for (unsigned i = 1; i < s->count; i++)
    if (s->transit[i] < least)
      least = s->transit[i];
  return least;
}

void spread_add(struct spread *s, int64_t transit_us) {
  bool was_least = s->count == SPREAD_WINDOW && s->transit[s->at] == s->least;
  s->transit[s->at] = transit_us;
  s->at = (s->at + 1) % SPREAD_WINDOW;
  if (s->count < SPREAD_WINDOW)
    s->count++;
  if (s->count == 1 || transit_us <= s->least)
    s->least = transit_us;
  else if (was_least)
    s->least = find_least(s);
}

uint32_t spread_us(const struct spread *s) {
  uint8_t counts[SPREAD_STEPS] = {0}; /* saturates: far past what is left out */
  for (unsigned i = 0; i < s->count; i++) {
    int64_t step = (s->transit[i] - s->least) / SPREAD_STEP_US;
    uint8_t *c = &counts[step < SPREAD_STEPS ? step : SPREAD_STEPS - 1];
    *c = *c < UINT8_MAX ? (uint8_t)(*c + 1) : *c;
  }
  unsigned out = s->count / 100, seen = 0, i = SPREAD_STEPS - 1;
  while (i > 0 && seen + counts[i] <= out)
    seen += counts[i--];
  return s->count ? (i + 1) * SPREAD_STEP_US : 0;
}
