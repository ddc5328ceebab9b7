/* SPDX-License-Identifier: Apache-2.0
 * Sends records to a receiver by HTTP, signed, from a thread of its own (docs/records.md). What waits is
 * in the spool of the store: nothing is taken out before the receiver said 2xx. */
#pragma once
#include "admin/admin.h"

struct push;
/* Reads the secret, opens the spool, starts the thread (where there is a url). 0 or -errno, *ret_why a literal. */
int push_new(struct push **ret_push, const struct admin_push *s, const char *store_file,
             const char **ret_why) must_check;
/* Could it be started by these settings? 0, or -errno and why. Any thread. */
int push_check(const struct admin_push *s, const char **ret_why) must_check;
/* Others from now on; url "": nobody gets records, what waits stays. Owner thread. 0 or -errno. */
int push_set(struct push *p, const struct admin_push *s) must_check;
/* Is something to be told? Owner thread. */
bool push_alarm(struct push *p, struct admin_alarm *ret);
struct push *push_free(struct push *p); /* ends within two seconds, also while a receiver is slow */
struct counts *push_counts(struct push *p);
