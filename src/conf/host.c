/* SPDX-License-Identifier: Apache-2.0
 * Rules that name hosts: see host.h. */
#include "conf/host.h"

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

static bool is_label(struct slice s) {
  if (s.n == 0 || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-')
    return false;
  for (size_t i = 0; i < s.n; i++) {
    char c = lower(s.p[i]);
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
      return false;
  }
  return true;
}

bool host_is_name(struct slice s) {
  if (s.n && s.p[s.n - 1] == '.')
    s.n--;
  if (s.n == 0 || s.n > 253)
    return false;
  struct slice last = {NULL, 0};
  while (s.p) {
    last = slice_cut(&s, '.');
    if (!is_label(last))
      return false;
  }
  return last.p[0] < '0' || last.p[0] > '9'; /* else it is an address written wrong */
}

/* Cuts ":port" off the end: brackets, or the only colon. */
static int port_cut(struct slice *text, uint16_t *ret_port) {
  uint64_t port;
  size_t at = text->n;
  *ret_port = 0;
  while (at > 0 && text->p[at - 1] != ':' && text->p[at - 1] != ']')
    at--;
  if (at == 0 || text->p[at - 1] == ']')
    return at == 0 || at == text->n ? 0 : -EINVAL;
  if (text->p[0] != '[' && memchr(text->p, ':', at - 1))
    return 0; /* a bare IPv6 address */
  if (slice_u64(slice_from(text->p + at, text->n - at), 65535, &port) < 0 || port == 0)
    return -EINVAL;
  *ret_port = (uint16_t)port;
  text->n = at - 1;
  return 0;
}

static void name_copy(char dst[64], struct slice s) {
  if (s.n && s.p[s.n - 1] == '.')
    s.n--;
  slice_copy(dst, 64, s);
  for (char *p = dst; *p; p++)
    *p = lower(*p);
}

int host_rule_parse(struct host_rule *ret, struct slice text) {
  memset(ret, 0, sizeof(*ret));
  if (port_cut(&text, &ret->port) < 0 || text.n == 0)
    return -EINVAL;
  struct slice bare = text;
  if (text.p[0] == '[') {
    if (text.n < 2 || text.p[text.n - 1] != ']')
      return -EINVAL;
    bare = slice_from(text.p + 1, text.n - 2);
  }
  if (cidr_parse(&ret->cidr, bare) == 0)
    return text.p[0] == '[' && addr_family(&ret->cidr.base) != AF_INET6 ? -EINVAL : 0;
  struct slice name = slice_starts(text, SLICE("*.")) ? slice_from(text.p + 2, text.n - 2) : text;
  if (!host_is_name(name) || text.n > 63)
    return -EINVAL;
  memset(&ret->cidr, 0, sizeof(ret->cidr));
  ret->is_name = true;
  name_copy(ret->name, text);
  return 0;
}

int host_split(struct slice text, struct slice *ret_host, uint16_t *ret_port, struct addr *ret_ip) {
  memset(ret_ip, 0, sizeof(*ret_ip));
  *ret_host = (struct slice){NULL, 0};
  if (port_cut(&text, ret_port) < 0 || text.n == 0)
    return -EINVAL;
  *ret_host = text;
  if (addr_parse(ret_ip, text, *ret_port) == 0)
    return 0;
  memset(ret_ip, 0, sizeof(*ret_ip));
  return host_is_name(text) ? 0 : -EINVAL;
}

bool host_name_covers(struct slice pattern, struct slice name) {
  if (name.n && name.p[name.n - 1] == '.')
    name.n--;
  if (!slice_starts(pattern, SLICE("*.")))
    return slice_ieq(pattern, name);
  slice_cut(&name, '.');
  return name.n && slice_ieq(slice_from(pattern.p + 2, pattern.n - 2), name);
}

bool host_rule_has_addr(const struct host_rule *r, const struct addr *a) {
  return !r->is_name && cidr_has(&r->cidr, a) && (r->port == 0 || r->port == addr_port(a));
}

bool host_rule_has(const struct host_rule *r, struct slice text, uint16_t default_port) {
  struct slice host;
  struct addr ip;
  uint16_t port;
  if (host_split(text, &host, &port, &ip) < 0)
    return false;
  if (port == 0)
    port = default_port;
  if (r->port && r->port != port)
    return false;
  if (addr_family(&ip) != AF_UNSPEC)
    return !r->is_name && cidr_has(&r->cidr, &ip);
  return r->is_name && host_name_covers(slice_of(r->name), host);
}
