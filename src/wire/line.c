/* SPDX-License-Identifier: Apache-2.0
 * Lines of SDP: see line.h. */
#include "wire/line.h"

static int line_fail(struct lines *l, int error, const char *rule) {
  l->rule = rule;
  return error;
}

static bool is_blank_rest(struct slice s) { return slice_trim(s).n == 0; }

/* Tabs are let through (some write them), every other control character is refused. */
static bool has_control(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
      return true;
  return false;
}

int line_next(struct lines *l, char *ret_type, struct slice *ret_value) {
  if (l->rest.n == 0)
    return 0;
  l->number++;
  struct slice line = slice_cut(&l->rest, '\n');
  if (line.n && line.p[line.n - 1] == '\r')
    line.n--;
  if (line.n > LINE_MAX_BYTES)
    return line_fail(l, -E2BIG, "a line of at most 4096 bytes");
  if (line.n == 0 && is_blank_rest(l->rest)) {
    l->rest = (struct slice){NULL, 0};
    return 0;
  }
  if (line.n < 2 || line.p[1] != '=' || line.p[0] < 'a' || line.p[0] > 'z')
    return line_fail(l, -EBADMSG, "a line of the form x=value");
  if (has_control(line))
    return line_fail(l, -EBADMSG, "a line without control characters");
  *ret_type = line.p[0];
  *ret_value = slice_from(line.p + 2, line.n - 2);
  return 1;
}

struct slice line_word(struct slice *s) {
  size_t from = 0, to;
  while (from < s->n && (s->p[from] == ' ' || s->p[from] == '\t'))
    from++;
  for (to = from; to < s->n && s->p[to] != ' ' && s->p[to] != '\t'; to++)
    ;
  struct slice word = slice_from(s->n ? s->p + from : NULL, to - from);
  *s = slice_from(s->n ? s->p + to : NULL, s->n - to);
  return word;
}

bool line_is_word(struct slice s, size_t max) {
  if (s.n == 0 || s.n > max)
    return false;
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] <= ' ' || s.p[i] > '~')
      return false;
  return true;
}

bool line_is_token(struct slice s, size_t max) {
  if (!line_is_word(s, max))
    return false;
  for (size_t i = 0; i < s.n; i++)
    if (strchr("\"(),/:;<=>?@[]\\", s.p[i]))
      return false;
  return true;
}

int line_copy(char *dst, size_t dst_bytes, struct slice s) {
  memset(dst, 0, dst_bytes);
  return slice_copy(dst, dst_bytes, s);
}

int line_word_copy(char *dst, size_t dst_bytes, struct slice v, size_t min) {
  v = slice_trim(v);
  if (v.n < min || !line_is_word(v, dst_bytes - 1))
    return -EBADMSG;
  return line_copy(dst, dst_bytes, v) < 0 ? -EBADMSG : 0;
}
