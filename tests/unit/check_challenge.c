/* SPDX-License-Identifier: Apache-2.0
 * Challenges of ours and registrations of peers, over a real UDP socket in virtual time. */
#include "trunk/digest.h"
#include "trunkfake.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>

#define SDP \
  "v=0\r\no=- 5 5 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"
#define SDP_TYPE "Content-Type: application/sdp\n"

static char text[20000], answer[20000], file[64];
static unsigned cseq;
static struct digest_challenge asked;

static void shape(struct conf *c) {
  struct conf_attach *a = &c->trunks[0].attach;
  snprintf(file, sizeof file, "/tmp/sp-challenge-%d", getpid());
  FILE *f = fopen(file, "w");
  cr_assert(f &&
            fputs("# users\n\npbx:sesame\nold:gw.example.test:MD5:0123456789abcdef0123456789abcdef\n",
                  f) >= 0 &&
            fclose(f) == 0 && chmod(file, 0600) == 0);
  a->auth = AUTH_DIGEST;
  a->accept_register = true;
  strcpy(a->digest.users_file, file);
}

static void start(void) {
  cseq = 0;
  rig_shape = shape;
  rig_start();
}
static void stop(void) {
  rig_stop();
  unlink(file);
}

TestSuite(challenge, .init = start, .fini = stop, .timeout = 30);

/* A request of the peer, with these lines; its answer. */
static const char *say(const char *method, const char *uri, const char *lines, const char *body) {
  cseq++;
  snprintf(text, sizeof text,
           "%s %s SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bKc%u\nMax-Forwards: 60\n"
           "From: <sip:pbx@gw.example.test>;tag=peer\nTo: <sip:pbx@gw.example.test>\n"
           "Call-ID: call-%s-%u\nCSeq: %u %s\n%s\n%s",
           method, uri, cseq, method, *body ? cseq : 0, cseq, method, lines, body);
  rig_say(text);
  const char *m = rig_hear();
  while (m && (!strncmp(m, "SIP/2.0 100", 11) || strncmp(m, "SIP/2.0", 7) != 0))
    m = rig_hear();
  snprintf(answer, sizeof answer, "%s", m ? m : "");
  return answer;
}

static int status(const char *m) { return strlen(m) > 12 ? atoi(m + 8) : 0; }

/* The challenge of an answer, by algorithm. */
static bool take_challenge(const char *m, enum digest_algorithm wanted) {
  for (const char *at = m; (at = strstr(at, "WWW-Authenticate: ")); at++) {
    const char *value = at + strlen("WWW-Authenticate: ");
    if (digest_challenge_read(&asked, slice_from(value, strcspn(value, "\r"))) == 0 &&
        asked.algorithm == wanted)
      return true;
  }
  return false;
}

static const char *proof(const char *user, const char *password, const char *method, const char *uri,
                         uint32_t nc) {
  static char line[DIGEST_LINE_BYTES + 20];
  struct digest_answer a = {user, password, method, uri, "cnonce", nc};
  size_t n = (size_t)snprintf(line, sizeof line, "Authorization: ");
  cr_assert_eq(digest_answer_write(line + n, sizeof line - n - 1, &asked, &a), 0);
  strcat(line, "\n");
  return line;
}

static const char *lines(const char *a, const char *b) {
  static char both[DIGEST_LINE_BYTES + 1000];
  snprintf(both, sizeof both, "%s%s", a, b);
  return both;
}

#define NUMBER "sip:+15551234@gw.example.test"
#define CONTACT "Contact: <sip:pbx@127.0.0.1:$P>\n"

static const char *invite(const char *more) {
  char all[DIGEST_LINE_BYTES + 1200];
  snprintf(all, sizeof all, "%s" CONTACT SDP_TYPE, more);
  return say("INVITE", NUMBER, all, SDP);
}

Test(challenge, a_call_without_proof_is_asked_for_it) {
  cr_assert_eq(status(invite("")), 401);
  cr_assert_eq(fake.places, 0);
  cr_assert_eq(rig_transactions(), 0, "nothing is left behind");
  const char *first = strstr(answer, "WWW-Authenticate");
  cr_assert(first && strstr(first, "SHA-256") < strstr(first, "MD5"), "the stronger one first");
  cr_assert(take_challenge(answer, DIGEST_SHA256));
  cr_assert_str_eq(asked.realm, "gw.example.test");
  cr_assert(asked.has_qop && !asked.is_stale);
}

static void passes(enum digest_algorithm a) {
  invite("");
  cr_assert(take_challenge(answer, a));
  invite(proof("pbx", "sesame", "INVITE", NUMBER, 1));
  cr_assert_eq(fake.places, 1, "%s", answer);
}
Test(challenge, proof_by_sha256) { passes(DIGEST_SHA256); }
Test(challenge, proof_by_md5) { passes(DIGEST_MD5); }

