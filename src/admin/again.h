/* SPDX-License-Identifier: Apache-2.0
 * Idempotency-Key: the same key of the same asker gets the same answer for 24 hours. Bounded in entries
 * and bytes: the oldest finished one goes. Engine: takes now. The caller locks. */
#pragma once
#include "web/web.h"

struct again;
enum again_state { AGAIN_NEW, AGAIN_REPLAY, AGAIN_IN_FLIGHT, AGAIN_OTHER_BODY, AGAIN_FULL };

int again_new(struct again **ret, size_t max_entries, size_t max_bytes) must_check;
struct again *again_free(struct again *a);
OWN_DEFINE(again)
/* key: a digest of asker, verb and key; body: of what was asked. AGAIN_NEW: again_finish() or
 * again_drop() has to follow. AGAIN_REPLAY: ret is a copy. */
enum again_state again_begin(struct again *a, const uint8_t key[32], const uint8_t body[32],
                             uint64_t now_us, struct web_answer *ret);
/* Keeps a copy of the answer; one of 5xx or 429 is forgotten, so that a retry works. */
void again_finish(struct again *a, const uint8_t key[32], const struct web_answer *answer);
void again_drop(struct again *a, const uint8_t key[32]);
