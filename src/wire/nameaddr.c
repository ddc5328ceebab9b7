/* SPDX-License-Identifier: Apache-2.0
 * Name-addrs in lists. See nameaddr.h. */
#include "wire/nameaddr.h"

#include <ctype.h>
#include <stdio.h>

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static struct slice from(struct slice s, size_t at) {
  return at < s.n ? slice_from(s.p + at, s.n - at) : slice_from(s.p + s.n, 0);
}

/* Bytes of the quoted-string at the start, 0 if it is none or has no end. */
static size_t quoted_bytes(struct slice s) {
  for (size_t i = 1; i < s.n; i++) {
    if (s.p[i] == '"')
      return i + 1;
    if (s.p[i] == '\\')
      i++;
  }
  return 0;
}

/* Where the first of these characters stands outside of quotes; s.n if nowhere; -EBADMSG. */
static ssize_t find_bare(struct slice s, const char *set) {
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == '"') {
      size_t n = quoted_bytes(from(s, i));
      if (!n)
        return -EBADMSG;
      i += n - 1;
    } else if (s.p[i] && strchr(set, s.p[i])) {
      return (ssize_t)i;
    }
  }
  return (ssize_t)s.n;
}

static bool is_clean(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if ((unsigned char)s.p[i] < 0x20 ? !is_blank(s.p[i]) : s.p[i] == 0x7f)
      return false;
  return true;
}

/* No blanks, quotes or brackets; ASCII. */
static bool is_uri_text(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] >= 0x7f || strchr("<>\"", s.p[i]))
      return false;
  return s.n > 0;
}

static bool is_scheme(struct slice s) {
  for (size_t i = 0; i < s.n; i++) {
    char c = (char)(s.p[i] | 0x20);
    if (!((c >= 'a' && c <= 'z') || (i && ((s.p[i] >= '0' && s.p[i] <= '9') || strchr("+-.", s.p[i])))))
      return false;
  }
  return s.n > 0;
}

static size_t span_to(struct slice s, const char *set) {
  size_t i = 0;
  while (i < s.n && !strchr(set, s.p[i]))
    i++;
  return i;
}

/* user[:password]@host[:port] and the rest. A user part may hold ; and ?, so the @ comes first. */
static int sip_split(struct nameaddr *a, struct slice s) {
  const char *at = s.n ? memchr(s.p, '@', s.n) : NULL;
  if (at) {
    a->user = slice_from(s.p, (size_t)(at - s.p));
    a->user.n = span_to(a->user, ":");
    s = from(s, (size_t)(at - s.p) + 1);
  }
  size_t end = span_to(s, ";?");
  a->host = slice_from(s.p, end);
  a->rest = from(s, end);
  return a->host.n && !memchr(s.p, '@', s.n) && (!at || a->user.n) ? 0 : -EBADMSG;
}

static int uri_split(struct nameaddr *a) {
  struct slice s = a->uri;
  if (!is_uri_text(s) || !memchr(s.p, ':', s.n))
    return -EBADMSG;
  a->scheme = slice_cut(&s, ':');
  if (!is_scheme(a->scheme))
    return -EBADMSG;
  if (slice_ieq(a->scheme, SLICE("sip")) || slice_ieq(a->scheme, SLICE("sips")))
    return sip_split(a, s);
  size_t end = span_to(s, ";?");
  a->user = slice_from(s.p, end);
  a->rest = from(s, end);
  return end ? 0 : -EBADMSG;
}

