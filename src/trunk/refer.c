/* SPDX-License-Identifier: Apache-2.0
 * REFER of a peer within a call of its own, where its trunk may: the far side is transferred to a
 * number through plan, guard and limits as a call of this trunk, to the hub that the trunk is, or to
 * another call of the same peer (Replaces). What comes of it goes by NOTIFY. RFC 3515, 3891, 3892, 4488.
 */
#include "wire/e164.h"
#include "trunk/edits.h"
#include "trunk/inner.h"

#include <sofia-sip/sip_extra.h>
#include <sofia-sip/url.h>
#include <stdio.h>

enum { REPLACES_BYTES = 400 };

/* The value of Replaces in the URI's header part, unescaped; false: none, or too long. */
static bool replaces_of(const url_t *u, char dst[REPLACES_BYTES]) {
  struct slice rest = slice_of(u->url_headers);
  while (rest.n) {
    struct slice value = slice_cut(&rest, '&'), name = slice_cut(&value, '=');
    if (!slice_ieq(name, SLICE("Replaces")))
      continue;
    if (!value.n || value.n >= REPLACES_BYTES)
      return false;
    dst[url_unescape_to(dst, value.p, value.n)] = 0;
    return true;
  }
  return false;
}

static bool names_have(const struct conf_names *names, const char *host) {
  for (uint32_t i = 0; i < names->n; i++) {
    struct slice name = slice_of(names->text[i]);
    if (slice_ieq(slice_cut(&name, ':'), slice_of(host)))
      return true;
  }
  return false;
}

/* One of the names or addresses by which the trunk's peer is known, or reached. */
static bool is_peers_host(const struct conf_trunk *t, const char *host) {
  struct slice target = slice_of(t->target);
  slice_cut(&target, ':');
  struct slice hostport = slice_cut(&target, ';');
  return names_have(&t->hubs, host) || names_have(&t->peers, host) ||
         slice_ieq(slice_cut(&hostport, ':'), slice_of(host));
}

static bool is_our_host(const struct dialog *d, const char *host) {
  const struct conf *conf = d->t->env.conf;
  for (uint32_t i = 0; i < conf->n_trunks; i++)
    if (*conf->trunks[i].fqdn && !strcasecmp(conf->trunks[i].fqdn, host))
      return true;
  return !strcasecmp(d->agent->host, host);
}

static struct verdict refer_check(struct dialog *d, const sip_t *sip, const struct conf_trunk *t) {
  const sip_refer_to_t *to = sip->sip_refer_to;
  char method[16] = "";
  if (!t || !t->accept_refer)
    return verdict_refuse(REFUSE_TRANSFER, "trunk %s has accept_refer: false", d->trunk);
  if (!to || to->r_next)
    return verdict_refuse(REFUSE_MALFORMED, "Refer-To: expected one");
  if (!uri_is_sip(to->r_url) && to->r_url->url_type != url_tel)
    return verdict_refuse(REFUSE_SCHEME, "Refer-To: expected a sip, sips or tel URI");
  if (url_param(to->r_url->url_params, "method", method, sizeof method) > 0 &&
      strcasecmp(method, "INVITE"))
    return verdict_refuse(REFUSE_TRANSFER, "Refer-To: another method than INVITE");
  return verdict_pass();
}

/* Attended: the dialog that Replaces names, one of the same trunk. */
static struct leg *replaced_leg(struct dialog *d, const char *value) {
  su_home_t home[1] = {SU_HOME_INIT(home)};
  sip_replaces_t *rp = sip_replaces_make(home, value);
  nta_leg_t *found = rp ? nta_leg_by_replaces(d->agent->nta, rp) : NULL;
  struct dialog *other = found ? dialog_get(nta_leg_magic(found, dialog_request)) : NULL;
  su_home_deinit(home);
  return other && !strcmp(other->trunk, d->trunk) ? dialog_leg(other) : NULL;
}

/* Words that go with the new call: a URI of the peer's own, and who referred, for that trunk only. */
static struct verdict words_take(struct call_refer *w, const sip_t *sip, const struct conf_trunk *t,
                                 bool has_uri) {
  url_t to = *sip->sip_refer_to->r_url;
  const msg_header_t *by = (const msg_header_t *)sip->sip_referred_by;
  *w = (struct call_refer){.trunk = "", .to = "", .by = ""};
  slice_copy(w->trunk, sizeof w->trunk, slice_of(t->name));
  to.url_headers = to.url_fragment = NULL;
  issize_t to_n = has_uri ? url_e(w->to, sizeof w->to, &to) : 0;
  issize_t by_n = by ? msg_header_field_e(w->by, sizeof w->by, by, 0) : 0;
  if (to_n < 0 || to_n >= CALL_REFER_BYTES || by_n < 0 || by_n >= CALL_REFER_BYTES)
    return verdict_refuse(REFUSE_MALFORMED, "Refer-To, Referred-By: at most %d characters",
                          CALL_REFER_BYTES - 1);
  if (strpbrk(w->by, "\r\n"))
    w->by[0] = 0;
  return verdict_pass();
}

