/* SPDX-License-Identifier: Apache-2.0
 * A network in virtual time for ICE engines: hosts with a full or a lite agent, delay, loss, blocked
 * paths, and NATs that translate by (inside, outside) pair. */
#pragma once
#include "flow/flow.h"

enum { NET_HOSTS = 6, NET_NATS = 4 };

struct net_host {
  struct agent *agent; /* one of the two */
  struct ice *lite;
  struct agent *second; /* second is asked when agent does not know a datagram (early answers). */
  unsigned events;      /* events told so far, by OR; tests clear it. */
  unsigned sent, got, answered;
  struct addr addrs[4];
  unsigned n_addrs;
  enum drop last;
};

void net_start(uint64_t now_us);
void net_stop(void);
uint64_t net_now_us(void);
struct net_host *net_add(struct agent *agent, struct ice *lite); /* takes them */
struct addr net_addr(const char *text);
/* The host has this address: datagrams to it arrive there; a full agent gets it as a host candidate. */
void net_give(struct net_host *h, const char *address);
void net_take(struct net_host *h, const char *address); /* the network is gone */
/* What comes from inside appears as from outside, one public port for each destination if symmetric. */
void net_nat(const char *inside, const char *outside, bool is_symmetric);
void net_lose(unsigned percent);
void net_block(const char *to); /* datagrams to that address vanish; NULL: none */
/* Exchanges candidates and credentials as an offer and an answer would. */
void net_describe(struct net_host *from, struct net_host *to, bool with_candidates);
void net_run(uint64_t span_us); /* lets so much time pass */
uint64_t net_last_us(void);     /* when something was last sent */
