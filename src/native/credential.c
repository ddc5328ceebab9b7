/* SPDX-License-Identifier: Apache-2.0
 * Credentials of relays: see credential.h. */
#include "native/credential.h"

#include "base/hmac.h"
#include "base/own.h"

#include <fcntl.h>
#include <stdio.h>

enum { PSEUDONYM_BYTES = 12 };

static bool is_secret(struct slice s) {
  if (s.n < RELAY_SECRET_MIN || s.n >= RELAY_SECRET_BYTES)
    return false;
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("#\"'\\", s.p[i]))
      return false;
  return true;
}

int relay_secret_parse(struct relay_secret *ret, struct slice text) {
  *ret = (struct relay_secret){0};
  while (text.n) {
    struct slice line = slice_trim(slice_cut(&text, '\n'));
    if (!line.n)
      continue;
    if (ret->n == RELAY_SECRETS_MAX || !is_secret(line)) {
      explicit_bzero(ret, sizeof(*ret));
      return -EINVAL;
    }
    if (slice_copy(ret->text[ret->n++], RELAY_SECRET_BYTES, line) < 0)
      return -EINVAL;
  }
  return ret->n ? 0 : -EINVAL;
}

int relay_secret_read(struct relay_secret *ret, const char *file) {
  char text[2 * RELAY_SECRETS_MAX * RELAY_SECRET_BYTES];
  own_fd fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  *ret = (struct relay_secret){0};
  if (fd < 0)
    return -errno;
  ssize_t n = read(fd, text, sizeof(text));
  int r = n < 0 ? -errno : relay_secret_parse(ret, slice_from(text, (size_t)n));
  explicit_bzero(text, sizeof(text));
  return r;
}

void credential_sign(struct credential *c, struct slice secret) {
  uint8_t mac[HMAC_SHA1_BYTES];
  hmac_sha1(secret, slice_of(c->username), mac);
  base64_encode(c->password, mac, sizeof(mac), false);
  explicit_bzero(mac, sizeof(mac));
}

void credential_make(struct credential *ret, const struct relay_secret *s, const char *tenant,
                     const char *identity, uint64_t expires_s) {
  uint8_t mac[HMAC_SHA256_BYTES];
  char who[2 * 128], name[4 * ((PSEUDONYM_BYTES + 2) / 3) + 1];
  struct slice secret = slice_of(s->text[0]);
  int n = snprintf(who, sizeof(who), "%s/%s", tenant, identity); /* names have no slash */
  hmac_sha256(secret, slice_from(who, (size_t)n < sizeof(who) ? (size_t)n : sizeof(who) - 1), mac);
  base64_encode(name, mac, PSEUDONYM_BYTES, true);
  snprintf(ret->username, sizeof(ret->username), "%llu:%s", (unsigned long long)expires_s, name);
  credential_sign(ret, secret);
}
