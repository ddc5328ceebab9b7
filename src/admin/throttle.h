/* SPDX-License-Identifier: Apache-2.0
 * Who failed to log in too often waits, longer each time: by address, and by user. Some failures
 * are free, then 1, 2, 4 … 256 s; an hour without one forgets. Bounded: the one that failed longest ago
 * is forgotten. Engine: takes now. The caller locks. */
#pragma once
#include "base/slice.h"

struct throttle;
int throttle_new(struct throttle **ret, size_t max_keys) must_check;
struct throttle *throttle_free(struct throttle *t);
OWN_DEFINE(throttle)
/* 0: may try. */
uint64_t throttle_wait_us(struct throttle *t, struct slice key, unsigned free_failures, uint64_t now_us);
bool throttle_has(struct throttle *t, struct slice key); /* it is in the table, however old */
void throttle_fail(struct throttle *t, struct slice key, uint64_t now_us);
unsigned throttle_clear(struct throttle *t, struct slice key); /* how many failures there were */
void throttle_forgive(struct throttle *t, struct slice key, unsigned failures); /* so many fewer */
