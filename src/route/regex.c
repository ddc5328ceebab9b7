/* SPDX-License-Identifier: Apache-2.0
 * PCRE2 over whole numbers, with limits on steps, depth and memory, so that no number takes long;
 * compiled to machine code where the machine allows it. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "route/part.h"

#include <pcre2.h>
#include <stdio.h>

enum { STEPS_MAX = 20000, DEPTH_MAX = 200, HEAP_MAX_KIB = 256 };

int regex_compile(void **ret, const char *regex, char *error, size_t error_bytes) {
  int code = 0;
  PCRE2_SIZE at = 0;
  pcre2_code *made = pcre2_compile(
      (PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
      PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
  if (made) {
    (void)pcre2_jit_compile(made,
                            PCRE2_JIT_COMPLETE); /* else it is interpreted, under the same limits */
    *ret = made;
    return 0;
  }
  char text[120] = "";
  pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof(text));
  snprintf(error, error_bytes, "%s at character %zu", text, (size_t)at + 1);
  return -EINVAL;
}

void *regex_free(void *code) {
  pcre2_code_free(code);
  return NULL;
}

uint32_t regex_groups(const void *code) {
  uint32_t n = 0;
  (void)pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &n);
  return n;
}

static pcre2_match_context *limits_new(void) {
  pcre2_match_context *limits = pcre2_match_context_create(NULL);
  if (!limits)
    return NULL;
  pcre2_set_match_limit(limits, STEPS_MAX);
  pcre2_set_depth_limit(limits, DEPTH_MAX);
  pcre2_set_heap_limit(limits, HEAP_MAX_KIB);
  return limits;
}

static void groups_fill(struct slice number, const pcre2_match_data *data, int n,
                        struct slice groups[GROUPS_MAX + 1]) {
  const PCRE2_SIZE *at = pcre2_get_ovector_pointer((pcre2_match_data *)data);
  for (int i = 0; i <= GROUPS_MAX; i++) {
    bool is_there = i < n && at[2 * i] != PCRE2_UNSET;
    groups[i] = is_there ? slice_from(number.p + at[2 * i], at[2 * i + 1] - at[2 * i]) : SLICE("");
  }
}

int regex_match(const void *code, struct slice number, struct slice groups[GROUPS_MAX + 1]) {
  int r = PCRE2_ERROR_NOMEMORY;
  struct slice s = number.p ? number : SLICE("");
  pcre2_match_context *limits = limits_new();
  pcre2_match_data *data = pcre2_match_data_create(GROUPS_MAX + 1, NULL);
  if (limits && data)
    r = pcre2_match(code, (PCRE2_SPTR)s.p, s.n, 0, 0, data, limits);
  if (r >= 0 && groups)
    groups_fill(s, data, r == 0 ? GROUPS_MAX + 1 : r, groups);
  pcre2_match_data_free(data);
  pcre2_match_context_free(limits);
  if (r >= 0)
    return 1;
  return r == PCRE2_ERROR_NOMATCH ? 0 : -EINVAL;
}
