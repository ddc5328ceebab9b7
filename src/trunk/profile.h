/* SPDX-License-Identifier: Apache-2.0
 * Profiles by name: see tls.h. The table is small and under a lock: reloads may come from elsewhere. */
#pragma once
#include "trunk/creds.h"

/* The current set, held for the caller; NULL if there is no such profile. Any thread. */
struct creds *profile_creds(struct slice name);
/* Puts a ready set under a name (takes c over, also on error). 0, -EEXIST, -ENOSPC, -EINVAL. */
int profile_put(const char *name, struct creds *c) must_check;
void profile_forget(const char *name);
