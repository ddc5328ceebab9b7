/* SPDX-License-Identifier: Apache-2.0
 * Guards on a request's header: see head.h. libmicrohttpd would take Content-Length together with
 * Transfer-Encoding and then run what follows as a second request. */
#include "web/head.h"

#define NAME(text) \
  { text, sizeof(text) - 1 }
static const struct slice field_names[HEAD_FIELD_COUNT_] = {
    [HEAD_HOST] = NAME("Host"),
    [HEAD_CONTENT_LENGTH] = NAME("Content-Length"),
    [HEAD_TRANSFER_ENCODING] = NAME("Transfer-Encoding"),
    [HEAD_AUTHORIZATION] = NAME("Authorization"),
    [HEAD_CONTENT_TYPE] = NAME("Content-Type"),
    [HEAD_IF_MATCH] = NAME("If-Match"),
    [HEAD_IF_NONE_MATCH] = NAME("If-None-Match"),
    [HEAD_IDEMPOTENCY_KEY] = NAME("Idempotency-Key"),
    [HEAD_LAST_EVENT_ID] = NAME("Last-Event-ID"),
    [HEAD_DEVICE] = NAME("Sallyport-Device"),
    [HEAD_ORIGIN] = NAME("Origin"),
    [HEAD_COOKIE] = NAME("Cookie"),
    [HEAD_SALLYPORT] = NAME("X-Sallyport"),
    [HEAD_ACCEPT] = NAME("Accept"),
    [HEAD_REQUEST_METHOD] = NAME("Access-Control-Request-Method"),
};
#undef NAME

enum { CONTROL = 1, SPACE = 2 };
static const uint8_t kinds[256] = {[0 ... '\t' - 1] = CONTROL,
                                   ['\t' + 1 ... 0x1f] = CONTROL,
                                   ['\t'] = SPACE,
                                   [' '] = SPACE,
                                   [0x7f] = CONTROL};

/* All kinds of character that are in it. */
static unsigned kinds_of(struct slice s) {
  unsigned all = 0;
  for (size_t i = 0; i < s.n; i++)
    all |= kinds[(unsigned char)s.p[i]];
  return all;
}

void head_add(struct head *h, struct slice name, struct slice value) {
  h->lines++;
  /* "Content-Length : 5" is a field to some and none to others */
  h->control = h->control || kinds_of(name) || kinds_of(value) & CONTROL;
  for (unsigned f = 0; f < HEAD_FIELD_COUNT_; f++) {
    if (name.n != field_names[f].n || !slice_ieq(name, field_names[f]))
      continue;
    if (f == HEAD_ACCEPT && h->field[f].p)
      continue;
    h->twice = h->twice || h->field[f].p;
    h->field[f] = value.p ? value : SLICE("");
  }
}

bool head_target_ok(struct slice target) {
  if (!target.n || target.p[0] != '/' || target.n > HEAD_TARGET_BYTES)
    return false;
  for (size_t i = 0; i < target.n; i++) {
    unsigned char c = (unsigned char)target.p[i];
    if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\')
      return false;
  }
  return true;
}

static enum web_problem bad(const char **ret_why, const char *why) {
  *ret_why = why;
  return WEB_PROBLEM_bad_request;
}

enum web_problem head_judge(const struct head *h, bool has_body_method, const char **ret_why) {
  const struct slice *length = &h->field[HEAD_CONTENT_LENGTH],
                     *coding = &h->field[HEAD_TRANSFER_ENCODING];
  uint64_t n = 0;
  if (h->lines > HEAD_LINES_MAX) {
    *ret_why = "more than 64 header lines";
    return WEB_PROBLEM_header_size;
  }
  if (h->control)
    return bad(ret_why, "a control character, or a space in a header's name");
  if (h->twice)
    return bad(ret_why, "a header that may stand once came twice");
  if (length->p && coding->p)
    return bad(ret_why, "Content-Length together with Transfer-Encoding");
  if (length->p && slice_u64(*length, UINT32_MAX, &n) < 0)
    return bad(ret_why, "Content-Length is not a number");
  if (coding->p && !slice_ieq(*coding, SLICE("chunked")))
    return bad(ret_why, "a Transfer-Encoding other than chunked");
  if (!has_body_method && (n || coding->p))
    return bad(ret_why, "this method takes no body");
  if (!h->field[HEAD_HOST].p)
    return bad(ret_why, "no Host header");
  return WEB_PROBLEM_COUNT_;
}

/* Cuts ":port" off; false if the port is none. */
static bool host_cut(struct slice *host) {
  struct slice s = *host;
  uint64_t port;
  size_t end = s.n;
  if (s.n && s.p[0] == '[') {
    const char *close = memchr(s.p, ']', s.n);
    if (!close)
      return false;
    end = (size_t)(close - s.p) + 1;
  } else {
    const char *colon = s.n ? memchr(s.p, ':', s.n) : NULL;
    end = colon ? (size_t)(colon - s.p) : s.n;
  }
  host->n = end;
  if (end == s.n)
    return true;
  return s.p[end] == ':' && slice_u64(slice_from(s.p + end + 1, s.n - end - 1), 65535, &port) == 0;
}

bool head_host_ok(struct slice host, const char *const *hosts, size_t n, const struct addr *local) {
  struct addr a;
  if (!host_cut(&host) || !host.n)
    return false;
  for (size_t i = 0; i < n; i++)
    if (slice_ieq(host, slice_of(hosts[i])))
      return true;
  if (slice_ieq(host, SLICE("localhost")) && addr_is_loopback(local))
    return true; /* a name that nobody's DNS gives away (RFC 6761 6.3) */
  return addr_parse(&a, host, 0) == 0 && addr_eq_ip(&a, local);
}

bool head_origin_own(struct slice origin, struct slice host, bool is_tls, const char *const *hosts,
                     size_t n) {
  struct slice https = SLICE("https://"), http = SLICE("http://");
  bool is_https = slice_istarts(origin, https);
  if (!is_https && !slice_istarts(origin, http))
    return false;
  size_t cut = is_https ? https.n : http.n;
  struct slice rest = slice_from(origin.p + cut, origin.n - cut);
  if (is_https == is_tls && slice_ieq(rest, host))
    return true;
  if (!host_cut(&rest))
    return false;
  for (size_t i = 0; i < n; i++)
    if (slice_ieq(rest, slice_of(hosts[i])))
      return true;
  return false;
}

bool head_type_listed(struct slice content_type, const char *types) {
  struct slice rest = slice_of(types), own = content_type;
  struct slice type = slice_trim(slice_cut(&own, ';'));
  while (rest.p) {
    struct slice one = slice_trim(slice_cut(&rest, ','));
    if (slice_eq(one, SLICE("*")) || slice_ieq(type, one))
      return true;
  }
  return false;
}

uint64_t head_length(const struct head *h) {
  uint64_t n = 0;
  return slice_u64(h->field[HEAD_CONTENT_LENGTH], UINT32_MAX, &n) == 0 ? n : 0;
}
