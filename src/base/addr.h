/* SPDX-License-Identifier: Apache-2.0
 * Socket addresses and address ranges (CIDR). IPv4-mapped IPv6 compares as IPv4. Any thread. */
#pragma once
#include "base/slice.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct addr {
  union {
    struct sockaddr sa;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
  };
};

#define ADDR_TEXT_BYTES 64

/* An address literal, no names, no port; brackets around IPv6 allowed. 0 or -EINVAL. */
int addr_parse(struct addr *ret, struct slice host, uint16_t port) must_check;
/* "1.2.3.4:5", "[::1]:5"; port required. 0 or -EINVAL. */
int addr_parse_port(struct addr *ret, struct slice text) must_check;
void addr_from(struct addr *ret, const struct sockaddr *sa);
socklen_t addr_len(const struct addr *a);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
int addr_family(const struct addr *a); /* AF_INET, AF_INET6, or AF_UNSPEC when all zero */
bool addr_eq(const struct addr *a, const struct addr *b);    /* address and port */
bool addr_eq_ip(const struct addr *a, const struct addr *b); /* address only */
bool addr_is_any(const struct addr *a);                      /* 0.0.0.0 or :: */
bool addr_is_loopback(const struct addr *a);
bool addr_is_private(const struct addr *a); /* RFC 1918, RFC 4193, link-local, CGNAT */
/* "1.2.3.4:5" or "[::1]:5" into buf (ADDR_TEXT_BYTES suffices); returns buf. */
char *addr_text(const struct addr *a, char *buf, size_t bytes);
char *addr_ip_text(const struct addr *a, char *buf, size_t bytes); /* without port or brackets */

struct cidr {
  struct addr base;
  uint8_t bits; /* bits is the length of the prefix. */
};
/* "10.0.0.0/8" or a single address; 0 or -EINVAL (host bits set, out of range). */
int cidr_parse(struct cidr *ret, struct slice text) must_check;
bool cidr_has(const struct cidr *c, const struct addr *a);
