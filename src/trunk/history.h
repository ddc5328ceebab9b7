/* SPDX-License-Identifier: Apache-2.0
 * Who diverted a call, in SIP. Inside trunk. See history.c. */
#pragma once
#include "trunk/inner.h"
#include "wire/history.h"

/* What the INVITE tells; of a trunk without trust_identity nothing but whether it goes round (is_over).
 * Entries of a caller who wants privacy of headers or history are private. */
void history_take(struct history *ret, const struct conf_trunk *t, const sip_t *sip);
/* History-Info and Diversion as the trunk's forward_history says, each with CRLF; "" for none. */
char *history_lines(char *dst, size_t bytes, const struct dialog *d, const struct conf_trunk *t,
                    const struct call *c);
