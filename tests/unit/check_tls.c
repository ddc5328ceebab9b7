/* SPDX-License-Identifier: Apache-2.0
 * Units of trunk/tls without the SIP library's loop: names, credential sets, handshake threads,
 * answers to malformed requests. */
#define _GNU_SOURCE
#include "base/clock.h"
#include "certmake.h"
#include "trunk/badline.h"
#include "trunk/peername.h"
#include "trunk/profile.h"
#include "trunk/shake.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Names ---------------------------------------------------------------------------------------- */

static bool is(const char *subject, const char *host) { return peername_is(subject, slice_of(host)); }

Test(tlsname, dns_names_and_wildcards) {
  cr_assert(is("sbc.example.test", "SBC.example.test"));
  cr_assert(is("sbc.example.test", "sbc.example.test."));
  cr_assert(is("*.example.test", "a.example.test"));
  cr_assert_not(is("*.example.test", "example.test"));
  cr_assert_not(is("*.example.test", "a.b.example.test"));
  cr_assert_not(is("*.test", "example.test"));
  cr_assert_not(is("*", "test"));
  cr_assert_not(is("*.", "a."));
  cr_assert_not(is("a*.example.test", "ab.example.test"));
  cr_assert_not(is("*.*.test", "a.b.test"));
  cr_assert_not(is("sbc.example.test", "sbc.example.tes"));
  cr_assert_not(is("sbc.example.test", ""));
  cr_assert_not(is("", ""));
  cr_assert_not(is("*.example.test", ".example.test"));
}

Test(tlsname, uris_and_addresses) {
  cr_assert(is("sip:example.test", "example.test"));
  cr_assert(is("sips:Example.test;transport=tls", "example.test"));
  cr_assert_not(is("sip:alice@example.test", "example.test"));
  cr_assert_not(is("https://example.test", "example.test"));
  cr_assert_not(is("sip:*.example.test", "a.example.test"));
  cr_assert(is("192.0.2.1", "192.0.2.1"));
  cr_assert(is("2001:db8::1", "[2001:DB8:0::1]"));
  cr_assert_not(is("192.0.2.1", "192.0.2.2"));
  cr_assert_not(is("*.0.2.1", "192.0.2.1"));
  cr_assert_not(is("sbc.example.test", "192.0.2.1"));
}

Test(tlsname, only_alternative_names_of_a_certificate) {
  struct peernames n;
  struct certmake c =
      certmake(NULL, &(struct certmake_wish){
                         .cn = "cn.test",
                         .san = "DNS:a.test,URI:sip:b.test,IP:192.0.2.9,IP:2001:db8::9,email:x@y.test"});
  cr_assert_eq(peernames_read(&n, c.cert), 0);
  cr_assert_eq(n.n, 4);
  cr_assert(peernames_have(&n, SLICE("a.test")) && peernames_have(&n, SLICE("b.test")));
  cr_assert(peernames_have(&n, SLICE("192.0.2.9")) && peernames_have(&n, SLICE("2001:db8::9")));
  cr_assert_not(peernames_have(&n, SLICE("cn.test")));
  peernames_done(&n);
  certmake_done(&c);
}

Test(tlsname, a_nul_in_a_name_is_no_name) {
  struct peernames n;
  struct certmake c = certmake(NULL, &(struct certmake_wish){.cn = "x"});
  GENERAL_NAMES *all = GENERAL_NAMES_new();
  GENERAL_NAME *g = GENERAL_NAME_new();
  ASN1_IA5STRING *s = ASN1_IA5STRING_new();
  ASN1_STRING_set(s, "good.test\0.evil.test", 20);
  GENERAL_NAME_set0_value(g, GEN_DNS, s);
  sk_GENERAL_NAME_push(all, g);
  X509_add1_ext_i2d(c.cert, NID_subject_alt_name, all, 0, X509V3_ADD_REPLACE);
  cr_assert_eq(peernames_read(&n, c.cert), 0);
  cr_assert_eq(n.n, 0);
  GENERAL_NAMES_free(all);
  certmake_done(&c);
}

