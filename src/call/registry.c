/* SPDX-License-Identifier: Apache-2.0
 * All calls: making and freeing them, finding them by handle, id or session, keeping ended ones for
 * ten minutes, and the connection to the media process as the calls see it. */
#include "call/hunt.h"
#include "call/transfer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"

#include <stdio.h>

static const struct count_row count_rows[CALLS_COUNT_] = {
    [CALLS_LIVE] = {"sallyport_calls_live", "", "Calls that are going on", COUNT_GAUGE},
    [CALLS_IN] = {"sallyport_calls_total", "direction=\"in\"", "Calls placed", COUNT_COUNTER},
    [CALLS_OUT] = {"sallyport_calls_total", "direction=\"out\"", "Calls placed", COUNT_COUNTER},
    [CALLS_REFUSED] = {"sallyport_calls_refused_total", "", "Attempts refused before a call was made",
                       COUNT_COUNTER},
    [CALLS_ANSWERED] = {"sallyport_calls_answered_total", "", "Calls answered", COUNT_COUNTER},
    [CALLS_ENDED] = {"sallyport_calls_ended_total", "", "Calls ended", COUNT_COUNTER},
    [CALLS_MEDIA_LOST] = {"sallyport_media_lost_total", "", "Times that the media process was lost",
                          COUNT_COUNTER},
    [CALLS_MEDIA_READY] = {"sallyport_media_ready", "", "1 while the media process is connected",
                           COUNT_GAUGE},
    [CALLS_FRESH] = {"sallyport_media_fresh_total", "", "Associations replaced in mid-call",
                     COUNT_COUNTER},
    [CALLS_ONEWAY] = {"sallyport_oneway_audio_total", "",
                      "Times that nothing came from one side of a call while the other was heard",
                      COUNT_COUNTER},
    [CALLS_OFFERS_REFUSED] = {"sallyport_offers_refused_total", "", "Re-offers refused", COUNT_COUNTER},
};

void calls_arm(struct calls *cs, struct timer *t, uint64_t in_us) {
  loop_arm(cs->env.loop, t, in_us + (clock_now_us() - loop_now_us(cs->env.loop)));
  loop_settle(cs->env.loop);
}

/* Legs: memory lives as long as the call, the handle ends one turn after the leg ---------------- */

static void bury(struct calls *cs, struct leg_inner *in) {
  list_del(&in->dead);
  pool_del(cs->legs, in->leg.id);
  fold_drop(&in->leg);
  leg_set_desc(&in->leg.local, NULL);
  leg_set_desc(&in->leg.remote, NULL);
  leg_set_desc(&in->offer, NULL);
  leg_set_desc(&in->asked, NULL);
  leg_set_desc(&in->old_local, NULL);
  leg_set_desc(&in->old_remote, NULL);
  for (size_t i = 0; i < COUNT_OF(in->early); i++)
    leg_set_desc(&in->early[i], NULL);
}

static void on_reap(void *arg) {
  struct calls *cs = arg;
  LIST_EACH_SAFE(&cs->dead_legs, n)
    bury(cs, CONTAINER_OF(n, struct leg_inner, dead));
}

void calls_reap_later(struct calls *cs, struct leg *l) {
  list_add_tail(&cs->dead_legs, &leg_in(l)->dead);
  calls_arm(cs, &cs->reap, 0);
}

void leg_free(struct leg *l) {
  struct calls *cs = leg_calls(l);
  struct leg_inner *in = leg_in(l);
  loop_disarm(cs->env.loop, &in->consent);
  loop_disarm(cs->env.loop, &in->fresh_late);
  if (l->media.session)
    map_del(cs->by_session, slice_from(&l->media.session, sizeof(l->media.session)));
  uint64_t fresh = leg_fresh(l);
  if (fresh)
    map_del(cs->by_session, slice_from(&fresh, sizeof(fresh)));
  free(l->fresh);
  bury(cs, in);
  list_del(&in->node);
  free(in->trunk_gone);
  free(in);
}

static struct leg *opened(struct leg *l) {
  if (l && call_in(l->call)->is_folded)
    fold_open(l->call);
  return l;
}

struct leg *leg_get(struct calls *cs, pool_handle id) {
  struct leg **slot = pool_get(cs->legs, id);
  return opened(slot ? *slot : NULL);
}

