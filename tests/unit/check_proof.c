/* SPDX-License-Identifier: Apache-2.0
 * Our answers to challenges, over a real UDP socket in virtual time: the request again with credentials,
 * once a nonce; and to whom none are given. */
#include "trunk/digest.h"
#include "trunkfake.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>

#define SDP \
  "v=0\r\no=- 5 5 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"
#define CONTACT "Contact: <sip:bob@127.0.0.1:$P>\n"

static char text[20000], invite[20000], file[64];

static void shape(struct conf *c) {
  struct conf_attach *a = &c->trunks[0].attach;
  snprintf(file, sizeof file, "/tmp/sp-proof-%d", getpid());
  FILE *f = fopen(file, "w");
  cr_assert(f && fputs("sesame\n", f) >= 0 && fclose(f) == 0 && chmod(file, 0600) == 0);
  c->trunks[0].prack = PRACK_SUPPORTED;
  strcpy(a->credentials.username, "us");
  strcpy(a->credentials.realm, "far.test");
  strcpy(a->credentials.password_file, file);
}

static void start(void) {
  rig_shape = shape;
  rig_start();
  unlink(file);
}

TestSuite(proof, .init = start, .fini = rig_stop, .timeout = 30);

/* extra: further header lines */
static void respond(const char *request, int status, const char *tag, const char *extra,
                    const char *sdp) {
  snprintf(text, sizeof text,
           "SIP/2.0 %d Reason\nVia: %s\nFrom: %s\nTo: %s%s%s\nCall-ID: %s\nCSeq: %s\n%s%s\n%s", status,
           rig_header(request, "Via"), rig_header(request, "From"), rig_header(request, "To"),
           *tag ? ";tag=" : "", tag, rig_header(request, "Call-ID"), rig_header(request, "CSeq"), extra,
           *sdp ? "Content-Type: application/sdp\n" : "", sdp);
  rig_say(text);
}

#define FAR "Digest realm=\"far.test\", qop=\"auth\", algorithm=MD5, nonce="
static void challenge(const char *request, const char *with) {
  char line[1024];
  snprintf(line, sizeof line, "WWW-Authenticate: %s\n", with);
  respond(request, 401, "chal", line, "");
}

/* Are the credentials of a request right? Their nonce count and algorithm. */
static struct digest_credentials proof_of(const char *request, const char *header) {
  struct digest_credentials k;
  char ha1[DIGEST_HEX_BYTES], method[32];
  cr_assert_eq(digest_credentials_read(&k, slice_of(rig_header(request, header))), 0, "%s", request);
  snprintf(method, sizeof method, "%.*s", (int)strcspn(request, " "), request);
  digest_ha1(k.algorithm, "us", "far.test", "sesame", ha1);
  cr_assert(digest_is_right(&k, ha1, method), "%s", request);
  cr_assert_str_eq(k.username, "us");
  cr_assert(!strncmp(request + strlen(method) + 1, k.uri, strlen(k.uri)), "uri %s of %s", k.uri,
            request);
  return k;
}

static unsigned cseq_of(const char *m) { return (unsigned)atoi(rig_header(m, "CSeq")); }

static struct fake_leg *ring(void) {
  struct leg *l = rig_ring("+442012345");
  cr_assert(l);
  const char *m = rig_hear_method("INVITE");
  cr_assert(m);
  snprintf(invite, sizeof invite, "%s", m);
  return (struct fake_leg *)(void *)l;
}

/* What is sent again once the first is challenged; it is in invite then. */
static const char *again(const char *with) {
  unsigned cseq = cseq_of(invite);
  char branch[300];
  snprintf(branch, sizeof branch, "%s", rig_header(invite, "Via"));
  challenge(invite, with);
  const char *ack = rig_hear_method("ACK");
  cr_assert(ack, "the 401 is acknowledged");
  cr_assert_str_eq(rig_header(ack, "Via"), branch);
  cr_assert_str_eq(rig_tag(ack, "To"), "chal");
  const char *m = rig_hear_method("INVITE");
  if (!m)
    return NULL;
  cr_assert_eq(cseq_of(m), cseq + 1);
  cr_assert_str_eq(rig_tag(m, "To"), "");
  cr_assert_str_neq(rig_header(m, "Via"), branch);
  cr_assert_str_eq(rig_header(m, "Call-ID"), rig_header(invite, "Call-ID"));
  cr_assert_str_eq(rig_header(m, "From"), rig_header(invite, "From"));
  cr_assert_str_eq(rig_body(m), rig_body(invite));
  snprintf(invite, sizeof invite, "%s", m);
  return invite;
}

