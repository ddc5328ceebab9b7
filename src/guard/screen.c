/* SPDX-License-Identifier: Apache-2.0
 * Which callers a trunk may show: its own numbers. Pure. */
#include "guard/part.h"

bool guard_may_show(const struct conf_trunk *t, struct slice number) {
  for (uint32_t i = 0; i < t->numbers_allowed.n; i++) {
    struct slice range = slice_of(t->numbers_allowed.text[i]);
    bool is_prefix = range.n && range.p[range.n - 1] == '*';
    if (is_prefix)
      range.n--;
    if (is_prefix ? slice_starts(number, range) : slice_eq(number, range))
      return true;
  }
  return t->numbers_allowed.n == 0;
}
