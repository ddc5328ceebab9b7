/* SPDX-License-Identifier: Apache-2.0
 * Files with a secret in them: read only if nobody but their owner may, written whole or not at all. Any
 * thread. */
#pragma once
#include "base/own.h"

/* At most bytes - 1 of a regular file, and a 0; the caller wipes dst. flags: O_NOFOLLOW or 0. 0, -EPERM
 * (others may read it, or it is no file) or -errno. What is judged is what is read. */
int keyfile_read(const char *file, int flags, char *dst, size_t bytes, size_t *ret_n) must_check;
/* In place of what is there, for its owner only; a crash leaves the old one or the new one. 0 or -errno.
 */
int keyfile_write(const char *file, const void *p, size_t n) must_check;
