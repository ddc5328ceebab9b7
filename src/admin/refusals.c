/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/refusals: the last attempts that were refused, those of one rule, trunk and source told
 * as one. From the records, so that a restart forgets none. Web threads. */
#include "admin/desk.h"

#include "base/clock.h"

enum { LOOK_BACK = 500 };

SHAPE(refusals_query, {"since", SHAPE_TIME, 0, .help = "Absent: the last day"},
      {"rule", SHAPE_TEXT, 0, 1, 63}, {"limit", SHAPE_INT, 0, 1, 500},
      {"cursor", SHAPE_TEXT, 0, 1, 159});

static json_t *text_json(const char *text) {
  char safe[1200];
  json_t *j = text[0] ? json_string(text) : json_null();
  return j ? j : json_string(slice_escape(safe, sizeof safe, slice_of(text)));
}

static json_t *row_json(const struct record *r) {
  char at[CLOCK_TEXT_BYTES];
  return json_pack("{s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:i}", "id", r->id, "at",
                   clock_text(r->started_ms, at), "rule", text_json(r->rule[0] ? r->rule : r->reason),
                   "status", (int)r->sip_status, "trunk", text_json(r->caller.peer), "source",
                   text_json(r->caller.remote_addr), "from", text_json(r->from), "to", text_json(r->to),
                   "detail", text_json(r->detail), "count", (int)r->repeats + 1);
}

/* Without the port: a scanner has many. */
static struct slice source_of(const struct record *r) {
  const char *colon = strrchr(r->caller.remote_addr, ':');
  return slice_from(r->caller.remote_addr,
                    colon ? (size_t)(colon - r->caller.remote_addr) : strlen(r->caller.remote_addr));
}

static bool same(const struct record *a, const struct record *b) {
  return !strcmp(a->rule, b->rule) && !strcmp(a->reason, b->reason) &&
         !strcmp(a->caller.peer, b->caller.peer) && slice_eq(source_of(a), source_of(b));
}

static json_t *rows_json(const struct record *rows, size_t n, const char *rule) {
  json_t *list = json_array();
  own_mem size_t *first = calloc(n ? n : 1, sizeof *first);
  size_t told = 0;
  for (size_t i = 0; first && i < n; i++) {
    size_t k = 0;
    if (rule[0] && strcmp(rows[i].rule[0] ? rows[i].rule : rows[i].reason, rule) != 0)
      continue;
    while (k < told && !same(&rows[first[k]], &rows[i]))
      k++;
    if (k == told) {
      first[told++] = i;
      json_array_append_new(list, row_json(&rows[i]));
    } else {
      json_t *row = json_array_get(list, k);
      json_object_set_new(row, "count",
                          json_integer(json_integer_value(json_object_get(row, "count")) + 1 + rows[i].repeats));
    }
  }
  return list;
}

static bool since_read(const struct desk_ask *ask, uint64_t *ret_ms, struct web_answer *ret) {
  char text[40];
  int r = web_query(ask->web, "since", text, sizeof text);
  *ret_ms = clock_wall_ms() - 86400000u;
  if (r == -ENOENT || (r == 0 && desk_time(text, ret_ms)))
    return true;
  desk_wrong_query(ret, "since", "not a time");
  return false;
}

void verb_refusals(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct reader_query q = {.has_state = true, .state = RECORD_REFUSED, .limit = LOOK_BACK};
  struct record *rows = NULL;
  size_t n = 0;
  char rule[64] = "", cursor[READER_CURSOR_BYTES];
  int r = web_query(ask->web, "rule", rule, sizeof rule);
  if (r < 0 && r != -ENOENT) {
    desk_wrong_query(ret, "rule", "too long, or given twice");
    return;
  }
  if (!since_read(ask, &q.since_ms, ret))
    return;
  pthread_mutex_lock(&a->reading);
  r = reader_list(a->reader, &q, &rows, &n, cursor);
  pthread_mutex_unlock(&a->reading);
  if (r < 0)
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
  else
    desk_page(ask, "refusals", "at", rows_json(rows, n, rule), ret);
  free(rows);
}
