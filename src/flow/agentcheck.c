/* SPDX-License-Identifier: Apache-2.0
 * The messages of a full ICE agent: see agent.h. RFC 8445 7 (checks), 7.3.1.1 (role conflicts), RFC
 * 7675. As with the lite agent nothing is answered and nothing changes before the integrity holds. */
#include "flow/agent_inside.h"

/* Building ----------------------------------------------------------------------------------------- */
static void put_user(struct stunmsg_out *o, const struct agent_generation *g) {
  char user[AGENT_UFRAG_MAX + 1 + sizeof(g->ours.ufrag)];
  size_t n = strlen(g->ufrag), k = strlen(g->ours.ufrag);
  memcpy(user, g->ufrag, n);
  user[n] = ':';
  memcpy(user + n + 1, g->ours.ufrag, k);
  stunmsg_put(o, STUNATTR_USERNAME, slice_from(user, n + 1 + k));
}

static size_t request_put(const struct agent *a, const struct agent_generation *g,
                          const uint8_t id[STUNMSG_ID_BYTES], uint32_t priority, bool nominates,
                          uint8_t *buf, size_t room) {
  struct stunmsg_out o;
  stunmsg_begin(&o, buf, room, STUNMSG_REQUEST, id);
  put_user(&o, g);
  stunmsg_put_u32(&o, STUNATTR_PRIORITY, priority);
  stunmsg_put_u64(&o, a->is_controlling ? STUNATTR_ICE_CONTROLLING : STUNATTR_ICE_CONTROLLED,
                  a->tie_breaker);
  if (nominates)
    stunmsg_put(&o, STUNATTR_USE_CANDIDATE, SLICE(""));
  if (nominates && a->renominates)
    stunmsg_put_u32(&o, STUNATTR_NOMINATION, a->nomination);
  stunmsg_put_integrity(&o, slice_of(g->pwd));
  stunmsg_put_fingerprint(&o);
  return stunmsg_end(&o);
}

size_t agent_check_put(const struct agent *a, const struct agent_pair *p, uint8_t *buf, size_t room) {
  return request_put(a, &a->now, p->id, agent_priority(CAND_PRFLX, p->local), p->is_nominating, buf,
                     room);
}

size_t agent_consent_put(const struct agent *a, uint8_t *buf, size_t room) {
  const struct agent_generation *g = a->is_old ? &a->before : &a->now;
  return request_put(a, g, a->consents[(a->n_consents - 1) % AGENT_CONSENTS],
                     agent_priority(CAND_PRFLX, 0), false, buf, room);
}

/* Requests ----------------------------------------------------------------------------------------- */
static bool names(const struct agent_generation *g, const struct stunmsg *m) {
  struct slice user = m->username;
  if (!g->used || !slice_eq(stunmsg_ufrag(m), slice_of(g->ours.ufrag)))
    return false;
  slice_cut(&user, ':');
  return !g->has_remote || slice_eq(user, slice_of(g->ufrag));
}

/* 7.3.1.1: the higher tie-breaker controls. true: it is the peer that has to switch. */
static bool is_conflict(struct agent *a, const struct stunmsg *m) {
  bool is_same = a->is_controlling ? m->has_controlling : m->has_controlled;
  if (!is_same)
    return false;
  bool we_control = a->tie_breaker >= m->tie_breaker;
  if (we_control == a->is_controlling)
    return true;
  a->is_controlling = we_control;
  agent_set_priorities(a);
  return false;
}

static unsigned on_nominated(struct agent *a, struct agent_pair *p, const struct stunmsg *m,
                             uint64_t now_us) {
  if (a->is_controlling || (m->nomination && m->nomination <= a->nomination))
    return 0;
  if (m->nomination)
    a->nomination = m->nomination;
  p->is_wanted = true;
  return p->state == PAIR_VALID && agent_is_chosen(a, p, now_us) ? agent_select(a, p, now_us) : 0;
}

/* What a verified request teaches. */
static enum drop learn(struct agent *a, const struct stunmsg *m, const struct ice_pair *pair,
                       uint64_t now_us, struct ice_result *ret) {
  if (!agent_local_of(a, &pair->local) || !agent_prflx(a, &pair->remote, m->priority))
    return DROP_ICE_PAIRS;
  struct agent_pair *p = agent_pair_find(a, pair);
  if (!p)
    return DROP_ICE_PAIRS;
  if (!p->is_verified)
    ret->events |= ICE_EVENT_VERIFIED;
  p->is_verified = true;
  if (p->state != PAIR_VALID)
    agent_trigger(a, p);
  if (m->use_candidate || m->nomination)
    ret->events |= on_nominated(a, p, m, now_us);
  return DROP_NONE;
}

