/* SPDX-License-Identifier: Apache-2.0
 * Digest and registration of trunks, what its rooms share: accounts by trunk, proofs for challenges.
 * Not for other areas. Call thread. RFC 3261 10, 22; RFC 6140, 7616, 8760. */
#pragma once
#include "trunk/account.h"
#include "trunk/inner.h"

/* Made by regist_start(); one for each trunk of the configuration, in its order. */
struct regist {
  struct account accounts[CONF_TRUNKS_MAX];
};

struct account *regist_account(struct trunks *t, const struct conf_trunk *trunk); /* NULL without */
