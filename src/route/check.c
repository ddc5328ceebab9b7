/* SPDX-License-Identifier: Apache-2.0
 * A plan against the configuration: what it names must be there. */
#include "route/part.h"

struct check {
  const struct plan *p;
  const struct rule *rule;
  const struct conf *conf;
  struct conf_errors *errors;
};

static void trunk_check(const struct check *k, uint32_t line, const char *name) {
  const struct conf_trunk *t = conf_trunk_find(k->conf, slice_of(name));
  char target[CONF_PATH_BYTES];
  if (!t)
    conf_error_add(k->errors, k->p->file, line, "rule \"%s\": there is no trunk \"%s\"", k->rule->name,
                   name);
  else if (conf_trunk_target(t, 0, target, sizeof(target)) < 0 && !t->attach.accept_register &&
           !t->attach.registration.registrars.n)
    conf_error_add(k->errors, k->p->file, line, "rule \"%s\": trunks[%s] has no target to send calls to",
                   k->rule->name, name);
}

static void step_check(const struct check *k, const struct route_step *s) {
  const struct prefixes *table = s->is_table ? k->rule->called.table->prefixes : NULL;
  for (uint32_t i = 0; table && i < prefix_labels(table); i++)
    trunk_check(k, s->line, prefix_label(table, (uint16_t)i));
  for (uint32_t i = 0; i < s->n && s->action == ROUTE_TRUNK; i++)
    trunk_check(k, s->line, s->to[i].name);
  for (uint32_t i = 0; i < s->n && s->action == ROUTE_USER; i++)
    if (!conf_user_find(k->conf, slice_of(s->to[i].name)))
      conf_error_add(k->errors, k->p->file, s->line, "rule \"%s\": there is no user \"%s\"",
                     k->rule->name, s->to[i].name);
  if (s->file[0] && access(s->file, R_OK) < 0)
    conf_error_add(k->errors, k->p->file, s->line, "rule \"%s\": announce: %s: %s", k->rule->name,
                   s->file, strerror(errno));
}

int plan_check(struct plan *p, const struct conf *c, struct conf_errors *errors) {
  errors->n = 0;
  for (uint32_t i = 0; i < p->n; i++) {
    const struct rule *r = &p->rules[i];
    struct check k = {p, r, c, errors};
    if (r->trunk[0] && !conf_trunk_find(c, slice_of(r->trunk)))
      conf_error_add(errors, p->file, r->line, "rule \"%s\": there is no trunk \"%s\"", r->name,
                     r->trunk);
    for (uint32_t s = 0; s < r->n_steps; s++)
      step_check(&k, &r->steps[s]);
  }
  int r = numbers_bind(p, c, errors);
  return r < 0 ? r : errors->n ? -EINVAL : 0;
}
