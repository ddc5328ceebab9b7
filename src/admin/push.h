/* SPDX-License-Identifier: Apache-2.0
 * Sends records to a receiver by HTTP, signed, from a thread of its own (docs/records.md). What waits is
 * in the spool of the store: nothing is taken out before the receiver said 2xx. */
#pragma once
#include "admin/admin.h"

struct push;
/* Reads the secret, opens the spool, starts the thread. 0 or -errno, *ret_why a literal. */
int push_new(struct push **ret_push, const struct admin_push *s, const char *store_file,
             const char **ret_why) must_check;
struct push *push_free(struct push *p); /* ends within two seconds, also while a receiver is slow */
struct counts *push_counts(struct push *p);
