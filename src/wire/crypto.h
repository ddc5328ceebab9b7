/* SPDX-License-Identifier: Apache-2.0
 * a=crypto of RFC 4568 as text, without the leading "a=crypto:". Secrets. Pure. */
#pragma once
#include "base/text.h"
#include "wire/desc.h"

/* 0, or -EBADMSG (tag or shape). What is well formed but not ours (suite, several keys, session
 * parameters, a key of the wrong length) gives key.suite SUITE_NONE: unusable. */
int crypto_parse(struct desc_crypto *ret, struct slice value) must_check;
/* Adds "1 AES_CM_128_HMAC_SHA1_80 inline:…|2^31"; an unusable one is not written: false. */
bool crypto_write(struct text *t, const struct desc_crypto *c);
