/* SPDX-License-Identifier: Apache-2.0
 * The table of refusals and verdicts made from it: see guard.h, refuse.def. */
#include "guard/guard.h"

#include <stdarg.h>
#include <stdio.h>

static const struct refusal_row rows[REFUSE_COUNT_] = {
#define REFUSE(id, rule, sip, q850, http, code, title) \
  [REFUSE_##id] = {rule, sip, q850, http, code, title},
#include "guard/refuse.def"
#undef REFUSE
};

enum { RETRY_AFTER_S = 5 };

const struct refusal_row *refusal_row(enum refusal r) {
  return &rows[r < REFUSE_COUNT_ ? r : REFUSE_INTERNAL];
}

struct verdict verdict_pass(void) {
  return (struct verdict){.refusal = REFUSE_NONE};
}

struct verdict verdict_refuse(enum refusal r, const char *format, ...) {
  struct verdict v = {.refusal = r, .retry_after_s = refusal_row(r)->sip == 503 ? RETRY_AFTER_S : 0};
  va_list ap;
  va_start(ap, format);
  vsnprintf(v.detail, sizeof(v.detail), format, ap);
  va_end(ap);
  return v;
}
