/* SPDX-License-Identifier: Apache-2.0
 * The ICE-lite agent: see ice.h. RFC 8445 (7.3, 8.2), RFC 7675, RFC 8489 section 9.1. The order of the
 * checks is: address, form, method, user, integrity; before the last one holds, nothing is answered
 * and nothing changes. */
#include "flow/ice_inside.h"

#include "base/rand.h"

enum { SECOND_US = 1000000, REMOTE_UFRAG_MAX = 256 };

struct verified {
  struct ice_pair pair;
  uint64_t heard_us;
  bool used;
};

/* Credentials of one description and the peer's ufrag that goes with them. */
struct generation {
  struct ice_cred cred;
  char remote_ufrag[REMOTE_UFRAG_MAX + 1]; /* "" while not known */
  uint32_t nomination; /* nomination is the highest number of a peer that renominates. */
  bool used;
};

struct ice {
  struct generation now, before; /* before is used during a restart. */
  struct verified pairs[ICE_PAIRS_MAX];
  struct ice_pair selected;
  uint64_t consent_us; /* consent_us is when the selected pair was last heard. */
  uint64_t changes_us; /* changes_us is when the second of changes began. */
  unsigned changes;
  size_t denied;
  struct addr deny[ICE_DENY_MAX];
  bool is_selected, may_send;
};

void ice_cred_make(struct ice_cred *ret) {
  rand_text(ret->ufrag, ICE_UFRAG_CHARS);
  rand_text(ret->pwd, ICE_PWD_CHARS);
}

static void generation_make(struct generation *g) {
  memset(g, 0, sizeof(*g));
  ice_cred_make(&g->cred);
  g->used = true;
}

int ice_new(struct ice **ret) {
  struct ice *a = calloc(1, sizeof(*a));
  if (!a)
    return -ENOMEM;
  generation_make(&a->now);
  *ret = a;
  return 0;
}

struct ice *ice_free(struct ice *a) {
  if (a)
    explicit_bzero(a, sizeof(*a));
  free(a);
  return NULL;
}

void ice_cred(const struct ice *a, struct ice_cred *ret) { *ret = a->now.cred; }

bool ice_old_cred(const struct ice *a, struct ice_cred *ret) {
  if (a->before.used)
    *ret = a->before.cred;
  return a->before.used;
}

void ice_restart(struct ice *a) {
  if (!a->before.used)
    a->before = a->now;
  generation_make(&a->now);
}

void ice_set_remote_ufrag(struct ice *a, const char *ufrag) {
  if (slice_copy(a->now.remote_ufrag, sizeof(a->now.remote_ufrag), slice_of(ufrag)) < 0)
    a->now.remote_ufrag[0] = 0;
}

/* Pairs ------------------------------------------------------------------------------------------ */
bool ice_pair_eq(const struct ice_pair *a, const struct ice_pair *b) {
  return addr_eq(&a->remote, &b->remote) && addr_eq(&a->local, &b->local);
}

static struct verified *pair_find(const struct ice *a, const struct ice_pair *pair) {
  for (size_t i = 0; i < ICE_PAIRS_MAX; i++)
    if (a->pairs[i].used && ice_pair_eq(&a->pairs[i].pair, pair))
      return (struct verified *)&a->pairs[i];
  return NULL;
}

static bool is_selected(const struct ice *a, const struct ice_pair *pair) {
  return a->is_selected && ice_pair_eq(&a->selected, pair);
}

/* A free entry, else that of the pair silent longest, never the selected one's. */
static struct verified *pair_slot(struct ice *a, struct ice_result *ret) {
  struct verified *oldest = NULL;
  for (size_t i = 0; i < ICE_PAIRS_MAX; i++) {
    struct verified *v = &a->pairs[i];
    if (!v->used)
      return v;
    if (!is_selected(a, &v->pair) && (!oldest || v->heard_us < oldest->heard_us))
      oldest = v;
  }
  ret->events |= ICE_EVENT_EVICTED;
  ret->evicted = oldest->pair;
  return oldest;
}

static void pair_verified(struct ice *a, const struct ice_pair *pair, uint64_t now_us,
                          struct ice_result *ret) {
  struct verified *v = pair_find(a, pair);
  if (!v) {
    v = pair_slot(a, ret);
    *v = (struct verified){.pair = *pair, .used = true};
    ret->events |= ICE_EVENT_VERIFIED;
  }
  v->heard_us = now_us;
}

static bool ice_is_denied(const struct ice *a, const struct addr *address) {
  for (size_t i = 0; i < a->denied; i++)
    if (addr_eq_ip(&a->deny[i], address))
      return true;
  return false;
}

int ice_deny(struct ice *a, const struct addr *address) {
  if (ice_is_denied(a, address))
    return 0;
  if (a->denied == ICE_DENY_MAX)
    return -ENOSPC;
  a->deny[a->denied++] = *address;
  for (size_t i = 0; i < ICE_PAIRS_MAX; i++)
    if (addr_eq_ip(&a->pairs[i].pair.remote, address))
      a->pairs[i].used = false;
  if (a->is_selected && addr_eq_ip(&a->selected.remote, address))
    a->is_selected = a->may_send = false;
  return 0;
}

/* Selection and consent ---------------------------------------------------------------------------- */
static unsigned consent_given(struct ice *a, uint64_t now_us) {
  bool lost = !a->may_send;
  a->consent_us = now_us;
  a->may_send = true;
  return lost ? ICE_EVENT_CONSENT_BACK : 0;
}

static bool may_change(struct ice *a, uint64_t now_us) {
  if (now_us - a->changes_us >= SECOND_US) {
    a->changes_us = now_us;
    a->changes = 0;
  }
  return a->changes < ICE_CHANGES_A_S && ++a->changes;
}

