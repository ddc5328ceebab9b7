/* SPDX-License-Identifier: Apache-2.0
 * What comes before the 200, on the trunk door over a real UDP socket in virtual time: reliable
 * provisional responses of both roles, early dialogs, late offers, UPDATE. The call model and the guard
 * are the test's (trunkfake). */
#include "trunkfake.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define SDP \
  "v=0\r\no=- 5 5 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 " \
  "101\r\n" \
  "a=rtpmap:101 telephone-event/8000\r\n"
#define CONTACT "<sip:bob@127.0.0.1:$P>"
#define REL "Supported: 100rel, timer\n"

static void with_prack(struct conf *c) { c->trunks[0].prack = PRACK_SUPPORTED; }

static void start(void) {
  rig_shape = with_prack;
  rig_start();
}
TestSuite(early, .init = start, .fini = rig_stop, .timeout = 30);

static char text[20000];

static void say_invite(const char *extra, const char *body) {
  snprintf(text, sizeof text,
           "INVITE sip:+15551234@gw.example.test;user=phone SIP/2.0\n"
           "Via: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bKinv\nMax-Forwards: 60\n"
           "From: <sip:+15559999@127.0.0.1>;tag=peer\nTo: <sip:+15551234@gw.example.test>\n"
           "Call-ID: call-one\nCSeq: 1 INVITE\nContact: " CONTACT "\n%s%s\n%s",
           extra, *body ? "Content-Type: application/sdp\n" : "", body);
  rig_say(text);
}

static void say(const char *method, unsigned cseq, const char *to_tag, const char *extra,
                const char *body) {
  static unsigned branch;
  snprintf(text, sizeof text,
           "%s sip:+15551234@gw.example.test:$G SIP/2.0\n"
           "Via: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bKn%u\nMax-Forwards: 60\n"
           "From: <sip:+15559999@127.0.0.1>;tag=peer\nTo: <sip:+15551234@gw.example.test>;tag=%s\n"
           "Call-ID: call-one\nCSeq: %u %s\nContact: " CONTACT "\n%s%s\n%s",
           method, ++branch, to_tag, cseq, method, extra, *body ? "Content-Type: application/sdp\n" : "",
           body);
  rig_say(text);
}

static void say_prack(unsigned cseq, const char *to_tag, unsigned long rseq, const char *body) {
  char rack[64];
  snprintf(rack, sizeof rack, "RAck: %lu 1 INVITE\n", rseq);
  say("PRACK", cseq, to_tag, rack, body);
}

static void answer(const char *request, int status, const char *to_tag, const char *extra,
                   const char *body) {
  snprintf(text, sizeof text,
           "SIP/2.0 %d Text\nVia: %s\nFrom: %s\nTo: %s%s%s\nCall-ID: %s\nCSeq: %s\n%s%s%s\n%s", status,
           rig_header(request, "Via"), rig_header(request, "From"), rig_header(request, "To"),
           *rig_tag(request, "To") ? "" : ";tag=", *rig_tag(request, "To") ? "" : to_tag,
           rig_header(request, "Call-ID"), rig_header(request, "CSeq"),
           strstr(extra, "Contact:") ? "" : "Contact: " CONTACT "\n", extra,
           *body ? "Content-Type: application/sdp\n" : "", body);
  rig_say(text);
}

static struct fake_leg *first(void) { return &fake.legs[0]; }
static struct leg *caller(void) { return &fake.legs[0].leg; }

static void progress(void) {
  fake.door->progress(fake.door_arg, caller());
  rig_settle();
}
static void ringing(void) {
  fake.door->ringing(fake.door_arg, caller());
  rig_settle();
}
static void answered(void) {
  fake.door->answered(fake.door_arg, caller());
  rig_settle();
}

static char tag[128];

/* The next one of that status; its To tag is in tag; its RSeq, 0 where it is not reliable. */
static unsigned long hear_rseq(int status) {
  const char *m = rig_hear_status(status);
  cr_assert(m, "%d", status);
  snprintf(tag, sizeof tag, "%s", rig_tag(m, "To"));
  unsigned long rseq = strtoul(rig_header(m, "RSeq"), NULL, 10);
  cr_assert_eq(rseq != 0, !strcmp(rig_header(m, "Require"), "100rel"));
  return rseq;
}

/* Reliable to a caller --------------------------------------------------------------------------- */

