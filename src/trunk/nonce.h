/* SPDX-License-Identifier: Apache-2.0
 * Nonces of our challenges: signed, bound to the source's address and the realm, good for five minutes,
 * so that nothing is kept for who has not proven anything. Of those that proved, the counts that were
 * used are kept, in a bounded ring: what falls out of it makes all as old as it stale. Sans clock.
 * RFC 7616 3.3, 5.4. */
#pragma once
#include "base/addr.h"

enum {
  NONCE_BYTES = 41, /* of the text */
  NONCE_LIFE_S = 300,
  NONCE_KEPT_MAX = 4096,
};

enum nonce_state {
  NONCE_GOOD,
  NONCE_STALE,  /* ours, but old, or its count was used */
  NONCE_UNKNOWN /* not ours: of another address, of before a restart, made up */
};

struct nonces;
int nonces_new(struct nonces **ret) must_check; /* 0 or -ENOMEM; the key is random */
struct nonces *nonces_free(struct nonces *n);
OWN_DEFINE(nonces)
void nonce_make(struct nonces *n, const struct addr *source, const char *realm, uint64_t now_us,
                char ret[NONCE_BYTES]);
/* Looks only. nc 0: credentials without qop, which may use a nonce once. */
enum nonce_state nonce_look(const struct nonces *n, const char *nonce, uint32_t nc,
                            const struct addr *source, const char *realm, uint64_t now_us);
/* The count is used from now on; only after the proof, and after nonce_look() said good. */
void nonce_use(struct nonces *n, const char *nonce, uint32_t nc);
