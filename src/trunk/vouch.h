/* SPDX-License-Identifier: Apache-2.0
 * STIR in the door: verifying callers of a trunk, signing toward one. Inside trunk. See vouch.c. */
#pragma once
#include "stir/stir.h"
#include "trunk/inner.h"

enum { VOUCH_LINES_BYTES = (STIR_FIELDS_MAX + 1) * (STIR_FIELD_BYTES + 16) };

/* Has the call wait for a verdict? Then vouch_start follows. */
bool vouch_is_due(const struct conf_trunk *t);
void vouch_start(struct dialog *d, struct leg *l, const sip_t *sip);
void vouch_done(void *arg, const struct stir_result *r); /* of struct trunks' stir */
/* Identity lines of a call to a trunk that signs, each with CRLF; "" for none. */
char *vouch_lines(char dst[VOUCH_LINES_BYTES], const struct dialog *d, const struct conf_trunk *t,
                  const struct call *c);
