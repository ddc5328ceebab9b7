/* SPDX-License-Identifier: Apache-2.0
 * The table of checks, and what all of them use. Pure. */
#include "doctor/check.h"

#include <stdarg.h>
#include <stdio.h>

const struct check_row check_rows[CHECK_COUNT_] = {
#define CHECK(id, group, title, act, fn, rfc, proves) \
  [CHECK_##id] = {#id, group, title, rfc, proves, act, judge_##fn},
#include "doctor/checks.def"
#undef CHECK
};

const char *finding_word(enum finding_result r) {
  static const char *const words[] = {"running", "passed", "failed", "not_offered", "skipped"};
  return words[r];
}

void finding_set(struct finding *r, enum finding_result result, const char *advice, const char *format,
                 ...) {
  va_list args;
  r->result = result;
  snprintf(r->advice, sizeof r->advice, "%s", advice);
  va_start(args, format);
  vsnprintf(r->seen, sizeof r->seen, format, args);
  va_end(args);
}
