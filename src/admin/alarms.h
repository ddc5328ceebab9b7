/* SPDX-License-Identifier: Apache-2.0
 * Alarms: raised when they are first told, cleared when they are told no more, kept a week and over restarts. Bounded: past
 * ALARMS_MAX the one that was cleared longest ago goes. The caller locks. */
#pragma once
#include "admin/admin.h"

#define ALARMS_MAX 256

struct alarm {
  struct admin_alarm now;
  char id[20], acked_by[65];
  uint64_t raised_ms, cleared_ms; /* cleared_ms 0: it stands. raised_ms 0: a free place. */
  bool told;
  uint64_t until_ms; /* until_ms: one from before a restart stands so long, though nobody tells it yet. */
};

struct alarms {
  struct alarm list[ALARMS_MAX];
};

/* All that stand now; changed is called for each that was raised or cleared. */
void alarms_feed(struct alarms *as, const struct admin_alarm *now, size_t n, uint64_t wall_ms,
                 void (*changed)(void *arg, const struct alarm *al), void *arg);
/* One that stood or was over when the program ended; what stood has a while to be told again. */
void alarms_put_back(struct alarms *as, const struct kept_alarm *k, uint64_t wall_ms);
struct alarm *alarms_find(struct alarms *as, const char *id);
size_t alarms_open(const struct alarms *as);
json_t *alarm_json(const struct alarm *al);