Test(challenge, wrong_passwords_and_users) {
  static const char *const pairs[][2] = {
      {"pbx", "Sesame"}, {"pbx", ""}, {"nobody", "sesame"}, {"old", "x"}};
  for (unsigned i = 0; i < COUNT_OF(pairs); i++) {
    invite("");
    cr_assert(take_challenge(answer, DIGEST_MD5));
    cr_assert_eq(status(invite(proof(pairs[i][0], pairs[i][1], "INVITE", NUMBER, 1))), 403);
    cr_assert(strstr(rig_header(answer, "Warning"), "Authorization: "), "%s", answer);
    cr_assert_eq(fake.failures, i + 1);
    cr_assert_eq(fake.noted, i + 1, "in the records");
    cr_assert_eq(fake.noted_refusal, REFUSE_DIGEST);
  }
  cr_assert_eq(fake.places, 0);
}

Test(challenge, of_another_method) {
  invite("");
  take_challenge(answer, DIGEST_SHA256);
  cr_assert_eq(status(invite(proof("pbx", "sesame", "REGISTER", NUMBER, 1))), 403);
}

Test(challenge, a_count_that_was_used_is_stale) {
  invite("");
  take_challenge(answer, DIGEST_SHA256);
  invite(proof("pbx", "sesame", "INVITE", NUMBER, 1));
  cr_assert_eq(fake.places, 1);
  cr_assert_eq(status(invite(proof("pbx", "sesame", "INVITE", NUMBER, 1))), 401, "%s", answer);
  cr_assert_eq(fake.places, 1);
  cr_assert(take_challenge(answer, DIGEST_SHA256) && asked.is_stale);
  invite(proof("pbx", "sesame", "INVITE", NUMBER, 1));
  cr_assert_eq(fake.places, 2, "%s", answer);
  invite(proof("pbx", "sesame", "INVITE", NUMBER, 2));
  cr_assert_eq(fake.places, 3, "the same nonce, counted on");
  cr_assert_eq(fake.failures, 0);
}

Test(challenge, a_nonce_has_its_time) {
  invite("");
  take_challenge(answer, DIGEST_SHA256);
  rig_run(301000);
  cr_assert_eq(status(invite(proof("pbx", "sesame", "INVITE", NUMBER, 1))), 401);
  cr_assert(take_challenge(answer, DIGEST_SHA256) && asked.is_stale);
}

Test(challenge, a_nonce_of_our_own_making_is_none) {
  invite("");
  take_challenge(answer, DIGEST_SHA256);
  asked.nonce[0] = asked.nonce[0] == 'A' ? 'B' : 'A';
  cr_assert_eq(status(invite(proof("pbx", "wrong", "INVITE", NUMBER, 1))), 401);
  cr_assert(take_challenge(answer, DIGEST_SHA256) && !asked.is_stale);
  cr_assert_eq(fake.failures, 0, "nobody is banned by forged datagrams");
}

Test(challenge, malformed_credentials) {
  cr_assert_eq(status(invite("Authorization: Digest username=\"pbx\", realm=\"gw.example.test\"\n")),
               400);
  cr_assert(strstr(rig_header(answer, "Warning"), "Authorization: expected"), "%s", answer);
  cr_assert_eq(status(invite("Authorization: Basic cGJ4OnNlc2FtZQ==\n")), 401);
}

Test(challenge, options_need_no_proof) {
  cr_assert_eq(status(say("OPTIONS", "sip:gw.example.test", CONTACT, "")), 200);
}

/* Registrations ---------------------------------------------------------------------------------- */

#define HOME "sip:gw.example.test"

static const char *enrol(const char *more) {
  if (!*asked.nonce || asked.is_stale) {
    say("REGISTER", HOME, more, "");
    cr_assert_eq(status(answer), 401);
    cr_assert(take_challenge(answer, DIGEST_SHA256));
  }
  static uint32_t nc;
  return say("REGISTER", HOME, lines(proof("pbx", "sesame", "REGISTER", HOME, ++nc), more), "");
}

Test(challenge, registration) {
  cr_assert_eq(status(enrol(CONTACT "Expires: 600\n")), 200);
  char want[100];
  snprintf(want, sizeof want, "<sip:pbx@127.0.0.1:%u>;expires=600", rig_peer_port);
  cr_assert_str_eq(rig_header(answer, "Contact"), want);
  rig_run(100000);
  cr_assert_eq(status(enrol("")), 200, "a question");
  snprintf(want, sizeof want, "<sip:pbx@127.0.0.1:%u>;expires=%d", rig_peer_port, 500);
  cr_assert(!strncmp(rig_header(answer, "Contact"), want, strlen(want) - 2), "%s", answer);
  cr_assert_eq(status(enrol(CONTACT "Expires: 0\n")), 200);
  cr_assert_str_eq(rig_header(answer, "Contact"), "");
}

Test(challenge, registration_ends) {
  enrol(CONTACT "Expires: 100\n");
  rig_run(99000);
  enrol("");
  cr_assert_str_neq(rig_header(answer, "Contact"), "");
  rig_run(2000);
  enrol("");
  cr_assert_str_eq(rig_header(answer, "Contact"), "");
}

