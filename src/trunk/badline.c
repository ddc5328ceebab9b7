/* SPDX-License-Identifier: Apache-2.0
 * Stateless answers to requests that the library would drop: see badline.h. Any thread, no
 * allocation; reads at most HEADERS_MAX lines. RFC 3261 8.2.6, 18.2.2, 25.1; RFC 3581; RFC 4475. */
#include "trunk/badline.h"

#include "base/hmac.h"
#include "base/rand.h"

#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

enum { HEADERS_MAX = 128, COPIED_MAX = 2048, TAG_HEX = 16 };

static bool is_token(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!s.p[i] || (!isalnum((unsigned char)s.p[i]) && !strchr("-.!%*_+`'~", s.p[i])))
      return false;
  return s.n > 0;
}

/* Lines ---------------------------------------------------------------------------------------- */

/* The next line of *rest with its folded ones, without the last line end. False at the end of the
 * headers. */
static bool line_next(struct slice *rest, struct slice *ret) {
  size_t i = 0;
  while (i < rest->n &&
         (rest->p[i] != '\n' || (i + 1 < rest->n && (rest->p[i + 1] == ' ' || rest->p[i + 1] == '\t'))))
    i++;
  if (i == rest->n)
    return false;
  *ret = slice_from(rest->p, i > 0 && rest->p[i - 1] == '\r' ? i - 1 : i);
  *rest = slice_from(rest->p + i + 1, rest->n - i - 1);
  return ret->n > 0;
}

static bool header_is(struct slice line, struct slice name, char compact) {
  struct slice value = line, have = slice_trim(slice_cut(&value, ':'));
  return value.p &&
         (slice_ieq(have, name) || (have.n == 1 && tolower((unsigned char)have.p[0]) == compact));
}

/* A header's line, whole; an empty slice if there is none. */
static struct slice header_find(struct slice rest, struct slice name, char compact) {
  struct slice line;
  for (int i = 0; i < HEADERS_MAX && line_next(&rest, &line); i++)
    if (header_is(line, name, compact))
      return line;
  return (struct slice){NULL, 0};
}

static struct slice header_value(struct slice line) {
  slice_cut(&line, ':');
  return slice_trim(line);
}

/* Messages may begin with empty lines (RFC 3261 7.5). */
static struct slice skip_crlf(struct slice msg) {
  while (msg.n && (msg.p[0] == '\r' || msg.p[0] == '\n'))
    msg = slice_from(msg.p + 1, msg.n - 1);
  return msg;
}

/* Judgement ------------------------------------------------------------------------------------- */

struct request_line {
  struct slice method, uri, version;
};

static bool has_space(struct slice s) { return memchr(s.p, ' ', s.n) || memchr(s.p, '\t', s.n); }

/* Cuts at the first and the last space: what is between is the URI, or should be. */
static bool request_cut(struct slice line, struct request_line *ret) {
  struct slice rest = line;
  ret->method = slice_cut(&rest, ' ');
  if (!rest.p)
    return false;
  size_t i = rest.n;
  while (i > 0 && rest.p[i - 1] != ' ')
    i--;
  if (!i)
    return false;
  ret->version = slice_from(rest.p + i, rest.n - i);
  ret->uri = slice_from(rest.p, i - 1);
  return slice_istarts(ret->version, SLICE("SIP/"));
}

static bool is_version(struct slice v) {
  size_t digits[2] = {0, 0}, part = 0;
  for (size_t i = 4; i < v.n; i++)
    if (isdigit((unsigned char)v.p[i]))
      digits[part]++;
    else if (v.p[i] == '.' && !part)
      part = 1;
    else
      return false;
  return digits[0] && digits[1];
}

/* One via-parm up to its comma has no empty parameter: "SIP/2.0/UDP host;;" has one. */
static bool via_fits(struct slice via) {
  bool quoted = false, empty = false;
  for (size_t i = 0; i < via.n; i++) {
    char c = via.p[i];
    if (c == '"' && (!i || via.p[i - 1] != '\\'))
      quoted = !quoted;
    if (quoted || c == ' ' || c == '\t' || c == '\r' || c == '\n')
      continue;
    if ((c == ';' || c == ',') && empty)
      return false;
    if (c == ',')
      return true;
    empty = c == ';';
  }
  return !quoted && !empty;
}

