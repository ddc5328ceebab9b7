/* SPDX-License-Identifier: Apache-2.0
 * Digest access authentication: examples of RFC 2617 and RFC 7616, and lines that peers get wrong. */
#include "trunk/digest.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct digest_challenge challenge;
static struct digest_credentials credentials;
static char line[DIGEST_LINE_BYTES];

static int challenge_of(const char *s) { return digest_challenge_read(&challenge, slice_of(s)); }
static int credentials_of(const char *s) { return digest_credentials_read(&credentials, slice_of(s)); }

static const char *answer(const char *of, const char *username, const char *password, const char *uri,
                          const char *cnonce) {
  struct digest_answer a = {username, password, "GET", uri, cnonce, 1};
  cr_assert_eq(challenge_of(of), 0);
  cr_assert_eq(digest_answer_write(line, sizeof line, &challenge, &a), 0);
  cr_assert_eq(credentials_of(line), 0, "we do not read what we write: %s", line);
  return credentials.response;
}

#define RFC7616 \
  "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=%s, " \
  "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", " \
  "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

static const char *mufasa(const char *algorithm) {
  char of[512];
  snprintf(of, sizeof of, RFC7616, algorithm);
  return answer(of, "Mufasa", "Circle of Life", "/dir/index.html",
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
}

Test(digest, md5_of_rfc_7616) { cr_assert_str_eq(mufasa("MD5"), "8ca523f5e9506fed4657c9700eebdbec"); }

Test(digest, sha256_of_rfc_7616) {
  cr_assert_str_eq(mufasa("SHA-256"),
                   "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
  cr_assert(strstr(line, "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), "%s", line);
  cr_assert(strstr(line, "algorithm=SHA-256") && strstr(line, "nc=00000001"), "%s", line);
}

/* The RFC's own figure is of another hash; this one is by Python's hashlib. */
Test(digest, sha512_256_of_another_library) {
  cr_assert_str_eq(answer("Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, "
                          "nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\"",
                          "J\xc3\xa4s\xc3\xb8n Doe", "Secret, or not?", "/doe.json",
                          "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm"),
                   "7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c");
}

Test(digest, md5_of_rfc_2617) {
  cr_assert_str_eq(answer("Digest realm=\"testrealm@host.com\",qop=\"auth,auth-int\","
                          "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
                          "Mufasa", "Circle Of Life", "/dir/index.html", "0a4f113b"),
                   "6629fae49393a05397450978507c4ef1");
}

Test(digest, without_qop) { /* RFC 2069, as its erratum has it */
  cr_assert_str_eq(
      answer("Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
             "Mufasa", "CircleOfLife", "/dir/index.html", "unused"),
      "1949323746fe6a43ef61f9606e7febea");
  cr_assert_not(strstr(line, "cnonce") || strstr(line, "qop"), "%s", line);
}

Test(digest, our_own_challenge_answered_and_checked) {
  char ha1[DIGEST_HEX_BYTES];
  for (unsigned a = 0; a < DIGEST_ALGORITHMS; a++) {
    struct digest_answer by = {"al\"ice", "se\\cret", "INVITE", "sip:+1@h", "cn", 7};
    cr_assert_eq(
        digest_challenge_write(line, sizeof line, "re\"alm", "n1", (enum digest_algorithm)a, a == 1), 0);
    cr_assert_eq(challenge_of(line), 0);
    cr_assert_eq(challenge.algorithm, a);
    cr_assert_eq(challenge.is_stale, a == 1);
    cr_assert_eq(digest_answer_write(line, sizeof line, &challenge, &by), 0);
    cr_assert_eq(credentials_of(line), 0, "%s", line);
    cr_assert_str_eq(credentials.username, "al\"ice");
    cr_assert_str_eq(credentials.realm, "re\"alm");
    cr_assert_eq(credentials.nc, 7);
    digest_ha1((enum digest_algorithm)a, "al\"ice", "re\"alm", "se\\cret", ha1);
    cr_assert(digest_is_right(&credentials, ha1, "INVITE"));
    cr_assert_not(digest_is_right(&credentials, ha1, "BYE"), "another method");
    digest_ha1((enum digest_algorithm)a, "al\"ice", "re\"alm", "secret", ha1);
    cr_assert_not(digest_is_right(&credentials, ha1, "INVITE"), "another password");
  }
}

Test(digest, challenges_that_are_not_ours) {
  cr_assert_eq(challenge_of("Basic realm=\"x\""), -ENOTSUP);
  cr_assert_eq(challenge_of("Digest realm=\"x\", nonce=\"n\", algorithm=MD5-sess"), -ENOTSUP);
  cr_assert_eq(challenge_of("Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\""), -ENOTSUP);
  cr_assert_eq(challenge_of("Digest nonce=\"n\""), -EBADMSG);
  cr_assert_eq(challenge_of("Digest realm=\"x\""), -EBADMSG);
  cr_assert_eq(challenge_of("Digest realm=\"x\", nonce=\"n\", realm=\"y\""), -EBADMSG);
  cr_assert_eq(challenge_of("Digest realm=\"x, nonce=\"n\""), -EBADMSG);
  cr_assert_eq(challenge_of("Digest realm=\"x\" nonce=\"n\""), -EBADMSG);
  cr_assert_eq(challenge_of("Digest realm=\"a\r\nb\", nonce=\"n\""), -EBADMSG);
  cr_assert_eq(challenge_of(""), -EBADMSG);
}

Test(digest, habits_that_are_fine) {
  cr_assert_eq(
      challenge_of(
          "  DIGEST  Realm = \"x\" ,,\tNONCE=n , Domain=\"sip:a\", algorithm=\"md5\", stale=TRUE"),
      0);
  cr_assert_str_eq(challenge.realm, "x");
  cr_assert_str_eq(challenge.nonce, "n");
  cr_assert(challenge.is_stale && !challenge.has_qop);
}

#define GOOD "Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:h\", response=\"%s\"%s"
static int credentials_with(const char *response, const char *more) {
  char text[512];
  snprintf(text, sizeof text, GOOD, response, more);
  return credentials_of(text);
}

Test(digest, credentials_that_are_wrong) {
  const char *md5 = "0123456789abcdef0123456789ABCDEF";
  cr_assert_eq(credentials_with(md5, ""), 0);
  cr_assert_str_eq(credentials.response, "0123456789abcdef0123456789abcdef");
  cr_assert_eq(credentials_with(md5, ", qop=auth, nc=00000001, cnonce=\"c\""), 0);
  cr_assert_eq(credentials_with(md5, ", qop=auth, nc=00000001"), -EBADMSG);
  cr_assert_eq(credentials_with(md5, ", qop=auth, nc=1, cnonce=\"c\""), -EBADMSG);
  cr_assert_eq(credentials_with(md5, ", qop=auth, nc=00000000, cnonce=\"c\""), -EBADMSG);
  cr_assert_eq(credentials_with(md5, ", qop=auth, nc=-0000001, cnonce=\"c\""), -EBADMSG);
  cr_assert_eq(credentials_with(md5, ", qop=auth-int, nc=00000001, cnonce=\"c\""), -ENOTSUP);
  cr_assert_eq(credentials_with(md5, ", algorithm=SHA-256"), -EBADMSG, "a hash of another length");
  cr_assert_eq(credentials_with("0123", ""), -EBADMSG);
  cr_assert_eq(credentials_with("z123456789abcdef0123456789abcdef", ""), -EBADMSG);
  cr_assert_eq(credentials_of("Digest username=\"u\", realm=\"r\", nonce=\"n\""), -EBADMSG);
}

Test(digest, no_control_character_is_ever_written) {
  struct digest_answer a = {"u\r\nX: y", "p", "INVITE", "sip:h", "c", 1};
  cr_assert_eq(challenge_of("Digest realm=\"x\", nonce=\"n\""), 0);
  cr_assert_eq(digest_answer_write(line, sizeof line, &challenge, &a), -EINVAL);
  cr_assert_str_eq(line, "");
}
