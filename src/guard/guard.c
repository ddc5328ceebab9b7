/* SPDX-License-Identifier: Apache-2.0
 * The guard's object: its life, reload, live calls and counters. Call thread only. */
#include "guard/part.h"

#include "base/log.h"

enum { COUNT_ADMITTED = REFUSE_COUNT_, COUNT_LIVE, COUNT_COUNTRIES, COUNT_ROWS_ };

static const struct count_row count_rows[COUNT_ROWS_] = {
#define REFUSE(id, rule, sip, q850, http, code, title) \
  [REFUSE_##id] = {"sallyport_refusals_total", "rule=\"" rule "\"", "Refused attempts by rule", \
                   COUNT_COUNTER},
#include "guard/refuse.def"
#undef REFUSE
    [COUNT_ADMITTED] = {"sallyport_admitted_total", "", "Calls that passed the border's checks",
                        COUNT_COUNTER},
    [COUNT_LIVE] = {"sallyport_trunk_calls", "", "Live calls on trunks", COUNT_GAUGE},
    [COUNT_COUNTRIES] = {"sallyport_new_countries_total", "",
                         "Countries that were called for the first time", COUNT_COUNTER},
};

/* ---- states of trunks ---- */

static struct trunk_state *state_find(struct guard *g, const char *name) {
  for (uint32_t i = 0; i < g->n_states; i++)
    if (strcmp(g->states[i].name, name) == 0)
      return &g->states[i];
  return NULL;
}

struct trunk_state *guard_state(struct guard *g, const struct conf_trunk *t) {
  return state_find(g, t->name);
}

static void states_add(struct guard *g) {
  for (uint32_t i = 0; i < g->conf->n_trunks && g->n_states < GUARD_STATES_MAX; i++) {
    const char *name = g->conf->trunks[i].name;
    if (state_find(g, name))
      continue;
    struct trunk_state *s = &g->states[g->n_states++];
    memset(s, 0, sizeof(*s));
    slice_copy(s->name, sizeof(s->name), slice_of(name));
  }
}

/* Those of trunks that are gone stay until their last call ended. */
static void states_sweep(struct guard *g) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < g->n_states; i++)
    if (g->states[i].live || conf_trunk_find(g->conf, slice_of(g->states[i].name)))
      g->states[n++] = g->states[i];
  g->n_states = n;
}

/* ---- life ---- */

static void conf_take(struct guard *g, const struct conf *conf) {
  g->conf = conf;
  for (uint32_t i = 0; i < conf->n_trunks; i++)
    peer_rules_compile(&g->rules[i], &conf->trunks[i]);
  states_sweep(g);
  states_add(g);
}

int guard_new(struct guard **ret, const struct conf *conf) {
  own(guard) g = calloc(1, sizeof(*g));
  if (!g)
    return -ENOMEM;
  g->notes = calloc(GUARD_NOTES_MAX, sizeof(*g->notes));
  g->rules = calloc(CONF_TRUNKS_MAX, sizeof(*g->rules)); /* all at once: a reload cannot fail */
  _Atomic uint64_t *values = calloc(COUNT_ROWS_, sizeof(*values));
  g->counts = (struct counts){count_rows, COUNT_ROWS_, values};
  g->bans = bans_new();
  if (!g->notes || !g->rules || !values || !g->bans)
    return -ENOMEM;
  int r = map_new(&g->by_session, GUARD_NOTES_MAX);
  if (r == 0)
    r = map_new(&g->by_pair, GUARD_NOTES_MAX);
  if (r == 0)
    r = caps_new(&g->caps);
  if (r < 0)
    return r;
  conf_take(g, conf);
  *ret = take(g);
  return 0;
}

struct guard *guard_free(struct guard *g) {
  if (!g)
    return NULL;
  map_free(g->by_session);
  map_free(g->by_pair);
  bans_free(g->bans);
  caps_free(g->caps);
  free(g->notes);
  free(g->rules);
  free(g->counts.values);
  free(g);
  return NULL;
}

void guard_reload(struct guard *g, const struct conf *conf) { conf_take(g, conf); }

/* ---- live calls ---- */

void guard_admit_emergency(struct guard *g, const struct conf_trunk *trunk) {
  struct trunk_state *s = guard_state(g, trunk);
  if (s)
    s->live++;
  g->live++;
  count_one(&g->counts, COUNT_ADMITTED);
  count_set(&g->counts, COUNT_LIVE, g->live);
}

void guard_leave(struct guard *g, const struct conf_trunk *trunk) {
  struct trunk_state *s = guard_state(g, trunk);
  if (s && s->live)
    s->live--;
  if (g->live)
    g->live--;
  count_set(&g->counts, COUNT_LIVE, g->live);
}

uint32_t guard_live(const struct guard *g, const struct conf_trunk *trunk) {
  if (!trunk)
    return g->live;
  for (uint32_t i = 0; i < g->n_states; i++)
    if (strcmp(g->states[i].name, trunk->name) == 0)
      return g->states[i].live;
  return 0;
}

void guard_rehearse(struct guard *g) { g->is_rehearsal = true; }

const struct counts *guard_counts(const struct guard *g) { return &g->counts; }

void guard_count(struct guard *g, enum refusal r) {
  if (r < REFUSE_COUNT_)
    count_one(&g->counts, r);
}

/* ---- caps ---- */

static void country_tell(struct guard *g, const struct caps_facts *f) {
  uint32_t country = caps_country(f->called);
  if (g->is_rehearsal || !caps_is_new_country(g->caps, country))
    return;
  count_one(&g->counts, COUNT_COUNTRIES);
  log_warn(guard, "first call to country +%u, from trunk %.*s", country, (int)f->trunk.n,
           f->trunk.n ? f->trunk.p : "");
}

struct verdict guard_caps(struct guard *g, const struct caps_facts *f, uint64_t now_us,
                          struct caps_hold *ret) {
  struct verdict v = caps_admit(g->caps, g->conf, f, now_us, ret);
  if (verdict_is_pass(&v))
    country_tell(g, f);
  else
    guard_count(g, v.refusal);
  return v;
}

void guard_caps_leave(struct guard *g, struct caps_hold *hold, uint64_t talked_us, uint64_t now_us) {
  caps_leave(g->caps, g->conf, hold, talked_us, now_us);
}

char *guard_caps_write(struct guard *g, size_t *ret_n, uint64_t now_us, uint64_t wall_ms) {
  return caps_is_news(g->caps) ? caps_write(g->caps, ret_n, now_us, wall_ms) : NULL;
}

int guard_caps_read(struct guard *g, struct slice text, uint64_t now_us, uint64_t wall_ms) {
  return caps_read(g->caps, text, now_us, wall_ms);
}