/* "SIP/2.0 700 …": the library would take it as a final response (RFC 3261 7.2: 100 to 699). */
static bool is_odd_response(struct slice line) {
  uint64_t status;
  if (!slice_istarts(line, SLICE("SIP/2.0 ")))
    return false;
  slice_cut(&line, ' ');
  struct slice text = slice_cut(&line, ' ');
  return text.n != 3 || slice_u64(text, 699, &status) < 0 || status < 100;
}

struct badline_verdict badline_judge(struct slice msg) {
  const struct badline_verdict good = {0, NULL};
  struct request_line q;
  struct slice rest = skip_crlf(msg), line;
  if (!line_next(&rest, &line))
    return good;
  if (is_odd_response(line))
    return (struct badline_verdict){BADLINE_DROP, ""};
  if (!request_cut(line, &q) || slice_eq(q.method, SLICE("ACK")))
    return good;
  if (!is_token(q.method))
    return (struct badline_verdict){400, "Bad Method"};
  if (!q.uri.n || has_space(q.uri))
    return (struct badline_verdict){400, "Bad Request-URI"};
  if (!is_version(q.version))
    return (struct badline_verdict){400, "Bad Version"};
  if (!slice_ieq(q.version, SLICE("SIP/2.0")))
    return (struct badline_verdict){505, "Version Not Supported"};
  struct slice via = header_find(rest, SLICE("Via"), 'v');
  if (via.n && !via_fits(header_value(via)))
    return (struct badline_verdict){400, "Bad Via"};
  if (memchr(q.method.p, '+', q.method.n) || memchr(q.method.p, '`', q.method.n))
    return (struct badline_verdict){501, "Not Implemented"}; /* valid, but the library cannot read it */
  return good;
}

/* The answer ------------------------------------------------------------------------------------ */

struct out {
  char *p;
  size_t n, room;
  bool full;
};

static void put(struct out *o, const char *format, ...) printf_like(2, 3);
static void put(struct out *o, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(o->p + o->n, o->room - o->n, format, ap);
  va_end(ap);
  o->full = o->full || n < 0 || (size_t)n >= o->room - o->n;
  if (!o->full)
    o->n += (size_t)n;
}

