/* SPDX-License-Identifier: Apache-2.0
 * Trunks: read with the defaults of their kind and what they take from another one (base), then
 * checked across fields. Each refusal names the trunk, the field and the rule. Pure. */
#include "conf/trunk.h"

#include "conf/host.h"

#include <stdio.h>

const struct field_default conf_kinds[] = {
#define KIND(kind_, key_, def_) {.kind = TRUNK_##kind_, .key = key_, .def = def_},
#include "conf/kinds.def"
#undef KIND
};
const size_t conf_kinds_n = COUNT_OF(conf_kinds);

/* ---- reading ---- */

static struct slice text_of(const struct tree_node *map, const char *key) {
  const struct tree_node *node = tree_find(map, key);
  return node && node->kind == TREE_SCALAR ? node->text : slice_from(NULL, 0);
}

static const struct tree_node *item_named(const struct tree_node *list, struct slice name) {
  for (const struct tree_node *item = list->child; item && name.n; item = item->next)
    if (slice_eq(text_of(item, "name"), name))
      return item;
  return NULL;
}

/* The hosts of the hubs, without ports: who speaks from there is the hub. */
static void peers_of_hubs(struct conf_trunk *t) {
  for (uint32_t i = 0; i < t->hubs.n && !t->peers.n; i++) {
    struct slice host;
    struct addr ip;
    uint16_t port;
    if (host_split(slice_of(t->hubs.text[i]), &host, &port, &ip) < 0)
      continue;
    slice_copy(t->peers.text[i], CONF_NAME_BYTES, host);
    if (i + 1 == t->hubs.n)
      t->peers.n = t->hubs.n;
  }
}

/* What follows from other settings, where it is not said. */
static void trunk_fill(struct conf_trunk *t, const struct tree_node *item,
                       const struct tree_node *base) {
  if (!tree_find(item, "symmetric") && !tree_find(base, "symmetric"))
    t->symmetric = t->srtp == SRTP_OFF ? SYMMETRIC_OFF : SYMMETRIC_AUTO;
  if (t->base[0])
    t->options = text_of(item, "options").n && t->options;
  if (tree_find(item, "target") && !tree_find(item, "targets"))
    t->targets.n = 0; /* those of its base */
  if (t->targets.n && !tree_find(item, "target"))
    slice_copy(t->target, sizeof(t->target), slice_of(t->targets.text[0]));
  if (t->role == ROLE_SBC && !t->peers.n)
    peers_of_hubs(t);
  if (t->role == ROLE_SBC && !t->target[0])
    (void)!conf_trunk_target(t, 0, t->target, sizeof(t->target));
}

static void trunk_read(struct conf *c, struct field_reader r, const struct tree_node *list,
                       const struct tree_node *item, uint32_t i) {
  char path[32];
  struct conf_trunk *t = &c->trunks[i];
  r.base = item_named(list, text_of(item, "base"));
  struct slice kind = text_of(item, "kind");
  if (!kind.n)
    kind = text_of(r.base, "kind");
  r.kind = slice_eq(kind, SLICE("direct-routing")) ? TRUNK_DIRECT_ROUTING : TRUNK_CARRIER;
  r.defaults = conf_kinds;
  r.n_defaults = conf_kinds_n;
  snprintf(path, sizeof(path), "trunks[%u]", i);
  t->line = item->line;
  field_map_read(&r, conf_fields, conf_fields_n, SECTION_TRUNK, item, path, item->line, t);
  const struct tree_node *stir = tree_find(item, "stir");
  conf_stir_read(t, &r, stir ? stir : tree_find(r.base, "stir"), path);
  const struct tree_node *doctor = tree_find(item, "doctor");
  conf_doctor_read(t, &r, doctor ? doctor : tree_find(r.base, "doctor"), path);
  const struct tree_node *headers = tree_find(item, "headers");
  conf_edits_read(t, &r, headers ? headers : tree_find(r.base, "headers"), path);
  const struct tree_node *numbers = tree_find(item, "numbers");
  conf_numbers_read(t, &r, numbers ? numbers : tree_find(r.base, "numbers"), path);
  trunk_fill(t, item, r.base);
}

