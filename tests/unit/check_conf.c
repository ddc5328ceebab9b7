/* SPDX-License-Identifier: Apache-2.0
 * Units of conf: strictness, all errors at once, cross-checks, secrets, the documentation. */
#include "conf/conf.h"
#include "conf/host.h"
#include "conf/shape.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static struct conf_errors errors;

static const char *source(const char *path) {
  static char full[600];
  const char *dir = getenv("SRCDIR");
  snprintf(full, sizeof(full), "%s/%s", dir ? dir : SRCDIR, path);
  return full;
}

static char *load(const char *path) {
  char *text = NULL;
  size_t n = 0;
  cr_assert_eq(conf_file_read(&text, &n, source(path), &errors), 0, "%s", path);
  text = realloc(text, n + 1);
  text[n] = 0;
  return text;
}

/* The good configuration with one text replaced by another. */
static char *changed(const char *from, const char *to) {
  own_mem char *text = load("tests/unit/data/good.yaml");
  char *at = strstr(text, from);
  size_t room = strlen(text) + strlen(to) + 1;
  char *out = malloc(room);
  cr_assert(at && out, "%s", from);
  snprintf(out, room, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
  return out;
}

static bool has_error(uint32_t line, const char *text) {
  for (uint32_t i = 0; i < errors.n && i < CONF_ERRORS_MAX; i++)
    if ((line == 0 || errors.list[i].line == line) && strstr(errors.list[i].text, text))
      return true;
  return false;
}

static void print_errors(void) {
  for (uint32_t i = 0; i < errors.n && i < CONF_ERRORS_MAX; i++)
    fprintf(stderr, "%s:%u: %s\n", errors.list[i].file, errors.list[i].line, errors.list[i].text);
}

static int parse(struct conf **ret, const char *text) {
  return conf_parse(ret, "etc/s.yaml", slice_of(text), &errors);
}

Test(conf, whole) {
  own(conf) c = NULL;
  int r = conf_load(&c, source("tests/unit/data/good.yaml"), true, &errors);
  if (r < 0)
    print_errors();
  cr_assert_eq(r, 0);
  cr_assert_str_eq(c->node.region, "test");
  cr_assert_eq(c->node.log_level, 3);
  cr_assert_eq(c->media.workers, 2);
  cr_assert_eq(c->media.n_addresses, 2);
  cr_assert_eq(addr_family(&c->media.addresses[0].advertise), AF_UNSPEC);
  cr_assert_eq(c->service.origins.n, 2);
  cr_assert_eq(c->n_trunks, 2);
  const struct conf_trunk *demo = conf_trunk_find(c, SLICE("demo")),
                          *lab = conf_trunk_find(c, SLICE("lab"));
  cr_assert_eq(demo->kind, TRUNK_DIRECT_ROUTING);
  cr_assert_eq(demo->srtp, SRTP_REQUIRED);
  cr_assert_eq(demo->symmetric, SYMMETRIC_AUTO);
  cr_assert_eq(demo->suites.n, 4);
  cr_assert_str_eq(demo->suites.text[0], "AEAD_AES_256_GCM");
  cr_assert(demo->enabled);
  cr_assert_eq(demo->answer_timeout_s, 180);
  cr_assert_eq(demo->line, 42);
  cr_assert_eq(lab->srtp, SRTP_OFF);
  cr_assert_eq(lab->symmetric, SYMMETRIC_OFF);
  cr_assert_eq(lab->suites.n, 1);
  cr_assert_eq(conf_listener_find(c, SLICE("tls"))->mtls, MTLS_REQUIRED);
  cr_assert_eq(conf_listener_find(c, SLICE("tls"))->handshake_deadline_ms, 5000);
  cr_assert_null(conf_listener_find(c, SLICE("none")));
  cr_assert_str_eq(conf_user_by_number(c, SLICE("+15550100003"))->name, "bob");
  cr_assert_str_eq(conf_user_find(c, SLICE("alice"))->tenant, "default");
  cr_assert_null(conf_user_by_number(c, SLICE("+1")));
  cr_assert_neq(c->version, 0);
  cr_assert_eq(c->n_relays, 2);
  cr_assert_eq(conf_relay_find(c, SLICE("near"))->tls_port, 443);
  cr_assert_eq(conf_relay_find(c, SLICE("far"))->port, 0);
  cr_assert_eq(conf_relay_find(c, SLICE("near"))->allocations_per_user, 24);
  cr_assert_null(conf_relay_find(c, SLICE("none")));
}

Test(conf, ice_of_trunks_and_the_relay_for_it) {
  own(conf) c = NULL;
  own_mem char *text = changed("media:\n", "media:\n"
                                           "  dtls_cookie: always\n"
                                           "  turn:\n"
                                           "    server: 192.0.2.1:3478\n"
                                           "    username: gate\n"
                                           "    password_file: turn.password\n");
  cr_assert_eq(parse(&c, text), 0);
  cr_assert_eq(addr_port(&c->media.turn.server), 3478);
  cr_assert_str_eq(c->media.turn.password_file, "etc/turn.password");
  cr_assert_eq(c->media.dtls_cookie, 1);
  cr_assert_eq(conf_trunk_find(c, SLICE("lab"))->ice, CONF_ICE_OFF);
  c = conf_free(c);
  own_mem char *full = changed("    srtp: off\n", "    srtp: off\n    ice: full\n");
  cr_assert_eq(parse(&c, full), 0);
  cr_assert_eq(conf_trunk_find(c, SLICE("lab"))->ice, CONF_ICE_FULL);
  own_mem char *less = changed("media:\n", "media:\n  turn:\n    username: gate\n");
  struct conf *none = NULL;
  cr_assert_eq(parse(&none, less), -EINVAL);
  cr_assert(has_error(0, "media.turn.server: is missing"));
}

Test(conf, paths_begin_at_the_files_folder) {
  own(conf) c = NULL;
  own_mem char *text = load("tests/unit/data/good.yaml");
  cr_assert_eq(parse(&c, text), 0);
  cr_assert_str_eq(c->service.key, "etc/service.key");
  cr_assert_str_eq(c->node.state_dir, "/var/lib/sallyport");
  cr_assert_str_eq(c->media.socket, "etc/run/media.sock");
}

Test(conf, defaults_of_the_least) {
  own(conf) c = NULL;
  own_mem char *text = load("tests/unit/data/least.yaml");
  cr_assert_eq(parse(&c, text), 0);
  cr_assert_eq(c->media.native_port, 40000);
  cr_assert_eq(c->service.ring_timeout_s, 60);
  cr_assert_str_eq(c->media.backend, "auto");
  cr_assert_eq(c->records.interim_s, 900);
  cr_assert_eq(addr_port(&c->admin.listen), 8081);
  cr_assert_eq(c->node.log_level, 2);
}

Test(conf, every_error_at_once_with_its_line) {
  static const struct {
    uint32_t line;
    const char *text;
  } rows[] = {
      {2, "media.workers: expected a whole number 1-64, got \"70000abc\""},
      {3, "media.dscp: expected a whole number 0-63, got \"64\""},
      {4, "media.speed: unknown key"},
      {5, "media.addresses: expected a list of 1 to 4 maps"},
      {6, "media.native_port: expected a whole number 1024-65000, got \"40000\""},
      {8, "service.listen: expected ADDRESS:PORT, got \"127.0.0.1\""},
      {9, "service.edge: expected a host name or address, optionally with :port, got \"under score!\""},
      {11, "service.certificate: stands twice, first in line 10"},
      {8, "service.key: is missing: expected a path of a file"},
      {12, "service.heartbeat_s: expected a whole number 1-300, got \"15s\""},
      {13, "service.relays: expected a list of 0 to 32 names, addresses or CIDRs, each optionally with "
           ":port, got "
           "\"10.0.0.1/8\""},
      {16, "listeners[0].transport: expected one of udp|tcp|tls, got \"sctp\""},
      {18, "listeners[0].handshake_deadline_ms: expected a whole number 100-60000, got \"10s\""},
      {20, "trunks[0].name: expected letters, digits and . _ - of 1 to 63 characters, got \"x y\""},
      {22, "trunks[0].peers: expected a list of 1 to 32 names"},
      {23, "trunks[0].suites: expected a list of 1 to 6 of AEAD_AES_256_GCM|"},
      {24, "trunks[0].enabled: expected true or false, got \"yes\""},
      {27, "users[0].numbers: expected a list of 0 to 32 numbers: + and 4 to 15 digits, in quotes, got "
           "\"15550100001\""},
      {28, "surprise: unknown key"},
      {1, "dialplan: is missing: expected a path of a file"},
  };
  own(conf) c = NULL;
  own_mem char *text = load("tests/unit/data/bad.yaml");
  cr_assert_eq(parse(&c, text), -EINVAL);
  cr_assert_null(c);
  print_errors();
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    cr_assert(has_error(rows[i].line, rows[i].text), "row %zu: %s", i, rows[i].text);
  cr_assert_eq(errors.n, COUNT_OF(rows), "%u errors", errors.n);
}

#define ADMIN_CA "  client_ca: ca.pem\n  certificate: service.pem\n  key: service.key\n"
#define ADMIN_CERT(row, more) "certificates: [{" row ", role: admin}]\n" more "  listen: 127.0.0.1:8081"

Test(conf, cross_checks) {
  static const struct {
    const char *from, *to, *text;
  } rows[] = {
      {"    listener: lab", "    listener: nowhere",
       "trunks[lab].listener: there is no listener \"nowhere\""},
      {"    peers: [carrier.example", "    srtp: off\n    peers: [carrier.example",
       "trunks[demo].srtp: expected required, as the kind is direct-routing"},
      {"    listener: tls", "    listener: lab",
       "trunks[demo].listener: expected one of transport tls with mtls"},
      {"    fqdn: edge.example\n", "", "trunks[demo].fqdn: is missing"},
      {"peers: [carrier.example, \"*.sbc.example\"]", "peers: [192.0.2.1]",
       "trunks[demo].peers: expected a certificate's name"},
      {"    kind: direct-routing", "    kind: direct-routing\n    inner_hops: 1",
       "trunks[demo].inner_hops: expected 0"},
      {"name: demo", "name: lab", "trunks[1].name: stands twice: \"lab\""},
      {"127.0.0.1:5070\"}",
       "127.0.0.1:5070\"}\n  - {name: lab, transport: tcp, address: \"127.0.0.1:5071\"}",
       "listeners[2].name: stands twice: \"lab\""},
      {"name: alice", "name: bob", "users[1].name: \"bob\" is already that of users[0]"},
      {"\"+15550100002\"", "\"+15550100001\"",
       "users[1].numbers: \"+15550100001\" is already that of users[0]"},
      {"[\"+15550100002\", \"+15550100003\"]", "[\"+15550100002\", \"+15550100002\"]",
       "stands twice: \"+15550100002\""},
      {"trunk_port_max: 41999", "trunk_port_max: 41000",
       "media.trunk_port_max: expected more than trunk_port_min"},
      {"native_port: 40000", "native_port: 40999", "media.native_port: expected 2 ports outside"},
      {"name: far", "name: near", "relays[1].name: stands twice: \"near\""},
      {"host: relay.example", "host: \"relay.example:3478\"", "relays[near].host: expected no port"},
      {"port: 0", "port: 0, tls_port: 0", "relays[far]: expected a port or a tls_port"},
      {"bind: 10.0.0.9", "bind: \"2001:db8::9\"", "relays[near].bind: expected the family of address"},
      {"address: 192.0.2.10", "address: 0.0.0.0",
       "relays[far].address: expected the address that clients see"},
      {"port: 0", "port_min: 50000, port_max: 49999",
       "relays[far].port_max: expected at least port_min (50000)"},
      {"address: 203.0.113.9, bind: 10.0.0.9", "address: 10.0.0.9",
       "relays[near].address: is among trunks[lab].peers: its users could speak as that peer"},
      {"127.0.0.1:8081", "0.0.0.0:8081", "admin.listen: expected a loopback address"},
      {"127.0.0.1:8081", "127.0.0.1:8443", "admin.listen: expected another address than service.listen"},
      {"listen: 127.0.0.1:8081", "client_ca: ca.pem\n  listen: 127.0.0.1:8081",
       "admin.client_ca: needs admin.certificate"},
      {"listen: 127.0.0.1:8081", ADMIN_CERT("name: a, match: \"cn:a\"", ""),
       "admin.certificates: needs admin.client_ca"},
      {"listen: 127.0.0.1:8081", ADMIN_CERT("name: a, match: \"dns:*.example\"", ADMIN_CA),
       "admin.certificates[0].match: expected dns:, uri:"},
      {"listen: 127.0.0.1:8081", ADMIN_CERT("name: a, match: \"sha256:00:11\"", ADMIN_CA),
       "admin.certificates[0].match: expected dns:, uri:"},
      {"listen: 127.0.0.1:8081", ADMIN_CERT("name: a, match: \"a.example\"", ADMIN_CA),
       "admin.certificates[0].match: expected dns:, uri:"},
      {"listen: 127.0.0.1:8081", ADMIN_CERT("name: a, match: \"dns:a.example\"", ADMIN_CA), ""},
      {"    ca: service.pem\n", "", "listeners[tls].ca: expected a file"},
      {"    key: service.key\n    ca", "    ca", "listeners[tls]: expected certificate and key"},
      {"transport: udp, ", "transport: udp, ca: x.pem, ",
       "listeners[lab]: certificate, key and ca are for transport tls"},
      {"127.0.0.1:5070", "127.0.0.1:5061", ""},
      {"transport: udp, address: \"127.0.0.1:5070\"", "transport: tcp, address: \"127.0.0.1:5061\"",
       "listeners[lab].address: already that of listeners[tls]"},
      {"target: sip:carrier", "target: sips:carrier", "sips: URIs are not used"},
      {"fqdn: edge.example", "fqdn: 192.0.2.1", "trunks[0].fqdn: expected a full host name"},
      {"    kind: direct-routing", "    kind: direct-routing\n    media_bypass: true",
       "trunks[demo].media_bypass: expected false"},
      {"    kind: direct-routing", "    kind: direct-routing\n    key_exchange: dtls",
       "trunks[demo].key_exchange: expected sdes or any"},
      {"    kind: direct-routing", "    kind: direct-routing\n    failover_codes: [503, 486]",
       "trunks[demo].failover_codes: 486 is a last word"},
      {"    kind: direct-routing", "    kind: direct-routing\n    failover_codes: [183]",
       "trunks[demo].failover_codes: expected final statuses 400-699"},
      {"    kind: direct-routing", "    kind: direct-routing\n    failover_codes: [500, 502]", ""},
      {"    kind: direct-routing", "    kind: direct-routing\n    role: sbc",
       "trunks[demo].hubs: is missing"},
      {"    kind: direct-routing", "    kind: direct-routing\n    hubs: [sip.hub.example]",
       "trunks[demo].hubs: is for role sbc"},
      {"    target: sip:carrier.example:5061;transport=tls\n", "    role: sbc\n    hubs: [192.0.2.1]\n",
       "trunks[demo].hubs: expected names"},
      {"    kind: direct-routing", "    kind: direct-routing\n    role: sbc\n    hubs: [a.example]",
       "trunks[demo].target: expected none"},
      {"srtp: off", "srtp: off\n    targets: [\"sip:a.example;transport=tls\"]",
       "trunks[lab].target: expected the transport of listener"},
      {"srtp: off", "srtp: off\n    targets: [\"sip:a.example\", \"tel:1\"]",
       "trunks[lab].targets: expected sip:HOST"},
      {"    kind: direct-routing", "    kind: direct-routing\n    targets: [\"sip:a.example\"]",
       "trunks[demo].targets: expected neither"},
      {"srtp: off", "srtp: off\n    role: sbc", "trunks[lab].role: sbc is for kind direct-routing"},
      {"srtp: off", "srtp: off\n    base: nobody",
       "trunks[lab].base: there is no other trunk \"nobody\""},
      {"srtp: off", "srtp: off\n    kind: carrier\n    base: demo",
       "trunks[lab].base: expected kind, role and listener"},
      {"srtp: off", "srtp: off\n    certificate: x.pem", "trunks[lab].certificate: expected both"},
      {"srtp: off", "srtp: off\n    certificate: x.pem\n    key: x.key",
       "trunks[lab].certificate: is for a listener of transport tls"},
      {"srtp: off", "srtp: off\n    symmetric: auto", "trunks[lab].symmetric: expected off or once"},
      {"srtp: off", "srtp: off\n    media_ports: shared", "trunks[lab].media_ports: expected private"},
      {"srtp: off", "key_exchange: any\n    media_ports: shared",
       "trunks[lab].media_ports: expected private"},
      {"srtp: off", "media_ports: shared", ""},
      {"address: 10.0.0.5\n", "address: 0.0.0.0\n", ""},
      {"address: 10.0.0.5\n      advertise: 203.0.113.5", "address: 0.0.0.0",
       "media.addresses[1].advertise: expected an address"},
      {"- address: 127.0.0.1\n    - address: 10.0.0.5\n", "- address: 10.0.0.5\n      side: trunks\n",
       "media.addresses: expected one with side both, or one of each side, got none for apps"},
      {"- address: 127.0.0.1\n    - address: 10.0.0.5\n", "- address: 10.0.0.5\n      side: apps\n",
       "media.addresses: expected one with side both, or one of each side, got none for trunks"},
      {"advertise: 203.0.113.5", "advertise: 2001:db8::1",
       "media.addresses[1].advertise: expected the family"},
      {"edge.example\n    listener",
       "a-name-that-is-far-too-long-for-a-certificate-of-direct-routing.edge.example\n"
       "    listener",
       "trunks[0].fqdn: expected a full host name of at most 63 characters"},
      {"peers: [127.0.0.1, \"127.0.0.1:5080\", 10.0.0.0/8, \"[2001:db8::1]:5060\"]",
       "peers: [sbc.example]", "trunks[lab].peers: expected an address"},
      {"peers: [127.0.0.1,", "peers: [127.0.0.256,", "trunks[1].peers: expected a list"},
      {"max_calls: 5\n", "max_calls: 05\n", "trunks[1].max_calls: expected a whole number"},
      {"region: test", "region: &a test", "anchors (&name) are not taken here"},
      {"region: test", "region: *a", "aliases (*name) are not taken here"},
      {"region: test", "region: !!str test", "tags (!name) are not taken here"},
      {"region: test", "region: \"a\\nb\"", "expected a text without control characters"},
      {"region: test", "region: [[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]", "expected at most 16 levels"},
      {"region: test", "region: {a: b}",
       "node.region: expected letters, digits and . _ - of 1 to 63 characters, got \"a map\""},
      {"region: test", "region:", "node.region: expected"},
      {"region: test", "region: 'x", "YAML: "},
      {"users:", "---\nusers:", "expected one YAML document"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    own(conf) c = NULL;
    own_mem char *text = changed(rows[i].from, rows[i].to);
    int r = parse(&c, text);
    if (!rows[i].text[0]) {
      cr_assert_eq(r, 0, "row %zu: %s", i, errors.list[0].text);
      continue;
    }
    cr_assert_eq(r, -EINVAL, "row %zu", i);
    cr_assert_eq(errors.n, 1, "row %zu: %u errors: %s", i, errors.n, errors.list[0].text);
    cr_assert(has_error(0, rows[i].text), "row %zu: %s", i, errors.list[0].text);
    cr_assert_gt(errors.list[0].line, 0, "row %zu", i);
  }
}

Test(conf, odd_files) {
  own(conf) c = NULL;
  cr_assert_eq(parse(&c, ""), -EINVAL);
  cr_assert_eq(parse(&c, "hello"), -EINVAL);
  cr_assert_eq(parse(&c, "- a"), -EINVAL);
  cr_assert_eq(conf_load(&c, "/nonexistent/s.yaml", true, &errors), -EINVAL);
  cr_assert(has_error(0, "cannot be read"));
  char *big = calloc(1, (4 << 20) + 2);
  memset(big, '#', (4 << 20) + 1);
  cr_assert_eq(parse(&c, big), -EINVAL);
  cr_assert(has_error(0, "expected at most 4 MiB"));
  free(big);
}

static void file_put(const char *dir, const char *name, mode_t mode) {
  char path[700];
  snprintf(path, sizeof(path), "%s/%s", dir, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  cr_assert(fd >= 0 && write(fd, "secret\n", 7) == 7 && fchmod(fd, mode) == 0);
  close(fd);
}

Test(conf, keys_must_be_there_and_private) {
  char dir[] = "/tmp/check_conf_XXXXXX", path[100], text[300];
  own_mem char *yaml = load("tests/unit/data/good.yaml");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(path, sizeof(path), "%s/s.yaml", dir);
  FILE *f = fopen(path, "w");
  cr_assert(f && fputs(yaml, f) > 0);
  fclose(f);
  own(conf) c = NULL;
  cr_assert_eq(conf_load(&c, path, false, &errors), -EINVAL);
  cr_assert_eq(errors.n, 8);
  cr_assert(has_error(31, "dialplan: cannot be read"));
  cr_assert(has_error(63, "relays[near].secret_file: cannot be read"));
  file_put(dir, "relay.secret", 0600);
  file_put(dir, "plan.yaml", 0644);
  file_put(dir, "service.pem", 0644);
  file_put(dir, "service.key", 0640);
  cr_assert_eq(conf_load(&c, path, false, &errors), -EINVAL);
  cr_assert_eq(errors.n, 2);
  cr_assert(has_error(38, "listeners[tls].key: "), "%s", errors.list[1].text);
  cr_assert(has_error(22, "service.key: expected a mode such as 0600, got 0640"), "%s",
            errors.list[0].text);
  file_put(dir, "service.key", 0600);
  cr_assert_eq(conf_load(&c, path, false, &errors), 0);
  snprintf(path, sizeof(path), "%s/none", dir);
  cr_assert_eq(secret_check(path, text, sizeof(text)), -EINVAL);
  cr_assert_eq(secret_check(dir, text, sizeof(text)), -EINVAL);
  snprintf(path, sizeof(path), "rm -r %s", dir);
  cr_assert_eq(system(path), 0);
}

/* SALLYPORT_WRITE_DOCS=1 writes the page anew. */
Test(conf, every_map_and_list_of_maps_has_its_shape) {
  for (size_t i = 0; i < conf_fields_n; i++) {
    const struct field *f = &conf_fields[i];
    cr_assert(f->type != FIELD_SUB || conf_shape_find(f->section, slice_of(f->key)),
              "%s: a row in conf/shape.c is missing", f->key);
  }
  for (size_t i = 0; i < conf_shapes_n; i++)
    cr_assert(conf_field_find(conf_shapes[i].section, slice_of(conf_shapes[i].key)), "%s",
              conf_shapes[i].key);
}

Test(conf, nodes_know_where_they_end) {
  own(tree) t = NULL;
  cr_assert_eq(
      tree_new(&t, "",
               SLICE("a:\n  - b: 1\n    c: [1,\n      2]\n  # more\n\n  - d: \"x\n    y\"\n# end\n"),
               &errors),
      0);
  const struct tree_node *list = tree_find(t->root, "a");
  cr_assert_eq(list->child->line, 2);
  cr_assert_eq(list->child->last_line, 4);
  cr_assert_eq(list->child->next->line, 7);
  cr_assert_eq(list->child->next->last_line, 8);
  cr_assert(!list->is_flow && tree_find(list->child, "c")->is_flow);
}

Test(conf, documentation_is_current) {
  static char page[65536];
  size_t n;
  cr_assert_eq(conf_doc(page, sizeof(page), &n), 0);
  if (getenv("SALLYPORT_WRITE_DOCS")) {
    FILE *f = fopen(source("docs/configuration.md"), "w");
    cr_assert(f && fwrite(page, 1, n, f) == n);
    fclose(f);
  }
  own_mem char *there = load("docs/configuration.md");
  cr_assert_str_eq(page, there,
                   "docs/configuration.md is stale: run check_conf with SALLYPORT_WRITE_DOCS=1");
}

Test(conf, defaults_are_what_their_rows_expect) {
  for (size_t i = 0; i < conf_fields_n; i++) {
    const struct field *f = &conf_fields[i];
    cr_assert_not((f->flags & FIELD_REQUIRED) && f->def, "%s", f->key);
    cr_assert(f->doc && f->doc[0], "%s", f->key);
    cr_assert(f->type != FIELD_NUMBER || f->bytes == sizeof(uint32_t), "%s", f->key);
    cr_assert(f->type != FIELD_BOOL || f->bytes == sizeof(bool), "%s", f->key);
    cr_assert((f->type != FIELD_TEXT && f->type != FIELD_NAME) ||
                  f->bytes >= (f->type == FIELD_NAME || f->flags & FIELD_ASCII ? f->max + 1
                                                                               : CHARS_BYTES(f->max)),
              "%s: no room for so many characters", f->key);
    cr_assert(f->type != FIELD_CHOICE || f->bytes == 1 || f->bytes == 4, "%s", f->key);
  }
}

Test(host, rules) {
  static const struct {
    const char *rule, *host;
    uint16_t default_port;
    int has; /* -1: the rule is refused */
  } rows[] = {
      {"sbc.example", "sbc.example", 0, 1},
      {"sbc.example", "SBC.Example.", 0, 1},
      {"sbc.example", "sbc.example:5061", 0, 1},
      {"sbc.example", "a.sbc.example", 0, 0},
      {"*.example.com", "a.example.com", 0, 1},
      {"*.example.com", "a.b.example.com", 0, 0},
      {"*.example.com", "example.com", 0, 0},
      {"sbc.example:5061", "sbc.example:5061", 0, 1},
      {"sbc.example:5061", "sbc.example", 5061, 1},
      {"sbc.example:5061", "sbc.example", 5060, 0},
      {"10.0.0.0/8", "10.1.2.3:5060", 0, 1},
      {"10.0.0.0/8", "11.1.2.3", 0, 0},
      {"10.0.0.1:5060", "10.0.0.1:5062", 0, 0},
      {"10.0.0.1:5060", "10.0.0.1", 5060, 1},
      {"[2001:db8::1]:5060", "[2001:db8::1]:5060", 0, 1},
      {"2001:db8::/32", "[2001:db8:1::5]", 0, 1},
      {"10.0.0.1/8", "", 0, -1},
      {"*", "", 0, -1},
      {"*.*.a", "", 0, -1},
      {"a..b", "", 0, -1},
      {"-a.b", "", 0, -1},
      {"1.2.3", "", 0, -1},
      {"a:0", "", 0, -1},
      {"a:70000", "", 0, -1},
      {"[10.0.0.1]", "", 0, -1},
      {"", "", 0, -1},
      {"sbc.example", "evil sbc.example", 0, 0},
      {"10.0.0.1", "sbc.example", 0, 0},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct host_rule r;
    int got = host_rule_parse(&r, slice_of(rows[i].rule));
    cr_assert_eq(got, rows[i].has < 0 ? -EINVAL : 0, "row %zu", i);
    if (got == 0)
      cr_assert_eq(host_rule_has(&r, slice_of(rows[i].host), rows[i].default_port), rows[i].has,
                   "row %zu", i);
  }
}

/* A tenant takes what it lacks from its base; OPTIONS stay the base's. */
Test(conf, tenants) {
  own(conf) c = NULL;
  own_mem char *text =
      changed("  - name: lab\n",
              "  - {name: contoso, base: demo, peers: [sbc1.customers.example], max_calls: 3}\n"
              "  - name: lab\n");
  int r = parse(&c, text);
  print_errors();
  cr_assert_eq(r, 0);
  const struct conf_trunk *base = conf_trunk_find(c, SLICE("demo"));
  const struct conf_trunk *t = conf_trunk_find(c, SLICE("contoso"));
  cr_assert(base && t);
  cr_expect_eq(t->kind, TRUNK_DIRECT_ROUTING);
  cr_expect_str_eq(t->fqdn, base->fqdn);
  cr_expect_str_eq(t->target, base->target);
  cr_expect_str_eq(t->peers.text[0], "sbc1.customers.example");
  cr_expect_eq(t->max_calls, 3);
  cr_expect(base->options && !t->options);
  cr_expect_eq(base->options_down, 3);
  cr_expect_eq(conf_trunk_base(c, t), base);
  cr_expect_eq(conf_trunk_base(c, base), base);
  cr_expect(conf_trunk_fails_over(t, 503) && !conf_trunk_fails_over(t, 500));
}

/* The role of the SBC: targets are the hub's names in order, and who speaks from there is the peer. */
Test(conf, hubs) {
  own(conf) c = NULL;
  own_mem char *text =
      changed("  - name: lab\n",
              "  - {name: service, kind: direct-routing, role: sbc, fqdn: sbc.example, listener: tls,\n"
              "     hubs: [sip.hub.example, \"sip2.hub.example:5091\"]}\n"
              "  - name: lab\n");
  char target[CONF_PATH_BYTES];
  int r = parse(&c, text);
  print_errors();
  cr_assert_eq(r, 0);
  const struct conf_trunk *t = conf_trunk_find(c, SLICE("service"));
  cr_assert(t);
  cr_expect_str_eq(t->target, "sip:sip.hub.example:5061;transport=tls");
  cr_expect(conf_trunk_target(t, 1, target, sizeof(target)) == 0 &&
            !strcmp(target, "sip:sip2.hub.example:5091;transport=tls"));
  cr_expect_eq(conf_trunk_target(t, 2, target, sizeof(target)), -ENOENT);
  cr_expect_eq(t->peers.n, 2);
  cr_expect_str_eq(t->peers.text[1], "sip2.hub.example");
  t = conf_trunk_find(c, SLICE("lab"));
  cr_expect(conf_trunk_target(t, 0, target, sizeof(target)) == (t->target[0] ? 0 : -ENOENT));
}

Test(conf, targets_in_order) {
  own(conf) c = NULL;
  own_mem char *text =
      changed("  - name: lab\n",
              "  - {name: two, listener: lab, peers: [192.0.2.1], targets: [\"sip:a.example\", "
              "\"sip:192.0.2.1:5070;transport=udp\"]}\n"
              "  - name: lab\n");
  char target[CONF_PATH_BYTES];
  int r = parse(&c, text);
  print_errors();
  cr_assert_eq(r, 0);
  const struct conf_trunk *t = conf_trunk_find(c, SLICE("two"));
  cr_assert(t);
  cr_expect_eq(conf_trunk_targets(t), 2);
  cr_expect_str_eq(t->target, "sip:a.example");
  cr_expect(conf_trunk_target(t, 1, target, sizeof(target)) == 0 &&
            !strcmp(target, "sip:192.0.2.1:5070;transport=udp"));
  cr_expect_eq(conf_trunk_target(t, 2, target, sizeof(target)), -ENOENT);
  cr_expect_eq(conf_trunk_targets(conf_trunk_find(c, SLICE("lab"))), 1);
}

Test(conf, edits_of_header_fields) {
  own(conf) c = NULL;
  struct conf *none = NULL;
  own_mem char *good =
      changed("    srtp: off\n",
              "    srtp: off\n"
              "    headers:\n"
              "      in:\n"
              "        - {action: remove, name: X-A}\n"
              "      out:\n"
              "        - {action: add, name: X-B, value: \"${called}\"}\n"
              "        - {action: rewrite, name: X-B, match: \"+1\", prefix: true, value: a}\n");
  cr_assert_eq(parse(&c, good), 0);
  const struct conf_trunk *t = conf_trunk_find(c, SLICE("lab"));
  cr_assert_eq(t->headers.in.n, 1);
  cr_assert_eq(t->headers.out.n, 2);
  cr_assert_eq(t->headers.out.edit[1].action, EDIT_REWRITE);
  cr_assert(t->headers.out.edit[1].is_prefix);
  own_mem char *bad =
      changed("    srtp: off\n", "    srtp: off\n"
                                 "    headers:\n"
                                 "      out:\n"
                                 "        - {action: add, name: via, value: x}\n"
                                 "        - {action: add, name: \"X: y\", value: x}\n"
                                 "        - {action: add, name: X-A}\n"
                                 "        - {action: remove, name: content-length}\n"
                                 "        - {action: add, name: X-A, value: \"${password}\"}\n");
  cr_assert_eq(parse(&none, bad), -EINVAL);
  cr_assert(has_error(0, "headers.out[0].name: via is never edited"));
  cr_assert(has_error(0, "headers.out[1].name: expected the name"));
  cr_assert(has_error(0, "headers.out[2].value: expected a text"));
  cr_assert(has_error(0, "headers.out[3].name: content-length is never"));
  cr_assert(has_error(0, "headers.out[4].value: expected no control"));
}
