/* SPDX-License-Identifier: Apache-2.0
 * Facts against a rule. Regexes are PCRE2 over the whole number, with limits on steps, depth and
 * memory, so that no number takes long. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "route/part.h"

#include <pcre2.h>
#include <stdio.h>

enum { STEPS_MAX = 20000, DEPTH_MAX = 200, HEAP_MAX_KIB = 256 };

int pattern_compile(struct pattern *p, char *error, size_t error_bytes) {
  int code = 0;
  PCRE2_SIZE at = 0;
  if (!p->regex[0])
    return 0;
  p->code = pcre2_compile((PCRE2_SPTR)p->regex, PCRE2_ZERO_TERMINATED,
                          PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C,
                          &code, &at, NULL);
  if (p->code)
    return 0;
  char text[120] = "";
  pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof(text));
  snprintf(error, error_bytes, "%s at character %zu", text, (size_t)at + 1);
  return -EINVAL;
}

void pattern_done(struct pattern *p) {
  pcre2_code_free(p->code);
  p->code = NULL;
}

static int regex_match(const struct pattern *p, struct slice number) {
  int r = PCRE2_ERROR_NOMEMORY;
  pcre2_match_context *limits = pcre2_match_context_create(NULL);
  pcre2_match_data *data = pcre2_match_data_create(1, NULL);
  if (limits && data) {
    pcre2_set_match_limit(limits, STEPS_MAX);
    pcre2_set_depth_limit(limits, DEPTH_MAX);
    pcre2_set_heap_limit(limits, HEAP_MAX_KIB);
    r = pcre2_match(p->code, (PCRE2_SPTR)(number.p ? number.p : ""), number.n, 0, 0, data, limits);
  }
  pcre2_match_data_free(data);
  pcre2_match_context_free(limits);
  if (r >= 0)
    return 1;
  return r == PCRE2_ERROR_NOMATCH ? 0 : -EINVAL;
}

int pattern_match(const struct pattern *p, struct slice number) {
  if (!p->exact.n && !p->prefix.n && !p->code)
    return 1;
  for (uint32_t i = 0; i < p->exact.n; i++)
    if (slice_eq(number, slice_of(p->exact.text[i])))
      return 1;
  for (uint32_t i = 0; i < p->prefix.n; i++)
    if (slice_starts(number, slice_of(p->prefix.text[i])))
      return 1;
  return p->code ? regex_match(p, number) : 0;
}

enum rule_fit rule_fits(const struct rule *r, const struct route_facts *f) {
  static const char *const kinds[] = {"", "trunk", "native"};
  if (r->from != FROM_ANY && !slice_eq(f->from_kind, slice_of(kinds[r->from])))
    return FIT_NOT_FROM;
  if (r->trunk[0] && !slice_eq(f->trunk, slice_of(r->trunk)))
    return FIT_NOT_TRUNK;
  if (r->tenant[0] && !slice_eq(f->tenant, slice_of(r->tenant)))
    return FIT_NOT_TENANT;
  int called = pattern_match(&r->called, f->called);
  if (called == 0)
    return FIT_NOT_CALLED;
  int caller = pattern_match(&r->caller, f->caller);
  if (caller == 0)
    return FIT_NOT_CALLER;
  return called < 0 || caller < 0 ? FIT_GAVE_UP : FIT;
}
