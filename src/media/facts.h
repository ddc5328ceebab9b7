/* SPDX-License-Identifier: Apache-2.0
 * The table of figures in a memfd that the controller maps read-only: a slot for each session,
 * written by its worker under a sequence lock, so that nobody waits for anybody. */
#pragma once
#include "mset/mset.h"

struct facts {
  int fd; /* fd is sealed: it never shrinks or grows. */
  uint32_t slots;
  struct mset_facts *table;
  uint64_t *counts; /* counts follow the table: MSET_COUNTS_MAX. */
};

int facts_init(struct facts *f, uint32_t slots) must_check; /* 0 or -errno */
void facts_done(struct facts *f);
/* *now without its seq becomes slot's content; session 0 frees the slot. */
void facts_write(struct facts *f, uint32_t slot, const struct mset_facts *now);
void facts_count(struct facts *f, uint32_t i, uint64_t n);
