/* SPDX-License-Identifier: Apache-2.0
 * A timeline as a pcap file that every analyser reads: microseconds, link type raw IP (101). Each SIP
 * message is one UDP datagram with its true addresses and time, whatever carried it; of media packets
 * the header stands there, with the length that they had. In the order of time. Pure.
 */
#include "trace/trace.h"

enum {
  LINK_RAW = 101,
  SNAP_BYTES = 262144,
  UDP_BYTES = 8,
  IP4_BYTES = 20,
  IP6_BYTES = 40,
  FILE_BYTES = 24,
  DATAGRAM_MAX = 60000,
  TAG_BYTES = 10, /* of SRTP */
  HEAD_MAX = 128,
};

struct frame { /* a packet, with its pcap head, at at of n bytes */
  uint64_t at_us;
  size_t at;
  uint32_t n;
  bool is_out;
};

struct trace_pcap {
  struct frame *frames;
  size_t n_frames, room_frames;
  uint8_t *p;
  size_t n, room;
  bool is_short; /* is_short: there was no memory for all. */
  bool has_keys; /* has_keys: a description had some. */
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
  if (c)
    free(c->frames);
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

/* bytes are of the payload, of which text is what is there. */
static void udp_head(uint8_t *u, const struct addr *from, const struct addr *to, struct slice text,
                     size_t bytes) {
  size_t n = UDP_BYTES + bytes;
  put16(u, addr_port(from));
  put16(u + 2, addr_port(to));
  put16(u + 4, n);
  put16(u + 6, 0); /* none over IPv4; over IPv6 one is due, and nobody can check that of a part */
  if (addr_family(from) != AF_INET6)
    return;
  uint32_t sum = sum_of((const uint8_t *)&from->in6.sin6_addr, 16) +
                 sum_of((const uint8_t *)&to->in6.sin6_addr, 16) + 17 + (uint32_t)n + sum_of(u, 8) +
                 sum_of((const uint8_t *)text.p, text.n);
  uint16_t check = folded(sum);
  put16(u + 6, check ? check : 0xffff);
}

static void frame_begin(struct trace_pcap *c, uint64_t at_us, bool is_out) {
  if (c->n_frames == c->room_frames) {
    size_t room = c->room_frames * 2 + 64;
    struct frame *more = reallocarray(c->frames, room, sizeof(*more));
    if (!more) {
      c->is_short = true;
      return;
    }
    c->frames = more;
    c->room_frames = room;
  }
  c->frames[c->n_frames++] = (struct frame){.at_us = at_us, .at = c->n, .is_out = is_out};
}

struct datagram {
  const struct addr *from, *to;
  uint64_t at_us; /* since the call began */
  bool is_out;
  struct slice text;
  size_t bytes; /* bytes is the length that it had. */
};

static void datagram_add(struct trace_pcap *c, const struct datagram *d) {
  uint8_t head[IP6_BYTES + UDP_BYTES] = {0};
  uint64_t wall_us = c->started_us + d->at_us;
  bool is_six = addr_family(d->from) == AF_INET6;
  size_t n = is_six ? ip6_head(head, d->from, d->to, UDP_BYTES + d->bytes)
                    : ip4_head(head, d->from, d->to, UDP_BYTES + d->bytes);
  frame_begin(c, wall_us, d->is_out);
  if (c->is_short)
    return;
  udp_head(head + n, d->from, d->to, d->text, d->bytes);
  n += UDP_BYTES;
  add32(c, (uint32_t)(wall_us / 1000000));
  add32(c, (uint32_t)(wall_us % 1000000));
  add32(c, (uint32_t)(n + d->text.n));
  add32(c, (uint32_t)(n + d->bytes));
  add(c, head, n);
  add(c, d->text.p, d->text.n);
  c->frames[c->n_frames - 1].n = (uint32_t)(c->n - c->frames[c->n_frames - 1].at);
}

/* Wireshark takes the tag of SRTP off what was captured, and calls a packet malformed that has less than
 * one behind its header: as many zeros stand there. */
static int packet_add(void *arg, const struct trace_packet *p) {
  struct trace_pcap *c = arg;
  uint8_t head[HEAD_MAX + TAG_BYTES] = {0};
  size_t n = p->n <= HEAD_MAX ? p->n : HEAD_MAX;
  memcpy(head, p->head, n);
  if (c->has_keys && !p->is_rtcp && p->bytes >= n + TAG_BYTES)
    n += TAG_BYTES;
  if (addr_family(&p->from) == addr_family(&p->to))
    datagram_add(
        c, &(struct datagram){&p->from, &p->to, p->at_us, p->is_out, slice_from(head, n), p->bytes});
  return c->is_short ? -ENOMEM : 0;
}

static int item_add_to(void *arg, const struct trace_item *i) {
  struct trace_pcap *c = arg;
  struct addr peer, local;
  if (i->kind == TRACE_PACKETS) {
    (void)!trace_packets(i, packet_add, c); /* what came before damage is good */
    return c->is_short ? -ENOMEM : 0;
  }
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
  datagram_add(c, &(struct datagram){is_in ? &peer : &local, is_in ? &local : &peer, i->t_us, !is_in,
                                     slice_from(i->text, i->text_n), i->text_n});
  return c->is_short ? -ENOMEM : 0;
}

static int keys_look(void *arg, const struct trace_item *i) {
  struct trace_pcap *c = arg;
  c->has_keys = c->has_keys || (i->text_n && memmem(i->text, i->text_n, "\na=crypto:", 10));
  return 0;
}

int trace_pcap_add(struct trace_pcap *c, struct slice blob) {
  struct trace_head head;
  int r = trace_read(blob, &head, keys_look, c);
  if (r < 0)
    return r;
  c->started_us = head.started_us;
  return trace_read(blob, &head, item_add_to, c);
}

/* What was forwarded came first. */
static int frame_order(const void *x, const void *y) {
  const struct frame *a = x, *b = y;
  if (a->at_us != b->at_us)
    return a->at_us < b->at_us ? -1 : 1;
  if (a->is_out != b->is_out)
    return a->is_out ? 1 : -1;
  return a->at < b->at ? -1 : a->at > b->at;
}

char *trace_pcap_take(struct trace_pcap *c, size_t *ret_n) {
  char *file = c->is_short ? NULL : malloc(c->n);
  if (!file)
    return NULL;
  size_t at = FILE_BYTES;
  memcpy(file, c->p, FILE_BYTES);
  if (c->n_frames)
    qsort(c->frames, c->n_frames, sizeof(*c->frames), frame_order);
  for (size_t i = 0; i < c->n_frames; i++) {
    memcpy(file + at, c->p + c->frames[i].at, c->frames[i].n);
    at += c->frames[i].n;
  }
  *ret_n = at;
  return file;
}
