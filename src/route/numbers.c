/* SPDX-License-Identifier: Apache-2.0
 * How each trunk writes numbers: its rules for the four directions, compiled when a plan is checked, and
 * the forms of E.164 (national and international prefixes, a missing +, tech prefixes). */
#include "route/part.h"

#include <stdio.h>

struct trunk_numbers {
  char trunk[CONF_NAME_BYTES];
  struct conf_numbers conf;
  void *codes[4][CONF_NUMBER_RULES_MAX];
};

static const char *const directions[] = {"inbound_called", "inbound_caller", "outbound_called",
                                         "outbound_caller"};

static void rule_compile(struct trunk_numbers *n, uint32_t way, uint32_t i, const struct conf *c,
                         uint32_t line, struct conf_errors *errors) {
  const struct conf_number_rule *r = &n->conf.rules[way].rule[i];
  char error[160];
  struct edit e = {0};
  snprintf(e.match, sizeof(e.match), "%s", r->match);
  snprintf(e.replace, sizeof(e.replace), "%s", r->replace);
  if (edit_compile(&e, error, sizeof(error)) < 0)
    conf_error_add(errors, c->file, line, "trunks[%s].numbers.%s[%u]: %s", n->trunk, directions[way], i,
                   error);
  n->codes[way][i] = e.code;
}

static bool has_rules(const struct conf_numbers *n) {
  static const struct conf_numbers none = {.international = "00"};
  return memcmp(n, &none, sizeof(none)) != 0;
}

int numbers_bind(struct plan *p, const struct conf *c, struct conf_errors *errors) {
  p->numbers = numbers_free(p->numbers, p->n_numbers);
  p->n_numbers = 0;
  p->numbers = calloc(c->n_trunks + 1, sizeof(*p->numbers));
  if (!p->numbers)
    return -ENOMEM;
  for (uint32_t t = 0; t < c->n_trunks; t++) {
    if (!has_rules(&c->trunks[t].numbers))
      continue;
    struct trunk_numbers *n = &p->numbers[p->n_numbers++];
    memcpy(n->trunk, c->trunks[t].name, sizeof(n->trunk));
    n->conf = c->trunks[t].numbers;
    for (uint32_t way = 0; way < COUNT_OF(directions); way++)
      for (uint32_t i = 0; i < n->conf.rules[way].n; i++)
        rule_compile(n, way, i, c, c->trunks[t].line, errors);
  }
  return 0;
}

struct trunk_numbers *numbers_free(struct trunk_numbers *list, uint32_t n) {
  for (uint32_t t = 0; t < n; t++)
    for (uint32_t way = 0; way < COUNT_OF(directions); way++)
      for (uint32_t i = 0; i < CONF_NUMBER_RULES_MAX; i++)
        list[t].codes[way][i] = regex_free(list[t].codes[way][i]);
  free(list);
  return NULL;
}

/* The first rule that fits: 1, 0, -EINVAL (limits) or -ENOSPC. */
static int rules_apply(const struct trunk_numbers *n, enum route_direction way, struct slice number,
                       char *dst, size_t bytes) {
  const struct conf_number_rules *rules = &n->conf.rules[way];
  struct slice groups[GROUPS_MAX + 1];
  for (uint32_t i = 0; i < rules->n; i++) {
    int r = n->codes[way][i] ? regex_match(n->codes[way][i], number, groups) : 0;
    if (r < 0)
      return r;
    if (r > 0)
      return number_replace(rules->rule[i].replace, groups, GROUPS_MAX, dst, bytes) < 0 ? -ENOSPC : 1;
  }
  return 0;
}

static bool is_all_digits(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] < '0' || s.p[i] > '9')
      return false;
  return s.n > 0;
}

enum { WHOLE_DIGITS_MIN = 8 }; /* shorter ones are no numbers of the world without their + */

static int from_wire(const struct conf_numbers *n, struct slice number, char *dst, size_t bytes) {
  char whole[ROUTE_NUMBER_BYTES];
  int r = number_globalize(n->country, n->national, n->international, number, whole, sizeof(whole));
  if (r < 0)
    return r;
  bool lacks_plus =
      n->missing_plus && is_all_digits(slice_of(whole)) && strlen(whole) >= WHOLE_DIGITS_MIN;
  int made = snprintf(dst, bytes, "%s%s", lacks_plus ? "+" : "", whole);
  return made >= 0 && (size_t)made < bytes ? 0 : -ENOSPC;
}

/* +COUNTRY… as the trunk writes it; what has no + is a short code and stays. */
static int to_wire(const struct conf_numbers *n, struct slice number, char *dst, size_t bytes) {
  struct slice digits = slice_from(number.p + 1, number.n ? number.n - 1 : 0),
               country = slice_of(n->country);
  const char *front = "";
  if (!number.n || number.p[0] != '+' || n->form == NUMBERS_E164)
    return slice_copy(dst, bytes, number);
  if (n->form == NUMBERS_NATIONAL && slice_starts(digits, country)) {
    digits = slice_from(digits.p + country.n, digits.n - country.n);
    front = n->national;
  } else if (n->form >= NUMBERS_NATIONAL) {
    front = n->international;
  }
  int made = snprintf(dst, bytes, "%s%.*s", front, SLICE_ARG(digits));
  return made >= 0 && (size_t)made < bytes ? 0 : -ENOSPC;
}

static const struct trunk_numbers *numbers_of(const struct plan *p, const char *trunk) {
  for (uint32_t i = 0; p && i < p->n_numbers; i++)
    if (strcmp(p->numbers[i].trunk, trunk) == 0)
      return &p->numbers[i];
  return NULL;
}

int route_number(const struct plan *p, const char *trunk, enum route_direction way, struct slice number,
                 char *dst, size_t dst_bytes) {
  const struct trunk_numbers *n = numbers_of(p, trunk);
  struct slice tech = slice_of(n ? n->conf.tech_prefix : ""), rest = number;
  char made[ROUTE_NUMBER_BYTES];
  if (!n || !number.n)
    return slice_copy(dst, dst_bytes, number);
  if (way == ROUTE_IN_CALLED && tech.n && slice_starts(rest, tech))
    rest = slice_from(rest.p + tech.n, rest.n - tech.n);
  int r = rules_apply(n, way, rest, made, sizeof(made));
  if (r < 0)
    return r;
  bool is_in = way == ROUTE_IN_CALLED || way == ROUTE_IN_CALLER;
  if (is_in)
    return from_wire(&n->conf, r ? slice_of(made) : rest, dst, dst_bytes);
  if (!r)
    r = to_wire(&n->conf, rest, made, sizeof(made));
  if (r < 0)
    return r;
  int length =
      snprintf(dst, dst_bytes, "%s%s", way == ROUTE_OUT_CALLED ? n->conf.tech_prefix : "", made);
  return length >= 0 && (size_t)length < dst_bytes ? 0 : -ENOSPC;
}
