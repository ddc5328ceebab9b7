/* SPDX-License-Identifier: Apache-2.0
 * Candidates and the checklist of a full ICE agent: see agent.h. RFC 8445 5.1.2 (priorities), 6.1.2
 * (pairs), RFC 8838 (trickle). One stream and one component: "frozen" only means that another pair of
 * the same foundation is being tried. */
#include "flow/agent_inside.h"

#include <stdio.h>

enum { PAIRS_STEP = 4 };

uint32_t agent_priority(enum cand_type type, unsigned index) {
  static const uint32_t preference[] = {
      [CAND_HOST] = 126, [CAND_SRFLX] = 100, [CAND_PRFLX] = 110, [CAND_RELAY] = 0};
  return preference[type] << 24 | (UINT32_C(65535) - index) << 8 | 255;
}

static uint64_t pair_priority(const struct agent *a, uint32_t ours, uint32_t theirs) {
  uint64_t g = a->is_controlling ? ours : theirs, d = a->is_controlling ? theirs : ours;
  return (g < d ? g : d) << 32 | (g > d ? g : d) << 1 | (g > d);
}

static uint32_t hash_text(const char *text) {
  uint32_t h = 2166136261u;
  while (*text)
    h = (h ^ (uint8_t)*text++) * 16777619u;
  return h;
}

/* Same type and same address of the base: same foundation (5.1.1.3). */
static uint32_t local_foundation(const struct agent *a, unsigned i) {
  for (unsigned k = 0; k < i; k++)
    if (a->locals[k].used && a->locals[k].type == a->locals[i].type &&
        addr_eq_ip(&a->locals[k].base, &a->locals[i].base))
      return a->locals[k].foundation;
  return i + 1;
}

/* Pairs -------------------------------------------------------------------------------------------- */
struct agent_pair *agent_pair_find(const struct agent *a, const struct ice_pair *path) {
  for (unsigned i = 0; i < a->n_pairs; i++)
    if (a->pairs[i].state != PAIR_FREE && ice_pair_eq(&a->pairs[i].path, path))
      return (struct agent_pair *)&a->pairs[i];
  return NULL;
}

/* Pointers to pairs are void afterwards. NULL: no more places. */
static struct agent_pair *pairs_grow(struct agent *a) {
  unsigned n = a->n_pairs + PAIRS_STEP < AGENT_PAIRS_MAX ? a->n_pairs + PAIRS_STEP : AGENT_PAIRS_MAX;
  struct agent_pair *more = n > a->n_pairs ? realloc(a->pairs, n * sizeof(*more)) : NULL;
  if (!more)
    return NULL;
  memset(more + a->n_pairs, 0, (n - a->n_pairs) * sizeof(*more));
  a->pairs = more;
  struct agent_pair *first = &more[a->n_pairs];
  a->n_pairs = n;
  return first;
}

/* A free place, else that of the least pair that is of no use yet, if it is less than this one. */
static struct agent_pair *pair_slot(struct agent *a, uint64_t priority) {
  struct agent_pair *least = NULL;
  for (unsigned i = 0; i < a->n_pairs; i++) {
    struct agent_pair *p = &a->pairs[i];
    if (p->state == PAIR_FREE)
      return p;
    bool is_idle = (p->state == PAIR_WAITING || p->state == PAIR_FAILED) && !p->is_verified;
    if (is_idle && (!least || p->priority < least->priority))
      least = p;
  }
  struct agent_pair *fresh = pairs_grow(a);
  if (fresh)
    return fresh;
  return least && least->priority < priority ? least : NULL;
}

static void pair_add(struct agent *a, unsigned local, unsigned remote) {
  const struct agent_cand *l = &a->locals[local], *r = &a->remotes[remote];
  struct ice_pair path = {l->base, r->address};
  if (agent_pair_find(a, &path))
    return;
  uint64_t priority = pair_priority(a, l->priority, r->priority);
  struct agent_pair *p = pair_slot(a, priority);
  if (!p)
    return;
  *p = (struct agent_pair){.state = PAIR_WAITING,
                           .local = (uint8_t)local,
                           .remote = (uint8_t)remote,
                           .priority = priority,
                           .path = path};
}

/* Server-reflexive ones are their base's pairs (6.1.2.4). */
static void pair_all(struct agent *a) {
  for (unsigned l = 0; l < AGENT_LOCALS_MAX; l++)
    for (unsigned r = 0; r < AGENT_REMOTES_MAX; r++)
      if (a->locals[l].used && a->locals[l].type != CAND_SRFLX && a->remotes[r].used &&
          addr_family(&a->locals[l].base) == addr_family(&a->remotes[r].address))
        pair_add(a, l, r);
}

void agent_set_priorities(struct agent *a) {
  for (unsigned i = 0; i < a->n_pairs; i++) {
    struct agent_pair *p = &a->pairs[i];
    if (p->state != PAIR_FREE)
      p->priority = pair_priority(a, a->locals[p->local].priority, a->remotes[p->remote].priority);
  }
}

unsigned agent_pair_count(const struct agent *a, enum agent_pair_state state) {
  unsigned n = 0;
  for (unsigned i = 0; i < a->n_pairs; i++)
    n += a->pairs[i].state == state;
  return n;
}

