/* SPDX-License-Identifier: Apache-2.0
 * The parts of a JWT and what must be in them, without keys: the parser that strangers reach. Pure. */
#pragma once
#include "web/token.h"

struct jwt {
  struct slice signed_text; /* signed_text is header "." payload as received. */
  char algorithm[16], key_id[64];
  uint8_t signature[96];
  size_t signature_bytes;
  struct slice payload_text; /* payload_text is base64url, not read before the signature is good. */
};

bool jwt_read(struct slice text, struct jwt *ret); /* false: malformed */
/* Reads and judges the claims at this time; payload is JSON. */
enum token_fault jwt_claims(struct slice payload, const char *issuer, uint64_t wall_ms,
                            struct claims *ret);
enum token_fault jwt_payload(struct slice base64, const char *issuer, uint64_t wall_ms,
                             struct claims *ret);
bool jwt_number_ok(struct slice text); /* native-signaling's {"tel"} */
