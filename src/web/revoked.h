/* SPDX-License-Identifier: Apache-2.0
 * Ids of tokens that were taken back before their time: bounded, forgotten when the token would have
 * expired, kept in a file over a restart. Not locked: struct tokens does that. */
#pragma once
#include "base/slice.h"

#define REVOKED_MAX 16384

struct revoked;
/* file NULL: memory only. 0, -EINVAL (not such a file), -EPERM (others may write it) or -errno. */
int revoked_new(struct revoked **ret_revoked, const char *file, uint64_t now_s) must_check;
struct revoked *revoked_free(struct revoked *r);
OWN_DEFINE(revoked)
/* On the disk when it returns 0 (again: 0). -ENOSPC: full of ids that have not expired. */
int revoked_add(struct revoked *r, const char *jti, uint64_t expires_s, uint64_t now_s) must_check;
bool revoked_has(const struct revoked *r, const char *jti);
