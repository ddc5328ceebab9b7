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

/* Its timers stand in the loop's heap by their address: only one without. */
static void hunt_pack(struct call_inner *in) {
  struct hunt *h = in->hunt;
  if (!h || timer_is_armed(&h->limit) || timer_is_armed(&h->next_ring) || timer_is_armed(&h->go))
    return;
  in->folded_hunt.raw = sizeof(*h);
  in->folded_hunt.bytes = zrun_pack(h, sizeof(*h), &in->folded_hunt.packed);
  if (in->folded_hunt.bytes)
    free(take(in->hunt));
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
  struct hunt *h = unpack(&call_in(c)->folded_hunt);
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
