/* SPDX-License-Identifier: Apache-2.0
 * Passwords of operators: argon2id (RFC 9106), at most two computed at once, so that logins starve
 * nobody. Web threads. */
#pragma once
#include "base/slice.h"

#define PASSWORD_HASH_BYTES 136
#define PASSWORD_CHARS_MIN 12
#define PASSWORD_CHARS_MAX 256

int password_init(void) must_check; /* once, before the others; 0 or -EIO */
/* 0, -EBUSY (two are being computed), -ENOMEM. */
int password_hash(struct slice password, char ret[PASSWORD_HASH_BYTES]) must_check;
/* 1: it is; 0: it is not; -EBUSY. hash NULL: takes as long as with one, and it is not. */
int password_check(const char *hash, struct slice password) must_check;
