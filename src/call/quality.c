/* SPDX-License-Identifier: Apache-2.0
 * What is made of the media process' figures: told to the app, a new description asked for where a
 * leg without error correction loses too much, one-way audio told to whoever can do something. */
#include "call/inner.h"

#include "base/clock.h"
#include "base/log.h"

#define LOSS_MAX 0.03 /* of 5 s, one QUALITY event */
enum { RESTART_EACH_US = 60000000, ONEWAY_AFTER_US = 3500000 };

static bool has_opus(const struct desc *d) {
  return d && d->has_audio && desc_codec_find(&d->audio, CODEC_OPUS, 0);
}

/* G.711 has neither error correction nor much concealment; opus has both. Asked for once a minute at
 * most, where the client can opus and no other negotiation is on its way. */
static bool wants_restart(const struct leg *l, const struct mset_quality *q) {
  const struct leg_inner *in = leg_in(l);
  bool is_g711 = l->media.codec == CODEC_PCMU || l->media.codec == CODEC_PCMA;
  if (q->loss <= LOSS_MAX || !is_g711 || l->state != LEG_LIVE || !l->door->restart)
    return false;
  if (l->offer_pending || leg_fresh(l) || !has_opus(l->remote))
    return false;
  return !in->restart_us || clock_now_us() - in->restart_us >= RESTART_EACH_US;
}

static void check_loss(struct leg *l, const struct mset_quality *q) {
  if (!wants_restart(l, q))
    return;
  leg_in(l)->restart_us = clock_now_us();
  leg_in(l)->is_lossy = true;
  log_info(call, "%s: %.1f %% lost: the client is asked for a new offer, opus first", l->call->id,
           q->loss * 100);
  l->door->restart(l->door_arg, l, "loss");
}

void quality_told(struct leg *l, const union mset_any *m) {
  if (l->kind != LEG_NATIVE)
    return;
  if (l->door->quality)
    l->door->quality(l->door_arg, l, &m->quality);
  if (!leg_is_over(l))
    check_loss(l, &m->quality);
}

/* One-way audio ----------------------------------------------------------------------------------- */
static bool is_awaited(const struct leg *l) {
  const struct call_inner *in = call_in(l->call);
  const struct leg *far = leg_far(l);
  return far && in->connected_us && clock_now_us() - in->connected_us >= ONEWAY_AFTER_US &&
         !bridge_is_pausing(l) && !bridge_is_pausing(far);
}

/* The app is told in the words of the contract: all is lost, in that direction. */
static void tell_client(struct leg *l, bool up) {
  struct mset_quality q = {.up = up, .loss = 1, .mos = 1};
  if (l->kind == LEG_NATIVE && l->door->quality)
    l->door->quality(l->door_arg, l, &q);
}

/* The media process watches no leg that is held: that is no sign that it is heard. */
static void tell_over(const struct leg *l, uint32_t ms) {
  const char *how = is_awaited(l) ? "is heard again" : "is held, and not waited for any more,";
  trace_note(l->call->trace, l->lane, TRACE_FLOW, "%s after %u ms", how, ms);
  log_info(call, "%s: the %s %s after %u ms", l->call->id, l->kind == LEG_TRUNK ? "trunk" : "app", how, ms);
}

void quality_oneway(struct leg *l, const union mset_any *m) {
  struct leg_inner *in = leg_in(l);
  struct leg *far = leg_far(l);
  if (m->h.session != l->media.session)
    return;
  if (!m->oneway.active) {
    if (in->told_oneway)
      tell_over(l, m->oneway.since_ms);
    in->told_oneway = false;
    return;
  }
  if (in->told_oneway || !is_awaited(l))
    return;
  in->told_oneway = true;
  count_one(&leg_calls(l)->counts, CALLS_ONEWAY);
  trace_note(l->call->trace, l->lane, TRACE_FLOW, "one-way audio: nothing comes for %u ms",
             m->oneway.since_ms);
  log_warn(call, "%s: one-way audio: nothing comes from the %s for %u ms", l->call->id,
           l->kind == LEG_TRUNK ? "trunk" : "app", m->oneway.since_ms);
  tell_client(l, true);
  if (far)
    tell_client(far, false);
}
