/* SPDX-License-Identifier: Apache-2.0
 * Facts against a rule. */
#include "route/part.h"

static int pattern_match(const struct pattern *p, struct slice number) {
  const struct prefix_row *row;
  uint32_t digits;
  if (!p->exact.n && !p->prefix.n && !p->code && !p->table)
    return 1;
  for (uint32_t i = 0; i < p->exact.n; i++)
    if (slice_eq(number, slice_of(p->exact.text[i])))
      return 1;
  for (uint32_t i = 0; i < p->prefix.n; i++)
    if (slice_starts(number, slice_of(p->prefix.text[i])))
      return 1;
  if (p->table && p->table->prefixes && prefixes_find(p->table->prefixes, number, &row, &digits))
    return 1;
  return p->code ? regex_match(p->code, number, NULL) : 0;
}

static bool names_fit(const struct conf_names *names, struct slice s) {
  bool fits = names->n == 0;
  for (uint32_t i = 0; i < names->n && !fits; i++)
    fits = slice_eq(s, slice_of(names->text[i]));
  return fits;
}

/* While it is not known yet, what asks for a good one fits: the plan is asked again. */
static bool verified_fits(const struct conf_names *names, struct slice s) {
  static const char *const good[] = {"A", "B", "C", "V"};
  bool fits = names_fit(names, s);
  for (size_t i = 0; i < COUNT_OF(good) && slice_eq(s, SLICE("pending")); i++)
    fits = fits || names_fit(names, slice_of(good[i]));
  return fits;
}

static bool name_fits(const char *name, struct slice s) {
  return !name[0] || slice_eq(s, slice_of(name));
}

static enum rule_fit origin_fits(const struct rule *r, const struct route_facts *f) {
  static const char *const kinds[] = {"", "trunk", "native", "forward"};
  if (r->from != FROM_ANY && !slice_eq(f->from_kind, slice_of(kinds[r->from])))
    return FIT_NOT_FROM;
  if (!name_fits(r->trunk, f->trunk))
    return FIT_NOT_TRUNK;
  if (!name_fits(r->tenant, f->tenant))
    return FIT_NOT_TENANT;
  if (!name_fits(r->identity, f->identity))
    return FIT_NOT_IDENTITY;
  if (!verified_fits(&r->verified, f->verified))
    return FIT_NOT_VERIFIED;
  if (r->anonymous != FLAG_ANY && f->anonymous != (r->anonymous == FLAG_YES))
    return FIT_NOT_ANONYMOUS;
  return when_fits(&r->when, f->wall_s) ? FIT : FIT_NOT_TIME;
}

enum rule_fit rule_fits(const struct rule *r, const struct route_facts *f) {
  enum rule_fit fit = origin_fits(r, f);
  if (fit != FIT)
    return fit;
  int called = pattern_match(&r->called, f->called);
  if (called == 0)
    return FIT_NOT_CALLED;
  int caller = pattern_match(&r->caller, f->caller);
  if (caller == 0)
    return FIT_NOT_CALLER;
  return called < 0 || caller < 0 ? FIT_GAVE_UP : FIT;
}
