/* SPDX-License-Identifier: Apache-2.0
 * Texts of header fields. See headers.h. */
#include "trunk/headers.h"

#include "conf/conf.h"
#include "wire/nameaddr.h"

#include <ctype.h>
#include <stdio.h>

enum { PARTS_MAX = 8 }; /* of a multipart body that are looked at */

/* Bytes of the character at the start: 1 to 4, 0 if that is no UTF-8 (RFC 3629) or a control. */
static size_t char_bytes(struct slice s) {
  unsigned char c = s.n ? (unsigned char)s.p[0] : 0, least = 0x80, most = 0xbf;
  size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
  if (c >= 0x20 && c < 0x7f)
    return 1;
  if (c < 0xc2 || c > 0xf4 || s.n < n)
    return 0;
  least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : least;
  most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : most;
  if ((unsigned char)s.p[1] < least || (unsigned char)s.p[1] > most ||
      (c == 0xc2 && (unsigned char)s.p[1] < 0xa0))
    return 0;
  for (size_t i = 2; i < n; i++)
    if (((unsigned char)s.p[i] & 0xc0) != 0x80)
      return 0;
  return n;
}

char *header_quote(char *dst, size_t bytes, struct slice text) {
  size_t n = 0;
  for (size_t i = 0; i < text.n;) {
    size_t step = char_bytes(slice_from(text.p + i, text.n - i));
    bool special = text.p[i] == '"' || text.p[i] == '\\';
    if (n + special + (step ? step : 1) >= bytes)
      break;
    if (special)
      dst[n++] = '\\';
    memcpy(dst + n, step ? text.p + i : "?", step ? step : 1);
    n += step ? step : 1;
    i += step ? step : 1;
  }
  dst[n] = 0;
  return dst;
}

char *header_display(char *dst, size_t bytes, struct slice name) {
  size_t n = 0;
  bool is_quoted = name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"';
  if (is_quoted)
    name = slice_from(name.p + 1, name.n - 2);
  for (size_t i = 0; i < name.n;) {
    i += is_quoted && name.p[i] == '\\' && i + 1 < name.n;
    size_t step = char_bytes(slice_from(name.p + i, name.n - i));
    if (n + (step ? step : 1) >= bytes)
      break;
    memcpy(dst + n, step ? name.p + i : "?", step ? step : 1);
    n += step ? step : 1;
    i += step ? step : 1;
  }
  dst[n] = 0;
  return dst;
}

char *header_warning(char *dst, size_t bytes, const char *host, const char *title, const char *detail) {
  char text[256], quoted[512];
  snprintf(text, sizeof text, "%s%s%s", title, *detail ? ": " : "", detail);
  header_quote(quoted, sizeof quoted, slice_of(text));
  int n = snprintf(dst, bytes, "399 %s \"%s\"", host, quoted);
  if (n < 0 || (size_t)n >= bytes)
    snprintf(dst, bytes, "399 sallyport \"refused\"");
  return dst;
}

char *header_reason(char *dst, size_t bytes, int q850, const char *text) {
  char quoted[128];
  if (q850 <= 0)
    dst[0] = 0;
  else
    snprintf(dst, bytes, "Q.850;cause=%d;text=\"%s\"", q850,
             header_quote(quoted, sizeof quoted, slice_of(text)));
  return dst;
}

char *header_session(char *dst, size_t bytes, const char *local, const char *remote) {
  if (!local || !*local)
    dst[0] = 0;
  else
    snprintf(dst, bytes, "%s;remote=%s", local,
             remote && *remote ? remote : "00000000000000000000000000000000");
  return dst;
}

bool header_session_read(struct slice value, char ret[SESSION_ID_BYTES]) {
  struct slice uuid = slice_trim(slice_cut(&value, ';'));
  bool is_nil = true;
  ret[0] = 0;
  if (uuid.n != SESSION_ID_BYTES - 1)
    return false;
  for (size_t i = 0; i < uuid.n; i++) {
    if (!isxdigit((unsigned char)uuid.p[i]))
      return false;
    is_nil &= uuid.p[i] == '0';
  }
  if (is_nil)
    return false;
  for (size_t i = 0; i < uuid.n; i++)
    ret[i] = (char)tolower((unsigned char)uuid.p[i]);
  ret[uuid.n] = 0;
  return true;
}

char *header_host(char *dst, size_t bytes, const char *host) {
  bool is_bare_ip6 = host[0] != '[' && strchr(host, ':') != strrchr(host, ':');
  snprintf(dst, bytes, is_bare_ip6 ? "[%s]" : "%s", host);
  return dst;
}

static bool is_phone(const char *number) {
  const char *p = number + (*number == '+');
  if (!*p)
    return false;
  for (; *p; p++)
    if (!isdigit((unsigned char)*p))
      return false;
  return true;
}

/* User parts hold what a URI lets stand unescaped; everything else is escaped. */
static char *user_escape(char *dst, size_t bytes, const char *user) {
  size_t n = 0;
  for (; *user && n + 4 < bytes; user++) {
    if (isalnum((unsigned char)*user) || strchr("-_.!~*'()&=+$,?/", *user))
      dst[n++] = *user;
    else
      n += (size_t)sprintf(dst + n, "%%%02X", (unsigned char)*user);
  }
  dst[n] = 0;
  return dst;
}

char *header_uri(char *dst, size_t bytes, const char *user, const char *host, uint16_t port,
                 const char *transport) {
  char host_text[160], user_text[200], port_text[8] = "";
  if (port)
    snprintf(port_text, sizeof port_text, ":%u", port);
  snprintf(dst, bytes, "sip:%s%s%s%s%s%s", user_escape(user_text, sizeof user_text, user),
           *user ? "@" : "", header_host(host_text, sizeof host_text, host), port_text,
           transport ? ";transport=" : "", transport ? transport : "");
  return dst;
}

