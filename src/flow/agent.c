/* SPDX-License-Identifier: Apache-2.0
 * The full ICE agent: see agent.h. Here: its life, credentials, which pair is selected, and time. */
#include "flow/agent_inside.h"

#include "base/rand.h"

#define CONSENT_END_US ((uint64_t)ICE_CONSENT_S * 1000 * MS_US)

/* Life --------------------------------------------------------------------------------------------- */
static void take_cred(struct agent *a, const struct ice_cred *ours) {
  memset(&a->now, 0, sizeof(a->now));
  a->now.used = true;
  if (ours)
    a->now.ours = *ours;
  else
    ice_cred_make(&a->now.ours);
}

int agent_new(struct agent **ret, bool is_controlling, const struct ice_cred *ours) {
  struct agent *a = calloc(1, sizeof(*a));
  if (!a)
    return -ENOMEM;
  a->is_controlling = is_controlling;
  a->tie_breaker = rand_u64();
  take_cred(a, ours);
  *ret = a;
  return 0;
}

struct agent *agent_free(struct agent *a) {
  if (a) {
    free(a->pairs);
    explicit_bzero(a, sizeof(*a));
  }
  free(a);
  return NULL;
}

void agent_cred(const struct agent *a, struct ice_cred *ret) { *ret = a->now.ours; }

bool agent_old_cred(const struct agent *a, struct ice_cred *ret) {
  if (a->before.used)
    *ret = a->before.ours;
  return a->before.used;
}

bool agent_is_controlling(const struct agent *a) { return a->is_controlling; }
void agent_set_renomination(struct agent *a, bool is_agreed) { a->renominates = is_agreed; }
void agent_end_remotes(struct agent *a) { a->is_ended = true; }

/* Generations -------------------------------------------------------------------------------------- */
/* What was learnt of the peer is void; the selected pair lives on with the credentials it was made by.
 */
static void forget(struct agent *a) {
  if (!a->before.used) {
    a->before = a->now;
    a->is_old = a->is_selected;
  }
  memset(a->remotes, 0, sizeof(a->remotes));
  for (unsigned i = 0; i < a->n_pairs; i++)
    a->pairs[i].state = PAIR_FREE;
  a->started_us = a->valid_us = a->pace_us = 0;
  a->is_ended = a->has_failed = a->has_given_up = false;
  a->nomination = 0;
}

void agent_restart(struct agent *a, const struct ice_cred *ours) {
  forget(a);
  take_cred(a, ours);
}

int agent_set_remote(struct agent *a, const char *ufrag, const char *pwd, bool is_lite) {
  size_t u = strlen(ufrag), p = strlen(pwd);
  if (u < 4 || u > AGENT_UFRAG_MAX || p < 22 || p > AGENT_PWD_MAX)
    return -EINVAL;
  bool is_other = strcmp(a->now.ufrag, ufrag) != 0 || strcmp(a->now.pwd, pwd) != 0;
  if (a->now.has_remote && is_other)
    forget(a);
  memcpy(a->now.ufrag, ufrag, u + 1);
  memcpy(a->now.pwd, pwd, p + 1);
  a->now.has_remote = true;
  a->is_lite = is_lite;
  if (is_lite && !a->is_controlling) {
    a->is_controlling = true; /* a lite agent is always controlled (6.1.1) */
    agent_set_priorities(a);
  }
  return 0;
}

/* Selection ---------------------------------------------------------------------------------------- */
static uint64_t consent_interval_us(void) {
  uint32_t span_us = AGENT_CONSENT_MS * MS_US / 5;
  return AGENT_CONSENT_MS * MS_US - span_us + rand_below(2 * span_us + 1);
}

void agent_pair_fails(struct agent_pair *p) {
  p->state = PAIR_FAILED;
  p->is_triggered = p->is_due = p->is_nominating = p->was_valid = false;
}

