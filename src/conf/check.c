/* SPDX-License-Identifier: Apache-2.0
 * Checks across fields, once each field by itself is right: see part.h. */
#include "conf/host.h"
#include "conf/trunk.h"

#include <ctype.h>
#include <stdio.h>

struct checker {
  const struct conf *c;
  const struct conf_lines *lines;
  struct conf_errors *errors;
};

#define FAIL(k, line, ...) conf_error_add((k)->errors, (k)->c->file, line, __VA_ARGS__)

static void media_check(struct checker *k) {
  const struct conf *c = k->c;
  uint32_t line = k->lines->media, low = c->media.trunk_port_min, high = c->media.trunk_port_max;
  uint32_t first = c->media.native_port, last = first + c->media.workers - 1;
  if (high < low + 1)
    FAIL(k, line, "media.trunk_port_max: expected more than trunk_port_min (%u), got \"%u\"", low, high);
  if (last > 65535 || (first <= high && last >= low))
    FAIL(k, line,
         "media.native_port: expected %u ports outside trunk_port_min-trunk_port_max, got \"%u\"",
         c->media.workers, first);
  bool has_apps = false, has_trunks = false;
  for (uint32_t i = 0; i < c->media.n_addresses; i++) {
    const struct conf_media_addr *a = &c->media.addresses[i];
    has_apps = has_apps || a->side != SIDE_TRUNKS;
    has_trunks = has_trunks || a->side != SIDE_APPS;
    if (addr_is_any(&a->address) && addr_family(&a->advertise) == AF_UNSPEC)
      FAIL(k, line, "media.addresses[%u].advertise: expected an address, as the bound one is a wildcard",
           i);
    if (addr_family(&a->advertise) != AF_UNSPEC &&
        addr_family(&a->advertise) != addr_family(&a->address))
      FAIL(k, line, "media.addresses[%u].advertise: expected the family of address", i);
  }
  if (c->media.n_addresses && (!has_apps || !has_trunks))
    FAIL(k, line, "media.addresses: expected one with side both, or one of each side, got none for %s",
         has_apps ? "trunks" : "apps");
}

static void hep_check(struct checker *k) {
  const struct tree_node *node = tree_find(k->lines->tree, "records");
  const char *hep = k->c->records.hep;
  struct addr a;
  if (*hep && (strncmp(hep, "udp:", 4) != 0 || addr_parse_port(&a, slice_of(hep + 4)) < 0))
    FAIL(k, node ? node->line : 1, "records.hep: expected udp:ADDRESS:PORT, got \"%s\"", hep);
}

static void resolvers_check(struct checker *k) {
  const struct conf_names *r = &k->c->node.resolvers;
  const struct tree_node *node = tree_find(k->lines->tree, "node");
  struct addr a;
  for (uint32_t i = 0; i < r->n; i++)
    if (addr_parse_port(&a, slice_of(r->text[i])) < 0 && addr_parse(&a, slice_of(r->text[i]), 0) < 0)
      FAIL(k, node ? node->line : 1, "node.resolvers[%u]: expected ADDRESS[:PORT], got \"%s\"", i,
           r->text[i]);
}

static void doors_check(struct checker *k) {
  const struct conf *c = k->c;
  bool has_tls = c->admin.certificate[0] && c->admin.key[0];
  if (!has_tls && (c->admin.certificate[0] || c->admin.key[0]))
    FAIL(k, k->lines->admin, "admin: expected both certificate and key, or none");
  if (!has_tls && !addr_is_loopback(&c->admin.listen))
    FAIL(k, k->lines->admin, "admin.listen: expected a loopback address, as there is no certificate");
  if (addr_eq(&c->admin.listen, &c->service.listen))
    FAIL(k, k->lines->admin, "admin.listen: expected another address than service.listen");
}

static void paths_check(struct checker *k) {
  const struct conf_names *p = &k->c->admin.paths;
  for (uint32_t i = 0; i < p->n; i++)
    if (p->text[i][0] != '/' || !p->text[i][1] || strstr(p->text[i], ".."))
      FAIL(k, k->lines->admin, "admin.paths[%u]: expected a folder below /, got \"%s\"", i, p->text[i]);
}

