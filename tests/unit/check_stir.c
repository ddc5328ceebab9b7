/* SPDX-License-Identifier: Apache-2.0
 * PASSporTs: the examples of RFC 8225 and 8588, what is malformed, claims against a call, certificates
 * and signatures, and the whole with its thread and a server of the test's own. */
#include "base/clock.h"
#include "base/hmac.h"
#include "stir/desk.h"
#include "stir/stir.h"

#include <criterion/criterion.h>
#include "stir/tnauth.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define X5U "https://cert.example.org/passport.cer"
/* RFC 8225 appendix A */
#define EXAMPLE_TEXT \
  "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmN" \
  "lciJ9." \
  "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6IjE" \
  "yMTU1NTUxMjEyIn19"
#define EXAMPLE_SIGNATURE \
  "VLBCIVDCaeK6M4hLJb6SHQvacAQVvoiiEOWQ_iUkqk79UD81fHQ0E1b3_GluIkba7UWYRM47ZbNFdOJquE35cw"
static struct passport p;
static struct slice text;
static uint8_t signature[PASSPORT_SIG_BYTES];

Test(passport, example_of_rfc_8225) {
  cr_assert_eq(passport_read(SLICE(EXAMPLE_TEXT "." EXAMPLE_SIGNATURE), &p, &text, signature), 0);
  cr_assert_eq(p.kind, PASSPORT_BASE);
  cr_assert_str_eq(p.x5u, X5U);
  cr_assert_str_eq(p.orig, "12155551212");
  cr_assert_eq(p.n_dest, 0);
  cr_assert_eq(p.iat_s, 1471375418);
}

