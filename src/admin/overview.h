/* SPDX-License-Identifier: Apache-2.0
 * The overview's memory: see overview.c. The caller locks. */
#pragma once
#include "admin/admin.h"

#define OVERVIEW_SAMPLES 180

struct overview_sample {
  uint32_t live;
  float rate, failed; /* a second */
  uint16_t mos_x100;  /* 0: unknown */
};

struct overview {
  bool fed;
  uint64_t started_ms, day, sampled_ms, rate;
  struct admin_facts facts, midnight, last; /* now; when the day began; when the last sample was taken */
  struct overview_sample samples[OVERVIEW_SAMPLES];
  struct reader_sums before; /* before is what the records say of calls before the start, of that day. */
  uint64_t before_day;
  size_t samples_n; /* samples_n counts all that ever were. */
};

void overview_init(struct overview *o);
/* The day of the start, until then: what earlier instances wrote. 0: not yet. */
uint64_t overview_midnight_ms(const struct overview *o);
void overview_before(struct overview *o, const struct reader_sums *s);
void overview_feed(struct overview *o, const struct admin_facts *f, uint64_t wall_ms);
json_t *overview_json(const struct overview *o, bool ready, const char *why, size_t open_alarms);
