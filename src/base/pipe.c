/* SPDX-License-Identifier: Apache-2.0
 * SPSC queue of records: see pipe.h. A record is a head of 8 bytes and its bytes, rounded up to 8; one
 * that would not fit before the end begins at the start again, after a head that says so. */
#include "base/pipe.h"

enum { HEAD = 8 };
static const uint64_t wrap_mark = UINT64_MAX;

static size_t rounded(size_t n) { return (n + HEAD + 7) & ~(size_t)7; }

int pipe_init(struct pipe *p, size_t capacity_bytes) {
  memset(p, 0, sizeof(*p));
  if (capacity_bytes < 64 || (capacity_bytes & (capacity_bytes - 1)))
    return -EINVAL;
  p->bytes = malloc(capacity_bytes);
  if (!p->bytes)
    return -ENOMEM;
  p->mask = capacity_bytes - 1;
  return 0;
}

void pipe_done(struct pipe *p) {
  free(p->bytes);
  p->bytes = NULL;
}

static void put_head(struct pipe *p, size_t at, uint64_t n) {
  memcpy(p->bytes + (at & p->mask), &n, sizeof(n));
}

void *pipe_reserve(struct pipe *p, size_t n) {
  size_t tail = atomic_load_explicit(&p->tail, memory_order_relaxed);
  size_t room = p->mask + 1 - (tail - atomic_load_explicit(&p->head, memory_order_acquire));
  size_t need = rounded(n), left = p->mask + 1 - (tail & p->mask);
  if (n > p->mask || need + (left < need ? left : 0) > room)
    return NULL;
  if (left < need) {
    put_head(p, tail, wrap_mark);
    tail += left;
  }
  put_head(p, tail, n);
  p->reserved = tail + need;
  return p->bytes + (tail & p->mask) + HEAD;
}

void pipe_commit(struct pipe *p) { atomic_store_explicit(&p->tail, p->reserved, memory_order_release); }

const void *pipe_peek(struct pipe *p, size_t *ret_n) {
  size_t head = atomic_load_explicit(&p->head, memory_order_relaxed);
  uint64_t n;
  if (head == atomic_load_explicit(&p->tail, memory_order_acquire))
    return NULL;
  memcpy(&n, p->bytes + (head & p->mask), sizeof(n));
  if (n == wrap_mark) {
    head += p->mask + 1 - (head & p->mask);
    memcpy(&n, p->bytes + (head & p->mask), sizeof(n));
  }
  p->peeked = head + rounded((size_t)n);
  *ret_n = (size_t)n;
  return p->bytes + (head & p->mask) + HEAD;
}

void pipe_pop(struct pipe *p) { atomic_store_explicit(&p->head, p->peeked, memory_order_release); }
