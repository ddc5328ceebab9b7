/* SPDX-License-Identifier: Apache-2.0
 * struct door of LEG_TRUNK: what the call model asks of a SIP dialog. Handles in, nothing kept. */
#include "trunk/inner.h"

static struct dialog *dialog_of(void *arg, const struct leg *l) {
  const struct trunks *t = arg;
  return pool_get(t->dialogs, l->magic);
}

static struct verdict door_ring(void *arg, struct call *c, const struct target *target) {
  return callee_ring(arg, c, target);
}

static void door_ring_stop(void *arg, struct call *c) { (void)arg, (void)c; }

static void door_opened(void *arg, struct leg *l) {
  struct dialog *d = dialog_of(arg, l);
  if (d && d->is_uas)
    inbound_opened(d, l);
  else if (d)
    callee_opened(d, l);
}

static void door_ringing(void *arg, struct leg *l) {
  struct dialog *d = dialog_of(arg, l);
  if (d)
    inbound_provisional(d, l, 180);
}

static void door_forwarded(void *arg, struct leg *l) {
  struct dialog *d = dialog_of(arg, l);
  if (d && d->is_uas)
    inbound_forwarded(d);
}

static void door_progress(void *arg, struct leg *l) {
  struct dialog *d = dialog_of(arg, l);
  if (d)
    inbound_provisional(d, l, 183);
}

static void door_early(void *arg, struct leg *l, bool active) {
  if (active)
    door_progress(arg, l);
}

static void door_answered(void *arg, struct leg *l) {
  struct dialog *d = dialog_of(arg, l);
  if (d)
    inbound_answered(d, l);
}

static void door_reoffered(void *arg, struct leg *l, uint64_t cookie, const struct verdict *v,
                           const struct desc *local) {
  struct dialog *d = dialog_of(arg, l);
  if (d)
    reinvite_answer(d, l, cookie, v, local);
}

static void door_held(void *arg, struct leg *l, bool on) {
  struct dialog *d = dialog_of(arg, l);
  if (d)
    wish_hold(d, on);
}

static void door_transferred(void *arg, struct leg *l, const struct transfer_news *news) {
  struct dialog *d = dialog_of(arg, l);
  if (d)
    refer_told(d, news);
}

static struct verdict door_refer(void *arg, struct leg *l, const char *number, const char *by) {
  struct dialog *d = dialog_of(arg, l);
  return d ? refer_out(d, number, by) : verdict_refuse(REFUSE_STATE, "the dialog is gone");
}

static void door_ended(void *arg, struct leg *l) {
  struct dialog *d = dialog_of(arg, l);
  watch_ended(arg, l);
  if (d && d->is_uas)
    inbound_ended(d, &l->cause);
  else if (d)
    callee_ended(d, &l->cause);
}

/* What a carrier is not told: connected, quality, media states. */
static void door_leg(void *arg, struct leg *l) { (void)arg, (void)l; }
static void door_digit(void *arg, struct leg *l, char digit, uint32_t ms, const char *source) {
  struct dialog *d = dialog_of(arg, l);
  (void)source;
  if (d && leg_signals_digits(l)) /* else they go by media */
    info_digit(d, digit, ms);
}
static void door_operation(void *arg, struct leg *l, uint64_t op, const struct verdict *v) {
  (void)arg, (void)l, (void)op, (void)v;
}
static void door_quality(void *arg, struct leg *l, const struct mset_quality *q) {
  (void)arg, (void)l, (void)q;
}

static int door_rank(void *arg, const struct conf_trunk *trunk) {
  int by_health = watch_rank(arg, trunk), by_registration = regist_rank(arg, trunk);
  if (by_health < 0 || by_registration < 0)
    return by_health < 0 ? by_health : by_registration;
  return by_health > by_registration ? by_health : by_registration;
}

const struct door trunk_door = {
    .name = "trunk",
    .kind = LEG_TRUNK,
    .ring = door_ring,
    .ring_stop = door_ring_stop,
    .opened = door_opened,
    .ringing = door_ringing,
    .forwarded = door_forwarded,
    .progress = door_progress,
    .early = door_early,
    .answered = door_answered,
    .connected = door_leg,
    .reoffered = door_reoffered,
    .held = door_held,
    .digit = door_digit,
    .operation = door_operation,
    .media = door_leg,
    .quality = door_quality,
    .restart = NULL,
    .transferred = door_transferred,
    .refer = door_refer,
    .ended = door_ended,
    .rank = door_rank,
    .unregistered = regist_words,
    .probe = &trunk_probe,
};
