/* SPDX-License-Identifier: Apache-2.0
 * Ringing a user: a leg with an offer of its own for each device, also for devices that connect while
 * it rings; nobody there: wait a little, then unreachable (native-signaling section 5). */
#include "native/inner.h"

enum { SETTLE_US = 1500000 };

struct alert {
  struct list node; /* node is in native->alerts. */
  struct native *n;
  struct call *call; /* call is valid until ring_stop. */
  struct user *user;
  struct timer offline;
  struct timer settle; /* settle runs while an answer could be one of several devices'. */
  bool settle_final, settle_early;
  bool had_leg, done;
  struct cause last; /* last is the cause of the device that ended last. */
};

static void alert_free(struct alert *a) {
  loop_disarm(a->n->loop, &a->offline);
  loop_disarm(a->n->loop, &a->settle);
  list_del(&a->node);
  a->n->alert_count--;
  a->user->alert_count--;
  free(a);
}

void alerts_free(struct native *n) {
  if (!n->alerts.next)
    return;
  LIST_EACH_SAFE(&n->alerts, at)
    alert_free(CONTAINER_OF(at, struct alert, node));
}

static void alert_done(struct alert *a, struct cause why) {
  struct call *c = a->call;
  if (a->done)
    return;
  a->done = true;
  loop_disarm(a->n->loop, &a->offline);
  call_user_done(c, a->user->identity, why);
}

static void offline_end(void *arg) {
  struct alert *a = arg;
  struct cause c = {
      .reason = END_UNREACHABLE, .by = BY_GATEWAY, .sip = 480, .q850 = 20, .fault = WHY_FAULT_OFFLINE};
  slice_copy(c.detail, sizeof(c.detail), SLICE("no device of the user is connected"));
  if (!a->had_leg)
    alert_done(a, c);
}

static struct nleg *device_leg(struct alert *a, const char *device) {
  LIST_EACH(&a->user->nlegs, at) {
    struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    if (nl->is_callee && !nl->final && strcmp(nl->call_id, a->call->id) == 0 &&
        strcmp(nl->device, device) == 0)
      return nl;
  }
  return NULL;
}

static void ring_device(struct alert *a, const struct stream *s) {
  struct native *n = a->n;
  struct nleg *nl = nleg_add(n, a->user, s->device, s->device[0] != '~');
  if (!nl)
    return;
  nl->is_callee = true;
  nl->had_stream = true;
  slice_copy(nl->call_id, sizeof(nl->call_id), slice_of(a->call->id));
  struct leg *l = call_add_callee(a->call, &native_door, n, nl->id, NULL, slice_of(a->user->identity),
                                  slice_of(s->device));
  if (!l) {
    nleg_free(nl);
    return;
  }
  nl->leg = l->id;
  a->had_leg = true;
  loop_disarm(n->loop, &a->offline);
}

struct verdict alert_ring(void *arg, struct call *c, const struct target *t) {
  struct native *n = arg;
  const struct conf_user *cu = conf_user_find(n->conf, slice_of(t->user));
  struct user *u = user_get(n, slice_of(cu ? cu->tenant : "default"), slice_of(t->user));
  struct alert *a = u && n->alert_count < ALERTS_MAX ? calloc(1, sizeof(*a)) : NULL;
  if (!a)
    return verdict_refuse(REFUSE_NODE_CALLS, "too many calls ring");
  a->n = n;
  a->call = c;
  a->user = u;
  a->offline = (struct timer){.fn = offline_end, .arg = a};
  list_add_tail(&n->alerts, &a->node);
  n->alert_count++;
  u->alert_count++;
  loop_arm(n->loop, &a->offline, n->conf->service.offline_wait_s * 1000000ull);
  LIST_EACH_SAFE(&u->streams, at) {
    const struct stream *s = CONTAINER_OF(at, struct stream, node);
    if (s->may_receive)
      ring_device(a, s);
  }
  return verdict_pass();
}

