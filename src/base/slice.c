/* SPDX-License-Identifier: Apache-2.0
 * Slices: see slice.h. Pure; any thread. */
#include "base/slice.h"

#include <stdio.h>
#include <strings.h>

bool slice_eq(struct slice a, struct slice b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_ieq(struct slice a, struct slice b) {
  return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

bool slice_starts(struct slice s, struct slice prefix) {
  return s.n >= prefix.n && slice_eq(slice_from(s.p, prefix.n), prefix);
}

bool slice_istarts(struct slice s, struct slice prefix) {
  return s.n >= prefix.n && slice_ieq(slice_from(s.p, prefix.n), prefix);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

struct slice slice_trim(struct slice s) {
  while (s.n && is_blank(s.p[0]))
    s.p++, s.n--;
  while (s.n && is_blank(s.p[s.n - 1]))
    s.n--;
  return s;
}

struct slice slice_cut(struct slice *s, char sep) {
  const char *at = s->n ? memchr(s->p, sep, s->n) : NULL;
  struct slice head = *s;
  if (!at) {
    *s = (struct slice){NULL, 0};
    return head;
  }
  head.n = (size_t)(at - s->p);
  s->p += head.n + 1;
  s->n -= head.n + 1;
  return head;
}

int slice_u64(struct slice s, uint64_t max, uint64_t *ret) {
  uint64_t v = 0;
  if (s.n == 0)
    return -EINVAL;
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] < '0' || s.p[i] > '9')
      return -EINVAL;
    unsigned d = (unsigned)(s.p[i] - '0');
    if (v > (UINT64_MAX - d) / 10)
      return -ERANGE;
    v = v * 10 + d;
  }
  if (v > max)
    return -ERANGE;
  *ret = v;
  return 0;
}

char *slice_dup(struct slice s) {
  char *p = malloc(s.n + 1);
  if (!p)
    return NULL;
  if (s.n)
    memcpy(p, s.p, s.n);
  p[s.n] = 0;
  return p;
}

int slice_copy(char *dst, size_t dst_bytes, struct slice s) {
  dst[0] = 0;
  if (s.n >= dst_bytes)
    return -ENOSPC;
  if (s.n)
    memcpy(dst, s.p, s.n);
  dst[s.n] = 0;
  return 0;
}

bool slice_eq_secret(struct slice a, struct slice b) {
  if (a.n != b.n)
    return false;
  unsigned char diff = 0;
  for (size_t i = 0; i < a.n; i++)
    diff |= (unsigned char)(a.p[i] ^ b.p[i]);
  return diff == 0;
}

char *slice_escape(char *dst, size_t dst_bytes, struct slice s) {
  size_t o = 0;
  for (size_t i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.p[i];
    bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
    if (o + (plain ? 1 : 4) >= dst_bytes)
      break;
    if (plain)
      dst[o++] = (char)c;
    else
      o += (size_t)snprintf(dst + o, dst_bytes - o, "\\x%02x", c);
  }
  if (dst_bytes)
    dst[o] = 0;
  return dst;
}

size_t slice_chars(struct slice s) {
  size_t n = 0;
  for (size_t i = 0; i < s.n; i++)
    n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
  return n;
}

bool slice_is_ascii(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
      return false;
  return true;
}