struct leg *calls_leg_of_session(struct calls *cs, uint64_t session) {
  return opened(map_get(cs->by_session, slice_from(&session, sizeof(session))));
}

struct leg *call_next_leg(const struct call *c, struct leg *after) {
  const struct list *n = after ? leg_in(after)->node.next : c->legs.next;
  return n == &c->legs ? NULL : &CONTAINER_OF(n, struct leg_inner, node)->leg;
}

/* Calls ------------------------------------------------------------------------------------------ */

static void make_id(char ret[40]) {
  ret[0] = 'c';
  ret[1] = '_';
  rand_text(ret + 2, 26);
}

void rec_start(struct record *r, const struct calls *cs, const char *id) {
  memset(r, 0, sizeof(*r));
  if (id)
    slice_copy(r->id, sizeof(r->id), slice_of(id));
  else
    make_id(r->id);
  slice_copy(r->call_id, sizeof(r->call_id), slice_of(r->id));
  r->started_ms = clock_wall_ms();
  r->config_version = cs->env.conf->version;
}

struct call *call_new(struct calls *cs) {
  struct call_inner *in = calloc(1, sizeof(*in));
  pool_handle h;
  struct call **slot = in ? pool_add(cs->live, &h) : NULL;
  if (!slot) {
    free(in);
    return NULL;
  }
  *slot = &in->call;
  in->call.inner = in;
  in->call.handle = h;
  in->cs = cs;
  in->call.created_ms = clock_wall_ms();
  in->call.created_us = clock_now_us();
  in->config_version = cs->env.conf->version;
  list_init(&in->call.legs);
  count_add(&cs->counts, CALLS_LIVE, 1);
  return &in->call;
}

void call_free(struct call *c) {
  struct call_inner *in = call_in(c);
  struct calls *cs = in->cs;
  call_stop_timers(c);
  if (in->is_folded)
    fold_open(c);
  fold_forget(c);
  LIST_EACH_SAFE(&c->legs, n)
    leg_free(&CONTAINER_OF(n, struct leg_inner, node)->leg);
  if (c->id[0])
    map_del(cs->by_id, slice_of(c->id));
  list_del(&in->node);
  transfer_free(c);
  free(c->metadata);
  free(call_in(c)->telemetry);
  free(call_in(c)->blame_text);
  free(in->kept);
  hunt_free(in->hunt);
  announce_free(in->announcement);
  trace_end(c->trace, true, NULL);
  free(c->refer);
  free(c->redirect);
  free(in);
}

void call_discard(struct call *c) {
  struct calls *cs = call_in(c)->cs;
  pool_del(cs->live, c->handle);
  count_add(&cs->counts, CALLS_LIVE, (uint64_t)-1);
  c->trace = NULL; /* who refuses it ends it */
  call_free(c);
}

static void forget_oldest(struct calls *cs) {
  struct call_inner *in = CONTAINER_OF(cs->ended.next, struct call_inner, node);
  if (!in->recorded)
    rec_put(&in->call, RECORD_ENDED);
  cs->n_ended--;
  call_free(&in->call);
}

static void on_expire(void *arg) {
  struct calls *cs = arg;
  uint64_t now = clock_now_us(), keep = ENDED_KEEP_S * UINT64_C(1000000);
  while (!list_is_empty(&cs->ended)) {
    uint64_t ended = CONTAINER_OF(cs->ended.next, struct call_inner, node)->ended_us;
    uint64_t at = ended ? ended + keep : 0;
    if (at > now) {
      calls_arm(cs, &cs->expire, at - now);
      return;
    }
    forget_oldest(cs);
  }
}

void call_keep_ended(struct call *c) {
  struct call_inner *in = call_in(c);
  struct calls *cs = in->cs;
  pool_del(cs->live, c->handle);
  count_add(&cs->counts, CALLS_LIVE, (uint64_t)-1);
  count_one(&cs->counts, CALLS_ENDED);
  in->ended_us = clock_now_us();
  c->ended_ms = call_time_ms(c);
  list_add_tail(&cs->ended, &in->node);
  cs->n_ended++;
  if (!timer_is_armed(&cs->expire) || cs->n_ended > ENDED_MAX)
    calls_arm(cs, &cs->expire, cs->n_ended > ENDED_MAX ? 0 : ENDED_KEEP_S * UINT64_C(1000000));
}

