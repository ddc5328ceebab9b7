/* SPDX-License-Identifier: Apache-2.0
 * Judgements on numbers: their forms, one that nobody has, one that is busy. Pure. */
#include "doctor/judge.h"
#include "wire/q850.h"

#include <stdio.h>

static const struct call_facts *base_of(const struct doctor_facts *f) { return &f->calls[CALL_BASE]; }

static void number_judge(const struct doctor_facts *f, enum test_call which, struct finding *r) {
  const struct call_facts *c = &f->calls[which];
  if (f->trunk->doctor.number[0] && said_ok(&base_of(f)->invite) && !c->is_begun) {
    finding_set(r, FINDING_SKIPPED, "Set trunks[].numbers.country.", "the form cannot be made of %s",
                f->trunk->doctor.number);
    return;
  }
  if (!call_is_placed(f, which, r))
    return;
  if (c->invite.is_over && !c->invite.is_own && c->invite.status < 300)
    PASS(r, "taken");
  else if (c->cancel.is_asked && c->n_provisionals)
    PASS(r, "taken: it rang");
  else if (c->invite.is_over && !c->invite.is_own)
    ABSENT(r, "", "%d", c->invite.status);
  else
    FAIL(r, "", "no answer");
}
void judge_number_00(const struct doctor_facts *f, struct finding *r) {
  number_judge(f, CALL_FORM_00, r);
}
void judge_number_national(const struct doctor_facts *f, struct finding *r) {
  number_judge(f, CALL_FORM_NATIONAL, r);
}

static bool has_unknown(const struct doctor_facts *f, struct finding *r) {
  if (f->trunk->doctor.number[0] && !f->trunk->doctor.unknown[0]) {
    finding_set(r, FINDING_SKIPPED, "Set trunks[].doctor.unknown to a number that nobody has.",
                "no such number is set");
    return false;
  }
  return call_is_placed(f, CALL_UNKNOWN, r);
}

void judge_number_unknown(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = &f->calls[CALL_UNKNOWN];
  if (!has_unknown(f, r))
    return;
  bool is_word = c->invite.status == 404 || c->invite.status == 410 || c->invite.status == 484 ||
                 c->invite.status == 604;
  if (said_ok(&c->invite))
    FAIL(r, "An announcement costs money: ask for 404 in its place.", "it is answered, with 200");
  else if (c->invite.is_own || !c->invite.is_over)
    FAIL(r, "Callers wait for nothing: ask the peer for 404.", "no answer");
  else if (is_word || c->q850 == 1)
    PASS(r, c->q850 ? "%d, Q.850 cause %d" : "%d", c->invite.status, c->q850);
  else
    PASS_BUT(r, "404 (or Q.850 cause 1) would tell callers that the number is wrong.", "%d",
             c->invite.status);
}

/* Causes that a number has which is nobody's: unallocated, no route, wrong prefix, changed, wrong form.
 */
static bool is_wrong_number(int cause) {
  return cause == 1 || cause == 2 || cause == 3 || cause == 5 || cause == 22 || cause == 28;
}

void judge_reason(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = &f->calls[CALL_UNKNOWN];
  if (!has_unknown(f, r))
    return;
  if (said_ok(&c->invite) || c->invite.is_own || !c->invite.is_over)
    SKIP(r, "it was not refused");
  else if (!c->q850)
    ABSENT(r, "", "%d without a Q.850 cause", c->invite.status);
  else if (is_wrong_number(c->q850) || c->invite.status != 404)
    PASS(r, "%d, cause %d (%s)", c->invite.status, c->q850, q850_text(c->q850));
  else
    FAIL(r, "Who counts by cause and who counts by status come to other figures: ask the peer.",
         "404, but cause %d (%s)", c->q850, q850_text(c->q850));
}

void judge_busy(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = &f->calls[CALL_BUSY];
  if (f->trunk->doctor.number[0] && !f->trunk->doctor.busy[0]) {
    finding_set(r, FINDING_SKIPPED, "Set trunks[].doctor.busy to a number that is always busy.",
                "no such number is set");
    return;
  }
  if (!call_is_placed(f, CALL_BUSY, r))
    return;
  bool is_said = c->invite.status == 486 || c->invite.status == 600 || c->q850 == 17;
  if (c->invite.is_own || !c->invite.is_over || said_ok(&c->invite))
    FAIL(r, "Ask the peer for 486.", said_ok(&c->invite) ? "it is answered" : "no answer");
  else if (!is_said)
    FAIL(r, "Callers hear another tone than busy, and are not called back: ask the peer for 486.",
         "%d, cause %d", c->invite.status, c->q850);
  else if (conf_trunk_fails_over(f->trunk, c->invite.status))
    FAIL(r, "Take that status out of trunks[].failover_codes: each busy number tries every trunk.",
         "%d, on which another trunk is tried", c->invite.status);
  else
    PASS(r, c->q850 ? "%d, cause %d" : "%d", c->invite.status, c->q850);
}

void judge_failover(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = &f->calls[CALL_UNKNOWN];
  if (!has_unknown(f, r))
    return;
  if (said_ok(&c->invite) || c->invite.is_own || !c->invite.is_over)
    SKIP(r, "it was not refused");
  else if (conf_trunk_fails_over(f->trunk, c->invite.status))
    FAIL(r, "Take that status out of trunks[].failover_codes: each wrong number tries every trunk.",
         "a wrong number gets %d, on which another trunk is tried", c->invite.status);
  else
    PASS(r, "%d ends the call", c->invite.status);
}
