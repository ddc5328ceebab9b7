/* SPDX-License-Identifier: Apache-2.0
 * A credential set: certificates with their keys, trusted roots, limits; immutable once made, so
 * that a reload is a swap of one pointer while older connections keep theirs. Shared by threads:
 * the one object of the house with a count of its holders (as OpenSSL's own contexts). */
#pragma once
#include "trunk/tls.h"

#include <openssl/ssl.h>

struct creds;
struct creds_limits {
  enum conf_mtls mtls;
  uint64_t deadline_us;
  uint32_t max_shakes, max_shakes_source;
};

/* Errors as told at profile_add(). */
int creds_load(struct creds **ret_creds, const struct profile_settings *s, char *why,
               size_t why_bytes) must_check;
/* A set of one certificate that trusts itself, made in memory, for `name`: the self-test's. */
int creds_selfmade(struct creds **ret_creds, const char *name) must_check;
struct creds *creds_hold(struct creds *c);
struct creds *creds_free(struct creds *c); /* lets one hold go; returns NULL */
OWN_DEFINE(creds)
const struct creds_limits *creds_limits_of(const struct creds *c);
int64_t creds_expiry_s(const struct creds *c); /* first end of our own certificates; 0: none */
/* The end of the certificate that is shown as own_name: the one that has the name, else the first. */
int64_t creds_name_expiry_s(const struct creds *c, const char *own_name);
bool creds_differ(const struct creds *c, const char *a, const char *b); /* for two names of ours */
/* A connection's SSL under the policy of the set, which must outlive it. NULL without memory, or
 * for an accepted one without any certificate. own_name ("" or NULL: none) is who we are on one that we
 * open. */
SSL *creds_ssl(struct creds *c, bool accepted, const char *own_name);