/* Credential sets ------------------------------------------------------------------------------ */

static struct {
  char dir[64];
  struct certmake root, middle, leaf, other;
} pki;

static void pki_make(void) {
  strcpy(pki.dir, "/tmp/check_tls.XXXXXX");
  cr_assert(mkdtemp(pki.dir) != NULL);
  pki.root = certmake(NULL, &(struct certmake_wish){.cn = "root", .ca = true});
  pki.middle = certmake(&pki.root, &(struct certmake_wish){.cn = "middle", .ca = true});
  pki.leaf = certmake(&pki.middle, &(struct certmake_wish){.san = "DNS:sbc.test,DNS:*.wild.test",
                                                           .usage = "serverAuth"});
  pki.other = certmake(&pki.root, &(struct certmake_wish){.san = "DNS:other.test", .end_s = 3600});
  certmake_chain(pki.dir, "ca", (const struct certmake *[]){&pki.root, NULL});
  certmake_chain(pki.dir, "sbc", (const struct certmake *[]){&pki.leaf, &pki.middle, NULL});
  certmake_key(pki.dir, "sbc", &pki.leaf, 0600);
  certmake_chain(pki.dir, "other", (const struct certmake *[]){&pki.other, NULL});
  certmake_key(pki.dir, "other", &pki.other, 0600);
}

static void pki_drop(void) {
  char command[96];
  snprintf(command, sizeof(command), "rm -rf %s", pki.dir);
  cr_assert_eq(system(command), 0);
  certmake_done(&pki.root), certmake_done(&pki.middle);
  certmake_done(&pki.leaf), certmake_done(&pki.other);
}

static char chain_path[128], key_path[128], chain2_path[128], key2_path[128], ca_path[128];
static struct profile_settings settings_for(const char *first, const char *second) {
  snprintf(chain_path, sizeof(chain_path), "%s/%s.pem", pki.dir, first ? first : "");
  snprintf(key_path, sizeof(key_path), "%s/%s.key", pki.dir, first ? first : "");
  snprintf(chain2_path, sizeof(chain2_path), "%s/%s.pem", pki.dir, second ? second : "");
  snprintf(key2_path, sizeof(key2_path), "%s/%s.key", pki.dir, second ? second : "");
  snprintf(ca_path, sizeof(ca_path), "%s/ca.pem", pki.dir);
  return (struct profile_settings){
      .cert = {{chain_path, key_path}, {chain2_path, key2_path}},
      .certs = (first ? 1U : 0U) + (second ? 1U : 0U),
      .ca_file = ca_path,
  };
}

static int check_why(const struct profile_settings *s, const char *expected) {
  char why[256] = "";
  int r = profile_check(s, why, sizeof(why));
  cr_assert(r && strstr(why, expected), "%d, \"%s\" has no \"%s\"", r, why, expected);
  return r;
}

Test(tlscreds, each_fault_is_named, .init = pki_make, .fini = pki_drop) {
  char why[256];
  struct profile_settings s = settings_for("sbc", "other");
  cr_assert_eq(profile_check(&s, why, sizeof(why)), 0);
  chmod(key_path, 0640);
  cr_assert_eq(check_why(&s, "0640"), -EACCES);
  chmod(key_path, 0600);
  s.cert[0].key_file = key2_path;
  check_why(&s, "is not the key of the first certificate");
  s.cert[0].key_file = chain_path;
  chmod(chain_path, 0600);
  check_why(&s, "no private key");
  s = settings_for("sbc", NULL);
  s.cert[0].chain_file = key_path;
  check_why(&s, "certificates in PEM form");
  s = settings_for("none", NULL);
  check_why(&s, "none.pem: No such file");
  s = settings_for("sbc", NULL);
  s.ca_file = key_path;
  check_why(&s, "no trusted roots");
  s.ca_file = pki.dir;
  check_why(&s, "not a regular file");
  s.ca_file = NULL;
  s.mtls = MTLS_REQUIRED;
  check_why(&s, "no roots");
}

