/* SPDX-License-Identifier: Apache-2.0
 * Number forms: see e164.h. */
#include "wire/e164.h"

static bool all_of(struct slice s, const char *set) {
  for (size_t i = 0; i < s.n; i++)
    if (!s.p[i] || !strchr(set, s.p[i]))
      return false;
  return true;
}

bool e164_is_global(struct slice s) {
  return s.n >= 5 && s.n <= 16 && s.p[0] == '+' && all_of(slice_from(s.p + 1, s.n - 1), "0123456789");
}

bool e164_is_dial(struct slice s) { return s.n >= 1 && s.n <= 32 && all_of(s, "0123456789*#"); }

bool e164_is_dialable(struct slice s) { return e164_is_global(s) || e164_is_dial(s); }
