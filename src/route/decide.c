/* SPDX-License-Identifier: Apache-2.0
 * Facts and a plan -> decision: the first rule in the file's order that fits. Pure. */
#include "base/text.h"
#include "route/part.h"

static struct route_decision refuse(int sip, const char *rule) {
  struct route_decision d = {.action = ROUTE_REFUSE, .sip = sip};
  slice_copy(d.rule, sizeof(d.rule), slice_of(rule));
  return d;
}

static struct route_decision rule_decide(const struct rule *r, const struct route_facts *f) {
  struct route_decision d = {.action = (enum route_action)r->action,
                             .timeout_s = r->timeout_s,
                             .sip = (int)r->refuse,
                             .emergency = r->emergency};
  memcpy(d.rule, r->name, sizeof(d.rule));
  memcpy(d.user, r->user, sizeof(d.user));
  memcpy(d.trunk, r->to_trunk, sizeof(d.trunk));
  if (edit_apply(&r->edit_called, f->called, d.called, sizeof(d.called)) < 0 ||
      edit_apply(&r->edit_caller, f->caller, d.caller, sizeof(d.caller)) < 0)
    return refuse(484, r->name);
  return d;
}

struct route_decision route_decide(const struct plan *p, const struct route_facts *f) {
  for (uint32_t i = 0; i < p->n; i++) {
    enum rule_fit fit = rule_fits(&p->rules[i], f);
    if (fit == FIT_GAVE_UP)
      return refuse(500, p->rules[i].name);
    if (fit == FIT)
      return rule_decide(&p->rules[i], f);
  }
  return refuse(404, "");
}

static const char *fit_text(enum rule_fit fit) {
  static const char *const texts[] = {
      [FIT] = "fits",
      [FIT_NOT_FROM] = "from is another",
      [FIT_NOT_TRUNK] = "trunk is another",
      [FIT_NOT_TENANT] = "tenant is another",
      [FIT_NOT_CALLED] = "called does not match",
      [FIT_NOT_CALLER] = "caller does not match",
      [FIT_GAVE_UP] = "its regex gave up",
  };
  return texts[fit];
}

static void decision_text(struct text *t, const struct route_decision *d) {
  switch (d->action) {
  case ROUTE_USER:
    text_add(t, "to user %s\n", d->user);
    return;
  case ROUTE_TRUNK:
    text_add(t, "to trunk %s as %s, caller %s\n", d->trunk, d->called, d->caller);
    return;
  case ROUTE_ECHO:
    text_add(t, "to the echo\n");
    return;
  case ROUTE_TONE:
    text_add(t, "to the tone\n");
    return;
  case ROUTE_REFUSE:
    text_add(t, "refused with %d\n", d->sip);
    return;
  }
}

/* Each rule that was asked on a line of its own; a text that does not fit ends where it stops. */
size_t route_explain(const struct plan *p, const struct route_facts *f, char *dst, size_t dst_bytes) {
  struct route_decision d = route_decide(p, f);
  struct text t;
  text_init(&t, dst, dst_bytes);
  for (uint32_t i = 0; i < p->n; i++) {
    enum rule_fit fit = rule_fits(&p->rules[i], f);
    struct text before = t;
    text_add(&t, "rule %u \"%s\" (line %u): %s\n", i + 1, p->rules[i].name, p->rules[i].line,
             fit_text(fit));
    if (t.error) {
      t = before;
      t.p[t.n] = 0;
      break;
    }
    if (fit == FIT || fit == FIT_GAVE_UP)
      break;
  }
  size_t n = t.n;
  decision_text(&t, &d);
  if (t.error)
    dst[n] = 0;
  return t.error ? n : t.n;
}
