/* SPDX-License-Identifier: Apache-2.0
 * What the end of an attempt means for the walk over a plan: its outcome, and whether the next trunk of
 * a list may be tried for it. A person's no, and a number that does not exist, are final. Pure. */
#include "call/hunt.h"

static const struct {
  int sip;
  enum route_outcome outcome;
} by_sip[] = {
    {404, OUTCOME_NOT_FOUND},   {408, OUTCOME_NO_ANSWER},   {410, OUTCOME_NOT_FOUND},
    {433, OUTCOME_DECLINED},    {480, OUTCOME_NO_ANSWER},   {484, OUTCOME_NOT_FOUND},
    {486, OUTCOME_BUSY},        {500, OUTCOME_UNREACHABLE}, {502, OUTCOME_UNREACHABLE},
    {503, OUTCOME_UNREACHABLE}, {504, OUTCOME_UNREACHABLE}, {600, OUTCOME_BUSY},
    {603, OUTCOME_DECLINED},    {604, OUTCOME_NOT_FOUND},   {607, OUTCOME_DECLINED},
    {608, OUTCOME_DECLINED},
};

static const enum route_outcome by_reason[END_COUNT_] = {
    [END_BUSY] = OUTCOME_BUSY,
    [END_DECLINED] = OUTCOME_DECLINED,
    [END_NO_ANSWER] = OUTCOME_NO_ANSWER,
    [END_TIMEOUT] = OUTCOME_UNREACHABLE,
    [END_UNREACHABLE] = OUTCOME_UNREACHABLE,
    [END_TRUNK_FAILURE] = OUTCOME_UNREACHABLE,
    [END_CONGESTION] = OUTCOME_UNREACHABLE,
    [END_NOT_FOUND] = OUTCOME_NOT_FOUND,
};

enum route_outcome outcome_of(const struct cause *why) {
  enum route_outcome o = why->reason < END_COUNT_ ? by_reason[why->reason] : 0;
  bool is_named = why->reason == END_BUSY || why->reason == END_NO_ANSWER;
  for (size_t i = 0; i < COUNT_OF(by_sip) && why->by == BY_CALLEE && !is_named; i++)
    if (by_sip[i].sip == why->sip)
      o = by_sip[i].outcome;
  if (why->sip == 480 && why->q850 == 20) /* subscriber absent */
    o = OUTCOME_UNREACHABLE;
  return o ? o : OUTCOME_FAILED;
}

/* Nobody there said a word: refused, broken, silent. */
static bool is_ours(const struct cause *why) {
  return why->by == BY_GATEWAY && (why->reason == END_TIMEOUT || why->reason == END_TRUNK_FAILURE ||
                                   why->reason == END_CONGESTION || why->reason == END_NO_ANSWER);
}

bool outcome_fails_over(const struct conf_trunk *t, const struct cause *why, bool had_progress) {
  static const int finals[] = {404, 486, 600, 603};
  if (had_progress)
    return false;
  if (is_ours(why))
    return true;
  for (size_t i = 0; i < COUNT_OF(finals); i++)
    if (why->sip == finals[i])
      return false;
  return why->by == BY_CALLEE && t && conf_trunk_fails_over(t, why->sip);
}

uint16_t outcome_status(enum route_outcome o) {
  return o == OUTCOME_BUSY          ? 486
         : o == OUTCOME_NO_ANSWER   ? 408
         : o == OUTCOME_UNREACHABLE ? 503
         : o == OUTCOME_DECLINED    ? 480
         : o == OUTCOME_NOT_FOUND   ? 404
                                    : 302;
}

/* Of several who were rung at once the most certain word counts. */
static int certainty(const struct cause *c) {
  static const enum route_outcome order[] = {OUTCOME_UNREACHABLE, OUTCOME_FAILED,   OUTCOME_NOT_FOUND,
                                             OUTCOME_NO_ANSWER,   OUTCOME_DECLINED, OUTCOME_BUSY};
  enum route_outcome o = outcome_of(c);
  for (size_t i = 0; i < COUNT_OF(order); i++)
    if (order[i] == o)
      return (int)i;
  return 0;
}

struct cause outcome_worse(const struct cause *a, const struct cause *b) {
  return certainty(a) > certainty(b) ? *a : *b;
}
