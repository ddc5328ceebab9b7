/* SPDX-License-Identifier: Apache-2.0
 * Judgements on offers within the call: forms of hold, each resumed; versions of descriptions. Pure. */
#include "doctor/judge.h"

#include <stdio.h>

static const struct call_facts *base_of(const struct doctor_facts *f) { return &f->calls[CALL_BASE]; }

static const char *direction_word(uint8_t d) {
  static const char *const words[] = {"inactive", "sendonly", "recvonly", "sendrecv"};
  return words[d & 3];
}

#define HOLD_ADVICE "Set trunks[].hold to a form that it takes; else callers on hold lose the call."

static bool may_refuse(const struct said *s) {
  return s->status == 488 || s->status == 415 || s->status == 606;
}

/* What an answer may say to an offer of that form (RFC 3264 6.1). */
static bool is_turned(enum form form, uint8_t direction) {
  if (form == FORM_SENDONLY)
    return direction == DIR_RECV || direction == DIR_INACTIVE;
  if (form == FORM_RECVONLY)
    return direction == DIR_SEND || direction == DIR_INACTIVE;
  return form != FORM_INACTIVE || direction == DIR_INACTIVE;
}

enum form_fault { FORM_WELL, FORM_REFUSED, FORM_SILENT, FORM_BARE, FORM_TURNED, FORM_STUCK, FORM_MUTE };

static enum form_fault form_fault(const struct call_facts *c, enum form form) {
  const struct form_facts *h = &c->forms[form];
  if (!h->said.is_asked)
    return FORM_WELL;
  if (h->said.is_own || !h->said.is_over)
    return FORM_SILENT;
  if (!said_ok(&h->said))
    return FORM_REFUSED;
  if (!h->has_desc)
    return FORM_BARE;
  if (h->has_answer && !is_turned(form, h->direction))
    return FORM_TURNED;
  if (h->resume.is_asked && !said_ok(&h->resume))
    return FORM_STUCK;
  return c->talk.rx.packets && h->resume.is_over && !h->packets_resumed ? FORM_MUTE : FORM_WELL;
}

/* Nothing came after the form before it either. */
static bool is_mute_before(const struct call_facts *c, enum form form) {
  return form > 0 && form_fault(c, (enum form)(form - 1)) == FORM_MUTE;
}

static void form_fail(const struct form_facts *h, enum form form, enum form_fault fault,
                      struct finding *r) {
  static const char *const offered[FORM_COUNT_] = {
      [FORM_SENDONLY] = "sendonly", [FORM_INACTIVE] = "inactive", [FORM_RECVONLY] = "recvonly"};
  if (fault == FORM_BARE)
    FAIL(r, "An offer in a re-INVITE must be answered in its 200.",
         "taken with %d, without a description", h->said.status);
  else if (fault == FORM_TURNED)
    FAIL(r, "It has to answer sendonly by recvonly, recvonly by sendonly, and each by inactive at will.",
         "%s is answered by %s", offered[form], direction_word(h->direction));
  else if (fault == FORM_STUCK)
    FAIL(r, HOLD_ADVICE, "taken with %d, but resuming was answered %d", h->said.status,
         h->resume.status);
  else if (h->resumed != DIR_SENDRECV && h->resumed != DIR_SEND)
    FAIL(r, HOLD_ADVICE, "taken (%s), but its answer to the resume says %s: no sound came after it",
         direction_word(h->direction), direction_word(h->resumed));
  else
    FAIL(r, HOLD_ADVICE, "taken (%s), but no sound came after it was resumed",
         direction_word(h->direction));
}

/* may_be_absent: nobody has to serve that form any more; what all forms suffer from is told of those
 * that all have to serve. */
static void form_judge(const struct doctor_facts *f, enum form form, bool may_be_absent,
                       struct finding *r) {
  const struct call_facts *c = base_of(f);
  const struct form_facts *h = &c->forms[form];
  bool wants_silence = form == FORM_SENDONLY || form == FORM_INACTIVE;
  enum form_fault fault = form_fault(c, form);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (may_be_absent && fault == FORM_REFUSED && may_refuse(&h->said))
    ABSENT(r, "", "refused with %d", h->said.status);
  else if (fault != FORM_WELL && !c->has_tag)
    SKIP(r, "without a tag nothing within the call is known as such: see to_tag");
  else if (fault == FORM_MUTE && sound_has_stopped(c))
    SKIP(r, "taken, and resumed; no sound came before it either: see rtp_in");
  else if (fault == FORM_MUTE && is_mute_before(c, form))
    SKIP(r, "taken, and resumed; no sound came since an earlier hold: see there");
  else if (may_be_absent && fault != FORM_WELL && fault == form_fault(c, FORM_SENDONLY))
    SKIP(r, "as with sendonly: see there");
  else if (!h->said.is_asked || fault == FORM_REFUSED || fault == FORM_SILENT)
    said_judge(f, &h->said, "re-INVITE", HOLD_ADVICE, r);
  else if (fault != FORM_WELL)
    form_fail(h, form, fault, r);
  else if (wants_silence && h->packets_held * 40 > h->heard_ms)
    PASS_BUT(r, "", "taken (%s); it sends on all the same", direction_word(h->direction));
  else
    PASS(r, "taken: %s; resumed", h->has_answer ? direction_word(h->direction) : "the stream is off");
}

void judge_hold_sendonly(const struct doctor_facts *f, struct finding *r) {
  form_judge(f, FORM_SENDONLY, false, r);
}
void judge_hold_inactive(const struct doctor_facts *f, struct finding *r) {
  form_judge(f, FORM_INACTIVE, false, r);
}
void judge_hold_recvonly(const struct doctor_facts *f, struct finding *r) {
  form_judge(f, FORM_RECVONLY, true, r);
}
void judge_hold_zero(const struct doctor_facts *f, struct finding *r) {
  form_judge(f, FORM_ZERO, true, r);
}
void judge_hold_port0(const struct doctor_facts *f, struct finding *r) {
  form_judge(f, FORM_PORT0, true, r);
}

void judge_late_reinvite(const struct doctor_facts *f, struct finding *r) {
  const struct form_facts *h = &base_of(f)->forms[FORM_LATE];
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (h->said.is_over && !h->said.is_own && h->said.status >= 400 && h->said.status < 500)
    ABSENT(r, "", "refused with %d", h->said.status);
  else if (said_ok(&h->said) && !h->has_answer)
    FAIL(r, "Its 200 must offer; ours never go without a description, so calls do not suffer.",
         "no description in the 200");
  else
    said_judge(f, &h->said, "re-INVITE", "Ours never go without a description, so calls do not suffer.",
               r);
}

void judge_sdp_version(const struct doctor_facts *f, struct finding *r) {
  const struct call_facts *c = base_of(f);
  if (!call_is_there(f, CALL_BASE, r))
    return;
  if (c->n_descs < 2)
    SKIP(r, "it described itself once only");
  else if (c->n_strange)
    FAIL(r,
         "The number after the name in o= stays the same in a call: others take it for another session.",
         "%u of %u descriptions have another session's id in o=", c->n_strange, c->n_descs);
  else if (c->n_stale)
    FAIL(r, "It has to raise the version in o= with each change: who looks at it misses the change.",
         "%u of %u descriptions differ from the one before, and their version is no higher", c->n_stale,
         c->n_descs);
  else
    PASS(r, "%u descriptions, the last of version %llu", c->n_descs,
         (unsigned long long)c->told.version);
}
