/* SPDX-License-Identifier: Apache-2.0
 * The load generator's WebRTC clients: one connectivity check with nomination (RFC 8445, toward a lite
 * agent), DTLS as the client, then SRTP with its keys. All share the A socket, each with an address of
 * loopback of its own (by IP_PKTINFO). Main thread; the packet thread hands over what is not RTP. */
#include "base/clock.h"
#include "base/rand.h"
#include "gen.h"
#include "wire/stun.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

enum { CHECK_EVERY_US = 100000, CONNECT_US = 10000000, CLIENTS_A_BLOCK = 250, ROOM = 2048 };

static struct dtlscert *cert;
static int forward[2] = {-1, -1}; /* packet thread to main thread */

/* Where the clients' addresses begin, host order. */
static uint32_t network_of(const struct gen *g) {
  return addr_family(&g->clients) ? ntohl(g->clients.in4.sin_addr.s_addr)
                                  : 127u << 24 | (128 + (uint32_t)getpid() % 100) << 16;
}

struct addr native_address(const struct gen *g, uint32_t i, uint16_t port) {
  return (struct addr){.in4 = {.sin_family = AF_INET,
                               .sin_port = htons(port),
                               .sin_addr.s_addr = htonl(network_of(g) | i / CLIENTS_A_BLOCK << 8 |
                                                        (i % CLIENTS_A_BLOCK + 1))}};
}

