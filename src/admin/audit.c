/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/audit and /audit/verify, and how the desk writes a change down. Web threads. */
#include "admin/desk.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

SHAPE(audit_row, {"seq", SHAPE_INT, SHAPE_MUST}, {"at", SHAPE_TIME, SHAPE_MUST},
      {"who", SHAPE_TEXT, SHAPE_MUST}, {"role", SHAPE_TEXT, SHAPE_MUST},
      {"from", SHAPE_TEXT, SHAPE_MUST}, {"verb", SHAPE_TEXT, SHAPE_MUST},
      {"what", SHAPE_TEXT, SHAPE_MUST}, {"status", SHAPE_INT, SHAPE_MUST},
      {"before", SHAPE_ANY, SHAPE_MUST}, {"after", SHAPE_ANY, SHAPE_MUST},
      {"hash", SHAPE_TEXT, SHAPE_MUST});
SHAPE(audit, {"audit", SHAPE_LIST, SHAPE_MUST, .inner = &shape_audit_row},
      {"cursor", SHAPE_TEXT, SHAPE_MUST | SHAPE_NULL});
SHAPE(audit_verify, {"ok", SHAPE_BOOL, SHAPE_MUST}, {"rows", SHAPE_INT, SHAPE_MUST},
      {"broken_at", SHAPE_INT, SHAPE_MUST | SHAPE_NULL});

int audit_note(struct admin *a, const struct verb *v, const struct web_asker *who, const char *from,
               const char *what, const char *before, const char *after, unsigned status) {
  char by[STAFF_NAME_BYTES + 16];
  bool is_cert = who->by == BY_CERTIFICATE;
  snprintf(by, sizeof by, "%s%s", is_cert ? "certificate:" : "", who->name[0] ? who->name : "nobody");
  struct audit_row row = {.at_ms = clock_wall_ms(),
                          .who = by,
                          .role = role_text((enum role)who->role),
                          .from = from,
                          .verb = v->id,
                          .what = what,
                          .before = before ? before : "",
                          .after = after ? after : "",
                          .status = status};
  int r = audit_add(a->ledger, &row);
  if (r < 0)
    log_error(admin, "the audit cannot be written: %s of %s", v->id, row.who);
  return r;
}

static json_t *stored_json(const char *text) {
  json_t *j = text[0] ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
  return j ? j : json_null();
}

static json_t *row_json(const struct audit_row *r) {
  char at[CLOCK_TEXT_BYTES], hash[65];
  for (unsigned i = 0; i < 32; i++)
    snprintf(hash + 2 * i, 3, "%02x", r->hash[i]);
  return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:s}", "seq", (json_int_t)r->seq,
                   "at", clock_text(r->at_ms, at), "who", r->who, "role", r->role, "from", r->from,
                   "verb", r->verb, "what", r->what, "status", (int)r->status, "before",
                   stored_json(r->before), "after", stored_json(r->after), "hash", hash);
}

static bool query_number(const struct desk_ask *ask, const char *name, uint64_t max, uint64_t *ret,
                         struct web_answer *answer) {
  char text[24];
  int r = web_query(ask->web, name, text, sizeof text);
  if (r == -ENOENT || (r == 0 && slice_u64(slice_of(text), max, ret) == 0 && *ret))
    return true;
  desk_wrong_query(answer, name, "not a number of the right size");
  return false;
}

void verb_audit(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  uint64_t limit = 100, before = 0;
  struct audit_row *rows = NULL;
  size_t n = 0;
  char cursor[24] = "";
  if (!query_number(ask, "limit", 500, &limit, ret) ||
      !query_number(ask, "cursor", INT64_MAX, &before, ret))
    return;
  if (audit_list(a->ledger, before, (unsigned)limit, &rows, &n) < 0) {
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
    return;
  }
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++)
    json_array_append_new(list, row_json(&rows[i]));
  if (n == limit && rows[n - 1].seq > 1)
    snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)rows[n - 1].seq);
  audit_rows_free(rows, n);
  desk_json(ret, 200, json_pack("{s:o, s:s?}", "audit", list, "cursor", cursor[0] ? cursor : NULL));
  desk_next(ask, cursor, ret);
}

void verb_audit_verify(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  uint64_t rows = 0, broken_at = 0;
  (void)ask;
  if (audit_verify(a->ledger, &rows, &broken_at) < 0)
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
  else
    desk_json(ret, 200,
              json_pack("{s:b, s:I, s:o}", "ok", !broken_at, "rows", (json_int_t)rows, "broken_at",
                        broken_at ? json_integer((json_int_t)broken_at) : json_null()));
}
