/* SPDX-License-Identifier: Apache-2.0
 * Why calls end: the table of reasons, and how SIP statuses and refusals map to it. */
#include "call/inner.h"

#include <stdio.h>

static const struct {
  const char *word;
  int sip, q850;
} rows[END_COUNT_] = {
#define REASON(id, word, sip, q850) [END_##id] = {word, sip, q850},
#include "call/reason.def"
#undef REASON
};

const char *end_reason_word(enum end_reason r) { return r < END_COUNT_ ? rows[r].word : "completed"; }
int end_reason_sip(enum end_reason r) { return r < END_COUNT_ ? rows[r].sip : 500; }
int end_reason_q850(enum end_reason r) { return r < END_COUNT_ ? rows[r].q850 : 16; }

/* A final status of a carrier. The named ones first, then its class. */
static const struct {
  int sip;
  enum end_reason reason;
} by_sip[] = {
    {401, END_UNAUTHORIZED}, {403, END_FORBIDDEN},     {404, END_NOT_FOUND},   {407, END_UNAUTHORIZED},
    {408, END_TIMEOUT},      {410, END_NOT_FOUND},     {480, END_UNREACHABLE}, {484, END_NOT_FOUND},
    {485, END_NOT_FOUND},    {486, END_BUSY},          {487, END_CANCELED},    {488, END_MEDIA_FAILURE},
    {503, END_CONGESTION},   {504, END_TIMEOUT},       {600, END_BUSY},        {603, END_DECLINED},
    {604, END_NOT_FOUND},    {606, END_MEDIA_FAILURE}, {607, END_DECLINED},    {608, END_REJECTED},
};

/* A cause of Q.850 says more than a status that stands for many things (Q.1912.5). */
static const struct {
  int q850;
  enum end_reason reason;
} by_q850[] = {
    {1, END_NOT_FOUND},       {2, END_NOT_FOUND},      {3, END_NOT_FOUND},      {5, END_NOT_FOUND},
    {8, END_CONGESTION},      {9, END_CONGESTION},     {17, END_BUSY},          {18, END_NO_ANSWER},
    {19, END_NO_ANSWER},      {20, END_UNREACHABLE},   {21, END_DECLINED},      {22, END_NOT_FOUND},
    {24, END_REJECTED},       {25, END_TRUNK_FAILURE}, {27, END_UNREACHABLE},   {28, END_NOT_FOUND},
    {29, END_REJECTED},       {34, END_CONGESTION},    {38, END_TRUNK_FAILURE}, {39, END_TRUNK_FAILURE},
    {41, END_CONGESTION},     {42, END_CONGESTION},    {43, END_CONGESTION},    {44, END_CONGESTION},
    {46, END_CONGESTION},     {47, END_CONGESTION},    {49, END_CONGESTION},    {50, END_FORBIDDEN},
    {53, END_FORBIDDEN},      {55, END_FORBIDDEN},     {57, END_FORBIDDEN},     {58, END_CONGESTION},
    {65, END_MEDIA_FAILURE},  {70, END_MEDIA_FAILURE}, {87, END_FORBIDDEN},     {88, END_MEDIA_FAILURE},
    {90, END_FORBIDDEN},      {91, END_NOT_FOUND},     {102, END_TIMEOUT},      {111, END_TRUNK_FAILURE},
    {127, END_TRUNK_FAILURE},
};

/* END_COMPLETED: that cause says nothing of its own. */
static enum end_reason reason_of_q850(int q850) {
  for (size_t i = 0; i < COUNT_OF(by_q850); i++)
    if (by_q850[i].q850 == q850)
      return by_q850[i].reason;
  return END_COMPLETED;
}

/* Statuses that a gateway uses for whatever its network said. */
static bool is_vague(int status) {
  return status == 480 || status == 500 || status == 502 || status == 503;
}

static enum end_reason reason_of_sip(int status, int q850) {
  if (is_vague(status) && reason_of_q850(q850) != END_COMPLETED)
    return reason_of_q850(q850);
  for (size_t i = 0; i < COUNT_OF(by_sip); i++)
    if (by_sip[i].sip == status)
      return by_sip[i].reason;
  if (status < 300)
    return END_COMPLETED;
  return status >= 500 && status < 600 ? END_TRUNK_FAILURE : END_REJECTED;
}

struct cause cause_of_sip(int status, int q850, enum end_by by) {
  struct cause c = {.reason = reason_of_sip(status, q850), .by = by, .sip = status, .q850 = q850};
  return c;
}