void conf_trunks_read(struct conf *c, const struct field_reader *r, const struct tree_node *list) {
  if (!list)
    return;
  if (list->kind != TREE_LIST) {
    conf_error_add(r->errors, r->file, list->line, "trunks: expected a list of maps");
    return;
  }
  for (const struct tree_node *item = list->child; item; item = item->next) {
    if (c->n_trunks == CONF_TRUNKS_MAX) {
      conf_error_add(r->errors, r->file, item->line, "trunks: expected at most %d items",
                     CONF_TRUNKS_MAX);
      return;
    }
    trunk_read(c, *r, list, item, c->n_trunks++);
  }
  for (uint32_t i = 0; i < c->n_trunks; i++) /* a tenant drains with its base (O-9) */
    c->trunks[i].enabled = c->trunks[i].enabled && conf_trunk_base(c, &c->trunks[i])->enabled;
}

/* ---- what others ask ---- */

const struct conf_trunk *conf_trunk_base(const struct conf *c, const struct conf_trunk *t) {
  const struct conf_trunk *base = t->base[0] ? conf_trunk_find(c, slice_of(t->base)) : NULL;
  return base ? base : t;
}

bool conf_trunk_fails_over(const struct conf_trunk *t, int status) {
  uint64_t code;
  for (uint32_t i = 0; i < t->failover_codes.n; i++)
    if (slice_u64(slice_of(t->failover_codes.text[i]), 999, &code) == 0 && (int)code == status)
      return true;
  return false;
}

uint32_t conf_trunk_targets(const struct conf_trunk *t) {
  uint32_t n = t->hubs.n ? t->hubs.n : t->targets.n;
  return n ? n : 1;
}

int conf_trunk_target(const struct conf_trunk *t, uint32_t i, char *dst, size_t dst_bytes) {
  struct slice host;
  struct addr ip;
  uint16_t port = 0;
  if (!t->hubs.n && t->targets.n)
    return i < t->targets.n ? slice_copy(dst, dst_bytes, slice_of(t->targets.text[i])) : -ENOENT;
  if (!t->hubs.n)
    return i == 0 && t->target[0] ? slice_copy(dst, dst_bytes, slice_of(t->target)) : -ENOENT;
  if (i >= t->hubs.n || host_split(slice_of(t->hubs.text[i]), &host, &port, &ip) < 0)
    return -ENOENT;
  int n = snprintf(dst, dst_bytes, "sip:%.*s:%u;transport=tls", SLICE_ARG(host), port ? port : 5061);
  return n > 0 && (size_t)n < dst_bytes ? 0 : -ENOENT;
}

/* ---- checks ---- */

struct checker {
  const struct conf *c;
  struct conf_errors *errors;
};

#define FAIL(k, line, ...) conf_error_add((k)->errors, (k)->c->file, line, __VA_ARGS__)

static bool has_peer(const struct conf_trunk *t, bool is_name) {
  struct host_rule rule;
  for (uint32_t i = 0; i < t->peers.n; i++)
    if (host_rule_parse(&rule, slice_of(t->peers.text[i])) == 0 && rule.is_name == is_name)
      return true;
  return false;
}