static bool is_same_foundation(const struct agent *a, const struct agent_pair *p,
                               const struct agent_pair *q) {
  return a->locals[p->local].foundation == a->locals[q->local].foundation &&
         a->remotes[p->remote].foundation == a->remotes[q->remote].foundation;
}

static bool is_frozen(const struct agent *a, const struct agent_pair *p) {
  for (unsigned i = 0; i < a->n_pairs; i++)
    if (a->pairs[i].state == PAIR_RUNNING && is_same_foundation(a, p, &a->pairs[i]))
      return true;
  return false;
}

static bool is_sooner(const struct agent *a, const struct agent_pair *p, const struct agent_pair *q) {
  if (!q || p->is_triggered != q->is_triggered)
    return !q || p->is_triggered;
  if (p->state == PAIR_WAITING && is_frozen(a, p) != is_frozen(a, q))
    return is_frozen(a, q);
  return p->priority > q->priority;
}

struct agent_pair *agent_pair_best(struct agent *a, enum agent_pair_state state) {
  struct agent_pair *best = NULL;
  for (unsigned i = 0; i < a->n_pairs; i++)
    if (a->pairs[i].state == state && is_sooner(a, &a->pairs[i], best))
      best = &a->pairs[i];
  return best;
}

/* Locals ------------------------------------------------------------------------------------------- */
struct agent_cand *agent_local_of(struct agent *a, const struct addr *base) {
  for (unsigned i = 0; i < AGENT_LOCALS_MAX; i++)
    if (a->locals[i].used && a->locals[i].type != CAND_SRFLX && addr_eq(&a->locals[i].base, base))
      return &a->locals[i];
  return NULL;
}

int agent_add_local(struct agent *a, enum cand_type type, const struct addr *address,
                    const struct addr *base) {
  for (unsigned i = 0; i < AGENT_LOCALS_MAX; i++) {
    struct agent_cand *c = &a->locals[i];
    if (c->used && addr_eq(&c->address, address) && addr_eq(&c->base, base))
      return 0;
    if (c->used)
      continue;
    *c = (struct agent_cand){.used = true,
                             .type = (uint8_t)type,
                             .address = *address,
                             .base = *base,
                             .priority = agent_priority(type, i)};
    c->foundation = local_foundation(a, i);
    pair_all(a);
    return 0;
  }
  return -ENOSPC;
}

bool agent_local(const struct agent *a, unsigned i, struct desc_candidate *ret) {
  for (unsigned k = 0; k < AGENT_LOCALS_MAX; k++) {
    const struct agent_cand *c = &a->locals[k];
    if (!c->used || i-- > 0)
      continue;
    *ret = (struct desc_candidate){
        .component = 1, .type = c->type, .is_udp = true, .priority = c->priority, .address = c->address};
    snprintf(ret->foundation, sizeof(ret->foundation), "%u", c->foundation);
    if (c->type != CAND_HOST) /* where from is nobody's business: zeros, as RFC 8839 5.1 has it */
      ret->related.sa.sa_family = c->address.sa.sa_family;
    return true;
  }
  return false;
}

/* Remotes ------------------------------------------------------------------------------------------ */
static struct agent_cand *remote_of(struct agent *a, const struct addr *address) {
  for (unsigned i = 0; i < AGENT_REMOTES_MAX; i++)
    if (a->remotes[i].used && addr_eq(&a->remotes[i].address, address))
      return &a->remotes[i];
  return NULL;
}

static struct agent_cand *remote_put(struct agent *a, const struct addr *address, enum cand_type type,
                                     uint32_t priority, uint32_t foundation) {
  for (unsigned i = 0; i < AGENT_REMOTES_MAX; i++) {
    struct agent_cand *c = &a->remotes[i];
    if (c->used)
      continue;
    *c = (struct agent_cand){.used = true,
                             .type = (uint8_t)type,
                             .address = *address,
                             .priority = priority,
                             .foundation = foundation};
    pair_all(a);
    return c;
  }
  return NULL;
}

struct agent_cand *agent_prflx(struct agent *a, const struct addr *from, uint32_t priority) {
  struct agent_cand *c = remote_of(a, from);
  return c ? c : remote_put(a, from, CAND_PRFLX, priority, hash_text("prflx") ^ addr_port(from));
}

static bool is_usable(const struct desc_candidate *c) {
  return c->is_udp && !c->is_name && c->component == 1 && addr_family(&c->address) != AF_UNSPEC &&
         addr_port(&c->address) != 0 && !addr_is_any(&c->address);
}

int agent_add_remote(struct agent *a, const struct desc_candidate *c) {
  if (!is_usable(c))
    return 1;
  struct agent_cand *was = remote_of(a, &c->address);
  if (was) { /* peer-reflexive before it was told */
    was->type = c->type;
    was->foundation = hash_text(c->foundation);
    return 0;
  }
  bool done = remote_put(a, &c->address, (enum cand_type)c->type, c->priority, hash_text(c->foundation));
  return done ? 0 : -ENOSPC;
}
