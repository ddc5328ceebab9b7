/* SPDX-License-Identifier: Apache-2.0
 * Words of a record: see store.h. */
#include "store/store.h"

static const char *const states[] = {"live", "ended", "refused"};

const char *record_state_text(enum record_state s) {
  return (size_t)s < COUNT_OF(states) ? states[s] : "?";
}

const char *record_direction_text(enum record_direction d) { return d == RECORD_OUT ? "out" : "in"; }

const char *record_leg_kind_text(enum record_leg_kind k) {
  static const char *const kinds[] = {"none", "trunk", "native"};
  return (size_t)k < COUNT_OF(kinds) ? kinds[k] : "?";
}

bool record_state_find(struct slice text, enum record_state *ret) {
  for (size_t i = 0; i < COUNT_OF(states); i++)
    if (slice_eq(text, slice_of(states[i]))) {
      *ret = (enum record_state)i;
      return true;
    }
  return false;
}
