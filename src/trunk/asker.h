/* SPDX-License-Identifier: Apache-2.0
 * Questions to the recursive DNS servers, without waiting: a socket, a port and an id of its own for
 * each try by UDP, each server in turn, by TCP where an answer was too long. Nobody else's datagram is
 * taken. Call thread. RFC 1035 4.2, RFC 5452, RFC 7766. */
#pragma once
#include "base/addr.h"
#include "base/loop.h"
#include "wire/dns.h"

enum {
  ASKER_SERVERS_MAX = 4,
  ASKER_OPEN_MAX = 256, /* questions at a time */
  ASKER_TRY_MS = 1000,  /* one try; then the next server, at least ASKER_TRIES in all */
  ASKER_TRIES = 3,
};

/* error 0: answer is there, its rcode counts; -ETIMEDOUT; -EIO: refused or cut off everywhere */
typedef void asker_done_fn(void *arg, const char *name, enum dns_type type, int error,
                           const struct dns_answer *answer);
struct asker;
/* servers: n of them, else those of /etc/resolv.conf, else 127.0.0.1. */
int asker_new(struct asker **ret, struct loop *loop, const struct addr *servers, uint32_t n,
              asker_done_fn *fn, void *arg) must_check;
struct asker *asker_free(struct asker *a); /* open questions are forgotten */
OWN_DEFINE(asker)
/* fn is called later, never from inside. 0, -ENOSPC (too many are open), -EINVAL (the name), -errno. */
int asker_ask(struct asker *a, const char *name, enum dns_type type) must_check;
/* The nameserver lines of a resolv.conf(5), at most max. */
uint32_t asker_servers(const char *path, struct addr *ret, uint32_t max);