/* One that numbers its nominations may be overtaken by an older one. */
static bool is_nomination(const struct stunmsg *m, struct generation *g) {
  if (!m->nomination)
    return m->use_candidate;
  if (m->nomination < g->nomination)
    return false;
  g->nomination = m->nomination;
  return true;
}

/* The last nomination counts. false: too many in this second. */
static bool nominate(struct ice *a, const struct ice_pair *pair, bool newest, uint64_t now_us,
                     struct ice_result *ret) {
  if (!is_selected(a, pair)) {
    if (!may_change(a, now_us))
      return false;
    bool first = !a->is_selected;
    a->selected = *pair;
    a->is_selected = true;
    ret->events |= ICE_EVENT_SELECTED;
    unsigned back = consent_given(a, now_us);
    if (!first)
      ret->events |= back;
  }
  if (newest && a->before.used) {
    explicit_bzero(&a->before, sizeof(a->before));
    ret->events |= ICE_EVENT_RESTARTED;
  }
  return true;
}

/* The request --------------------------------------------------------------------------------------- */
static bool names(const struct generation *g, const struct stunmsg *m) {
  struct slice user = m->username, local;
  if (!g->used)
    return false;
  local = stunmsg_ufrag(m);
  if (!slice_eq(local, slice_of(g->cred.ufrag)))
    return false;
  slice_cut(&user, ':');
  return !g->remote_ufrag[0] || slice_eq(user, slice_of(g->remote_ufrag));
}

static enum drop authenticate(struct ice *a, const struct stunmsg *m, struct generation **ret) {
  if (m->class != STUNMSG_REQUEST)
    return DROP_ICE_RESPONSE;
  if (m->method != STUNMSG_BINDING)
    return DROP_ICE_METHOD;
  struct generation *g = names(&a->now, m) ? &a->now : names(&a->before, m) ? &a->before : NULL;
  if (!g)
    return DROP_ICE_USER;
  if (!stunmsg_is_intact(m, slice_of(g->cred.pwd)))
    return DROP_ICE_INTEGRITY;
  *ret = g;
  return DROP_NONE;
}

size_t ice_respond(const struct stunmsg *m, const char *pwd, const struct ice_pair *pair, unsigned error,
                   uint8_t *buf, size_t room) {
  struct stunmsg_out o;
  stunmsg_begin(&o, buf, room, error ? STUNMSG_ERROR : STUNMSG_SUCCESS, m->id);
  if (error)
    stunmsg_put_error(&o, error);
  else
    stunmsg_put_mapped(&o, &pair->remote);
  if (error == 420)
    stunmsg_put_unknown(&o, m->unknown, m->unknowns);
  stunmsg_put_integrity(&o, slice_of(pwd));
  stunmsg_put_fingerprint(&o);
  return stunmsg_end(&o);
}

/* A lite agent is always controlled: who says that it is too shall switch (RFC 8445 7.3.1.1). */
static unsigned error_of(const struct stunmsg *m, enum drop *ret) {
  *ret = m->unknowns ? DROP_ICE_UNKNOWN : m->has_controlled ? DROP_ICE_ROLE : DROP_NONE;
  return m->unknowns ? 420 : m->has_controlled ? 487 : 0;
}

enum drop ice_input(struct ice *a, const uint8_t *p, size_t n, const struct ice_pair *pair,
                    uint64_t now_us, uint8_t *buf, size_t room, struct ice_result *ret) {
  struct stunmsg m;
  struct generation *g = NULL;
  memset(ret, 0, sizeof(*ret));
  if (ice_is_denied(a, &pair->remote))
    return DROP_ICE_DENIED;
  if (stunmsg_parse(&m, p, n) < 0)
    return DROP_STUN_MALFORMED;
  enum drop d = authenticate(a, &m, &g);
  if (d != DROP_NONE)
    return d;
  unsigned error = error_of(&m, &d);
  ret->response_bytes = ice_respond(&m, g->cred.pwd, pair, error, buf, room);
  if (error)
    return d;
  pair_verified(a, pair, now_us, ret);
  if (is_selected(a, pair))
    ret->events |= consent_given(a, now_us);
  if (is_nomination(&m, g) && !nominate(a, pair, g == &a->now, now_us, ret))
    return DROP_ICE_RATE;
  return DROP_NONE;
}

unsigned ice_heard(struct ice *a, const struct ice_pair *pair, uint64_t now_us) {
  struct verified *v = pair_find(a, pair);
  if (v)
    v->heard_us = now_us;
  return is_selected(a, pair) ? consent_given(a, now_us) : 0;
}

bool ice_is_verified(const struct ice *a, const struct ice_pair *pair) {
  return pair_find(a, pair) != NULL;
}
const struct ice_pair *ice_selected(const struct ice *a) { return a->is_selected ? &a->selected : NULL; }
bool ice_may_send(const struct ice *a) { return a->is_selected && a->may_send; }

enum ice_state ice_state(const struct ice *a) {
  if (!a->is_selected)
    return ICE_STATE_CHECKING;
  return a->may_send ? ICE_STATE_CONNECTED : ICE_STATE_LOST;
}

uint64_t ice_next_us(const struct ice *a) {
  return ice_may_send(a) ? a->consent_us + (uint64_t)ICE_CONSENT_S * SECOND_US : UINT64_MAX;
}

unsigned ice_tick(struct ice *a, uint64_t now_us) {
  if (now_us < ice_next_us(a))
    return 0;
  a->may_send = false;
  return ICE_EVENT_CONSENT_LOST;
}