/* Once there is a pair nothing else needs to be tried, but what comes anew (8.1.2). */
static void stop_others(struct agent *a, const struct agent_pair *chosen) {
  for (unsigned i = 0; i < a->n_pairs; i++) {
    struct agent_pair *p = &a->pairs[i];
    p->is_wanted = false; /* an earlier nomination is done with */
    if (p != chosen && (p->state == PAIR_WAITING || p->state == PAIR_RUNNING)) {
      bool was_valid = p->was_valid;
      agent_pair_fails(p);
      if (was_valid)
        p->state = PAIR_VALID;
    }
  }
}

/* The last nomination of a peer that renominates counts; of another one that of the best pair, or any
 * when what it nominated before is silent. */
bool agent_is_chosen(const struct agent *a, const struct agent_pair *p, uint64_t now_us) {
  if (!a->is_selected || a->is_old || !a->may_send || a->renominates)
    return true;
  return p->priority > a->selected_priority || now_us - a->consent_us > 2 * AGENT_CONSENT_MS * MS_US;
}

unsigned agent_select(struct agent *a, struct agent_pair *p, uint64_t now_us) {
  bool is_other = !a->is_selected || !ice_pair_eq(&a->selected, &p->path);
  unsigned events = is_other ? ICE_EVENT_SELECTED : 0;
  if (a->is_selected && !a->may_send)
    events |= ICE_EVENT_CONSENT_BACK;
  if (a->before.used) {
    explicit_bzero(&a->before, sizeof(a->before));
    events |= ICE_EVENT_RESTARTED;
  }
  a->selected = p->path;
  a->selected_priority = p->priority;
  a->is_selected = a->may_send = true;
  a->is_old = a->is_ask_due = a->has_failed = false;
  a->n_consents = 0;
  a->consent_us = now_us;
  a->ask_us = now_us + consent_interval_us();
  stop_others(a, p);
  return events;
}

/* The pair is dead; what was not tried because of it may live. */
static unsigned lose(struct agent *a) {
  if (!a->may_send)
    return 0;
  for (unsigned i = 0; i < a->n_pairs; i++) {
    struct agent_pair *p = &a->pairs[i];
    if (p->state == PAIR_FAILED)
      p->state = PAIR_WAITING;
    else if (p->state != PAIR_FREE && !a->is_old && ice_pair_eq(&p->path, &a->selected))
      agent_pair_fails(p);
  }
  a->may_send = a->is_ask_due = false;
  return ICE_EVENT_CONSENT_LOST;
}

unsigned agent_del_local(struct agent *a, const struct addr *base) {
  unsigned events = a->is_selected && addr_eq(&a->selected.local, base) ? lose(a) : 0;
  for (unsigned i = 0; i < a->n_pairs; i++)
    if (a->pairs[i].state != PAIR_FREE && addr_eq(&a->pairs[i].path.local, base))
      a->pairs[i].state = PAIR_FREE;
  for (unsigned i = 0; i < AGENT_LOCALS_MAX; i++)
    if (a->locals[i].used && addr_eq(&a->locals[i].base, base))
      a->locals[i].used = false;
  return events;
}

/* Checks ------------------------------------------------------------------------------------------- */
void agent_trigger(struct agent *a, struct agent_pair *p) {
  (void)a;
  if (p->state == PAIR_FAILED)
    p->state = PAIR_WAITING;
  if (p->state == PAIR_WAITING)
    p->is_triggered = true;
  else if (p->state == PAIR_RUNNING) /* the same transaction once more, now */
    p->is_due = true;
}

/* 14.3: the more there is to check, the longer each may take. */
static uint64_t rto_us(const struct agent *a) {
  uint64_t n = agent_pair_count(a, PAIR_WAITING) + agent_pair_count(a, PAIR_RUNNING);
  uint64_t all_us = n * AGENT_TA_MS * MS_US;
  return all_us > AGENT_RTO_MS * MS_US ? all_us : AGENT_RTO_MS * MS_US;
}

