/* SPDX-License-Identifier: Apache-2.0
 * PASSporTs as text and as values, without keys: what a token claims, what an Identity header field
 * holds, and both written in the canonical form. Strict: ES256 only, every claim of its type, no
 * member twice. Inside stir. Pure. RFC 8225, 8224, 8588, 8946. */
#pragma once
#include "base/text.h"

enum {
  PASSPORT_TEXT_BYTES = 3072, /* a token */
  PASSPORT_TNS = 4,           /* numbers that it may be for */
  PASSPORT_TN_BYTES = 24,
  PASSPORT_URL_BYTES = 256,
  PASSPORT_SIG_BYTES = 64,
};

enum passport_kind { PASSPORT_BASE, PASSPORT_SHAKEN, PASSPORT_DIV };

struct passport {
  enum passport_kind kind;
  char x5u[PASSPORT_URL_BYTES];
  char orig[PASSPORT_TN_BYTES]; /* canonical; "": a URI, which no call of ours has */
  uint32_t n_dest;
  char dest[PASSPORT_TNS][PASSPORT_TN_BYTES];
  char div[PASSPORT_TN_BYTES]; /* of kind DIV: whom the call was for before */
  char attest;                 /* of kind SHAKEN: A, B or C */
  char origid[40];
  int64_t iat_s;
};

/* An Identity header field's parts. */
struct identity_field {
  struct slice token; /* token is whole, or ..SIGNATURE in its compact form */
  struct slice info;  /* info is the URL of the certificate. */
  struct slice ppt;   /* ppt without quotes; empty: none */
};

/* Digits, * and # of a number; 0 or -EINVAL (something else in it, too long, none). RFC 8224 8.3. */
int passport_number(char dst[PASSPORT_TN_BYTES], struct slice number) must_check;
/* -EBADMSG: malformed, or with an algorithm that is not served. */
int identity_field_read(struct slice value, struct identity_field *ret) must_check;
/* What a whole token claims; *ret_signed is what its signature is over. -EBADMSG */
int passport_read(struct slice token, struct passport *ret, struct slice *ret_signed,
                  uint8_t ret_signature[PASSPORT_SIG_BYTES]) must_check;
/* The signature of a compact token ..SIGNATURE. -EBADMSG */
int passport_read_compact(struct slice token, uint8_t ret_signature[PASSPORT_SIG_BYTES]) must_check;
/* HEADER.PAYLOAD in base64url, to be signed. 0 or -ENOSPC. */
int passport_write(const struct passport *p, char *dst, size_t bytes) must_check;
bool passport_is_for(const struct passport *p, const char *tn);
