/* SPDX-License-Identifier: Apache-2.0
 * Who failed to log in too often waits, longer each time: by user and by address. Five failures are
 * free, then 1, 2, 4 … 256 s; an hour without one forgets. Bounded: the one that failed longest ago is
 * forgotten. Engine: takes now. The caller locks. */
#pragma once
#include "base/slice.h"

struct throttle;
int throttle_new(struct throttle **ret, size_t max_keys) must_check;
struct throttle *throttle_free(struct throttle *t);
OWN_DEFINE(throttle)
uint64_t throttle_wait_us(struct throttle *t, struct slice key, uint64_t now_us); /* 0: may try */
void throttle_fail(struct throttle *t, struct slice key, uint64_t now_us);
void throttle_clear(struct throttle *t, struct slice key);
