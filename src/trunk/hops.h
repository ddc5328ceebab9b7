/* SPDX-License-Identifier: Apache-2.0
 * One request of a trunk over its targets, in order: the URIs of the trunk, the healthy first, each
 * resolved by RFC 3263, those that are shunned last. On to the next one at once when a target is
 * refused or reset, after HOPS_SILENCE_MS without any answer, on a 503; never after a provisional
 * other than 100, never on another final answer. In-dialog requests follow the route set instead.
 * Call thread. RFC 3263 4.3, RFC 3261 16.7 (6), 20.33. */
#pragma once
#include "base/pool.h"
#include "trunk/inner.h"
#include "trunk/resolve.h"

enum {
  HOPS_SILENCE_MS = 4 * T1_MS, /* of one target while there is another one */
  HOPS_TRIES_MAX = 16,
};

struct hop {
  struct addr addr;
  uint8_t transport; /* enum conf_transport */
  uint32_t goal;     /* goal is which of the trunk's URIs (health.h); uri is that. */
  uint32_t key;      /* key is the binding's that it is, 0: none (registrar.h). */
  char uri[CONF_PATH_BYTES];
  char route[CONF_PATH_BYTES + 96]; /* route is the same for sofia's route_url, with the address. */
};

/* Why there is no further target. */
struct hops_end {
  int status;             /* 503: refused, reset, shunned, said so; 408: silence; 502: no address */
  bool is_peer;           /* is_peer: the peer said that status itself. */
  uint32_t retry_after_s; /* of the last 503; 0: none */
  const char *why;
  enum why_fault fault; /* what of ours found it out; none where the peer said so */
  uint32_t tries;       /* the addresses that were tried, and the last of them */
  struct addr target;
};

struct hops_user {
  /* Sends the request there (the one before is over, or was given to abandon). False: it cannot be
   * sent; the next target is tried. */
  bool (*send)(void *magic, const struct hop *hop);
  /* The target is silent: the request's transaction is to be given up, see orphan_take(). */
  void (*abandon)(void *magic);
  /* NULL, or: did it leave by TCP because it is long (agent.c)? Then UDP is tried before another target.
   */
  bool (*is_switched)(void *magic);
  /* No target is left. The walk is gone when this is called. */
  void (*over)(void *magic, const struct hops_end *end);
};

/* Begins; send or over come from inside or later. 0 and its handle, or -ENOSPC. */
int hops_begin(struct trunks *t, const struct conf_trunk *trunk, const struct hops_user *user,
               void *magic, pool_handle *ret) must_check;
/* What came back: is_own when nobody but our own stack said it. True: it was a target's failure, the
 * walk has gone on (send or over was, or will be called) and the transaction is over. False: it is the
 * request's answer; after a final or a provisional other than 100 the walk is gone. */
bool hops_response(struct trunks *t, pool_handle hops, int status, bool is_own, uint32_t retry_after_s);
void hops_end(struct trunks *t,
              pool_handle hops); /* nobody is called any more; a stale one is ignored */
/* All requests of the trunk go there, and nowhere else, until n is 0: where a registration lives, or the
 * n bindings of its peer in their order. Then a final 408, 410, 480, 500, 502 or 504 leads to the next.
 */
void hops_pin(struct trunks *t, const char *trunk, const struct hop *list, uint32_t n);
/* A target spoke, or did not, by what else is sent to it (OPTIONS). */
void hops_mark(struct trunks *t, const char *trunk, const struct hop *hop, bool is_good);
/* All targets of the trunk in order, shunned or not, of names that are known by now (those that are
 * not are asked): at most max. */
uint32_t hops_list(struct trunks *t, const struct conf_trunk *trunk, struct hop *ret, uint32_t max);
/* The SRV records behind the trunk's URIs, of what is known by now: at most max. */
uint32_t hops_seats(struct trunks *t, const struct conf_trunk *trunk, struct resolve_seat *ret,
                    uint32_t max);

/* What a URI asks the resolver for, on the trunk's listener: 0 or -EINVAL. */
int hops_want(struct trunks *t, const struct conf_trunk *trunk, const char *uri,
              struct resolve_want *ret) must_check;
/* route of the hop's address and transport; want's host is what a certificate is checked against. */
void hops_route(struct hop *hop, const struct resolve_want *want);

int hops_start(struct trunks *t) must_check;
void hops_stop(struct trunks *t);

/* hosts: records of /etc/hosts as an answer; n is 0 if the name is not there. */
void hosts_find(const struct trunks *t, const char *name, enum dns_type type, struct dns_answer *ret);
void hosts_learn(struct trunks *t, const char *name, enum dns_type type,
                 const struct dns_answer *answer);
/* lookup: the resolver with its sockets */
int lookup_start(struct trunks *t) must_check;
void lookup_stop(struct trunks *t);
void lookup_settle(struct trunks *t); /* its timer, after resolver_look() */

/* orphan: an INVITE whose target was silent. Should it be answered after all: CANCEL, or ACK and BYE. */
void orphan_take(struct agent *a, nta_outgoing_t *invite);
