/* SPDX-License-Identifier: Apache-2.0
 * Bytes of which most are zero, kept small: runs of zeros are left out. For objects of fixed arrays that
 * are seldom looked at. Pure; no error on input of our own making, a bounded one on any other. */
#pragma once
#include "base/own.h"

#include <stddef.h>
#include <stdint.h>

/* Packs n bytes into a heap block of its own (free()), *ret_bytes long; NULL without memory. n < 2^31.
 */
void *zrun_pack(const void *src, size_t n, size_t *ret_bytes) must_check;
/* Unpacks into exactly n bytes: 0, or -EBADMSG where packed holds another number of them. */
int zrun_unpack(const void *packed, size_t packed_bytes, void *dst, size_t n) must_check;