void call_forget_ended(struct call *c) {
  struct call_inner *in = call_in(c);
  for (const struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, (struct leg *)(uintptr_t)l))
    if (l->kind == LEG_NATIVE)
      return;
  list_del(&in->node);
  list_add_head(&in->cs->ended, &in->node);
  in->ended_us = 0;
  calls_arm(in->cs, &in->cs->expire, 0);
}

static void on_expire_or_full(void *arg) {
  struct calls *cs = arg;
  while (cs->n_ended > ENDED_MAX &&
         CONTAINER_OF(cs->ended.next, struct call_inner, node)->ends_pending == 0)
    forget_oldest(cs);
  on_expire(cs);
}

struct call *calls_find(struct calls *cs, struct slice id) {
  return map_get(cs->by_id, id);
}

struct call *calls_next(struct calls *cs, uint32_t *cursor) {
  pool_handle h;
  struct call **slot = pool_next(cs->live, cursor, &h);
  return slot ? *slot : NULL;
}

uint32_t calls_count(const struct calls *cs) { return pool_count(cs->live); }
const struct counts *calls_counts(const struct calls *cs) { return &cs->counts; }

/* Live calls in which the identity takes part (as caller, or rung or talking as callee). */
uint32_t calls_of_identity(struct calls *cs, const char *identity) {
  uint32_t cursor = 0, n = 0;
  for (struct call *c = calls_next(cs, &cursor); c; c = calls_next(cs, &cursor)) {
    bool is_caller =
        c->caller && c->caller->kind == LEG_NATIVE && strcmp(c->caller->identity, identity) == 0;
    bool is_callee =
        c->callee && c->callee->kind == LEG_NATIVE && strcmp(c->callee->identity, identity) == 0;
    n += is_caller || is_callee || hunt_rings(c, identity);
  }
  return n;
}

/* The house of calls ------------------------------------------------------------------------------- */

static void end_all(struct calls *cs, struct cause why) {
  uint32_t cursor = 0;
  for (struct call *c = calls_next(cs, &cursor); c; c = calls_next(cs, &cursor))
    call_end(c, why);
}

static void on_ready(void *arg, bool on) {
  struct calls *cs = arg;
  count_set(&cs->counts, CALLS_MEDIA_READY, on);
  if (on) {
    log_info(call, "media process connected");
    return;
  }
  count_one(&cs->counts, CALLS_MEDIA_LOST);
  log_error(call, "media process lost: %u calls end", calls_count(cs));
  end_all(cs, cause_fault(END_MEDIA_FAILURE, WHY_FAULT_MEDIA_GONE, ""));
  testleg_lose_all(cs);
}

static int rooms_new(struct calls *cs) {
  uint32_t calls = cs->env.conf->node.max_calls + EMERGENCY_ROOM;
  int r = pool_new(&cs->live, sizeof(struct call *), calls);
  if (r == 0)
    r = pool_new(&cs->legs, sizeof(struct leg *), calls * 4 + CALLEES_MAX);
  if (r == 0)
    r = map_new(&cs->by_id, calls + 2 * ENDED_MAX);
  if (r == 0)
    r = map_new(&cs->by_session, (size_t)calls * 8 + 4 * ENDED_MAX);
  return r;
}

int calls_new(struct calls **ret, const struct calls_env *env) {
  own(calls) cs = calloc(1, sizeof(*cs));
  if (!cs)
    return -ENOMEM;
  cs->env = *env;
  cs->counts = (struct counts){count_rows, CALLS_COUNT_, cs->count_values};
  blame_counts(cs);
  list_init(&cs->ended);
  list_init(&cs->dead_legs);
  list_init(&cs->testlegs);
  list_init(&cs->warm);
  cs->reap = (struct timer){.fn = on_reap, .arg = cs};
  cs->expire = (struct timer){.fn = on_expire_or_full, .arg = cs};
  cs->fold = (struct timer){.fn = on_fold, .arg = cs};
  cs->next_session = rand_u64() >> 16 | 1;
  int r = rooms_new(cs);
  if (r < 0)
    return r;
  struct medium_user user = {cs, on_ready, events_take};
  r = medium_new(&cs->medium, env->loop, env->conf->media.socket, cs->env.instance, &user);
  if (r < 0)
    return r;
  *ret = take(cs);
  return 0;
}

