/* SPDX-License-Identifier: Apache-2.0
 * The order in which a list of trunks is tried: see route_order. */
#include "route/route.h"

struct pick {
  const struct route_target *to;
  const int *ranks;
  bool taken[ROUTE_TARGETS_MAX];
};

static bool is_better(const struct pick *p, uint32_t a, uint32_t b) {
  if (p->ranks[a] != p->ranks[b])
    return p->ranks[a] < p->ranks[b];
  return p->to[a].priority < p->to[b].priority;
}

static bool is_equal(const struct pick *p, uint32_t a, uint32_t b) {
  return p->ranks[a] == p->ranks[b] && p->to[a].priority == p->to[b].priority;
}

static uint32_t weight_of(const struct pick *p, uint32_t i) {
  return p->to[i].weight ? p->to[i].weight : 1;
}

/* One of those that are as good as best, by their weights. */
static uint32_t draw(const struct pick *p, uint32_t n, uint32_t best,
                     uint32_t (*random)(uint32_t bound)) {
  uint32_t sum = 0, last = best;
  for (uint32_t i = 0; i < n; i++)
    if (!p->taken[i] && is_equal(p, i, best))
      sum += weight_of(p, i);
  uint32_t ticket = random(sum);
  for (uint32_t i = 0; i < n; i++) {
    if (p->taken[i] || !is_equal(p, i, best))
      continue;
    last = i;
    if (ticket < weight_of(p, i))
      break;
    ticket -= weight_of(p, i);
  }
  return last;
}

uint32_t route_order(const struct route_target *to, const int *ranks, uint32_t n,
                     uint32_t (*random)(uint32_t bound), uint32_t ret_order[ROUTE_TARGETS_MAX]) {
  struct pick p = {.to = to, .ranks = ranks};
  uint32_t found = 0;
  n = n < ROUTE_TARGETS_MAX ? n : ROUTE_TARGETS_MAX;
  for (;;) {
    uint32_t best = n;
    for (uint32_t i = 0; i < n; i++)
      if (!p.taken[i] && ranks[i] >= 0 && (best == n || is_better(&p, i, best)))
        best = i;
    if (best == n)
      return found;
    best = draw(&p, n, best, random);
    p.taken[best] = true;
    ret_order[found++] = best;
  }
}
