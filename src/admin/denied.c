/* SPDX-License-Identifier: Apache-2.0
 * Refusals on their way into the audit: see denied.h. */
#include "admin/denied.h"

#include <stdio.h>

#define WINDOW_US 60000000u
#define EACH_US 60000000u /* a row a minute in the long run, */
#define BURST 60u         /* and so many at once */

static bool alike(const struct denied_row *a, const struct denied_row *b) {
  return a->status == b->status && strcmp(a->verb, b->verb) == 0 && strcmp(a->who, b->who) == 0 &&
         strcmp(a->from, b->from) == 0 && strcmp(a->what, b->what) == 0;
}

static void count_in(struct denied_row *r, uint64_t wall_ms) {
  if (!r->times++)
    r->first_ms = wall_ms;
  r->last_ms = wall_ms;
}

void denied_add(struct denied *d, const struct denied_row *row, uint64_t wall_ms) {
  struct slot *room = NULL;
  for (size_t i = 0; i < DENIED_MAX; i++) {
    struct slot *s = &d->slots[i];
    if (s->is_used && alike(&s->row, row)) {
      count_in(&s->row, wall_ms);
      return;
    }
    if (!s->is_used && !room)
      room = s;
  }
  if (!room) {
    count_in(&d->others, wall_ms);
    return;
  }
  *room = (struct slot){.row = *row, .is_used = true};
  room->row.times = 0;
  count_in(&room->row, wall_ms);
}

static bool budget_take(struct denied *d, uint64_t now_us) {
  uint64_t full_us = d->full_us > now_us ? d->full_us : now_us;
  if (full_us + EACH_US > now_us + (uint64_t)BURST * EACH_US)
    return false;
  d->full_us = full_us + EACH_US;
  return true;
}

static bool slot_due(const struct slot *s, uint64_t now_us) {
  return s->is_used && s->row.times && (!s->is_told || now_us >= s->since_us + WINDOW_US);
}

static void slot_tell(struct slot *s, uint64_t now_us, struct denied_row *ret) {
  *ret = s->row;
  s->row.times = 0;
  s->is_told = true;
  s->since_us = now_us;
}

bool denied_next(struct denied *d, uint64_t now_us, struct denied_row *ret) {
  for (size_t i = 0; i < DENIED_MAX; i++) {
    struct slot *s = &d->slots[i];
    if (s->is_used && s->is_told && !s->row.times && now_us >= s->since_us + WINDOW_US)
      s->is_used = false;
    if (!slot_due(s, now_us))
      continue;
    if (!budget_take(d, now_us))
      return false;
    slot_tell(s, now_us, ret);
    return true;
  }
  if (!d->others.times || !budget_take(d, now_us))
    return false;
  *ret = d->others;
  snprintf(ret->verb, sizeof(ret->verb), "others");
  d->others.times = 0;
  return true;
}
