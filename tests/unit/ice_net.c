/* SPDX-License-Identifier: Apache-2.0
 * See ice_net.h. */
#include "ice_net.h"

#include "base/list.h"

#include <criterion/criterion.h>

enum { DELAY_US = 10000, BYTES = 1500, NAT_PORTS = 16 };

struct flight {
  struct list node;
  uint64_t at_us;
  struct addr from, to;
  size_t n;
  uint8_t bytes[BYTES];
};

struct nat {
  struct addr inside, outside;
  bool is_symmetric;
  struct addr to[NAT_PORTS]; /* whom a port was opened for */
  unsigned n;
};

static struct list flights;
static struct net_host hosts[NET_HOSTS];
static struct nat nats[NET_NATS];
static unsigned n_hosts, n_nats, loss_percent;
static uint64_t now_us, last_us;
static uint32_t dice;
static struct addr blocked;

void net_start(uint64_t t) {
  list_init(&flights);
  memset(hosts, 0, sizeof(hosts));
  memset(nats, 0, sizeof(nats));
  memset(&blocked, 0, sizeof(blocked));
  n_hosts = n_nats = loss_percent = 0;
  now_us = t;
  dice = 1;
}

void net_stop(void) {
  LIST_EACH_SAFE(&flights, node)
    free(CONTAINER_OF(node, struct flight, node));
  for (unsigned i = 0; i < n_hosts; i++) {
    agent_free(hosts[i].agent);
    agent_free(hosts[i].second);
    ice_free(hosts[i].lite);
  }
}

uint64_t net_now_us(void) { return now_us; }
uint64_t net_last_us(void) { return last_us; }
void net_lose(unsigned percent) { loss_percent = percent; }

struct addr net_addr(const char *text) {
  struct addr a;
  cr_assert_eq(addr_parse_port(&a, slice_of(text)), 0, "%s", text);
  return a;
}

void net_block(const char *to) {
  memset(&blocked, 0, sizeof(blocked));
  if (to)
    blocked = net_addr(to);
}

struct net_host *net_add(struct agent *agent, struct ice *lite) {
  cr_assert_lt(n_hosts, NET_HOSTS);
  hosts[n_hosts] = (struct net_host){.agent = agent, .lite = lite};
  return &hosts[n_hosts++];
}

void net_give(struct net_host *h, const char *address) {
  struct addr a = net_addr(address);
  h->addrs[h->n_addrs++] = a;
  if (h->agent)
    cr_assert_eq(agent_add_local(h->agent, CAND_HOST, &a, &a), 0);
  if (h->second)
    cr_assert_eq(agent_add_local(h->second, CAND_HOST, &a, &a), 0);
}

void net_take(struct net_host *h, const char *address) {
  struct addr a = net_addr(address);
  for (unsigned i = 0; i < h->n_addrs; i++)
    if (addr_eq(&h->addrs[i], &a))
      memset(&h->addrs[i], 0, sizeof(a));
  if (h->agent)
    h->events |= agent_del_local(h->agent, &a);
}

void net_nat(const char *inside, const char *outside, bool is_symmetric) {
  nats[n_nats++] = (struct nat){
      .inside = net_addr(inside), .outside = net_addr(outside), .is_symmetric = is_symmetric};
}

/* Outward: which source the world sees. */
static struct addr nat_out(const struct addr *from, const struct addr *to) {
  for (unsigned i = 0; i < n_nats; i++) {
    struct nat *t = &nats[i];
    struct addr seen = t->outside;
    unsigned k = 0;
    if (!addr_eq(&t->inside, from))
      continue;
    while (k < t->n && !addr_eq(&t->to[k], to))
      k++;
    if (k == t->n && k < NAT_PORTS)
      t->to[t->n++] = *to;
    if (t->is_symmetric)
      addr_set_port(&seen, (uint16_t)(addr_port(&seen) + k));
    return seen;
  }
  return *from;
}

/* Inward: only where an outward datagram opened the way. false: no way. */
static bool nat_in(const struct addr *from, struct addr *to) {
  for (unsigned i = 0; i < n_nats; i++) {
    struct nat *t = &nats[i];
    if (addr_eq(&t->inside, to))
      return false; /* private: nobody outside gets there */
    for (unsigned k = 0; k < t->n; k++) {
      struct addr port = t->outside;
      if (t->is_symmetric)
        addr_set_port(&port, (uint16_t)(addr_port(&port) + k));
      if (addr_eq(&port, to) && addr_eq(&t->to[k], from)) {
        *to = t->inside;
        return true;
      }
    }
    if (addr_eq_ip(&t->outside, to))
      return false;
  }
  return true;
}

