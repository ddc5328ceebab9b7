/* SPDX-License-Identifier: Apache-2.0
 * Health of a trunk: see health.h. States as direct routing names them (requirements C-16, O-6, O-7). */
#include "trunk/health.h"

enum { EXPIRING_S = 30 * 86400 };

const char *trunk_state_text(enum trunk_state s) {
  static const char *const texts[] = {"unknown", "up", "down"};
  return s <= TRUNK_DOWN ? texts[s] : "unknown";
}

const char *trunk_asked_text(enum trunk_asked s) {
  static const char *const texts[] = {"unknown", "active", "expired", "error"};
  return s <= ASKED_ERROR ? texts[s] : "unknown";
}

const char *trunk_tls_text(enum trunk_tls s) {
  static const char *const texts[] = {"unknown", "active", "cert_expiring", "cert_expired"};
  return s <= TLS_CERT_EXPIRED ? texts[s] : "unknown";
}

const char *trunk_overall_text(enum trunk_state s) {
  static const char *const texts[] = {"unknown", "online", "inactive"};
  return s <= TRUNK_DOWN ? texts[s] : "unknown";
}

struct health_rule health_rule_of(const struct conf_trunk *t) {
  return (struct health_rule){
      .asks = t->options,
      .hears = t->options && t->kind == TRUNK_DIRECT_ROUTING && t->role == ROLE_HUB,
      .down = t->options_down ? t->options_down : 2,
      .up = t->options_up ? t->options_up : 1,
      .interval_us = (uint64_t)(t->options_interval_s ? t->options_interval_s : 60) * 1000000,
  };
}

void health_answer(struct health *h, const struct health_rule *r, uint32_t goal, bool is_good) {
  struct health_goal *g = &h->goal[goal];
  g->misses = is_good ? 0 : g->misses + 1;
  g->hits = is_good ? g->hits + 1 : 0;
  if (is_good && (g->state == TRUNK_UNKNOWN || g->hits >= r->up)) {
    g->state = TRUNK_UP;
    g->call_misses = 0;
    g->bad_until_us = 0;
  }
  if (g->misses >= r->down)
    g->state = TRUNK_DOWN;
}

void health_heard(struct health *h, uint64_t now_us) { h->heard_us = now_us ? now_us : 1; }

/* Without OPTIONS of ours a bad goal is tried again after an interval: the way back. */
void health_call(struct health *h, const struct health_rule *r, uint32_t goal, bool is_reached,
                 uint64_t now_us) {
  struct health_goal *g = &h->goal[goal];
  if (is_reached) {
    g->call_misses = 0;
    g->bad_until_us = 0;
  } else if (++g->call_misses >= HEALTH_CALLS_DOWN) {
    g->bad_until_us = now_us + r->interval_us;
  }
}

void health_busy(struct health *h, const struct health_rule *r, uint32_t goal, uint32_t retry_after_s,
                 uint64_t now_us) {
  uint32_t s = retry_after_s < HEALTH_RETRY_MAX_S ? retry_after_s : HEALTH_RETRY_MAX_S;
  uint64_t until = now_us + (s ? (uint64_t)s * 1000000 : r->interval_us);
  if (until > h->goal[goal].bad_until_us)
    h->goal[goal].bad_until_us = until;
}

bool health_goal_is_bad(const struct health *h, const struct health_rule *r, uint32_t goal,
                        uint64_t now_us) {
  const struct health_goal *g = &h->goal[goal];
  return (r->asks && g->state == TRUNK_DOWN) || g->bad_until_us > now_us;
}

void health_order(const struct health *h, const struct health_rule *r, uint64_t now_us,
                  uint8_t ret_order[CONF_HUBS_MAX]) {
  uint32_t n = 0;
  for (unsigned bad = 0; bad < 2; bad++)
    for (uint32_t i = 0; i < h->n; i++)
      if (health_goal_is_bad(h, r, i, now_us) == (bad != 0))
        ret_order[n++] = (uint8_t)i;
}

static bool is_silent(const struct health *h, const struct health_rule *r, uint64_t now_us) {
  return r->hears && now_us > h->heard_us + HEALTH_INTERVALS * r->interval_us;
}

/* The best of its goals; where the peer starts, nothing is good that is not heard. */
enum trunk_state health_state(const struct health *h, const struct health_rule *r, uint64_t now_us) {
  enum trunk_state best = TRUNK_DOWN;
  if (r->hears && !h->heard_us)
    return TRUNK_UNKNOWN;
  if (is_silent(h, r, now_us))
    return TRUNK_DOWN;
  for (uint32_t i = 0; i < h->n; i++) {
    if (health_goal_is_bad(h, r, i, now_us))
      continue;
    if (h->goal[i].state == TRUNK_UP)
      return TRUNK_UP;
    best = TRUNK_UNKNOWN;
  }
  return best;
}

enum trunk_asked health_asked(const struct health *h, const struct health_rule *r, uint64_t now_us) {
  bool has_down = false;
  if (!r->asks || (r->hears && !h->heard_us))
    return ASKED_UNKNOWN;
  if (is_silent(h, r, now_us))
    return ASKED_EXPIRED;
  for (uint32_t i = 0; i < h->n; i++) {
    if (h->goal[i].state == TRUNK_UP && !h->goal[i].misses)
      return ASKED_ACTIVE;
    has_down = has_down || h->goal[i].misses;
  }
  return has_down ? ASKED_ERROR : ASKED_UNKNOWN;
}

enum trunk_tls health_tls(int64_t peer_expiry_s, int64_t now_s) {
  if (!peer_expiry_s)
    return TLS_UNKNOWN;
  return peer_expiry_s <= now_s                ? TLS_CERT_EXPIRED
         : peer_expiry_s - now_s <= EXPIRING_S ? TLS_CERT_EXPIRING
                                               : TLS_ACTIVE;
}
