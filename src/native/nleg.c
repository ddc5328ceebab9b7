/* SPDX-License-Identifier: Apache-2.0
 * Native legs as their users see them: see nleg.h. */
#include "native/inner.h"

#include "base/clock.h"
#include "base/rand.h"

#include <stdio.h>

struct nleg *nleg_add(struct native *n, struct user *u, const char *device, bool named) {
  pool_handle id;
  struct nleg *nl = pool_add(n->nlegs, &id);
  if (!nl) {
    nlegs_sweep(n, loop_now_us(n->loop), true);
    nl = pool_add(n->nlegs, &id);
  }
  if (!nl)
    return NULL;
  nl->id = id;
  nl->n = n;
  nl->user = u;
  nl->generation = 1;
  nl->device_named = named;
  slice_copy(nl->device, sizeof(nl->device), slice_of(device));
  list_add_tail(&u->nlegs, &nl->node);
  return nl;
}

void nleg_free(struct nleg *nl) {
  loop_disarm(nl->n->loop, &nl->stream_lost);
  list_del(&nl->node);
  list_del(&nl->ended_node);
  free(nl->offer);
  json_decref(nl->final);
  pool_del(nl->n->nlegs, nl->id);
}

/* Ended ones older than 10 minutes go; one_more: the oldest ended one goes whatever its age. */
void nlegs_sweep(struct native *n, uint64_t now_us, bool one_more) {
  LIST_EACH_SAFE(&n->ended, at) {
    struct nleg *nl = CONTAINER_OF(at, struct nleg, ended_node);
    if (!one_more && now_us < nl->ended_us + ENDED_KEEP_S * 1000000ull)
      break;
    one_more = false;
    nleg_free(nl);
  }
}

struct leg *nleg_leg(const struct nleg *nl) {
  struct leg *l = nl->final ? NULL : leg_get(nl->n->calls, nl->leg);
  return l && l->state != LEG_ENDED ? l : NULL;
}

void nleg_etag(const struct nleg *nl, char dst[WEB_ETAG_BYTES]) {
  snprintf(dst, WEB_ETAG_BYTES, "\"g%u-%llx\"", nl->generation, (unsigned long long)nl->id);
}

void nleg_note_local(struct nleg *nl, const struct leg *l) {
  char now[sizeof(nl->ufrag)];
  slice_copy(now, sizeof(now), slice_of(l->local ? l->local->audio.ufrag : ""));
  if (nl->ufrag[0] && strcmp(now, nl->ufrag) != 0)
    nl->generation++;
  memcpy(nl->ufrag, now, sizeof(nl->ufrag));
}

static bool is_of_call(const struct nleg *nl, struct slice call_id) {
  return !nl->hidden && slice_eq(slice_of(nl->call_id), call_id);
}

/* Live before ended; who talks (or placed the call) before who is asked for before any other. */
static int rank(const struct nleg *nl, const char *device) {
  bool talks = !nl->is_callee || nl->answered;
  bool mine = device[0] && strcmp(nl->device, device) == 0;
  return (nl->final ? 0 : 4) + (talks ? 2 : mine ? 1 : 0);
}

struct nleg *nleg_find(struct user *u, struct slice call_id, const char *device) {
  struct nleg *best = NULL;
  LIST_EACH(&u->nlegs, at) {
    struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    if (is_of_call(nl, call_id) && (!best || rank(nl, device) > rank(best, device)))
      best = nl;
  }
  return best;
}

struct nleg *nleg_find_rung(struct user *u, struct slice call_id, const char *device) {
  struct nleg *best = NULL;
  LIST_EACH(&u->nlegs, at) {
    struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    bool fits = !device[0] || !nl->is_callee || !nl->device_named || strcmp(nl->device, device) == 0;
    if (is_of_call(nl, call_id) && fits && (!best || rank(nl, device) > rank(best, device)))
      best = nl;
  }
  return best;
}

bool nleg_may_be(const struct nleg *nl, const struct nleg *other, const char *device) {
  return other->is_callee && !other->answered && nleg_leg(other) && other->offer &&
         strcmp(other->call_id, nl->call_id) == 0 && (!device[0] || !other->device_named);
}

uint64_t nleg_op_begin(struct nleg *nl, const char *verb) {
  for (unsigned i = 0; i < NLEG_OPS; i++) {
    if (nl->ops[i].op)
      continue;
    nl->ops[i].op = rand_u64() >> 11 | 1;
    nl->ops[i].verb = verb;
    return nl->ops[i].op;
  }
  return 0;
}

const char *nleg_op_end(struct nleg *nl, uint64_t op) {
  for (unsigned i = 0; i < NLEG_OPS; i++) {
    if (nl->ops[i].op == op) {
      nl->ops[i].op = 0;
      return nl->ops[i].verb;
    }
  }
  return NULL;
}

void nleg_event(struct nleg *nl, const char *name, json_t *data) {
  bool keep = strcmp(name, "media.quality") != 0 && strcmp(name, "media.state") != 0;
  timeline_nleg_event(nl, name, data);
  user_event(nl->n, nl->user, nl->device, name, nl->call_id, data, keep);
}

static void stream_lost_end(void *arg) {
  struct nleg *nl = arg;
  struct leg *l = nleg_leg(nl);
  if (!l)
    return;
  struct cause c = {.reason = END_TIMEOUT, .by = BY_GATEWAY, .fault = WHY_FAULT_STREAM};
  slice_copy(c.detail, sizeof(c.detail), SLICE("stream_lost"));
  leg_end(l, c);
}

void nlegs_leave(struct user *u, const char *device) {
  LIST_EACH(&u->nlegs, at) {
    struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    struct leg *l = nl->answered && strcmp(nl->device, device) == 0 ? nleg_leg(nl) : NULL;
    if (!l)
      continue;
    nl->device[0] = 0;
    leg_set_device(l, SLICE(""), nl->id);
  }
}

void nleg_streams_changed(struct native *n, struct user *u) {
  LIST_EACH_SAFE(&u->nlegs, at) {
    struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    struct leg *l = nleg_leg(nl);
    if (!l || !nl->had_stream)
      continue;
    bool has = user_has_stream(u, nl->device);
    if (has == !timer_is_armed(&nl->stream_lost))
      continue;
    leg_stream_lost(l, !has);
    if (has) {
      loop_disarm(n->loop, &nl->stream_lost);
    } else {
      nl->stream_lost = (struct timer){.fn = stream_lost_end, .arg = nl};
      loop_arm(n->loop, &nl->stream_lost, n->conf->service.stream_lost_s * 1000000ull);
    }
  }
}
