/* SPDX-License-Identifier: Apache-2.0
 * ICE of trunk legs in descriptions: see trunkice.h. */
#include "call/trunkice.h"

#include <stdio.h>

static bool has_ice(const struct desc_audio *a) { return a->ufrag[0] && a->pwd[0] && a->rtcp_mux; }

uint32_t trunkice_flags(const struct conf_trunk *t, const struct desc *offer) {
  if (!t || t->ice == CONF_ICE_OFF || (offer && !has_ice(&offer->audio)))
    return 0;
  if (t->ice == CONF_ICE_LITE)
    return MSET_OPEN_ICE | MSET_OPEN_LITE;
  return MSET_OPEN_ICE | (offer ? 0 : MSET_OPEN_CONTROLLING);
}

static void put_candidate(struct desc_audio *ret, const struct mset_candidate *c) {
  struct desc_candidate *to = &ret->candidates[ret->n_candidates++];
  *to = (struct desc_candidate){.component = (uint8_t)c->component,
                                .type = (uint8_t)c->type,
                                .is_udp = true,
                                .priority = c->priority,
                                .address = c->address};
  snprintf(to->foundation, sizeof(to->foundation), "%s", c->foundation);
  if (c->type != CAND_HOST) /* whose it is says nothing about our network (RFC 8839, 5.1) */
    to->related.sa.sa_family = c->address.sa.sa_family;
}

void trunkice_fill(const struct ability *a, const struct desc_audio *theirs, struct desc_audio *ret) {
  const struct mset_opened *m = a->opened;
  bool is_off = !a->trunk || a->trunk->ice == CONF_ICE_OFF || !m->ufrag[0];
  if (is_off || (theirs && !has_ice(theirs)))
    return;
  snprintf(ret->ufrag, sizeof(ret->ufrag), "%s", m->ufrag);
  snprintf(ret->pwd, sizeof(ret->pwd), "%s", m->pwd);
  for (uint32_t i = 0; i < m->n_candidates; i++)
    put_candidate(ret, &m->candidates[i]);
  ret->rtcp_mux = true;
  ret->ice_lite = a->trunk && a->trunk->ice == CONF_ICE_LITE;
}

bool trunkice_is_agreed(const struct desc_audio *ours, const struct desc_audio *theirs) {
  bool both_lite = ours->ice_lite && theirs->ice_lite; /* nobody would check: by the addresses then */
  return has_ice(ours) && has_ice(theirs) && !both_lite;
}

void trunkice_remote(struct mset_remote *r, const struct desc_audio *ours,
                     const struct desc_audio *theirs) {
  if (!trunkice_is_agreed(ours, theirs)) {
    r->ufrag[0] = r->pwd[0] = 0;
    return;
  }
  snprintf(r->ufrag, sizeof(r->ufrag), "%s", theirs->ufrag);
  snprintf(r->pwd, sizeof(r->pwd), "%s", theirs->pwd);
  r->peer_lite = theirs->ice_lite;
}

bool trunkice_candidates(const struct desc_audio *theirs, unsigned i, struct mset_candidates *ret) {
  unsigned at = i * MSET_CANDIDATES_MAX;
  if (i > 0 && at >= theirs->n_candidates)
    return false;
  ret->n_candidates = 0;
  for (; at < theirs->n_candidates && ret->n_candidates < MSET_CANDIDATES_MAX; at++) {
    const struct desc_candidate *c = &theirs->candidates[at];
    if (!c->is_udp || c->is_name || c->component != 1)
      continue;
    struct mset_candidate *to = &ret->candidates[ret->n_candidates++];
    *to = (struct mset_candidate){
        .address = c->address, .priority = c->priority, .component = 1, .type = c->type};
    snprintf(to->foundation, sizeof(to->foundation), "%s", c->foundation);
  }
  ret->is_end = at >= theirs->n_candidates; /* trickle is not for SIP trunks: what is here is all */
  return true;
}