/* No door is called any more: whoever wants goodbyes said calls calls_end_all and turns the loop first.
 */
struct calls *calls_free(struct calls *cs) {
  if (!cs)
    return NULL;
  uint32_t cursor = 0;
  cs->medium = medium_free(cs->medium);
  for (struct call *c = cs->live ? calls_next(cs, &cursor) : NULL; c; c = calls_next(cs, &cursor)) {
    if (c->caller)
      c->caller->cause = cause_make(END_SERVER_SHUTDOWN, BY_GATEWAY, "");
    rec_put(c, RECORD_ENDED);
    call_free(c);
  }
  while (cs->ended.next && !list_is_empty(&cs->ended))
    forget_oldest(cs);
  loop_disarm(cs->env.loop, &cs->reap);
  samples_end(cs);
  loop_disarm(cs->env.loop, &cs->fold);
  loop_disarm(cs->env.loop, &cs->expire);
  pool_free(cs->live);
  pool_free(cs->legs);
  map_free(cs->by_id);
  map_free(cs->by_session);
  free(cs);
  return NULL;
}

void calls_add_door(struct calls *cs, const struct door *d, void *arg) {
  cs->doors[d->kind].door = d;
  cs->doors[d->kind].arg = arg;
}

uint64_t calls_media_count(const struct calls *cs, uint32_t i) { return medium_count(cs->medium, i); }
void calls_media_load(const struct calls *cs, struct mset_load *ret) { medium_load(cs->medium, ret); }
const char *calls_media_backend(const struct calls *cs) { return medium_backend(cs->medium); }
const struct door_probe *calls_probe(struct calls *cs, void **ret_arg) {
  const struct door *d = cs->doors[LEG_TRUNK].door;
  *ret_arg = cs->doors[LEG_TRUNK].arg;
  return d ? d->probe : NULL;
}
bool calls_is_ready(const struct calls *cs) { return medium_is_ready(cs->medium); }
bool calls_has_media(const struct calls *cs) { return count_get(&cs->counts, CALLS_MEDIA_READY); }
void calls_drain(struct calls *cs, bool on) { cs->draining = on; }

void call_hang_up(struct call *c) { call_end(c, cause_make(END_OPERATOR, BY_GATEWAY, "")); }

void calls_end_all(struct calls *cs, enum end_reason r) { end_all(cs, cause_make(r, BY_GATEWAY, "")); }

/* A trunk that is no longer configured: calls that still use it get a copy of their own. */
static const struct conf_trunk *trunk_anew(struct leg *l, const struct conf *conf) {
  const struct conf_trunk *t = conf_trunk_find(conf, slice_of(l->trunk->name));
  struct leg_inner *in = leg_in(l);
  if (t || in->trunk_gone)
    return t ? t : in->trunk_gone;
  in->trunk_gone = malloc(sizeof(*in->trunk_gone));
  if (in->trunk_gone)
    *in->trunk_gone = *l->trunk;
  return in->trunk_gone;
}

static void call_reload(struct call *c, const struct conf *conf) {
  struct call_inner *in = call_in(c);
  for (struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, l))
    if (l->trunk)
      l->trunk = trunk_anew(l, conf);
  if (in->in_trunk)
    in->in_trunk = conf_trunk_find(conf, slice_of(in->in_trunk->name));
  if (in->out_trunk)
    in->out_trunk = conf_trunk_find(conf, slice_of(in->out_trunk->name));
  if (in->target.trunk)
    in->target.trunk = conf_trunk_find(conf, slice_of(in->target.trunk->name));
}

void calls_reload(struct calls *cs, const struct conf *conf, const struct plan *plan) {
  uint32_t cursor = 0;
  for (struct call *c = calls_next(cs, &cursor); c; c = calls_next(cs, &cursor))
    call_reload(c, conf);
  LIST_EACH(&cs->ended, n)
    call_reload(&CONTAINER_OF(n, struct call_inner, node)->call, conf);
  cs->env.conf = conf;
  memset(cs->has_no_music, 0, sizeof cs->has_no_music);
  cs->env.plan = plan;
}