static struct verdict target_check(struct dialog *d, const sip_t *sip, const struct conf_trunk *t,
                                   struct ask *ask, bool *ret_has_uri) {
  const url_t *u = sip->sip_refer_to->r_url;
  *ret_has_uri = false;
  if (!u->url_user && u->url_type != url_tel) {
    *ret_has_uri = is_peers_host(t, u->url_host);
    slice_copy(ask->called, sizeof ask->called, slice_of(u->url_host));
    return *ret_has_uri
               ? verdict_pass()
               : verdict_refuse(REFUSE_TRANSFER, "Refer-To: no number, and not the trunk's host");
  }
  if (header_number(ask->called, sizeof ask->called, slice_of(u->url_user)) < 0)
    return verdict_refuse(REFUSE_NOT_DIALABLE, "Refer-To: the user part is no number");
  if (u->url_type != url_tel && !e164_is_dialable(slice_of(ask->called)) && !is_our_host(d, u->url_host))
    return verdict_refuse(REFUSE_TRANSFER, "Refer-To: neither a number nor a name of ours");
  return verdict_pass();
}

static struct verdict refer_blind(struct dialog *d, struct leg *l, nta_incoming_t *irq, const sip_t *sip,
                                  const struct conf_trunk *t) {
  struct ask ask = {.trunk = t};
  struct call_refer words;
  bool has_uri;
  const struct call *c = l->call;
  msg_t *msg = nta_incoming_getrequest(irq);
  if (!msg)
    return verdict_refuse(REFUSE_INTERNAL, "no request");
  ask_build(&ask, d->agent, msg, sip);
  agent_source(msg, &ask.source);
  msg_destroy(msg);
  slice_copy(ask.caller, sizeof ask.caller, slice_of(l->role == LEG_CALLER ? c->from : c->to));
  ask.anonymous = false;
  struct verdict v = target_check(d, sip, t, &ask, &has_uri);
  if (verdict_is_pass(&v))
    v = words_take(&words, sip, t, has_uri);
  if (!verdict_is_pass(&v))
    return v;
  struct transfer_order o = {.ask = &ask, .to_trunk = has_uri ? t : NULL, .words = &words};
  return call_transfer(l, &o);
}

static struct verdict refer_do(struct dialog *d, struct leg *l, nta_incoming_t *irq, const sip_t *sip,
                               const struct conf_trunk *t) {
  char replaces[REPLACES_BYTES];
  if (!replaces_of(sip->sip_refer_to->r_url, replaces))
    return refer_blind(d, l, irq, sip, t);
  struct leg *other = replaced_leg(d, replaces);
  if (!other)
    return verdict_refuse(REFUSE_TRANSFER, "Refer-To: Replaces names no call of this trunk");
  return call_transfer_join(l, other, 0);
}

/* The 202, once, before any NOTIFY. */
static void refer_accept(struct dialog *d) {
  struct reply r;
  nta_incoming_t *irq = take(d->refer.irq);
  if (!irq)
    return;
  reply_init(&r, 202);
  dialog_contact(d, r.contact, sizeof r.contact);
  if (d->refer.is_silent)
    r.line = "Refer-Sub: false";
  dialog_reply(d, irq, &r);
}

int refer_in(struct dialog *d, nta_incoming_t *irq, const sip_t *sip) {
  struct leg *l = dialog_leg(d);
  const struct conf_trunk *t = conf_trunk_find(d->t->env.conf, slice_of(d->trunk));
  const sip_refer_sub_t *sub = sip_refer_sub(sip);
  void *magic = dialog_magic(d);
  struct reply r;
  struct verdict v = refer_check(d, sip, t);
  if (verdict_is_pass(&v) && (d->refer.is_on || d->state != DIALOG_UP || !l))
    v = verdict_refuse(REFUSE_GLARE, "another transfer is under way, or the call is not answered");
  else if (verdict_is_pass(&v)) {
    d->refer = (struct refer){.is_on = true,
                              .irq = irq,
                              .is_silent = sub && sub->rs_value && !strcasecmp(sub->rs_value, "false"),
                              .n = d->refer.n + 1,
                              .cseq = sip->sip_cseq->cs_seq};
    v = refer_do(d, l, irq, sip, t);
    d = dialog_get(magic); /* an attended one ends it */
    if (d && !verdict_is_pass(&v))
      d->refer.is_on = false, d->refer.irq = NULL;
  }
  if (verdict_is_pass(&v) && d) {
    refer_accept(d);
    if (d->refer.is_on)
      refer_notify(d, 100, false);
  }
  if (verdict_is_pass(&v) || !d)
    return 202;
  log_info(trunk, "trunk %s: REFER refused by rule %s: %s", d->trunk, refusal_row(v.refusal)->rule,
           v.detail);
  reply_refusal(&r, &v, dialog_host(d));
  dialog_reply(d, irq, &r);
  return r.status;
}

void refer_told(struct dialog *d, const struct transfer_news *news) {
  if (!d->refer.is_on)
    return;
  refer_accept(d);
  d->refer.is_on = news->state == TRANSFER_PROGRESS;
  refer_notify(d, news->sip, !d->refer.is_on);
}
