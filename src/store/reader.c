/* SPDX-License-Identifier: Apache-2.0
 * Reads records through a connection of its own, beside the writer (WAL). Everything that comes from a
 * stranger is bound, never part of a statement. One thread at a time. */
#include "store/field.h"

#include <inttypes.h>
#include <stdio.h>

struct reader {
  sqlite3 *sql;
  char columns[8192];
};

struct reader *reader_free(struct reader *r) {
  if (!r)
    return NULL;
  sqlite3_close(r->sql);
  free(r);
  return NULL;
}

int reader_new(struct reader **ret_reader, const char *file) {
  own(reader) r = calloc(1, sizeof(*r));
  if (!r)
    return -ENOMEM;
  if (sqlite3_open_v2(file, &r->sql, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    return -EIO;
  sqlite3_busy_timeout(r->sql, 250);
  field_columns(r->columns, sizeof(r->columns));
  *ret_reader = take(r);
  return 0;
}

static void row_read(sqlite3_stmt *st, struct record *ret) {
  memset(ret, 0, sizeof(*ret));
  for (size_t i = 0; i < fields_n; i++)
    field_read(st, (int)i, &fields[i], ret);
}

/* "started_ms _ id" of the last row that was given; where none, everything is before it. */
static int cursor_parse(const char *cursor, int64_t *ret_started_ms, const char **ret_id) {
  struct slice rest = slice_of(cursor), started = slice_cut(&rest, '_');
  uint64_t ms;
  *ret_started_ms = INT64_MAX;
  *ret_id = "";
  if (!cursor[0])
    return 0;
  if (!rest.p || slice_u64(started, INT64_MAX, &ms) < 0)
    return -EINVAL;
  *ret_started_ms = (int64_t)ms;
  *ret_id = rest.p;
  return 0;
}

static int list_prepare(struct reader *r, const struct reader_query *q, sqlite3_stmt **ret) {
  char sql[10240];
  snprintf(
      sql, sizeof(sql),
      "SELECT %s FROM records WHERE started_ms>=?1 AND started_ms<?2 AND (started_ms,id)<(?3,?4)%s%s%s "
      "ORDER BY started_ms DESC, id DESC LIMIT ?8",
      r->columns, q->has_state ? " AND state=?5" : "", q->reason[0] ? " AND reason=?6" : "",
      q->number[0] ? " AND (from_number=?7 OR to_number=?7)" : "");
  return sqlite3_prepare_v2(r->sql, sql, -1, ret, NULL) == SQLITE_OK ? 0 : -EIO;
}

static int list_bind(sqlite3_stmt *st, const struct reader_query *q, int64_t before_ms,
                     const char *before_id, unsigned limit) {
  int bad = sqlite3_bind_int64(st, 1, (int64_t)q->since_ms) |
            sqlite3_bind_int64(st, 2, q->until_ms ? (int64_t)q->until_ms : INT64_MAX) |
            sqlite3_bind_int64(st, 3, before_ms) |
            sqlite3_bind_text(st, 4, before_id, -1, SQLITE_STATIC) |
            sqlite3_bind_int64(st, 8, limit + 1);
  if (q->has_state)
    bad |= sqlite3_bind_int(st, 5, (int)q->state);
  if (q->reason[0])
    bad |= sqlite3_bind_text(st, 6, q->reason, -1, SQLITE_STATIC);
  if (q->number[0])
    bad |= sqlite3_bind_text(st, 7, q->number, -1, SQLITE_STATIC);
  return bad ? -EIO : 0;
}

/* One row more than the limit is asked for: it says that there is a next page. */
static int rows_take(sqlite3_stmt *st, unsigned limit, struct record *records, size_t *ret_n,
                     char *ret_cursor) {
  int step;
  *ret_n = 0;
  while ((step = sqlite3_step(st)) == SQLITE_ROW) {
    if (*ret_n == limit) {
      const struct record *last = &records[limit - 1];
      snprintf(ret_cursor, READER_CURSOR_BYTES, "%" PRIu64 "_%.39s", last->started_ms, last->id);
      return 0;
    }
    row_read(st, &records[(*ret_n)++]);
  }
  return step == SQLITE_DONE ? 0 : -EIO;
}

int reader_list(struct reader *r, const struct reader_query *q, struct record **ret_records,
                size_t *ret_n, char ret_cursor[READER_CURSOR_BYTES]) {
  sqlite3_stmt *st = NULL;
  int64_t before_ms;
  const char *before_id;
  unsigned limit = q->limit ? q->limit : 50;
  ret_cursor[0] = 0;
  if (limit > READER_LIMIT_MAX || q->since_ms > INT64_MAX || q->until_ms > INT64_MAX ||
      cursor_parse(q->cursor, &before_ms, &before_id) < 0)
    return -EINVAL;
  struct record *records = calloc(limit, sizeof(*records));
  if (!records)
    return -ENOMEM;
  int result = list_prepare(r, q, &st);
  if (result == 0)
    result = list_bind(st, q, before_ms, before_id, limit);
  if (result == 0)
    result = rows_take(st, limit, records, ret_n, ret_cursor);
  sqlite3_finalize(st);
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
  if (sqlite3_prepare_v2(r->sql, sql, -1, &st, NULL) == SQLITE_OK &&
      sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC) == SQLITE_OK) {
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW)
      row_read(st, ret);
    result = step == SQLITE_ROW ? 0 : step == SQLITE_DONE ? -ENOENT : -EIO;
  }
  sqlite3_finalize(st);
  return result;
}
