/* SPDX-License-Identifier: Apache-2.0
 * The rule of coalescing: see coalesce.h. */
#include "media/coalesce.h"

static uint32_t pace_of(uint64_t a_second) {
  if (a_second <= COALESCE_FROM_A_S)
    return 0;
  if (a_second >= COALESCE_FULL_A_S)
    return COALESCE_MAX_US;
  return (uint32_t)((a_second - COALESCE_FROM_A_S) * COALESCE_MAX_US /
                    (COALESCE_FULL_A_S - COALESCE_FROM_A_S));
}

void coalesce_harvest(struct coalesce *c, uint32_t n, uint64_t now_us) {
  uint64_t span_us = now_us - c->since_us;
  c->count += n;
  c->harvest_us = now_us;
  if (span_us < COALESCE_WINDOW_US)
    return;
  c->pace_us = pace_of((uint64_t)c->count * 1000000u / span_us);
  c->count = 0;
  c->since_us = now_us;
}

uint32_t coalesce_wait_us(const struct coalesce *c, uint64_t now_us) {
  uint64_t passed_us = now_us - c->harvest_us;
  return passed_us < c->pace_us ? (uint32_t)(c->pace_us - passed_us) : 0;
}