Test(tlscreds, an_encrypted_key_is_refused_and_asks_nobody, .init = pki_make, .fini = pki_drop) {
  struct profile_settings s = settings_for("sbc", NULL);
  FILE *f = fopen(key_path, "w");
  cr_assert(f && PEM_write_PKCS8PrivateKey(f, pki.leaf.key, EVP_aes_128_cbc(), "1234", 4, NULL, NULL));
  fclose(f);
  check_why(&s, "encrypted");
}

Test(tlscreds, profiles_are_added_reloaded_forgotten, .init = pki_make, .fini = pki_drop) {
  char why[256];
  struct profile_settings s = settings_for("sbc", NULL), t = settings_for("sbc", "other");
  cr_assert_eq(profile_add("a", &s, why, sizeof(why)), 0);
  cr_assert_eq(profile_add("a", &s, why, sizeof(why)), -EEXIST);
  cr_assert_eq(profile_reload("b", &s, why, sizeof(why)), -ENOENT);
  int64_t day = profile_expiry_s("a");
  cr_assert_eq(profile_reload("a", &t, why, sizeof(why)), 0);
  cr_assert_lt(profile_expiry_s("a"), day - 3600);
  t.cert[1].key_file = chain_path;
  cr_assert_neq(profile_reload("a", &t, why, sizeof(why)), 0);
  cr_assert_lt(profile_expiry_s("a"), day - 3600); /* the old set stays */
  profile_clear();
  cr_assert_eq(profile_expiry_s("a"), 0);
}

/* Handshake threads ---------------------------------------------------------------------------- */

struct end {
  struct shake s;
  atomic_bool back;
};

static void came_back(struct shake *s) { atomic_store(&CONTAINER_OF(s, struct end, s)->back, true); }

static void pair_make(int fd[2]) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(in);
  int l = socket(AF_INET, SOCK_STREAM, 0);
  cr_assert(!bind(l, (struct sockaddr *)&in, len) && !listen(l, 1) &&
            !getsockname(l, (struct sockaddr *)&in, &len));
  fd[0] = socket(AF_INET, SOCK_STREAM, 0);
  cr_assert(!connect(fd[0], (struct sockaddr *)&in, len));
  fd[1] = accept4(l, NULL, NULL, SOCK_NONBLOCK);
  close(l);
  int on = 1;
  cr_assert(!ioctl(fd[0], FIONBIO, &on));
}

static bool waited(struct end *e, int ms) {
  for (; !atomic_load(&e->back) && ms > 0; ms -= 2)
    usleep(2000);
  return atomic_load(&e->back) && shake_back(&e->s);
}

/* One handshake; the results of client and server. */
struct outcome {
  struct end client, server;
  int fd[2];
};

static void shake_both(struct shaker *k, struct outcome *o, struct creds *client, struct creds *server,
                       const char *wanted) {
  *o = (struct outcome){.client.s.done = came_back, .server.s.done = came_back};
  pair_make(o->fd);
  cr_assert_eq(shake_watch(k, &o->client.s, client, o->fd[0], false), 0);
  cr_assert_eq(shake_watch(k, &o->server.s, server, o->fd[1], true), 0);
  shake_start(k, &o->client.s, wanted);
  shake_start(k, &o->server.s, "");
  cr_assert(waited(&o->client, 4000) && waited(&o->server, 4000));
}

static void outcome_done(struct outcome *o) {
  shake_done(&o->client.s), shake_done(&o->server.s);
  close(o->fd[0]), close(o->fd[1]);
}

static struct creds *load(const struct profile_settings *s) {
  char why[256] = "";
  struct creds *c = NULL;
  cr_assert_eq(creds_load(&c, s, why, sizeof(why)), 0, "%s", why);
  return c;
}

