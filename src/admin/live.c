/* SPDX-License-Identifier: Apache-2.0
 * What the call thread knows: live calls and trunks. Call thread. */
#include "admin/desk.h"

#include "base/clock.h"

static void ask_house(json_t *(*fn)(void *arg), void *arg, const char *noun, struct web_answer *ret) {
  json_t *doc = fn ? fn(arg) : json_pack("{s:[]}", noun);
  if (doc)
    desk_json(ret, 200, doc);
  else
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
}

SHAPE(calls_query, {"trunk", SHAPE_TEXT, 0, 1, 63}, {"user", SHAPE_TEXT, 0, 1, 63},
      {"state", SHAPE_TEXT, 0, .choices = "trying|ringing|live"},
      {"limit", SHAPE_INT, 0, 1, 500, .help = "Without limit and cursor all come"},
      {"cursor", SHAPE_TEXT, 0, 1, 159, .help = "Of the page before"});

static bool is_state(const char *text) {
  return strcmp(text, "trying") == 0 || strcmp(text, "ringing") == 0 || strcmp(text, "live") == 0;
}

/* The rows whose members are what the query wants of them: NULL, or what of it is wrong. */
static const char *calls_sift(const struct desk_ask *ask, const json_t *all, json_t *ret) {
  static const char *const names[] = {"trunk", "user", "state"};
  char wanted[COUNT_OF(names)][64];
  int r[COUNT_OF(names)];
  size_t k;
  json_t *row;
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    r[i] = web_query(ask->web, names[i], wanted[i], sizeof(wanted[i]));
    if ((r[i] < 0 && r[i] != -ENOENT) || (r[i] == 0 && i == 2 && !is_state(wanted[i])))
      return names[i];
  }
  json_array_foreach((json_t *)(uintptr_t)all, k, row) {
    bool fits = true;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
      const char *is = json_string_value(json_object_get(row, names[i]));
      fits = fits && (r[i] < 0 || (is && strcmp(is, wanted[i]) == 0));
    }
    if (fits)
      json_array_append(ret, row);
  }
  return NULL;
}

void verb_calls(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  char text[4];
  const char *odd = NULL;
  json_t *doc = a->set.calls ? a->set.calls(a->set.calls_arg) : json_pack("{s:[]}", "calls");
  json_t *list = json_array();
  if (!doc || !list)
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
  else if ((odd = calls_sift(ask, json_object_get(doc, "calls"), list)))
    desk_wrong_query(ret, odd, "a name, or trying, ringing or live");
  else if (web_query(ask->web, "limit", text, sizeof(text)) != -ENOENT ||
           web_query(ask->web, "cursor", text, sizeof(text)) != -ENOENT)
    desk_page(ask, "calls", "id", json_incref(list), ret);
  else
    desk_json(ret, 200, json_pack("{s:O, s:n}", "calls", list, "cursor"));
  json_decref(list);
  json_decref(doc);
}

void verb_call(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  json_t *doc = a->set.call ? a->set.call(a->set.calls_arg, ask->web->params.text[0]) : NULL;
  if (doc)
    desk_json(ret, 200, doc);
  else
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
}

void verb_call_del(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  if (a->set.hangup && a->set.hangup(a->set.calls_arg, ask->web->params.text[0]))
    ret->status = 204;
  else
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
}

SHAPE(drain, {"on", SHAPE_BOOL, SHAPE_MUST},
      {"deadline_s", SHAPE_INT, SHAPE_NULL, 1, 86400,
       .help = "The process ends when it is idle, at the latest then; absent: it stays"});

SHAPE(drained, {"draining", SHAPE_BOOL, SHAPE_MUST}, {"deadline_s", SHAPE_INT, SHAPE_MUST | SHAPE_NULL});

void verb_system_drain(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  bool on = json_is_true(json_object_get(ask->body, "on"));
  json_int_t deadline_s = json_integer_value(json_object_get(ask->body, "deadline_s"));
  if (!a->set.drain) {
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
    return;
  }
  a->set.drain(a->set.calls_arg, on, (uint32_t)deadline_s);
  desk_json(ret, 200,
            json_pack("{s:b, s:o}", "draining", on, "deadline_s",
                      deadline_s ? json_integer(deadline_s) : json_null()));
}

enum { M = SHAPE_MUST, N = SHAPE_MUST | SHAPE_NULL };
static SHAPE(certificate, {"use", SHAPE_TEXT, M, .choices = "service|admin|listener|trunk"},
             {"trunk", SHAPE_TEXT, N, .help = "The trunk's name, or the listener's"},
             {"file", SHAPE_TEXT, M}, {"subject", SHAPE_TEXT, N}, {"issuer", SHAPE_TEXT, N},
             {"names", SHAPE_LIST, M | SHAPE_OF_TEXT, .help = "Alternative names"},
             {"not_before", SHAPE_TIME, N}, {"not_after", SHAPE_TIME, N}, {"days_left", SHAPE_INT, N},
             {"state", SHAPE_TEXT, M, .choices = "ok|soon|expired|unreadable"});
SHAPE(certificates, {"certificates", SHAPE_LIST, M, .inner = &shape_certificate},
      {"cursor", SHAPE_TEXT, N});

/* The listeners' and trunks' certificates; files are small and warm. */
void verb_certificates(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  json_t *list = a->set.certificates ? a->set.certificates(a->set.calls_arg) : json_array(), *row;
  size_t i;
  json_array_foreach(list, i, row) {
    const char *file = json_string_value(json_object_get(row, "file"));
    json_t *facts = web_cert_json(file ? file : "", clock_wall_ms() / 1000u);
    json_object_update(row, facts);
    json_decref(facts);
  }
  desk_page(ask, "certificates", "file", list, ret);
}

void verb_trunks(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  (void)ask;
  ask_house(a->set.trunks, a->set.calls_arg, "trunks", ret);
}
