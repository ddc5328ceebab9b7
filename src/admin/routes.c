/* SPDX-License-Identifier: Apache-2.0
 * The dialplan: its text and rules, another text into force, and where it would lead a call. Web
 * threads. */
#include "admin/config.h"

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { PLAN_MAX = 4 << 20, FORWARDS_MAX = 3 };

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

struct question {
  struct route_facts f;
  char called[ROUTE_NUMBER_BYTES], caller[ROUTE_NUMBER_BYTES];
};

static const char *text_of(const struct desk_ask *ask, const char *name) {
  const char *s = json_string_value(json_object_get(ask->body, name));
  return s ? s : "";
}

static bool time_read(const char *text, uint64_t *ret_s) {
  struct tm tm = {0};
  if (!text[0])
    return true;
  if (!strptime(text, "%Y-%m-%dT%H:%M", &tm))
    return false;
  *ret_s = (uint64_t)timegm(&tm);
  return true;
}

static void native_fill(struct question *q, const struct conf_user *u) {
  if (!u)
    return;
  q->f.identity = slice_of(u->name);
  q->f.tenant = slice_of(u->tenant);
  if (!q->f.caller.n && u->numbers.n)
    q->f.caller = slice_of(u->numbers.text[0]);
}

static void numbers_read(struct question *q, const struct plan *p, const char *trunk) {
  if (route_number(p, trunk, ROUTE_IN_CALLED, q->f.called, q->called, sizeof(q->called)) == 0)
    q->f.called = slice_of(q->called);
  if (route_number(p, trunk, ROUTE_IN_CALLER, q->f.caller, q->caller, sizeof(q->caller)) == 0)
    q->f.caller = slice_of(q->caller);
}

static bool question_read(struct question *q, struct desk_ask *ask, const struct conf *c,
                          const struct plan *p, struct web_answer *ret) {
  const char *trunk = text_of(ask, "trunk"), *user = text_of(ask, "user");
  const struct conf_user *u = user[0] ? conf_user_find(c, slice_of(user)) : c->n_users ? c->users : NULL;
  q->f = (struct route_facts){.from_kind = trunk[0] ? SLICE("trunk") : SLICE("native"),
                              .trunk = slice_of(trunk),
                              .called = slice_of(text_of(ask, "called")),
                              .caller = slice_of(text_of(ask, "caller")),
                              .verified = slice_of(text_of(ask, "verified")),
                              .anonymous = json_is_true(json_object_get(ask->body, "anonymous")),
                              .wall_s = clock_wall_ms() / 1000};
  if (trunk[0] && !conf_trunk_find(c, slice_of(trunk)))
    return desk_wrong(ret, "/trunk", "there is no trunk of this name"), false;
  if (user[0] && !u)
    return desk_wrong(ret, "/user", "there is no user of this name"), false;
  if (!time_read(text_of(ask, "at"), &q->f.wall_s))
    return desk_wrong(ret, "/at", "expected a time like 2026-12-24T17:30"), false;
  if (trunk[0])
    numbers_read(q, p, trunk);
  else
    native_fill(q, u);
  return true;
}

static json_t *trials_json(const struct plan *p, const struct route_facts *f) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < plan_rules(p); i++) {
    struct route_trial t = route_try(p, i, f);
    json_array_append_new(list, json_pack("{s:s, s:i, s:b, s:s}", "rule", t.name, "line", (int)t.line,
                                          "fits", t.fits, "why", t.why));
    if (t.fits || t.gave_up)
      break;
  }
  return list;
}

static json_t *decision_json(const struct plan *p, const struct route_facts *f,
                             const struct route_decision *d) {
  char text[2200];
  json_t *steps = json_array();
  for (uint32_t i = 0; i < d->n_steps; i++) {
    route_step_text(d, i, text, sizeof(text));
    json_array_append_new(steps, json_string(text));
  }
  json_t *j = json_pack(
      "{s:s%, s:s%, s:o, s:s, s:s, s:s, s:b, s:o, s:o, s:s?}", "number", f->called.p, f->called.n,
      "from", f->from_kind.p, f->from_kind.n, "rules", trials_json(p, f), "rule", d->rule, "called",
      d->called, "caller", d->caller, "emergency", d->emergency, "steps", steps, "refused",
      d->action == ROUTE_REFUSE ? json_integer(d->sip) : json_null(), "fault", d->fault);
  return j ? j : json_object();
}

static const struct route_step *forward_of(const struct route_decision *d) {
  for (uint32_t i = 0; i < d->n_steps; i++)
    if (d->steps[i].action == ROUTE_FORWARD)
      return &d->steps[i];
  return NULL;
}

/* The decision, and those of the numbers that it is forwarded to. */
static json_t *walk(const struct plan *p, struct route_facts f) {
  struct route_decision d = route_decide(p, &f);
  json_t *first = decision_json(p, &f, &d), *forwards = json_array();
  const struct route_step *s;
  for (unsigned depth = 0; depth < FORWARDS_MAX && (s = forward_of(&d)); depth++) {
    f.from_kind = SLICE("forward");
    f.called = slice_of(s->number);
    d = route_decide(p, &f);
    json_array_append_new(forwards, decision_json(p, &f, &d));
  }
  json_object_set_new(first, "forwards", forwards);
  return first;
}

void verb_routes_test(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  own(conf) c = NULL;
  own(plan) p = NULL;
  own(candidate) other = NULL;
  struct revise_state s;
  struct question q;
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
    desk_json(ret, 200, walk(asked, q.f));
}
