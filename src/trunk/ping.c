/* SPDX-License-Identifier: Apache-2.0
 * Pings: see ping.h. One that is not answered in 10 s closes its connection: what is under way on it
 * fails at once, the next request opens another. A peer that never answered a ping is believed as long
 * as its TCP acknowledges. */
#include "trunk/ping.h"

#include "trunk/sofia_hooks.h"
#include "trunk/sofia_tls.h"
#include "trunk/tls.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { PONG_US = 10000000, STATE_ESTABLISHED = 1 };

static bool facts_read(const struct own_link *l, struct tcp_info *ret, struct addr *ret_peer) {
  struct sockaddr_storage ss;
  socklen_t n = sizeof *ret, len = sizeof ss;
  memset(ret, 0, sizeof *ret);
  if (tport_is_closed(l->tp) || getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, ret, &n) < 0 ||
      ret->tcpi_state != STATE_ESTABLISHED || getpeername(l->fd, (struct sockaddr *)&ss, &len) < 0)
    return false;
  addr_from(ret_peer, (struct sockaddr *)&ss);
  return true;
}

static uint32_t silence_ms(const struct ping_rule *r, const struct own_link *l,
                           const struct addr *peer) {
  const char *names[PING_NAMES_MAX];
  size_t n = 0;
  while (n < PING_NAMES_MAX && tport_has_tls(l->tp) && (names[n] = link_subject(l->tp, n)))
    n++;
  return r->silence_s(r->arg, peer, names, n) * 1000;
}

/* Between two messages only, and never where it would have to wait. */
static bool ping(const struct own_link *l) {
  static char crlfs[] = "\r\n\r\n";
  struct link *link = link_of(l->tp);
  if (tport_has_queued(l->tp))
    return false;
  if (tport_has_tls(l->tp))
    return link && tls_write(link, crlfs, 4) == 4;
  return send(l->fd, crlfs, 4, MSG_DONTWAIT | MSG_NOSIGNAL) == 4;
}

static bool is_dead(struct own_link *l, const struct tcp_info *now, uint64_t since_us) {
  bool is_heard = (uint64_t)now->tcpi_last_data_recv * 1000 < since_us;
  bool is_acked = !now->tcpi_unacked || (uint64_t)now->tcpi_last_ack_recv * 1000 < since_us;
  bool is_late = since_us >= PONG_US;
  l->answers |= is_heard;
  if (is_heard || is_late)
    l->pinged_us = 0;
  return !is_heard && is_late && (l->answers || !is_acked);
}

static void link_look(const struct ping_rule *r, struct own_link *l, uint64_t now_us) {
  struct tcp_info facts;
  struct addr peer;
  if (!facts_read(l, &facts, &peer))
    return;
  if (l->pinged_us) {
    if (is_dead(l, &facts, now_us - l->pinged_us)) {
      r->lost(r->arg, &peer);
      tport_shutdown(l->tp, 2); /* l goes with it */
    }
    return;
  }
  uint32_t ms = silence_ms(r, l, &peer);
  if (!ms || facts.tcpi_last_data_sent < ms || facts.tcpi_last_data_recv < ms || !ping(l))
    return;
  l->pinged_us = now_us;
  r->sent(r->arg);
}

void pings_look(const struct ping_rule *r, uint64_t now_us) {
  LIST_EACH_SAFE(hooks_own(), n)
    link_look(r, CONTAINER_OF(n, struct own_link, node), now_us);
}
