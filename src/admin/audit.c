/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/audit, its export and /audit/verify, and how the desk writes a change down. Web threads.
 */
#include "admin/paged.h"

#include "base/clock.h"
#include "base/log.h"

SHAPE(audit_row, {"seq", SHAPE_INT, SHAPE_MUST}, {"at", SHAPE_TIME, SHAPE_MUST},
      {"who", SHAPE_TEXT, SHAPE_MUST}, {"role", SHAPE_TEXT, SHAPE_MUST},
      {"from", SHAPE_TEXT, SHAPE_MUST}, {"verb", SHAPE_TEXT, SHAPE_MUST},
      {"what", SHAPE_TEXT, SHAPE_MUST}, {"status", SHAPE_INT, SHAPE_MUST},
      {"before", SHAPE_ANY, SHAPE_MUST}, {"after", SHAPE_ANY, SHAPE_MUST},
      {"hash", SHAPE_TEXT, SHAPE_MUST});
SHAPE(audit, {"audit", SHAPE_LIST, SHAPE_MUST, .inner = &shape_audit_row},
      {"cursor", SHAPE_TEXT, SHAPE_MUST | SHAPE_NULL});
SHAPE(audit_verify, {"ok", SHAPE_BOOL, SHAPE_MUST}, {"rows", SHAPE_INT, SHAPE_MUST},
      {"first", SHAPE_INT, SHAPE_MUST, .help = "The oldest row that is kept"},
      {"broken_at", SHAPE_INT, SHAPE_MUST | SHAPE_NULL},
      {"reason", SHAPE_TEXT, SHAPE_MUST | SHAPE_NULL, .choices = "row|head not ours|not vouched for"});
#define FILTERS \
  {"who", SHAPE_TEXT, 0, 1, 159}, {"verb", SHAPE_TEXT, 0, 1, 159}, \
      {"what", SHAPE_TEXT, 0, 1, 159, .help = "Contained in the row's"}, {"since", SHAPE_TIME}, { \
    "until", SHAPE_TIME, .help = "Before it" \
  }
SHAPE(audit_query, {"limit", SHAPE_INT, 0, 1, 500},
      {"cursor", SHAPE_TEXT, 0, 1, 24, .help = "Of the page before"}, FILTERS);
SHAPE(audit_export, FILTERS);

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

/* Until it can be written again no operator changes anything. */
bool audit_alarm(struct admin *a, struct admin_alarm *ret) {
  if (ledger_is_well(a->ledger))
    return false;
  memset(ret, 0, sizeof(*ret));
  ret->severity = "critical";
  slice_copy(ret->kind, sizeof(ret->kind), SLICE("audit_failing"));
  slice_copy(ret->what, sizeof(ret->what), SLICE("audit"));
  slice_copy(ret->text, sizeof(ret->text),
             SLICE("The audit cannot be written: until it can, operators change nothing"));
  return true;
}

void audit_denied(struct admin *a, const struct verb *v, const struct web_asker *who, const char *name,
                  const struct addr *from, unsigned status) {
  struct denied_row row = {.status = status};
  if (!name)
    name = who->name[0] ? who->name : "nobody";
  snprintf(row.verb, sizeof row.verb, "%s", v->id);
  snprintf(row.who, sizeof row.who, "%s%s", who->by == BY_CERTIFICATE ? "certificate:" : "", name);
  snprintf(row.role, sizeof row.role, "%s", role_text((enum role)who->role));
  snprintf(row.what, sizeof row.what, "%s", v->path);
  addr_ip_text(from, row.from, sizeof row.from);
  pthread_mutex_lock(&a->lock);
  denied_add(&a->denied, &row, clock_wall_ms());
  pthread_mutex_unlock(&a->lock);
}

static void denied_write(struct admin *a, const struct denied_row *d) {
  char first[CLOCK_TEXT_BYTES], last[CLOCK_TEXT_BYTES], after[160] = "";
  if (d->times > 1)
    snprintf(after, sizeof after, "{\"times\":%llu,\"first_at\":\"%s\",\"last_at\":\"%s\"}",
             (unsigned long long)d->times, clock_text(d->first_ms, first), clock_text(d->last_ms, last));
  struct audit_row row = {.at_ms = clock_wall_ms(),
                          .who = d->who,
                          .role = d->role,
                          .from = d->from,
                          .verb = d->verb,
                          .what = d->what,
                          .before = "",
                          .after = after,
                          .status = d->status};
  if (audit_add(a->ledger, &row) < 0)
    log_error(admin, "the audit cannot be written: a refusal of %s", d->verb);
}

void audit_denied_flush(struct admin *a) {
  struct denied_row row;
  for (unsigned i = 0; i < DENIED_MAX; i++) {
    pthread_mutex_lock(&a->lock);
    bool is_due = denied_next(&a->denied, clock_now_us(), &row);
    pthread_mutex_unlock(&a->lock);
    if (!is_due)
      return;
    denied_write(a, &row);
  }
}

