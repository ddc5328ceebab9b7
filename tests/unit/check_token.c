/* SPDX-License-Identifier: Apache-2.0
 * Units of tokens: what RFC 8725 asks to be refused, in a table; keys, revocation. */
#include "base/clock.h"
#include "base/hmac.h"
#include "web/jwt.h"
#include "web/revoked.h"
#include "web/signkey.h"
#include "web/token.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>

#define ISSUER "https://edge.example"
#define NOW_MS 1800000000000ull
#define NOW_S 1800000000ull

static char dir[64], key_file[96], revoked_file[96];

static void setup(void) {
  snprintf(dir, sizeof(dir), "/tmp/check_token.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(key_file, sizeof(key_file), "%s/key.pem", dir);
  snprintf(revoked_file, sizeof(revoked_file), "%s/revoked", dir);
}

static void teardown(void) {
  unlink(key_file);
  unlink(revoked_file);
  rmdir(dir);
}

TestSuite(token, .init = setup, .fini = teardown);
TestSuite(revoked, .init = setup, .fini = teardown);

static struct claims alice(void) {
  return (struct claims){.identity = "alice",
                         .scopes = "call.place events.read",
                         .numbers_n = 2,
                         .numbers = {"+14255550100", "112"}};
}

static struct tokens *tokens_open(void) {
  struct tokens *t = NULL;
  cr_assert_eq(tokens_new(&t, ISSUER, key_file, revoked_file), 0);
  return t;
}

Test(token, minted_verifies) {
  own(tokens) t = tokens_open();
  char text[TOKEN_MAX_BYTES];
  struct claims c = alice(), got;
  struct stat st;
  cr_assert_eq(token_mint(t, &c, 600, NOW_MS, text), 0);
  cr_assert_eq(token_verify(t, slice_of(text), NOW_MS, &got), TOKEN_OK);
  cr_assert_str_eq(got.identity, "alice");
  cr_assert_str_eq(got.tenant, "default");
  cr_assert_str_eq(got.jti, c.jti);
  cr_assert_eq(got.expires_s, NOW_S + 600);
  cr_assert_eq(got.numbers_n, 2);
  cr_assert_str_eq(got.numbers[1], "112");
  cr_assert(claims_has_scope(&got, "call.place"));
  cr_assert_not(claims_has_scope(&got, "call.receive"));
  cr_assert_not(claims_has_scope(&got, "call"));
  cr_assert_eq(stat(key_file, &st), 0);
  cr_assert_eq(st.st_mode & 0777, 0600);
}

Test(token, a_second_start_has_the_same_key) {
  char text[TOKEN_MAX_BYTES];
  struct claims c = alice(), got;
  own(tokens) a = tokens_open();
  cr_assert_eq(token_mint(a, &c, 600, NOW_MS, text), 0);
  own(tokens) b = tokens_open();
  cr_assert_eq(token_verify(b, slice_of(text), NOW_MS, &got), TOKEN_OK);
  chmod(key_file, 0640);
  struct tokens *none = NULL;
  cr_assert_eq(tokens_new(&none, ISSUER, key_file, NULL), -EPERM);
}

Test(token, ends_at_exp) {
  own(tokens) t = tokens_open();
  char text[TOKEN_MAX_BYTES];
  struct claims c = alice(), got;
  cr_assert_eq(token_mint(t, &c, 10, NOW_MS, text), 0);
  cr_assert_eq(token_verify(t, slice_of(text), NOW_MS + 9999, &got), TOKEN_OK);
  cr_assert_eq(token_verify(t, slice_of(text), NOW_MS + 10000, &got), TOKEN_EXPIRED);
  cr_assert_str_eq(got.identity, "", "claims of a refused token leaked");
  cr_assert_eq(token_verify(t, slice_of(text), NOW_MS - 60000, &got), TOKEN_OK);
  cr_assert_eq(token_verify(t, slice_of(text), NOW_MS - 61000, &got), TOKEN_NOT_YET);
}

Test(token, every_changed_byte_is_refused) {
  own(tokens) t = tokens_open();
  char text[TOKEN_MAX_BYTES];
  struct claims c = alice(), got;
  cr_assert_eq(token_mint(t, &c, 600, NOW_MS, text), 0);
  size_t n = strlen(text);
  for (size_t i = 0; i < n; i++) {
    char was = text[i];
    text[i] = was == 'A' ? 'B' : 'A';
    cr_assert_neq(token_verify(t, slice_of(text), NOW_MS, &got), TOKEN_OK, "byte %zu", i);
    text[i] = was;
    cr_assert_neq(token_verify(t, slice_from(text, i), NOW_MS, &got), TOKEN_OK, "cut at %zu", i);
  }
  cr_assert_eq(token_verify(t, slice_of(text), NOW_MS, &got), TOKEN_OK);
}

Test(token, claims_that_are_not_minted) {
  own(tokens) t = tokens_open();
  char text[TOKEN_MAX_BYTES];
  struct claims c = alice();
  cr_assert_eq(token_mint(t, &c, TOKEN_LIFE_MAX_S + 1, NOW_MS, text), -EINVAL);
  c = alice();
  memcpy(c.identity, "a b", 4);
  cr_assert_eq(token_mint(t, &c, 0, NOW_MS, text), -EINVAL);
  c = alice();
  memcpy(c.scopes, "call.place  call", 17);
  cr_assert_eq(token_mint(t, &c, 0, NOW_MS, text), -EINVAL);
  c = alice();
  memcpy(c.numbers[0], "+1x", 4);
  cr_assert_eq(token_mint(t, &c, 0, NOW_MS, text), -EINVAL);
}

/* Signs any header and payload with the key of the issuer. */
static void forge(const char *head, const char *payload, char *ret) {
  own(signkey) k = NULL;
  uint8_t sig[SIGNKEY_SIGNATURE_BYTES];
  char with_kid[512];
  cr_assert_eq(signkey_load(&k, key_file), 0);
  snprintf(with_kid, sizeof(with_kid), head, signkey_id(k));
  size_t n = base64_encode(ret, with_kid, strlen(with_kid), true);
  ret[n++] = '.';
  n += base64_encode(ret + n, payload, strlen(payload), true);
  cr_assert_eq(signkey_sign(k, slice_from(ret, n), sig), 0);
  ret[n++] = '.';
  base64_encode(ret + n, sig, sizeof(sig), true);
}

#define GOOD_HEAD "{\"alg\":\"ES256\",\"kid\":\"%s\"}"
#define GOOD_CLAIMS \
  "{\"iss\":\"" ISSUER \
  "\",\"aud\":\"sallyport\",\"sub\":\"a\",\"exp\":1800000100,\"iat\":1800000000,\"jti\":\"j\"}"

Test(token, headers_are_judged) {
  static const struct {
    const char *head;
    enum token_fault want;
  } rows[] = {
      {GOOD_HEAD, TOKEN_OK},
      {"{\"typ\":\"jwt\",\"alg\":\"ES256\",\"kid\":\"%s\"}", TOKEN_OK},
      {"{\"alg\":\"none\",\"kid\":\"%s\"}", TOKEN_ALGORITHM},
      {"{\"alg\":\"None\",\"kid\":\"%s\"}", TOKEN_ALGORITHM},
      {"{\"alg\":\"HS256\",\"kid\":\"%s\"}", TOKEN_ALGORITHM},
      {"{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", TOKEN_ALGORITHM},
      {"{\"alg\":\"es256\",\"kid\":\"%s\"}", TOKEN_ALGORITHM},
      {"{\"alg\":\"ES256\",\"kid\":\"other\"}", TOKEN_UNKNOWN_KEY},
      {"{\"alg\":\"ES256\",\"alg\":\"none\",\"kid\":\"%s\"}", TOKEN_MALFORMED},
      {"{\"alg\":\"ES256\"}", TOKEN_MALFORMED},
      {"{\"kid\":\"%s\"}", TOKEN_MALFORMED},
      {"{\"alg\":1,\"kid\":\"%s\"}", TOKEN_MALFORMED},
      {"{\"alg\":\"ES256\",\"crit\":[\"x\"],\"kid\":\"%s\"}", TOKEN_MALFORMED},
      {"{\"alg\":\"ES256\",\"b64\":false,\"kid\":\"%s\"}", TOKEN_MALFORMED},
      {"{\"alg\":\"ES256\",\"typ\":\"JWE\",\"kid\":\"%s\"}", TOKEN_MALFORMED},
      {"[\"ES256\",\"%s\"]", TOKEN_MALFORMED},
      {" ", TOKEN_MALFORMED},
  };
  own(tokens) t = tokens_open();
  char text[TOKEN_MAX_BYTES];
  struct claims got;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    forge(rows[i].head, GOOD_CLAIMS, text);
    cr_assert_eq(token_verify(t, slice_of(text), NOW_MS, &got), rows[i].want, "%s", rows[i].head);
  }
}

