/* SPDX-License-Identifier: Apache-2.0
 * What is asked of records: see recquery.h. Pure. */
#include "admin/recquery.h"

static bool query_state(const struct web_ask *ask, struct reader_query *q, struct web_answer *ret) {
  char text[16];
  int r = web_query(ask, "state", text, sizeof(text));
  q->has_state = r == 0;
  if (r == -ENOENT || (r == 0 && record_state_find(slice_of(text), &q->state)))
    return true;
  desk_wrong_query(ret, "state", "live, ended or refused");
  return false;
}

static bool query_limit(const struct web_ask *ask, struct reader_query *q, struct web_answer *ret) {
  char text[24];
  uint64_t n = 0;
  int r = web_query(ask, "limit", text, sizeof(text));
  if (r == 0 && (slice_u64(slice_of(text), READER_LIMIT_MAX, &n) < 0 || !n))
    r = -EINVAL;
  q->limit = (unsigned)n;
  if (r == 0 || r == -ENOENT)
    return true;
  desk_wrong_query(ret, "limit", "1 to 500");
  return false;
}

/* "3.5"; times 100 */
static bool query_mos(const struct web_ask *ask, const char *name, uint16_t *ret_x100,
                      struct web_answer *ret) {
  char text[64], *end;
  int r = web_query(ask, name, text, sizeof(text));
  if (r == -ENOENT)
    return true;
  double v = r == 0 ? strtod(text, &end) : 0;
  *ret_x100 = (uint16_t)(v >= 1 && v <= 5 ? v * 100 + 0.5 : 0);
  if (*ret_x100 && !*end)
    return true;
  desk_wrong_query(ret, name, "1 to 5");
  return false;
}

bool records_query_read(const struct web_ask *ask, struct reader_query *q, struct web_answer *ret) {
  return desk_query_time(ask, "since", &q->since_ms, ret) &&
         desk_query_time(ask, "until", &q->until_ms, ret) && query_state(ask, q, ret) &&
         query_limit(ask, q, ret) && desk_query_text(ask, "reason", q->reason, sizeof(q->reason), ret) &&
         desk_query_text(ask, "number", q->number, sizeof(q->number), ret) &&
         desk_query_text(ask, "user", q->user, sizeof(q->user), ret) &&
         desk_query_text(ask, "trunk", q->trunk, sizeof(q->trunk), ret) &&
         desk_query_text(ask, "tenant", q->tenant, sizeof(q->tenant), ret) &&
         desk_query_text(ask, "rule", q->rule, sizeof(q->rule), ret) &&
         desk_query_text(ask, "cause", q->cause, sizeof(q->cause), ret) &&
         desk_query_text(ask, "q", q->q, sizeof(q->q), ret) &&
         query_mos(ask, "min_mos", &q->min_mos_x100, ret) &&
         query_mos(ask, "max_mos", &q->max_mos_x100, ret) &&
         desk_query_text(ask, "cursor", q->cursor, sizeof(q->cursor), ret);
}

#define RECORDS_QUERY \
  {"since", SHAPE_TIME, 0, .help = "Not earlier than this"}, \
      {"until", SHAPE_TIME, 0, .help = "Earlier than this"}, \
      {"state", SHAPE_TEXT, 0, .choices = "live|ended|refused"}, \
      {"reason", SHAPE_TEXT, SHAPE_ASCII, 1, 31}, \
      {"number", SHAPE_TEXT, 0, 1, 64, .help = "Of either side, exactly"}, \
      {"user", SHAPE_TEXT, 0, 1, 64}, \
      {"trunk", SHAPE_TEXT, 0, 1, 64, .help = "Of a leg or an attempt"}, \
      {"tenant", SHAPE_TEXT, 0, 1, 64}, \
      {"rule", SHAPE_TEXT, SHAPE_ASCII, 1, 39, .help = "The refusal's rule"}, \
      {"cause",     SHAPE_TEXT, \
       SHAPE_ASCII, 1, \
       31,          .help = "Why it failed or sounded bad, as the record has it; any: those that did"}, \
      {"q", SHAPE_TEXT, 0, 1, 128, .help = "How a number, a user, a Call-ID or a Session-ID begins"}, \
      {"min_mos", SHAPE_NUMBER, 0, 1, 5, .help = "The worse leg's score, at least"}, { \
    "max_mos", SHAPE_NUMBER, 0, 1, 5, .help = "The worse leg's score, at most" \
  }

SHAPE(records_query, RECORDS_QUERY, {"limit", SHAPE_INT, 0, 1, READER_LIMIT_MAX},
      {"cursor", SHAPE_TEXT, 0, 1, READER_CURSOR_BYTES - 1});
SHAPE(records_export, RECORDS_QUERY, {"format", SHAPE_TEXT, 0, .choices = "csv|jsonl"},
      {"rows", SHAPE_TEXT, 0, .choices = "calls|legs|attempts", .help = "What a line is; calls"});
