/* SPDX-License-Identifier: Apache-2.0
 * Early dialogs of a call to a carrier: one for each To tag, each with its own description; what a
 * provisional answer says, and who may say it. RFC 3261 13.2.2; RFC 3960. */
#include "trunk/inner.h"

uint32_t early_fork(struct dialog *d, const sip_t *sip) {
  const char *tag = sip->sip_to->a_tag ? sip->sip_to->a_tag : "";
  for (uint32_t i = 0; i < d->n_forks; i++)
    if (!strcmp(d->forks[i].tag, tag))
      return i + 1;
  if (d->n_forks == FORKS_MAX || slice_copy(d->forks[d->n_forks].tag, TAG_BYTES, slice_of(tag)) < 0)
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

/* The peer may offer when the first offer is answered for good: in the one early dialog that is. */
bool early_is_agreed(struct dialog *d, const sip_t *sip) {
  const char *tag = sip->sip_from->a_tag ? sip->sip_from->a_tag : "";
  bool is_agreed = false;
  if (d->is_uas)
    return d->prack.is_agreed;
  for (uint32_t i = 0; i < d->n_forks; i++) {
    bool is_it = !strcmp(d->forks[i].tag, tag);
    if (d->forks[i].is_answered && !is_it)
      return false;
    is_agreed |= d->forks[i].is_answered;
  }
  return is_agreed;
}

/* A description in a provisional response: what follows an answer that came reliably says nothing new.
 */
static struct verdict early_desc(struct leg *l, struct fork *f, uint32_t number,
                                 const struct desc *early, bool is_reliable) {
  struct verdict v = f->is_answered ? verdict_pass() : leg_take_answer(l, number, early, false);
  f->is_answered |= is_reliable && verdict_is_pass(&v);
  return v;
}

static bool early_take(struct dialog *d, struct leg *l, const sip_t *sip, uint32_t number,
                       struct verdict *ret_v) {
  struct fork *f = &d->forks[number - 1];
  struct desc early;
  bool has = false, is_reliable = prack_is_reliable(d, sip);
  if (is_reliable && !prack_is_news(f, sip))
    return false;
  *ret_v = body_desc(sip, &early, &has);
  if (verdict_is_pass(ret_v) && (is_reliable || (has && sip->sip_contact)))
    *ret_v = early_check(d, sip); /* neither early media from nor a PRACK to a stranger */
  if (is_reliable && verdict_is_pass(ret_v))
    prack_send(d, sip, NULL);
  if (has && verdict_is_pass(ret_v))
    *ret_v = early_desc(l, f, number, &early, is_reliable);
  if (has)
    desc_wipe(&early);
  if (is_reliable && !verdict_is_pass(ret_v))
    callee_fail(d, cause_of_verdict(ret_v));
  return has;
}

void early_provisional(struct dialog *d, struct leg *l, const sip_t *sip, int status) {
  void *magic = dialog_magic(d);
  struct verdict v = verdict_pass();
  uint32_t number = sip->sip_to->a_tag ? early_fork(d, sip) : 0;
  if (sip->sip_to->a_tag && !number)
    count_one(&trunk_counters, TRUNKCOUNT_forks_refused);
  bool has = number && early_take(d, l, sip, number, &v);
  if (has && verdict_is_pass(&v))
    leg_early(l, status != 180);
  d = dialog_get(magic);
  if (status == 180 && d && dialog_leg(d))
    leg_ringing(l);
}
