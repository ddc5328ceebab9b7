/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/records and /admin/v1/records/{id}. Web threads, one reader between them. */
#include "admin/desk.h"

#include "base/clock.h"

#include <time.h>

/* RFC 3339 in UTC with seconds, or milliseconds since 1970. */
static bool time_parse(const char *text, uint64_t *ret_ms) {
  struct tm tm = {0};
  if (slice_u64(slice_of(text), 1ull << 52, ret_ms) == 0)
    return true;
  const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
  if (!end)
    return false;
  if (*end == '.')
    end += 1 + strspn(end + 1, "0123456789");
  if (strcmp(end, "Z") != 0)
    return false;
  time_t s = timegm(&tm);
  *ret_ms = s > 0 ? (uint64_t)s * 1000u : 0;
  return s > 0;
}

/* Absent is fine; false: wrong, and told. */
static bool query_time(const struct web_ask *ask, const char *name, uint64_t *ret_ms,
                       struct web_answer *ret) {
  char text[40];
  int r = web_query(ask, name, text, sizeof(text));
  if (r == -ENOENT || (r == 0 && time_parse(text, ret_ms)))
    return true;
  desk_wrong_query(ret, name, "not a time");
  return false;
}

static bool query_text(const struct web_ask *ask, const char *name, char *dst, size_t bytes,
                       struct web_answer *ret) {
  int r = web_query(ask, name, dst, bytes);
  if (r == 0 || r == -ENOENT)
    return true;
  desk_wrong_query(ret, name, "too long, given twice, or badly escaped");
  return false;
}

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
  char text[8];
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

static bool query_read(const struct web_ask *ask, struct reader_query *q, struct web_answer *ret) {
  return query_time(ask, "since", &q->since_ms, ret) && query_time(ask, "until", &q->until_ms, ret) &&
         query_state(ask, q, ret) && query_limit(ask, q, ret) &&
         query_text(ask, "reason", q->reason, sizeof(q->reason), ret) &&
         query_text(ask, "number", q->number, sizeof(q->number), ret) &&
         query_text(ask, "cursor", q->cursor, sizeof(q->cursor), ret);
}

static void list_answer(struct web_answer *ret, const struct record *rows, size_t n,
                        const char *cursor) {
  json_t *list = json_array(), *doc = json_object();
  for (size_t i = 0; i < n; i++)
    json_array_append_new(list, show_record(&rows[i]));
  json_object_set_new(doc, "records", list);
  if (cursor[0])
    json_object_set_new(doc, "cursor", json_string(cursor));
  (void)web_answer_json(ret, 200, doc);
  json_decref(doc);
}

SHAPE(records_query, {"since", SHAPE_TIME, 0, .help = "Not earlier than this"},
      {"until", SHAPE_TIME, 0, .help = "Earlier than this"},
      {"state", SHAPE_TEXT, 0, .choices = "live|ended|refused"}, {"reason", SHAPE_TEXT, 0, 1, 31},
      {"number", SHAPE_TEXT, 0, 1, 64, .help = "Caller or called, exactly"},
      {"limit", SHAPE_INT, 0, 1, READER_LIMIT_MAX},
      {"cursor", SHAPE_TEXT, 0, 1, READER_CURSOR_BYTES - 1});

void verb_records(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct reader_query q = {0};
  struct record *rows = NULL;
  size_t n = 0;
  char cursor[READER_CURSOR_BYTES];
  if (!query_read(ask->web, &q, ret))
    return;
  pthread_mutex_lock(&a->lock);
  int r = reader_list(a->reader, &q, &rows, &n, cursor);
  pthread_mutex_unlock(&a->lock);
  if (r == -EINVAL)
    desk_wrong_query(ret, "cursor", "not one of ours");
  else if (r < 0)
    web_answer_problem(ret, WEB_PROBLEM_overload,
                       &(struct web_problem_info){.detail = "the records cannot be read now"});
  else
    list_answer(ret, rows, n, cursor);
  free(rows);
}

void verb_record(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  own_mem struct record *row = calloc(1, sizeof(*row));
  if (!row)
    return;
  pthread_mutex_lock(&a->lock);
  int r = reader_get(a->reader, ask->web->params.text[0], row);
  pthread_mutex_unlock(&a->lock);
  if (r < 0) {
    web_answer_problem(ret, r == -ENOENT ? WEB_PROBLEM_not_found : WEB_PROBLEM_overload, NULL);
    return;
  }
  json_t *doc = show_record(row);
  (void)web_answer_json(ret, 200, doc);
  json_decref(doc);
}
