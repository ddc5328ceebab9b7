/* SPDX-License-Identifier: Apache-2.0
 * Frames: see frame.h. RFC 791, 768, 8200, 1071. */
#include "media/frame.h"

#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

enum { TTL = 64 };

/* The sum of RFC 1071 in the machine's own order, not folded. */
static uint64_t sum_of(const void *p, size_t n, uint64_t sum) {
  const uint8_t *at = p;
  for (; n >= 4; n -= 4, at += 4) {
    uint32_t word;
    memcpy(&word, at, 4);
    sum += word;
  }
  uint32_t rest = 0;
  memcpy(&rest, at, n);
  return sum + rest;
}

static uint16_t fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

/* Of the pseudo header; addresses: both, side by side. */
static uint64_t pseudo_sum(const void *addresses, size_t address_bytes, size_t udp_bytes) {
  return sum_of(addresses, 2 * address_bytes, (uint64_t)htons(IPPROTO_UDP) + htons((uint16_t)udp_bytes));
}

static bool is_sum_right(const struct udphdr *udp, size_t n, uint64_t pseudo, bool may_be_none) {
  if (!udp->check)
    return may_be_none;
  return fold(sum_of(udp, n, pseudo)) == 0xffff || udp->check == fold(pseudo);
}

static bool parse_udp(struct frame *ret, uint8_t *p, size_t n, uint64_t pseudo, bool may_be_none) {
  struct udphdr udp;
  memcpy(&udp, p, sizeof(udp));
  if (ntohs(udp.len) != n ||
      !is_sum_right((const struct udphdr *)(const void *)p, n, pseudo, may_be_none))
    return false;
  ret->bytes = p + sizeof(udp);
  ret->n = n - sizeof(udp);
  addr_set_port(&ret->from, ntohs(udp.source));
  addr_set_port(&ret->to, ntohs(udp.dest));
  return udp.source != 0;
}

static bool parse4(struct frame *ret, uint8_t *p, size_t n) {
  struct iphdr ip;
  if (n < sizeof(ip) + sizeof(struct udphdr))
    return false;
  memcpy(&ip, p, sizeof(ip));
  size_t all = ntohs(ip.tot_len);
  if (p[0] != 0x45 || ip.protocol != IPPROTO_UDP || (ip.frag_off & htons(IP_MF | IP_OFFMASK)) ||
      all > n || all < sizeof(ip) + sizeof(struct udphdr) || fold(sum_of(p, sizeof(ip), 0)) != 0xffff)
    return false;
  ret->from.in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = ip.saddr};
  ret->to.in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = ip.daddr};
  all -= sizeof(ip);
  return parse_udp(ret, p + sizeof(ip), all, pseudo_sum(p + 12, 4, all), true);
}

static bool parse6(struct frame *ret, uint8_t *p, size_t n) {
  struct ip6_hdr ip;
  if (n < sizeof(ip) + sizeof(struct udphdr))
    return false;
  memcpy(&ip, p, sizeof(ip));
  size_t udp_bytes = ntohs(ip.ip6_plen);
  if (p[0] >> 4 != 6 || ip.ip6_nxt != IPPROTO_UDP || udp_bytes > n - sizeof(ip) ||
      udp_bytes < sizeof(struct udphdr))
    return false;
  ret->from.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = ip.ip6_src};
  ret->to.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = ip.ip6_dst};
  return parse_udp(ret, p + sizeof(ip), udp_bytes, pseudo_sum(p + 8, 16, udp_bytes), false);
}

bool frame_parse(struct frame *ret, uint8_t *p, size_t n) {
  memset(ret, 0, sizeof(*ret));
  if (n < ETH_HLEN)
    return false;
  uint16_t type = (uint16_t)(p[12] << 8 | p[13]);
  if (type == ETH_P_IP)
    return parse4(ret, p + ETH_HLEN, n - ETH_HLEN);
  return type == ETH_P_IPV6 && parse6(ret, p + ETH_HLEN, n - ETH_HLEN);
}

static void put_udp(uint8_t *dst, const struct addr *from, const struct addr *to, const uint8_t *payload,
                    size_t n, uint64_t pseudo) {
  struct udphdr udp = {.source = htons(addr_port(from)),
                       .dest = htons(addr_port(to)),
                       .len = htons((uint16_t)(n + sizeof(udp)))};
  memcpy(dst + sizeof(udp), payload, n);
  uint64_t sum = sum_of(&udp, sizeof(udp), pseudo);
  udp.check = (uint16_t)~fold(sum_of(payload, n, sum));
  if (!udp.check)
    udp.check = 0xffff; /* 0 would say: none */
  memcpy(dst, &udp, sizeof(udp));
}

static size_t put4(uint8_t *dst, uint8_t dscp, const struct addr *from, const struct addr *to,
                   size_t udp_bytes) {
  struct iphdr ip = {.version = 4,
                     .ihl = 5,
                     .tos = (uint8_t)(dscp << 2),
                     .tot_len = htons((uint16_t)(udp_bytes + sizeof(ip))),
                     .frag_off = htons(IP_DF),
                     .ttl = TTL,
                     .protocol = IPPROTO_UDP,
                     .saddr = from->in4.sin_addr.s_addr,
                     .daddr = to->in4.sin_addr.s_addr};
  ip.check = (uint16_t)~fold(sum_of(&ip, sizeof(ip), 0));
  memcpy(dst, &ip, sizeof(ip));
  return sizeof(ip);
}

static size_t put6(uint8_t *dst, uint8_t dscp, const struct addr *from, const struct addr *to,
                   size_t udp_bytes) {
  struct ip6_hdr ip = {.ip6_src = from->in6.sin6_addr, .ip6_dst = to->in6.sin6_addr};
  ip.ip6_flow = htonl(6u << 28 | (uint32_t)dscp << 22);
  ip.ip6_plen = htons((uint16_t)udp_bytes);
  ip.ip6_nxt = IPPROTO_UDP;
  ip.ip6_hlim = TTL;
  memcpy(dst, &ip, sizeof(ip));
  return sizeof(ip);
}

size_t frame_build(uint8_t *dst, const struct frame_way *way, const struct addr *from,
                   const struct addr *to, const uint8_t *payload, size_t n) {
  int family = addr_family(to);
  if (n > FRAME_PAYLOAD_MAX || family != addr_family(from) || family == AF_UNSPEC)
    return 0;
  size_t udp_bytes = n + sizeof(struct udphdr), at = ETH_HLEN;
  uint16_t type = htons(family == AF_INET ? ETH_P_IP : ETH_P_IPV6);
  memcpy(dst, way->to_mac, 6);
  memcpy(dst + 6, way->our_mac, 6);
  memcpy(dst + 12, &type, 2);
  at += family == AF_INET ? put4(dst + at, way->dscp, from, to, udp_bytes)
                          : put6(dst + at, way->dscp, from, to, udp_bytes);
  size_t address_bytes = family == AF_INET ? 4 : 16;
  const uint8_t *addresses = dst + at - 2 * address_bytes; /* last in either header */
  put_udp(dst + at, from, to, payload, n, pseudo_sum(addresses, address_bytes, udp_bytes));
  return at + udp_bytes;
}