/* One row tells of those that went. */
void audit_trim(struct admin *a) {
  uint64_t now_ms = clock_wall_ms(), n = 1, all = 0;
  uint64_t before_ms = now_ms > a->audit_keep_ms ? now_ms - a->audit_keep_ms : 0;
  char what[64];
  while (n && audit_prune(a->ledger, before_ms, a->audit_keep_rows, &n) == 0)
    all += n;
  if (!all)
    return;
  snprintf(what, sizeof what, "%llu rows", (unsigned long long)all);
  struct audit_row row = {.at_ms = now_ms,
                          .who = "sallyport",
                          .role = "",
                          .from = "",
                          .verb = "audit_trim",
                          .what = what,
                          .before = "",
                          .after = "",
                          .status = 200};
  if (audit_add(a->ledger, &row) < 0)
    log_error(admin, "the audit cannot be written: audit_trim");
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

enum { ASKED_BYTES = CHARS_BYTES(159) };

/* What is asked for, with room for its texts. */
struct asked_rows {
  struct audit_query q;
  char who[ASKED_BYTES], verb[ASKED_BYTES], what[ASKED_BYTES];
};

static bool asked_read(const struct desk_ask *ask, struct asked_rows *r, struct web_answer *answer) {
  memset(r, 0, sizeof *r);
  r->q.who = r->who;
  r->q.verb = r->verb;
  r->q.what = r->what;
  return desk_query_text(ask->web, "who", r->who, sizeof r->who, answer) &&
         desk_query_text(ask->web, "verb", r->verb, sizeof r->verb, answer) &&
         desk_query_text(ask->web, "what", r->what, sizeof r->what, answer) &&
         desk_query_time(ask->web, "since", &r->q.since_ms, answer) &&
         desk_query_time(ask->web, "until", &r->q.until_ms, answer);
}

void verb_audit(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  uint64_t limit = 100;
  struct asked_rows want;
  struct audit_row *rows = NULL;
  size_t n = 0;
  char cursor[24] = "";
  if (!asked_read(ask, &want, ret) || !query_number(ask, "limit", 500, &limit, ret) ||
      !query_number(ask, "cursor", INT64_MAX, &want.q.before_seq, ret))
    return;
  want.q.limit = (unsigned)limit;
  if (audit_list(a->ledger, &want.q, &rows, &n) < 0) {
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

/* The export: a page of rows at a time while it is sent. */
enum { EXPORT_ROWS = 100 };

struct export {
  struct paged paged; /* paged is first: paged.h. */
  struct ledger *ledger;
  struct asked_rows want;
};

static _Atomic unsigned exports;

static void export_free(void *arg) {
  struct export *e = arg;
  paged_done(&e->paged);
  free(e);
}

static int page_write(struct paged *p, FILE *f) {
  struct export *e = (struct export *)p;
  struct audit_row *rows = NULL;
  size_t n = 0;
  int r = audit_list(e->ledger, &e->want.q, &rows, &n);
  for (size_t i = 0; r == 0 && i < n; i++) {
    json_t *row = row_json(&rows[i]);
    (void)json_dumpf(row, f, JSON_COMPACT);
    fputc('\n', f);
    json_decref(row);
  }
  p->ended = r < 0 || n < EXPORT_ROWS || rows[n - 1].seq <= 1;
  if (!p->ended)
    e->want.q.before_seq = rows[n - 1].seq;
  audit_rows_free(rows, n);
  return r;
}

void verb_audit_export(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct export *e = paged_new(sizeof *e, page_write, &exports, ret);
  if (!e)
    return;
  e->ledger = a->ledger;
  if (!asked_read(ask, &e->want, ret)) {
    export_free(e);
    return;
  }
  e->want.q.limit = EXPORT_ROWS;
  ret->status = 200;
  ret->type = "application/jsonl";
  ret->extra[0] = (struct web_header){"Content-Disposition", "attachment; filename=\"audit.jsonl\""};
  ret->source = (struct web_source){paged_read, export_free, e};
}

void verb_audit_verify(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  static const char *const reasons[] = {
      [AUDIT_ROW] = "row", [AUDIT_HEAD] = "head not ours", [AUDIT_SINCE] = "not vouched for"};
  struct audit_found f;
  (void)ask;
  if (audit_verify(a->ledger, &f) < 0) {
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
    return;
  }
  json_t *at = f.fault ? json_integer((json_int_t)f.broken_at) : json_null();
  desk_json(ret, 200,
            json_pack("{s:b, s:I, s:I, s:o, s:s?}", "ok", !f.fault, "rows", (json_int_t)f.rows, "first",
                      (json_int_t)f.first, "broken_at", at, "reason",
                      f.fault ? reasons[f.fault] : NULL));
}
