/* SPDX-License-Identifier: Apache-2.0
 * Where requests for a SIP URI go, RFC 3263: NAPTR, SRV (RFC 2782), A and AAAA, as an ordered list of
 * at most RESOLVE_HITS_MAX addresses. An engine without I/O: it asks by a function of its owner's and
 * is told answers. What is known is kept between RESOLVE_TTL_MIN_S and RESOLVE_TTL_MAX_S, failures for a
 * short time; a job that waits costs no other job anything. Call thread. */
#pragma once
#include "base/addr.h"
#include "base/pool.h"
#include "conf/conf.h"
#include "wire/dns.h"

enum {
  RESOLVE_HITS_MAX = 16,
  RESOLVE_NAMES_MAX = 1024, /* remembered names; the oldest goes */
  RESOLVE_JOBS_MAX = 1024,  /* waiting at a time */
  RESOLVE_TTL_MIN_S = 5,
  RESOLVE_TTL_MAX_S = 3600,
  RESOLVE_NOTHING_S = 30, /* that there is no such record */
  RESOLVE_FAILED_S = 5,   /* that no server told */
  RESOLVE_JOB_S = 8,      /* then what is known by now has to do */
};
#define RESOLVE_ANY 0xff /* transport: none is given */

struct resolve_want {
  char host[DNS_NAME_BYTES]; /* host is a name or an address literal. */
  uint16_t port;             /* port of the URI, 0: none */
  uint8_t transport;         /* transport of the URI, an enum conf_transport, or RESOLVE_ANY */
  uint8_t preferred;         /* preferred is taken where nothing else decides. */
  uint8_t allowed;           /* allowed has the bits 1 << TRANSPORT_… */
  int family;                /* AF_INET, AF_INET6; AF_UNSPEC: both, AAAA first */
};
struct resolve_hit {
  struct addr addr;
  uint8_t transport; /* enum conf_transport */
};
struct resolve_list {
  uint32_t n;
  struct resolve_hit hits[RESOLVE_HITS_MAX];
};

/* error: 0; -ENOENT (the name has no address), -ETIMEDOUT, -EIO (no server told). */
typedef void resolve_done_fn(void *arg, uint64_t magic, int error, const struct resolve_list *list);

/* A seat of the service: a record of SRV. */
struct resolve_seat {
  char name[DNS_NAME_BYTES];
  uint16_t port, priority, weight;
  uint32_t n_addrs;  /* of its name, as far as they are known */
  struct addr first; /* the first of them */
};

struct resolver;
struct resolver_env {
  void *arg;
  /* Asks; resolver_answer() follows, also at once. -errno: cannot be asked. */
  int (*ask)(void *arg, const char *name, enum dns_type type);
  uint32_t (*below)(uint32_t bound); /* random numbers; NULL: rand_below() */
};
int resolver_new(struct resolver **ret, const struct resolver_env *env) must_check;
struct resolver *resolver_free(struct resolver *r); /* jobs are forgotten */
OWN_DEFINE(resolver)
/* 1: *ret_list is there; 0: fn will be called with magic; -errno (those of fn, -ENOSPC: too many wait;
 * -EPROTONOSUPPORT: the URI's transport is not allowed). */
int resolver_look(struct resolver *r, const struct resolve_want *want, uint64_t now_us,
                  resolve_done_fn *fn, void *arg, uint64_t magic, pool_handle *ret_job,
                  struct resolve_list *ret_list) must_check;
/* The SRV records that the walk goes by, in an order that it may take; of what is known now, nothing is
 * asked. Their number, at most max. */
uint32_t resolver_seats(struct resolver *r, const struct resolve_want *want, uint64_t now_us,
                        struct resolve_seat *ret, uint32_t max);
void resolver_cancel(struct resolver *r, pool_handle job);
/* error 0 with an answer (its rcode counts), or -errno. Calls those whom it lets go on. */
void resolver_answer(struct resolver *r, const char *name, enum dns_type type, int error,
                     const struct dns_answer *answer, uint64_t now_us);
uint64_t resolver_next_us(const struct resolver *r); /* UINT64_MAX: no job waits */
void resolver_run(struct resolver *r, uint64_t now_us);
uint32_t resolver_names(const struct resolver *r);
