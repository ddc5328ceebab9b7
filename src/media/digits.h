/* SPDX-License-Identifier: Apache-2.0
 * Digits that we send as telephone-events (RFC 4733): a queue of orders, a packet every 20 ms, the
 * end three times, a pause for each comma. The caller owns clock, sequence and timestamps. Media
 * worker. */
#pragma once
#include "mset/mset.h"
#include "wire/telev.h"

enum {
  DIGITS_ORDERS_MAX = 4,
  DIGITS_TICK_US = 20000,
  DIGITS_DEFAULT_MS = 120,
  DIGITS_MIN_MS = 40,
  DIGITS_MAX_MS = 6000,
  DIGITS_GAP_MS = 80,
  DIGITS_GAP_MIN_MS = 60,
  DIGITS_COMMA_MS = 2000,
};

struct digits_order {
  uint64_t op;
  uint32_t duration_ms, gap_ms;
  uint32_t at; /* at is the digit that is next. */
  char text[MSET_DIGITS_MAX + 1];
};

enum digits_phase { DIGITS_IDLE, DIGITS_TONE, DIGITS_END, DIGITS_GAP };

struct digits {
  struct digits_order *orders; /* orders has DIGITS_ORDERS_MAX places, or is NULL before the first. */
  uint32_t n_orders;
  uint8_t phase;      /* phase is an enum digits_phase. */
  uint8_t code, ends; /* ends counts the end packets that are sent. */
  uint32_t ticks;     /* ticks counts those of this phase. */
};

struct digits_step {
  bool is_packet;     /* is_packet: send event below. */
  bool is_begin;      /* is_begin: its first packet: marker, and a new timestamp. */
  struct telev event; /* event.duration is in units of 8000 Hz: scale it. */
  bool is_done;       /* is_done: order op is through (after the packet). */
  uint64_t op;
};

int digits_add(struct digits *d,
               const struct mset_digits *m) must_check; /* 0, -EAGAIN: the queue is full, -ENOMEM */
int digits_ready(struct digits *d) must_check;          /* takes its memory now; 0 or -ENOMEM */
/* One digit that a peer pressed just now, behind the others; op 0. 0, -EAGAIN, -ENOMEM: not ready. */
int digits_relay(struct digits *d, char digit, uint32_t ms) must_check;
void digits_done(struct digits *d);
static inline bool digits_are_due(const struct digits *d) { return d->n_orders > 0; }
/* To be called every DIGITS_TICK_US while due. */
void digits_tick(struct digits *d, struct digits_step *ret);
/* Gives up the first order; false when there is none. */
bool digits_drop(struct digits *d, uint64_t *ret_op);