Test(proof, invite_goes_again_with_credentials) {
  struct fake_leg *f = ring();
  cr_assert_str_eq(rig_header(invite, "Authorization"), "", "nothing before it is asked for");
  const char *m = again(FAR "\"n1\", opaque=\"o\"");
  cr_assert(m);
  cr_assert_eq(proof_of(m, "Authorization").nc, 1);
  cr_assert(strstr(rig_header(m, "Authorization"), "opaque=\"o\""));
  respond(m, 200, "b", CONTACT, SDP);
  cr_assert_eq(f->answered, 1);
  const char *ack = rig_hear_method("ACK");
  cr_assert(ack);
  cr_assert_eq(cseq_of(ack), cseq_of(m));
}

Test(proof, all_requests_of_the_dialog) {
  struct fake_leg *f = ring();
  const char *m = again(FAR "\"n1\"");
  respond(m, 200, "b", CONTACT, SDP);
  cr_assert(rig_hear_method("ACK"));
  unsigned cseq = cseq_of(invite);
  fake.door->held(fake.door_arg, &f->leg, true);
  rig_settle();
  m = rig_hear_method("INVITE");
  cr_assert(m && cseq_of(m) == cseq + 1);
  snprintf(invite, sizeof invite, "%s", m);
  challenge(invite, FAR "\"n1\"");
  m = rig_hear_method("INVITE");
  cr_assert(m && cseq_of(m) == cseq + 2, "a re-INVITE");
  cr_assert_eq(proof_of(m, "Authorization").nc, 2, "the nonce was answered once before");
  cr_assert_str_eq(rig_tag(m, "To"), "b");
  respond(m, 200, "", CONTACT, SDP);
  const char *ack = rig_hear_method("ACK");
  cr_assert(ack && cseq_of(ack) == cseq + 2);
  leg_end(&f->leg, (struct cause){.reason = END_COMPLETED, .by = BY_CALLER});
  rig_settle();
  m = rig_hear_method("BYE");
  cr_assert(m && cseq_of(m) == cseq + 3);
  snprintf(invite, sizeof invite, "%s", m);
  char route[200];
  snprintf(route, sizeof route, "%.*s", (int)strcspn(invite, "\r"), invite);
  challenge(invite, FAR "\"n2\"");
  m = rig_hear_method("BYE");
  cr_assert(m && cseq_of(m) == cseq + 4, "the BYE goes again although the call is gone");
  cr_assert(!strncmp(m, route, strlen(route)));
  cr_assert_eq(proof_of(m, "Authorization").nc, 1);
  respond(m, 200, "", "", "");
  rig_run(100);
  cr_assert_null(rig_hear());
}

Test(proof, a_refresh_by_update) {
  rig_conf.trunks[0].session_timer_s = 1800;
  rig_conf.trunks[0].session_min_s = 90;
  ring();
  respond(invite, 200, "b", CONTACT "Allow: UPDATE\nSession-Expires: 90;refresher=uac\n", SDP);
  cr_assert(rig_hear_method("ACK"));
  const char *m = NULL;
  for (unsigned i = 0; i < 60 && !m; i++) {
    rig_run(1000);
    m = rig_hear_method("UPDATE");
  }
  cr_assert(m, "no refresh");
  snprintf(invite, sizeof invite, "%s", m);
  challenge(invite, FAR "\"n1\"");
  m = rig_hear_method("UPDATE");
  cr_assert(m && cseq_of(m) == cseq_of(invite) + 1);
  proof_of(m, "Authorization");
}

