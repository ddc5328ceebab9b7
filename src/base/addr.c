/* SPDX-License-Identifier: Apache-2.0
 * Addresses: see addr.h. Pure; any thread. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

/* The 4 or 16 bytes of the address; a mapped IPv4 gives its 4. */
static const uint8_t *ip_bytes(const struct addr *a, size_t *ret_n) {
  if (a->sa.sa_family == AF_INET) {
    *ret_n = 4;
    return (const uint8_t *)&a->in4.sin_addr;
  }
  const uint8_t *b = a->in6.sin6_addr.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
    *ret_n = 4;
    return b + 12;
  }
  *ret_n = 16;
  return b;
}

int addr_parse(struct addr *ret, struct slice host, uint16_t port) {
  char buf[INET6_ADDRSTRLEN];
  memset(ret, 0, sizeof(*ret));
  if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
    host = slice_from(host.p + 1, host.n - 2);
  if (slice_copy(buf, sizeof(buf), host) < 0 || strlen(buf) != host.n)
    return -EINVAL;
  if (inet_pton(AF_INET, buf, &ret->in4.sin_addr) == 1) {
    ret->in4.sin_family = AF_INET;
  } else if (inet_pton(AF_INET6, buf, &ret->in6.sin6_addr) == 1) {
    ret->in6.sin6_family = AF_INET6;
  } else {
    return -EINVAL;
  }
  addr_set_port(ret, port);
  return 0;
}

int addr_parse_port(struct addr *ret, struct slice text) {
  uint64_t port;
  size_t colon = text.n;
  while (colon > 0 && text.p[colon - 1] != ':')
    colon--;
  if (colon == 0)
    return -EINVAL;
  struct slice host = slice_from(text.p, colon - 1);
  if (memchr(host.p, ':', host.n) && host.p[0] != '[')
    return -EINVAL;
  if (slice_u64(slice_from(text.p + colon, text.n - colon), 65535, &port) < 0)
    return -EINVAL;
  return addr_parse(ret, host, (uint16_t)port);
}

void addr_from(struct addr *ret, const struct sockaddr *sa) {
  memset(ret, 0, sizeof(*ret));
  if (sa->sa_family == AF_INET)
    memcpy(&ret->in4, sa, sizeof(ret->in4));
  else if (sa->sa_family == AF_INET6)
    memcpy(&ret->in6, sa, sizeof(ret->in6));
}

socklen_t addr_len(const struct addr *a) {
  return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in4);
}

int addr_family(const struct addr *a) { return a->sa.sa_family; }

uint16_t addr_port(const struct addr *a) {
  return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in4.sin_port);
}

void addr_set_port(struct addr *a, uint16_t port) {
  if (a->sa.sa_family == AF_INET6)
    a->in6.sin6_port = htons(port);
  else
    a->in4.sin_port = htons(port);
}

bool addr_eq_ip(const struct addr *a, const struct addr *b) {
  size_t na, nb;
  if (a->sa.sa_family == AF_UNSPEC || b->sa.sa_family == AF_UNSPEC)
    return false;
  const uint8_t *pa = ip_bytes(a, &na), *pb = ip_bytes(b, &nb);
  return na == nb && memcmp(pa, pb, na) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b) {
  return addr_eq_ip(a, b) && addr_port(a) == addr_port(b);
}

bool addr_is_any(const struct addr *a) {
  static const uint8_t zero[16];
  size_t n;
  const uint8_t *p = ip_bytes(a, &n);
  return memcmp(p, zero, n) == 0;
}

bool addr_is_loopback(const struct addr *a) {
  size_t n;
  const uint8_t *p = ip_bytes(a, &n);
  return n == 4 ? p[0] == 127 : IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

bool addr_is_private(const struct addr *a) {
  size_t n;
  const uint8_t *p = ip_bytes(a, &n);
  if (n == 16)
    return (p[0] & 0xfe) == 0xfc || (p[0] == 0xfe && (p[1] & 0xc0) == 0x80);
  return p[0] == 10 || (p[0] == 172 && (p[1] & 0xf0) == 16) || (p[0] == 192 && p[1] == 168) ||
         (p[0] == 169 && p[1] == 254) || (p[0] == 100 && (p[1] & 0xc0) == 64);
}

char *addr_ip_text(const struct addr *a, char *buf, size_t bytes) {
  size_t n;
  if (a->sa.sa_family == AF_UNSPEC) {
    snprintf(buf, bytes, "-");
    return buf;
  }
  const uint8_t *p = ip_bytes(a, &n);
  if (!inet_ntop(n == 4 ? AF_INET : AF_INET6, p, buf, (socklen_t)bytes) && bytes)
    buf[0] = 0;
  return buf;
}

char *addr_text(const struct addr *a, char *buf, size_t bytes) {
  char ip[INET6_ADDRSTRLEN];
  addr_ip_text(a, ip, sizeof(ip));
  snprintf(buf, bytes, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, addr_port(a));
  return buf;
}

int cidr_parse(struct cidr *ret, struct slice text) {
  struct slice rest = text, host = slice_cut(&rest, '/');
  uint64_t bits;
  size_t n;
  if (addr_parse(&ret->base, host, 0) < 0)
    return -EINVAL;
  const uint8_t *p = ip_bytes(&ret->base, &n);
  ret->bits = (uint8_t)(n * 8);
  if (host.n == text.n)
    return 0;
  if (slice_u64(rest, n * 8, &bits) < 0)
    return -EINVAL;
  ret->bits = (uint8_t)bits;
  for (size_t i = bits; i < n * 8; i++)
    if (p[i / 8] & (0x80 >> (i % 8)))
      return -EINVAL;
  return 0;
}

bool cidr_has(const struct cidr *c, const struct addr *a) {
  size_t nc, na;
  if (a->sa.sa_family == AF_UNSPEC)
    return false;
  const uint8_t *pc = ip_bytes(&c->base, &nc), *pa = ip_bytes(a, &na);
  if (nc != na)
    return false;
  size_t whole = c->bits / 8, odd = c->bits % 8;
  if (memcmp(pc, pa, whole) != 0)
    return false;
  return odd == 0 || ((pc[whole] ^ pa[whole]) >> (8 - odd)) == 0;
}
