/* SPDX-License-Identifier: Apache-2.0
 * A run's life: acts one after another, judgements as soon as what they need is over, a limit on all of
 * it. Call thread; time comes with the ticks. */
#include "doctor/run.h"
#include "base/rand.h"

#include <stdio.h>

static void id_make(char ret[40]) {
  static const char letters[] = "0123456789abcdefghijklmnopqrstuv";
  uint8_t bytes[20];
  rand_bytes(bytes, sizeof bytes);
  ret[0] = 'd';
  ret[1] = '_';
  for (size_t i = 0; i < sizeof bytes; i++)
    ret[2 + i] = letters[bytes[i] % 32];
  ret[2 + sizeof bytes] = 0;
}

int run_new(struct run **ret, struct calls *calls, const struct conf *conf, struct slice trunk,
            uint64_t now_us, uint64_t wall_ms) {
  const struct conf_trunk *t = conf_trunk_find(conf, trunk);
  void *probe_arg;
  const struct door_probe *probe = calls_probe(calls, &probe_arg);
  if (!t || !probe)
    return t ? -ENOTSUP : -ENOENT;
  struct run *r = calloc(1, sizeof *r);
  if (!r)
    return -ENOMEM;
  const struct conf_listener *l = conf_listener_find(conf, slice_of(t->listener));
  id_make(r->id);
  r->calls = calls;
  r->probe = probe;
  r->probe_arg = probe_arg;
  r->trunk = *t;
  if (l)
    r->listener = *l;
  slice_copy(r->trunk_name, sizeof r->trunk_name, trunk);
  r->begin_us = r->now_us = now_us;
  r->started_ms = r->facts.now_wall_ms = wall_ms;
  r->facts.trunk = &r->trunk;
  r->facts.listener = &r->listener;
  act_begin(r);
  *ret = r;
  return 0;
}

struct run *run_free(struct run *r) {
  if (!r)
    return NULL;
  act_end(r);
  free(r);
  return NULL;
}

/* What can be said now; at the end, all. */
static void judge(struct run *r) {
  uint32_t ms = (uint32_t)((r->now_us - r->act_us) / 1000);
  for (int i = 0; i < CHECK_COUNT_; i++) {
    struct finding *v = &r->findings[i];
    if (v->result != FINDING_RUNNING || check_rows[i].act >= (int)r->act)
      continue;
    check_rows[i].judge(&r->facts, v);
    v->ms = ms;
  }
}

static void end(struct run *r, enum run_state state, uint64_t wall_ms) {
  act_end(r);
  r->state = state;
  r->ended_ms = wall_ms;
}

void run_cancel(struct run *r, const char *why, uint64_t wall_ms) {
  if (r->state != RUN_RUNNING)
    return;
  snprintf(r->why, sizeof r->why, "%s", why);
  end(r, RUN_CANCELED, wall_ms);
  for (int i = 0; i < CHECK_COUNT_; i++)
    if (r->findings[i].result == FINDING_RUNNING)
      finding_set(&r->findings[i], FINDING_SKIPPED, "", "%s", why);
}

/* Peers see calls one after another, not in one breath. */
static bool is_pausing(const struct run *r) {
  return r->act > ACT_CALLS && r->facts.calls[r->act - ACT_CALLS - 1].is_begun &&
         r->now_us - r->act_us < RUN_PAUSE_MS * 1000u;
}

void run_tick(struct run *r, uint64_t now_us, uint64_t wall_ms) {
  r->now_us = now_us;
  r->wall_ms = wall_ms;
  if (r->state != RUN_RUNNING)
    return;
  if (now_us - r->begin_us > RUN_LIMIT_MS * UINT64_C(1000)) {
    run_cancel(r, "the run took longer than five minutes", wall_ms);
    return;
  }
  while (r->act < ACT_COUNT_ && !is_pausing(r) && act_step(r)) {
    act_end(r);
    r->act++;
    judge(r);
    if (r->act < ACT_COUNT_)
      act_begin(r);
  }
  if (r->act == ACT_COUNT_)
    end(r, RUN_DONE, wall_ms);
}
