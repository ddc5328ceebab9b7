/* SPDX-License-Identifier: Apache-2.0
 * Challenges and credentials of a peer: what can be read can be answered, and what we write we read. */
#include "trunk/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void answer(const struct digest_challenge *c) {
  char line[DIGEST_LINE_BYTES];
  struct digest_credentials k;
  struct digest_answer a = {"user", "password", "INVITE", "sip:h", "cnonce", 1};
  if (digest_answer_write(line, sizeof line, c, &a) < 0)
    return; /* too long once its quotes are escaped */
  if (digest_credentials_read(&k, slice_of(line)) < 0 || strcmp(k.nonce, c->nonce) != 0 ||
      strcmp(k.realm, c->realm) != 0 || k.algorithm != c->algorithm)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct digest_challenge c;
  struct digest_credentials k;
  char ha1[DIGEST_HEX_BYTES];
  if (digest_challenge_read(&c, slice_from(data, n)) == 0)
    answer(&c);
  if (digest_credentials_read(&k, slice_from(data, n)) == 0) {
    digest_ha1(k.algorithm, k.username, k.realm, "password", ha1);
    if (digest_is_right(&k, ha1, "INVITE") && n < 32)
      abort();
  }
  return 0;
}
