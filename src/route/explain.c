/* SPDX-License-Identifier: Apache-2.0
 * A decision in words: each rule that was asked, and the steps of the one that took the call. */
#include "route/part.h"

#include "base/text.h"

#include <stdio.h>

static const char *const fits[] = {
    [FIT] = "fits",
    [FIT_NOT_FROM] = "from is another",
    [FIT_NOT_TRUNK] = "trunk is another",
    [FIT_NOT_TENANT] = "tenant is another",
    [FIT_NOT_IDENTITY] = "identity is another",
    [FIT_NOT_VERIFIED] = "verified is another",
    [FIT_NOT_ANONYMOUS] = "anonymous is another",
    [FIT_NOT_TIME] = "it is another time",
    [FIT_NOT_CALLED] = "called does not match",
    [FIT_NOT_CALLER] = "caller does not match",
    [FIT_GAVE_UP] = "its regex gave up",
};

static const char *const outcomes[] = {"busy",     "no_answer", "unreachable",
                                       "declined", "not_found", "failed"};

uint32_t plan_rules(const struct plan *p) { return p->n; }

struct route_trial route_try(const struct plan *p, uint32_t rule, const struct route_facts *f) {
  const struct rule *r = &p->rules[rule];
  enum rule_fit fit = rule_fits(r, f);
  return (struct route_trial){r->name, fits[fit], r->line, fit == FIT, fit == FIT_GAVE_UP};
}

static void targets_text(struct text *t, const struct route_target *to, uint32_t n, bool is_trunk) {
  for (uint32_t i = 0; i < n; i++) {
    text_add(t, "%s%s", i ? ", " : "", to[i].name);
    if (is_trunk && n > 1)
      text_add(t, " (priority %u, weight %u)", to[i].priority, to[i].weight);
  }
}

static void on_text(struct text *t, uint32_t on) {
  const char *before = "; goes on when ";
  if (on == OUTCOME_ALWAYS)
    text_add(t, "; always goes on");
  for (size_t i = 0; i < COUNT_OF(outcomes) && on != OUTCOME_ALWAYS; i++)
    if (on >> i & 1) {
      text_add(t, "%s%s", before, outcomes[i]);
      before = ", ";
    }
}

static void users_text(struct text *t, const struct route_step *s) {
  if (s->n == 1)
    text_add(t, "user ");
  else if (s->next_after_s)
    text_add(t, "users, one more every %u s, ", s->next_after_s);
  else
    text_add(t, s->in_turn ? "users in turn " : "users at once ");
  targets_text(t, s->to, s->n, false);
}

static void action_text(struct text *t, const struct route_decision *d, const struct route_step *s) {
  uint32_t n = s->is_table ? d->n_row : s->n;
  switch (s->action) {
  case ROUTE_USER:
    users_text(t, s);
    return;
  case ROUTE_TRUNK:
    text_add(t, n == 1 ? "trunk " : "trunks ");
    targets_text(t, s->is_table ? d->row : s->to, n, true);
    if (s->is_table)
      text_add(t, " by prefix %s", d->prefix);
    return;
  case ROUTE_FORWARD:
    text_add(t, "%s %s", s->is_voicemail ? "voicemail" : "forward to", s->number);
    return;
  case ROUTE_ANNOUNCE:
    text_add(t, "announce %s%s", s->file, s->is_answered ? ", answered" : "");
    if (s->sip)
      text_add(t, ", then refuse with %d", s->sip);
    return;
  case ROUTE_ECHO:
  case ROUTE_TONE:
    text_add(t, s->action == ROUTE_ECHO ? "echo" : "tone");
    return;
  case ROUTE_REFUSE:
    text_add(t, "refuse with %d%s%s", s->sip, s->reason[0] ? " " : "", s->reason);
    return;
  }
}

size_t route_step_text(const struct route_decision *d, uint32_t step, char *dst, size_t dst_bytes) {
  const struct route_step *s = &d->steps[step];
  uint32_t timeout_s = s->timeout_s ? s->timeout_s : d->timeout_s;
  bool rings = s->action == ROUTE_USER || s->action == ROUTE_TRUNK || s->action == ROUTE_FORWARD;
  struct text t;
  text_init(&t, dst, dst_bytes);
  action_text(&t, d, s);
  if (rings && timeout_s)
    text_add(&t, ", %u s", timeout_s);
  if (rings && step + 1 < d->n_steps)
    on_text(&t, s->on);
  return t.n;
}

/* The whole line or none of it. */
static bool line_add(struct text *t, const char *line) {
  size_t n = t->n;
  text_add(t, "%s", line);
  if (t->error)
    t->p[t->n = n] = 0;
  return !t->error;
}

static bool rules_explain(struct text *t, const struct plan *p, const struct route_facts *f) {
  char line[256];
  for (uint32_t i = 0; i < p->n; i++) {
    struct route_trial trial = route_try(p, i, f);
    snprintf(line, sizeof(line), "rule %u \"%s\" (line %u): %s\n", i + 1, trial.name, trial.line,
             trial.why);
    if (!line_add(t, line))
      return false;
    if (trial.fits || trial.gave_up)
      return true;
  }
  return line_add(t, "no rule fits\n");
}

/* Each rule that was asked on a line of its own; a text that does not fit ends where it stops. */
size_t route_explain(const struct plan *p, const struct route_facts *f, char *dst, size_t dst_bytes) {
  struct route_decision d = route_decide(p, f);
  char step[2200], line[2400];
  struct text t;
  text_init(&t, dst, dst_bytes);
  bool goes_on = rules_explain(&t, p, f);
  if (goes_on && d.n_steps) {
    snprintf(line, sizeof(line), "called %s, caller %s%s\n", d.called, d.caller,
             d.emergency ? ", emergency" : "");
    goes_on = line_add(&t, line);
  }
  for (uint32_t i = 0; goes_on && i < d.n_steps; i++) {
    route_step_text(&d, i, step, sizeof(step));
    snprintf(line, sizeof(line), "step %u: %s\n", i + 1, step);
    goes_on = line_add(&t, line);
  }
  if (goes_on && !d.n_steps) {
    snprintf(line, sizeof(line), "refused with %d%s%s\n", d.sip, d.fault ? ": " : "",
             d.fault ? d.fault : "");
    line_add(&t, line);
  }
  return t.n;
}

size_t plan_rule_text(const struct plan *p, uint32_t rule, char *dst, size_t dst_bytes) {
  const struct rule *r = &p->rules[rule];
  struct route_decision d = {.timeout_s = r->timeout_s, .steps = r->steps, .n_steps = r->n_steps};
  char step[512];
  struct text t;
  text_init(&t, dst, dst_bytes);
  for (uint32_t i = 0; i < d.n_steps; i++) {
    route_step_text(&d, i, step, sizeof(step));
    text_add(&t, "%s%s", i ? ", then " : "", step);
  }
  return t.n;
}
