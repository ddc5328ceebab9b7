/* SPDX-License-Identifier: Apache-2.0
 * Certificates by URL: fetched by libcurl, led to the roots, kept for a while; hosts that fail are left
 * alone for a while. Inside stir. The stir thread alone. */
#pragma once
#include "stir/es256.h"
#include "stir/judge.h"

#include <curl/curl.h>

enum { CERTS_MAX = 64, CERT_BYTES = 65536, FETCH_MS = 2000, BREAKER_ERRORS = 5, BREAKER_HOSTS = 32 };
#define BREAKER_WINDOW_US UINT64_C(10000000)
#define BREAKER_OPEN_US UINT64_C(15000000)

struct certs;
int certs_new(struct certs **ret) must_check;
struct certs *certs_free(struct certs *c);
OWN_DEFINE(certs)
/* Takes roots (its own from now on) and rules; what was kept is forgotten. */
void certs_rules(struct certs *c, const struct stir_rules *rules, X509_STORE *roots);
/* The key of that URL: STIR_VALID and *ret, valid until the next turn; STIR_NONE and *ret NULL: being
 * fetched, ask again after a turn; else why there is none. */
enum stir_outcome certs_get(struct certs *c, const char *url, uint64_t now_us, int64_t wall_s,
                            EVP_PKEY **ret, const char **ret_why);
/* The TNAuthList of a certificate that certs_get() just gave; until the next turn. */
struct slice certs_numbers(const struct certs *c, const char *url);
/* Waits at most ms, or until fd is readable, and goes on with fetches. True: some are done. */
bool certs_turn(struct certs *c, int fd, int ms, uint64_t now_us, int64_t wall_s);
