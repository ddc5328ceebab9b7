/* SPDX-License-Identifier: Apache-2.0
 * Tokens of strangers: the text form, and (first byte '{') the claims that stand behind the signature.
 */
#include "web/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct claims c;
  struct jwt j;
  struct slice text = slice_from(data, n);
  if (n && data[0] == '{') {
    if (n < TOKEN_MAX_BYTES &&
        jwt_claims(text, "https://edge.example", 1800000000000ull, &c) == TOKEN_OK &&
        (!claims_identity_ok(slice_of(c.identity)) || c.expires_s > c.issued_s + TOKEN_LIFE_MAX_S))
      abort();
    return 0;
  }
  if (jwt_read(text, &j)) {
    if (j.signed_text.n >= n || j.signature_bytes > sizeof(j.signature))
      abort();
    (void)jwt_payload(j.payload_text, "https://edge.example", 1800000000000ull, &c);
  }
  return 0;
}
