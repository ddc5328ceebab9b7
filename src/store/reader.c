/* SPDX-License-Identifier: Apache-2.0
 * Reads records through a connection of its own, beside the writer (WAL). Everything that comes from a
 * stranger is bound, never part of a statement. One thread at a time. */
#include "base/clock.h"
#include "store/field.h"
#include "store/search.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

struct reader {
  sqlite3 *sql;
  char *file;
  ino_t inode;     /* inode is of the file that it has open; the writer may begin a new one. */
  uint64_t due_us; /* due_us is when a search that goes on is given up; 0: never. */
  char columns[8192];
};

static int is_late(void *arg) {
  const struct reader *r = arg;
  return r->due_us && clock_now_us() > r->due_us;
}

struct reader *reader_free(struct reader *r) {
  if (!r)
    return NULL;
  sqlite3_close(r->sql);
  free(r->file);
  free(r);
  return NULL;
}

static int file_open(struct reader *r) {
  struct stat st;
  if (sqlite3_open_v2(r->file, &r->sql, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    return -EIO;
  sqlite3_busy_timeout(r->sql, 250);
  sqlite3_progress_handler(r->sql, 20000, is_late, r);
  if (stat(r->file, &st) < 0 ||
      sqlite3_exec(r->sql, "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=1073741824;", NULL, NULL,
                   NULL) != SQLITE_OK)
    return -EIO;
  r->inode = st.st_ino;
  return 0;
}

/* Before each question: a broken file was put aside since the last one? */
static int file_look(struct reader *r) {
  struct stat st;
  if (r->sql && stat(r->file, &st) == 0 && st.st_ino == r->inode)
    return 0;
  sqlite3_close(r->sql);
  r->sql = NULL;
  return file_open(r);
}

int reader_new(struct reader **ret_reader, const char *file) {
  own(reader) r = calloc(1, sizeof(*r));
  if (!r || !(r->file = strdup(file)))
    return -ENOMEM;
  field_columns(r->columns, sizeof(r->columns));
  int result = file_open(r);
  if (result == 0)
    *ret_reader = take(r);
  return result;
}

/* "started_ms _ row" of the last row that was given; where none, everything is before it. */
static int cursor_parse(const struct reader_query *q, struct search_page *ret) {
  struct slice row = slice_of(q->cursor), started = slice_cut(&row, '_');
  uint64_t ms = INT64_MAX, n = 0;
  if (q->cursor[0] && (slice_u64(started, INT64_MAX, &ms) < 0 || slice_u64(row, INT64_MAX, &n) < 0))
    return -EINVAL;
  if (q->until_ms && q->until_ms <= ms) {
    ms = q->until_ms;
    n = 0;
  }
  ret->started_ms = (int64_t)ms;
  ret->row = (int64_t)n;
  return 0;
}

/* One row more than the limit is asked for: it says that there is a next page. */
static int rows_take(sqlite3_stmt *st, unsigned limit, struct record *records, size_t *ret_n,
                     char *ret_cursor) {
  int64_t last = 0;
  int step;
  *ret_n = 0;
  while ((step = sqlite3_step(st)) == SQLITE_ROW) {
    if (*ret_n == limit) {
      snprintf(ret_cursor, READER_CURSOR_BYTES, "%" PRIu64 "_%lld", records[limit - 1].started_ms,
               (long long)last);
      return 0;
    }
    fields_read(st, &records[(*ret_n)++]);
    last = sqlite3_column_int64(st, (int)fields_n);
  }
  return step == SQLITE_DONE ? 0 : step == SQLITE_INTERRUPT ? -ETIMEDOUT : -EIO;
}

static int page_read(struct reader *r, const struct reader_query *q, struct search_page *page,
                     struct record *records, size_t *ret_n, char *ret_cursor) {
  char columns[sizeof(r->columns) + 8];
  sqlite3_stmt *st = NULL;
  unsigned limit = page->limit++;
  snprintf(columns, sizeof(columns), "%s, r.row", r->columns);
  r->due_us = clock_now_us() + 1000ull * (q->deadline_ms ? q->deadline_ms : 3000);
  int result = search_prepare(r->sql, q, page, columns, &st);
  if (result == 0)
    result = rows_take(st, limit, records, ret_n, ret_cursor);
  sqlite3_finalize(st);
  r->due_us = 0;
  return result;
}

int reader_list(struct reader *r, const struct reader_query *q, struct record **ret_records,
                size_t *ret_n, char ret_cursor[READER_CURSOR_BYTES]) {
  struct search_page page = {.limit = q->limit ? q->limit : 50};
  ret_cursor[0] = 0;
  if (page.limit > READER_LIMIT_MAX || q->since_ms > INT64_MAX || q->until_ms > INT64_MAX ||
      cursor_parse(q, &page) < 0)
    return -EINVAL;
  if (file_look(r) < 0)
    return -EIO;
  struct record *records = calloc(page.limit, sizeof(*records));
  if (!records)
    return -ENOMEM;
  int result = page_read(r, q, &page, records, ret_n, ret_cursor);
  if (result < 0)
    free(records);
  else
    *ret_records = records;
  return result;
}

int reader_get(struct reader *r, const char *id, struct record *ret) {
  char sql[10240];
  sqlite3_stmt *st = NULL;
  int result = -EIO;
  snprintf(sql, sizeof(sql), "SELECT %s FROM records WHERE id=?1", r->columns);
  if (file_look(r) == 0 && sqlite3_prepare_v2(r->sql, sql, -1, &st, NULL) == SQLITE_OK &&
      sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC) == SQLITE_OK) {
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW)
      fields_read(st, ret);
    result = step == SQLITE_ROW ? 0 : step == SQLITE_DONE ? -ENOENT : -EIO;
  }
  sqlite3_finalize(st);
  return result;
}

