/* SPDX-License-Identifier: Apache-2.0
 * Revoked client certificates: lists (RFC 5280 5) in one PEM file, read again when it changes. Own lock.
 */
#pragma once
#include "base/own.h"

#include <gnutls/x509.h>

struct crl;
/* authorities: PEM of those whose lists are believed. 0, -EINVAL (no authority in it), -ENOMEM. What is
 * wrong with the file refuses every certificate until it is well. */
int crl_new(struct crl **ret_crl, const char *authorities, const char *file) must_check;
struct crl *crl_free(struct crl *c);
OWN_DEFINE(crl)
/* NULL, or why a verified chain is refused, in static words: one of it is revoked, a list is past its
 * next update, or none was ever read. */
/* Grows when other lists are in force, and when their time is over: what was judged before is to be
 * judged again. Looks at the file at most every 0.4 s. */
uint64_t crl_generation(struct crl *c, uint64_t now_us);
const char *crl_judge(struct crl *c, const gnutls_datum_t *chain, unsigned n, uint64_t now_us);