static void check_begin(struct agent *a, struct agent_pair *p, bool nominates, uint64_t now_us) {
  rand_bytes(p->id, sizeof(p->id));
  p->state = PAIR_RUNNING;
  p->is_triggered = false;
  p->is_due = true;
  p->is_nominating = nominates;
  p->as_controlling = a->is_controlling;
  p->tries = 1;
  p->rto_us = rto_us(a);
  p->begun_us = now_us;
  p->next_us = now_us + p->rto_us;
  a->pace_us = now_us + AGENT_TA_MS * MS_US;
  if (!a->started_us)
    a->started_us = now_us;
}

static void check_again(struct agent_pair *p, uint64_t now_us) {
  unsigned tries = p->is_nominating ? AGENT_NOMINATE_TRIES : AGENT_TRIES;
  if (now_us < p->next_us)
    return;
  if (p->tries >= tries) {
    agent_pair_fails(p);
    return;
  }
  p->tries++;
  p->is_due = true;
  p->next_us = now_us + (p->tries == AGENT_TRIES ? 16 * p->rto_us : p->rto_us << (p->tries - 1));
}

static bool is_nominating(const struct agent *a) {
  for (unsigned i = 0; i < a->n_pairs; i++)
    if (a->pairs[i].state == PAIR_RUNNING && a->pairs[i].is_nominating)
      return true;
  return false;
}

/* Is anything under way that would be better than the best that works? */
static bool has_hope(const struct agent *a, const struct agent_pair *best) {
  for (unsigned i = 0; i < a->n_pairs; i++)
    if ((a->pairs[i].state == PAIR_WAITING || a->pairs[i].state == PAIR_RUNNING) &&
        a->pairs[i].priority > best->priority)
      return true;
  return false;
}

/* Which pair is to be nominated now; NULL: none. */
static struct agent_pair *to_nominate(struct agent *a, uint64_t now_us) {
  struct agent_pair *best = a->is_controlling ? agent_pair_best(a, PAIR_VALID) : NULL;
  if (!best || is_nominating(a))
    return NULL;
  if (a->is_selected && !a->is_old && a->may_send &&
      (!a->renominates || best->priority <= a->selected_priority))
    return NULL;
  bool is_settled = now_us >= a->valid_us + AGENT_SETTLE_MS * MS_US;
  return is_settled || !has_hope(a, best) ? best : NULL;
}

static void nominate(struct agent *a, uint64_t now_us) {
  struct agent_pair *p = to_nominate(a, now_us);
  if (!p)
    return;
  a->nomination++;
  check_begin(a, p, true, now_us);
}

enum drop agent_input(struct agent *a, const uint8_t *b, size_t n, const struct ice_pair *pair,
                      uint64_t now_us, uint8_t *buf, size_t room, struct ice_result *ret) {
  memset(ret, 0, sizeof(*ret));
  enum drop d = agent_message(a, b, n, pair, now_us, buf, room, ret);
  nominate(a, now_us);
  return d;
}

size_t agent_output(struct agent *a, uint8_t *buf, size_t room, struct ice_pair *ret_pair) {
  for (unsigned i = 0; i < a->n_pairs; i++) {
    struct agent_pair *p = &a->pairs[i];
    if (p->state != PAIR_RUNNING || !p->is_due)
      continue;
    p->is_due = false;
    *ret_pair = p->path;
    return agent_check_put(a, p, buf, room);
  }
  if (!a->is_ask_due)
    return 0;
  a->is_ask_due = false;
  *ret_pair = a->selected;
  return agent_consent_put(a, buf, room);
}

/* Time --------------------------------------------------------------------------------------------- */
/* A peer that trickles and never says that it is done gets as long again. */
static uint64_t patience_us(const struct agent *a) {
  uint64_t once = AGENT_PATIENCE_MS * MS_US;
  return a->started_us + (a->is_ended || a->is_lite ? once : 2 * once);
}

static bool is_hopeless(const struct agent *a) {
  return a->started_us && !a->is_selected && !agent_pair_count(a, PAIR_WAITING) &&
         !agent_pair_count(a, PAIR_RUNNING) && !agent_pair_count(a, PAIR_VALID);
}

