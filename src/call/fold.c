/* SPDX-License-Identifier: Apache-2.0
 * A description is 8 KB of fixed arrays, a call has four of them and its walk over the plan for as long
 * as it lasts, and nobody looks: those of a call in which nothing has happened for two seconds are
 * packed. Whoever gets a leg by its name or by its session gets them unpacked (leg_get,
 * calls_leg_of_session), for two seconds at least.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/zrun.h"
#include "call/hunt.h"

enum { QUIET_US = 2000000, FOLDS_A_TURN = 64, AGAIN_US = 2000 };

static void wipe(struct folded *f) {
  if (f->bytes)
    explicit_bzero(f->bytes, f->packed);
  free(f->bytes);
  *f = (struct folded){0};
}

static bool pack(struct folded *f, struct desc **d) {
  if (!*d)
    return true;
  f->raw = desc_kept_bytes(*d);
  f->bytes = zrun_pack(*d, f->raw, &f->packed);
  if (!f->bytes)
    return false;
  *d = desc_drop(*d);
  return true;
}

/* NULL: there was nothing. */
static void *unpack(struct folded *f) {
  if (!f->bytes)
    return NULL;
  void *got = malloc(f->raw);
  if (!got || zrun_unpack(f->bytes, f->packed, got, f->raw) < 0)
    abort(); /* a call without its descriptions cannot go on, and nobody could tell */
  wipe(f);
  return got;
}

static void desc_unpack(struct folded *f, struct desc **d) {
  struct desc *got = unpack(f);
  if (got)
    *d = got;
}

static size_t steps_bytes(const struct hunt_frame *f) { return f->n * sizeof(*f->steps); }

/* The walk and the steps of its frames behind each other; NULL without memory. */
static char *hunt_flat(const struct hunt *h, size_t *ret_bytes) {
  size_t n = sizeof(*h), at = sizeof(*h);
  for (uint32_t i = 0; i < h->n_frames; i++)
    n += steps_bytes(&h->frames[i]);
  char *flat = malloc(n);
  if (!flat)
    return NULL;
  memcpy(flat, h, sizeof(*h));
  for (uint32_t i = 0; i < h->n_frames; at += steps_bytes(&h->frames[i++]))
    memcpy(flat + at, h->frames[i].steps, steps_bytes(&h->frames[i]));
  *ret_bytes = n;
  return flat;
}

/* Its timers stand in the loop's heap by their address: only one without. */
static void hunt_pack(struct call_inner *in) {
  struct hunt *h = in->hunt;
  struct folded *f = &in->folded_hunt;
  if (!h || timer_is_armed(&h->limit) || timer_is_armed(&h->next_ring) || timer_is_armed(&h->go))
    return;
  own_mem char *flat = hunt_flat(h, &f->raw);
  f->bytes = flat ? zrun_pack(flat, f->raw, &f->packed) : NULL;
  if (!f->bytes)
    return;
  while (h->n_frames)
    hunt_pop(h);
  free(take(in->hunt));
}

static struct hunt *hunt_unpack(struct folded *f) {
  char *flat = unpack(f);
  struct hunt *h = (struct hunt *)(void *)flat;
  size_t at = sizeof(*h);
  for (uint32_t i = 0; h && i < h->n_frames; at += steps_bytes(&h->frames[i++])) {
    h->frames[i].steps = malloc(steps_bytes(&h->frames[i]));
    if (!h->frames[i].steps)
      abort(); /* see unpack() */
    memcpy(h->frames[i].steps, flat + at, steps_bytes(&h->frames[i]));
  }
  struct hunt *less = h ? realloc(h, sizeof(*h)) : NULL;
  return less ? less : h;
}

void fold_drop(struct leg *l) {
  wipe(&leg_in(l)->local);
  wipe(&leg_in(l)->remote);
}

static bool is_quiet(const struct leg *l) {
  const struct leg_inner *in = leg_in(l);
  return l->state == LEG_LIVE && !l->offer_pending && !leg_fresh(l) && !in->offer && !in->asked;
}

/* Legs that ended are on their way out already. */
static bool may_fold(const struct call *c) {
  for (const struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, (struct leg *)(uintptr_t)l))
    if (!leg_is_over(l) && !is_quiet(l))
      return false;
  return c->answered && !c->ended_ms;
}

static void fold(struct call *c) {
  call_in(c)->is_folded = true;
  blame_note(c);
  hunt_pack(call_in(c));
  for (struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, l))
    if (!leg_is_over(l) && !(pack(&leg_in(l)->local, &l->local) && pack(&leg_in(l)->remote, &l->remote)))
      return;
}

void fold_open(struct call *c) {
  call_in(c)->is_folded = false;
  struct hunt *h = hunt_unpack(&call_in(c)->folded_hunt);
  if (h)
    call_in(c)->hunt = h;
  for (struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, l)) {
    desc_unpack(&leg_in(l)->local, &l->local);
    desc_unpack(&leg_in(l)->remote, &l->remote);
  }
  fold_soon(c);
}

void fold_soon(struct call *c) {
  struct call_inner *in = call_in(c);
  struct calls *cs = in->cs;
  list_del(&in->warm);
  list_add_tail(&cs->warm, &in->warm);
  in->warm_us = clock_now_us();
  if (!timer_is_armed(&cs->fold))
    calls_arm(cs, &cs->fold, QUIET_US);
}

void fold_forget(struct call *c) { list_del(&call_in(c)->warm); }

void on_fold(void *arg) {
  struct calls *cs = arg;
  uint64_t now = clock_now_us();
  for (int i = 0; i < FOLDS_A_TURN && !list_is_empty(&cs->warm); i++) {
    struct call_inner *in = CONTAINER_OF(cs->warm.next, struct call_inner, warm);
    if (in->warm_us + QUIET_US > now) {
      calls_arm(cs, &cs->fold, in->warm_us + QUIET_US - now);
      return;
    }
    list_del(&in->warm);
    if (may_fold(&in->call))
      fold(&in->call);
    else if (!in->call.ended_ms)
      fold_soon(&in->call);
  }
  if (!list_is_empty(&cs->warm))
    calls_arm(cs, &cs->fold, AGAIN_US);
}
