/* SPDX-License-Identifier: Apache-2.0
 * Trunk Doctor at the desk: POST /trunks/{name}/doctor, GET and DELETE /doctor/{id}; ?format=html
 * and ?format=text give the report to print, without script or style. Call thread. */
#include "admin/desk.h"

static bool is_there(const struct admin *a, struct web_answer *ret) {
  if (a->set.doctor.start)
    return true;
  web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  return false;
}

void verb_doctor_start(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  char id[40];
  if (!is_there(a, ret))
    return;
  int r = a->set.doctor.start(a->set.doctor.arg, slice_of(ask->web->params.text[0]), id);
  const struct web_problem_info busy = {
      .detail = "A run is under way there, or two are in all: wait for its end, or stop it."};
  const struct web_problem_info emergency = {
      .detail = "A number of trunks[].doctor is an emergency number: it is never called for a test."};
  if (r == -EPERM)
    web_answer_problem(ret, WEB_PROBLEM_wrong_state, &emergency);
  else if (r == 0)
    desk_json(ret, 202, json_pack("{s:s}", "id", id));
  else
    web_answer_problem(ret,
                       r == -ENOENT  ? WEB_PROBLEM_not_found
                       : r == -EBUSY ? WEB_PROBLEM_conflict
                                     : WEB_PROBLEM_overload,
                       r == -EBUSY ? &busy : NULL);
}

void verb_doctor_list(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  if (is_there(a, ret))
    desk_page_doc(ask, "runs", "started_at", a->set.doctor.list(a->set.doctor.arg), ret);
}

static void page(struct admin *a, struct slice id, bool is_text, struct web_answer *ret) {
  char *text = a->set.doctor.page(a->set.doctor.arg, id, is_text);
  if (!text) {
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
    return;
  }
  const char *type = is_text ? "text/plain; charset=utf-8" : "text/html; charset=utf-8";
  if (web_answer_text(ret, 200, type, slice_of(text)) == 0) {
    ret->extra[0] = (struct web_header){"Content-Security-Policy", "default-src 'none'; sandbox"};
    ret->extra[1] = (struct web_header){"X-Content-Type-Options", "nosniff"};
  }
  free(text);
}

void verb_doctor_show(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  char format[16] = "";
  struct slice id = slice_of(ask->web->params.text[0]);
  int r = web_query(ask->web, "format", format, sizeof(format));
  if (!is_there(a, ret))
    return;
  if (r == 0 && (!strcmp(format, "html") || !strcmp(format, "text"))) {
    page(a, id, format[0] == 't', ret);
    return;
  }
  if (r != -ENOENT && strcmp(format, "json") != 0) {
    desk_wrong_query(ret, "format", "json, html or text");
    return;
  }
  json_t *doc = a->set.doctor.report(a->set.doctor.arg, id);
  if (doc)
    desk_json(ret, 200, doc);
  else
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
}

void verb_doctor_stop(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  if (!is_there(a, ret))
    return;
  if (a->set.doctor.stop(a->set.doctor.arg, slice_of(ask->web->params.text[0])) == 0)
    ret->status = 204;
  else
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
}

SHAPE(doctor_query,
      {"format", SHAPE_TEXT, 0, 0, 8, "json|html|text", NULL, "html, text: the report to print"});
SHAPE(doctor_started,
      {"id", SHAPE_TEXT, SHAPE_MUST, 1, 40, NULL, NULL, "of the run, for GET /doctor/{id}"});