/* Between < and >, or up to the first ; where there are none. */
static int value_split(struct slice s, struct nameaddr *ret) {
  ssize_t open = find_bare(s, "<");
  if (open < 0)
    return -EBADMSG;
  if ((size_t)open == s.n) {
    size_t end = span_to(s, ";");
    ret->uri = slice_trim(slice_from(s.p, end));
    ret->params = from(s, end);
    return memchr(s.p, '"', end) || memchr(s.p, '>', s.n) ? -EBADMSG : uri_split(ret);
  }
  ret->display = slice_trim(slice_from(s.p, (size_t)open));
  struct slice rest = from(s, (size_t)open + 1);
  size_t end = span_to(rest, ">");
  ret->uri = slice_from(rest.p, end);
  ret->params = slice_trim(from(rest, end + 1));
  if (end == rest.n || (ret->params.n && ret->params.p[0] != ';'))
    return -EBADMSG;
  if (find_bare(ret->params, "<>") != (ssize_t)ret->params.n)
    return -EBADMSG;
  if (ret->display.n && ret->display.p[0] == '"' && quoted_bytes(ret->display) != ret->display.n)
    return -EBADMSG;
  return uri_split(ret);
}

/* Where the value ends: at a comma outside of quotes and brackets. */
static ssize_t value_bytes(struct slice s) {
  ssize_t open = find_bare(s, ",<");
  if (open < 0 || (size_t)open == s.n || s.p[open] == ',')
    return open;
  size_t close = (size_t)open + span_to(from(s, (size_t)open), ">");
  ssize_t comma = find_bare(from(s, close), ",");
  return comma < 0 ? comma : (ssize_t)close + comma;
}

int nameaddr_next(struct slice *list, struct nameaddr *ret) {
  struct slice s = slice_trim(*list);
  memset(ret, 0, sizeof *ret);
  if (!s.n)
    return 0;
  ssize_t n = value_bytes(s);
  if (n < 0 || !is_clean(s))
    return -EBADMSG;
  *list = from(s, (size_t)n + 1);
  struct slice value = slice_trim(slice_from(s.p, (size_t)n));
  return value.n && value_split(value, ret) == 0 ? 1 : -EBADMSG;
}

bool nameaddr_param(struct slice params, struct slice name, struct slice *ret) {
  while (params.n) {
    ssize_t end = find_bare(params, ";?");
    if (end < 0)
      return false;
    struct slice value = slice_from(params.p, (size_t)end), key = slice_trim(slice_cut(&value, '='));
    params = from(params, (size_t)end + 1);
    if (key.n && slice_ieq(key, name)) {
      *ret = slice_trim(value);
      return true;
    }
  }
  return false;
}

static int hex(char c) {
  return isdigit((unsigned char)c)    ? c - '0'
         : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                      : -1;
}

/* Up to a character of end; those of skip are left out. */
static int unescape(char *dst, size_t bytes, struct slice s, const char *end, const char *skip) {
  size_t n = 0;
  dst[0] = 0;
  for (size_t i = 0; i < s.n && !(s.p[i] && strchr(end, s.p[i])); i++) {
    int c = (unsigned char)s.p[i];
    if (c == '%') {
      if (i + 2 >= s.n || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0)
        return dst[0] = 0, -EINVAL;
      c = hex(s.p[i + 1]) * 16 + hex(s.p[i + 2]);
      i += 2;
    } else if (c && strchr(skip, c)) {
      continue;
    }
    if (c < 0x20 || c == 0x7f)
      return dst[0] = 0, -EINVAL;
    if (n + 1 >= bytes)
      return dst[0] = 0, -ENOSPC;
    dst[n++] = (char)c;
    dst[n] = 0;
  }
  return 0;
}

int nameaddr_unescape(char *dst, size_t bytes, struct slice s) {
  return unescape(dst, bytes, s, "", "");
}

int nameaddr_number(char *dst, size_t bytes, struct slice user) {
  bool is_global = user.n && user.p[0] == '+';
  return unescape(dst, bytes, user, ";", is_global ? "-.()" : "");
}

char *nameaddr_escape(char *dst, size_t bytes, const char *text) {
  size_t n = 0;
  for (; *text && n + 4 < bytes; text++) {
    if (isalnum((unsigned char)*text) || strchr("-_.!~*'()+", *text))
      dst[n++] = *text;
    else
      n += (size_t)sprintf(dst + n, "%%%02X", (unsigned char)*text);
  }
  dst[n] = 0;
  return dst;
}
