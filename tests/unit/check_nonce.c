/* SPDX-License-Identifier: Apache-2.0
 * Nonces of our challenges: whose, how long, how often. */
#include "trunk/nonce.h"

#include <criterion/criterion.h>

#define S 1000000ull
static struct nonces *n;
static struct addr here, there;
static char nonce[NONCE_BYTES];

static void start(void) {
  cr_assert_eq(nonces_new(&n), 0);
  cr_assert_eq(addr_parse(&here, SLICE("192.0.2.1"), 5060), 0);
  cr_assert_eq(addr_parse(&there, SLICE("192.0.2.2"), 5060), 0);
  nonce_make(n, &here, "r", 1000 * S, nonce);
}
static void stop(void) { nonces_free(n); }
TestSuite(nonce, .init = start, .fini = stop);

static enum nonce_state look(uint32_t nc) { return nonce_look(n, nonce, nc, &here, "r", 1001 * S); }

Test(nonce, is_of_one_address_and_realm_and_key) {
  cr_assert_eq(strlen(nonce), NONCE_BYTES - 1);
  cr_assert_eq(look(1), NONCE_GOOD);
  cr_assert_eq(nonce_look(n, nonce, 1, &there, "r", 1001 * S), NONCE_UNKNOWN);
  cr_assert_eq(nonce_look(n, nonce, 1, &here, "s", 1001 * S), NONCE_UNKNOWN);
  own(nonces) other = NULL;
  cr_assert_eq(nonces_new(&other), 0);
  cr_assert_eq(nonce_look(other, nonce, 1, &here, "r", 1001 * S), NONCE_UNKNOWN);
  addr_set_port(&here, 5070);
  cr_assert_eq(look(1), NONCE_GOOD, "a port may change behind NAT");
}

Test(nonce, every_bit_counts) {
  for (unsigned i = 0; i < NONCE_BYTES - 1; i++) {
    char was = nonce[i];
    nonce[i] = was == 'A' ? 'B' : 'A';
    cr_assert_neq(look(1), NONCE_GOOD, "character %u", i);
    nonce[i] = was;
  }
  cr_assert_eq(nonce_look(n, "", 1, &here, "r", 1001 * S), NONCE_UNKNOWN);
  cr_assert_eq(nonce_look(n, "x", 1, &here, "r", 1001 * S), NONCE_UNKNOWN);
}

Test(nonce, has_its_time) {
  cr_assert_eq(nonce_look(n, nonce, 1, &here, "r", 1300 * S), NONCE_GOOD);
  cr_assert_eq(nonce_look(n, nonce, 1, &here, "r", 1301 * S), NONCE_STALE);
  cr_assert_eq(nonce_look(n, nonce, 1, &here, "r", 999 * S), NONCE_STALE);
}

Test(nonce, a_count_is_used_once) {
  nonce_use(n, nonce, 1);
  cr_assert_eq(look(1), NONCE_STALE);
  cr_assert_eq(look(2), NONCE_GOOD);
  nonce_use(n, nonce, 5);
  cr_assert_eq(look(5), NONCE_STALE);
  cr_assert_eq(look(3), NONCE_GOOD, "out of order");
  nonce_use(n, nonce, 3);
  cr_assert_eq(look(3), NONCE_STALE);
  cr_assert_eq(look(4), NONCE_GOOD);
  nonce_use(n, nonce, 1000);
  cr_assert_eq(look(900), NONCE_STALE, "too far back to know");
  cr_assert_eq(look(937), NONCE_GOOD);
}

Test(nonce, without_count_it_is_good_once) {
  cr_assert_eq(look(0), NONCE_GOOD);
  nonce_use(n, nonce, 0);
  cr_assert_eq(look(0), NONCE_STALE);
  cr_assert_eq(look(1), NONCE_GOOD);
}

/* What is kept has a limit; what is no longer kept is not good again. */
Test(nonce, what_is_forgotten_is_stale) {
  char other[NONCE_BYTES], later[NONCE_BYTES];
  nonce_use(n, nonce, 1);
  for (unsigned i = 0; i < NONCE_KEPT_MAX; i++) {
    nonce_make(n, &there, "r", 1001 * S, other);
    nonce_use(n, other, 1);
  }
  cr_assert_eq(look(1), NONCE_STALE);
  cr_assert_eq(look(2), NONCE_STALE);
  nonce_make(n, &here, "r", 1001 * S, later);
  cr_assert_eq(nonce_look(n, later, 1, &here, "r", 1001 * S), NONCE_GOOD, "a newer one is good");
}