int native_start(struct gen *g) {
  int on = 1;
  if (setsockopt(g->fd[0], IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, forward) < 0)
    return -errno;
  int room = 4 << 20;
  (void)setsockopt(forward[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
  return dtlscert_new(&cert);
}

const uint8_t *native_fingerprint(void) { return dtlscert_sha256(cert); }

struct native *native_free(struct native *n) {
  if (n)
    dtls_free(n->dtls);
  free(n);
  return NULL;
}

int native_prepare(struct gen *g, struct leg *l) {
  uint32_t i = l->index / 2;
  l->native = calloc(1, sizeof(*l->native));
  if (!l->native)
    return -ENOMEM;
  l->local = native_address(g, i, addr_port(&g->at[0]));
  rand_text(l->native->ufrag, 8);
  rand_text(l->native->pwd, 24);
  rand_bytes(l->native->check_id, sizeof(l->native->check_id));
  return dtls_new(&l->native->dtls, cert, DTLS_CLIENT);
}

/* Packet thread ------------------------------------------------------------------------------------ */
struct forwarded {
  struct in_addr to;
  uint32_t n;
  uint8_t bytes[ROOM];
};

void native_forward(const struct in_addr *to, const uint8_t *p, size_t n) {
  struct forwarded f = {.to = *to, .n = (uint32_t)n};
  if (n > ROOM)
    return;
  memcpy(f.bytes, p, n);
  (void)!send(forward[0], &f, offsetof(struct forwarded, bytes) + n, 0);
}

/* Main thread ----------------------------------------------------------------------------------------
 */
void pktinfo_put(struct msghdr *m, union pktinfo_room *room, const struct addr *local) {
  memset(room, 0, sizeof(*room));
  m->msg_control = room;
  m->msg_controllen = sizeof(room->bytes);
  struct cmsghdr *c = CMSG_FIRSTHDR(m);
  c->cmsg_level = IPPROTO_IP;
  c->cmsg_type = IP_PKTINFO;
  c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
  struct in_pktinfo info = {.ipi_spec_dst = local->in4.sin_addr};
  memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static void send_from(struct gen *g, struct leg *l, uint8_t *p, size_t n) {
  union pktinfo_room room;
  struct iovec iov = {p, n};
  struct msghdr m = {
      .msg_name = &l->target.sa, .msg_namelen = addr_len(&l->target), .msg_iov = &iov, .msg_iovlen = 1};
  pktinfo_put(&m, &room, &l->local);
  (void)!sendmsg(g->fd[0], &m, 0);
}

static void check_send(struct gen *g, struct leg *l, uint64_t now_us) {
  struct native *n = l->native;
  uint8_t buf[512];
  char name[sizeof(n->their_ufrag) + sizeof(n->ufrag) + 1];
  struct stunmsg_out o;
  int chars = snprintf(name, sizeof(name), "%s:%s", n->their_ufrag, n->ufrag);
  stunmsg_begin(&o, buf, sizeof(buf), STUNMSG_REQUEST, n->check_id);
  stunmsg_put(&o, STUNATTR_USERNAME, slice_from(name, (size_t)chars));
  stunmsg_put_u32(&o, STUNATTR_PRIORITY, 1862270975u);
  stunmsg_put_u64(&o, STUNATTR_ICE_CONTROLLING, (uint64_t)l->index + 1);
  stunmsg_put(&o, STUNATTR_USE_CANDIDATE, SLICE(""));
  stunmsg_put_integrity(&o, slice_of(n->their_pwd));
  stunmsg_put_fingerprint(&o);
  send_from(g, l, buf, stunmsg_end(&o));
  n->check_us = now_us;
}

static void dtls_flush(struct gen *g, struct leg *l) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  for (size_t n; (n = dtls_output(l->native->dtls, buf, sizeof(buf))) > 0;)
    send_from(g, l, buf, n);
}

/* A peer that is no lite agent asks as well. */
static void check_answer(struct gen *g, struct leg *l, const struct stunmsg *m) {
  uint8_t buf[256];
  struct stunmsg_out o;
  stunmsg_begin(&o, buf, sizeof(buf), STUNMSG_SUCCESS, m->id);
  stunmsg_put_mapped(&o, &l->target);
  stunmsg_put_integrity(&o, slice_of(l->native->pwd));
  stunmsg_put_fingerprint(&o);
  send_from(g, l, buf, stunmsg_end(&o));
}

static void stun_take(struct gen *g, struct leg *l, const uint8_t *p, size_t n, uint64_t now_us) {
  struct stunmsg m;
  struct native *native = l->native;
  if (stunmsg_parse(&m, p, n) < 0)
    return;
  if (m.class == STUNMSG_REQUEST)
    check_answer(g, l, &m);
  if (m.class != STUNMSG_SUCCESS || native->is_checked ||
      memcmp(m.id, native->check_id, sizeof(m.id)) != 0)
    return;
  native->is_checked = true;
  struct dtls_fingerprint f = {.bytes = 32};
  memcpy(f.value, native->their_fingerprint, 32);
  dtls_expect(native->dtls, &f, now_us);
}

static void forwarded_take(struct gen *g, const struct forwarded *f, uint64_t now_us) {
  uint32_t at = ntohl(f->to.s_addr) - network_of(g);
  uint32_t call = (at >> 8) * CLIENTS_A_BLOCK + (at & 0xff) - 1;
  struct leg *l = call < g->calls_max ? &g->calls[call].leg[0] : NULL;
  if (!l || !l->native || !f->n)
    return;
  if (f->bytes[0] < 4)
    stun_take(g, l, f->bytes, f->n, now_us);
  else
    (void)!dtls_input(l->native->dtls, f->bytes, f->n, now_us);
  dtls_flush(g, l);
}

static void take_all(struct gen *g) {
  struct forwarded f;
  while (recv(forward[1], &f, sizeof(f), 0) > 0)
    forwarded_take(g, &f, clock_now_us());
}

/* True when its keys are there: they become the leg's. */
static bool is_up(struct gen *g, struct leg *l, uint64_t now_us) {
  struct native *n = l->native;
  if (!n)
    return true;
  if (!n->is_checked && now_us - n->check_us > CHECK_EVERY_US)
    check_send(g, l, now_us);
  if (n->is_checked && dtls_next_us(n->dtls, now_us) <= now_us) {
    dtls_tick(n->dtls, now_us);
    dtls_flush(g, l);
  }
  if (dtls_state(n->dtls) != DTLS_UP || dtls_keys(n->dtls, &l->tx_key, &l->rx_key) < 0)
    return false;
  l->native = native_free(n);
  return true;
}

int native_connect(struct gen *g, struct call *calls, unsigned n) {
  struct pollfd p = {.fd = forward[1], .events = POLLIN};
  uint64_t begin = clock_now_us();
  for (;;) {
    unsigned up = 0;
    take_all(g);
    for (unsigned i = 0; i < n; i++)
      up += is_up(g, &calls[i].leg[0], clock_now_us());
    if (up == n)
      return 0;
    if (clock_now_us() - begin > CONNECT_US)
      return -ETIMEDOUT;
    (void)poll(&p, 1, 5);
  }
}
