/* SPDX-License-Identifier: Apache-2.0
 * Words of a record: see store.h. */
#include "store/store.h"

#include <stdio.h>

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

/* RFC 7989: two halves; the nil half stands for a peer that has none. */
static bool is_half(const char *text) { return text[0] && text[strspn(text, "0")]; }

void record_billing_id(const struct record *r, char ret[RECORD_BILLING_BYTES]) {
  const char *a = r->session_id_local, *b = r->session_id_remote;
  const struct record_leg *leg = r->caller.kind == RECORD_LEG_TRUNK ? &r->caller : &r->callee;
  if (is_half(a) && is_half(b))
    snprintf(ret, RECORD_BILLING_BYTES, "%.32s-%.32s", strcmp(a, b) < 0 ? a : b,
             strcmp(a, b) < 0 ? b : a);
  else
    snprintf(ret, RECORD_BILLING_BYTES, "%s", leg->sip_call_id);
}