static uint64_t sooner(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t pairs_next_us(const struct agent *a) {
  uint64_t next = UINT64_MAX;
  for (unsigned i = 0; i < a->n_pairs; i++) {
    const struct agent_pair *p = &a->pairs[i];
    if (p->state == PAIR_RUNNING)
      next = sooner(next, p->is_due ? 0 : p->next_us);
    else if (p->state == PAIR_WAITING && a->now.has_remote)
      next = sooner(next, a->pace_us);
  }
  return next;
}

uint64_t agent_next_us(const struct agent *a) {
  uint64_t next = pairs_next_us(a);
  if (a->may_send)
    next = sooner(next, a->is_ask_due ? 0 : sooner(a->ask_us, a->consent_us + CONSENT_END_US));
  if (a->is_controlling && a->valid_us && (!a->is_selected || a->is_old || !a->may_send) &&
      !is_nominating(a) && agent_pair_count(a, PAIR_VALID))
    next = sooner(next, a->valid_us + AGENT_SETTLE_MS * MS_US);
  if (is_hopeless(a) && !a->has_given_up)
    next = sooner(next, patience_us(a));
  return next;
}

static unsigned tick_consent(struct agent *a, uint64_t now_us) {
  if (!a->may_send)
    return 0;
  if (now_us >= a->consent_us + CONSENT_END_US)
    return lose(a);
  if (now_us >= a->ask_us) {
    rand_bytes(a->consents[a->n_consents++ % AGENT_CONSENTS], STUNMSG_ID_BYTES);
    a->asked_us = now_us;
    a->ask_us = now_us + consent_interval_us();
    a->is_ask_due = true;
  }
  return 0;
}

/* A nomination that did not count while the pair before answered. */
static unsigned tick_wanted(struct agent *a, uint64_t now_us) {
  for (unsigned i = 0; i < a->n_pairs && !a->is_controlling; i++) {
    struct agent_pair *p = &a->pairs[i];
    if (p->state == PAIR_VALID && p->is_wanted && agent_is_chosen(a, p, now_us))
      return agent_select(a, p, now_us);
  }
  return 0;
}

static unsigned tick_patience(struct agent *a, uint64_t now_us) {
  a->has_failed = is_hopeless(a) && now_us >= patience_us(a);
  if (!a->has_failed || a->has_given_up)
    return 0;
  a->has_given_up = true;
  return ICE_EVENT_FAILED;
}

unsigned agent_tick(struct agent *a, uint64_t now_us) {
  for (unsigned i = 0; i < a->n_pairs; i++)
    if (a->pairs[i].state == PAIR_RUNNING)
      check_again(&a->pairs[i], now_us);
  struct agent_pair *next =
      a->now.has_remote && now_us >= a->pace_us ? agent_pair_best(a, PAIR_WAITING) : NULL;
  if (next)
    check_begin(a, next, false, now_us);
  unsigned events = tick_consent(a, now_us) | tick_wanted(a, now_us);
  nominate(a, now_us);
  return events | tick_patience(a, now_us);
}

void agent_heard(struct agent *a, const struct ice_pair *pair, uint64_t now_us) {
  if (agent_may_send(a) && ice_pair_eq(pair, &a->selected))
    a->consent_us = now_us;
}

/* State -------------------------------------------------------------------------------------------- */
bool agent_is_verified(const struct agent *a, const struct ice_pair *pair) {
  const struct agent_pair *p = agent_pair_find(a, pair);
  return (p && p->is_verified) || (a->is_selected && ice_pair_eq(pair, &a->selected));
}

const struct ice_pair *agent_selected(const struct agent *a) {
  return a->is_selected ? &a->selected : NULL;
}
bool agent_may_send(const struct agent *a) { return a->is_selected && a->may_send; }

enum ice_state agent_state(const struct agent *a) {
  if (a->is_selected)
    return a->may_send ? ICE_STATE_CONNECTED : ICE_STATE_LOST;
  return a->has_failed ? ICE_STATE_FAILED : ICE_STATE_CHECKING;
}

uint32_t agent_rtt_us(const struct agent *a) { return a->rtt_us; }