/* The hub looks for OPTIONS and calls to a name; an address has no certificate. */
static void role_check(struct checker *k, const struct conf_trunk *t) {
  struct host_rule rule;
  char target[CONF_PATH_BYTES];
  bool is_sbc = t->role == ROLE_SBC;
  if (is_sbc && t->kind != TRUNK_DIRECT_ROUTING) {
    FAIL(k, t->line, "trunks[%s].role: sbc is for kind direct-routing", t->name);
    return;
  }
  if (is_sbc && !t->hubs.n)
    FAIL(k, t->line, "trunks[%s].hubs: is missing: expected the names of the hub, as the role is sbc",
         t->name);
  if (!is_sbc && t->hubs.n)
    FAIL(k, t->line, "trunks[%s].hubs: is for role sbc", t->name);
  for (uint32_t i = 0; i < t->hubs.n; i++)
    if (host_rule_parse(&rule, slice_of(t->hubs.text[i])) < 0 || !rule.is_name || rule.name[0] == '*')
      FAIL(k, t->line, "trunks[%s].hubs: expected names, no addresses or wildcards, got \"%s\"", t->name,
           t->hubs.text[i]);
  if (is_sbc && conf_trunk_target(t, 0, target, sizeof(target)) == 0 && strcmp(target, t->target) != 0)
    FAIL(k, t->line, "trunks[%s].target: expected none, as the hubs are named", t->name);
}

static void direct_routing_check(struct checker *k, const struct conf_trunk *t,
                                 const struct conf_listener *l) {
  if (t->srtp == SRTP_OFF)
    FAIL(k, t->line, "trunks[%s].srtp: expected required, as the kind is direct-routing", t->name);
  if (t->key_exchange == KEYS_DTLS)
    FAIL(k, t->line, "trunks[%s].key_exchange: expected sdes or any, as the kind is direct-routing",
         t->name);
  if (l && (l->transport != TRANSPORT_TLS || l->mtls == MTLS_OFF))
    FAIL(k, t->line,
         "trunks[%s].listener: expected one of transport tls with mtls, as the kind is direct-routing",
         t->name);
  if (!t->fqdn[0])
    FAIL(k, t->line, "trunks[%s].fqdn: is missing: expected our name, as the kind is direct-routing",
         t->name);
  if (t->peers.n && !has_peer(t, true))
    FAIL(k, t->line, "trunks[%s].peers: expected a certificate's name, as the kind is direct-routing",
         t->name);
  if (t->inner_hops)
    FAIL(k, t->line, "trunks[%s].inner_hops: expected 0, as the kind is direct-routing", t->name);
}

static bool is_target(struct slice s) {
  struct slice host;
  struct addr ip;
  uint16_t port;
  if (!slice_istarts(s, SLICE("sip:")) || memchr(s.p, ' ', s.n) || memchr(s.p, '<', s.n) ||
      memchr(s.p, '"', s.n))
    return false;
  s = slice_from(s.p + 4, s.n - 4);
  struct slice rest = s, host_port = slice_cut(&rest, ';');
  if (host_split(host_port, &host, &port, &ip) < 0)
    return false;
  if (!rest.p)
    return true;
  return slice_ieq(rest, SLICE("transport=udp")) || slice_ieq(rest, SLICE("transport=tcp")) ||
         slice_ieq(rest, SLICE("transport=tls"));
}

/* A trunk's requests leave by its one listener. */
static bool is_of_listener(const struct checker *k, const struct conf_trunk *t, struct slice target) {
  static const char *const names[] = {"udp", "tcp", "tls"};
  const struct conf_listener *l = conf_listener_find(k->c, slice_of(t->listener));
  struct slice rest = target;
  (void)slice_cut(&rest, ';');
  bool is_told = t->base[0] || (t->kind == TRUNK_DIRECT_ROUTING && l && l->transport != TRANSPORT_TLS);
  if (!l || is_told || !slice_istarts(rest, SLICE("transport=")))
    return true;
  return slice_ieq(slice_from(rest.p + 10, rest.n - 10), slice_of(names[l->transport]));
}

static void transport_check(struct checker *k, const struct conf_trunk *t) {
  char target[CONF_PATH_BYTES];
  for (uint32_t i = 0; conf_trunk_target(t, i, target, sizeof(target)) == 0; i++)
    if (!is_of_listener(k, t, slice_of(target)))
      FAIL(k, t->line, "trunks[%s].target: expected the transport of listener %s, got \"%s\"", t->name,
           t->listener, target);
}

