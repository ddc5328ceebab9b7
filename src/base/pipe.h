/* SPDX-License-Identifier: Apache-2.0
 * Single-producer, single-consumer queue of records of any length, without lock: written and read in
 * place, so that a packet is copied once. Full: the producer is told, nothing is overwritten. */
#pragma once
#include "base/own.h"

#include <stdatomic.h>

struct pipe {
  char *bytes;
  size_t mask;
  _Alignas(64) _Atomic size_t head; /* head is the consumer's, with peeked: the record it looks at. */
  size_t peeked;
  _Alignas(64) _Atomic size_t tail; /* tail is the producer's, with reserved: the record it writes. */
  size_t reserved;
};

/* capacity_bytes is a power of two, 64 at least. 0, -EINVAL or -ENOMEM. */
int pipe_init(struct pipe *p, size_t capacity_bytes) must_check;
void pipe_done(struct pipe *p);
/* Producer: room for a record of n bytes, aligned to 8; NULL: full. Forgotten unless committed. */
void *pipe_reserve(struct pipe *p, size_t n) must_check;
void pipe_commit(struct pipe *p);
/* Consumer: the oldest record, until pipe_pop(); NULL: empty. */
const void *pipe_peek(struct pipe *p, size_t *ret_n) must_check;
void pipe_pop(struct pipe *p);
