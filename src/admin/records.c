/* SPDX-License-Identifier: Apache-2.0
 * GET /records, /records/{id}, /records/export. Web threads, one reader between them; an export has its
 * own. */
#include "admin/desk.h"

#include "admin/recquery.h"
#include "base/clock.h"

static void list_answer(struct web_answer *ret, const struct record *rows, size_t n,
                        const char *cursor) {
  json_t *list = json_array(), *doc = json_object();
  for (size_t i = 0; i < n; i++)
    json_array_append_new(list, show_record(&rows[i]));
  json_object_set_new(doc, "records", list);
  json_object_set_new(doc, "cursor", cursor[0] ? json_string(cursor) : json_null());
  (void)web_answer_json(ret, 200, doc);
  json_decref(doc);
}

void verb_records(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct reader_query q = {0};
  struct record *rows = NULL;
  size_t n = 0;
  char cursor[READER_CURSOR_BYTES];
  if (!records_query_read(ask->web, &q, ret))
    return;
  pthread_mutex_lock(&a->reading);
  int r = reader_list(a->reader, &q, &rows, &n, cursor);
  pthread_mutex_unlock(&a->reading);
  if (r == -EINVAL)
    desk_wrong_query(ret, "cursor", "not one of ours");
  else if (r == -ETIMEDOUT)
    web_answer_problem(ret, WEB_PROBLEM_overload,
                       &(struct web_problem_info){.detail = "the search takes too long: narrow it"});
  else if (r < 0)
    web_answer_problem(ret, WEB_PROBLEM_overload,
                       &(struct web_problem_info){.detail = "the records cannot be read now"});
  else {
    list_answer(ret, rows, n, cursor);
    desk_next(ask, cursor, ret);
  }
  free(rows);
}

void verb_record(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  own_mem struct record *row = calloc(1, sizeof(*row));
  if (!row)
    return;
  pthread_mutex_lock(&a->reading);
  int r = reader_get(a->reader, ask->web->params.text[0], row);
  pthread_mutex_unlock(&a->reading);
  if (r < 0) {
    web_answer_problem(ret, r == -ENOENT ? WEB_PROBLEM_not_found : WEB_PROBLEM_overload, NULL);
    return;
  }
  json_t *doc = show_record(row);
  (void)web_answer_json(ret, 200, doc);
  json_decref(doc);
}

SHAPE(erase, {"number", SHAPE_TEXT, SHAPE_SECRET, 2, 64, .help = "As the records have it"},
      {"user", SHAPE_TEXT, SHAPE_SECRET, 2, 64});
SHAPE(erased, {"erased", SHAPE_INT, SHAPE_MUST},
      {"live", SHAPE_INT, SHAPE_MUST, .help = "Live calls: ask again when they are over"});

/* The audit says that it was done, not whom it was about: the members are secret. */
void verb_records_erase(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct store_erased done = {0};
  const char *number = json_string_value(json_object_get(ask->body, "number"));
  const char *user = json_string_value(json_object_get(ask->body, "user"));
  if (!number == !user) {
    desk_wrong(ret, "", "either a number or a user");
    return;
  }
  int r = store_erase(a->store_file, number ? number : user, clock_wall_ms(), a->set.forget,
                      a->set.calls_arg, &done);
  if (r < 0)
    web_answer_problem(ret, WEB_PROBLEM_overload,
                       &(struct web_problem_info){.detail = "not all was erased: ask again"});
  else
    desk_json(
        ret, 200,
        json_pack("{s:I, s:I}", "erased", (json_int_t)done.records, "live", (json_int_t)done.live));
}
