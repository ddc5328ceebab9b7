/* SPDX-License-Identifier: Apache-2.0
 * Token buckets: see guard.h. An engine without clock. */
#include "guard/guard.h"

enum { TOKEN = 1000000 };

static void bucket_fill(struct bucket *b, uint64_t rate_per_s, uint64_t now_us) {
  uint64_t full = rate_per_s * TOKEN, passed = now_us > b->at_us ? now_us - b->at_us : 0;
  uint64_t second = passed < TOKEN ? passed : TOKEN; /* a second fills it: no overflow */
  b->tokens_micro += second * rate_per_s;
  if (b->tokens_micro > full)
    b->tokens_micro = full;
}

bool bucket_take(struct bucket *b, uint64_t rate_per_s, uint64_t now_us) {
  if (rate_per_s == 0)
    rate_per_s = 1;
  if (rate_per_s > UINT32_MAX)
    rate_per_s = UINT32_MAX;
  if (b->rate_per_s == 0)
    b->tokens_micro = rate_per_s * TOKEN;
  else
    bucket_fill(b, rate_per_s, now_us);
  b->rate_per_s = rate_per_s;
  if (now_us > b->at_us)
    b->at_us = now_us;
  if (b->tokens_micro < TOKEN)
    return false;
  b->tokens_micro -= TOKEN;
  return true;
}
