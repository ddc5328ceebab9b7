/* SPDX-License-Identifier: Apache-2.0
 * A number asked of a dialplan: see trial.h. Pure but for the time of day. */
#include "revise/trial.h"

#include "base/clock.h"

#include <time.h>

static bool is_said(const char *word) { return word && word[0]; }

static bool time_read(const char *text, uint64_t *ret_s) {
  struct tm tm = {0};
  if (!is_said(text))
    return true;
  if (!strptime(text, "%Y-%m-%dT%H:%M", &tm))
    return false;
  *ret_s = (uint64_t)timegm(&tm);
  return true;
}

static void native_fill(struct route_facts *f, const struct conf_user *u) {
  if (!u)
    return;
  f->identity = slice_of(u->name);
  f->tenant = slice_of(u->tenant);
  if (!f->caller.n && u->numbers.n)
    f->caller = slice_of(u->numbers.text[0]);
}

/* As the trunk writes numbers. */
static void trunk_fill(struct trial *t, const struct plan *p, const char *trunk) {
  if (route_number(p, trunk, ROUTE_IN_CALLED, t->f.called, t->called, sizeof(t->called)) == 0)
    t->f.called = slice_of(t->called);
  if (route_number(p, trunk, ROUTE_IN_CALLER, t->f.caller, t->caller, sizeof(t->caller)) == 0)
    t->f.caller = slice_of(t->caller);
}

static int wrong(const char **ret_word, const char *word, const char **ret_why, const char *why) {
  *ret_word = word;
  *ret_why = why;
  return -EINVAL;
}

int trial_ask(struct trial *ret, const struct trial_words *w, const struct conf *c, const struct plan *p,
              const char **ret_word, const char **ret_why) {
  bool by_trunk = is_said(w->trunk);
  const struct conf_user *u = is_said(w->user) ? conf_user_find(c, slice_of(w->user))
                              : c->n_users     ? c->users
                                               : NULL;
  ret->f = (struct route_facts){.from_kind = by_trunk ? SLICE("trunk") : SLICE("native"),
                                .trunk = slice_of(w->trunk),
                                .called = slice_of(w->called),
                                .caller = slice_of(w->caller),
                                .verified = slice_of(w->verified),
                                .anonymous = w->anonymous,
                                .wall_s = clock_wall_ms() / 1000};
  if (by_trunk && !conf_trunk_find(c, ret->f.trunk))
    return wrong(ret_word, "trunk", ret_why, "there is no trunk of this name");
  if (is_said(w->user) && !u)
    return wrong(ret_word, "user", ret_why, "there is no user of this name");
  if (!time_read(w->at, &ret->f.wall_s))
    return wrong(ret_word, "at", ret_why, "expected a time like 2026-12-24T17:30");
  if (by_trunk)
    trunk_fill(ret, p, w->trunk);
  else
    native_fill(&ret->f, u);
  return 0;
}

bool trial_forward(struct route_facts *f, const struct route_decision *d) {
  for (uint32_t i = 0; i < d->n_steps; i++)
    if (d->steps[i].action == ROUTE_FORWARD) {
      f->from_kind = SLICE("forward");
      f->called = slice_of(d->steps[i].number);
      return true;
    }
  return false;
}

static json_t *rules_json(const struct plan *p, const struct route_facts *f) {
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

static json_t *steps_json(const struct route_decision *d) {
  char text[2200];
  json_t *list = json_array();
  for (uint32_t i = 0; i < d->n_steps; i++) {
    route_step_text(d, i, text, sizeof(text));
    json_array_append_new(list, json_string(text));
  }
  return list;
}

static json_t *decision_json(const struct plan *p, const struct route_facts *f,
                             const struct route_decision *d) {
  json_t *j = json_pack(
      "{s:s%, s:s%, s:o, s:s, s:s, s:s, s:b, s:o, s:o, s:s?}", "number", f->called.p, f->called.n,
      "from", f->from_kind.p, f->from_kind.n, "rules", rules_json(p, f), "rule", d->rule, "called",
      d->called, "caller", d->caller, "emergency", d->emergency, "steps", steps_json(d), "refused",
      d->action == ROUTE_REFUSE ? json_integer(d->sip) : json_null(), "fault", d->fault);
  return j ? j : json_object();
}

json_t *trial_walk(const struct plan *p, struct route_facts f) {
  struct route_decision d = route_decide(p, &f);
  json_t *list = json_array();
  json_array_append_new(list, decision_json(p, &f, &d));
  for (unsigned depth = 0; depth < TRIAL_FORWARDS_MAX && trial_forward(&f, &d); depth++) {
    d = route_decide(p, &f);
    json_array_append_new(list, decision_json(p, &f, &d));
  }
  return list;
}