static void target_check(struct checker *k, const struct conf_trunk *t) {
  if (slice_istarts(slice_of(t->target), SLICE("sips:")))
    FAIL(k, t->line,
         "trunks[%s].target: expected sip:HOST;transport=tls: sips: URIs are not used, got \"%s\"",
         t->name, t->target);
  else if (t->target[0] && !is_target(slice_of(t->target)))
    FAIL(k, t->line, "trunks[%s].target: expected sip:HOST[:PORT][;transport=udp|tcp|tls], got \"%s\"",
         t->name, t->target);
  for (uint32_t i = 0; i < t->targets.n; i++)
    if (!is_target(slice_of(t->targets.text[i])))
      FAIL(k, t->line,
           "trunks[%s].targets: expected sip:HOST[:PORT][;transport=udp|tcp|tls], got \"%s\"", t->name,
           t->targets.text[i]);
  transport_check(k, t);
  if (t->targets.n && (t->hubs.n || strcmp(t->target, t->targets.text[0]) != 0))
    FAIL(k, t->line, "trunks[%s].targets: expected neither target nor hubs beside them", t->name);
}

static void media_check(struct checker *k, const struct conf_trunk *t) {
  if (t->srtp == SRTP_OFF && t->symmetric == SYMMETRIC_AUTO)
    FAIL(k, t->line, "trunks[%s].symmetric: expected off or once, as srtp is off", t->name);
  if (t->media_ports == PORTS_SHARED && (t->srtp == SRTP_OFF || t->key_exchange != KEYS_SDES))
    FAIL(k, t->line,
         "trunks[%s].media_ports: expected private: shared takes srtp, and key_exchange sdes", t->name);
  if (t->srtp != SRTP_OFF && t->key_exchange == KEYS_SDES && t->media_sources.n)
    FAIL(k, t->line, "trunks[%s].media_sources: is for srtp off, or key_exchange dtls or any", t->name);
  if (t->media_bypass)
    FAIL(k, t->line, "trunks[%s].media_bypass: expected false: media always goes through this gateway",
         t->name);
}

/* A person's or a number's last word is no reason to ring somebody else (lesson 19). */
static void failover_check(struct checker *k, const struct conf_trunk *t) {
  for (uint32_t i = 0; i < t->failover_codes.n; i++) {
    uint64_t code = 0;
    const char *text = t->failover_codes.text[i];
    if (slice_u64(slice_of(text), 699, &code) < 0 || code < 400)
      FAIL(k, t->line, "trunks[%s].failover_codes: expected final statuses 400-699, got \"%s\"", t->name,
           text);
    else if (code == 404 || code == 486 || code == 600 || code == 603)
      FAIL(k, t->line, "trunks[%s].failover_codes: %s is a last word: no other trunk is tried after it",
           t->name, text);
  }
}

static void base_check(struct checker *k, const struct conf_trunk *t) {
  const struct conf_trunk *base = conf_trunk_find(k->c, slice_of(t->base));
  if (!t->base[0])
    return;
  if (!base || base == t)
    FAIL(k, t->line, "trunks[%s].base: there is no other trunk \"%s\"", t->name, t->base);
  else if (base->base[0])
    FAIL(k, t->line, "trunks[%s].base: expected a trunk without base of its own, got \"%s\"", t->name,
         t->base);
  else if (base->kind != t->kind || base->role != t->role || strcmp(base->listener, t->listener) != 0)
    FAIL(k, t->line, "trunks[%s].base: expected kind, role and listener of trunks[%s]", t->name,
         base->name);
  else if (memcmp(&base->peers, &t->peers, sizeof(t->peers)) == 0 && !strcmp(base->fqdn, t->fqdn))
    FAIL(k, t->line,
         "trunks[%s].peers: expected peers or fqdn of its own: nothing tells it from trunks[%s]",
         t->name, base->name);
  if (t->options)
    FAIL(k, t->line, "trunks[%s].options: expected none: the OPTIONS of trunks[%s] hold for it", t->name,
         t->base);
}

