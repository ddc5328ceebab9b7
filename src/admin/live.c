/* SPDX-License-Identifier: Apache-2.0
 * What the call thread knows: live calls and trunks. Call thread. */
#include "admin/desk.h"

#include "base/clock.h"

#include <stdio.h>

enum { CALLS_PAGE = 500 };

SHAPE(calls_query, {"trunk", SHAPE_TEXT, 0, 1, 63}, {"user", SHAPE_TEXT, 0, 1, 63},
      {"state", SHAPE_TEXT, 0, .choices = "trying|ringing|live"},
      {"limit", SHAPE_INT, 0, 1, 500, .help = "Absent: 500"},
      {"cursor", SHAPE_TEXT, 0, 1, 159, .help = "Of the page before"});

static bool is_state(const char *text) {
  return strcmp(text, "trying") == 0 || strcmp(text, "ringing") == 0 || strcmp(text, "live") == 0;
}

/* What of the calls is asked for, with the texts that it points to. */
struct part_asked {
  struct admin_part part;
  char trunk[64], user[64], state[64], at[12], limit[12];
};

/* False: it was answered. */
static bool part_read(const struct desk_ask *ask, struct part_asked *p, struct web_answer *ret) {
  const struct {
    const char *name;
    char *text;
    size_t bytes;
    const char **to;
  } texts[] = {{"trunk", p->trunk, sizeof p->trunk, &p->part.trunk},
               {"user", p->user, sizeof p->user, &p->part.user},
               {"state", p->state, sizeof p->state, &p->part.state}};
  uint64_t at = 0, limit = CALLS_PAGE;
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    int r = web_query(ask->web, texts[i].name, texts[i].text, texts[i].bytes);
    *texts[i].to = r == 0 ? texts[i].text : NULL;
    if ((r < 0 && r != -ENOENT) || (r == 0 && texts[i].to == &p->part.state && !is_state(p->state))) {
      desk_wrong_query(ret, texts[i].name, "a name, or trying, ringing or live");
      return false;
    }
  }
  int r = web_query(ask->web, "limit", p->limit, sizeof p->limit);
  if (r != -ENOENT && (r < 0 || slice_u64(slice_of(p->limit), CALLS_PAGE, &limit) < 0 || !limit)) {
    desk_wrong_query(ret, "limit", "1 to 500");
    return false;
  }
  r = web_query(ask->web, "cursor", p->at, sizeof p->at);
  if (r != -ENOENT && (r < 0 || slice_u64(slice_of(p->at), UINT32_MAX, &at) < 0)) {
    desk_wrong_query(ret, "cursor", "not one of ours");
    return false;
  }
  p->part.at = (uint32_t)at;
  p->part.limit = (uint32_t)limit;
  return true;
}

/* Only rows that are asked for are made: with very many calls all of them would hold the call thread up.
 */
void verb_calls(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct part_asked p = {0};
  char next[12] = "";
  if (!part_read(ask, &p, ret))
    return;
  json_t *rows = a->set.calls ? a->set.calls(a->set.calls_arg, &p.part) : json_array();
  if (p.part.at)
    snprintf(next, sizeof next, "%u", (unsigned)p.part.at);
  json_t *doc = rows ? json_pack("{s:o, s:s?}", "calls", rows, "cursor", next[0] ? next : NULL) : NULL;
  if (!doc) {
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
    return;
  }
  desk_json(ret, 200, doc);
  desk_next(ask, next, ret);
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
static SHAPE(certificate, {"use", SHAPE_TEXT, M, .choices = "service|admin|admin.client_ca|listener|trunk"},
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