Test(early, reliable_progress_holds_the_200_until_its_prack) {
  say_invite(REL, SDP);
  progress();
  unsigned long rseq = hear_rseq(183);
  cr_assert_gt(rseq, 0);
  cr_assert_lt(rseq, 1UL << 31);
  answered();
  cr_assert_null(rig_hear_status(200), "the 200 waits");
  say_prack(2, tag, rseq, "");
  const char *m = rig_hear_status(200);
  cr_assert(m && strstr(rig_header(m, "CSeq"), "PRACK"));
  m = rig_hear_status(200);
  cr_assert(m && strstr(rig_header(m, "CSeq"), "INVITE"));
  cr_assert_str_eq(rig_body(m), "", "the 183 brought the answer");
  say("ACK", 1, tag, "", "");
  cr_assert_eq(first()->confirmed, 1);
  say("BYE", 3, tag, "", "");
  cr_assert(rig_hear_status(200));
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(early, ringing_goes_reliably_and_holds_nothing) {
  say_invite("Require: 100rel\n", SDP);
  ringing();
  cr_assert_gt(hear_rseq(180), 0);
  answered();
  const char *m = rig_hear_status(200);
  cr_assert(m && strstr(rig_body(m), "m=audio"));
}

Test(early, unasked_is_not_reliable) {
  say_invite("", SDP);
  progress();
  cr_assert_eq(hear_rseq(183), 0);
  answered();
  const char *m = rig_hear_status(200);
  cr_assert(m && strstr(rig_body(m), "m=audio"));
}

/* The second waits for the first one's PRACK (RFC 3262 3). */
Test(early, one_at_a_time) {
  say_invite(REL, SDP);
  ringing();
  unsigned long rseq = hear_rseq(180);
  progress();
  cr_assert_null(rig_hear_status(183));
  say_prack(2, tag, rseq, "");
  cr_assert_eq(hear_rseq(183), rseq + 1);
  say_prack(3, tag, rseq + 1, "");
  cr_assert(rig_hear_status(200));
  say_prack(4, tag, rseq + 1, "");
  cr_assert(rig_hear_status(481), "acknowledged already");
  say_prack(5, tag, rseq + 7, "");
  cr_assert(rig_hear_status(481), "no such one");
  answered();
  const char *m = rig_hear_status(200);
  cr_assert(m && strstr(rig_header(m, "CSeq"), "INVITE"));
}

Test(early, never_acknowledged) {
  say_invite(REL, SDP);
  progress();
  hear_rseq(183);
  answered();
  unsigned n = 0;
  for (unsigned ms = 0; ms < 31000; ms += 10) {
    rig_run(10);
    while (rig_hear_status(183))
      n++;
  }
  cr_assert_geq(n, 5, "%u", n);
  cr_assert_leq(n, 7, "%u", n);
  cr_assert_not(first()->is_over);
  rig_run(2000);
  cr_assert(rig_hear_status(504));
  cr_assert(first()->is_over);
  cr_assert_eq(caller()->cause.reason, END_TIMEOUT);
  say("ACK", 1, tag, "", "");
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(early, cancel_while_the_200_waits) {
  say_invite(REL, SDP);
  progress();
  hear_rseq(183);
  answered();
  rig_say("CANCEL sip:+15551234@gw.example.test;user=phone SIP/2.0\nVia: SIP/2.0/UDP "
          "127.0.0.1:$P;branch=z9hG4bKinv\n"
          "Max-Forwards: 70\nFrom: <sip:+15559999@127.0.0.1>;tag=peer\nTo: "
          "<sip:+15551234@gw.example.test>\n"
          "Call-ID: call-one\nCSeq: 1 CANCEL\n\n");
  cr_assert(rig_hear_status(200));
  cr_assert(rig_hear_status(487));
  cr_assert_eq(caller()->cause.reason, END_CANCELED);
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(early, hang_up_while_the_200_waits) {
  say_invite(REL, SDP);
  progress();
  unsigned long rseq = hear_rseq(183);
  answered();
  leg_end(caller(), (struct cause){.reason = END_BUSY, .by = BY_CALLEE, .sip = 486});
  rig_settle();
  cr_assert(rig_hear_status(486));
  say_prack(2, tag, rseq, "");
  cr_assert(rig_hear_status(481));
  cr_assert(trunks_is_idle(rig_trunks));
}

static void without_prack(struct conf *c) { c->trunks[0].prack = PRACK_OFF; }
static void start_without(void) {
  rig_shape = without_prack;
  rig_start();
}
TestSuite(prack_off, .init = start_without, .fini = rig_stop, .timeout = 30);

Test(prack_off, off_refuses_what_requires_it) {
  say_invite("Require: 100rel\n", SDP);
  const char *m = rig_hear_status(420);
  cr_assert_str_eq(rig_header(m, "Unsupported"), "100rel");
  cr_assert_eq(fake.places, 0);
}

static void needs_prack(struct conf *c) { c->trunks[0].prack = PRACK_REQUIRED; }
static void start_required(void) {
  rig_shape = needs_prack;
  rig_start();
}
TestSuite(prack_required, .init = start_required, .fini = rig_stop, .timeout = 30);

Test(prack_required, required_refuses_who_has_it_not) {
  say_invite("", SDP);
  const char *m = rig_hear_status(421);
  cr_assert_str_eq(rig_header(m, "Require"), "100rel");
  cr_assert(strstr(rig_header(m, "Warning"), "trunks[lab].prack"));
  cr_assert_eq(fake.noted_refusal, REFUSE_PRACK);
}

/* UPDATE before the 200 --------------------------------------------------------------------------- */

Test(early, update_before_and_after_the_answer_stands) {
  say_invite(REL, SDP);
  progress();
  unsigned long rseq = hear_rseq(183);
  say("UPDATE", 2, tag, "", SDP);
  const char *m = rig_hear_status(500);
  cr_assert(m && *rig_header(m, "Retry-After"));
  say("UPDATE", 3, tag, "", "");
  cr_assert(rig_hear_status(200), "one without an offer asks for nothing");
  say_prack(4, tag, rseq, "");
  cr_assert(rig_hear_status(200));
  say("UPDATE", 5, tag, "", SDP);
  m = rig_hear_status(200);
  cr_assert(m && strstr(rig_body(m), "m=audio"));
  cr_assert_eq(first()->reoffers, 1);
  answered();
  cr_assert(rig_hear_status(200));
}

Test(early, offer_in_a_prack) {
  say_invite(REL, SDP);
  progress();
  unsigned long rseq = hear_rseq(183);
  say_prack(2, tag, rseq, SDP);
  const char *m = rig_hear_status(200);
  cr_assert(m && strstr(rig_header(m, "CSeq"), "PRACK") && strstr(rig_body(m), "m=audio"));
  cr_assert_eq(first()->reoffers, 1);
}

Test(early, reinvite_before_the_200_is_refused) {
  say_invite(REL, SDP);
  progress();
  unsigned long rseq = hear_rseq(183);
  say_prack(2, tag, rseq, "");
  cr_assert(rig_hear_status(200));
  say("INVITE", 3, tag, "", SDP);
  cr_assert(rig_hear_status(500));
  cr_assert_eq(first()->reoffers, 0);
}

/* Late offers -------------------------------------------------------------------------------------- */

Test(early, late_offer_in_a_183_its_answer_in_the_prack) {
  say_invite(REL, "");
  progress();
  const char *m = rig_hear_status(183);
  cr_assert(m && strstr(rig_body(m), "m=audio"));
  snprintf(tag, sizeof tag, "%s", rig_tag(m, "To"));
  unsigned long rseq = strtoul(rig_header(m, "RSeq"), NULL, 10);
  say_prack(2, tag, rseq, SDP);
  cr_assert(rig_hear_status(200));
  cr_assert_eq(first()->taken, 1);
  cr_assert(first()->taken_final);
  answered();
  m = rig_hear_status(200);
  cr_assert(m);
  cr_assert_str_eq(rig_body(m), "");
  say("ACK", 1, tag, "", "");
  cr_assert_eq(first()->confirmed, 1);
  cr_assert_not(first()->is_over);
}

Test(early, late_offer_and_a_prack_without_answer) {
  say_invite(REL, "");
  progress();
  unsigned long rseq = hear_rseq(183);
  say_prack(2, tag, rseq, "");
  cr_assert(rig_hear_status(488));
  cr_assert(first()->is_over);
  cr_assert(trunks_is_idle(rig_trunks));
}

/* Without 100rel the 183 says nothing, the 200 offers. */
Test(early, late_offer_unreliable) {
  say_invite("", "");
  progress();
  const char *m = rig_hear_status(183);
  cr_assert(m);
  cr_assert_str_eq(rig_body(m), "");
  answered();
  m = rig_hear_status(200);
  cr_assert(m && strstr(rig_body(m), "m=audio"));
}

static void refuses_late(struct conf *c) { c->trunks[0].late_offer = LATE_REFUSE; }
static void start_refusing(void) {
  rig_shape = refuses_late;
  rig_start();
}
TestSuite(late_refuse, .init = start_refusing, .fini = rig_stop, .timeout = 30);

Test(late_refuse, late_offer_refused_by_setting) {
  say_invite("", "");
  const char *m = rig_hear_status(488);
  cr_assert(m && strstr(rig_header(m, "Warning"), "trunks[lab].late_offer"));
  cr_assert_eq(fake.noted_refusal, REFUSE_LATE_OFFER);
}

/* Of a callee --------------------------------------------------------------------------------------- */

static char invite[8000];

static struct fake_leg *ring(void) {
  struct leg *l = rig_ring("+442012345");
  cr_assert(l);
  const char *m = rig_hear_method("INVITE");
  cr_assert(m);
  snprintf(invite, sizeof invite, "%s", m);
  return CONTAINER_OF(l, struct fake_leg, leg);
}

static const char *request_uri(const char *m) {
  static char uri[256];
  snprintf(uri, sizeof uri, "%.*s", (int)strcspn(strchr(m, ' ') + 1, " "), strchr(m, ' ') + 1);
  return uri;
}

Test(early, callees_183_is_acknowledged_over_its_own_route) {
  struct fake_leg *f = ring();
  cr_assert_str_eq(rig_header(invite, "Supported"), "100rel");
  answer(invite, 183, "a",
         "Require: 100rel\nRSeq: 7\nRecord-Route: <sip:127.0.0.1:$P;lr>\n"
         "Contact: <sip:deep@127.0.0.9:5099>\n",
         SDP);
  const char *m = rig_hear_method("PRACK");
  cr_assert(m);
  cr_assert_str_eq(request_uri(m), "sip:deep@127.0.0.9:5099");
  cr_assert(strstr(rig_header(m, "Route"), ";lr>"));
  cr_assert_str_eq(rig_tag(m, "To"), "a");
  char rack[64];
  snprintf(rack, sizeof rack, "7 %s", rig_header(invite, "CSeq"));
  cr_assert_str_eq(rig_header(m, "RAck"), rack);
  cr_assert_eq(f->taken, 1);
  cr_assert_eq(f->early, 1);
  answer(m, 200, "", "", "");
  answer(invite, 200, "a", "Record-Route: <sip:127.0.0.1:$P;lr>\nContact: <sip:deep@127.0.0.9:5099>\n",
         "");
  cr_assert_eq(f->answered, 1);
  cr_assert(f->taken_null && f->taken_final);
  cr_assert(rig_hear_method("ACK"));
}

Test(early, repeated_and_lost_ones) {
  struct fake_leg *f = ring();
  answer(invite, 180, "a", "Require: 100rel\nRSeq: 1\n", "");
  const char *m = rig_hear_method("PRACK");
  cr_assert(m);
  answer(m, 200, "", "", "");
  answer(invite, 180, "a", "Require: 100rel\nRSeq: 1\n", "");
  cr_assert_null(rig_hear_method("PRACK"), "a repetition");
  answer(invite, 183, "a", "Require: 100rel\nRSeq: 3\n", SDP);
  cr_assert_null(rig_hear_method("PRACK"), "the second is missing");
  cr_assert_eq(f->taken, 0);
  answer(invite, 183, "a", "Require: 100rel\nRSeq: 2\n", SDP);
  cr_assert(rig_hear_method("PRACK"));
  cr_assert_eq(f->taken, 1);
}

Test(early, forks_are_acknowledged_each) {
  struct fake_leg *f = ring();
  answer(invite, 183, "a", "Require: 100rel\nRSeq: 100\n", SDP);
  const char *m = rig_hear_method("PRACK");
  cr_assert_str_eq(rig_tag(m, "To"), "a");
  answer(m, 200, "", "", "");
  answer(
      invite, 183, "b",
      "Require: 100rel\nRSeq: 9\nRecord-Route: <sip:127.0.0.1:$P>\nContact: <sip:bob@127.0.0.9:5099>\n",
      SDP);
  m = rig_hear_method("PRACK");
  cr_assert_str_eq(rig_tag(m, "To"), "b");
  cr_assert(strncmp(rig_header(m, "RAck"), "9 ", 2) == 0);
  char proxy[64];
  snprintf(proxy, sizeof proxy, "sip:127.0.0.1:%u", rig_peer_port);
  cr_assert_str_eq(request_uri(m), proxy, "a strict router: %s", request_uri(m));
  cr_assert(strstr(rig_header(m, "Route"), "bob@"));
  answer(m, 200, "", "", "");
  answer(invite, 200, "a", "", "");
  cr_assert_eq(f->taken_dialog, 1);
  cr_assert_eq(f->answered, 1);
  m = rig_hear_method("ACK");
  cr_assert_str_eq(rig_tag(m, "To"), "a");
}

/* A proxy that forks without end: eight dialogs are heard, and one of them may answer. */
Test(early, further_forks_are_not_heard) {
  struct fake_leg *f = ring();
  char name[8];
  for (unsigned i = 1; i <= 9; i++) {
    snprintf(name, sizeof name, "t%u", i);
    answer(invite, 183, name, "", SDP);
  }
  cr_assert_eq(f->taken_dialog, 8);
  cr_assert_not(f->is_over);
  answer(invite, 200, "t3", "", SDP);
  cr_assert_eq(f->taken_dialog, 3);
  cr_assert_eq(f->answered, 1);
}

/* After the answer came reliably, what the 200 says more is nothing (RFC 6337). */
Test(early, a_200_that_repeats_the_answer) {
  struct fake_leg *f = ring();
  answer(invite, 183, "a", "Require: 100rel\nRSeq: 1\n", SDP);
  answer(invite, 200, "a", "", SDP);
  cr_assert(f->taken_null);
  cr_assert_eq(f->answered, 1);
}

Test(early, reliable_from_a_stranger_ends_the_call) {
  struct fake_leg *f = ring();
  fake.chain = verdict_refuse(REFUSE_PROXY, "a stranger");
  answer(invite, 183, "a", "Require: 100rel\nRSeq: 1\n", SDP);
  cr_assert_null(rig_hear_method("PRACK"));
  cr_assert(f->is_over);
  cr_assert_eq(f->leg.cause.reason, END_POLICY);
}

Test(early, callee_offers_before_the_200) {
  struct fake_leg *f = ring();
  answer(invite, 183, "a", "", SDP);
  snprintf(text, sizeof text,
           "UPDATE sip:gw@gw.example.test:$G SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bKu1\n"
           "From: %s;tag=a\nTo: %s\nCall-ID: %s\nCSeq: 5 UPDATE\nMax-Forwards: 70\nContact: " CONTACT
           "\nContent-Type: application/sdp\n\n" SDP,
           rig_header(invite, "To"), rig_header(invite, "From"), rig_header(invite, "Call-ID"));
  rig_say(text);
  cr_assert(rig_hear_status(491), "our offer is not answered for good");
  answer(invite, 183, "a", "Require: 100rel\nRSeq: 1\n", SDP);
  cr_assert(rig_hear_method("PRACK"));
  snprintf(text, sizeof text,
           "UPDATE sip:gw@gw.example.test:$G SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bKu2\n"
           "From: %s;tag=a\nTo: %s\nCall-ID: %s\nCSeq: 6 UPDATE\nMax-Forwards: 70\nContact: " CONTACT
           "\nContent-Type: application/sdp\n\n" SDP,
           rig_header(invite, "To"), rig_header(invite, "From"), rig_header(invite, "Call-ID"));
  rig_say(text);
  const char *m = rig_hear_status(200);
  cr_assert(m && strstr(rig_body(m), "m=audio"));
  cr_assert_eq(f->reoffers, 1);
}

Test(prack_required, required_is_said) {
  ring();
  cr_assert_str_eq(rig_header(invite, "Require"), "100rel");
}

/* P-Early-Media ------------------------------------------------------------------------------------ */

static void trusts(struct conf *c) { c->trunks[0].p_early_media = true; }
static void start_trusting(void) {
  rig_shape = trusts;
  rig_start();
}
TestSuite(pem, .init = start_trusting, .fini = rig_stop, .timeout = 30);

Test(pem, is_read) {
  struct fake_leg *f = ring();
  cr_assert_str_eq(rig_header(invite, "P-Early-Media"), "supported");
  answer(invite, 183, "a", "P-Early-Media: inactive\n", SDP);
  cr_assert(f->is_barred);
  answer(invite, 180, "a", "", "");
  cr_assert(f->is_barred, "nothing said, nothing changed");
  answer(invite, 183, "a", "P-Early-Media: gated, sendonly\n", "");
  cr_assert_not(f->is_barred);
  answer(invite, 183, "a", "P-Early-Media: recvonly\n", "");
  cr_assert(f->is_barred);
}

Test(pem, is_produced_where_it_was_asked_for) {
  say_invite("P-Early-Media: supported\n", SDP);
  ringing();
  cr_assert_str_eq(rig_header(rig_hear_status(180), "P-Early-Media"), "");
  progress();
  cr_assert_str_eq(rig_header(rig_hear_status(183), "P-Early-Media"), "sendrecv");
}

Test(early, p_early_media_of_others_is_nothing) {
  struct fake_leg *f = ring();
  cr_assert_str_eq(rig_header(invite, "P-Early-Media"), "");
  answer(invite, 183, "a", "P-Early-Media: inactive\n", SDP);
  cr_assert_not(f->is_barred);
}

/* To and fro, not for ever. */
Test(early, ringing_after_progress_and_back) {
  say_invite("", SDP);
  for (unsigned i = 0; i < 20; i++) {
    progress();
    progress();
    ringing();
  }
  unsigned n = 0;
  for (const char *m = rig_hear(); m; m = rig_hear())
    n += !strncmp(m, "SIP/2.0 18", 10);
  cr_assert_eq(n, 16, "%u", n);
}

/* Our INVITE without SDP --------------------------------------------------------------------------- */

static void offers_late(struct conf *c) {
  c->trunks[0].prack = PRACK_SUPPORTED;
  c->trunks[0].late_offer_out = true;
}
static void start_late(void) {
  rig_shape = offers_late;
  rig_start();
}
TestSuite(late_out, .init = start_late, .fini = rig_stop, .timeout = 30);

static struct fake_leg *ring_late(void) {
  struct fake_leg *f = ring();
  f->leg.local = NULL;
  cr_assert_str_eq(rig_body(invite), "");
  cr_assert_str_eq(rig_header(invite, "Content-Type"), "");
  return f;
}

Test(late_out, offer_in_the_200_answer_in_the_ack) {
  struct fake_leg *f = ring_late();
  answer(invite, 183, "a", "", SDP);
  cr_assert_eq(f->offered, 0, "an unreliable one cannot offer");
  answer(invite, 200, "a", "", SDP);
  const char *m = rig_hear_method("ACK");
  cr_assert(m && strstr(rig_body(m), "m=audio"));
  cr_assert_eq(f->offered, 1);
  cr_assert_eq(f->answered, 1);
}

Test(late_out, offer_in_a_reliable_183_answer_in_the_prack) {
  struct fake_leg *f = ring_late();
  answer(invite, 183, "a", "Require: 100rel\nRSeq: 1\n", SDP);
  const char *m = rig_hear_method("PRACK");
  cr_assert(m && strstr(rig_body(m), "m=audio"));
  cr_assert_eq(f->offered, 1);
  cr_assert_eq(f->early, 1);
  answer(m, 200, "", "", "");
  answer(invite, 200, "a", "", "");
  m = rig_hear_method("ACK");
  cr_assert(m);
  cr_assert_str_eq(rig_body(m), "");
  cr_assert_eq(f->answered, 1);
}

Test(late_out, a_200_without_an_offer_ends_in_ack_and_bye) {
  struct fake_leg *f = ring_late();
  answer(invite, 200, "a", "", "");
  cr_assert(rig_hear_method("ACK"));
  cr_assert(rig_hear_method("BYE"));
  cr_assert(f->is_over);
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(late_out, an_offer_that_is_refused_ends_in_ack_and_bye) {
  struct fake_leg *f = ring_late();
  fake.take = verdict_refuse(REFUSE_SRTP, "plain");
  answer(invite, 200, "a", "", SDP);
  const char *m = rig_hear_method("ACK");
  cr_assert(m);
  cr_assert(rig_hear_method("BYE"));
  cr_assert(f->is_over);
  cr_assert_eq(f->leg.cause.reason, END_POLICY);
}

Test(late_out, canceled_and_answered_all_the_same) {
  struct fake_leg *f = ring_late();
  answer(invite, 180, "a", "", "");
  leg_end(&f->leg, (struct cause){.reason = END_CANCELED, .by = BY_CALLER});
  rig_settle();
  cr_assert(rig_hear_method("CANCEL"));
  answer(invite, 200, "a", "", SDP);
  cr_assert(rig_hear_method("ACK"));
  cr_assert(rig_hear_method("BYE"));
  cr_assert_eq(f->offered, 0);
  cr_assert(trunks_is_idle(rig_trunks));
}
