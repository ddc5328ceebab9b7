/* SPDX-License-Identifier: Apache-2.0
 * What no role may see is cut out of a message before it is kept: credentials (all but scheme, username
 * and realm), SDES keys, ICE passwords, tokens, tickets, cookies, passwords in URIs and JSON, digits.
 * Pure. */
#pragma once
#include "base/slice.h"

#define REDACT_MARK "(cut)"

/* The redacted text in dst, cut to fit and NUL-terminated; returns its length. Any bytes may come. */
size_t redact_sip(char *dst, size_t dst_bytes, struct slice message);
/* Free text, JSON (as jansson writes it), SDP: everything but what headers need. */
size_t redact_text(char *dst, size_t dst_bytes, struct slice text);