Test(challenge, registration_that_is_too_brief_or_long) {
  cr_assert_eq(status(enrol(CONTACT "Expires: 30\n")), 423);
  cr_assert_str_eq(rig_header(answer, "Min-Expires"), "60");
  cr_assert_eq(status(enrol(CONTACT "Expires: 4000000000\n")), 200);
  cr_assert(strstr(rig_header(answer, "Contact"), "expires=3600"), "%s", answer);
}

Test(challenge, all_are_taken_back_by_a_star) {
  enrol("Contact: <sip:a@192.0.2.1>, <sip:b@192.0.2.2>;expires=90\n");
  cr_assert(strstr(rig_header(answer, "Contact"), "sip:b@192.0.2.2>;expires=90"), "%s", answer);
  cr_assert_eq(status(enrol("Contact: *\n")), 400);
  cr_assert_eq(status(enrol("Contact: *\nExpires: 60\n")), 400);
  cr_assert_eq(status(enrol("Contact: *\nExpires: 0\n")), 200);
  cr_assert_str_eq(rig_header(answer, "Contact"), "");
}

Test(challenge, ten_places_and_no_more) {
  char line[100];
  for (unsigned i = 0; i < 10; i++) {
    snprintf(line, sizeof line, "Contact: <sip:a%u@192.0.2.1>\n", i);
    cr_assert_eq(status(enrol(line)), 200, "%u: %s", i, answer);
  }
  cr_assert_eq(status(enrol("Contact: <sip:more@192.0.2.1>\n")), 403);
  cr_assert(strstr(rig_header(answer, "Warning"), "at most 10"), "%s", answer);
  cr_assert_eq(status(enrol("Contact: <sip:a3@192.0.2.1>\n")), 200, "one that is there");
}

Test(challenge, contacts_are_taken_all_or_none) {
  cr_assert_eq(status(enrol("Contact: <sip:a@192.0.2.1>, <tel:+1555>\n")), 400);
  cr_assert_eq(status(enrol("")), 200);
  cr_assert_str_eq(rig_header(answer, "Contact"), "");
}

Test(challenge, bulk_numbers) {
  cr_assert_eq(status(enrol("Require: gin\nContact: <sip:127.0.0.1:$P;bnc>\n")), 200);
  cr_assert(strstr(rig_header(answer, "Contact"), ";bnc>"), "%s", answer);
  cr_assert_eq(status(enrol("Require: gin\nContact: <sip:x@127.0.0.1:$P;bnc>\n")), 400);
  cr_assert_eq(status(say("REGISTER", HOME, "Require: gin, x\n" CONTACT, "")), 420);
}

Test(challenge, an_old_request_changes_nothing) {
  enrol(CONTACT);
  cseq -= 2;
  asked.is_stale = false;
  cr_assert_eq(status(enrol(CONTACT "Expires: 0\n")), 400);
  cr_assert(strstr(rig_header(answer, "Warning"), "CSeq"), "%s", answer);
}

Test(challenge, registrations_survive_a_reload) {
  char why[200];
  enrol(CONTACT);
  cr_assert_eq(trunks_reload(rig_trunks, &rig_conf, why, sizeof why), 0);
  cr_assert_eq(status(enrol("")), 200);
  cr_assert(strstr(rig_header(answer, "Contact"), "sip:pbx@"), "%s", answer);
}

Test(challenge, calls_go_to_where_the_peer_registered) {
  char want[100];
  rig_conf.trunks[0].target[0] = 0;
  cr_assert_null(rig_ring("+442012345"), "nobody is registered");
  cr_assert_lt(fake.door->rank(fake.door_arg, &rig_conf.trunks[0]), 0);
  enrol("Contact: <sip:pbx@10.1.2.3:5071>\nExpires: 100\n");
  cr_assert_eq(fake.door->rank(fake.door_arg, &rig_conf.trunks[0]), 0);
  cr_assert(rig_ring("+442012345"));
  const char *m = rig_hear_method("INVITE");
  snprintf(want, sizeof want, "INVITE sip:pbx@10.1.2.3:5071 SIP/2.0");
  cr_assert(m && !strncmp(m, want, strlen(want)), "through its NAT: %.80s", m);
  cr_assert(!strncmp(rig_header(m, "To"), "<sip:+442012345@", 16), "%s", rig_header(m, "To"));
  rig_run(101000);
  cr_assert_null(rig_ring("+442012345"), "it has ended");
  cr_assert_eq(status(enrol("Require: gin\nContact: <sip:10.1.2.3:5071;bnc>\n")), 200);
  cr_assert(rig_ring("+442012346"));
  m = rig_hear_method("INVITE");
  snprintf(want, sizeof want, "INVITE sip:+442012346@10.1.2.3:5071;user=phone SIP/2.0");
  cr_assert(m && !strncmp(m, want, strlen(want)), "all its numbers: %.80s", m);
}
