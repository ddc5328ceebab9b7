/* SPDX-License-Identifier: Apache-2.0
 * INVITE with Replaces: who may take the place of a call of his own, by the trunk's setting and role,
 * and which leg that is; and what a trunk is told that we take. RFC 3891. */
#include "trunk/inner.h"

bool replaces_may(const struct conf_trunk *t) {
  if (t->replaces == REPLACES_BY_ROLE)
    return t->kind == TRUNK_DIRECT_ROUTING && t->role == ROLE_SBC;
  return t->replaces == REPLACES_ACCEPT;
}

const char *allow_of(const struct conf_trunk *t) { return t->accept_refer ? ALLOW ", REFER" : ALLOW; }

/* Only calls that talk: one that still rings here is the other side's to give up. */
struct verdict replaces_check(struct agent *a, const sip_t *sip, const struct conf_trunk *t,
                              pool_handle *ret_leg) {
  const sip_replaces_t *rp = sip->sip_replaces;
  *ret_leg = 0;
  if (!rp)
    return verdict_pass();
  if (!replaces_may(t))
    return verdict_refuse(REFUSE_REPLACES, "Replaces: trunk %s has replaces: %s", t->name,
                          t->replaces == REPLACES_REFUSE ? "refuse" : "by_role");
  if (rp->rp_next || !rp->rp_call_id || !rp->rp_to_tag || !rp->rp_from_tag)
    return verdict_refuse(REFUSE_MALFORMED, "Replaces: expected one, with to-tag and from-tag");
  nta_leg_t *found = nta_leg_by_replaces(a->nta, rp);
  struct dialog *d = found ? dialog_get(nta_leg_magic(found, dialog_request)) : NULL;
  struct leg *l = d && !strcmp(d->trunk, t->name) ? dialog_leg(d) : NULL;
  if (!l || d->state != DIALOG_UP)
    return verdict_refuse(REFUSE_STATE, "Replaces: names no answered call of trunk %s", t->name);
  if (rp->rp_early_only) {
    struct verdict v = verdict_refuse(REFUSE_REPLACES, "Replaces: early-only, and the call is answered");
    v.sip = 486;
    return v;
  }
  *ret_leg = l->id;
  return verdict_pass();
}
