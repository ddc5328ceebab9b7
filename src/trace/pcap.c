/* SPDX-License-Identifier: Apache-2.0
 * The SIP messages of a timeline as a pcap file that every analyser reads: microseconds, link type raw
 * IP (101), each message one UDP datagram with its true addresses and time, whatever carried it. Pure.
 */
#include "trace/trace.h"

enum {
  LINK_RAW = 101,
  SNAP_BYTES = 262144,
  UDP_BYTES = 8,
  IP4_BYTES = 20,
  IP6_BYTES = 40,
  DATAGRAM_MAX = 60000,
};

struct trace_pcap {
  uint8_t *p;
  size_t n, room;
  bool is_short; /* is_short: there was no memory for all. */
  uint64_t started_us;
};

static void add(struct trace_pcap *c, const void *p, size_t n) {
  if (c->n + n > c->room) {
    size_t room = (c->n + n) * 2 + 4096;
    uint8_t *more = realloc(c->p, room);
    if (!more) {
      c->is_short = true;
      return;
    }
    c->p = more;
    c->room = room;
  }
  memcpy(c->p + c->n, p, n);
  c->n += n;
}

/* In the writer's own order: the magic number tells it. */
static void add32(struct trace_pcap *c, uint32_t v) { add(c, &v, sizeof(v)); }

int trace_pcap_new(struct trace_pcap **ret) {
  struct trace_pcap *c = calloc(1, sizeof(*c));
  const uint16_t version[2] = {2, 4};
  if (!c)
    return -ENOMEM;
  add32(c, 0xa1b2c3d4);
  add(c, version, sizeof(version));
  add32(c, 0);
  add32(c, 0);
  add32(c, SNAP_BYTES);
  add32(c, LINK_RAW);
  *ret = c;
  return 0;
}

struct trace_pcap *trace_pcap_free(struct trace_pcap *c) {
  if (c)
    free(c->p);
  free(c);
  return NULL;
}

static void put16(uint8_t *p, size_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}

static uint32_t sum_of(const uint8_t *p, size_t n) {
  uint32_t sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
  return sum;
}

static uint16_t folded(uint32_t sum) {
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static size_t ip4_head(uint8_t *h, const struct addr *from, const struct addr *to, size_t udp_bytes) {
  h[0] = 0x45;
  put16(h + 2, IP4_BYTES + udp_bytes);
  h[8] = 64;
  h[9] = 17;
  memcpy(h + 12, &from->in4.sin_addr, 4);
  memcpy(h + 16, &to->in4.sin_addr, 4);
  put16(h + 10, folded(sum_of(h, IP4_BYTES)));
  return IP4_BYTES;
}

static size_t ip6_head(uint8_t *h, const struct addr *from, const struct addr *to, size_t udp_bytes) {
  h[0] = 0x60;
  put16(h + 4, udp_bytes);
  h[6] = 17;
  h[7] = 64;
  memcpy(h + 8, &from->in6.sin6_addr, 16);
  memcpy(h + 24, &to->in6.sin6_addr, 16);
  return IP6_BYTES;
}

static void udp_head(uint8_t *u, const struct addr *from, const struct addr *to, struct slice text) {
  size_t n = UDP_BYTES + text.n;
  put16(u, addr_port(from));
  put16(u + 2, addr_port(to));
  put16(u + 4, n);
  put16(u + 6, 0); /* none over IPv4; over IPv6 one is due */
  if (addr_family(from) != AF_INET6)
    return;
  uint32_t sum = sum_of((const uint8_t *)&from->in6.sin6_addr, 16) +
                 sum_of((const uint8_t *)&to->in6.sin6_addr, 16) + 17 + (uint32_t)n + sum_of(u, 8) +
                 sum_of((const uint8_t *)text.p, text.n);
  uint16_t check = folded(sum);
  put16(u + 6, check ? check : 0xffff);
}

static void datagram(struct trace_pcap *c, const struct addr *from, const struct addr *to,
                     uint64_t wall_us, struct slice text) {
  uint8_t head[IP6_BYTES + UDP_BYTES] = {0};
  bool is_six = addr_family(from) == AF_INET6;
  size_t n = is_six ? ip6_head(head, from, to, UDP_BYTES + text.n)
                    : ip4_head(head, from, to, UDP_BYTES + text.n);
  udp_head(head + n, from, to, text);
  n += UDP_BYTES;
  add32(c, (uint32_t)(wall_us / 1000000));
  add32(c, (uint32_t)(wall_us % 1000000));
  add32(c, (uint32_t)(n + text.n));
  add32(c, (uint32_t)(n + text.n));
  add(c, head, n);
  add(c, text.p, text.n);
}

static int item_add_to(void *arg, const struct trace_item *i) {
  struct trace_pcap *c = arg;
  struct addr peer, local;
  if (i->kind != TRACE_SIP || !i->text_n || i->text_n > DATAGRAM_MAX || !i->peer || !i->local ||
      addr_parse_port(&peer, slice_of(i->peer)) < 0)
    return 0;
  if (addr_parse_port(&local, slice_of(i->local)) < 0 || addr_family(&local) != addr_family(&peer)) {
    local = peer; /* not known: of the same family at least */
    memset(addr_family(&peer) == AF_INET6 ? (void *)&local.in6.sin6_addr : (void *)&local.in4.sin_addr,
           0, addr_family(&peer) == AF_INET6 ? 16 : 4);
    addr_set_port(&local, 5060);
  }
  bool is_in = i->dir == TRACE_IN;
  datagram(c, is_in ? &peer : &local, is_in ? &local : &peer, c->started_us + i->t_us,
           slice_from(i->text, i->text_n));
  return c->is_short ? -ENOMEM : 0;
}

int trace_pcap_add(struct trace_pcap *c, struct slice blob) {
  struct trace_head head;
  int r = trace_read(blob, &head, NULL, NULL);
  if (r < 0)
    return r;
  c->started_us = head.started_us;
  return trace_read(blob, &head, item_add_to, c);
}

char *trace_pcap_take(struct trace_pcap *c, size_t *ret_n) {
  if (c->is_short)
    return NULL;
  *ret_n = c->n;
  c->n = c->room = 0;
  return (char *)take(c->p);
}