Test(proof, the_best_algorithm_is_taken) {
  ring();
  char two[600];
  snprintf(two, sizeof two,
           FAR "\"n1\"\nWWW-Authenticate: Digest realm=\"far.test\", qop=\"auth\", "
               "algorithm=SHA-256, nonce=\"n1\"\nWWW-Authenticate: Digest realm=\"far.test\", "
               "nonce=\"n1\", algorithm=X-NEW");
  const char *m = again(two);
  cr_assert(m);
  cr_assert_eq(proof_of(m, "Authorization").algorithm, DIGEST_SHA256);
}

Test(proof, a_proxys_challenge_and_then_the_registrars) {
  ring();
  respond(invite, 407, "chal", "Proxy-Authenticate: " FAR "\"p1\"\n", "");
  const char *m = rig_hear_method("INVITE");
  cr_assert(m);
  proof_of(m, "Proxy-Authorization");
  snprintf(invite, sizeof invite, "%s", m);
  m = again(FAR "\"n1\"");
  cr_assert(m);
  proof_of(m, "Authorization");
  proof_of(m, "Proxy-Authorization");
}

Test(proof, wrong_credentials_are_not_repeated) {
  struct fake_leg *f = ring();
  cr_assert(again(FAR "\"n1\""));
  cr_assert_null(again(FAR "\"n2\""));
  cr_assert(f->is_over);
  cr_assert_eq(f->leg.cause.sip, 401);
}

Test(proof, a_stale_nonce_is_answered_anew_and_has_an_end) {
  struct fake_leg *f = ring();
  cr_assert(again(FAR "\"n1\""));
  cr_assert(again(FAR "\"n2\", stale=true"));
  cr_assert(again(FAR "\"n3\", stale=TRUE"));
  cr_assert_null(again(FAR "\"n4\", stale=true"));
  cr_assert(f->is_over);
}

Test(proof, also_without_qop) {
  struct fake_leg *f = ring();
  cr_assert(again("Digest realm=\"far.test\", nonce=\"n1\""));
  cr_assert(again("Digest realm=\"far.test\", nonce=\"n2\", stale=true"));
  cr_assert_null(again("Digest realm=\"far.test\", nonce=\"n3\", stale=true"));
  cr_assert(f->is_over);
}

Test(proof, none_for_another_realm) {
  struct fake_leg *f = ring();
  cr_assert_null(again("Digest realm=\"evil.test\", nonce=\"n\""));
  cr_assert(f->is_over);
}

Test(proof, none_for_a_stranger) {
  struct fake_leg *f = ring();
  fake.is_stranger = true;
  cr_assert_null(again(FAR "\"n\""));
  cr_assert(f->is_over);
}

Test(proof, none_for_what_is_malformed) {
  ring();
  cr_assert_null(again("Digest realm=\"far.test\", nonce=\"n\", nonce=\"m\""));
}

Test(proof, not_for_a_call_that_is_canceled) {
  struct fake_leg *f = ring();
  respond(invite, 100, "", "", "");
  leg_end(&f->leg, (struct cause){.reason = END_CANCELED, .by = BY_CALLER});
  rig_settle();
  cr_assert(rig_hear_method("CANCEL"));
  cr_assert_null(again(FAR "\"n\""));
}

/* In an early dialog, of which there may be several: each PRACK has its own way. */
Test(proof, prack_goes_again_with_credentials) {
  static char first[20000];
  struct fake_leg *f = ring();
  respond(invite, 183, "b", CONTACT "Require: 100rel\nRSeq: 4\n", SDP);
  const char *m = rig_hear_method("PRACK");
  cr_assert(m);
  snprintf(first, sizeof first, "%s", m);
  respond(first, 407, "", "Proxy-Authenticate: " FAR "\"n2\"\n", "");
  m = rig_hear_method("PRACK");
  cr_assert(m, "again");
  cr_assert_eq(proof_of(m, "Proxy-Authorization").nc, 1);
  cr_assert_gt(cseq_of(m), cseq_of(first));
  cr_assert_str_eq(rig_header(m, "RAck"), rig_header(first, "RAck"));
  cr_assert_str_eq(rig_tag(m, "To"), "b");
  respond(m, 200, "", "", "");
  respond(invite, 200, "b", CONTACT, "");
  cr_assert_eq(f->answered, 1);
}
