/* SPDX-License-Identifier: Apache-2.0
 * Facts of a request, free of SIP's types: the chain of hosts, names and numbers that the guard and
 * the call model judge. The last place that knows SIP. RFC 3261 8.1.1, 12.1.1; RFC 3323, 3325. */
#include "trunk/history.h"
#include "trunk/identity.h"

#include <sofia-sip/su_strlst.h>
#include <stdio.h>

void ask_hosts_add(struct ask_hosts *h, const char *host, const char *port) {
  if (h->n < ASK_HOSTS_MAX && host)
    snprintf(h->host[h->n], ASK_HOST_BYTES, "%s%s%s", host, port && *port ? ":" : "", port ? port : "");
  h->n++;
}

void ask_routes(struct ask_hosts *h, const sip_route_t *r) {
  for (; r; r = r->r_next)
    ask_hosts_add(h, r->r_url->url_host, r->r_url->url_port);
}

void ask_subjects(struct ask_hosts *ret, struct agent *a, msg_t *msg) {
  tport_t *tp = tport_delivered_by(nta_agent_tports(a->nta), msg);
  su_strlst_t const *names = tp ? tport_delivered_from_subjects(tp, msg) : NULL;
  for (usize_t i = 0; names && i < (usize_t)su_strlst_len(names) && ret->n < ASK_HOSTS_MAX; i++)
    ask_hosts_add(ret, su_strlst_item(names, i), NULL);
}

bool uri_is_sip(const url_t *u) {
  return (u->url_type == url_sip || u->url_type == url_sips) && u->url_host && *u->url_host;
}

bool contact_is_sane(const sip_contact_t *m) { return m && uri_is_sip(m->m_url); }

bool routes_are_sane(const sip_route_t *r) {
  unsigned n = 0;
  for (; r; r = r->r_next)
    if (!uri_is_sip(r->r_url) || ++n > ASK_HOSTS_MAX)
      return false;
  return true;
}

const char *header_unknown(const sip_t *sip, const char *name) {
  for (const sip_unknown_t *u = sip->sip_unknown; u; u = u->un_next)
    if (u->un_name && u->un_value && !strcasecmp(u->un_name, name))
      return u->un_value;
  return NULL;
}

static void ask_chain(struct ask *ret, const sip_t *sip) {
  struct addr literal;
  for (const sip_via_t *v = sip->sip_via; v; v = v->v_next)
    ask_hosts_add(&ret->vias, v->v_host, v->v_port);
  ask_routes(&ret->record_routes, sip->sip_record_route);
  ask_routes(&ret->paths, sip->sip_path);
  ask_routes(&ret->paths, sip->sip_service_route);
  if (!contact_is_sane(sip->sip_contact))
    return;
  const char *host = sip->sip_contact->m_url->url_host;
  slice_copy(ret->contact_host, sizeof ret->contact_host, slice_of(host));
  ret->contact_is_ip = addr_parse(&literal, slice_of(host), 0) == 0;
}

/* In a sip URI they belong to the user part, in a tel URI they are its parameters. */
static void lnp_of(struct lnp *ret, const url_t *u) {
  struct slice user = slice_of(u->url_user);
  slice_cut(&user, ';');
  lnp_read(ret, u->url_type == url_tel ? slice_of(u->url_params) : user);
}

void ask_build(struct ask *ret, struct agent *a, msg_t *msg, const sip_t *sip) {
  const char *session = header_unknown(sip, "Session-ID");
  ret->transport = a->transport;
  ask_subjects(&ret->subjects, a, msg);
  ask_chain(ret, sip);
  ret->max_forwards = sip->sip_max_forwards ? (int)sip->sip_max_forwards->mf_count : -1;
  identity_read(ret, sip);
  history_take(&ret->history, ret->trunk, sip);
  if (header_number(ret->called, sizeof ret->called, regist_called(ret->trunk, sip)) <
      0) /* also that of tel */
    ret->called[0] = 0;
  lnp_of(&ret->lnp, sip->sip_request->rq_url);
  if (session)
    header_session_read(slice_of(session), ret->session_id);
  slice_copy(ret->sip_call_id, sizeof ret->sip_call_id, slice_of(sip->sip_call_id->i_id));
}
