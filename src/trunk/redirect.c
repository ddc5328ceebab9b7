/* SPDX-License-Identifier: Apache-2.0
 * Redirects: the contacts of a trunk's 3xx, where its setting has them followed, in the order of their
 * q; and our own 302 to a trunk whose caller a user sends elsewhere. What is followed goes through plan,
 * guard and limits; hosts of others are not. RFC 3261 8.1.3.4, 21.3. */
#include "wire/e164.h"
#include "trunk/inner.h"

#include <stdio.h>
#include <stdlib.h>

/* 0 to 1000; what is malformed comes last. */
static unsigned weight_of(const sip_contact_t *m) {
  char *end = NULL;
  double q = m->m_q ? strtod(m->m_q, &end) : 1;
  return end == m->m_q && m->m_q ? 0 : q < 0 || q > 1 ? 0 : (unsigned)(q * 1000);
}

static bool number_of(const sip_contact_t *m, char dst[ASK_NUMBER_BYTES]) {
  const url_t *u = m->m_url;
  return (uri_is_sip(u) || u->url_type == url_tel) && u->url_user &&
         header_number(dst, ASK_NUMBER_BYTES, slice_of(u->url_user)) == 0 &&
         e164_is_dialable(slice_of(dst));
}

/* Into its place by weight; equals stay as they came. */
static void insert(struct redirect *r, unsigned *weights, const char *number, unsigned weight) {
  uint32_t at = r->n < REDIRECT_MAX ? r->n++ : REDIRECT_MAX - 1;
  for (uint32_t i = 0; i < at; i++)
    if (!strcmp(r->to[i].name, number)) {
      r->n -= at == r->n - 1;
      return;
    }
  if (at == REDIRECT_MAX - 1 && r->to[at].name[0] && weights[at] >= weight)
    return;
  for (; at > 0 && weights[at - 1] < weight; at--) {
    r->to[at] = r->to[at - 1];
    weights[at] = weights[at - 1];
  }
  weights[at] = weight;
  r->to[at].is_user = false;
  slice_copy(r->to[at].name, sizeof r->to[at].name, slice_of(number));
}

void redirect_note(struct dialog *d, const sip_t *sip) {
  const struct conf_trunk *t = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  unsigned weights[REDIRECT_MAX] = {0};
  char number[ASK_NUMBER_BYTES];
  if (!t || t->redirects == REDIRECTS_REFUSE || !sip || d->redirect)
    return;
  d->redirect = calloc(1, sizeof *d->redirect);
  if (!d->redirect)
    return;
  d->redirect->status = 302;
  d->redirect->trunk = t->redirects == REDIRECTS_SAME_TRUNK ? t : NULL;
  for (const sip_contact_t *m = sip->sip_contact; m; m = m->m_next)
    if (number_of(m, number))
      insert(d->redirect, weights, number, weight_of(m));
}

/* Follows what was noted; false: it may not be, and *c says why the call fails. */
bool redirect_follow(struct dialog *d, struct cause *c) {
  struct redirect *r = take(d->redirect);
  struct leg *l = dialog_leg(d);
  if (c->sip < 300 || c->sip > 399)
    return free(r), false;
  struct verdict v = verdict_refuse(REFUSE_REDIRECT, "trunk %s has redirects: refuse", d->trunk);
  if (r && !r->n)
    v = verdict_refuse(REFUSE_REDIRECT, "none of its contacts has a number");
  else if (r && l)
    v = call_redirect(l->call, r);
  free(r);
  if (verdict_is_pass(&v))
    return true;
  log_info(trunk, "trunk %s: a %d is not followed, by rule %s: %s", d->trunk, c->sip,
           refusal_row(v.refusal)->rule, v.detail);
  guard_count(d->t->env.guard, v.refusal);
  c->reason = END_REJECTED;
  slice_copy(c->detail, sizeof c->detail, slice_of(v.detail));
  return false;
}

/* Contacts of our 302: the numbers at the trunk's own host, which knows the way. */
void redirect_contacts(char *dst, size_t bytes, const struct dialog *d, const struct redirect *r) {
  const struct conf_trunk *t = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  char target[CONF_PATH_BYTES] = "", host[CONF_PATH_BYTES], party[URI_BYTES];
  size_t n = 0;
  if (!t || conf_trunk_target(t, 0, target, sizeof target) < 0)
    target[0] = 0;
  struct slice rest = slice_of(target);
  slice_cut(&rest, ':');
  slice_copy(host, sizeof host, *target ? slice_cut(&rest, ';') : slice_of(dialog_host(d)));
  dst[0] = 0;
  for (uint32_t i = 0; i < r->n && n < bytes; i++)
    n += (size_t)snprintf(dst + n, bytes - n, "%s%s", i ? ", " : "",
                          header_party(party, sizeof party, r->to[i].name, "", host, false));
}
