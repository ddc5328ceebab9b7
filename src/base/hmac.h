/* SPDX-License-Identifier: Apache-2.0
 * Keyed and plain digests, by libcrypto. Any thread. */
#pragma once
#include "base/slice.h"

#define HMAC_SHA1_BYTES 20
#define HMAC_SHA256_BYTES 32
void hmac_sha1(struct slice key, struct slice data, uint8_t ret[HMAC_SHA1_BYTES]);
void hmac_sha256(struct slice key, struct slice data, uint8_t ret[HMAC_SHA256_BYTES]);
#define HASH_MD5_BYTES 16
void hash_md5(struct slice data, uint8_t ret[HASH_MD5_BYTES]); /* for protocols that prescribe it */
void hash_sha256(struct slice data, uint8_t ret[HMAC_SHA256_BYTES]);
void hash_sha512_256(struct slice data, uint8_t ret[HMAC_SHA256_BYTES]); /* SHA-512/256 */
/* RFC 4648. dst holds 4 * ((n + 2) / 3) + 1 bytes. url: the URL-safe alphabet without padding. */
size_t base64_encode(char *dst, const void *src, size_t n, bool url);
/* Strict: 0 and *ret_n, or -EINVAL (alphabet, length, trailing bits), -ENOSPC. */
int base64_decode(struct slice text, bool url, uint8_t *dst, size_t dst_bytes, size_t *ret_n) must_check;
