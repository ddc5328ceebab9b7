/* SPDX-License-Identifier: Apache-2.0
 * A query as a statement: see search.h. */
#include "store/search.h"

#include "store/key.h"

#include <stdio.h>

#define SQL_BYTES 16384
#define EXACT_LOOK 20000  /* how far it is counted to find the rarest */
#define PREFIX_LOOK 30000 /* a prefix with fewer rows is gathered and sorted */

/* Parameters of every statement; those of terms follow. */
enum {
  AT_SINCE = 1,
  AT_BEFORE_MS,
  AT_BEFORE_ROW,
  AT_LIMIT,
  AT_PREFIX,
  AT_PREFIX_END,
  AT_MOS_MIN,
  AT_MOS_MAX,
  AT_TERMS
};

struct term {
  enum key_kind kind;
  const char *value;
};

struct search {
  const struct reader_query *q;
  const struct search_page *page;
  struct term terms[9];
  size_t n, lead; /* lead walks; n: none of them does */
  bool prefix_leads;
  char prefix_end[sizeof(((struct reader_query *)0)->q) + 1];
  char sql[SQL_BYTES];
  size_t at;
};

static void term_add(struct search *s, enum key_kind kind, const char *value) {
  if (value[0])
    s->terms[s->n++] = (struct term){kind, value};
}

static void terms_read(struct search *s) {
  const struct reader_query *q = s->q;
  term_add(s, KEY_NUMBER, q->number);
  term_add(s, KEY_USER, q->user);
  term_add(s, KEY_TRUNK, q->trunk);
  term_add(s, KEY_TENANT, q->tenant);
  term_add(s, KEY_REASON, q->reason);
  term_add(s, KEY_RULE, q->rule);
  term_add(s, KEY_CAUSE, q->cause);
  term_add(s, KEY_STATE, q->has_state ? record_state_text(q->state) : "");
}

static void sql_add(struct search *s, const char *text) {
  size_t n = strlen(text);
  if (n >= sizeof(s->sql) - s->at)
    abort(); /* our own texts */
  memcpy(s->sql + s->at, text, n + 1);
  s->at += n;
}

/* "k.kind IN (1,2,7) AND k.value>=… " */
static void add_prefix_keys(struct search *s) {
  static const char kinds[] = {
#define KEY(id, number, prefix) (prefix) ? (number) : 0,
#include "store/key.def"
#undef KEY
  };
  char number[8];
  sql_add(s, "k.kind IN (0");
  for (size_t i = 0; i < sizeof(kinds); i++)
    if (kinds[i]) {
      snprintf(number, sizeof(number), ",%d", kinds[i]);
      sql_add(s, number);
    }
  sql_add(s, ") AND k.value>=?5 AND k.value<?6");
}

/* A prefix that half of the records have: looked up in the records that the walk meets. */
static void add_prefix_columns(struct search *s) {
  static const char *const columns[] = {
      "from_number",        "to_number",         "identity",           "caller_sip_call_id",
      "callee_sip_call_id", "caller_local_user", "caller_remote_user", "callee_local_user",
      "callee_remote_user", "session_id_local",  "session_id_remote"};
  sql_add(s, " AND EXISTS (SELECT 1 FROM records x WHERE x.row=k.row AND (0");
  for (size_t i = 0; i < COUNT_OF(columns); i++) {
    char text[128];
    snprintf(text, sizeof(text), " OR (x.%s>=?5 AND x.%s<?6)", columns[i], columns[i]);
    sql_add(s, text);
  }
  sql_add(s, " OR (x.caller_kind=2 AND x.caller_peer>=?5 AND x.caller_peer<?6)"
             " OR (x.callee_kind=2 AND x.callee_peer>=?5 AND x.callee_peer<?6)))");
}

static void add_term(struct search *s, size_t i) {
  char text[200];
  int kind = (int)(AT_TERMS + 2 * i);
  snprintf(text, sizeof(text), "%s.kind=?%d AND %s.value=?%d", i == s->lead ? "k" : "o", kind,
           i == s->lead ? "k" : "o", kind + 1);
  if (i == s->lead) {
    sql_add(s, text);
    return;
  }
  sql_add(s, " AND EXISTS (SELECT 1 FROM keys o WHERE ");
  sql_add(s, text);
  sql_add(s, " AND o.started_ms=k.started_ms AND o.row=k.row)");
}

static const char mos_sql[] =
    " AND EXISTS (SELECT 1 FROM records x WHERE x.row=k.row AND"
    " min(iif(x.caller_mos_x100,x.caller_mos_x100,999),iif(x.callee_mos_x100,x.callee_mos_x100,999))"
    " BETWEEN ?7 AND ?8)";

static void sql_write(struct search *s, const char *columns) {
  bool by_keys = s->lead < s->n || s->prefix_leads;
  sql_add(s, "SELECT ");
  sql_add(s, columns);
  sql_add(s, " FROM (SELECT ");
  sql_add(s, s->prefix_leads ? "DISTINCT " : "");
  sql_add(s, "k.started_ms AS at, k.row AS row FROM ");
  sql_add(s, by_keys ? "keys k WHERE " : "records k WHERE ");
  if (s->prefix_leads)
    add_prefix_keys(s);
  else if (by_keys)
    add_term(s, s->lead);
  else
    sql_add(s, "1");
  sql_add(s, " AND k.started_ms>=?1 AND (k.started_ms,k.row)<(?2,?3)");
  for (size_t i = 0; i < s->n; i++)
    if (i != s->lead)
      add_term(s, i);
  if (s->q->q[0] && !s->prefix_leads)
    add_prefix_columns(s);
  if (s->q->min_mos_x100 || s->q->max_mos_x100)
    sql_add(s, mos_sql);
  sql_add(s, " ORDER BY k.started_ms DESC, k.row DESC LIMIT ?4) f CROSS JOIN records r ON r.row=f.row"
             " ORDER BY f.at DESC, f.row DESC");
}

