/* SPDX-License-Identifier: Apache-2.0
 * What was refused to somebody who asked, on its way into the audit: alike ones within a minute become
 * one row with their number, and there are only so many rows, so that a stranger cannot fill the audit
 * or push its other rows out. Engine: takes now. The caller locks. */
#pragma once
#include "base/addr.h"

#define DENIED_MAX 64

struct denied_row {
  char verb[32], who[80], role[12], from[ADDR_TEXT_BYTES], what[128];
  unsigned status;
  uint64_t times, first_ms, last_ms; /* wall clock */
};

struct denied {
  struct slot {
    struct denied_row row;
    bool is_used, is_told;
    uint64_t since_us; /* since_us is when it was told. */
  } slots[DENIED_MAX];
  struct denied_row others; /* others are those that had no room; times 0: none. */
  uint64_t full_us;         /* full_us is when all rows of the budget may be written again. */
};

/* One more; its times, first_ms and last_ms are looked at no further. */
void denied_add(struct denied *d, const struct denied_row *row, uint64_t wall_ms);
/* The next row to write down; false: none now. */
bool denied_next(struct denied *d, uint64_t now_us, struct denied_row *ret);