/* RFC 7515 A.3: what is printed as the signature in RFC 8225 is not of the keys printed there. */
Test(es256, example_of_rfc_7515) {
  static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
  uint8_t der[sizeof head + 64];
  const uint8_t *at = der;
  size_t n;
  memcpy(der, head, sizeof head);
  cr_assert_eq(base64_decode(SLICE("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), true,
                             der + sizeof head, 32, &n),
               0);
  cr_assert_eq(base64_decode(SLICE("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), true,
                             der + sizeof head + 32, 32, &n),
               0);
  EVP_PKEY *key = d2i_PUBKEY(NULL, &at, sizeof der);
  cr_assert(key);
  cr_assert_eq(
      base64_decode(
          SLICE(
              "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
          true, signature, sizeof signature, &n),
      0);
  struct slice input = SLICE(
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p"
      "c19yb290Ijp0cnVlfQ");
  cr_assert_eq(es256_verify(key, input, signature), 0);
  signature[5] ^= 1;
  cr_assert_eq(es256_verify(key, input, signature), -EKEYREJECTED);
  EVP_PKEY_free(key);
}

static const char *token_of(const char *head, const char *body) {
  static char token[4096];
  uint8_t zero[PASSPORT_SIG_BYTES] = {1};
  size_t n = base64_encode(token, head, strlen(head), true);
  token[n++] = '.';
  n += base64_encode(token + n, body, strlen(body), true);
  token[n++] = '.';
  base64_encode(token + n, zero, sizeof zero, true);
  return token;
}

#define SHAKEN_HEAD "{\"alg\":\"ES256\",\"ppt\":\"shaken\",\"typ\":\"passport\",\"x5u\":\"" X5U "\"}"
#define SHAKEN_BODY \
  "{\"attest\":\"A\",\"dest\":{\"tn\":[\"12155550131\"]},\"iat\":1443208345,\"orig\":{\"tn\":" \
  "\"12155550121\"}," \
  "\"origid\":\"123e4567-e89b-12d3-a456-426655440000\"}"

Test(passport, example_of_rfc_8588_both_ways) {
  char out[PASSPORT_TEXT_BYTES];
  const char *token = token_of(SHAKEN_HEAD, SHAKEN_BODY);
  cr_assert_eq(passport_read(slice_of(token), &p, &text, signature), 0);
  cr_assert_eq(p.kind, PASSPORT_SHAKEN);
  cr_assert_eq(p.attest, 'A');
  cr_assert(passport_is_for(&p, "12155550131") && !passport_is_for(&p, "1"));
  cr_assert_eq(passport_write(&p, out, sizeof out), 0);
  cr_assert(slice_eq(slice_of(out), text), "canonical: %s", out);
}

Test(passport, malformed) {
  static const struct {
    const char *head, *body;
  } bad[] = {
      {"{\"alg\":\"none\",\"typ\":\"passport\",\"x5u\":\"" X5U "\"}",
       "{\"dest\":{\"tn\":[\"1\"]},\"iat\":1,\"orig\":{\"tn\":\"2\"}}"},
      {"{\"alg\":\"HS256\",\"typ\":\"passport\",\"x5u\":\"" X5U "\"}",
       "{\"dest\":{\"tn\":[\"1\"]},\"iat\":1,\"orig\":{\"tn\":\"2\"}}"},
      {"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x5u\":\"" X5U "\"}",
       "{\"dest\":{\"tn\":[\"1\"]},\"iat\":1,\"orig\":{\"tn\":\"2\"}}"},
      {"{\"alg\":\"ES256\",\"typ\":\"passport\"}",
       "{\"dest\":{\"tn\":[\"1\"]},\"iat\":1,\"orig\":{\"tn\":\"2\"}}"},
      {"{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"passport\",\"x5u\":\"" X5U "\"}",
       "{\"dest\":{\"tn\":[\"1\"]},\"iat\":1,\"orig\":{\"tn\":\"2\"}}"},
      {"{\"alg\":\"ES256\",\"crit\":[\"x\"],\"typ\":\"passport\",\"x5u\":\"" X5U "\"}",
       "{\"dest\":{\"tn\":[\"1\"]},\"iat\":1,\"orig\":{\"tn\":\"2\"}}"},
      {"{\"alg\":\"ES256\",\"ppt\":\"rcd\",\"typ\":\"passport\",\"x5u\":\"" X5U "\"}", SHAKEN_BODY},
      {"{\"alg\":\"ES256\",\"ppt\":1,\"typ\":\"passport\",\"x5u\":\"" X5U "\"}", SHAKEN_BODY},
      {SHAKEN_HEAD, "{\"dest\":{\"tn\":[\"1\"]},\"iat\":1,\"orig\":{\"tn\":\"2\"}}"},
      {SHAKEN_HEAD, "{\"attest\":\"D\",\"dest\":{\"tn\":[\"1\"]},\"iat\":1,\"orig\":{\"tn\":\"2\"},"
                    "\"origid\":\"x\"}"},
      {SHAKEN_HEAD, "{\"attest\":\"A\",\"dest\":{\"tn\":[\"1\"]},\"iat\":\"1\",\"orig\":{\"tn\":\"2\"},"
                    "\"origid\":\"x\"}"},
      {SHAKEN_HEAD,
       "{\"attest\":\"A\",\"dest\":{\"tn\":[]},\"iat\":1,\"orig\":{\"tn\":\"2\"},\"origid\":\"x\"}"},
      {SHAKEN_HEAD, "{\"attest\":\"A\",\"dest\":{\"tn\":[\"1\",\"2\",\"3\",\"4\",\"5\"]},\"iat\":1,"
                    "\"orig\":{\"tn\":\"2\"},\"origid\":\"x\"}"},
      {SHAKEN_HEAD,
       "{\"attest\":\"A\",\"dest\":{\"tn\":\"1\"},\"iat\":1,\"orig\":{\"tn\":\"2\"},\"origid\":\"x\"}"},
      {SHAKEN_HEAD, "{\"attest\":\"A\",\"dest\":{\"tn\":[\"1\"]},\"iat\":1,\"orig\":{\"tn\":\"2a\"},"
                    "\"origid\":\"x\"}"},
      {SHAKEN_HEAD, "[]"},
      {SHAKEN_HEAD, "{"},
      {"", SHAKEN_BODY},
  };
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    cr_assert_eq(passport_read(slice_of(token_of(bad[i].head, bad[i].body)), &p, &text, signature),
                 -EBADMSG, "row %zu", i);
  cr_assert_eq(passport_read(SLICE(EXAMPLE_TEXT "."), &p, &text, signature), -EBADMSG);
  cr_assert_eq(passport_read(SLICE(EXAMPLE_TEXT ".AAAA"), &p, &text, signature), -EBADMSG);
  cr_assert_eq(passport_read(SLICE(EXAMPLE_TEXT), &p, &text, signature), -EBADMSG);
}

Test(passport, header_fields) {
  struct identity_field f;
  cr_assert_eq(
      identity_field_read(SLICE("a.b.c ; info = <https://x/y?z> ;ppt=\"shaken\";alg=ES256"), &f), 0);
  cr_assert(slice_eq(f.info, SLICE("https://x/y?z")) && slice_eq(f.ppt, SLICE("shaken")));
  static const char *const bad[] = {
      "a.b.c",    "a.b.c;info=https://x", "a;info=<x>;info=<y>", "a;info=<x>;alg=none", ";info=<x>",
      "a;info=<>"};
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    cr_assert_eq(identity_field_read(slice_of(bad[i]), &f), -EBADMSG, "%s", bad[i]);
}

Test(passport, urls) {
  struct conf_names hosts = {3, {"cert.example.org", "*.sti.test", "h.test:444"}};
  static const char *const good[] = {X5U, "https://cert.example.org:8443/a",
                                     "https://cert.example.org:443/a", "https://a.sti.test/b",
                                     "https://h.test:444/"};
  static const char *const bad[] = {"http://cert.example.org/a",
                                    "https://cert.example.org:80/a",
                                    "https://evil.test/a",
                                    "https://cert.example.org@evil.test/",
                                    "https://evil.test/cert.example.org",
                                    "https://cert.example.org.evil.test/",
                                    "https://a.b.sti.test/",
                                    "https://sti.test/",
                                    "https://h.test/",
                                    "https://127.0.0.1/",
                                    "https://[::1]/",
                                    "ftp://cert.example.org/",
                                    "https://",
                                    "https://cert.example.org/a b",
                                    "https://cert.example.org\\@evil.test/",
                                    "https://cert.example.org#@evil.test/",
                                    "file:///etc/passwd"};
  for (size_t i = 0; i < COUNT_OF(good); i++)
    cr_assert(x5u_is_allowed(&hosts, slice_of(good[i])), "%s", good[i]);
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    cr_assert_not(x5u_is_allowed(&hosts, slice_of(bad[i])), "%s", bad[i]);
}

/* Claims against a call -------------------------------------------------------------------------------
 */

enum { NOW_S = 1443208345 };
static struct stir_case c;
static struct stir_ask ask;
static struct stir_rules rules = {.freshness_s = 60, .hosts = {1, {"cert.example.org"}}};
static const char *why;

static void field_add(const char *ppt, const char *token) {
  snprintf(ask.field[ask.n++], STIR_FIELD_BYTES, "%s;info=<" X5U ">%s%s", token, *ppt ? ";ppt=" : "",
           ppt);
}

static void ask_begin(void) {
  memset(&ask, 0, sizeof ask);
  strcpy(ask.caller[0], "12155550121");
  strcpy(ask.called[0], "12155550131");
  strcpy(ask.called[1], "12155550131");
}

static enum stir_outcome judge(int64_t now_s) { return case_read(&c, &ask, &rules, now_s, &why); }

Test(judge, claims_of_a_call) {
  ask_begin();
  field_add("shaken", token_of(SHAKEN_HEAD, SHAKEN_BODY));
  cr_assert_eq(judge(NOW_S), STIR_VALID, "%s", why);
  cr_assert(c.token[0].is_needed);
  cr_assert_eq(judge(NOW_S + 60), STIR_VALID);
  cr_assert_eq(judge(NOW_S + 61), STIR_STALE);
  cr_assert_eq(judge(NOW_S - 61), STIR_STALE);
  ask.date_s = NOW_S + 4000; /* Date is not what counts */
  cr_assert_eq(judge(NOW_S), STIR_VALID);
  strcpy(ask.called[0], "12155550132");
  cr_assert_eq(judge(NOW_S), STIR_VALID); /* the Request-URI's still is */
  strcpy(ask.called[1], "12155550132");
  cr_assert_eq(judge(NOW_S), STIR_INVALID);
  ask_begin();
  field_add("shaken", token_of(SHAKEN_HEAD, SHAKEN_BODY));
  strcpy(ask.caller[0], "12155550122");
  cr_assert_eq(judge(NOW_S), STIR_INVALID);
  strcpy(ask.caller[1], "12155550121");
  cr_assert_eq(judge(NOW_S), STIR_VALID);
  rules.hosts.n = 0;
  cr_assert_eq(judge(NOW_S), STIR_INFO);
}

#define DIV(from, to) \
  token_of("{\"alg\":\"ES256\",\"ppt\":\"div\",\"typ\":\"passport\",\"x5u\":\"" X5U "\"}", \
           "{\"dest\":{\"tn\":[\"" to "\"]},\"div\":{\"tn\":\"" from \
           "\"},\"iat\":1443208345,\"orig\":{\"tn\":\"12155550121\"}}")

Test(judge, diversions) {
  ask_begin();
  strcpy(ask.called[0], "12155550140");
  strcpy(ask.called[1], "12155550140");
  field_add("shaken", token_of(SHAKEN_HEAD, SHAKEN_BODY));
  cr_assert_eq(judge(NOW_S), STIR_INVALID);
  field_add("div", DIV("12155550132", "12155550140"));
  cr_assert_eq(judge(NOW_S), STIR_INVALID); /* a step is missing */
  field_add("div", DIV("12155550131", "12155550132"));
  cr_assert_eq(judge(NOW_S), STIR_VALID);
  cr_assert(c.token[0].is_needed && c.token[1].is_needed && c.token[2].is_needed);
  ask_begin();
  field_add("div", DIV("12155550130", "12155550131"));
  cr_assert_eq(judge(NOW_S), STIR_INVALID); /* none of the caller */
}

Test(judge, compact_and_others) {
  ask_begin();
  field_add("", ".." EXAMPLE_SIGNATURE);
  cr_assert_eq(judge(NOW_S), STIR_STALE); /* no Date, no time */
  ask.date_s = NOW_S;
  cr_assert_eq(judge(NOW_S), STIR_VALID);
  cr_assert_eq(c.token[0].claims.kind, PASSPORT_BASE);
  ask_begin();
  field_add("rcd", "whatever");
  cr_assert_eq(judge(NOW_S), STIR_INVALID);
  field_add("shaken", token_of(SHAKEN_HEAD, SHAKEN_BODY));
  cr_assert_eq(judge(NOW_S), STIR_VALID);
  ask_begin();
  field_add("shaken", ".." EXAMPLE_SIGNATURE);
  cr_assert_eq(judge(NOW_S), STIR_INVALID); /* SHAKEN has no compact form */
  ask_begin();
  snprintf(ask.field[ask.n++], STIR_FIELD_BYTES, "%s;info=<https://cert.example.org/other>",
           token_of(SHAKEN_HEAD, SHAKEN_BODY));
  cr_assert_eq(judge(NOW_S), STIR_INVALID); /* info is not x5u */
}

/* Certificates ----------------------------------------------------------------------------------------
 */

struct made {
  EVP_PKEY *key;
  X509 *cert;
};

/* Of that issuer (NULL: its own); from an hour ago for a day; tns: with a TNAuthList. */
static struct made made(const char *name, const struct made *issuer, bool tns, const char *curve) {
  struct made m = {.key = EVP_EC_gen(curve), .cert = X509_new()};
  static const uint8_t list[] = {0x30, 0x08, 0xa0, 0x06, 0x16, 0x04, '7', '0', '9', 'J'};
  X509_set_version(m.cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(m.cert), 1 + rand());
  X509_gmtime_adj(X509_getm_notBefore(m.cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(m.cert), 86400);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(m.cert), "CN", MBSTRING_ASC, (const uint8_t *)name,
                             -1, -1, 0);
  X509_set_issuer_name(m.cert, X509_get_subject_name(issuer ? issuer->cert : m.cert));
  X509_set_pubkey(m.cert, m.key);
  X509_EXTENSION *ca =
      X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
  X509_add_ext(m.cert, ca, -1);
  X509_EXTENSION_free(ca);
  if (tns) {
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.26", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, list, sizeof list);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    X509_add_ext(m.cert, e, -1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
  }
  X509_sign(m.cert, issuer ? issuer->key : m.key, EVP_sha256());
  return m;
}

static struct slice pem_of(const struct made *m) {
  static char pem[8192];
  BIO *b = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(b, m->cert);
  int n = BIO_read(b, pem, sizeof pem - 1);
  BIO_free(b);
  return slice_from(pem, (size_t)n);
}

static void made_free(struct made *m) {
  EVP_PKEY_free(m->key);
  X509_free(m->cert);
}

Test(chain, to_the_roots_with_a_list_of_numbers) {
  struct made root = made("root", NULL, false, "P-256"), other = made("other", NULL, false, "P-256"),
              leaf = made("leaf", &root, true, "P-256"), bare = made("bare", &root, false, "P-256"),
              big = made("big", &root, true, "P-384"), stranger = made("x", &other, true, "P-256");
  X509_STORE *roots = X509_STORE_new();
  int64_t now_s = (int64_t)(clock_wall_ms() / 1000), end_s;
  EVP_PKEY *key = NULL;
  cr_assert_eq(X509_STORE_add_cert(roots, root.cert), 1);
  cr_assert_eq(chain_key(pem_of(&leaf), roots, now_s, &key, &end_s, &why), 0, "%s", why);
  cr_assert_eq(EVP_PKEY_eq(key, leaf.key), 1);
  cr_assert(end_s > now_s + 80000 && end_s < now_s + 90000);
  cr_assert_eq(es256_sign(leaf.key, SLICE("text"), signature), 0);
  cr_assert_eq(es256_verify(key, SLICE("text"), signature), 0);
  cr_assert_eq(es256_verify(key, SLICE("texT"), signature), -EKEYREJECTED);
  EVP_PKEY_free(key);
  cr_assert_eq(chain_key(pem_of(&leaf), roots, now_s + 90000, &key, &end_s, &why), -EKEYREJECTED);
  cr_assert_eq(chain_key(pem_of(&bare), roots, now_s, &key, &end_s, &why), -EKEYREJECTED);
  cr_assert_eq(chain_key(pem_of(&big), roots, now_s, &key, &end_s, &why), -EKEYREJECTED);
  cr_assert_eq(chain_key(pem_of(&stranger), roots, now_s, &key, &end_s, &why), -EKEYREJECTED);
  cr_assert_eq(chain_key(SLICE("<html>"), roots, now_s, &key, &end_s, &why), -EBADMSG);
  X509_STORE_free(roots);
  struct made *all[] = {&root, &other, &leaf, &bare, &big, &stranger};
  for (size_t i = 0; i < COUNT_OF(all); i++)
    made_free(all[i]);
}

/* The whole -------------------------------------------------------------------------------------------
 */

static struct stir_result got;
static unsigned results;
static void on_done(void *arg, const struct stir_result *r) {
  (void)arg;
  got = *r;
  results++;
}

static void file_write(const char *path, const struct made *m, bool is_key) {
  FILE *f = fopen(path, "w");
  cr_assert(f);
  if (is_key)
    PEM_write_PrivateKey(f, m->key, NULL, NULL, 0, NULL, NULL);
  else
    PEM_write_X509(f, m->cert);
  fclose(f);
}

Test(stir, signs_and_refuses_what_it_cannot_fetch, .timeout = 20) {
  static struct conf conf;
  char dir[] = "/tmp/check_stir.XXXXXX", path[3][64], header[STIR_HEADER_BYTES], why_text[256];
  struct made root = made("root", NULL, false, "P-256"), leaf = made("leaf", &root, true, "P-256");
  own(loop) loop = NULL;
  own(stir) s = NULL;
  cr_assert(mkdtemp(dir));
  for (int i = 0; i < 3; i++)
    snprintf(path[i], sizeof path[i], "%s/%d", dir, i);
  file_write(path[0], &root, false);
  file_write(path[1], &leaf, false);
  file_write(path[2], &leaf, true);
  cr_assert_eq(loop_new(&loop), 0);
  conf.n_trunks = 1;
  struct conf_trunk *t = &conf.trunks[0];
  strcpy(t->name, "a");
  t->stir.sign = true;
  t->stir.verify = VERIFY_TAG;
  snprintf(t->stir.certificate, sizeof t->stir.certificate, "%s", path[0]);
  snprintf(t->stir.key, sizeof t->stir.key, "%s", path[2]);
  strcpy(t->stir.x5u, "https://127.0.0.1:8443/x");
  conf.stir.freshness_s = 60;
  conf.stir.cache_s = 3600;
  snprintf(conf.stir.roots, sizeof conf.stir.roots, "%s", path[0]);
  conf.stir.x5u_hosts = (struct conf_names){1, {"127.0.0.1:1"}};
  struct stir_settings settings = {.conf = &conf, .loop = loop, .done = on_done};
  cr_assert_eq(stir_new(&s, &settings, why_text, sizeof why_text), -EINVAL);
  cr_assert(strstr(why_text, "not the certificate's"), "%s", why_text);
  snprintf(t->stir.certificate, sizeof t->stir.certificate, "%s", path[1]);
  strcpy(t->stir.x5u, "https://127.0.0.1:1/x");
  cr_assert_eq(stir_new(&s, &settings, why_text, sizeof why_text), 0);
  struct stir_call call = {.orig = "+1 (215) 555-0121",
                           .dest = "+12155550131",
                           .attest = 'B',
                           .origid = "123e4567e89b12d3a456426655440000"};
  cr_assert_eq(stir_sign(s, t, &call, header, sizeof header), 0);
  struct identity_field f;
  cr_assert_eq(identity_field_read(slice_of(header), &f), 0);
  cr_assert_eq(passport_read(f.token, &p, &text, signature), 0);
  cr_assert_eq(es256_verify(leaf.key, text, signature), 0);
  cr_assert_str_eq(p.orig, "12155550121");
  cr_assert_str_eq(p.origid, "123e4567-e89b-12d3-a456-426655440000");
  cr_assert_eq(p.attest, 'B');
  call.div = "+12155550130";
  cr_assert_eq(stir_sign(s, t, &call, header, sizeof header), 0);
  cr_assert(strstr(header, ";ppt=div"));
  call.orig = "alice";
  cr_assert_eq(stir_sign(s, t, &call, header, sizeof header), -EINVAL);
  ask_begin();
  call = (struct stir_call){.orig = ask.caller[0], .dest = ask.called[0], .attest = 'A', .origid = ""};
  cr_assert_eq(stir_sign(s, t, &call, ask.field[0], STIR_FIELD_BYTES), 0);
  ask.n = 1;
  ask.cookie = 7;
  for (unsigned i = 0; i < 7; i++) { /* nobody listens there; in the end the host is left alone */
    results = 0;
    snprintf(t->stir.x5u, sizeof t->stir.x5u, "https://127.0.0.1:1/%u", i);
    cr_assert_eq(stir_sign(s, t, &call, ask.field[0], STIR_FIELD_BYTES), 0);
    cr_assert_eq(stir_verify(s, &ask), 0);
    for (unsigned k = 0; k < 400 && !results; k++)
      loop_turn(loop, 10);
    cr_assert_eq(results, 1);
    cr_assert_eq(got.cookie, 7);
    cr_assert_eq(got.outcome, i < 5 ? STIR_INFO : STIR_NONE, "%u: %s", i, got.detail);
  }
  cr_assert_null(strstr(got.detail, "time"), "%s", got.detail);
  for (int i = 0; i < 3; i++)
    unlink(path[i]);
  rmdir(dir);
  made_free(&root);
  made_free(&leaf);
}

/* TNAuthList ----------------------------------------------------------------------------------------- */

Test(tnauth, provider_range_and_number) {
#define DER(bytes) slice_from(bytes, sizeof(bytes) - 1)
  const struct slice spc = DER("\x30\x08\xa0\x06\x16\x04" "709J");
  const struct slice range = DER("\x30\x14\xa1\x12\x30\x10\x16\x0a" "2155551200" "\x02\x02\x00\x64");
  const struct slice one = DER("\x30\x0e\xa2\x0c\x16\x0a" "2155551299");
  const struct slice both = DER("\x30\x22\xa1\x12\x30\x10\x16\x0a" "2155551200" "\x02\x02\x00\x64"
                                "\xa2\x0c\x16\x0a" "2155559999");
  cr_expect(tnauth_covers(spc, SLICE("15551234")), "whose numbers a provider has it does not say");
  cr_expect(tnauth_covers(range, SLICE("2155551200")));
  cr_expect(tnauth_covers(range, SLICE("2155551299")));
  cr_expect_not(tnauth_covers(range, SLICE("2155551300")));
  cr_expect_not(tnauth_covers(range, SLICE("2155551199")));
  cr_expect_not(tnauth_covers(range, SLICE("12155551200")), "of another length");
  cr_expect_not(tnauth_covers(range, SLICE("")));
  cr_expect(tnauth_covers(one, SLICE("2155551299")));
  cr_expect_not(tnauth_covers(one, SLICE("2155551298")));
  cr_expect(tnauth_covers(both, SLICE("2155559999")));
  cr_expect_not(tnauth_covers(both, SLICE("2155559998")));
  for (size_t n = 0; n < range.n; n++)
    cr_expect_not(tnauth_covers(slice_from(range.p, n), SLICE("2155551250")), "cut at %zu", n);
  cr_expect_not(tnauth_covers(DER("\x30\x84\xff\xff\xff\xff\xa0"), SLICE("1")));
  cr_expect_not(tnauth_covers(DER("\x30\x02\xa1\x7f"), SLICE("1")));
}