/* Bytes as they came, NULs too; a CR or LF that ends no line makes the answer impossible. */
static void put_raw(struct out *o, struct slice s) {
  for (size_t i = 0; i < s.n; i++) {
    bool fold = s.p[i] == '\n' || (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n');
    if (s.p[i] == '\r' && !fold)
      o->full = true;
  }
  if (o->full || s.n > COPIED_MAX || s.n >= o->room - o->n) {
    o->full = true;
    return;
  }
  memcpy(o->p + o->n, s.p, s.n);
  o->n += s.n;
}

/* The value of a Via parameter in the first via-parm; p NULL if it is not there. */
static struct slice via_param(struct slice value, struct slice name) {
  struct slice parm = slice_cut(&value, ',');
  slice_cut(&parm, ';');
  while (parm.p) {
    struct slice v = slice_cut(&parm, ';');
    struct slice key = slice_trim(slice_cut(&v, '='));
    if (slice_ieq(key, name))
      return v.p ? slice_trim(v) : slice_from("", 0);
  }
  return (struct slice){NULL, 0};
}

/* host:port of the top Via: from behind the protocol's blank to ';' or ','. */
static struct slice via_sent_by(struct slice value) {
  struct slice parm = slice_cut(&value, ',');
  struct slice head = slice_trim(slice_cut(&parm, ';'));
  size_t i = head.n;
  while (i > 0 && head.p[i - 1] != ' ' && head.p[i - 1] != '\t')
    i--;
  return slice_from(head.p + i, head.n - i);
}

static uint16_t sent_by_port(struct slice by) {
  uint64_t port;
  size_t i = by.n;
  while (i > 0 && isdigit((unsigned char)by.p[i - 1]))
    i--;
  if (i == by.n || i == 0 || by.p[i - 1] != ':')
    return 5060;
  return slice_u64(slice_from(by.p + i, by.n - i), 65535, &port) || !port ? 5060 : (uint16_t)port;
}

/* Where the port is to be written behind an empty rport; 0 if it is not found. */
static size_t rport_end(struct slice parm) {
  for (size_t i = 0; i + 6 <= parm.n; i++) {
    struct slice name = slice_trim(slice_from(parm.p + i + 1, parm.n - i - 1));
    if (parm.p[i] != ';' || !slice_istarts(name, SLICE("rport")))
      continue;
    size_t end = (size_t)(name.p - parm.p) + 5;
    return end < parm.n && parm.p[end] == '=' ? end + 1 : end;
  }
  return 0;
}

/* The top Via with received and rport (RFC 3581), and where that sends the answer. */
static void put_top_via(struct out *o, struct slice line, const struct addr *from, struct addr *ret_to) {
  if (line.n > COPIED_MAX) {
    o->full = true;
    return;
  }
  char ip[ADDR_TEXT_BYTES];
  struct slice value = header_value(line), rest = value;
  struct slice rport = via_param(value, SLICE("rport"));
  *ret_to = *from;
  if (!via_fits(value)) { /* nothing in it can be relied on: back to where it came from */
    put_raw(o, line);
    put(o, "\r\n");
    return;
  }
  struct slice first = slice_cut(&rest, ',');
  if (!rport.p)
    addr_set_port(ret_to, sent_by_port(via_sent_by(value)));
  put(o, "Via: ");
  size_t at = rport.p && !rport.n ? rport_end(first) : 0;
  put_raw(o, slice_from(first.p, at ? at : first.n));
  if (at) {
    put(o, "%s%u", first.p[at - 1] == '=' ? "" : "=", addr_port(from));
    put_raw(o, slice_from(first.p + at, first.n - at));
  }
  if (!via_param(value, SLICE("received")).p)
    put(o, ";received=%s", addr_ip_text(from, ip, sizeof(ip)));
  if (rest.p) {
    put(o, ",");
    put_raw(o, rest);
  }
  put(o, "\r\n");
}

static void put_vias(struct out *o, struct slice rest, const struct addr *from, struct addr *ret_to) {
  struct slice line;
  bool top = true;
  for (int i = 0; i < HEADERS_MAX && line_next(&rest, &line); i++) {
    if (!header_is(line, SLICE("Via"), 'v'))
      continue;
    if (top) {
      put_top_via(o, line, from, ret_to);
    } else {
      put_raw(o, line);
      put(o, "\r\n");
    }
    top = false;
  }
  o->full = o->full || top;
}

/* The same request gets the same tag, and nobody can tell it beforehand (RFC 3261 8.2.7). */
static uint8_t tag_key[32];
static void tag_key_make(void) { rand_bytes(tag_key, sizeof(tag_key)); }

static void put_to(struct out *o, struct slice line, struct slice msg) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  uint8_t mac[HMAC_SHA256_BYTES];
  const char *end = line.p;
  for (size_t i = 0; i < line.n; i++)
    if (line.p[i] == '>')
      end = line.p + i;
  put_raw(o, line);
  if (o->full)
    return;
  for (size_t at = (size_t)(end - line.p); at + 4 < line.n; at++)
    if (line.p[at] == ';' &&
        slice_istarts(slice_trim(slice_from(line.p + at + 1, line.n - at - 1)), SLICE("tag"))) {
      put(o, "\r\n");
      return;
    }
  pthread_once(&once, tag_key_make);
  hmac_sha256(slice_from(tag_key, sizeof(tag_key)), msg, mac);
  put(o, ";tag=");
  for (size_t i = 0; i < TAG_HEX / 2; i++)
    put(o, "%02x", mac[i]);
  put(o, "\r\n");
}

static void put_header(struct out *o, struct slice headers, struct slice name, char compact) {
  struct slice line = header_find(headers, name, compact);
  o->full = o->full || !line.n;
  put_raw(o, line);
  put(o, "\r\n");
}

size_t badline_reply(struct slice msg, struct badline_verdict v, const struct addr *from, char *buf,
                     size_t bytes, struct addr *ret_to) {
  struct out o = {buf, 0, bytes, false};
  struct slice rest = skip_crlf(msg), line;
  if (v.status < 400 || !line_next(&rest, &line))
    return 0;
  put(&o, "SIP/2.0 %u %s\r\n", v.status, v.phrase);
  put_vias(&o, rest, from, ret_to);
  put_header(&o, rest, SLICE("From"), 'f');
  struct slice to = header_find(rest, SLICE("To"), 't');
  o.full = o.full || !to.n;
  put_to(&o, to, msg);
  put_header(&o, rest, SLICE("Call-ID"), 'i');
  put_header(&o, rest, SLICE("CSeq"), 0);
  put(&o, "Content-Length: 0\r\n\r\n");
  return o.full ? 0 : o.n;
}
