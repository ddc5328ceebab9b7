/* SPDX-License-Identifier: Apache-2.0
 * Early dialogs of a call to a carrier: one for each To tag, each with its own description; what a
 * provisional answer says, and who may say it. RFC 3261 13.2.2; RFC 3960. */
#include "trunk/inner.h"

uint32_t early_fork(struct dialog *d, const sip_t *sip) {
  const char *tag = sip->sip_to->a_tag ? sip->sip_to->a_tag : "";
  for (uint32_t i = 0; i < d->n_forks; i++)
    if (!strcmp(d->forks[i], tag))
      return i + 1;
  if (d->n_forks == FORKS_MAX || slice_copy(d->forks[d->n_forks], TAG_BYTES, slice_of(tag)) < 0)
    return 0;
  return ++d->n_forks;
}

static struct verdict chain_check(struct dialog *d, const sip_t *sip) {
  struct ask_hosts routes = {.n = 0}, subjects = {.n = 0};
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  msg_t *msg = nta_outgoing_getresponse(d->invite_out);
  if (!trunk)
    return verdict_refuse(REFUSE_TRUNK_DISABLED, "the trunk is gone");
  if (msg) {
    agent_source(msg, &d->peer);
    ask_subjects(&subjects, d->agent, msg);
    msg_destroy(msg);
  }
  ask_routes(&routes, sip->sip_record_route);
  return guard_answer_chain(d->t->env.guard, trunk, &routes, slice_of(sip->sip_contact->m_url->url_host),
                            &subjects);
}

struct verdict early_check(struct dialog *d, const sip_t *sip) {
  if (!contact_is_sane(sip->sip_contact))
    return verdict_refuse(REFUSE_CONTACT, "the answer's Contact is no sip or sips URI");
  if (!routes_are_sane(sip->sip_record_route))
    return verdict_refuse(REFUSE_PROXY, "the answer's Record-Route holds something else than sip URIs");
  return chain_check(d, sip);
}

void early_provisional(struct dialog *d, struct leg *l, const sip_t *sip, int status) {
  struct desc early;
  bool has = false;
  uint32_t fork = sip->sip_to->a_tag ? early_fork(d, sip) : 0;
  struct verdict v = body_desc(sip, &early, &has);
  if (verdict_is_pass(&v) && has && sip->sip_contact)
    v = early_check(d, sip); /* no early media from a stranger's chain */
  if (verdict_is_pass(&v) && has && fork) {
    v = leg_take_answer(l, fork, &early, false);
    if (verdict_is_pass(&v))
      leg_early(l, status != 180);
  }
  if (has)
    desc_wipe(&early);
  if (status == 180 && dialog_leg(d))
    leg_ringing(l);
}