/* Of one user, or of any. A call may ring several. */
static struct alert *alert_find(struct native *n, const struct call *c, const struct user *u) {
  LIST_EACH(&n->alerts, at) {
    struct alert *a = CONTAINER_OF(at, struct alert, node);
    if (a->call == c && (!u || a->user == u))
      return a;
  }
  return NULL;
}

void alert_ring_stop(struct native *n, struct call *c) {
  for (struct alert *a = alert_find(n, c, NULL); a; a = alert_find(n, c, NULL))
    alert_free(a);
}

/* Whose answer it was ------------------------------------------------------------------------------ */

static bool is_waiting(const struct alert *a, const struct nleg *nl) {
  return nl->is_callee && !nl->final && !nl->answered && nl->answer_hash[0] &&
         strcmp(nl->call_id, a->call->id) == 0;
}

/* The others may answer for themselves again. */
static void forget_answers(const struct alert *a, const struct nleg *but) {
  LIST_EACH(&a->user->nlegs, at) {
    struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    if (nl != but && is_waiting(a, nl))
      nl->answer_hash[0] = 0;
  }
}

static void settle(struct alert *a, struct nleg *nl, struct leg *l) {
  bool final = a->settle_final;
  loop_disarm(a->n->loop, &a->settle);
  forget_answers(a, nl);
  nl->named_itself = true;
  if (final)
    nleg_answered(nl, l); /* the alert is gone after this */
  else
    leg_early(l, a->settle_early);
}

/* No device's checks came: the first one is taken, as if it had been the only one. */
static void settle_late(void *arg) {
  struct alert *a = arg;
  LIST_EACH(&a->user->nlegs, at) {
    struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    struct leg *l = is_waiting(a, nl) ? nleg_leg(nl) : NULL;
    if (l) {
      settle(a, nl, l);
      return;
    }
  }
}

void alert_settle(struct native *n, const struct nleg *nl, struct call *c, bool final, bool early) {
  struct alert *a = alert_find(n, c, nl->user);
  if (!a)
    return;
  a->settle_final = final || (timer_is_armed(&a->settle) && a->settle_final);
  a->settle_early = early;
  a->settle.fn = settle_late;
  a->settle.arg = a;
  if (!timer_is_armed(&a->settle))
    loop_arm(n->loop, &a->settle, SETTLE_US);
}

void alert_media(struct native *n, struct nleg *nl, struct leg *l) {
  struct alert *a = alert_find(n, l->call, nl->user);
  if (a && timer_is_armed(&a->settle) && l->media.ice == MSET_ICE_CONNECTED && is_waiting(a, nl))
    settle(a, nl, l);
}

/* The event again, for a device that came back without its Last-Event-ID. */
static void incoming_again(struct nleg *nl) {
  struct leg *l = nleg_leg(nl);
  if (l && nl->offer && !nl->answered)
    incoming_event(nl, l);
}

void alert_sweep_stream(struct native *n, struct user *u, struct stream *s, bool replayed) {
  LIST_EACH_SAFE(&n->alerts, at) {
    struct alert *a = CONTAINER_OF(at, struct alert, node);
    if (a->user != u || a->done || !s->may_receive || a->call->answered)
      continue;
    struct nleg *nl = device_leg(a, s->device);
    if (!nl)
      ring_device(a, s);
    else if (!replayed)
      incoming_again(nl);
  }
}

void alert_leg_ended(struct native *n, struct nleg *nl, const struct leg *l) {
  struct alert *a = alert_find(n, l->call, nl->user);
  if (!a)
    return;
  a->last = l->cause;
  LIST_EACH(&a->user->nlegs, at) {
    const struct nleg *other = CONTAINER_OF(at, struct nleg, node);
    bool is_there = other->device_named ||
                    user_has_stream(other->user, other->device); /* unnamed ones are till they close */
    if (other != nl && other->is_callee && !other->final && is_there &&
        strcmp(other->call_id, nl->call_id) == 0)
      return;
  }
  alert_done(a, a->last);
}