Test(tlsshake, names_chains_and_certificates_by_sni, .init = pki_make, .fini = pki_drop) {
  own(shaker) k = NULL;
  struct outcome o;
  struct profile_settings s = settings_for("sbc", "other");
  own(creds) server = load(&s);
  s.certs = 0;
  own(creds) client = load(&s);
  cr_assert_eq(shaker_new(&k, 2), 0);
  const char *const good[] = {"sbc.test", "a.wild.test", "other.test"};
  for (size_t i = 0; i < 3; i++) {
    shake_both(k, &o, client, server, good[i]);
    cr_assert_eq(o.client.s.result, SHAKE_OK, "%s: %s", good[i], o.client.s.error);
    cr_assert_eq(o.server.s.result, SHAKE_OK);
    cr_assert(o.client.s.verified && !o.server.s.verified);
    cr_assert(peernames_have(&o.client.s.names, slice_of(good[i])));
    outcome_done(&o);
  }
  const char *const bad[] = {"wild.test", "evil.test", "127.0.0.1", ""};
  for (size_t i = 0; i < 4; i++) {
    shake_both(k, &o, client, server, bad[i]);
    cr_assert_eq(o.client.s.result, SHAKE_WRONG_NAME, "%s", bad[i]);
    cr_assert_not(o.client.s.verified);
    outcome_done(&o);
  }
  cr_assert_eq(shaker_count(k), 0);
}

Test(tlsshake, client_certificates_by_policy, .init = pki_make, .fini = pki_drop) {
  own(shaker) k = NULL;
  struct outcome o;
  struct profile_settings s = settings_for("other", NULL);
  cr_assert_eq(shaker_new(&k, 1), 0);
  for (int policy = MTLS_OFF; policy <= MTLS_REQUIRED; policy++) {
    s = settings_for("other", NULL);
    s.mtls = (enum conf_mtls)policy;
    own(creds) server = load(&s);
    s = settings_for("sbc", NULL);
    own(creds) with = load(&s);
    s.certs = 0;
    own(creds) without = load(&s);
    shake_both(k, &o, with, server, "other.test"); /* its certificate has serverAuth only */
    cr_assert_eq(o.server.s.result, SHAKE_OK, "policy %d: %s", policy, o.server.s.error);
    cr_assert_eq(o.server.s.verified, policy != MTLS_OFF);
    cr_assert_eq(o.server.s.peer_expiry_s != 0, policy != MTLS_OFF);
    outcome_done(&o);
    shake_both(k, &o, without, server, "other.test");
    cr_assert_eq(o.server.s.result, policy == MTLS_REQUIRED ? SHAKE_FAILED : SHAKE_OK);
    cr_assert_not(o.server.s.verified);
    outcome_done(&o);
  }
}

static enum shake_result strangers(struct shaker *k, const struct certmake *stranger, bool optional) {
  struct outcome o;
  certmake_chain(pki.dir, "stranger", (const struct certmake *[]){stranger, NULL});
  certmake_key(pki.dir, "stranger", stranger, 0600);
  struct profile_settings s = settings_for("stranger", NULL), t;
  own(creds) client = load(&s);
  t = settings_for("sbc", NULL);
  t.mtls = optional ? MTLS_OPTIONAL : MTLS_REQUIRED;
  own(creds) server = load(&t);
  shake_both(k, &o, client, server, "sbc.test");
  enum shake_result r = o.server.s.result;
  cr_assert_eq(o.server.s.verified, r == SHAKE_OK);
  outcome_done(&o);
  return r;
}

Test(tlsshake, bad_client_certificates_end_it_even_when_optional, .init = pki_make, .fini = pki_drop) {
  own(shaker) k = NULL;
  cr_assert_eq(shaker_new(&k, 1), 0);
  struct certmake self = certmake(NULL, &(struct certmake_wish){.san = "DNS:sbc.test"});
  struct certmake old = certmake(
      &pki.root, &(struct certmake_wish){.san = "DNS:sbc.test", .start_s = -7200, .end_s = -10});
  struct certmake below = certmake(&pki.other, &(struct certmake_wish){.san = "DNS:sbc.test"});
  struct certmake signer =
      certmake(&pki.root, &(struct certmake_wish){.san = "DNS:sbc.test", .usage = "codeSigning"});
  struct certmake fine =
      certmake(&pki.root, &(struct certmake_wish){.san = "DNS:sbc.test", .usage = "clientAuth"});
  cr_assert_eq(strangers(k, &fine, true), SHAKE_OK);
  cr_assert_eq(strangers(k, &self, true), SHAKE_FAILED);
  cr_assert_eq(strangers(k, &self, false), SHAKE_FAILED);
  cr_assert_eq(strangers(k, &old, true), SHAKE_FAILED);
  cr_assert_eq(strangers(k, &below, true), SHAKE_FAILED);
  cr_assert_eq(strangers(k, &signer, true), SHAKE_WRONG_NAME);
  certmake_done(&self), certmake_done(&old), certmake_done(&below);
  certmake_done(&signer), certmake_done(&fine);
}

