/* SPDX-License-Identifier: Apache-2.0
 * The table of paths: see path.h. A linear walk: tables have some thirty rows. */
#include "web/path.h"

#include <stdio.h>

static const char *const method_names[WEB_METHOD_COUNT_] = {"GET",   "HEAD",   "POST",   "PUT",
                                                            "PATCH", "DELETE", "OPTIONS"};

bool web_method_find(struct slice name, enum web_method *ret_method) {
  for (unsigned m = 0; m < WEB_METHOD_COUNT_; m++)
    if (slice_eq(name, slice_of(method_names[m]))) {
      *ret_method = (enum web_method)m;
      return true;
    }
  return false;
}

const char *web_method_text(enum web_method m) { return m < WEB_METHOD_COUNT_ ? method_names[m] : "?"; }

char *web_allow_text(unsigned allow, char *dst, size_t dst_bytes) {
  size_t at = 0;
  dst[0] = 0;
  for (unsigned m = 0; m < WEB_METHOD_COUNT_; m++) {
    if (!(allow & 1u << m))
      continue;
    int n = snprintf(dst + at, dst_bytes - at, "%s%s", at ? ", " : "", method_names[m]);
    if (n < 0 || (size_t)n >= dst_bytes - at)
      break;
    at += (size_t)n;
  }
  return dst;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int web_unescape(struct slice text, bool plus, bool slash, char *dst, size_t dst_bytes) {
  size_t at = 0;
  for (size_t i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    if (c == '%') {
      int hi = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
      int lo = i + 2 < text.n ? hex_digit(text.p[i + 2]) : -1;
      if (hi < 0 || lo < 0)
        return -EINVAL;
      c = (unsigned char)(hi << 4 | lo);
      i += 2;
      if (c == '/' && !slash)
        return -EINVAL;
    } else if (c == '+' && plus) {
      c = ' ';
    }
    if (c < 0x20 || c == 0x7f)
      return -EINVAL;
    if (at + 1 >= dst_bytes)
      return -ENOSPC;
    dst[at++] = (char)c;
  }
  if (at >= dst_bytes)
    return -ENOSPC;
  dst[at] = 0;
  return 0;
}

static bool segment_take(struct slice want, struct slice got, struct web_params *params) {
  if (want.n < 2 || want.p[0] != '{')
    return slice_eq(want, got);
  if (!got.n || params->n >= WEB_PARAMS_MAX ||
      web_unescape(got, false, false, params->text[params->n], WEB_PARAM_BYTES) < 0)
    return false;
  params->n++;
  return true;
}

static bool pattern_matches(const char *pattern, struct slice path, struct web_params *params) {
  struct slice want = slice_of(pattern), got = path;
  params->n = 0;
  while (want.p && got.p) {
    struct slice w = slice_cut(&want, '/'), g = slice_cut(&got, '/');
    if (!segment_take(w, g, params))
      return false;
  }
  return !want.p && !got.p;
}

const struct web_row *web_path_find(const struct web_row *rows, size_t n, enum web_method method,
                                    struct slice path, struct web_params *ret_params,
                                    unsigned *ret_allow) {
  struct web_params other;
  enum web_method wanted = method == WEB_HEAD ? WEB_GET : method;
  *ret_allow = 0;
  for (size_t i = 0; i < n; i++) {
    if (rows[i].method != wanted || (method == WEB_HEAD && rows[i].flags & WEB_NO_HEAD))
      continue;
    if (pattern_matches(rows[i].pattern, path, ret_params))
      return &rows[i];
  }
  for (size_t i = 0; i < n; i++) {
    if (!pattern_matches(rows[i].pattern, path, &other))
      continue;
    *ret_allow |= 1u << rows[i].method | 1u << WEB_OPTIONS;
    if (rows[i].method == WEB_GET && !(rows[i].flags & WEB_NO_HEAD))
      *ret_allow |= 1u << WEB_HEAD;
  }
  return NULL;
}

static size_t slot_of(enum web_method method, struct slice path) {
  uint32_t h = 2166136261u + (uint32_t)method;
  for (size_t i = 0; i < path.n; i++)
    h = (h ^ (unsigned char)path.p[i]) * 16777619u;
  return (h ^ h >> 16) % PATH_SLOTS;
}

/* A row behind another one that takes its path is not for it; where slots collide the first is kept. */
void path_index_make(struct path_index *ret, const struct web_row *rows, size_t n) {
  struct web_params params;
  unsigned allow;
  memset(ret, 0, sizeof(*ret));
  for (size_t i = 0; i < n && i < UINT16_MAX; i++) {
    struct slice path = slice_of(rows[i].pattern);
    uint16_t *slot = &ret->row[slot_of(rows[i].method, path)];
    if (!*slot && !strchr(rows[i].pattern, '{') &&
        web_path_find(rows, n, rows[i].method, path, &params, &allow) == &rows[i])
      *slot = (uint16_t)(i + 1);
  }
}

const struct web_row *path_index_find(const struct path_index *x, const struct web_row *rows,
                                      enum web_method method, struct slice path) {
  uint16_t at = x->row[slot_of(method, path)];
  const struct web_row *row = at ? &rows[at - 1] : NULL;
  return row && row->method == method && slice_eq(slice_of(row->pattern), path) ? row : NULL;
}

unsigned web_path_allow(const struct web_row *rows, size_t n, struct slice path) {
  struct web_params params;
  unsigned allow;
  (void)web_path_find(rows, n, WEB_METHOD_COUNT_, path, &params, &allow);
  return allow;
}
