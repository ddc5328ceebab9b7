/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/refusals: attempts that were refused, newest first, those of one rule, trunk and source
 * told as one. From the records, so that a restart forgets none. A page looks at so many of them at
 * most, and its cursor goes on behind those, whether one of them fitted or not. Web threads. */
#include "admin/desk.h"

#include "base/clock.h"

enum { LOOK_MAX = 1000, AT_ONCE = 500, ROWS_DEFAULT = 100, LEAST = 20 };

SHAPE(refusals_query, {"since", SHAPE_TIME, 0, .help = "Absent: the last day"},
      {"until", SHAPE_TIME, 0, .help = "Before it"},
      {"rule", SHAPE_TEXT, SHAPE_ASCII, 1, 39, .help = "As the rows have it"},
      {"trunk", SHAPE_TEXT, 0, 1, 64},
      {"source", SHAPE_TEXT, SHAPE_ASCII, 2, 64, .help = "An address, or a network: 192.0.2.0/24"},
      {"limit", SHAPE_INT, 0, 1, AT_ONCE, .help = "Rows of a page, at most; absent: 100"},
      {"cursor", SHAPE_TEXT, SHAPE_ASCII, 1, READER_CURSOR_BYTES - 1, .help = "Of the page before"});

/* What is asked for. */
struct wish {
  struct reader_query q;
  char rule[40];
  struct cidr source;
  bool has_source;
  unsigned limit;
};

/* What is the same in all that a row tells of. */
struct alike {
  char rule[40], reason[32], trunk[65];
  struct addr source;
};

/* A page while it is made. */
struct page {
  json_t *rows;
  struct alike *alike; /* alike of each row */
  unsigned told, looked;
  uint64_t oldest_ms; /* 0: nothing was looked at */
  char cursor[READER_CURSOR_BYTES];
};

static json_t *text_json(const char *text) {
  char safe[1200];
  json_t *j = text[0] ? json_string(text) : json_null();
  return j ? j : json_string(slice_escape(safe, sizeof safe, slice_of(text)));
}

static const char *rule_of(const struct record *r) { return r->rule[0] ? r->rule : r->reason; }

static json_t *row_json(const struct record *r) {
  char at[CLOCK_TEXT_BYTES];
  return json_pack("{s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:i}", "id", r->id, "at",
                   clock_text(r->started_ms, at), "rule", text_json(rule_of(r)), "status",
                   (int)r->sip_status, "trunk", text_json(r->caller.peer), "source",
                   text_json(r->caller.remote_addr), "from", text_json(r->from), "to", text_json(r->to),
                   "detail", text_json(r->detail), "count", (int)r->repeats + 1);
}

static struct alike alike_of(const struct record *r) {
  struct alike a = {0};
  slice_copy(a.rule, sizeof a.rule, slice_of(r->rule));
  slice_copy(a.reason, sizeof a.reason, slice_of(r->reason));
  slice_copy(a.trunk, sizeof a.trunk, slice_of(r->caller.peer));
  if (addr_parse_port(&a.source, slice_of(r->caller.remote_addr)) < 0)
    memset(&a.source, 0, sizeof a.source);
  return a;
}

/* Without the port: a scanner has many. */
static bool same(const struct alike *a, const struct alike *b) {
  return !strcmp(a->rule, b->rule) && !strcmp(a->reason, b->reason) && !strcmp(a->trunk, b->trunk) &&
         addr_eq_ip(&a->source, &b->source);
}

static bool fits(const struct wish *w, const struct record *r) {
  struct addr a;
  if (w->rule[0] && strcmp(w->rule, rule_of(r)) != 0)
    return false;
  return !w->has_source ||
         (addr_parse_port(&a, slice_of(r->caller.remote_addr)) == 0 && cidr_has(&w->source, &a));
}

static void row_add(struct page *p, const struct record *r) {
  const struct alike alike = alike_of(r);
  unsigned k = 0;
  while (k < p->told && !same(&p->alike[k], &alike))
    k++;
  if (k == p->told) {
    p->alike[p->told++] = alike;
    json_array_append_new(p->rows, row_json(r));
    return;
  }
  json_t *row = json_array_get(p->rows, k);
  json_int_t count = json_integer_value(json_object_get(row, "count"));
  json_object_set_new(row, "count", json_integer(count + 1 + r->repeats));
}

/* Never more than there is room for: each may be a row of its own. The lock is let go in between. */
static int part_read(struct admin *a, struct wish *w, struct page *p) {
  struct record *rows = NULL;
  size_t n = 0;
  unsigned room = w->limit - p->told, left = LOOK_MAX - p->looked;
  w->q.limit = room < left ? room : left;
  pthread_mutex_lock(&a->reading);
  int r = reader_list(a->reader, &w->q, &rows, &n, p->cursor);
  pthread_mutex_unlock(&a->reading);
  if (r < 0)
    return r;
  for (size_t i = 0; i < n; i++)
    if (fits(w, &rows[i]))
      row_add(p, &rows[i]);
  p->looked += (unsigned)n;
  if (n)
    p->oldest_ms = rows[n - 1].started_ms;
  memcpy(w->q.cursor, p->cursor, sizeof p->cursor);
  free(rows);
  return 0;
}