Test(token, claims_are_judged) {
  static const struct {
    const char *claims;
    enum token_fault want;
  } rows[] = {
#define C(iss, aud, rest) "{\"iss\":" iss ",\"aud\":" aud "," rest "}"
#define I "\"" ISSUER "\""
#define A "\"sallyport\""
#define T "\"exp\":1800000100,\"iat\":1800000000"
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\"," T), TOKEN_OK},
      {C(I, "[\"x\",\"sallyport\"]", "\"sub\":\"a\",\"jti\":\"j\"," T), TOKEN_OK},
      {C(I, "[\"x\"]", "\"sub\":\"a\",\"jti\":\"j\"," T), TOKEN_WRONG_AUDIENCE},
      {C(I, "\"sallyport2\"", "\"sub\":\"a\",\"jti\":\"j\"," T), TOKEN_WRONG_AUDIENCE},
      {C(I, "{}", "\"sub\":\"a\",\"jti\":\"j\"," T), TOKEN_WRONG_AUDIENCE},
      {C("\"https://evil\"", A, "\"sub\":\"a\",\"jti\":\"j\"," T), TOKEN_WRONG_ISSUER},
      {C("1", A, "\"sub\":\"a\",\"jti\":\"j\"," T), TOKEN_WRONG_ISSUER},
      {C(I, A, "\"jti\":\"j\"," T), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"\",\"jti\":\"j\"," T), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a/b\",\"jti\":\"j\"," T), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\"," T), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"sub\":\"b\",\"jti\":\"j\"," T), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"tenant\":7," T), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"scope\":[\"call.place\"]," T), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"numbers\":[1]," T), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"numbers\":[\"+1\"]," T), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"numbers\":\"+14255550100\"," T), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"exp\":\"1800000100\",\"iat\":1800000000"),
       TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"exp\":1e300,\"iat\":1800000000"), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"exp\":-5,\"iat\":1800000000"), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"exp\":1800000100"), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"iat\":1800000000"), TOKEN_MALFORMED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"exp\":1800086401,\"iat\":1800000000"),
       TOKEN_TOO_LONG_A_LIFE},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"exp\":1800000000,\"iat\":1799999000"), TOKEN_EXPIRED},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"exp\":1800000100,\"iat\":1800000061"), TOKEN_NOT_YET},
      {C(I, A, "\"sub\":\"a\",\"jti\":\"j\",\"nbf\":1800000061," T), TOKEN_NOT_YET},
      {"[]", TOKEN_MALFORMED},
      {"", TOKEN_MALFORMED},
  };
  own(tokens) t = tokens_open();
  char text[TOKEN_MAX_BYTES];
  struct claims got;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    forge(GOOD_HEAD, rows[i].claims, text);
    enum token_fault want = rows[i].claims[0] ? rows[i].want : TOKEN_MALFORMED;
    cr_assert_eq(token_verify(t, slice_of(text), NOW_MS, &got), want, "%s", rows[i].claims);
  }
}