Test(tlsshake, old_versions_and_ciphers_are_refused, .init = pki_make, .fini = pki_drop) {
  own(shaker) k = NULL;
  struct profile_settings s = settings_for("sbc", NULL);
  own(creds) server = load(&s);
  cr_assert_eq(shaker_new(&k, 1), 0);
  static const struct {
    int max;
    const char *ciphers;
    enum shake_result result;
  } row[] = {
      {TLS1_1_VERSION, "ALL:@SECLEVEL=0", SHAKE_FAILED},
      {TLS1_2_VERSION, "AES128-GCM-SHA256", SHAKE_FAILED},
      {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", SHAKE_FAILED},
      {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", SHAKE_OK},
  };
  for (size_t i = 0; i < COUNT_OF(row); i++) {
    struct outcome o = {.client.s.done = came_back, .server.s.done = came_back};
    pair_make(o.fd);
    cr_assert_eq(shake_watch(k, &o.client.s, server, o.fd[0], false), 0);
    cr_assert_eq(shake_watch(k, &o.server.s, server, o.fd[1], true), 0);
    SSL_set_min_proto_version(o.client.s.ssl, 0);
    SSL_set_max_proto_version(o.client.s.ssl, row[i].max);
    SSL_set_cipher_list(o.client.s.ssl, row[i].ciphers);
    shake_start(k, &o.client.s, "sbc.test");
    shake_start(k, &o.server.s, "");
    cr_assert(waited(&o.client, 4000) && waited(&o.server, 4000));
    cr_assert_eq(o.server.s.result, row[i].result, "row %zu", i);
    outcome_done(&o);
  }
}

Test(tlsshake, silence_meets_the_deadline_and_the_caps, .init = pki_make, .fini = pki_drop) {
  enum { N = 6, CAP = 4 };
  own(shaker) k = NULL;
  struct profile_settings s = settings_for("sbc", NULL);
  s.handshake_ms = 300;
  s.max_shakes_source = CAP;
  own(creds) server = load(&s);
  struct end e[N] = {0};
  int fd[N][2];
  cr_assert_eq(shaker_new(&k, 1), 0);
  uint64_t start = clock_now_us();
  for (int i = 0; i < N; i++) {
    pair_make(fd[i]);
    e[i].s.done = came_back;
    cr_assert_eq(shake_watch(k, &e[i].s, server, fd[i][1], true), i < CAP ? 0 : -EBUSY);
  }
  shake_start(k, &e[0].s, "");
  cr_assert(waited(&e[0], 2000)); /* in flight: it comes back */
  cr_assert_eq(e[0].s.result, SHAKE_TIMEOUT);
  cr_assert_geq(clock_now_us() - start, 290000);
  cr_assert_lt(clock_now_us() - start, 900000);
  struct pollfd p = {.fd = fd[1][1], .events = POLLIN}; /* watched: its owner is woken */
  cr_assert_eq(poll(&p, 1, 1000), 1);
  usleep(100000);
  cr_assert(atomic_load(&e[1].s.timed_out));
  cr_assert_eq(shaker_count(k), 0);
  struct end again = {.s.done = came_back};
  cr_assert_eq(shake_watch(k, &again.s, server, fd[5][1], true), 0); /* the caps are given back */
  cr_assert(shake_drop(k, &again.s));
  shake_done(&again.s);
  for (int i = 0; i < N; i++) {
    if (i < CAP) {
      cr_assert(shake_drop(k, &e[i].s));
      shake_done(&e[i].s);
    }
    close(fd[i][0]), close(fd[i][1]);
  }
}

Test(tlsshake, an_owner_may_let_go_at_any_moment, .init = pki_make, .fini = pki_drop) {
  own(shaker) k = NULL;
  struct profile_settings s = settings_for("sbc", NULL);
  own(creds) server = load(&s);
  cr_assert_eq(shaker_new(&k, 2), 0);
  for (int i = 0; i < 40; i++) {
    int fd[2];
    struct end e = {.s.done = came_back};
    pair_make(fd);
    cr_assert_eq(shake_watch(k, &e.s, server, fd[1], true), 0);
    if (i % 3)
      shake_start(k, &e.s, "");
    if (i % 4 == 1)
      close(fd[0]);
    bool mine = shake_drop(k, &e.s);
    cr_assert_eq(mine, i % 3 == 0);
    if (!mine)
      cr_assert_not(waited(&e, 2000)); /* back, as an orphan */
    cr_assert(mine || atomic_load(&e.back));
    shake_done(&e.s);
    if (i % 4 != 1)
      close(fd[0]);
    close(fd[1]);
  }
}

Test(tlsshake, the_end_brings_everything_back, .init = pki_make, .fini = pki_drop) {
  struct shaker *k = NULL;
  struct profile_settings s = settings_for("sbc", NULL);
  own(creds) server = load(&s);
  int fd[2];
  struct end e = {.s.done = came_back};
  cr_assert_eq(shaker_new(&k, 1), 0);
  pair_make(fd);
  cr_assert_eq(shake_watch(k, &e.s, server, fd[1], true), 0);
  shake_start(k, &e.s, "");
  shaker_free(k);
  cr_assert(atomic_load(&e.back));
  cr_assert_eq(e.s.result, SHAKE_STOPPED);
  cr_assert(shake_back(&e.s));
  shake_done(&e.s);
  close(fd[0]), close(fd[1]);
}

/* Malformed requests ---------------------------------------------------------------------------- */

#define REST \
  "Max-Forwards: 5\r\nCSeq: 7 INVITE\r\nTo: <sip:u@example.test>\r\n" \
  "From: <sip:a@example.test>;tag=1\r\nCall-ID: c1\r\n\r\n"
#define VIA "Via: SIP/2.0/UDP 192.0.2.1:5080;branch=z9hG4bKa\r\n"

static unsigned status_of(const char *text) { return badline_judge(slice_of(text)).status; }

Test(badline, what_is_answered) {
  cr_assert_eq(status_of("INVITE sip:user@example.com; lr SIP/2.0\r\n" VIA REST), 400);
  cr_assert_eq(status_of("INVITE  sip:user@example.com SIP/2.0\r\n" VIA REST), 400);
  cr_assert_eq(status_of("INVITE sip:user@example.com SIP/7.0\r\n" VIA REST), 505);
  cr_assert_eq(status_of("INVITE sip:user@example.com SIP/x\r\n" VIA REST), 400);
  cr_assert_eq(status_of("INV(ITE sip:user@example.com SIP/2.0\r\n" VIA REST), 400);
  cr_assert_eq(
      status_of("INVITE sip:user@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n" REST),
      400);
  cr_assert_eq(status_of("INVITE sip:u@e.com SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.15;\r\n" REST), 400);
}

/* RFC 4475 3.1.1.2: valid, but sofia's parser takes neither '+' nor '`' in a method. */
Test(badline, odd_responses_are_dropped) {
  char reply[BADLINE_REPLY_BYTES];
  struct addr from = {0}, to;
  static const char *const odd[] = {"700 No",  "099 No",  "99 No", "1000 No",      "2e2 OK",
                                    " 200 OK", "-200 OK", "",      "4294967496 OK"};
  for (size_t i = 0; i < COUNT_OF(odd); i++) {
    char text[200];
    snprintf(text, sizeof text, "SIP/2.0 %s\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\r\n", odd[i]);
    struct badline_verdict v = badline_judge(slice_of(text));
    cr_expect_eq(v.status, BADLINE_DROP, "%s: %u", odd[i], v.status);
    cr_expect_eq(badline_reply(slice_of(text), v, &from, reply, sizeof reply, &to), 0);
  }
  cr_expect_eq(status_of("SIP/2.0 100 Trying\r\n\r\n"), 0);
  cr_expect_eq(status_of("SIP/2.0 699\r\n\r\n"), 0);
  cr_expect_eq(status_of("sip/2.0 200 OK\r\n\r\n"), 0);
}

Test(badline, methods_that_the_library_cannot_read) {
  static const char intmeth[] =
      "!interesting-Method0123456789_*+`.%indeed'~ "
      "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com "
      "SIP/2.0\r\nVia: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\n"
      "To: \"BEL:\\\x07 NUL:\\\0 DEL:\\\x7f\" <sip:u@example.com>\r\nFrom: t "
      "<sip:m@example.com>;tag=_token~1'+`*%!-.\r\n"
      "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\n"
      "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\n\r\n";
  struct slice m = slice_from(intmeth, sizeof(intmeth) - 1);
  char buf[BADLINE_REPLY_BYTES];
  struct addr from, to;
  cr_assert_eq(badline_judge(m).status, 501);
  cr_assert_eq(addr_parse_port(&from, SLICE("192.0.2.7:9999")), 0);
  size_t n = badline_reply(m, badline_judge(m), &from, buf, sizeof(buf), &to);
  cr_assert_gt(n, 300);
  cr_assert(memmem(buf, n, "NUL:\\\0 DEL", 10) && memmem(buf, n, ">;tag=", 6));
  cr_assert_eq(addr_port(&to), 5060);
}

Test(badline, what_is_left_to_the_library) {
  cr_assert_eq(status_of("INVITE sip:user@example.com SIP/2.0\r\n" VIA REST), 0);
  cr_assert_eq(status_of("\r\n\r\nOPTIONS sip:x sip/2.0\n" VIA REST), 0);
  cr_assert_eq(status_of("SIP/2.0 200 OK\r\n" VIA REST), 0);
  cr_assert_eq(status_of("ACK sip:user@example.com; lr SIP/2.0\r\n" VIA REST), 0);
  cr_assert_eq(status_of("!interesting-Method0123456789_*.%indeed'~ sip:u@e.com SIP/2.0\r\n" VIA REST),
               0);
  cr_assert_eq(status_of("x"), 0);
  cr_assert_eq(status_of(""), 0);
  cr_assert_eq(status_of("\r\n\r\n"), 0);
  cr_assert_eq(status_of("GET / HTTP/1.1\r\n\r\n"), 0);
  cr_assert_eq(
      status_of("A b SIP/2.0\r\nVia: SIP/2.0/UDP h;a=\"x;;,\\\"\";b\r\n , SIP/2.0/UDP g\r\n" REST), 0);
}

static const char *reply_to(const char *msg, size_t n, const char *from, struct addr *to) {
  static char buf[BADLINE_REPLY_BYTES + 1];
  struct addr a;
  cr_assert_eq(addr_parse_port(&a, slice_of(from)), 0);
  struct slice m = slice_from(msg, n);
  size_t len = badline_reply(m, badline_judge(m), &a, buf, BADLINE_REPLY_BYTES, to);
  buf[len] = 0;
  return buf;
}

Test(badline, the_answer_copies_what_it_must) {
  struct addr to;
  char text[ADDR_TEXT_BYTES];
  const char *msg = "INVITE sip:u@e.com; lr SIP/2.0\r\n" VIA "v: SIP/2.0/TCP b\r\n" REST "junk: no";
  const char *r = reply_to(msg, strlen(msg), "192.0.2.7:9999", &to);
  const char *tag = strstr(r, ";tag=");
  cr_assert(!strncmp(r, "SIP/2.0 400 ", 12));
  cr_assert(strstr(
      r, "Via: SIP/2.0/UDP 192.0.2.1:5080;branch=z9hG4bKa;received=192.0.2.7\r\nv: SIP/2.0/TCP b\r\n"));
  cr_assert(strstr(r, "From: <sip:a@example.test>;tag=1\r\n") && strstr(r, "CSeq: 7 INVITE\r\n"));
  cr_assert(strstr(r, "Call-ID: c1\r\n") && strstr(r, "Content-Length: 0\r\n\r\n"));
  cr_assert(tag && strstr(r, "To: <sip:u@example.test>;tag="));
  cr_assert_str_eq(addr_text(&to, text, sizeof(text)), "192.0.2.7:5080");
  char *first = strdup(r);
  cr_assert_str_eq(first, reply_to(msg, strlen(msg), "192.0.2.7:9999", &to)); /* the tag is the same */
  free(first);
}

Test(badline, rport_says_where_to) {
  static const char *const via[] = {"h;rport;branch=b", "h;branch=b;rport", "h ; rport= ;branch=b"};
  static const char *const out[] = {"h;rport=9999;branch=b;received=192.0.2.7",
                                    "h;branch=b;rport=9999;received=192.0.2.7",
                                    "h ; rport=9999 ;branch=b;received=192.0.2.7"};
  struct addr to;
  char text[ADDR_TEXT_BYTES], msg[512];
  for (size_t i = 0; i < COUNT_OF(via); i++) {
    snprintf(msg, sizeof(msg), "INVITE sip:u; lr SIP/2.0\r\nVia: SIP/2.0/UDP %s\r\n" REST, via[i]);
    const char *r = reply_to(msg, strlen(msg), "192.0.2.7:9999", &to);
    cr_assert(strstr(r, out[i]), "%s", r);
    cr_assert_str_eq(addr_text(&to, text, sizeof(text)), "192.0.2.7:9999");
  }
}

/* Blanks by the ten thousand cost no more than the datagram is long. */
Test(badline, long_headers_take_no_time) {
  enum { N = 60000 };
  struct addr to;
  char *msg = calloc(1, N + 1000);
  static const char *const where[] = {"Via: SIP/2.0/UDP h", "To: <a>"};
  uint64_t start = clock_now_us();
  for (size_t i = 0; i < COUNT_OF(where); i++) {
    int n = sprintf(msg, "INVITE sip:u; lr SIP/2.0\r\n%sCSeq: 1 A\r\nFrom: b\r\nCall-ID: c\r\n%s",
                    i ? "Via: SIP/2.0/UDP h\r\n" : "To: x\r\n", where[i]);
    memset(msg + n, ' ', N);
    memcpy(msg + n + N - 6, ";rport", 6);
    strcpy(msg + n + N, "\r\n\r\n");
    cr_assert_str_eq(reply_to(msg, strlen(msg), "192.0.2.7:9", &to), "");
  }
  cr_assert_lt(clock_now_us() - start, 100000);
  free(msg);
}

Test(badline, what_cannot_be_answered_is_dropped) {
  struct addr to;
  const char *const msg[] = {
      "INVITE sip:u; lr SIP/2.0\r\n" REST,
      "INVITE sip:u; lr SIP/2.0\r\n" VIA "CSeq: 1 A\r\nTo: a\r\nFrom: b\r\n\r\n",
      "INVITE sip:u; lr SIP/2.0\r\n" VIA "CSeq: 1 A\rVia: x\r\nTo: a\r\nFrom: b\r\nCall-ID: c\r\n\r\n",
  };
  for (size_t i = 0; i < COUNT_OF(msg); i++)
    cr_assert_str_eq(reply_to(msg[i], strlen(msg[i]), "192.0.2.7:9", &to), "", "%zu", i);
  char *big = calloc(1, 9000);
  int n = snprintf(big, 9000, "INVITE sip:u; lr SIP/2.0\r\n" VIA "Call-ID: ");
  memset(big + n, 'x', 5000);
  strcpy(big + n + 5000, "\r\nCSeq: 1 A\r\nTo: a\r\nFrom: b\r\n\r\n");
  cr_assert_str_eq(reply_to(big, strlen(big), "192.0.2.7:9", &to), "");
  free(big);
}
