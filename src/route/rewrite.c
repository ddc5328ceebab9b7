/* SPDX-License-Identifier: Apache-2.0
 * Numbers as a rule rewrites them: brought to E.164 (E.164 11, RFC 3966), parts replaced, stripped,
 * prefixed. */
#include "route/part.h"

#include "base/text.h"

#include <stdio.h>

static bool is_digits(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] < '0' || s.p[i] > '9')
      return false;
  return s.n > 0;
}

static struct slice slice_after(struct slice s, size_t n) { return slice_from(s.p + n, s.n - n); }

int number_globalize(const char *country, const char *national, const char *international,
                     struct slice number, char *dst, size_t dst_bytes) {
  struct slice abroad = slice_of(international), home = slice_of(national);
  struct text t;
  text_init(&t, dst, dst_bytes);
  if (!country[0] || !is_digits(number))
    text_add_slice(&t, number);
  else if (abroad.n && number.n > abroad.n && slice_starts(number, abroad))
    text_add(&t, "+%.*s", SLICE_ARG(slice_after(number, abroad.n)));
  else if (home.n && number.n > home.n && slice_starts(number, home))
    text_add(&t, "+%s%.*s", country, SLICE_ARG(slice_after(number, home.n)));
  else
    text_add_slice(&t, number);
  return t.error;
}

int number_replace(const char *replace, const struct slice *groups, uint32_t n_groups, char *dst,
                   size_t dst_bytes) {
  struct text t;
  text_init(&t, dst, dst_bytes);
  for (const char *p = replace; *p; p++) {
    bool is_group = p[0] == '\\' && p[1] >= '0' && p[1] <= '9';
    uint32_t group = is_group ? (uint32_t)(p[1] - '0') : 0;
    if (is_group && group <= n_groups)
      text_add_slice(&t, groups[group]);
    else if (!is_group)
      text_add_slice(&t, slice_from(p, 1));
    p += is_group;
  }
  return t.error;
}

static int parts_replace(const struct edit *e, char *number, size_t bytes) {
  struct slice groups[GROUPS_MAX + 1];
  char made[ROUTE_NUMBER_BYTES];
  int r = regex_match(e->code, slice_of(number), groups);
  if (r <= 0)
    return r;
  r = number_replace(e->replace, groups, GROUPS_MAX, made, sizeof(made));
  return r < 0 ? r : slice_copy(number, bytes, slice_of(made));
}

int edit_apply(const struct edit *e, struct slice number, char *dst, size_t dst_bytes) {
  char whole[ROUTE_NUMBER_BYTES];
  int r = number_globalize(e->country, e->national, e->international, number.p ? number : SLICE(""),
                           whole, sizeof(whole));
  dst[0] = 0;
  if (r == 0 && e->code)
    r = parts_replace(e, whole, sizeof(whole));
  if (r < 0)
    return r;
  size_t n = strlen(whole), strip = e->strip < n ? e->strip : n;
  int made = snprintf(dst, dst_bytes, "%s%s", e->prefix, whole + strip);
  if (made >= 0 && (size_t)made < dst_bytes)
    return 0;
  dst[0] = 0;
  return -ENOSPC;
}

/* The parts that replace names must be caught by match. */
static int groups_check(const struct edit *e, char *error, size_t error_bytes) {
  uint32_t n = regex_groups(e->code);
  for (const char *p = e->replace; *p; p++) {
    if (*p != '\\')
      continue;
    if (p[1] < '0' || p[1] > '9' || (uint32_t)(p[1] - '0') > n) {
      snprintf(error, error_bytes, "replace: expected \\0 to \\%u after a backslash",
               n < GROUPS_MAX ? n : GROUPS_MAX);
      return -EINVAL;
    }
    p++;
  }
  return 0;
}

int edit_compile(struct edit *e, char *error, size_t error_bytes) {
  if (!e->match[0] && !e->replace[0])
    return 0;
  int r = regex_compile(&e->code, e->match, error, error_bytes);
  return r < 0 ? r : groups_check(e, error, error_bytes);
}

void edit_done(struct edit *e) { e->code = regex_free(e->code); }