/* Parameters that a statement does not have are passed over. */
static int bind_int(sqlite3_stmt *st, int at, int64_t v) {
  return at > sqlite3_bind_parameter_count(st) ? 0 : sqlite3_bind_int64(st, at, v);
}

static int bind_text(sqlite3_stmt *st, int at, const char *text) {
  return at > sqlite3_bind_parameter_count(st) ? 0
                                               : sqlite3_bind_text(st, at, text, -1, SQLITE_TRANSIENT);
}

static int bind_all(const struct search *s, sqlite3_stmt *st, const struct search_page *page) {
  int bad = bind_int(st, AT_SINCE, (int64_t)s->q->since_ms) |
            bind_int(st, AT_BEFORE_MS, page->started_ms) | bind_int(st, AT_BEFORE_ROW, page->row) |
            bind_int(st, AT_LIMIT, page->limit) | bind_text(st, AT_PREFIX, s->q->q) |
            bind_text(st, AT_PREFIX_END, s->prefix_end) | bind_int(st, AT_MOS_MIN, s->q->min_mos_x100) |
            bind_int(st, AT_MOS_MAX, s->q->max_mos_x100 ? s->q->max_mos_x100 : 500);
  for (size_t i = 0; i < s->n; i++)
    bad |= bind_int(st, (int)(AT_TERMS + 2 * i), s->terms[i].kind) |
           bind_text(st, (int)(AT_TERMS + 2 * i + 1), s->terms[i].value);
  return bad ? -EIO : 0;
}

static int sql_code(int code) { return code == SQLITE_INTERRUPT ? -ETIMEDOUT : -EIO; }

/* How many rows a walk would have, counted to `look`; of more, those are rarer whose newest so many reach
 * further back; -errno. */
static int64_t walk_count(const struct search *s, sqlite3 *file, const char *sql, unsigned look) {
  struct search_page page = *s->page;
  sqlite3_stmt *st = NULL;
  int64_t n = -EIO;
  page.limit = look;
  if (sqlite3_prepare_v2(file, sql, -1, &st, NULL) == SQLITE_OK && bind_all(s, st, &page) == 0) {
    int step = sqlite3_step(st);
    n = step == SQLITE_ROW ? sqlite3_column_int64(st, 0) : sql_code(step);
    if (n >= (int64_t)look)
      n += sqlite3_column_int64(st, 1);
  }
  sqlite3_finalize(st);
  return n;
}

static int64_t term_count(struct search *s, sqlite3 *file, size_t i) {
  s->at = 0;
  s->lead = i;
  sql_add(s, "SELECT count(*), min(at) FROM (SELECT k.started_ms AS at FROM keys k WHERE ");
  add_term(s, i);
  sql_add(s, " AND k.started_ms>=?1 AND (k.started_ms,k.row)<(?2,?3) ORDER BY k.started_ms DESC, k.row DESC"
             " LIMIT ?4)");
  return walk_count(s, file, s->sql, EXACT_LOOK);
}

static int64_t prefix_count(struct search *s, sqlite3 *file) {
  s->at = 0;
  sql_add(s, "SELECT count(*), 0 FROM (SELECT 1 FROM keys k WHERE ");
  add_prefix_keys(s);
  sql_add(s, " LIMIT ?4)");
  return walk_count(s, file, s->sql, PREFIX_LOOK);
}

/* The rarest leads. */
static int lead_choose(struct search *s, sqlite3 *file) {
  int64_t least = INT64_MAX, n;
  size_t best = s->n;
  for (size_t i = 0; i < s->n && (s->n > 1 || s->q->q[0]); i++) {
    if ((n = term_count(s, file, i)) < 0)
      return (int)n;
    if (n < least) {
      least = n;
      best = i;
    }
  }
  s->lead = s->n == 1 ? 0 : best;
  if (!s->q->q[0])
    return 0;
  if ((n = prefix_count(s, file)) < 0)
    return (int)n;
  s->prefix_leads = n < PREFIX_LOOK && n <= least;
  if (s->prefix_leads)
    s->lead = s->n;
  return 0;
}

int search_prepare(sqlite3 *file, const struct reader_query *q, const struct search_page *page,
                   const char *columns, sqlite3_stmt **ret) {
  struct search s = {.q = q, .page = page};
  /* no text of UTF-8, and none that peers may send, has an octet above */
  snprintf(s.prefix_end, sizeof(s.prefix_end), "%s\xff", q->q);
  terms_read(&s);
  s.lead = s.n;
  int r = lead_choose(&s, file);
  if (r < 0)
    return r;
  s.at = 0;
  sql_write(&s, columns);
  int code = sqlite3_prepare_v2(file, s.sql, -1, ret, NULL);
  if (code != SQLITE_OK)
    return sql_code(code);
  return bind_all(&s, *ret, page);
}
