/* SPDX-License-Identifier: Apache-2.0
 * Digest and registration of trunks, what its rooms share: accounts by trunk, our registrations.
 * Not for other areas. Call thread. RFC 3261 10, 22; RFC 3608, 6140, 7616, 8760. */
#pragma once
#include "trunk/account.h"
#include "trunk/hops.h"
#include "trunk/inner.h"
#include "trunk/nonce.h"
#include "trunk/registrar.h"
#include "trunk/registration.h"

enum {
  LINES_MAX = 2 * CONF_TRUNKS_MAX, /* also those that take their leave */
  SERVICE_ROUTES_MAX = 4,
  SERVICE_ROUTE_BYTES = 512,
  TRY_S = 10, /* a registrar that says nothing */
};

/* One registration of ours. */
struct line {
  struct trunks *t;
  char trunk[CONF_NAME_BYTES]; /* "": this place is free */
  struct conf_attach attach;   /* attach is as it was when it began: what is taken back. */
  struct registration engine;
  nta_leg_t *leg; /* leg keeps Call-ID, tag and CSeq. */
  nta_outgoing_t *out;
  uint64_t run; /* run names the transaction whose answer counts. */
  struct timer timer;
  pool_handle job; /* job: the registrar's name is being looked up */
  struct resolve_want want;
  struct resolve_list list; /* addresses of the registrar in use; hit is the one that is tried. */
  uint32_t hit;
  struct addr pinned;                      /* who gave it; AF_UNSPEC: nobody yet */
  char service_route[SERVICE_ROUTE_BYTES]; /* as a Route header's value; "": none */
};

struct regist {
  struct nonces *nonces;
  struct account accounts[CONF_TRUNKS_MAX]; /* one for each trunk of the configuration, in its order */
  struct line lines[LINES_MAX];
  struct registry registries[CONF_TRUNKS_MAX]; /* by trunk, see registrar.h */
  struct timer sweep;                          /* of the registries */
};

/* proof: a challenge or credentials as the library took them apart, in one line again; "": too long */
char *proof_text(const msg_auth_t *au, char *dst, size_t bytes);
struct account *regist_account(struct trunks *t, const struct conf_trunk *trunk); /* NULL without */

/* register: lines follow the configuration; those that stay are kept over a reload. */
void register_start(struct trunks *t);
void register_prune(struct trunks *t, const struct conf *next); /* those that are not in next leave */
void register_leave(struct trunks *t);                          /* all of them, for good */
bool register_is_leaving(const struct trunks *t);
void register_free(struct trunks *t); /* forgotten, nothing is sent */
/* Are we registered with that trunk? */
bool register_is_up(const struct trunks *t, const char *trunk);
const struct line *register_line(const struct trunks *t, const char *trunk); /* NULL without */

/* registrar: also after a reload */
void registrar_start(struct trunks *t);
void registrar_stop(struct trunks *t);
const struct registry *registrar_list(struct trunks *t, const char *trunk); /* NULL without any */
/* The trunk's binding of that key, 0: the first; NULL: there is none. Until the next turn. */
const struct binding *registrar_binding(struct trunks *t, const char *trunk, uint32_t key);
