/* SPDX-License-Identifier: Apache-2.0
 * Refused attempts that are alike, told as one row: the first of a source in a window are records of
 * their own, those after them are counted in one. So that a flood of refusals takes no place of calls.
 * No I/O, no clock; the caller locks. */
#pragma once
#include "store/store.h"

struct gather_limits {
  unsigned alone;         /* records of their own of one source and rule in a window, of strangers */
  unsigned alone_known;   /* the same of who is known: a trunk's peer, a user */
  unsigned strangers_all; /* of all strangers; past it they are told by rule only */
  unsigned window_ms;
  unsigned write_ms; /* a row that grows is written so often */
  size_t rows_max;   /* rows at a time */
};

enum gather_how { GATHER_ALONE, GATHER_COUNTED, GATHER_FULL }; /* full: given up */

struct gather;
int gather_new(struct gather **ret, const struct gather_limits *l) must_check; /* 0 or -ENOMEM */
struct gather *gather_free(struct gather *g);
OWN_DEFINE(gather)
/* What becomes of a refused attempt. */
enum gather_how gather_take(struct gather *g, const struct record *r, uint64_t now_us);
/* A row that is to be written now (all: any that changed), good until the next call; NULL: none. */
const struct record *gather_due(struct gather *g, uint64_t now_us, bool all);
bool gather_has(const struct gather *g); /* some row will have to be written */
