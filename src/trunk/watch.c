/* SPDX-License-Identifier: Apache-2.0
 * The trunks' watches: one for each trunk of the configuration, kept by name over a reload; what calls
 * tell of a trunk's health, and what its health tells calls and operators. A tenant stands and falls
 * with its base (requirements O-9). Call thread. */
#include "trunk/inner.h"

#include "base/clock.h"

static const struct conf_trunk *trunk_named(const struct trunks *t, const char *name) {
  return conf_trunk_find(t->env.conf, slice_of(name));
}

struct watch_trunk *watch_find(struct trunks *t, const char *trunk) {
  for (uint32_t i = 0; i < t->n_watches; i++)
    if (!strcmp(t->watches[i].trunk, trunk))
      return &t->watches[i];
  return NULL;
}

static struct watch_trunk *watch_of(struct trunks *t, const struct conf_trunk *trunk) {
  return watch_find(t, conf_trunk_base(t->env.conf, trunk)->name);
}

static uint64_t now_us(const struct trunks *t) { return loop_now_us(t->env.loop); }

/* The log says each change once. */
void watch_tell(struct watch_trunk *w, const struct conf_trunk *trunk) {
  struct health_rule r = health_rule_of(trunk);
  enum trunk_state s = health_state(&w->engine, &r, now_us(w->t));
  if (s == w->told)
    return;
  log_info(trunk, "trunk %s is %s (OPTIONS: %d)", w->trunk, trunk_state_text(s), w->health.last_status);
  w->told = s;
}

int watch_rank(const struct trunks *t, const struct conf_trunk *trunk) {
  const struct conf_trunk *base = conf_trunk_base(t->env.conf, trunk);
  struct health_rule r = health_rule_of(base);
  if (!trunk->enabled || !base->enabled)
    return -ESHUTDOWN;
  for (uint32_t i = 0; i < t->n_watches; i++)
    if (!strcmp(t->watches[i].trunk, base->name)) {
      enum trunk_state s = health_state(&t->watches[i].engine, &r, now_us(t));
      return s == TRUNK_DOWN || (s == TRUNK_UNKNOWN && r.hears) ? 1 : 0;
    }
  return 0;
}

int watch_target(struct trunks *t, const struct conf_trunk *trunk, uint32_t i, char *dst,
                 size_t dst_bytes, uint32_t *ret_goal) {
  struct watch_trunk *w = watch_of(t, trunk);
  struct health_rule r = health_rule_of(conf_trunk_base(t->env.conf, trunk));
  uint8_t order[CONF_HUBS_MAX] = {0};
  *ret_goal = 0;
  if (!w || w->engine.n < 2)
    return conf_trunk_target(trunk, i, dst, dst_bytes);
  if (i >= w->engine.n)
    return -ENOENT;
  health_order(&w->engine, &r, now_us(t), order);
  *ret_goal = order[i];
  return conf_trunk_target(trunk, order[i], dst, dst_bytes);
}

void watch_call(struct trunks *t, const char *name, uint32_t goal, bool is_reached) {
  const struct conf_trunk *trunk = trunk_named(t, name);
  struct watch_trunk *w = trunk ? watch_of(t, trunk) : NULL;
  if (!w || goal >= w->engine.n)
    return;
  struct health_rule r = health_rule_of(conf_trunk_base(t->env.conf, trunk));
  health_call(&w->engine, &r, goal, is_reached, now_us(t));
  watch_tell(w, conf_trunk_base(t->env.conf, trunk));
}

void watch_busy(struct trunks *t, const char *name, uint32_t goal, uint32_t retry_after_s,
                msg_t *response, struct agent *a) {
  const struct conf_trunk *trunk = trunk_named(t, name);
  struct watch_trunk *w = trunk ? watch_of(t, trunk) : NULL;
  if (!w || goal >= w->engine.n)
    return;
  struct health_rule r = health_rule_of(conf_trunk_base(t->env.conf, trunk));
  health_busy(&w->engine, &r, goal, retry_after_s, now_us(t));
  watch_tell(w, conf_trunk_base(t->env.conf, trunk));
  tport_t *tp = response ? tport_delivered_by(nta_agent_tports(a->nta), response) : NULL;
  if (trunk->role == ROLE_SBC && tp && tport_is_secondary(tp))
    tport_shutdown(tp, 2);
}

static bool is_person(enum end_reason r) {
  return r == END_BUSY || r == END_DECLINED || r == END_NO_ANSWER || r == END_NOT_FOUND ||
         r == END_CANCELED || r == END_REJECTED || r == END_UNREACHABLE || r == END_ANSWERED_ELSEWHERE;
}

void watch_ended(struct trunks *t, const struct leg *l) {
  struct watch_trunk *w = l->trunk ? watch_find(t, l->trunk->name) : NULL;
  if (!w)
    return;
  struct trunk_figures *f = &w->health.figures;
  uint64_t now_ms = call_time_ms(l->call);
  f->seizures++;
  if (l->answered_ms) {
    f->answered++;
    f->talk_ms += now_ms > l->answered_ms ? now_ms - l->answered_ms : 0;
  } else if (is_person(l->cause.reason)) {
    f->person++;
  }
}

bool trunks_health(const struct trunks *t, const char *name, struct trunk_health *ret) {
  const struct conf_trunk *trunk = trunk_named(t, name);
  const struct watch_trunk *own = NULL, *base = NULL;
  for (uint32_t i = 0; i < t->n_watches && trunk; i++) {
    own = !strcmp(t->watches[i].trunk, name) ? &t->watches[i] : own;
    if (!strcmp(t->watches[i].trunk, conf_trunk_base(t->env.conf, trunk)->name))
      base = &t->watches[i];
  }
  if (!own || !base)
    return false;
  struct health_rule r = health_rule_of(conf_trunk_base(t->env.conf, trunk));
  *ret = base->health;
  ret->calls = own->health.calls;
  ret->figures = own->health.figures;
  ret->state = health_state(&base->engine, &r, now_us(t));
  ret->asked = health_asked(&base->engine, &r, now_us(t));
  ret->own_expiry_s = renewal_own_expiry_s(t, trunk);
  ret->tls = health_tls(ret->peer_expiry_s, (int64_t)(clock_wall_ms() / 1000));
  ret->n_goals = base->engine.n;
  for (uint32_t i = 0; i < ret->n_goals; i++)
    ret->goals[i] =
        health_goal_is_bad(&base->engine, &r, i, now_us(t)) ? TRUNK_DOWN : base->engine.goal[i].state;
  return true;
}
