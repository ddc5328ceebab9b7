/* SPDX-License-Identifier: Apache-2.0
 * Token buckets by key (an identity, an address), bounded: a full table first drops buckets that are
 * full again, then the oldest. Engine: takes now. One owner thread. */
#pragma once
#include "base/slice.h"

struct limit;
/* rate_hz permits a second, burst at once, max_keys remembered. 0 or -ENOMEM. */
int limit_new(struct limit **ret_limit, uint32_t rate_hz, uint32_t burst, size_t max_keys) must_check;
struct limit *limit_free(struct limit *l);
OWN_DEFINE(limit)
/* 0 and one permit taken, or the microseconds until the next one. */
uint64_t limit_take(struct limit *l, struct slice key, uint64_t now_us);
size_t limit_count(const struct limit *l);