static bool is_lost(void) {
  dice = dice * 1664525u + 1013904223u;
  return (dice >> 16) % 100 < loss_percent;
}

static void launch(struct net_host *h, const struct ice_pair *pair, const uint8_t *p, size_t n) {
  bool has = false;
  h->sent++;
  last_us = now_us;
  for (unsigned i = 0; i < h->n_addrs; i++)
    has = has || addr_eq(&h->addrs[i], &pair->local);
  if (!has || is_lost() || addr_eq(&blocked, &pair->remote))
    return;
  struct flight *f = calloc(1, sizeof(*f));
  *f = (struct flight){.at_us = now_us + DELAY_US, .to = pair->remote, .n = n};
  f->from = nat_out(&pair->local, &pair->remote);
  memcpy(f->bytes, p, n);
  list_add_tail(&flights, &f->node);
}

static void give(struct net_host *h, const struct flight *f, const struct addr *to) {
  uint8_t buf[AGENT_DATAGRAM_BYTES];
  struct ice_result r;
  struct ice_pair pair = {*to, f->from};
  h->got++;
  if (h->lite)
    h->last = ice_input(h->lite, f->bytes, f->n, &pair, now_us, buf, sizeof(buf), &r);
  else
    h->last = agent_input(h->agent, f->bytes, f->n, &pair, now_us, buf, sizeof(buf), &r);
  if (h->second && (h->last == DROP_ICE_USER || h->last == DROP_ICE_RESPONSE))
    h->last = agent_input(h->second, f->bytes, f->n, &pair, now_us, buf, sizeof(buf), &r);
  h->events |= r.events;
  if (r.response_bytes) {
    h->answered++;
    launch(h, &pair, buf, r.response_bytes);
  }
}

static void land(const struct flight *f) {
  struct addr to = f->to;
  if (!nat_in(&f->from, &to))
    return;
  for (unsigned i = 0; i < n_hosts; i++)
    for (unsigned k = 0; k < hosts[i].n_addrs; k++)
      if (addr_eq(&hosts[i].addrs[k], &to)) {
        give(&hosts[i], f, &to);
        return;
      }
}

static void land_due(void) {
  LIST_EACH_SAFE(&flights, node) {
    struct flight *f = CONTAINER_OF(node, struct flight, node);
    if (f->at_us > now_us)
      continue;
    list_del(&f->node);
    land(f);
    free(f);
  }
}

static void turn(struct net_host *h, struct agent *a) {
  uint8_t buf[AGENT_DATAGRAM_BYTES];
  struct ice_pair pair;
  size_t n;
  if (a && agent_next_us(a) <= now_us)
    h->events |= agent_tick(a, now_us);
  while (a && (n = agent_output(a, buf, sizeof(buf), &pair)))
    launch(h, &pair, buf, n);
}

void net_run(uint64_t span_us) {
  for (uint64_t end = now_us + span_us; now_us < end; now_us += 5000) {
    land_due();
    for (unsigned i = 0; i < n_hosts; i++) {
      turn(&hosts[i], hosts[i].agent);
      turn(&hosts[i], hosts[i].second);
      if (hosts[i].lite && ice_next_us(hosts[i].lite) <= now_us)
        hosts[i].events |= ice_tick(hosts[i].lite, now_us);
    }
  }
}

static void describe_lite(struct net_host *from, struct net_host *to, const struct ice_cred *c) {
  struct desc_candidate cand = {
      .foundation = "1", .component = 1, .is_udp = true, .priority = 2130706431};
  cr_assert_eq(agent_set_remote(to->agent, c->ufrag, c->pwd, true), 0);
  for (unsigned i = 0; i < from->n_addrs; i++) {
    cand.address = from->addrs[i];
    cr_assert_eq(agent_add_remote(to->agent, &cand), 0);
  }
  agent_end_remotes(to->agent);
}

void net_describe(struct net_host *from, struct net_host *to, bool with_candidates) {
  struct ice_cred c;
  struct desc_candidate cand;
  if (from->lite) {
    ice_cred(from->lite, &c);
    describe_lite(from, to, &c);
    return;
  }
  agent_cred(from->agent, &c);
  if (to->lite) {
    ice_set_remote_ufrag(to->lite, c.ufrag);
    return;
  }
  cr_assert_eq(agent_set_remote(to->agent, c.ufrag, c.pwd, false), 0);
  for (unsigned i = 0; with_candidates && agent_local(from->agent, i, &cand); i++)
    cr_assert_geq(agent_add_remote(to->agent, &cand), 0);
  if (with_candidates)
    agent_end_remotes(to->agent);
}
