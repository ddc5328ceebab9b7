/* SPDX-License-Identifier: Apache-2.0
 * The ordered checks of an attempt, cheapest and most telling first, before anything is allocated. */
#include "guard/part.h"

struct attempt {
  struct guard *g;
  const struct ask *ask;
  const struct conf_trunk *trunk;
  uint64_t now_us;
};

static struct verdict known_check(const struct attempt *a) {
  return a->trunk ? verdict_pass()
                  : verdict_refuse(REFUSE_UNKNOWN_SOURCE, "the source is no peer of a trunk");
}

static struct verdict enabled_check(const struct attempt *a) {
  struct verdict v = verdict_refuse(REFUSE_TRUNK_DISABLED, "trunks[%s].enabled is false (%s line %u)",
                                    a->trunk->name, guard_file_name(a->g), a->trunk->line);
  v.retry_after_s = 60;
  return a->trunk->enabled ? verdict_pass() : v;
}

static struct verdict own_via_check(const struct attempt *a) {
  if (a->ask->history.is_over)
    return verdict_refuse(REFUSE_LOOP, "History-Info or Diversion: more than %d diversions",
                          HISTORY_MAX);
  return loop_check(a->g, a->ask);
}

static struct verdict hops_check(const struct attempt *a) {
  return a->ask->max_forwards != 0 ? verdict_pass() : verdict_refuse(REFUSE_HOPS, "Max-Forwards is 0");
}

static struct verdict proxies_check(const struct attempt *a) { return chain_check(a->g, a->ask); }

static struct verdict return_check(const struct attempt *a) {
  return hairpin_check(a->g, a->ask, a->now_us);
}

/* A withheld caller shows no number; whether that may be is another setting. RFC 5079. */
static struct verdict caller_check(const struct attempt *a) {
  const struct ask *ask = a->ask;
  const struct conf_trunk *t = a->trunk;
  char shown[80];
  if (ask->anonymous && t->anonymous == ANONYMOUS_REFUSE)
    return verdict_refuse(REFUSE_ANONYMOUS, "From: trunks[%s].anonymous is refuse (%s line %u)", t->name,
                          guard_file_name(a->g), t->line);
  if ((ask->anonymous && !ask->caller[0]) || guard_may_show(t, slice_of(ask->caller)))
    return verdict_pass();
  return verdict_refuse(REFUSE_CALLER_RANGE, "%s: %s is not in trunks[%s].numbers_allowed (%s line %u)",
                        ask->is_asserted ? "P-Asserted-Identity" : "From",
                        slice_escape(shown, sizeof shown, slice_of(ask->caller)), t->name,
                        guard_file_name(a->g), t->line);
}

static struct verdict rate_check(const struct attempt *a) {
  struct trunk_state *s = guard_state(a->g, a->trunk);
  if (s && bucket_take(&s->bucket, a->trunk->max_calls_per_s, a->now_us))
    return verdict_pass();
  struct verdict v =
      verdict_refuse(REFUSE_TRUNK_RATE, "trunks[%s].max_calls_per_s: %u (%s line %u)", a->trunk->name,
                     a->trunk->max_calls_per_s, guard_file_name(a->g), a->trunk->line);
  v.retry_after_s = 1;
  return v;
}

static struct verdict trunk_calls_check(const struct attempt *a) {
  struct trunk_state *s = guard_state(a->g, a->trunk);
  if (s && s->live < a->trunk->max_calls)
    return verdict_pass();
  return verdict_refuse(REFUSE_TRUNK_CALLS, "trunks[%s].max_calls: %u (%s line %u)", a->trunk->name,
                        a->trunk->max_calls, guard_file_name(a->g), a->trunk->line);
}

static struct verdict node_calls_check(const struct attempt *a) {
  if (a->g->live < a->g->conf->node.max_calls)
    return verdict_pass();
  return verdict_refuse(REFUSE_NODE_CALLS, "node.max_calls: %u", a->g->conf->node.max_calls);
}

typedef struct verdict check_fn(const struct attempt *a);

static check_fn *const inbound[] = {known_check,       enabled_check,   own_via_check, proxies_check,
                                    hops_check,        return_check,    caller_check,  rate_check,
                                    trunk_calls_check, node_calls_check};
static check_fn *const outbound[] = {known_check, enabled_check, rate_check, trunk_calls_check,
                                     node_calls_check};

static struct verdict run(const struct attempt *a, check_fn *const *checks, size_t n) {
  for (size_t i = 0; i < n; i++) {
    struct verdict v = checks[i](a);
    if (verdict_is_pass(&v))
      continue;
    if (v.refusal != REFUSE_UNKNOWN_SOURCE) /* guard_peer_trunk counted it */
      guard_count(a->g, v.refusal);
    return v;
  }
  guard_admit_emergency(a->g, a->trunk);
  return verdict_pass();
}

struct verdict guard_admit(struct guard *g, const struct ask *ask, uint64_t now_us) {
  struct attempt a = {g, ask, ask->trunk, now_us};
  return run(&a, inbound, COUNT_OF(inbound));
}

struct verdict guard_admit_out(struct guard *g, const struct conf_trunk *trunk, uint64_t now_us) {
  struct attempt a = {g, NULL, trunk, now_us};
  return run(&a, outbound, COUNT_OF(outbound));
}

struct verdict guard_answer_chain(struct guard *g, const struct conf_trunk *trunk,
                                  const struct ask_hosts *record_routes, struct slice contact_host,
                                  const struct ask_hosts *subjects) {
  struct verdict v = chain_answer_check(g, trunk, record_routes, contact_host, subjects);
  if (!verdict_is_pass(&v))
    guard_count(g, v.refusal);
  return v;
}
