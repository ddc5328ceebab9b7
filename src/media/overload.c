/* SPDX-License-Identifier: Apache-2.0
 * The verdict on a worker's load: see overload.h. */
#include "media/overload.h"

static const uint32_t bounds_us[OVERLOAD_BINS] = {1000,  2000,  5000,   10000,  20000,   30000,
                                                  40000, 60000, 100000, 200000, 1000000, UINT32_MAX};

void overload_age(struct overload *o, uint32_t age_us) {
  unsigned i = 0;
  while (age_us > bounds_us[i])
    i++;
  o->bins[i]++;
  o->aged++;
}

static uint32_t percentile_us(const struct overload *o) {
  uint32_t above = o->aged / 100, n = 0;
  for (unsigned i = OVERLOAD_BINS; i-- > 0;) {
    n += o->bins[i];
    if (n > above)
      return bounds_us[i];
  }
  return 0;
}

/* The door closes at once and opens only when there is room again. */
static uint8_t judge(const struct overload *o) {
  bool was_open = o->verdict == OVERLOAD_OPEN;
  if (o->packets < OVERLOAD_PACKETS_MIN)
    return OVERLOAD_OPEN;
  if (o->age_us > OVERLOAD_STALE_US)
    return OVERLOAD_SHEDDING;
  if (o->age_us > (was_open ? OVERLOAD_LATE_US : OVERLOAD_WELL_US) ||
      o->busy_permille >= (was_open ? OVERLOAD_BUSY : OVERLOAD_EASY))
    return OVERLOAD_NO_NEW;
  return OVERLOAD_OPEN;
}

/* A busy worker's cost a session is what counts: with few calls there is a wake-up for each packet. */
static void learn(struct overload *o, uint32_t sessions) {
  uint32_t speaking = sessions > o->silent ? sessions - o->silent : 0;
  if (!speaking || o->busy_permille < OVERLOAD_LEARN || o->packets < OVERLOAD_PACKETS_MIN)
    return;
  uint32_t cost = o->busy_permille * 1000 / speaking;
  o->cost = o->cost ? (3 * o->cost + cost) / 4 : cost;
}

bool overload_close(struct overload *o, uint64_t now_us, uint64_t cpu_us, uint32_t sessions) {
  uint64_t span_us = now_us - o->since_us, used_us = cpu_us - o->since_cpu_us;
  bool is_first = o->since_us == 0;
  uint8_t was = o->verdict;
  o->busy_permille = is_first ? 0 : (uint32_t)(used_us * 1000 / span_us);
  o->age_us = percentile_us(o);
  o->verdict = judge(o);
  learn(o, sessions);
  o->fresh_before = o->fresh;
  o->fresh = 0;
  o->since_us = now_us;
  o->since_cpu_us = cpu_us;
  o->packets = o->aged = 0;
  memset(o->bins, 0, sizeof(o->bins));
  return o->verdict != was || o->verdict != OVERLOAD_OPEN;
}

bool overload_may_open(const struct overload *o, uint32_t more) {
  uint64_t cost = o->cost ? o->cost : OVERLOAD_COST;
  uint64_t coming = (uint64_t)o->silent + o->fresh + o->fresh_before / 2 + more;
  return o->verdict == OVERLOAD_OPEN && o->busy_permille + coming * cost / 1000 <= OVERLOAD_BUSY;
}
