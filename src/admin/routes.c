/* SPDX-License-Identifier: Apache-2.0
 * The dialplan: its text and rules, another text into force, and where it would lead a call. Web
 * threads. */
#include "admin/config.h"

#include <stdio.h>

enum { PLAN_MAX = 4 << 20 };

SHAPE(routes_put, {"text", SHAPE_TEXT, SHAPE_MUST, 0, PLAN_MAX});
SHAPE(routes_test, {"called", SHAPE_TEXT, SHAPE_MUST, 1, 63}, {"caller", SHAPE_TEXT, 0, 0, 63},
      {"trunk", SHAPE_TEXT, 0, 0, 63, .help = "The call comes in by it"},
      {"user", SHAPE_TEXT, 0, 0, 63, .help = "Else it is this user's; absent: the first one's"},
      {"anonymous", SHAPE_BOOL, 0}, {"verified", SHAPE_TEXT, 0, 0, 8, .choices = "A|B|C|V|none|failed"},
      {"at", SHAPE_TEXT, 0, 0, 40, .help = "2026-12-24T17:30, UTC; absent: now"},
      {"plan", SHAPE_TEXT, 0, 0, PLAN_MAX, .help = "Another dialplan than the one in force"});

static void plan_etag(const char *text, char ret[WEB_ETAG_BYTES]) {
  json_t *j = json_string(text);
  desk_etag(ret, j);
  json_decref(j);
}

static json_t *rules_json(const struct plan *p) {
  struct route_facts none = {0};
  char text[1024];
  json_t *list = json_array();
  for (uint32_t i = 0; p && i < plan_rules(p); i++) {
    struct route_trial t = route_try(p, i, &none);
    plan_rule_text(p, i, text, sizeof(text));
    json_array_append_new(
        list, json_pack("{s:s, s:i, s:s}", "name", t.name, "line", (int)t.line, "summary", text));
  }
  return list;
}

static void routes_answer(struct admin *a, struct web_answer *ret) {
  struct revise_state s;
  own(conf) c = NULL;
  own(plan) p = NULL;
  char etag[WEB_ETAG_BYTES];
  if (!config_state(a, &s, ret))
    return;
  (void)(revise_current(a->set.revise, &c, &p) < 0); /* no rules then */
  plan_etag(s.plan_text, etag);
  const char *slash = strrchr(s.plan_name, '/');
  json_t *text = json_string(s.plan_text);
  desk_json(ret, 200,
            json_pack("{s:s, s:s, s:o, s:o}", "etag", etag, "file", slash ? slash + 1 : s.plan_name,
                      "text", text ? text : json_string(""), "rules", rules_json(p)));
  memcpy(ret->etag, etag, sizeof(etag));
  revise_state_done(&s);
}

void verb_routes(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  (void)ask;
  routes_answer(a, ret);
}

void verb_routes_put(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct revise_state s;
  char etag[WEB_ETAG_BYTES];
  if (!config_state(a, &s, ret))
    return;
  plan_etag(s.plan_text, etag);
  struct config_change c = {.plan_text = json_string_value(json_object_get(ask->body, "text")),
                            .what = "PUT routes",
                            .etag = s.etag,
                            .at = {{"", ""}, ""}};
  if (desk_match(ask, etag, ret) && config_change(a, ask, &c, ret)) {
    ask->before = json_pack("{s:s}", "routes", etag);
    plan_etag(c.plan_text, etag);
    ask->after = json_pack("{s:s}", "routes", etag);
    routes_answer(a, ret);
  }
  revise_state_done(&s);
}

/* ---- the test of a number ---- */

static const char *text_of(const struct desk_ask *ask, const char *name) {
  const char *s = json_string_value(json_object_get(ask->body, name));
  return s ? s : "";
}

static bool question_read(struct trial *q, struct desk_ask *ask, const struct conf *c,
                          const struct plan *p, struct web_answer *ret) {
  const char *word, *why;
  char pointer[16];
  struct trial_words w = {.called = text_of(ask, "called"),
                          .caller = text_of(ask, "caller"),
                          .trunk = text_of(ask, "trunk"),
                          .user = text_of(ask, "user"),
                          .verified = text_of(ask, "verified"),
                          .at = text_of(ask, "at"),
                          .anonymous = json_is_true(json_object_get(ask->body, "anonymous"))};
  if (trial_ask(q, &w, c, p, &word, &why) == 0)
    return true;
  snprintf(pointer, sizeof(pointer), "/%s", word);
  desk_wrong(ret, pointer, why);
  return false;
}

/* The decision, and beside it those of the numbers that it is forwarded to. */
static json_t *walk(const struct plan *p, const struct route_facts *f) {
  json_t *forwards = trial_walk(p, *f);
  json_t *first = json_incref(json_array_get(forwards, 0));
  json_array_remove(forwards, 0);
  json_object_set_new(first, "forwards", forwards);
  return first;
}

void verb_routes_test(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  own(conf) c = NULL;
  own(plan) p = NULL;
  own(candidate) other = NULL;
  struct revise_state s;
  struct trial q;
  const char *plan = json_string_value(json_object_get(ask->body, "plan"));
  if (!config_state(a, &s, ret))
    return;
  int r = plan ? revise_judge(a->set.revise, slice_of(s.text), slice_of(plan), &other)
               : revise_current(a->set.revise, &c, &p);
  revise_state_done(&s);
  const struct conf *conf = other ? other->conf : c;
  const struct plan *asked = other ? other->plan : p;
  if (r == 0 && other && other->faults.n)
    config_faults(ret, &other->faults, NULL);
  else if (r < 0 || !conf || !asked)
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
  else if (question_read(&q, ask, conf, asked, ret))
    desk_json(ret, 200, walk(asked, &q.f));
}