static void certificate_check(struct checker *k, const struct conf_trunk *t,
                              const struct conf_listener *l) {
  if (!t->certificate[0] != !t->key[0])
    FAIL(k, t->line, "trunks[%s].certificate: expected both certificate and key, or none", t->name);
  else if (t->certificate[0] && l && l->transport != TRANSPORT_TLS)
    FAIL(k, t->line, "trunks[%s].certificate: is for a listener of transport tls", t->name);
}

static bool is_range(struct slice s) {
  if (s.n && s.p[s.n - 1] == '*')
    s.n--;
  for (size_t i = 1; i < s.n; i++)
    if (s.p[i] < '0' || s.p[i] > '9')
      return false;
  return s.n >= 2 && s.n <= 16 && s.p[0] == '+';
}

static void callers_check(struct checker *k, const struct conf_trunk *t) {
  for (uint32_t i = 0; i < t->numbers_allowed.n; i++)
    if (!is_range(slice_of(t->numbers_allowed.text[i])))
      FAIL(k, t->line,
           "trunks[%s].numbers_allowed: expected + and digits, optionally with * behind, got \"%s\"",
           t->name, t->numbers_allowed.text[i]);
  if (t->number_default[0] && !field_is_tel(slice_of(t->number_default)))
    FAIL(k, t->line, "trunks[%s].number_default: expected + and 4 to 15 digits, got \"%s\"", t->name,
         t->number_default);
  if (t->number_default[0] && !t->numbers_allowed.n)
    FAIL(k, t->line, "trunks[%s].number_default: is for trunks with numbers_allowed", t->name);
}

static void stir_check(struct checker *k, const struct conf_trunk *t) {
  if (t->stir.verify != VERIFY_OFF && (!k->c->stir.roots[0] || !k->c->stir.x5u_hosts.n))
    FAIL(k, t->line, "trunks[%s].stir.verify: needs stir.roots and stir.x5u_hosts", t->name);
  if (t->stir.sign && (!t->stir.certificate[0] || !t->stir.key[0]))
    FAIL(k, t->line, "trunks[%s].stir.sign: needs stir.certificate and stir.key", t->name);
  if (t->stir.sign && !slice_starts(slice_of(t->stir.x5u), SLICE("https://")))
    FAIL(k, t->line, "trunks[%s].stir.x5u: expected where others find the certificate: https://…",
         t->name);
  if (strpbrk(t->stir.x5u, "\"\\<> "))
    FAIL(k, t->line, "trunks[%s].stir.x5u: expected a URL", t->name);
}

static void trunk_check(struct checker *k, const struct conf_trunk *t) {
  const struct conf_listener *l = conf_listener_find(k->c, slice_of(t->listener));
  if (!t->peers.n)
    FAIL(k, t->line,
         "trunks[%s].peers: is missing: expected a list of 1 to 32 names, addresses or CIDRs", t->name);
  if (!l)
    FAIL(k, t->line, "trunks[%s].listener: there is no listener \"%s\"", t->name, t->listener);
  if (t->kind == TRUNK_DIRECT_ROUTING)
    direct_routing_check(k, t, l);
  if (t->peers.n && l && l->transport != TRANSPORT_TLS && t->kind == TRUNK_CARRIER &&
      !has_peer(t, false))
    FAIL(k, t->line, "trunks[%s].peers: expected an address: without tls a name proves nothing",
         t->name);
  role_check(k, t);
  target_check(k, t);
  callers_check(k, t);
  stir_check(k, t);
  media_check(k, t);
  failover_check(k, t);
  base_check(k, t);
  certificate_check(k, t, l);
}

void conf_trunks_check(const struct conf *c, struct conf_errors *errors) {
  struct checker k = {c, errors};
  for (uint32_t i = 0; i < c->n_trunks; i++) {
    const struct conf_trunk *t = &c->trunks[i];
    trunk_check(&k, t);
    for (uint32_t j = 0; j < i; j++)
      if (strcmp(c->trunks[j].name, t->name) == 0)
        conf_error_add(errors, c->file, t->line, "trunks[%u].name: stands twice: \"%s\"", i, t->name);
  }
}
