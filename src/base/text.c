/* SPDX-License-Identifier: Apache-2.0
 * Bounded text: see text.h. Any thread. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

void text_init(struct text *t, char *dst, size_t dst_bytes) {
  *t = (struct text){dst, dst_bytes, 0, dst_bytes ? 0 : -ENOSPC};
  if (dst_bytes)
    dst[0] = 0;
}

void text_add(struct text *t, const char *format, ...) {
  va_list ap;
  if (t->error)
    return;
  va_start(ap, format);
  int n = vsnprintf(t->p + t->n, t->bytes - t->n, format, ap);
  va_end(ap);
  if (n < 0 || (size_t)n >= t->bytes - t->n)
    t->error = -ENOSPC;
  else
    t->n += (size_t)n;
}

void text_add_slice(struct text *t, struct slice s) {
  if (t->error)
    return;
  if (s.n >= t->bytes - t->n) {
    t->error = -ENOSPC;
    return;
  }
  if (s.n)
    memcpy(t->p + t->n, s.p, s.n);
  t->n += s.n;
  t->p[t->n] = 0;
}

void text_add_field(struct text *t, const char *field) {
  for (const char *c = field; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) {
      t->error = t->error ? t->error : -EINVAL;
      return;
    }
  text_add_slice(t, slice_of(field));
}

int text_end(struct text *t, size_t *ret_n) {
  if (t->error) {
    if (t->bytes)
      explicit_bzero(t->p, t->bytes);
    t->n = 0;
  }
  *ret_n = t->n;
  return t->error;
}