static void listener_tls_check(struct checker *k, const struct conf_listener *l, uint32_t line) {
  if (l->transport == TRANSPORT_TLS) {
    if (!l->certificate[0] || !l->key[0])
      FAIL(k, line, "listeners[%s]: expected certificate and key, as the transport is tls", l->name);
    if (l->mtls != MTLS_OFF && !l->ca[0])
      FAIL(k, line, "listeners[%s].ca: expected a file, as mtls is not off", l->name);
  } else if (l->certificate[0] || l->key[0] || l->ca[0]) {
    FAIL(k, line, "listeners[%s]: certificate, key and ca are for transport tls only", l->name);
  }
}

static void listeners_check(struct checker *k) {
  const struct conf *c = k->c;
  for (uint32_t i = 0; i < c->n_listeners; i++) {
    const struct conf_listener *l = &c->listeners[i];
    uint32_t line = k->lines->listeners[i];
    listener_tls_check(k, l, line);
    for (uint32_t j = 0; j < i; j++) {
      const struct conf_listener *o = &c->listeners[j];
      if (strcmp(o->name, l->name) == 0)
        FAIL(k, line, "listeners[%u].name: stands twice: \"%s\"", i, l->name);
      if (addr_eq(&o->address, &l->address) &&
          (o->transport == TRANSPORT_UDP) == (l->transport == TRANSPORT_UDP))
        FAIL(k, line, "listeners[%s].address: already that of listeners[%s]", l->name, o->name);
    }
  }
}

/* Who has credentials of a relay sends from its address: no trunk may take that for its peer. */
static bool is_peer(const struct conf_trunk *t, const struct addr *relay) {
  struct host_rule rule;
  for (uint32_t i = 0; i < t->peers.n; i++)
    if (host_rule_parse(&rule, slice_of(t->peers.text[i])) == 0 && !rule.is_name &&
        cidr_has(&rule.cidr, relay))
      return true;
  return false;
}

static void relay_check(struct checker *k, const struct conf_relay *r, uint32_t line) {
  struct slice host;
  struct addr ip;
  uint16_t port = 0;
  if (host_split(slice_of(r->host), &host, &port, &ip) < 0 || port)
    FAIL(k, line, "relays[%s].host: expected no port, got \"%s\"", r->name, r->host);
  if (addr_is_any(&r->address))
    FAIL(k, line, "relays[%s].address: expected the address that clients see", r->name);
  if (addr_family(&r->bind) != AF_UNSPEC && addr_family(&r->bind) != addr_family(&r->address))
    FAIL(k, line, "relays[%s].bind: expected the family of address", r->name);
  if (!r->port && !r->tls_port)
    FAIL(k, line, "relays[%s]: expected a port or a tls_port", r->name);
  if (r->port_max < r->port_min)
    FAIL(k, line, "relays[%s].port_max: expected at least port_min (%u), got \"%u\"", r->name,
         r->port_min, r->port_max);
  for (uint32_t i = 0; i < k->c->n_trunks && !addr_is_loopback(&r->address); i++)
    if (is_peer(&k->c->trunks[i], &r->address))
      FAIL(k, line, "relays[%s].address: is among trunks[%s].peers: its users could speak as that peer",
           r->name, k->c->trunks[i].name);
}

static void relays_check(struct checker *k) {
  const struct conf *c = k->c;
  for (uint32_t i = 0; i < c->n_relays; i++) {
    relay_check(k, &c->relays[i], k->lines->relays[i]);
    for (uint32_t j = 0; j < i; j++)
      if (strcmp(c->relays[j].name, c->relays[i].name) == 0)
        FAIL(k, k->lines->relays[i], "relays[%u].name: stands twice: \"%s\"", i, c->relays[i].name);
  }
}

static bool is_fingerprint(struct slice s) {
  size_t digits = 0;
  for (size_t i = 0; i < s.n; i++) {
    if (!isxdigit((unsigned char)s.p[i]) && s.p[i] != ':')
      return false;
    digits += s.p[i] != ':';
  }
  return digits == 64;
}

static bool is_mark(const char *match) {
  static const char *const kinds[] = {"dns", "uri", "email", "cn"};
  struct slice value = slice_of(match), kind = slice_cut(&value, ':');
  if (slice_eq(kind, SLICE("sha256")))
    return is_fingerprint(value);
  for (size_t i = 0; i < COUNT_OF(kinds); i++)
    if (slice_eq(kind, slice_of(kinds[i])))
      return value.n > 0 && !memchr(value.p, '*', value.n);
  return false;
}