static enum drop on_request(struct agent *a, const struct stunmsg *m, const struct ice_pair *pair,
                            uint64_t now_us, uint8_t *buf, size_t room, struct ice_result *ret) {
  struct agent_generation *g = names(&a->now, m) ? &a->now : names(&a->before, m) ? &a->before : NULL;
  if (!g)
    return DROP_ICE_USER;
  if (!stunmsg_is_intact(m, slice_of(g->ours.pwd)))
    return DROP_ICE_INTEGRITY;
  unsigned error = m->unknowns ? 420 : is_conflict(a, m) ? 487 : 0;
  ret->response_bytes = ice_respond(m, g->ours.pwd, pair, error, buf, room);
  if (error)
    return error == 420 ? DROP_ICE_UNKNOWN : DROP_ICE_ROLE;
  return g == &a->now ? learn(a, m, pair, now_us, ret) : DROP_NONE;
}

/* Responses ---------------------------------------------------------------------------------------- */
static struct agent_pair *pair_of_id(struct agent *a, const uint8_t *id) {
  for (unsigned i = 0; i < a->n_pairs; i++)
    if (a->pairs[i].state == PAIR_RUNNING && memcmp(a->pairs[i].id, id, STUNMSG_ID_BYTES) == 0)
      return &a->pairs[i];
  return NULL;
}

static bool is_consent(const struct agent *a, const uint8_t *id) {
  unsigned n = a->n_consents < AGENT_CONSENTS ? a->n_consents : AGENT_CONSENTS;
  for (unsigned i = 0; i < n && a->is_selected; i++)
    if (memcmp(a->consents[i], id, STUNMSG_ID_BYTES) == 0)
      return true;
  return false;
}

static void note_rtt(struct agent *a, uint64_t asked_us, uint64_t now_us) {
  uint64_t rtt_us = now_us - asked_us;
  a->rtt_us = rtt_us < 60000000 ? (uint32_t)rtt_us : 60000000;
}

static enum drop on_consent(struct agent *a, const struct stunmsg *m, const struct ice_pair *pair,
                            uint64_t now_us) {
  const struct agent_generation *g = a->is_old ? &a->before : &a->now;
  if (!stunmsg_is_intact(m, slice_of(g->pwd)))
    return DROP_ICE_INTEGRITY;
  if (m->class != STUNMSG_SUCCESS || !ice_pair_eq(pair, &a->selected) || !a->may_send)
    return DROP_ICE_RESPONSE;
  a->consent_us = now_us;
  note_rtt(a, a->asked_us, now_us);
  return DROP_NONE;
}

/* 7.2.5.1: who thinks as we do is told by 487; we switch, once for each request of the old role. */
static void on_role_conflict(struct agent *a, struct agent_pair *p) {
  if (a->is_lite) {
    agent_pair_fails(p);
    return;
  }
  if (a->is_controlling == p->as_controlling) {
    a->is_controlling = !a->is_controlling;
    agent_set_priorities(a);
  }
  p->state = PAIR_WAITING;
  p->is_nominating = false;
  agent_trigger(a, p);
}

static unsigned on_success(struct agent *a, struct agent_pair *p, uint64_t now_us) {
  unsigned events = p->is_verified ? 0 : ICE_EVENT_VERIFIED;
  bool nominated = p->is_nominating && a->is_controlling;
  p->state = PAIR_VALID;
  p->is_verified = p->was_valid = true;
  p->is_nominating = false;
  if (!a->valid_us)
    a->valid_us = now_us;
  if (p->tries == 1)
    note_rtt(a, p->begun_us, now_us);
  if (nominated || (p->is_wanted && !a->is_controlling && agent_is_chosen(a, p, now_us)))
    events |= agent_select(a, p, now_us);
  return events;
}

static enum drop on_response(struct agent *a, const struct stunmsg *m, const struct ice_pair *pair,
                             uint64_t now_us, struct ice_result *ret) {
  if (is_consent(a, m->id))
    return on_consent(a, m, pair, now_us);
  struct agent_pair *p = pair_of_id(a, m->id);
  if (!p)
    return DROP_ICE_RESPONSE;
  if (!stunmsg_is_intact(m, slice_of(a->now.pwd)))
    return DROP_ICE_INTEGRITY;
  if (m->error == 487)
    on_role_conflict(a, p);
  else if (m->class == STUNMSG_ERROR || !m->has_mapped || !ice_pair_eq(pair, &p->path))
    agent_pair_fails(p); /* another address answered: that path works one way only (7.2.5.2.1) */
  else
    ret->events |= on_success(a, p, now_us);
  return DROP_NONE;
}

enum drop agent_message(struct agent *a, const uint8_t *b, size_t n, const struct ice_pair *pair,
                        uint64_t now_us, uint8_t *buf, size_t room, struct ice_result *ret) {
  struct stunmsg m;
  if (stunmsg_parse(&m, b, n) < 0)
    return DROP_STUN_MALFORMED;
  if (m.method != STUNMSG_BINDING)
    return DROP_ICE_METHOD;
  if (m.class == STUNMSG_REQUEST)
    return on_request(a, &m, pair, now_us, buf, room, ret);
  return m.class == STUNMSG_INDICATION ? DROP_ICE_RESPONSE : on_response(a, &m, pair, now_us, ret);
}
