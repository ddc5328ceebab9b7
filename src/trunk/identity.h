/* SPDX-License-Identifier: Apache-2.0
 * Who calls, by the trunk's trust. Inside trunk. See identity.c. */
#pragma once
#include "trunk/inner.h"

/* Caller, display name, anonymity of ret, whose trunk (or NULL) is set: from From, and on a trunk with
 * trust_identity from what it asserts. */
void identity_read(struct ask *ret, const sip_t *sip);
/* The number of P-Asserted-Identity, whether it is believed or not. False: none */
bool identity_asserted(const sip_t *sip, char *dst, size_t bytes);
/* Refuses what Privacy demands critically and cannot be given. */
struct verdict identity_check(const sip_t *sip);
/* The From of a call to a trunk. */
char *identity_from(char *dst, size_t bytes, const struct dialog *d, const struct conf_trunk *t,
                    const struct call *c);
/* Header lines that assert or hide the caller toward a trunk, each with CRLF; "" for none. */
char *identity_lines(char *dst, size_t bytes, const struct dialog *d, const struct conf_trunk *t,
                     const struct call *c);
