/* SPDX-License-Identifier: Apache-2.0
 * ICE candidates as text (RFC 8839 5.1), without the leading "a=candidate:". Pure. */
#pragma once
#include "base/text.h"
#include "wire/desc.h"

/* 0; 1 if well formed but of a type that we don't know (ignore it; *ret is zero); -EBADMSG. */
int cand_parse(struct desc_candidate *ret, struct slice value) must_check;
/* Adds "foundation component udp …"; candidates of TCP and of names are not written: false. */
bool cand_write(struct text *t, const struct desc_candidate *c);
