/* SPDX-License-Identifier: Apache-2.0
 * One signing key of the issuer and its algorithm: P-256 with ES256, or Ed25519 with EdDSA (RFC 7518,
 * 8037). Named by its thumbprint (RFC 7638). Read-only after loading: any thread. */
#pragma once
#include "base/slice.h"

#include <jansson.h>

#define SIGNKEY_SIGNATURE_BYTES 64 /* both algorithms */
#define SIGNKEY_ID_BYTES 44

struct signkey;
/* Reads a PEM file; makes it (P-256, mode 0600) when absent. 0, -EPERM (others may read it), -EINVAL (no
 * such key) or -errno. */
int signkey_load(struct signkey **ret_key, const char *file) must_check;
struct signkey *signkey_free(struct signkey *k);
OWN_DEFINE(signkey)
const char *signkey_algorithm(const struct signkey *k); /* "ES256" or "EdDSA" */
const char *signkey_id(const struct signkey *k);
int signkey_sign(const struct signkey *k, struct slice text,
                 uint8_t ret[SIGNKEY_SIGNATURE_BYTES]) must_check;
bool signkey_verify(const struct signkey *k, struct slice text, struct slice signature);
json_t *signkey_jwk(const struct signkey *k); /* the public half, new reference */
