/* SPDX-License-Identifier: Apache-2.0
 * What the call thread knows: a live call, trunks, certificates. Call thread. */
#include "admin/desk.h"

#include "base/clock.h"

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
static SHAPE(certificate,
             {"use", SHAPE_TEXT, M, .choices = "service|admin|admin.client_ca|listener|trunk"},
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
  desk_sort(list, "file", false);
  desk_page(ask, "certificates", "file", list, ret);
}

void verb_trunks(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  json_t *doc =
      a->set.trunks ? a->set.trunks(a->set.calls_arg) : json_pack("{s:[], s:[]}", "trunks", "alarms");
  desk_sort(json_object_get(doc, "trunks"), "name", false);
  desk_page_doc(ask, "trunks", "name", doc, ret);
}