static void certificates_check(struct checker *k) {
  const struct conf *c = k->c;
  if (c->admin.client_ca[0] && !c->admin.certificate[0])
    FAIL(k, k->lines->admin, "admin.client_ca: needs admin.certificate: without TLS there are none");
  if (c->admin.client_crl[0] && !c->admin.client_ca[0])
    FAIL(k, k->lines->admin, "admin.client_crl: needs admin.client_ca, whose certificates it is about");
  if (c->admin.n_certificates && !c->admin.client_ca[0])
    FAIL(k, k->lines->admin, "admin.certificates: needs admin.client_ca, which says whose are believed");
  for (uint32_t i = 0; i < c->admin.n_certificates; i++) {
    const struct conf_certificate *x = &c->admin.certificates[i];
    if (x->match[0] && !is_mark(x->match))
      FAIL(k, k->lines->certificates[i],
           "admin.certificates[%u].match: expected dns:, uri:, email:, cn: with a name without *, or "
           "sha256: with 64 hex digits, got \"%s\"",
           i, x->match);
    for (uint32_t j = 0; j < i; j++)
      if (strcmp(c->admin.certificates[j].name, x->name) == 0)
        FAIL(k, k->lines->certificates[i], "admin.certificates[%u].name: stands twice: \"%s\"", i,
             x->name);
  }
}

/* Records are personal: they leave the machine encrypted. */
static void push_check(struct checker *k) {
  const char *url = k->c->records.push.url;
  struct slice rest = slice_of(url), host;
  struct addr ip;
  uint16_t port;
  if (!url[0] || slice_istarts(rest, SLICE("https://")))
    return;
  if (slice_istarts(rest, SLICE("http://"))) {
    rest = slice_from(url + 7, strcspn(url + 7, "/?#"));
    if (host_split(rest, &host, &port, &ip) == 0 && addr_is_loopback(&ip))
      return;
  }
  FAIL(k, k->lines->records,
       "records.push.url: expected https://…, or http:// and a loopback address, got \"%s\"", url);
}

void conf_check(const struct conf *c, const struct conf_lines *lines, struct conf_errors *errors) {
  struct checker k = {c, lines, errors};
  resolvers_check(&k);
  hep_check(&k);
  media_check(&k);
  doors_check(&k);
  paths_check(&k);
  listeners_check(&k);
  conf_trunks_check(c, errors);
  conf_attach_check(c, errors);
  push_check(&k);
  relays_check(&k);
  certificates_check(&k);
}

/* ---- what needs the file system ---- */

/* One map of the file, by its name in messages. */
struct place {
  const struct tree_node *map;
  const char *name;
  uint32_t line;
};

static const char *key_path(const struct place *p, const char *key, char dst[96]) {
  snprintf(dst, 96, "%s%s%s", p->name, p->name[0] ? "." : "", key);
  return dst;
}

static uint32_t key_line(const struct place *p, const char *key) {
  const struct tree_node *value = tree_find(p->map, key);
  return value ? value->line : p->line;
}

static void readable_check(struct checker *k, const struct place *p, const char *key, const char *path) {
  char name[96];
  if (path[0] && access(path, R_OK) < 0)
    FAIL(k, key_line(p, key), "%s: cannot be read: %s: \"%s\"", key_path(p, key, name), strerror(errno),
         path);
}

static void secret_file_check(struct checker *k, const struct place *p, const char *key,
                              const char *path, bool may_be_absent) {
  char text[200], name[96];
  if (!path[0] || (may_be_absent && access(path, F_OK) < 0 && errno == ENOENT))
    return;
  if (secret_check(path, text, sizeof(text)) < 0)
    FAIL(k, key_line(p, key), "%s: %s", key_path(p, key, name), text);
}

static void listener_files_check(struct checker *k, const struct tree_node *map, uint32_t line,
                                 const struct conf_listener *l) {
  char name[80];
  struct place at = {map, name, line};
  snprintf(name, sizeof(name), "listeners[%s]", l->name);
  readable_check(k, &at, "certificate", l->certificate);
  secret_file_check(k, &at, "key", l->key, false);
  readable_check(k, &at, "ca", l->ca);
}

