/* SPDX-License-Identifier: Apache-2.0
 * Overload by waiting time: see shed.h. */
#include "trunk/shed.h"

void shed_waited(struct shed *s, int64_t wait_us, uint64_t now_us) {
  if (wait_us < 0 || wait_us > SHED_WAIT_MAX_US)
    return;
  if (wait_us > SHED_LATE_US)
    s->late_us = now_us;
  else if (now_us - s->late_us > SHED_QUIET_US)
    s->level = 0;
  if (wait_us > SHED_LATE_US && s->level < SHED_LEVEL_MAX)
    s->level++;
  else if (wait_us < SHED_WELL_US && s->level > 0)
    s->level--;
  if (s->level >= SHED_FROM)
    s->is_on = true;
  else if (s->level == 0)
    s->is_on = false;
}

bool shed_invite(struct shed *s, bool is_emergency, uint64_t now_us) {
  bool refuses = s->is_on && !is_emergency;
  if (now_us - s->since_us >= SHED_WINDOW_US) {
    s->percent = s->asked ? s->refused * 100 / s->asked : 0;
    s->asked = s->refused = 0;
    s->since_us = now_us;
    s->serial++;
  }
  s->asked++;
  s->refused += refuses;
  return refuses;
}

uint32_t shed_percent(const struct shed *s) {
  uint32_t now = s->asked ? s->refused * 100 / s->asked : 0;
  return now > s->percent ? now : s->percent;
}
