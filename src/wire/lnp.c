/* SPDX-License-Identifier: Apache-2.0
 * Number portability parameters: see lnp.h. */
#include "wire/lnp.h"

static bool is_separator(char c) { return c == '-' || c == '.' || c == '(' || c == ')'; }

static bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void number_read(char dst[LNP_NUMBER_BYTES], struct slice s) {
  size_t n = 0;
  for (size_t i = 0; i < s.n; i++) {
    bool is_good = is_hex(s.p[i]) || (i == 0 && s.p[i] == '+');
    if (is_separator(s.p[i]))
      continue;
    if (!is_good || n + 1 == LNP_NUMBER_BYTES) {
      n = 0;
      break;
    }
    dst[n++] = s.p[i];
  }
  dst[n] = 0;
  if (n == 1 && dst[0] == '+')
    dst[0] = 0;
}

void lnp_read(struct lnp *ret, struct slice params) {
  *ret = (struct lnp){0};
  while (params.n) {
    struct slice value = slice_cut(&params, ';'), name = slice_cut(&value, '=');
    if (slice_ieq(name, SLICE("npdi")))
      ret->npdi = true;
    else if (slice_ieq(name, SLICE("rn")))
      number_read(ret->rn, value);
    else if (slice_ieq(name, SLICE("cic")))
      number_read(ret->cic, value);
  }
}

char *lnp_write(const struct lnp *l, char dst[LNP_TEXT_BYTES]) {
  struct text t;
  text_init(&t, dst, LNP_TEXT_BYTES);
  text_add(&t, "%s", l->npdi ? ";npdi" : "");
  if (l->rn[0])
    text_add(&t, ";rn=%s", l->rn);
  if (l->cic[0])
    text_add(&t, ";cic=%s", l->cic);
  return dst;
}