Test(token, ed25519_keys_serve_too) {
  EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  int fd = open(key_file, O_WRONLY | O_CREAT, 0600);
  FILE *f = fdopen(fd, "w");
  PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL);
  fclose(f);
  EVP_PKEY_free(pkey);
  own(tokens) t = tokens_open();
  char text[TOKEN_MAX_BYTES];
  struct claims c = alice(), got;
  cr_assert_eq(token_mint(t, &c, 0, NOW_MS, text), 0);
  cr_assert_eq(token_verify(t, slice_of(text), NOW_MS, &got), TOKEN_OK);
  text[strlen(text) - 5] ^= 1;
  cr_assert_neq(token_verify(t, slice_of(text), NOW_MS, &got), TOKEN_OK);
  json_t *doc = tokens_jwks(t);
  json_t *key = json_array_get(json_object_get(doc, "keys"), 0);
  cr_assert_str_eq(json_string_value(json_object_get(key, "crv")), "Ed25519");
  cr_assert_null(json_object_get(key, "d"), "the private half in the JWKS");
  json_decref(doc);
}

Test(token, revoked_stays_revoked) {
  char text[TOKEN_MAX_BYTES];
  struct claims c = alice(), got;
  uint64_t now_ms = clock_wall_ms(); /* the file is read at the real time */
  own(tokens) t = tokens_open();
  cr_assert_eq(token_mint(t, &c, 600, now_ms, text), 0);
  cr_assert_eq(token_revoke(t, "nonsense", now_ms), -EINVAL);
  cr_assert_eq(token_revoke(t, "tffffffff_ABCDEFGHIJKLMNOP", now_ms), -EINVAL);
  cr_assert_eq(token_revoke(t, c.jti, now_ms), 0);
  cr_assert_eq(token_revoke(t, c.jti, now_ms), 0);
  cr_assert_eq(token_verify(t, slice_of(text), now_ms, &got), TOKEN_REVOKED);
  own(tokens) again = tokens_open();
  cr_assert_eq(token_verify(again, slice_of(text), now_ms, &got), TOKEN_REVOKED);
}

Test(revoked, is_bounded_and_forgets) {
  own(revoked) r = NULL;
  char id[32];
  cr_assert_eq(revoked_new(&r, NULL, 0), 0);
  for (int i = 0; i < REVOKED_MAX; i++) {
    snprintf(id, sizeof(id), "id%d", i);
    cr_assert_eq(revoked_add(r, id, 100u + (i < 10), 50), 0);
  }
  cr_assert_eq(revoked_add(r, "one more", 200, 99), -ENOSPC);
  cr_assert_eq(revoked_add(r, "one more", 200, 100), 0);
  cr_assert_not(revoked_has(r, "id10"));
  cr_assert(revoked_has(r, "id9"));
}

Test(revoked, a_torn_line_is_no_end) {
  FILE *f = fopen(revoked_file, "w");
  fputs("200 a\nxx\n300", f);
  fclose(f);
  chmod(revoked_file, 0600);
  own(revoked) r = NULL;
  cr_assert_eq(revoked_new(&r, revoked_file, 100), 0);
  cr_assert(revoked_has(r, "a"));
  chmod(revoked_file, 0666);
  struct revoked *none = NULL;
  cr_assert_eq(revoked_new(&none, revoked_file, 100), -EPERM);
}