static void trunk_files_check(struct checker *k, const struct tree_node *list) {
  const struct tree_node *item = list ? list->child : NULL;
  char name[80];
  for (uint32_t i = 0; i < k->c->n_trunks && item; i++, item = item->next) {
    struct place at = {item, name, k->c->trunks[i].line};
    snprintf(name, sizeof(name), "trunks[%s]", k->c->trunks[i].name);
    readable_check(k, &at, "certificate", k->c->trunks[i].certificate);
    readable_check(k, &at, "stir.certificate", k->c->trunks[i].stir.certificate);
    secret_file_check(k, &at, "stir.key", k->c->trunks[i].stir.key, false);
    secret_file_check(k, &at, "key", k->c->trunks[i].key, false);
  }
}

static void attach_files_check(struct checker *k, const struct tree_node *list) {
  const struct tree_node *item = list ? list->child : NULL;
  char name[96];
  for (uint32_t i = 0; i < k->c->n_trunks && item; i++, item = item->next) {
    const struct conf_attach *a = &k->c->trunks[i].attach;
    struct place at = {tree_find(item, "credentials"), name, k->c->trunks[i].line};
    snprintf(name, sizeof(name), "trunks[%s].credentials", k->c->trunks[i].name);
    secret_file_check(k, &at, "password_file", a->credentials.password_file, false);
    at.map = tree_find(item, "digest");
    snprintf(name, sizeof(name), "trunks[%s].digest", k->c->trunks[i].name);
    secret_file_check(k, &at, "users_file", a->digest.users_file, false);
  }
}

static void relay_files_check(struct checker *k, const struct tree_node *list) {
  const struct tree_node *item = list ? list->child : NULL;
  char name[80];
  for (uint32_t i = 0; i < k->c->n_relays && item; i++, item = item->next) {
    struct place at = {item, name, k->lines->relays[i]};
    snprintf(name, sizeof(name), "relays[%s]", k->c->relays[i].name);
    secret_file_check(k, &at, "secret_file", k->c->relays[i].secret_file, false);
  }
}

void conf_check_files(const struct conf *c, const struct conf_lines *lines, struct conf_errors *errors) {
  struct checker k = {c, lines, errors};
  struct place root = {lines->tree, "", lines->root};
  struct place service = {tree_find(lines->tree, "service"), "service", lines->service};
  struct place admin = {tree_find(lines->tree, "admin"), "admin", lines->admin};
  struct place turn = {tree_find(tree_find(lines->tree, "media"), "turn"), "media.turn", lines->media};
  struct place push = {tree_find(tree_find(lines->tree, "records"), "push"), "records.push",
                       lines->records};
  const struct tree_node *list = tree_find(lines->tree, "listeners"), *item = list ? list->child : NULL;
  readable_check(&k, &root, "dialplan", c->dialplan);
  readable_check(&k, &root, "stir.roots", c->stir.roots);
  readable_check(&k, &root, "stir.https_ca", c->stir.https_ca);
  readable_check(&k, &service, "certificate", c->service.certificate);
  secret_file_check(&k, &service, "key", c->service.key, false);
  secret_file_check(&k, &service, "token_key", c->service.token_key, true);
  secret_file_check(&k, &turn, "password_file", c->media.turn.password_file, false);
  secret_file_check(&k, &push, "secret_file", c->records.push.secret_file, false);
  readable_check(&k, &push, "ca", c->records.push.ca);
  readable_check(&k, &admin, "certificate", c->admin.certificate);
  readable_check(&k, &admin, "client_ca", c->admin.client_ca);
  readable_check(&k, &admin, "client_crl", c->admin.client_crl);
  secret_file_check(&k, &admin, "key", c->admin.key, false);
  secret_file_check(&k, &admin, "token_file", c->admin.token_file, true);
  for (uint32_t i = 0; i < c->n_listeners && item; i++, item = item->next)
    listener_files_check(&k, item, lines->listeners[i], &c->listeners[i]);
  trunk_files_check(&k, tree_find(lines->tree, "trunks"));
  attach_files_check(&k, tree_find(lines->tree, "trunks"));
  relay_files_check(&k, tree_find(lines->tree, "relays"));
}
