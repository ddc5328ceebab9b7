/* SPDX-License-Identifier: Apache-2.0
 * Passwords: see password.h. */
#include "admin/password.h"

#include <sodium.h>
#include <stdatomic.h>

/* 32 MiB and three passes: about 60 ms of a core (RFC 9106 section 4 wants no less than 19 MiB, two). */
enum { PASSES = 3, MEMORY_BYTES = 32 << 20, AT_ONCE = 2 };

_Static_assert(PASSWORD_HASH_BYTES >= crypto_pwhash_STRBYTES, "libsodium's text fits");

static _Atomic int busy;
static char nobody[PASSWORD_HASH_BYTES]; /* nobody's hash: what unknown users are compared with. */

static bool slot_take(void) {
  if (atomic_fetch_add(&busy, 1) < AT_ONCE)
    return true;
  atomic_fetch_sub(&busy, 1);
  return false;
}

static void slot_give(void) { atomic_fetch_sub(&busy, 1); }

int password_hash(struct slice password, char ret[PASSWORD_HASH_BYTES]) {
  if (!slot_take())
    return -EBUSY;
  int r = crypto_pwhash_str_alg(ret, password.p, password.n, PASSES, MEMORY_BYTES,
                                crypto_pwhash_ALG_ARGON2ID13);
  slot_give();
  return r == 0 ? 0 : -ENOMEM;
}

int password_check(const char *hash, struct slice password) {
  if (!slot_take())
    return -EBUSY;
  bool same = crypto_pwhash_str_verify(hash ? hash : nobody, password.p, password.n) == 0;
  slot_give();
  return same && hash;
}

int password_init(void) {
  char random[32];
  if (sodium_init() < 0)
    return -EIO;
  if (nobody[0])
    return 0;
  randombytes_buf(random, sizeof random);
  return password_hash(slice_from(random, sizeof random), nobody);
}