static struct slice text_of(sqlite3_stmt *st, int column) {
  const void *p = sqlite3_column_text(st, column);
  return slice_from(p, p ? (size_t)sqlite3_column_bytes(st, column) : 0);
}

/* Records of older programs have not what was asked, but what became of it. */
static const char past_sql[] =
    "SELECT id, caller_peer, identity, tenant, CASE asked_called WHEN '' THEN to_number ELSE "
    "asked_called END,"
    " CASE asked_caller WHEN '' THEN from_number ELSE asked_caller END, verified, rule, started_ms, "
    "answered_ms,"
    " ended_ms, asked_flags, state, caller_kind FROM records WHERE started_ms>=?1 AND started_ms<?2"
    " ORDER BY started_ms LIMIT ?3";

static struct record_past past_read(sqlite3_stmt *st) {
  int flags = sqlite3_column_int(st, 11), state = sqlite3_column_int(st, 12);
  struct record_past p = {.id = text_of(st, 0),
                          .identity = text_of(st, 2),
                          .tenant = text_of(st, 3),
                          .called = text_of(st, 4),
                          .caller = text_of(st, 5),
                          .verified = text_of(st, 6),
                          .rule = text_of(st, 7),
                          .started_ms = (uint64_t)sqlite3_column_int64(st, 8),
                          .answered_ms = (uint64_t)sqlite3_column_int64(st, 9),
                          .ended_ms = (uint64_t)sqlite3_column_int64(st, 10),
                          .is_anonymous = flags & RECORD_ANONYMOUS,
                          .is_unasked = flags & RECORD_UNASKED,
                          .is_live = state == RECORD_LIVE,
                          .is_refused = state == RECORD_REFUSED};
  if (sqlite3_column_int(st, 13) == RECORD_LEG_TRUNK)
    p.trunk = text_of(st, 1);
  return p;
}

int reader_past(struct reader *r, uint64_t since_ms, uint64_t until_ms, uint32_t max,
                int (*fn)(void *arg, const struct record_past *p), void *arg) {
  sqlite3_stmt *st = NULL;
  int step = SQLITE_DONE, result = 0;
  if (file_look(r) < 0 || sqlite3_prepare_v2(r->sql, past_sql, -1, &st, NULL) != SQLITE_OK ||
      sqlite3_bind_int64(st, 1, (int64_t)since_ms) || sqlite3_bind_int64(st, 2, (int64_t)until_ms) ||
      sqlite3_bind_int64(st, 3, max))
    result = -EIO;
  while (result == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
    struct record_past p = past_read(st);
    result = fn(arg, &p);
  }
  sqlite3_finalize(st);
  return result == 0 && step != SQLITE_DONE ? -EIO : result;
}

/* As record_rang_ms() has it. */
#define RANG \
  "CASE WHEN early_ms<>0 AND (ringing_ms=0 OR early_ms<ringing_ms) THEN early_ms" \
  " WHEN ringing_ms<>0 THEN ringing_ms ELSE answered_ms END"
static const char sums_sql[] =
    "SELECT count(*) FILTER (WHERE state<>2), count(*) FILTER (WHERE state<>2 AND answered_ms<>0),"
    " total((1+repeats)*(state=2)),"
    " count(*) FILTER (WHERE state=1 AND answered_ms<>0),"
    " total(max(ended_ms-answered_ms,0)) FILTER (WHERE state=1 AND answered_ms<>0),"
    " count(*) FILTER (WHERE state<>2 AND " RANG ">=started_ms),"
    " total(" RANG "-started_ms) FILTER (WHERE state<>2 AND " RANG ">=started_ms)"
    " FROM records WHERE started_ms>=?1 AND started_ms<?2";

int reader_sums(struct reader *r, uint64_t since_ms, uint64_t until_ms, struct reader_sums *ret) {
  sqlite3_stmt *st = NULL;
  uint64_t *const to[] = {&ret->calls,   &ret->answered, &ret->refused, &ret->talks,
                          &ret->talk_ms, &ret->pdds,     &ret->pdd_ms};
  int step = SQLITE_ERROR;
  memset(ret, 0, sizeof(*ret));
  if (file_look(r) == 0 && sqlite3_prepare_v2(r->sql, sums_sql, -1, &st, NULL) == SQLITE_OK &&
      !sqlite3_bind_int64(st, 1, (int64_t)since_ms) && !sqlite3_bind_int64(st, 2, (int64_t)until_ms))
    step = sqlite3_step(st);
  for (int i = 0; step == SQLITE_ROW && i < (int)COUNT_OF(to); i++)
    *to[i] = (uint64_t)sqlite3_column_int64(st, i);
  sqlite3_finalize(st);
  return step == SQLITE_ROW ? 0 : -EIO;
}