/* A page that is nearly full is given: the rest would be read row by row. */
static int page_read(struct admin *a, struct wish *w, struct page *p) {
  int r;
  unsigned least = w->limit / 2 < LEAST ? w->limit / 2 : LEAST;
  do
    r = part_read(a, w, p);
  while (r == 0 && p->cursor[0] && w->limit - p->told > least && p->looked < LOOK_MAX);
  return r;
}

static bool is_there(struct admin *a, const struct reader_query *q) {
  struct reader_query one = *q;
  struct record *rows = NULL;
  size_t n = 0;
  char cursor[READER_CURSOR_BYTES];
  one.limit = 1;
  one.cursor[0] = 0;
  pthread_mutex_lock(&a->reading);
  int r = reader_list(a->reader, &one, &rows, &n, cursor);
  pthread_mutex_unlock(&a->reading);
  free(r < 0 ? NULL : rows);
  return r < 0 || n;
}

/* A row's rule is the record's, or its reason where it has none: found by the one or the other, and
 * walked through where both have the word. */
static void rule_narrow(struct admin *a, struct wish *w) {
  struct reader_query by_rule = w->q, by_reason = w->q;
  if (!w->rule[0])
    return;
  slice_copy(by_rule.rule, sizeof by_rule.rule, slice_of(w->rule));
  bool has_reason = slice_copy(by_reason.reason, sizeof by_reason.reason, slice_of(w->rule)) == 0 &&
                    is_there(a, &by_reason);
  if (!has_reason)
    w->q = by_rule;
  else if (!is_there(a, &by_rule))
    w->q = by_reason;
}

static bool source_read(const struct desk_ask *ask, struct wish *w, struct web_answer *ret) {
  char text[65];
  if (!desk_query_text(ask->web, "source", text, sizeof text, ret))
    return false;
  w->has_source = text[0] != 0;
  if (!w->has_source || cidr_parse(&w->source, slice_of(text)) == 0)
    return true;
  desk_wrong_query(ret, "source", "not an address or a network");
  return false;
}

static bool limit_read(const struct desk_ask *ask, struct wish *w, struct web_answer *ret) {
  char text[24];
  uint64_t limit = ROWS_DEFAULT;
  int r = web_query(ask->web, "limit", text, sizeof text);
  if (r != -ENOENT && (r < 0 || slice_u64(slice_of(text), AT_ONCE, &limit) < 0 || !limit)) {
    desk_wrong_query(ret, "limit", "1 to 500");
    return false;
  }
  w->limit = (unsigned)limit;
  return true;
}

static bool wish_read(const struct desk_ask *ask, struct wish *w, struct web_answer *ret) {
  w->q = (struct reader_query){
      .has_state = true, .state = RECORD_REFUSED, .since_ms = clock_wall_ms() - 86400000u};
  return desk_query_time(ask->web, "since", &w->q.since_ms, ret) &&
         desk_query_time(ask->web, "until", &w->q.until_ms, ret) &&
         desk_query_text(ask->web, "rule", w->rule, sizeof w->rule, ret) &&
         desk_query_text(ask->web, "trunk", w->q.trunk, sizeof w->q.trunk, ret) &&
         source_read(ask, w, ret) && limit_read(ask, w, ret) &&
         desk_query_text(ask->web, "cursor", w->q.cursor, sizeof w->q.cursor, ret);
}

static void page_answer(const struct desk_ask *ask, struct page *p, struct web_answer *ret) {
  char at[CLOCK_TEXT_BYTES];
  desk_json(ret, 200,
            json_pack("{s:O, s:i, s:s?, s:s?}", "refusals", p->rows, "looked", (int)p->looked,
                      "oldest_at", p->oldest_ms ? clock_text(p->oldest_ms, at) : NULL, "cursor",
                      p->cursor[0] ? p->cursor : NULL));
  desk_next(ask, p->cursor, ret);
}

void verb_refusals(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct wish w = {0};
  struct page p = {0};
  if (!wish_read(ask, &w, ret))
    return;
  rule_narrow(a, &w);
  p.rows = json_array();
  p.alike = calloc(w.limit, sizeof *p.alike);
  int r = p.alike ? page_read(a, &w, &p) : -ENOMEM;
  if (r == -EINVAL)
    desk_wrong_query(ret, "cursor", "not one of ours");
  else if (r < 0)
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
  else
    page_answer(ask, &p, ret);
  json_decref(p.rows);
  free(p.alike);
}
