/* SPDX-License-Identifier: Apache-2.0
 * Single-producer, single-consumer ring of fixed-size messages, without lock. */
#pragma once
#include "base/own.h"

#include <stdatomic.h>

struct ring {
  size_t bytes, mask;
  char *slots;
  _Alignas(64) _Atomic size_t head; /* head is the consumer's. */
  _Alignas(64) _Atomic size_t tail; /* tail is the producer's. */
};

/* capacity is a power of two. 0, -EINVAL or -ENOMEM. */
int ring_init(struct ring *r, size_t message_bytes, size_t capacity) must_check;
void ring_done(struct ring *r);
bool ring_put(struct ring *r, const void *message); /* false when full */
bool ring_get(struct ring *r,
              void *ret_message); /* false when empty; wipes the slot: it may have held keys */
