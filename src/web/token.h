/* SPDX-License-Identifier: Apache-2.0
 * Access tokens: JWT (RFC 7519, 7515, 8725) signed ES256 or EdDSA by keys of our own. The algorithm is
 * the key's, never the token's choice. A set of keys may be used by any thread. */
#pragma once
#include "base/slice.h"

#include <jansson.h>

#define TOKEN_MAX_BYTES 4096
#define TOKEN_LIFE_MAX_S 86400u
#define TOKEN_SKEW_S 60u
#define TOKEN_NUMBERS_MAX 16
#define TOKEN_NUMBER_BYTES 34
#define TOKEN_JTI_BYTES 40
#define TOKEN_SCOPES_BYTES 256

struct claims {
  char identity[65];               /* identity is sub: [A-Za-z0-9._@+-]{1,64}. */
  char tenant[65];                 /* tenant is "default" if the token has none. */
  char scopes[TOKEN_SCOPES_BYTES]; /* scopes are separated by one space. */
  char jti[TOKEN_JTI_BYTES];
  uint64_t expires_s, issued_s; /* seconds since 1970 */
  unsigned numbers_n;
  char numbers[TOKEN_NUMBERS_MAX]
              [TOKEN_NUMBER_BYTES]; /* numbers this identity may show and be called by. */
};

bool claims_has_scope(const struct claims *c, const char *scope);
bool claims_identity_ok(struct slice text);
bool claims_scopes_ok(const char *text); /* only scopes that native-signaling knows, one space between */

enum token_fault {
  TOKEN_OK,
  TOKEN_MALFORMED, /* not three parts, not JSON, duplicate members, too large, wrong types */
  TOKEN_ALGORITHM, /* not the algorithm of the key: none, HS256, … */
  TOKEN_UNKNOWN_KEY,
  TOKEN_BAD_SIGNATURE,
  TOKEN_WRONG_ISSUER,
  TOKEN_WRONG_AUDIENCE,
  TOKEN_EXPIRED,
  TOKEN_NOT_YET,
  TOKEN_TOO_LONG_A_LIFE,
  TOKEN_REVOKED,
};
const char *token_fault_text(enum token_fault f);

struct tokens; /* tokens is a set of keys, an issuer's name, and the revoked ids. */
/* Keys of the issuer (https://<edge>). key_file: a PEM private key (P-256 or Ed25519); made (P-256,
 * 0600) when absent; refused (-EPERM) when others may read it. revoked_file keeps revoked ids over a
 * restart (made when absent); NULL: memory only. 0 or -errno. */
int tokens_new(struct tokens **ret_tokens, const char *issuer, const char *key_file,
               const char *revoked_file) must_check;
struct tokens *tokens_free(struct tokens *t);
OWN_DEFINE(tokens)
/* Fills jti, issued_s, expires_s; ttl_s 0 is an hour, at most a day. text holds TOKEN_MAX_BYTES.
 * 0, -EINVAL (claims), -E2BIG or -EIO. */
int token_mint(struct tokens *t, struct claims *c, uint32_t ttl_s, uint64_t wall_ms,
               char *ret_text) must_check;
enum token_fault token_verify(struct tokens *t, struct slice text, uint64_t wall_ms,
                              struct claims *ret_claims);
/* 0, -EINVAL (not an id of ours), -ENOSPC (the list is full of ids that have not expired) or -errno. */
int token_revoke(struct tokens *t, const char *jti, uint64_t wall_ms) must_check;
json_t *tokens_jwks(struct tokens *t); /* new reference; /.well-known/jwks.json */
