/* SPDX-License-Identifier: Apache-2.0
 * The checks (checks.def) as data: each judges the facts of a run, without I/O. Inside doctor. */
#pragma once
#include "doctor/facts.h"

enum finding_result {
  FINDING_RUNNING,
  FINDING_PASSED,
  FINDING_FAILED,
  FINDING_NOT_OFFERED,
  FINDING_SKIPPED
};
const char *finding_word(enum finding_result r); /* running passed failed not_offered skipped */

struct finding {
  enum finding_result result;
  char seen[240], advice[280];
  uint32_t ms;
};

/* Acts of a run, in their order; the calls follow. */
enum act {
  ACT_RESOLVE,
  ACT_SHAKE,
  ACT_OPTIONS,
  ACT_STRANGE,
  ACT_CALLS, /* ACT_CALLS + enum test_call */
  ACT_COUNT_ = ACT_CALLS + CALL_COUNT_
};

enum check {
#define CHECK(id, group, title, act, fn, rfc, proves) CHECK_##id,
#include "doctor/checks.def"
#undef CHECK
  CHECK_COUNT_
};

struct check_row {
  const char *id, *group, *title, *rfc, *proves;
  int act; /* judged once this act is over */
  void (*judge)(const struct doctor_facts *f, struct finding *ret);
};
extern const struct check_row check_rows[CHECK_COUNT_];

bool words_have(const char *list, const char *word); /* of words with commas between */
/* One word each; advice "" where there is nothing to do. */
void finding_set(struct finding *r, enum finding_result result, const char *advice, const char *format,
                 ...) printf_like(4, 5);
/* Each judges by itself; those of a codec, a suite, a form have a function of their own in the rooms. */
#define CHECK(id, group, title, act, fn, rfc, proves) \
  void judge_##fn(const struct doctor_facts *f, struct finding *ret);
#include "doctor/checks.def"
#undef CHECK
