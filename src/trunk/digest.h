/* SPDX-License-Identifier: Apache-2.0
 * Digest access authentication without I/O, for both sides: a challenge read and answered,
 * credentials read and checked. MD5, SHA-256, SHA-512-256; qop auth and none; no -sess, no auth-int.
 * Whoever sends several challenges means: take the best that you have. RFC 7616, 8760, 3261 22. */
#pragma once
#include "base/slice.h"

enum digest_algorithm {
  DIGEST_MD5,
  DIGEST_SHA256,
  DIGEST_SHA512_256,
  DIGEST_ALGORITHMS
}; /* by strength */

enum {
  DIGEST_HEX_BYTES = 65,
  DIGEST_TEXT_BYTES = 256,  /* of one parameter; a longer one is malformed */
  DIGEST_LINE_BYTES = 2048, /* holds every line that we write */
  DIGEST_CNONCE_CHARS = 22,
};

const char *digest_algorithm_text(enum digest_algorithm a); /* MD5 SHA-256 SHA-512-256 */

struct digest_challenge {
  char realm[DIGEST_TEXT_BYTES], nonce[DIGEST_TEXT_BYTES], opaque[DIGEST_TEXT_BYTES];
  uint8_t algorithm; /* enum digest_algorithm */
  bool has_qop;      /* has_qop: auth is among the qops; else there is none at all. */
  bool has_opaque;
  bool is_stale; /* is_stale: the secret was right, the nonce too old. */
};
/* value: 'Digest realm="…", nonce="…", …'. 0; -ENOTSUP: another scheme, algorithm or qop; -EBADMSG. */
int digest_challenge_read(struct digest_challenge *ret, struct slice value) must_check;

/* What an answer is made of. nc counts the answers to this nonce, from 1. */
struct digest_answer {
  const char *username, *password, *method, *uri, *cnonce;
  uint32_t nc;
};
/* The value of Authorization or Proxy-Authorization: 0, or -ENOSPC, -EINVAL (a control character). */
int digest_answer_write(char *dst, size_t bytes, const struct digest_challenge *c,
                        const struct digest_answer *a) must_check;

struct digest_credentials {
  char username[DIGEST_TEXT_BYTES], realm[DIGEST_TEXT_BYTES], nonce[DIGEST_TEXT_BYTES];
  char uri[DIGEST_TEXT_BYTES], cnonce[DIGEST_TEXT_BYTES];
  char response[DIGEST_HEX_BYTES];
  uint8_t algorithm; /* enum digest_algorithm */
  bool has_qop;      /* has_qop: qop=auth; nc and cnonce are there then. */
  uint32_t nc;
};
/* 0, -EBADMSG (a member is missing or malformed), -ENOTSUP (an algorithm or qop that is not ours). */
int digest_credentials_read(struct digest_credentials *ret, struct slice value) must_check;

/* H(username:realm:password) in lower-case hex; the caller wipes it. */
void digest_ha1(enum digest_algorithm a, const char *username, const char *realm, const char *password,
                char ret[DIGEST_HEX_BYTES]);
/* Is the response right for this HA1 and method? In constant time. */
bool digest_is_right(const struct digest_credentials *c, const char *ha1, const char *method);
/* The challenge as a server writes it. 0 or -ENOSPC, -EINVAL. */
int digest_challenge_write(char *dst, size_t bytes, const char *realm, const char *nonce,
                           enum digest_algorithm a, bool is_stale) must_check;
