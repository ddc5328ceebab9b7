/* SPDX-License-Identifier: Apache-2.0
 * Time-limited credentials of native relays (native-signaling section 12): the username is
 * "<unix expiry>:<pseudonym>", the password base64(HMAC-SHA1(secret, username)). The pseudonym is the
 * same for all credentials of an identity, so that the relay can count, and tells nobody who it is. */
#pragma once
#include "base/slice.h"

enum {
  RELAY_SECRETS_MAX = 2,
  RELAY_SECRET_MIN = 16,
  RELAY_SECRET_BYTES = 129,
  CREDENTIAL_NAME_BYTES = 48,
  CREDENTIAL_BYTES = 29,
};

struct relay_secret { /* the lines of a relay's secret_file: n of them, the first signs */
  uint32_t n;
  char text[RELAY_SECRETS_MAX][RELAY_SECRET_BYTES];
};

/* One or two lines of 16 to 128 visible ASCII characters without # and quotes, which mean something to
 * coturn: 0, or -EINVAL. */
int relay_secret_parse(struct relay_secret *ret, struct slice text) must_check;
/* The same from a file: 0, -EINVAL, or -errno. */
int relay_secret_read(struct relay_secret *ret, const char *file) must_check;

struct credential {
  char username[CREDENTIAL_NAME_BYTES], password[CREDENTIAL_BYTES];
};
void credential_sign(struct credential *c, struct slice secret); /* password of c->username */
void credential_make(struct credential *ret, const struct relay_secret *s, const char *tenant,
                     const char *identity, uint64_t expires_s);
