/* SPDX-License-Identifier: Apache-2.0
 * The spread of transit times over the last 256 packets: the least of them, and how much longer 97 of
 * 100 took at most. Transit is arrival less timestamp, in microseconds, with an unknown offset. Pure. */
#pragma once
#include "base/own.h"

enum { SPREAD_WINDOW = 256, SPREAD_STEP_US = 2500, SPREAD_STEPS = 256 };

struct spread {
  int64_t transit[SPREAD_WINDOW];
  int64_t least;      /* least transit in the window; of no meaning while count is 0. */
  unsigned count, at; /* count of transit that are filled; at is the next to be written. */
};

void spread_reset(struct spread *s);
void spread_add(struct spread *s, int64_t transit_us);
/* How much longer than the least 99 of 100 took, rounded up to 2.5 ms; at most 640 ms. */
uint32_t spread_us(const struct spread *s);