char *header_party(char *dst, size_t bytes, const char *number, const char *display, const char *host,
                   bool anonymous) {
  char user[200], quoted[2 * CONF_TEXT_BYTES], host_text[160];
  if (anonymous) {
    snprintf(dst, bytes, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
    return dst;
  }
  header_quote(quoted, sizeof quoted, slice_of(display));
  snprintf(dst, bytes, "%s%s%s<sip:%s%s%s%s>", *display ? "\"" : "", quoted, *display ? "\" " : "",
           user_escape(user, sizeof user, number), *number ? "@" : "",
           header_host(host_text, sizeof host_text, host), is_phone(number) ? ";user=phone" : "");
  return dst;
}

int header_number(char *dst, size_t bytes, struct slice user) {
  return nameaddr_number(dst, bytes, user);
}

static bool is_digit(char c) { return c && strchr("0123456789*#ABCD", c); }

static char digit_of(struct slice text) {
  uint64_t number;
  if (text.n == 1 && is_digit((char)toupper((unsigned char)text.p[0])))
    return (char)toupper((unsigned char)text.p[0]);
  if (slice_u64(text, 15, &number) == 0 && text.n == 2)
    return "0123456789*#ABCD"[number];
  return 0;
}

int header_digit(struct slice body, bool relay, char *ret_digit, uint32_t *ret_ms) {
  char digit = 0;
  uint64_t ms = 160;
  if (!relay)
    digit = digit_of(slice_trim(body));
  while (relay && body.n) {
    struct slice line = slice_cut(&body, '\n'), key = slice_trim(slice_cut(&line, '='));
    if (slice_ieq(key, SLICE("Signal")))
      digit = digit_of(slice_trim(line));
    else if (slice_ieq(key, SLICE("Duration")) && slice_u64(slice_trim(line), 10000, &ms))
      return -EBADMSG;
  }
  if (!digit)
    return -EBADMSG;
  *ret_digit = digit;
  *ret_ms = (uint32_t)ms;
  return 0;
}

static struct slice slice_rest(struct slice s, size_t from) {
  return from < s.n ? slice_from(s.p + from, s.n - from) : slice_from(NULL, 0);
}

/* Where the next "--boundary" at the start of a line begins, or s.n. */
static size_t delimiter_find(struct slice s, struct slice boundary) {
  for (size_t i = 0; i + 2 + boundary.n <= s.n; i++)
    if (s.p[i] == '-' && s.p[i + 1] == '-' && (i == 0 || s.p[i - 1] == '\n') &&
        !memcmp(s.p + i + 2, boundary.p, boundary.n))
      return i;
  return s.n;
}

struct part {
  struct slice body, type;
  bool is_session;  /* is_session: its disposition is the session's, or not said */
  bool is_required; /* is_required: handling=required was said. */
};

static void disposition_read(struct slice value, struct part *ret) {
  ret->is_session = slice_ieq(slice_trim(slice_cut(&value, ';')), SLICE("session"));
  while (value.n) {
    struct slice one = slice_trim(slice_cut(&value, ';')), key = slice_trim(slice_cut(&one, '='));
    if (slice_ieq(key, SLICE("handling")))
      ret->is_required = slice_ieq(slice_trim(one), SLICE("required"));
  }
}

/* Splits a part at its empty line. */
static void part_read(struct slice part, struct part *ret) {
  *ret = (struct part){.is_session = true};
  slice_cut(&part, '\n'); /* the rest of the delimiter's line */
  while (part.n) {
    struct slice value = slice_trim(slice_cut(&part, '\n'));
    if (!value.n) {
      ret->body = part;
      return;
    }
    struct slice key = slice_trim(slice_cut(&value, ':'));
    if (slice_ieq(key, SLICE("Content-Type")) || slice_ieq(key, SLICE("c")))
      ret->type = slice_trim(slice_cut(&value, ';'));
    else if (slice_ieq(key, SLICE("Content-Disposition")))
      disposition_read(slice_trim(value), ret);
  }
}

/* The next part of what is left of the body, at most PARTS_MAX; false: that was all. */
struct parts {
  struct slice body, boundary;
  unsigned n;
};

static struct parts parts_of(struct slice body, struct slice boundary) {
  bool is_sound = boundary.n && boundary.n <= 70; /* RFC 2046 5.1.1 */
  return (struct parts){
      is_sound ? slice_rest(body, delimiter_find(body, boundary)) : slice_from(NULL, 0), boundary, 0};
}

static bool parts_next(struct parts *p, struct part *ret) {
  if (!p->body.n || p->n++ == PARTS_MAX)
    return false;
  struct slice text = slice_rest(p->body, 2 + p->boundary.n);
  size_t end = delimiter_find(text, p->boundary);
  p->body = slice_rest(text, end);
  text.n = end;
  part_read(text, ret);
  return true;
}

bool header_multipart_sdp(struct slice body, struct slice boundary, struct slice *ret_sdp) {
  struct parts parts = parts_of(body, boundary);
  struct part part;
  bool is_served = true;
  *ret_sdp = slice_from(NULL, 0);
  while (parts_next(&parts, &part)) {
    bool is_ours = slice_ieq(part.type, SLICE("application/sdp")) && part.is_session;
    if (is_ours && !ret_sdp->n)
      *ret_sdp = part.body;
    is_served &= is_ours || !part.is_required;
  }
  return is_served;
}

struct slice header_multipart_find(struct slice body, struct slice boundary, struct slice type) {
  struct parts parts = parts_of(body, boundary);
  struct part part;
  while (parts_next(&parts, &part))
    if (slice_ieq(part.type, type))
      return slice_trim(part.body);
  return slice_from(NULL, 0);
}