/* A talk that ends with a cause of the network's own did not end because somebody hung up. */
struct cause cause_of_bye(int status, int q850, enum end_by by) {
  struct cause c = {.reason = END_COMPLETED, .by = by, .q850 = q850};
  enum end_reason told = reason_of_q850(q850);
  if (told == END_TRUNK_FAILURE || told == END_CONGESTION || told == END_TIMEOUT ||
      told == END_MEDIA_FAILURE)
    c.reason = told;
  else if (!q850 && status >= 500 && status < 600)
    c.reason = status == 504 ? END_TIMEOUT : END_TRUNK_FAILURE;
  return c;
}

/* RFC 3326, 3.1: who cancels with 200 has been answered elsewhere. */
struct cause cause_of_cancel(int status, int q850) {
  struct cause c = {.reason = END_CANCELED, .by = BY_CALLER, .sip = 487, .q850 = q850};
  if (status == 200 || q850 == 26)
    c.reason = END_ANSWERED_ELSEWHERE;
  return c;
}

static enum end_reason reason_of_refusal(enum refusal r) {
  static const enum end_reason other[REFUSE_COUNT_] = {
      [REFUSE_NO_ROUTE] = END_NOT_FOUND,
      [REFUSE_NO_USER] = END_NOT_FOUND,
      [REFUSE_NOT_DIALABLE] = END_NOT_FOUND,
      [REFUSE_UNREACHABLE] = END_UNREACHABLE,
      [REFUSE_TRUNK_DISABLED] = END_TRUNK_FAILURE,
      [REFUSE_TRUNK_DOWN] = END_TRUNK_FAILURE,
      [REFUSE_TRUNK_CALLS] = END_CONGESTION,
      [REFUSE_TRUNK_RATE] = END_CONGESTION,
      [REFUSE_NODE_CALLS] = END_CONGESTION,
      [REFUSE_DRAIN] = END_CONGESTION,
      [REFUSE_NO_MEDIA] = END_CONGESTION,
      [REFUSE_CALLS_IDENTITY] = END_CONGESTION,
      [REFUSE_INTERNAL] = END_CONGESTION,
      [REFUSE_CALLER_ID] = END_FORBIDDEN,
      [REFUSE_SCOPE] = END_FORBIDDEN,
      [REFUSE_SRTP] = END_MEDIA_FAILURE,
      [REFUSE_SDP] = END_MEDIA_FAILURE,
      [REFUSE_SDP_FORM] = END_MEDIA_FAILURE,
      [REFUSE_CODEC] = END_MEDIA_FAILURE,
      [REFUSE_NO_AUDIO] = END_MEDIA_FAILURE,
      [REFUSE_FAX] = END_MEDIA_FAILURE,
  };
  if (strncmp(refusal_row(r)->code, "policy:", 7) == 0)
    return END_POLICY;
  return other[r] != END_COMPLETED ? other[r] : END_REJECTED;
}

static enum why_fault fault_of_refusal(const struct verdict *v) {
  bool is_down = v->refusal == REFUSE_TRUNK_DOWN || v->refusal == REFUSE_TRUNK_DISABLED;
  if (is_down && strstr(v->detail, "registered")) /* our own words: trunk/outbound, trunk/regist */
    return WHY_FAULT_UNREGISTERED;
  return v->refusal == REFUSE_UNREACHABLE ? WHY_FAULT_OFFLINE : WHY_FAULT_NONE;
}

struct cause cause_of_verdict(const struct verdict *v) {
  const struct refusal_row *row = refusal_row(v->refusal);
  struct cause c = {.reason = reason_of_refusal(v->refusal),
                    .by = BY_GATEWAY,
                    .sip = verdict_sip(v),
                    .q850 = verdict_q850(v)};
  bool is_policy = c.reason == END_POLICY;
  c.fault = fault_of_refusal(v);
  snprintf(c.detail, sizeof(c.detail), "%s", is_policy || !v->detail[0] ? row->rule : v->detail);
  if (is_policy)
    snprintf(c.sentence, sizeof(c.sentence), "%s", v->detail);
  return c;
}

struct cause cause_of_answer(const struct verdict *v) {
  struct cause c = cause_of_verdict(v);
  if (c.fault == WHY_FAULT_NONE)
    c.fault = WHY_FAULT_ANSWER;
  return c;
}

struct cause cause_make(enum end_reason r, enum end_by by, const char *detail) {
  struct cause c = {.reason = r, .by = by, .sip = end_reason_sip(r), .q850 = end_reason_q850(r)};
  snprintf(c.detail, sizeof(c.detail), "%s", detail);
  return c;
}

struct cause cause_fault(enum end_reason r, enum why_fault fault, const char *detail) {
  struct cause c = cause_make(r, BY_GATEWAY, detail);
  c.fault = fault;
  return c;
}
