/* SPDX-License-Identifier: Apache-2.0
 * Who is it: the trunk of a source, by address or by the certificate's names. A trunk with names
 * among its peers is known on TLS by certificate only, so that an address proves nothing there. */
#include "guard/part.h"

static void rules_add(struct peer_rules *p, const struct conf_names *list, enum role role) {
  for (uint32_t i = 0; i < list->n && p->n < GUARD_RULES_MAX; i++) {
    if (host_rule_parse(&p->rule[p->n].host, slice_of(list->text[i])) < 0)
      continue;
    if (p->rule[p->n].host.is_name && role == ROLE_PEER)
      p->has_names = true;
    p->rule[p->n++].role = (uint8_t)role;
  }
}

void peer_rules_compile(struct peer_rules *ret, const struct conf_trunk *t) {
  memset(ret, 0, sizeof(*ret));
  rules_add(ret, &t->peers, ROLE_PEER);
  rules_add(ret, &t->proxies, ROLE_PROXY);
}

enum role peer_role(const struct peer_rules *p, struct slice host, uint16_t default_port) {
  enum role best = ROLE_STRANGER;
  for (uint32_t i = 0; i < p->n && best != ROLE_PROXY; i++)
    if ((enum role)p->rule[i].role > best && host_rule_has(&p->rule[i].host, host, default_port))
      best = (enum role)p->rule[i].role;
  return best;
}

/* The source port of TCP and TLS is an ephemeral one: a rule's port says nothing about it. */
static bool rules_have_source(const struct peer_rules *p, const struct addr *source, bool is_udp) {
  for (uint32_t i = 0; i < p->n; i++) {
    const struct host_rule *r = &p->rule[i].host;
    if (is_udp ? host_rule_has_addr(r, source) : !r->is_name && cidr_has(&r->cidr, source))
      return true;
  }
  return false;
}

static bool rules_have_subject(const struct peer_rules *p, const struct ask_hosts *subjects) {
  for (uint32_t s = 0; s < subjects->n && s < ASK_HOSTS_MAX; s++)
    for (uint32_t i = 0; i < p->n; i++) {
      const struct host_rule *r = &p->rule[i].host;
      struct slice subject = slice_of(subjects->host[s]);
      /* A certificate for *.a.b is good for a rule x.a.b, and one for x.a.b for a rule *.a.b. */
      if (r->is_name && subject.n &&
          (host_name_covers(slice_of(r->name), subject) || host_name_covers(subject, slice_of(r->name))))
        return true;
    }
  return false;
}

static bool is_on(const struct conf_trunk *t, const char *listener) {
  return strcmp(t->listener, listener) == 0;
}

bool guard_knows_source(const struct guard *g, const char *listener, const struct addr *source) {
  const struct conf_listener *l = conf_listener_find(g->conf, slice_of(listener));
  for (uint32_t i = 0; i < g->conf->n_trunks; i++) {
    if (!is_on(&g->conf->trunks[i], listener))
      continue;
    if (l && l->transport == TRANSPORT_TLS && g->rules[i].has_names)
      return true;
    if (rules_have_source(&g->rules[i], source, l && l->transport == TRANSPORT_UDP))
      return true;
  }
  return false;
}

static bool trunk_matches(const struct guard *g, uint32_t i, const struct conf_listener *l,
                          const struct addr *source, const struct ask_hosts *subjects) {
  bool is_tls = l && l->transport == TRANSPORT_TLS;
  if (is_tls && g->rules[i].has_names)
    return rules_have_subject(&g->rules[i], subjects);
  return rules_have_source(&g->rules[i], source, l && l->transport == TRANSPORT_UDP);
}

static struct slice bare_host(struct slice text) {
  struct slice host;
  struct addr ip;
  uint16_t port;
  return host_split(text, &host, &port, &ip) < 0 ? text : host;
}

/* 2: the Contact's host is a peer by its own name, 1: by its parent domain, 0: not by name. */
static unsigned name_score(const struct peer_rules *p, struct slice contact) {
  unsigned best = 0;
  for (uint32_t i = 0; i < p->n && contact.n; i++) {
    const struct host_rule *r = &p->rule[i].host;
    if (r->is_name && p->rule[i].role == ROLE_PEER && host_name_covers(slice_of(r->name), contact)) {
      unsigned score = r->name[0] == '*' ? 1 : 2;
      best = score > best ? score : best;
    }
  }
  return best;
}

const struct conf_trunk *guard_peer_trunk(const struct guard *g, const char *listener,
                                          const struct addr *source, const struct ask_hosts *subjects,
                                          struct slice contact_host, struct slice to_host) {
  const struct conf_listener *l = conf_listener_find(g->conf, slice_of(listener));
  const struct conf_trunk *found = NULL;
  struct slice contact = bare_host(contact_host), to = bare_host(to_host);
  unsigned best = 0;
  for (uint32_t i = 0; i < g->conf->n_trunks; i++) {
    const struct conf_trunk *t = &g->conf->trunks[i];
    if (!is_on(t, listener) || !trunk_matches(g, i, l, source, subjects))
      continue;
    unsigned score = 1 + 2 * name_score(&g->rules[i], contact) +
                     (t->fqdn[0] && slice_ieq(slice_of(t->fqdn), to) ? 1 : 0);
    if (score > best)
      found = t, best = score;
  }
  if (!found)
    atomic_fetch_add_explicit(&g->counts.values[REFUSE_UNKNOWN_SOURCE], 1, memory_order_relaxed);
  return found;
}

bool guard_is_peer(const struct guard *g, const struct conf_trunk *trunk, const struct addr *source,
                   const struct ask_hosts *subjects) {
  const struct conf_listener *l = conf_listener_find(g->conf, slice_of(trunk->listener));
  for (uint32_t i = 0; i < g->conf->n_trunks; i++)
    if (trunk == &g->conf->trunks[i])
      return trunk_matches(g, i, l, source, subjects);
  return false;
}

const struct peer_rules *guard_rules(const struct guard *g, const struct conf_trunk *t) {
  for (uint32_t i = 0; i < g->conf->n_trunks; i++)
    if (t == &g->conf->trunks[i] || strcmp(t->name, g->conf->trunks[i].name) == 0)
      return &g->rules[i];
  return NULL;
}
