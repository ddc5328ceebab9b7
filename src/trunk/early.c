/* SPDX-License-Identifier: Apache-2.0
 * Early dialogs of a call to a carrier: one for each To tag, each with its own description; what a
 * provisional answer says, and who may say it. RFC 3261 13.2.2; RFC 3960; RFC 5009. */
#include "trunk/inner.h"

uint32_t early_fork(struct dialog *d, const sip_t *sip) {
  const char *tag = sip->sip_to->a_tag ? sip->sip_to->a_tag : "";
  for (uint32_t i = 0; i < d->n_forks; i++)
    if (!strcmp(d->forks[i].tag, tag))
      return i + 1;
  if (d->n_forks == FORKS_MAX)
    return 0;
  struct fork *forks = realloc(d->forks, (d->n_forks + 1) * sizeof(*forks));
  if (!forks)
    return 0;
  d->forks = forks;
  struct fork *f = &d->forks[d->n_forks];
  *f = (struct fork){.rseq = 0};
  return slice_copy(f->tag, sizeof f->tag, slice_of(tag)) < 0 ? 0 : ++d->n_forks;
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

struct verdict early_offer(struct dialog *d, struct leg *l, uint32_t number, const struct desc *offer,
                           char **ret_body) {
  const struct desc *answer = NULL;
  struct verdict v = offer ? leg_take_offer(l, number, offer, &answer)
                           : verdict_refuse(REFUSE_SDP, "an offer is due and there is none");
  *ret_body = verdict_is_pass(&v) ? desc_text(answer) : NULL;
  if (verdict_is_pass(&v) && !*ret_body)
    v = verdict_refuse(REFUSE_INTERNAL, "out of memory");
  d->forks[number - 1].is_answered = verdict_is_pass(&v);
  return v;
}

/* To an INVITE without an offer: a reliable one may bring it, an unreliable one may not. */
static bool late_take(struct dialog *d, struct leg *l, const sip_t *sip, uint32_t number,
                      const struct desc *offer, struct verdict *ret_v) {
  char *body = NULL;
  bool is_first = offer && prack_is_reliable(d, sip) && !l->local;
  if (is_first)
    *ret_v = early_offer(d, l, number, offer, &body);
  if (prack_is_reliable(d, sip) && (body || !offer))
    prack_send(d, &d->forks[number - 1], sip, body);
  text_free(body);
  return is_first;
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
  bool is_media = has;
  if (verdict_is_pass(ret_v) && d->is_late)
    is_media = late_take(d, l, sip, number, has ? &early : NULL, ret_v);
  else if (is_reliable && verdict_is_pass(ret_v))
    prack_send(d, f, sip, NULL);
  if (has && verdict_is_pass(ret_v) && !d->is_late)
    *ret_v = early_desc(l, f, number, &early, is_reliable);
  if (has)
    desc_wipe(&early);
  if (is_reliable && !verdict_is_pass(ret_v))
    callee_fail(d, cause_of_answer(ret_v));
  return is_media;
}

/* RFC 5009 8: audio toward the caller is not authorized by any of the directions. */
static bool bars_early(const char *value) {
  struct slice rest = slice_of(value), one;
  while (rest.n) {
    one = slice_trim(slice_cut(&rest, ','));
    one = slice_trim(slice_cut(&one, ';'));
    if (slice_ieq(one, SLICE("sendrecv")) || slice_ieq(one, SLICE("sendonly")))
      return false;
  }
  return true;
}

/* What the header says where the trunk is trusted with it: 1 authorized, 0 nothing said, -1 barred. */
static int early_word(const struct dialog *d, const sip_t *sip) {
  const struct conf_trunk *trunk = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  const char *value = trunk && trunk->p_early_media ? header_unknown(sip, "P-Early-Media") : NULL;
  return !value ? 0 : bars_early(value) ? -1 : 1;
}

void early_provisional(struct dialog *d, struct leg *l, const sip_t *sip, int status) {
  void *magic = dialog_magic(d);
  struct verdict v = verdict_pass();
  uint32_t number = sip->sip_to->a_tag ? early_fork(d, sip) : 0;
  if (sip->sip_to->a_tag && !number)
    count_one(&trunk_counters, TRUNKCOUNT_forks_refused);
  bool has = number && early_take(d, l, sip, number, &v);
  int word = early_word(d, sip);
  if (word)
    leg_bar_early(l, word < 0);
  if (has && verdict_is_pass(&v))
    leg_early(l, word > 0 || status != 180);
  d = dialog_get(magic);
  if (status == 180 && d && dialog_leg(d))
    leg_ringing(l);
  else if (status == 181 && d && dialog_leg(d))
    leg_diverted(l);
}
