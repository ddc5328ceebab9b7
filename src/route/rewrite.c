/* SPDX-License-Identifier: Apache-2.0
 * Numbers as a rule rewrites them. */
#include "route/part.h"

#include <stdio.h>

int edit_apply(const struct edit *e, struct slice number, char *dst, size_t dst_bytes) {
  size_t strip = e->strip < number.n ? e->strip : number.n;
  struct slice rest = slice_from(number.p ? number.p + strip : "", number.n - strip);
  size_t prefix = strlen(e->prefix);
  dst[0] = 0;
  if (prefix + rest.n >= dst_bytes)
    return -ENOSPC;
  memcpy(dst, e->prefix, prefix);
  return slice_copy(dst + prefix, dst_bytes - prefix, rest);
}
