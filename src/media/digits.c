/* SPDX-License-Identifier: Apache-2.0
 * Sending digits: see digits.h. */
#include "media/digits.h"

enum { TICK_MS = DIGITS_TICK_US / 1000, TICK_UNITS = 160, VOLUME = 10, ENDS = 3 };
/* A pressed digit is said as long as it was pressed, within these: the next one may follow soon. */
enum { RELAY_MIN_MS = 80, RELAY_MAX_MS = 300 };

static uint32_t within(uint32_t v, uint32_t normal, uint32_t low, uint32_t high) {
  if (!v)
    return normal;
  return v < low ? low : v > high ? high : v;
}

int digits_ready(struct digits *d) {
  if (!d->orders)
    d->orders = calloc(DIGITS_ORDERS_MAX, sizeof(*d->orders));
  return d->orders ? 0 : -ENOMEM;
}

int digits_relay(struct digits *d, char digit, uint32_t ms) {
  struct digits_order *last = d->n_orders ? &d->orders[d->n_orders - 1] : NULL;
  struct mset_digits m = {.duration_ms = within(ms, RELAY_MAX_MS, RELAY_MIN_MS, RELAY_MAX_MS),
                          .gap_ms = DIGITS_GAP_MIN_MS,
                          .digits = {digit}};
  if (!d->orders)
    return -ENOMEM;
  size_t n = last && !last->op ? strlen(last->text) : MSET_DIGITS_MAX;
  if (n == MSET_DIGITS_MAX)
    return digits_add(d, &m);
  last->text[n] = digit; /* who presses faster than we say */
  last->text[n + 1] = 0;
  return 0;
}

int digits_add(struct digits *d, const struct mset_digits *m) {
  if (d->n_orders == DIGITS_ORDERS_MAX)
    return -EAGAIN;
  if (digits_ready(d) < 0)
    return -ENOMEM;
  struct digits_order *o = &d->orders[d->n_orders++];
  *o = (struct digits_order){
      .op = m->op,
      .duration_ms = within(m->duration_ms, DIGITS_DEFAULT_MS, DIGITS_MIN_MS, DIGITS_MAX_MS),
      .gap_ms = within(m->gap_ms, DIGITS_GAP_MS, DIGITS_GAP_MIN_MS, DIGITS_MAX_MS)};
  memcpy(o->text, m->digits, sizeof(o->text));
  o->text[MSET_DIGITS_MAX] = 0;
  return 0;
}

void digits_done(struct digits *d) {
  if (d->orders)
    explicit_bzero(d->orders, DIGITS_ORDERS_MAX * sizeof(*d->orders));
  free(d->orders);
  *d = (struct digits){0};
}

bool digits_drop(struct digits *d, uint64_t *ret_op) {
  if (!d->n_orders)
    return false;
  *ret_op = d->orders[0].op;
  memmove(d->orders, d->orders + 1, (--d->n_orders) * sizeof(d->orders[0]));
  d->phase = DIGITS_IDLE;
  return true;
}

static void enter(struct digits *d, enum digits_phase phase) {
  d->phase = (uint8_t)phase;
  d->ticks = 0;
}

/* The next digit of the order, or a pause, or the order's end. */
static void next_digit(struct digits *d, struct digits_step *ret) {
  struct digits_order *o = &d->orders[0];
  int code = telev_event(o->text[o->at]);
  if (!o->text[o->at]) {
    ret->is_done = digits_drop(d, &ret->op);
  } else if (code < 0) {
    enter(d, DIGITS_GAP);
  } else {
    d->code = (uint8_t)code;
    d->ends = 0;
    enter(d, DIGITS_TONE);
  }
}

static void put(struct digits *d, uint32_t units, bool end, struct digits_step *ret) {
  ret->is_packet = true;
  ret->event = (struct telev){.event = d->code,
                              .volume = VOLUME,
                              .end = end,
                              .duration = units > 0xffff ? 0xffff : (uint16_t)units};
}

static void tone_tick(struct digits *d, struct digits_step *ret) {
  uint32_t whole = d->orders[0].duration_ms * 8;
  ret->is_begin = d->ticks == 0;
  d->ticks++;
  if (d->ticks * TICK_UNITS < whole) {
    put(d, d->ticks * TICK_UNITS, false, ret);
    return;
  }
  enter(d, DIGITS_END);
  put(d, whole, true, ret);
  d->ends = 1;
}

static void gap_tick(struct digits *d) {
  struct digits_order *o = &d->orders[0];
  uint32_t ms = o->text[o->at] == ',' ? DIGITS_COMMA_MS : o->gap_ms;
  d->ticks++;
  if (d->ticks * TICK_MS >= ms) {
    o->at++;
    enter(d, DIGITS_IDLE);
  }
}

void digits_tick(struct digits *d, struct digits_step *ret) {
  *ret = (struct digits_step){0};
  if (!d->n_orders)
    return;
  if (d->phase == DIGITS_IDLE)
    next_digit(d, ret);
  if (d->phase == DIGITS_TONE) {
    tone_tick(d, ret);
  } else if (d->phase == DIGITS_END) {
    put(d, d->orders[0].duration_ms * 8, true, ret);
    if (++d->ends == ENDS)
      enter(d, DIGITS_GAP);
  } else if (d->phase == DIGITS_GAP) {
    gap_tick(d);
  }
}
