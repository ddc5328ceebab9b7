/* SPDX-License-Identifier: Apache-2.0
 * What a trunk's digest settings are in memory: our password toward it, the nonces that we answered,
 * the users that it may name. Files are read here; nothing of them is logged, all is wiped. Users'
 * passwords are kept as hashes only. Call thread. RFC 7616 3.4, 8760. */
#pragma once
#include "conf/conf.h"
#include "trunk/digest.h"

enum { ACCOUNT_USERS_MAX = 64, ACCOUNT_NONCES = 8, ACCOUNT_FILE_BYTES = 65536 };

struct account_user {
  char name[CONF_NAME_BYTES];
  char ha1[DIGEST_ALGORITHMS][DIGEST_HEX_BYTES]; /* "": not by this algorithm */
};

struct account {
  char password[DIGEST_TEXT_BYTES]; /* password is ours; "": challenges are not answered. */
  struct {
    char nonce[DIGEST_TEXT_BYTES];
    uint32_t nc;
  } nonces[ACCOUNT_NONCES]; /* nonces of theirs that we answered, the oldest overwritten */
  uint32_t next_nonce;
  uint64_t bare_stale_us; /* when a stale nonce without qop was answered last */
  uint32_t n_users;
  struct account_user *users; /* users is the account's own, ACCOUNT_USERS_MAX of them, or NULL. */
};

/* The realm of our challenges on that trunk. */
const char *account_realm(const struct conf_trunk *t);
/* Reads the files of t; what cannot be used is left out and told in why (by path, not by content): 0,
 * -EINVAL, -ENOMEM. The account is whole in any case; account_wipe() ends it. */
int account_read(struct account *ret, const struct conf_trunk *t, char *why,
                 size_t why_bytes) must_check;
void account_wipe(struct account *a);
/* How often this nonce was answered, this time included. */
uint32_t account_nonce_count(struct account *a, const char *nonce);
const struct account_user *account_user_find(const struct account *a, const char *name);
