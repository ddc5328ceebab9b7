/* SPDX-License-Identifier: Apache-2.0
 * Facts and a plan -> decision: the first rule in the file's order that fits. Pure. */
#include "route/part.h"

#include <stdio.h>

static struct route_decision refuse(int sip, const char *rule, const char *fault) {
  struct route_decision d = {.action = ROUTE_REFUSE, .sip = sip, .fault = fault};
  slice_copy(d.rule, sizeof(d.rule), slice_of(rule));
  return d;
}

/* The carriers of the number's row: cheaper ones are of better priority. */
static void row_take(struct route_decision *d, const struct table *t, struct slice called) {
  const struct prefix_row *row = NULL;
  uint32_t digits = 0, n = t && t->prefixes ? prefixes_find(t->prefixes, called, &row, &digits) : 0;
  size_t plus = called.n && called.p[0] == '+';
  for (uint32_t i = 0; i < n && i < ROUTE_ROW_MAX; i++) {
    struct route_target *to = &d->row[d->n_row++];
    bool is_equal = i > 0 && row[i].cost == row[i - 1].cost;
    slice_copy(to->name, sizeof(to->name), slice_of(prefix_label(t->prefixes, row[i].label)));
    to->priority = (uint16_t)(i == 0 ? 1 : d->row[i - 1].priority + !is_equal);
    to->weight = row[i].weight;
  }
  if (n)
    snprintf(d->prefix, sizeof(d->prefix), "%.*s", (int)digits, called.p + plus);
}

static void first_take(struct route_decision *d, const struct route_step *s) {
  const struct route_target *first = s->is_table ? d->row : s->to;
  d->action = s->action;
  d->sip = s->sip;
  if (s->action == ROUTE_USER)
    memcpy(d->user, first->name, sizeof(d->user));
  if (s->action == ROUTE_TRUNK)
    memcpy(d->trunk, first->name, sizeof(d->trunk));
}

static int edit_both(const struct rule *r, const struct route_facts *f, struct route_decision *d) {
  int e = edit_apply(&r->edit_called, f->called, d->called, sizeof(d->called));
  return e < 0 ? e : edit_apply(&r->edit_caller, f->caller, d->caller, sizeof(d->caller));
}

static struct route_decision rule_decide(const struct rule *r, const struct route_facts *f) {
  struct route_decision d = {
      .timeout_s = r->timeout_s, .emergency = r->emergency, .steps = r->steps, .n_steps = r->n_steps};
  memcpy(d.rule, r->name, sizeof(d.rule));
  row_take(&d, r->called.table, f->called);
  first_take(&d, r->steps);
  int e = edit_both(r, f, &d);
  if (e == -EINVAL)
    return refuse(500, r->name, "its match runs into the limits of patterns");
  if (e < 0)
    return refuse(484, r->name, "the number is too long as it rewrites it");
  return d;
}

struct route_decision route_decide(const struct plan *p, const struct route_facts *f) {
  for (uint32_t i = 0; i < p->n; i++) {
    enum rule_fit fit = rule_fits(&p->rules[i], f);
    if (fit != FIT_GAVE_UP && fit != FIT)
      continue;
    struct route_decision d =
        fit == FIT ? rule_decide(&p->rules[i], f)
                   : refuse(500, p->rules[i].name, "its regex runs into the limits of patterns");
    d.rule_line = p->rules[i].line;
    return d;
  }
  return refuse(404, "", NULL);
}

bool plan_takes_calls(const struct plan *p) {
  for (uint32_t i = 0; i < p->n; i++)
    if (p->rules[i].n_steps && p->rules[i].steps[0].action != ROUTE_REFUSE)
      return true;
  return false;
}

const char *plan_emergency(const struct plan *p, uint32_t i) {
  for (uint32_t k = 0; k < p->n; k++) {
    const struct rule *r = &p->rules[k];
    if (!r->emergency)
      continue;
    if (i < r->called.exact.n)
      return r->called.exact.text[i];
    i -= r->called.exact.n;
  }
  return NULL;
}
