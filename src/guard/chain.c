/* SPDX-License-Identifier: Apache-2.0
 * The chain rule: which SIP hops may stand between a trunk's peer and us (S18, S19). What is visible
 * is judged: Via, Record-Route, Path, Service-Route, Contact. A hop below which another Via stands
 * has forwarded it, so it must be one of the trunk's proxies; being a peer is not enough. Private
 * addresses below the first Via may be excused by inner_hops. Each refusal names the host and the
 * setting that would allow it. */
#include "guard/part.h"

struct chain {
  const struct guard *g;
  const struct conf_trunk *t;
  const struct peer_rules *rules;
  uint16_t default_port;
};

const char *guard_file_name(const struct guard *g) {
  const char *path = g->conf->file;
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* "… is not allowed; to allow it: trunks[demo].proxies += 'host' (sallyport.yaml line 41)" */
static struct verdict chain_refuse(const struct chain *c, enum refusal r, const char *what,
                                   const char *host, const char *list) {
  char shown[64];
  slice_escape(shown, sizeof(shown), slice_of(host));
  return verdict_refuse(r, "%s %s is not allowed; to allow it: trunks[%s].%s += '%s' (%s line %u)", what,
                        shown, c->t->name, list, shown, guard_file_name(c->g), c->t->line);
}

static enum role host_role(const struct chain *c, const char *host) {
  return c->rules ? peer_role(c->rules, slice_of(host), c->default_port) : ROLE_STRANGER;
}

static bool host_is_private(const char *text) {
  struct slice host;
  struct addr ip;
  uint16_t port;
  return host_split(slice_of(text), &host, &port, &ip) == 0 && addr_family(&ip) != AF_UNSPEC &&
         addr_is_private(&ip);
}

static bool host_is_ip(struct slice text) {
  struct slice host;
  struct addr ip;
  uint16_t port;
  return host_split(text, &host, &port, &ip) == 0 && addr_family(&ip) != AF_UNSPEC;
}

/* ---- Via ---- */

struct hops { /* the Vias that count: those not excused as inner hops */
  uint32_t n, at[ASK_HOSTS_MAX];
};

static struct verdict inner_refuse(const struct chain *c, const char *host, uint32_t wanted) {
  char shown[64];
  slice_escape(shown, sizeof(shown), slice_of(host));
  return verdict_refuse(
      REFUSE_PROXY, "inner hop %s is not allowed; to allow it: trunks[%s].inner_hops: %u (%s line %u)",
      shown, c->t->name, wanted, guard_file_name(c->g), c->t->line);
}

static struct verdict vias_listed(const struct chain *c, const struct ask_hosts *vias,
                                  struct hops *hops) {
  uint32_t inner = 0;
  for (uint32_t i = 0; i < vias->n; i++) {
    bool is_private = i > 0 && host_is_private(vias->host[i]);
    if (is_private && inner < c->t->inner_hops) {
      inner++;
      continue;
    }
    if (host_role(c, vias->host[i]) == ROLE_STRANGER) {
      if (is_private && c->t->inner_hops)
        return inner_refuse(c, vias->host[i], inner + 1);
      bool is_origin = i + 1 == vias->n;
      return chain_refuse(c, REFUSE_PROXY, is_origin && i > 0 ? "the host behind a proxy" : "proxy",
                          vias->host[i], is_origin ? "peers" : "proxies");
    }
    hops->at[hops->n++] = i;
  }
  return verdict_pass();
}

static struct verdict vias_check(const struct chain *c, const struct ask_hosts *vias) {
  struct hops hops = {0};
  if (vias->n > ASK_HOSTS_MAX)
    return verdict_refuse(REFUSE_PROXY, "%u Via headers: at most %d are read", vias->n, ASK_HOSTS_MAX);
  if (vias->n == 0)
    return verdict_refuse(REFUSE_MALFORMED, "a Via is missing");
  bool by_certificate = c->t->kind == TRUNK_DIRECT_ROUTING && vias->n == 1;
  struct verdict v = by_certificate ? verdict_pass() : vias_listed(c, vias, &hops);
  if (!verdict_is_pass(&v))
    return v;
  for (uint32_t i = 0; i + 1 < hops.n; i++)
    if (host_role(c, vias->host[hops.at[i]]) != ROLE_PROXY)
      return chain_refuse(c, REFUSE_PROXY, "proxy", vias->host[hops.at[i]], "proxies");
  return verdict_pass();
}

/* ---- Record-Route, Path, Service-Route ---- */

static struct verdict routes_check(const struct chain *c, const struct ask_hosts *routes,
                                   const char *what) {
  if (routes->n > ASK_HOSTS_MAX)
    return verdict_refuse(REFUSE_PROXY, "%u %s headers: at most %d are read", routes->n, what,
                          ASK_HOSTS_MAX);
  for (uint32_t i = 0; i < routes->n; i++) {
    const char *host = routes->host[i];
    if (c->t->kind == TRUNK_DIRECT_ROUTING && host_is_ip(slice_of(host)))
      return verdict_refuse(REFUSE_PROXY,
                            "%s with the address %s: trunks[%s] is direct-routing, names only", what,
                            host, c->t->name);
    if (host_role(c, host) == ROLE_STRANGER)
      return chain_refuse(c, REFUSE_PROXY, what, host, "proxies");
  }
  return verdict_pass();
}

/* ---- Contact ---- */

static bool subject_covers(const struct ask_hosts *subjects, struct slice contact) {
  struct slice host;
  struct addr ip;
  uint16_t port;
  if (host_split(contact, &host, &port, &ip) < 0)
    return false;
  for (uint32_t i = 0; i < subjects->n && i < ASK_HOSTS_MAX; i++)
    if (subjects->host[i][0] && host_name_covers(slice_of(subjects->host[i]), host))
      return true;
  return false;
}

/* Does the connection's certificate belong to a proxy of the trunk? Then it does not tell the peer's
 * name, and the Contact must be a peer by the list. */
static bool subject_is_proxy(const struct chain *c, const struct ask_hosts *subjects) {
  for (uint32_t i = 0; i < subjects->n && i < ASK_HOSTS_MAX; i++)
    if (host_role(c, subjects->host[i]) == ROLE_PROXY)
      return true;
  return false;
}

/* The name in the certificate may cover more than one tenant: a stranger among them is nobody's. */
static bool is_tenant(const struct chain *c, struct slice contact) {
  return c->rules && peer_role(c->rules, contact, c->default_port) == ROLE_PEER;
}

static struct verdict contact_direct_check(const struct chain *c, struct slice contact,
                                           const struct ask_hosts *subjects) {
  char shown[64];
  slice_escape(shown, sizeof(shown), contact);
  if (host_is_ip(contact))
    return verdict_refuse(REFUSE_CONTACT,
                          "Contact with the address %s: trunks[%s] is direct-routing, names only", shown,
                          c->t->name);
  if (subject_is_proxy(c, subjects) || c->t->role == ROLE_SBC) {
    if (c->t->role == ROLE_SBC && subject_covers(subjects, contact))
      return verdict_pass();
    if (c->rules && peer_role(c->rules, contact, c->default_port) != ROLE_STRANGER)
      return verdict_pass();
    return chain_refuse(c, REFUSE_CONTACT, "Contact", shown, "peers");
  }
  if (subject_covers(subjects, contact))
    return is_tenant(c, contact) ? verdict_pass()
                                 : chain_refuse(c, REFUSE_CONTACT, "Contact", shown, "peers");
  return verdict_refuse(REFUSE_CONTACT, "Contact %s is not the name in the certificate (%s)", shown,
                        subjects->n ? subjects->host[0] : "none was shown");
}

static struct verdict contact_check(const struct chain *c, struct slice contact,
                                    const struct ask_hosts *subjects) {
  char host[ASK_HOST_BYTES];
  if (contact.n == 0)
    return verdict_refuse(REFUSE_MALFORMED, "a Contact is missing");
  if (c->t->kind == TRUNK_DIRECT_ROUTING)
    return contact_direct_check(c, contact, subjects);
  if (slice_copy(host, sizeof(host), contact) < 0)
    return verdict_refuse(REFUSE_CONTACT, "the Contact's host is longer than %d characters",
                          ASK_HOST_BYTES - 1);
  if (host_role(c, host) != ROLE_STRANGER || (c->t->inner_hops && host_is_private(host)))
    return verdict_pass();
  return chain_refuse(c, REFUSE_CONTACT, "Contact", host, "peers");
}

/* ---- the whole ---- */

static struct chain chain_of(const struct guard *g, const struct conf_trunk *t) {
  const struct conf_listener *l = conf_listener_find(g->conf, slice_of(t->listener));
  return (struct chain){g, t, guard_rules(g, t), l && l->transport == TRANSPORT_TLS ? 5061 : 5060};
}

struct verdict chain_check(const struct guard *g, const struct ask *ask) {
  struct chain c = chain_of(g, ask->trunk);
  struct verdict v = vias_check(&c, &ask->vias);
  if (verdict_is_pass(&v))
    v = routes_check(&c, &ask->record_routes, "Record-Route");
  if (verdict_is_pass(&v))
    v = routes_check(&c, &ask->paths, "Path or Service-Route");
  if (verdict_is_pass(&v))
    v = contact_check(&c, slice_of(ask->contact_host), &ask->subjects);
  return v;
}

static bool is_target(const struct conf_trunk *t, struct slice text) {
  struct slice target = slice_of(t->target), host, wanted;
  struct addr ip, other;
  uint16_t port;
  if (target.n < 4 || host_split(text, &host, &port, &ip) < 0)
    return false;
  target = slice_from(target.p + 4, target.n - 4);
  if (host_split(slice_cut(&target, ';'), &wanted, &port, &other) < 0)
    return false;
  return addr_family(&ip) != AF_UNSPEC ? addr_eq_ip(&ip, &other) : slice_ieq(host, wanted);
}

struct verdict chain_answer_check(const struct guard *g, const struct conf_trunk *t,
                                  const struct ask_hosts *record_routes, struct slice contact_host,
                                  const struct ask_hosts *subjects) {
  struct chain c = chain_of(g, t);
  struct verdict v = routes_check(&c, record_routes, "Record-Route");
  if (!verdict_is_pass(&v))
    return v;
  if (t->kind == TRUNK_CARRIER && contact_host.n && is_target(t, contact_host))
    return v;
  return contact_check(&c, contact_host, subjects);
}
