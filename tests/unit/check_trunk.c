/* SPDX-License-Identifier: Apache-2.0
 * The trunk door over a real UDP socket in virtual time: calls both ways, what crosses, what is lost,
 * what is malformed. The call model and the guard are the test's (trunkfake). */
#include "trunkfake.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/eventfd.h>

#define SDP \
  "v=0\r\no=- 5 5 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 " \
  "101\r\n" \
  "a=rtpmap:101 telephone-event/8000\r\n"
#define SDP_HELD SDP "a=sendonly\r\n"

TestSuite(trunk, .init = rig_start, .fini = rig_stop, .timeout = 30);

static char text[20000];

/* An INVITE of the peer; extra are further header lines, body "" for none. */
static void say_invite(const char *contact, const char *extra, const char *body) {
  snprintf(text, sizeof text,
           "INVITE sip:+15551234@gw.example.test;user=phone SIP/2.0\n"
           "Via: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bKinv\nMax-Forwards: 60\n"
           "From: \"Bob\" <sip:+15559999@127.0.0.1>;tag=peer\nTo: <sip:+15551234@gw.example.test>\n"
           "Call-ID: call-one\nCSeq: 1 INVITE\nContact: %s\n%s%s\n%s",
           contact, extra, *body ? "Content-Type: application/sdp\n" : "", body);
  rig_say(text);
}

static void say_in_dialog(const char *method, unsigned cseq, const char *branch, const char *to_tag,
                          const char *extra, const char *body) {
  snprintf(
      text, sizeof text,
      "%s sip:+15551234@gw.example.test:$G SIP/2.0\n"
      "Via: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bK%s\nMax-Forwards: 60\n"
      "From: \"Bob\" <sip:+15559999@127.0.0.1>;tag=peer\nTo: <sip:+15551234@gw.example.test>;tag=%s\n"
      "Call-ID: call-one\nCSeq: %u %s\nContact: <sip:bob@127.0.0.1:$P>\n%s%s\n%s",
      method, branch, to_tag, cseq, method, extra,
      *body && !strstr(extra, "Content-Type") ? "Content-Type: application/sdp\n" : "", body);
  rig_say(text);
}

#define CONTACT "<sip:bob@127.0.0.1:$P>"

static struct fake_leg *first(void) { return &fake.legs[0]; }
static struct leg *caller(void) { return &fake.legs[0].leg; }

/* An inbound call up to the ACK; returns our To tag. */
static const char *call_up(void) {
  static char tag[128];
  say_invite(CONTACT, "", SDP);
  cr_assert(rig_hear_status(100));
  fake.door->answered(fake.door_arg, caller());
  rig_settle();
  const char *ok = rig_hear_status(200);
  cr_assert(ok);
  snprintf(tag, sizeof tag, "%s", rig_tag(ok, "To"));
  say_in_dialog("ACK", 1, "ack", tag, "", "");
  cr_assert_eq(first()->confirmed, 1);
  return tag;
}

Test(trunk, call_from_carrier) {
  say_invite(CONTACT,
             "Session-ID: 0123456789ABCDEF0123456789abcdef;remote=00000000000000000000000000000000\n",
             SDP);
  cr_assert(rig_hear_status(100));
  cr_assert_eq(fake.places, 1);
  cr_assert_str_eq(fake.ask.caller, "+15559999");
  cr_assert_str_eq(fake.ask.caller_display, "Bob");
  cr_assert_str_eq(fake.ask.called, "+15551234");
  cr_assert_str_eq(fake.ask.session_id, "0123456789abcdef0123456789abcdef");
  cr_assert_str_eq(fake.ask.sip_call_id, "call-one");
  cr_assert_str_eq(fake.ask.contact_host, "127.0.0.1");
  cr_assert(fake.ask.contact_is_ip);
  cr_assert_eq(fake.ask.max_forwards, 60);
  cr_assert_eq(fake.ask.vias.n, 1);
  cr_assert_eq(addr_port(&fake.ask.source), rig_peer_port);
  fake.door->ringing(fake.door_arg, caller());
  rig_settle();
  const char *m = rig_hear_status(180);
  cr_assert(m);
  char tag[128], contact[256];
  snprintf(tag, sizeof tag, "%s", rig_tag(m, "To"));
  snprintf(contact, sizeof contact, "<sip:+15551234@gw.example.test:%u>", rig_port);
  cr_assert_str_eq(rig_header(m, "Contact"), contact);
  cr_assert_str_eq(rig_body(m), "");
  fake.door->progress(fake.door_arg, caller());
  rig_settle();
  m = rig_hear_status(183);
  cr_assert(m && strstr(rig_body(m), "m=audio 41000"));
  fake.door->answered(fake.door_arg, caller());
  rig_settle();
  m = rig_hear_status(200);
  cr_assert(m && strstr(rig_body(m), "m=audio 41000"));
  cr_assert_str_eq(rig_tag(m, "To"), tag);
  cr_assert(strstr(rig_header(m, "Session-ID"), ";remote="));
  cr_assert_eq(first()->confirmed, 0);
  say_in_dialog("ACK", 1, "ack", tag, "", "");
  cr_assert_eq(first()->confirmed, 1);
  say_in_dialog("BYE", 2, "bye", tag, "Reason: Q.850;cause=16\n", "");
  cr_assert(rig_hear_status(200));
  cr_assert(first()->is_over);
  cr_assert_eq(caller()->cause.reason, END_COMPLETED);
  cr_assert_eq(caller()->cause.by, BY_CALLER);
  cr_assert_eq(caller()->cause.q850, 16);
  cr_assert(trunks_is_idle(rig_trunks));
  rig_run(1000);
  cr_assert_null(rig_hear());
}

Test(trunk, gateway_hangs_up) {
  call_up();
  leg_end(caller(), (struct cause){.reason = END_COMPLETED, .by = BY_CALLEE, .q850 = 16});
  rig_settle();
  const char *m = rig_hear_method("BYE");
  cr_assert(m);
  cr_assert(strstr(rig_header(m, "Reason"), "cause=16"));
  cr_assert_str_eq(rig_tag(m, "To"), "peer");
  cr_assert(trunks_is_idle(rig_trunks));
}

/* Several values, a cause that is none, and one of another protocol: the first of each kind counts. */
Test(trunk, reasons_of_a_peer) {
  const char *tag = call_up();
  say_in_dialog("BYE", 2, "bye", tag,
                "Reason: Preemption;cause=1, Q.850;text=\"no cause\", Q.850;cause=38;text=\"a;b\"\n"
                "Reason: Q.850;cause=16, SIP;cause=503\n",
                "");
  cr_assert(rig_hear_status(200));
  cr_assert_eq(caller()->cause.q850, 38);
}

Test(trunk, canceled_because_answered_elsewhere) {
  say_invite(CONTACT, "", SDP);
  rig_hear_status(100);
  rig_say("CANCEL sip:+15551234@gw.example.test;user=phone SIP/2.0\n"
          "Via: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bKinv\nMax-Forwards: 60\n"
          "From: \"Bob\" <sip:+15559999@127.0.0.1>;tag=peer\nTo: <sip:+15551234@gw.example.test>\n"
          "Call-ID: call-one\nCSeq: 1 CANCEL\n"
          "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\n\n");
  cr_assert(rig_hear_status(487));
  cr_assert_eq(caller()->cause.reason, END_ANSWERED_ELSEWHERE);
}

static void may_refer(struct conf *c) { c->trunks[0].accept_refer = true; }

Test(trunk, refer_is_refused_by_default) {
  const char *tag = call_up();
  say_in_dialog("REFER", 2, "refer", tag, "Refer-To: <sip:+15557777@gw.example.test>\n", "");
  const char *m = rig_hear_status(403);
  cr_assert(m && strstr(rig_header(m, "Warning"), "accept_refer"));
  cr_assert_eq(fake.transfers, 0);
}

Test(refer, is_answered_before_it_is_told, .init = NULL) {
  rig_shape = may_refer;
  rig_start();
  const char *tag = call_up();
  say_in_dialog("REFER", 2, "refer", tag,
                "Refer-To: <sip:+1(555)7777@gw.example.test>\nReferred-By: <sip:x@y;x-m=1>;x-ti=2\n",
                "");
  cr_assert(rig_hear_status(202));
  cr_assert_eq(fake.transfers, 1);
  cr_assert_str_eq(fake.ask.called, "+15557777");
  cr_assert_str_eq(fake.ask.trunk->name, "lab");
  cr_assert_str_eq(fake.words.by, "<sip:x@y;x-m=1>;x-ti=2");
  cr_assert_str_eq(fake.words.to, "");
  const char *m = rig_hear_method("NOTIFY");
  cr_assert(m && strstr(rig_body(m), "SIP/2.0 100"));
  cr_assert_str_eq(rig_header(m, "Event"), "refer");
  struct transfer_news news = {.state = TRANSFER_PROGRESS, .sip = 180, .target = "", .new_call = ""};
  fake.door->transferred(fake.door_arg, caller(), &news);
  rig_settle();
  m = rig_hear_method("NOTIFY");
  cr_assert(m && strstr(rig_body(m), "SIP/2.0 180"));
  say_in_dialog("REFER", 3, "refer2", tag, "Refer-To: <sip:+15557777@gw.example.test>\n", "");
  cr_assert(rig_hear_status(491), "one at a time");
  news = (struct transfer_news){.state = TRANSFER_FAILED, .sip = 486, .target = "", .new_call = ""};
  fake.door->transferred(fake.door_arg, caller(), &news);
  rig_settle();
  m = rig_hear_method("NOTIFY");
  cr_assert(m && strstr(rig_body(m), "SIP/2.0 486"));
  cr_assert(strstr(rig_header(m, "Subscription-State"), "terminated"));
  fake.door->transferred(fake.door_arg, caller(), &news);
  rig_settle();
  cr_assert_null(rig_hear_method("NOTIFY"), "its last word was said");
  rig_stop();
}

Test(trunk, answer_is_repeated_until_ack) {
  say_invite(CONTACT, "", SDP);
  fake.door->answered(fake.door_arg, caller());
  rig_settle();
  unsigned n = 0;
  for (unsigned ms = 0; ms < 31000; ms += 10) {
    rig_run(10);
    while (rig_hear_status(200))
      n++;
  }
  cr_assert_geq(n, 10, "%u", n);
  cr_assert_leq(n, 12, "%u", n);
  cr_assert_not(first()->is_over);
  rig_run(3000);
  cr_assert(first()->is_over);
  cr_assert_eq(caller()->cause.reason, END_TIMEOUT);
  cr_assert(rig_hear_method("BYE"));
  cr_assert(trunks_is_idle(rig_trunks));
}

/* Nothing but a BYE may follow, and not before the ACK (RFC 3261 15). */
Test(trunk, hang_up_before_ack_waits) {
  say_invite(CONTACT, "", SDP);
  fake.door->answered(fake.door_arg, caller());
  rig_settle();
  const char *m = rig_hear_status(200);
  char tag[128];
  snprintf(tag, sizeof tag, "%s", rig_tag(m, "To"));
  leg_end(caller(), (struct cause){.reason = END_COMPLETED, .by = BY_CALLEE});
  rig_run(200);
  cr_assert_null(rig_hear_method("BYE"));
  say_in_dialog("ACK", 1, "ack", tag, "", "");
  cr_assert(rig_hear_method("BYE"));
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, no_provisional_after_final) {
  call_up();
  fake.door->ringing(fake.door_arg, caller());
  fake.door->progress(fake.door_arg, caller());
  rig_settle();
  cr_assert_null(rig_hear());
}

Test(trunk, cancel) {
  say_invite(CONTACT, "", SDP);
  rig_say("CANCEL sip:+15551234@gw.example.test;user=phone SIP/2.0\nVia: SIP/2.0/UDP "
          "127.0.0.1:$P;branch=z9hG4bKinv\n"
          "Max-Forwards: 70\nFrom: \"Bob\" <sip:+15559999@127.0.0.1>;tag=peer\nTo: "
          "<sip:+15551234@gw.example.test>\n"
          "Call-ID: call-one\nCSeq: 1 CANCEL\n\n");
  const char *m = rig_hear_status(200);
  cr_assert(m && strstr(rig_header(m, "CSeq"), "CANCEL"));
  cr_assert(rig_hear_status(487));
  cr_assert_eq(caller()->cause.reason, END_CANCELED);
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, cancel_crosses_answer) {
  say_invite(CONTACT, "", SDP);
  fake.door->answered(fake.door_arg, caller());
  rig_settle();
  cr_assert(rig_hear_status(200));
  rig_say("CANCEL sip:+15551234@gw.example.test;user=phone SIP/2.0\nVia: SIP/2.0/UDP "
          "127.0.0.1:$P;branch=z9hG4bKinv\n"
          "Max-Forwards: 70\nFrom: \"Bob\" <sip:+15559999@127.0.0.1>;tag=peer\nTo: "
          "<sip:+15551234@gw.example.test>\n"
          "Call-ID: call-one\nCSeq: 1 CANCEL\n\n");
  cr_assert(rig_hear_status(481));
  cr_assert_not(first()->is_over);
}

Test(trunk, busy_far_side) {
  say_invite(CONTACT, "", SDP);
  leg_end(caller(), (struct cause){.reason = END_BUSY, .by = BY_CALLEE});
  rig_settle();
  const char *m = rig_hear_status(486);
  cr_assert(m && strstr(rig_header(m, "Reason"), "Q.850;cause=17"));
}

Test(trunk, ended_while_placed) {
  fake.ends_while_placing = true;
  say_invite(CONTACT, "", SDP);
  cr_assert(rig_hear_status(486));
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, refusals_name_the_rule) {
  fake.place = verdict_refuse(REFUSE_PROXY, "host \"evil.test\": add it to proxies, line 12");
  say_invite(CONTACT, "", SDP);
  const char *m = rig_hear_status(403);
  cr_assert_str_eq(rig_header(m, "Warning"),
                   "399 gw.example.test \"A SIP proxy that is not the trunk's stands in between: host "
                   "\\\"evil.test\\\": add it to proxies, line 12\"");
  cr_assert(strstr(rig_header(m, "Reason"), "third_party_proxy"));
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, overload_is_stateless) {
  fake.place = verdict_refuse(REFUSE_TRUNK_RATE, "10 a second");
  fake.place.retry_after_s = 3;
  say_invite(CONTACT, "", SDP);
  const char *m = rig_hear_status(503);
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "Retry-After"), "3");
  rig_run(5000);
  cr_assert_null(rig_hear());
}

static void expect_refused(int status, enum refusal r) {
  cr_assert(rig_hear_status(status), "%d", status);
  cr_assert_eq(fake.noted_refusal, r);
  cr_assert_eq(fake.places, 0);
}

Test(trunk, contact_star) { say_invite("*", "", SDP), expect_refused(400, REFUSE_MALFORMED); }
Test(trunk, contact_tel) { say_invite("<tel:123>", "", SDP), expect_refused(400, REFUSE_MALFORMED); }
Test(trunk, route_tel) {
  say_invite(CONTACT, "Record-Route: <tel:123>\n", SDP), expect_refused(400, REFUSE_MALFORMED);
}
Test(trunk, body_type) {
  say_invite(CONTACT, "Content-Type: text/plain\n", "");
  cr_assert_eq(fake.places, 1); /* no body: a late offer */
  cr_assert(rig_hear_status(100));
}
Test(trunk, body_other) {
  rig_say(
      "INVITE sip:+1@gw.example.test SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bKb\n"
      "From: <sip:a@b>;tag=x\nTo: <sip:c@d>\nCall-ID: b\nCSeq: 1 INVITE\nContact: <sip:a@127.0.0.1>\n"
      "Content-Type: text/plain\n\nhello");
  const char *m = rig_hear_status(415);
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "Accept"), "application/sdp, multipart/mixed");
}
/* The one that hangs the library's own parser for ever. */
Test(trunk, sdp_that_hangs_others) {
  say_invite(CONTACT, "",
             "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n"
             "m=audio 5000 UDP/TLS/RTP/SAVPF 111 [\r\n");
  const char *m = rig_hear();
  while (m && !strncmp(m, "SIP/2.0 100", 11))
    m = rig_hear();
  if (fake.places == 0)
    cr_assert(m && !strncmp(m, "SIP/2.0 4", 9));
}

Test(trunk, late_offer) {
  say_invite(CONTACT, "", "");
  cr_assert(rig_hear_status(100));
  fake.door->progress(fake.door_arg, caller());
  rig_settle();
  const char *m = rig_hear_status(183);
  cr_assert_str_eq(rig_body(m), "", "no offer in an unreliable provisional");
  fake.door->answered(fake.door_arg, caller());
  rig_settle();
  m = rig_hear_status(200);
  cr_assert(strstr(rig_body(m), "m=audio"));
  char tag[128];
  snprintf(tag, sizeof tag, "%s", rig_tag(m, "To"));
  say_in_dialog("ACK", 1, "ack", tag, "", SDP);
  cr_assert_eq(first()->taken, 1);
  cr_assert(first()->taken_final);
  cr_assert_eq(first()->confirmed, 1);
}

Test(trunk, late_offer_without_answer) {
  say_invite(CONTACT, "", "");
  fake.door->answered(fake.door_arg, caller());
  rig_settle();
  char tag[128];
  snprintf(tag, sizeof tag, "%s", rig_tag(rig_hear_status(200), "To"));
  say_in_dialog("ACK", 1, "ack", tag, "", "");
  cr_assert(rig_hear_method("BYE"));
  cr_assert_eq(caller()->cause.reason, END_MEDIA_FAILURE);
}

Test(trunk, stranger_is_silent) {
  fake.is_stranger = true;
  say_invite(CONTACT, "", SDP);
  rig_run(1000);
  cr_assert_null(rig_hear());
  cr_assert_eq(fake.places, 0);
}

Test(trunk, stranger_in_dialog) {
  char tag[128];
  snprintf(tag, sizeof tag, "%s", call_up());
  fake.is_stranger = true;
  say_in_dialog("BYE", 2, "bye", tag, "", "");
  cr_assert(rig_hear_status(481));
  cr_assert_not(first()->is_over);
}

static void expect_method(const char *method, const char *extra, int status) {
  snprintf(text, sizeof text,
           "%s sip:gw.example.test SIP/2.0\nVia: SIP/2.0/UDP "
           "127.0.0.1:$P;branch=z9hG4bK%s%d\nMax-Forwards: 70\n"
           "From: <sip:a@b>;tag=x\nTo: <sip:c@d>\nCall-ID: m%s%s\nCSeq: 1 %s\n%s\n",
           method, method, status, method, *extra ? "x" : "", method, extra);
  rig_say(text);
  cr_assert(rig_hear_status(status), "%s %d", method, status);
}

Test(trunk, methods) {
  expect_method("REGISTER", "Contact: *\nExpires: 0\n", 405);
  expect_method("MESSAGE", "", 405);
  expect_method("SUBSCRIBE", "Event: x\n", 405);
  expect_method("REFER", "Refer-To: <sip:x@y>\n", 405);
  expect_method("FROBNICATE", "", 501);
  expect_method("BYE", "", 481);
  expect_method("INFO", "", 481);
  expect_method("UPDATE", "Contact: <sip:a@b>\n", 481);
  expect_method("NOTIFY", "Event: x\nSubscription-State: active\n", 481);
  expect_method("PRACK", "RAck: 1 1 INVITE\n", 481);
  expect_method("OPTIONS", "Require: nothing, 100rel\n", 420);
  expect_method("OPTIONS", "", 200);
  cr_assert_eq(fake.places, 0);
}

Test(trunk, required_extension) {
  say_invite(CONTACT, "Require: 100rel\n", SDP);
  const char *m = rig_hear_status(420);
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "Unsupported"), "100rel");
}

Test(trunk, options_say_what_we_do) {
  expect_method("OPTIONS", "Accept: application/sdp\n", 200);
  trunks_drain(rig_trunks);
  rig_say("OPTIONS sip:gw.example.test SIP/2.0\nVia: SIP/2.0/UDP "
          "127.0.0.1:$P;branch=z9hG4bKo2\nMax-Forwards: 70\n"
          "From: <sip:a@b>;tag=x\nTo: <sip:c@d>\nCall-ID: o2\nCSeq: 1 OPTIONS\n\n");
  const char *m = rig_hear_status(503);
  cr_assert(m);
  cr_assert(strstr(rig_header(m, "Allow"), "INVITE"));
  cr_assert_str_eq(rig_header(m, "Accept"), "application/sdp");
  struct trunk_health h;
  cr_assert(trunks_health(rig_trunks, "lab", &h));
  cr_assert_eq(h.received, 2);
}

Test(trunk, merged_request) {
  say_invite(CONTACT, "", SDP);
  cr_assert(rig_hear_status(100));
  rig_say("INVITE sip:+15551234@gw.example.test;user=phone SIP/2.0\nVia: SIP/2.0/UDP "
          "127.0.0.1:$P;branch=z9hG4bKother\n"
          "Max-Forwards: 60\nFrom: \"Bob\" <sip:+15559999@127.0.0.1>;tag=peer\nTo: "
          "<sip:+15551234@gw.example.test>\n"
          "Call-ID: call-one\nCSeq: 1 INVITE\nContact: <sip:bob@127.0.0.1>\n\n");
  cr_assert(rig_hear_status(482));
  cr_assert_eq(fake.places, 1);
}

/* What ends the process in the library as it is: a final response that cannot be sent, then the ACK. */
static void via_without_answer(const char *via) {
  for (unsigned i = 0; i < 2; i++) {
    snprintf(text, sizeof text,
             "%s sip:+1@gw.example.test SIP/2.0\nVia: %s;branch=z9hG4bKv\nMax-Forwards: 5\nFrom: "
             "<sip:a@b>;tag=1\n"
             "To: <sip:c@d>\nCall-ID: via\nCSeq: 1 %s\nContact: <sip:a@127.0.0.1>\n\n",
             i ? "ACK" : "INVITE", via, i ? "ACK" : "INVITE");
    rig_send(text);
  }
  rig_settle();
  rig_run(40000);
  while (rig_hear()) {
  }
  expect_method("OPTIONS", "", 200);
}
Test(trunk, unanswerable_port) {
  fake.place = verdict_refuse(REFUSE_PROXY, "x"), via_without_answer("SIP/2.0/UDP 127.0.0.1:0");
}
Test(trunk, unanswerable_maddr) {
  fake.place = verdict_refuse(REFUSE_PROXY, "x");
  via_without_answer("SIP/2.0/UDP h;maddr=255.255.255.255");
}
Test(trunk, unanswerable_family) {
  fake.place = verdict_refuse(REFUSE_PROXY, "x"), via_without_answer("SIP/2.0/UDP h;maddr=::1");
}
Test(trunk, odd_numbers_stay_escaped) {
  rig_say("INVITE sip:a%3E%22;b@gw.example.test SIP/2.0\nVia: SIP/2.0/UDP "
          "127.0.0.1:$P;branch=z9hG4bKo\nMax-Forwards: 5\n"
          "From: <sip:a@b>;tag=1\nTo: <sip:c@d>\nCall-ID: odd\nCSeq: 1 INVITE\nContact: "
          "<sip:a@127.0.0.1>\n\n");
  cr_assert(rig_hear_status(100));
  fake.door->ringing(fake.door_arg, caller());
  rig_settle();
  cr_assert(strstr(rig_header(rig_hear_status(180), "Contact"), "<sip:a%3E%22@gw.example.test"));
}

/* A malformed request whose answer finds a closed port: the error that comes back must not keep the
 * datagram on the socket. */
Test(trunk, malformed_and_nobody_there) {
  rig_say("INVITE sip:user@example.com; lr SIP/2.0\nVia: SIP/2.0/UDP "
          "127.0.0.1:1;branch=z9hG4bKm\nMax-Forwards: 5\n"
          "From: <sip:a@b>;tag=1\nTo: <sip:c@d>\nCall-ID: m\nCSeq: 1 INVITE\n\n");
  expect_method("OPTIONS", "", 200);
}

/* Every one is answered, and the memory of it does not grow with a flood. */
Test(trunk, options_flood) {
  unsigned n = 0;
  for (unsigned i = 0; i < 3000; i++) {
    snprintf(text, sizeof text,
             "OPTIONS sip:gw SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bKf%u\nMax-Forwards: "
             "7\nFrom: <sip:a@b>;tag=x\n"
             "To: <sip:c@d>\nCall-ID: f%u\nCSeq: 1 OPTIONS\n\n",
             i, i);
    rig_say(text);
    n += rig_hear_status(200) != NULL;
  }
  cr_assert_eq(n, 3000);
  cr_assert_leq(rig_transactions(), 200, "%zu", rig_transactions());
}

/* Offers within the dialog ---------------------------------------------------------------------- */

Test(trunk, hold_by_peer) {
  char tag[128];
  snprintf(tag, sizeof tag, "%s", call_up());
  say_in_dialog("INVITE", 2, "hold", tag, "", SDP_HELD);
  const char *m = rig_hear_status(200);
  cr_assert(m && strstr(rig_body(m), "m=audio"));
  cr_assert_eq(first()->reoffers, 1);
  cr_assert_eq(first()->offered_direction, DIR_SEND);
  say_in_dialog("ACK", 2, "holdack", tag, "", "");
  rig_run(2000);
  cr_assert_null(rig_hear(), "acknowledged: no more answers");
  say_in_dialog("INVITE", 3, "late", tag, "", "");
  m = rig_hear_status(200);
  cr_assert(m && strstr(rig_body(m), "m=audio"));
  cr_assert(first()->reoffer_is_empty);
  say_in_dialog("ACK", 3, "lateack", tag, "", SDP);
  cr_assert_eq(first()->taken, 1);
  cr_assert_not(first()->is_over);
}

Test(trunk, reoffer_refused_changes_nothing) {
  char tag[128];
  snprintf(tag, sizeof tag, "%s", call_up());
  fake.reoffer = verdict_refuse(REFUSE_CODEC, "none in common");
  say_in_dialog("INVITE", 2, "r", tag, "", SDP);
  cr_assert(rig_hear_status(488));
  cr_assert_not(first()->is_over);
  say_in_dialog("ACK", 2, "r", tag, "", "");
}

Test(trunk, overlapping_offers) {
  char tag[128];
  snprintf(tag, sizeof tag, "%s", call_up());
  fake.reoffer_waits = true;
  say_in_dialog("INVITE", 2, "one", tag, "", SDP);
  cr_assert(rig_hear_status(100));
  say_in_dialog("INVITE", 3, "two", tag, "", SDP);
  const char *m = rig_hear_status(500);
  cr_assert(m);
  cr_assert_str_neq(rig_header(m, "Retry-After"), "");
  struct verdict pass = verdict_pass();
  fake.door->reoffered(fake.door_arg, caller(), first()->cookie, &pass, caller()->local);
  rig_settle();
  m = rig_hear_status(200);
  cr_assert(m && strstr(rig_header(m, "CSeq"), "2 INVITE"));
}

Test(trunk, old_cseq) {
  char tag[128];
  snprintf(tag, sizeof tag, "%s", call_up());
  say_in_dialog("INFO", 5, "i5", tag, "", "");
  cr_assert(rig_hear_status(200));
  say_in_dialog("INFO", 4, "i4", tag, "", "");
  cr_assert(rig_hear_status(500));
}

Test(trunk, update) {
  char tag[128];
  snprintf(tag, sizeof tag, "%s", call_up());
  say_in_dialog("UPDATE", 2, "u1", tag, "Session-Expires: 1800;refresher=uac\n", "");
  const char *m = rig_hear_status(200);
  cr_assert(m);
  cr_assert_str_eq(rig_body(m), "");
  say_in_dialog("UPDATE", 3, "u2", tag, "", SDP_HELD);
  m = rig_hear_status(200);
  cr_assert(m && strstr(rig_body(m), "m=audio"));
  cr_assert_eq(first()->reoffers, 1);
}

Test(trunk, info_digit) {
  char tag[128];
  snprintf(tag, sizeof tag, "%s", call_up());
  say_in_dialog("INFO", 2, "i", tag, "Content-Type: application/dtmf-relay\n",
                "Signal=5\r\nDuration=160\r\n");
  cr_assert(rig_hear_status(200));
  cr_assert_eq(first()->digit, '5');
  say_in_dialog("INFO", 3, "j", tag, "Content-Type: text/plain\n", "x");
  cr_assert(rig_hear_status(415));
  say_in_dialog("INFO", 4, "k", tag, "Content-Type: application/dtmf-relay\n", "Signal=hello\r\n");
  cr_assert(rig_hear_status(400));
}

static void answer_request(const char *request, int status, const char *to_tag, const char *contact,
                           const char *extra, const char *body) {
  snprintf(text, sizeof text,
           "SIP/2.0 %d Text\nVia: %s\nFrom: %s\nTo: %s%s%s\nCall-ID: %s\nCSeq: %s\n%s%s%s%s%s\n%s",
           status, rig_header(request, "Via"), rig_header(request, "From"), rig_header(request, "To"),
           *to_tag && !*rig_tag(request, "To") ? ";tag=" : "", *rig_tag(request, "To") ? "" : to_tag,
           rig_header(request, "Call-ID"), rig_header(request, "CSeq"), *contact ? "Contact: " : "",
           contact, *contact ? "\n" : "", extra, *body ? "Content-Type: application/sdp\n" : "", body);
  rig_say(text);
}

/* One INFO at a time: the next digit goes when the last was answered, whatever the answer. */
Test(trunk, digits_go_by_info) {
  call_up();
  fake.door->digit(fake.door_arg, caller(), '5', 160, "rtp");
  rig_settle();
  cr_assert_null(rig_hear_method("INFO"), "not on this trunk");
  fake.signals_digits = true;
  for (const char *p = "6#6"; *p; p++)
    fake.door->digit(fake.door_arg, caller(), *p, 100, "rtp");
  rig_settle();
  for (const char *p = "6#6"; *p; p++) {
    char want[64];
    snprintf(want, sizeof want, "Signal=%c\r\nDuration=100\r\n", *p);
    const char *m = rig_hear_method("INFO");
    cr_assert(m && !strcmp(rig_header(m, "Content-Type"), "application/dtmf-relay"));
    cr_assert_str_eq(rig_body(m), want);
    cr_assert_null(rig_hear_method("INFO"), "two at once");
    answer_request(m, *p == '#' ? 415 : 200, "", "", "", "");
    rig_settle();
  }
  cr_assert_not(first()->is_over);
  for (unsigned i = 0; i < 200; i++)
    fake.door->digit(fake.door_arg, caller(), '1', 100, "rtp");
  rig_settle();
  cr_assert(rig_hear_method("INFO"));
}

Test(trunk, hold_is_told) {
  call_up();
  fake.door->held(fake.door_arg, caller(), true);
  rig_settle();
  const char *m = rig_hear_method("INVITE");
  cr_assert(m && strstr(rig_body(m), "m=audio"));
  cr_assert(caller()->offer_pending);
  answer_request(m, 200, "", CONTACT, "", SDP);
  cr_assert(rig_hear_method("ACK"));
  cr_assert_eq(first()->taken, 1);
  cr_assert_not(caller()->offer_pending);
}

Test(trunk, glare_is_retried) {
  char tag[128];
  snprintf(tag, sizeof tag, "%s", call_up());
  fake.door->held(fake.door_arg, caller(), true);
  rig_settle();
  static char ours[4000];
  snprintf(ours, sizeof ours, "%s", rig_hear_method("INVITE"));
  say_in_dialog("INVITE", 2, "cross", tag, "", SDP);
  cr_assert(rig_hear_status(491));
  answer_request(ours, 491, "", "", "", "");
  cr_assert(rig_hear_method("ACK"));
  cr_assert_eq(first()->dropped, 1);
  rig_run(2100);
  const char *m = rig_hear_method("INVITE");
  cr_assert(m, "we try again");
  answer_request(m, 200, "", CONTACT, "", SDP);
  cr_assert(rig_hear_method("ACK"));
  cr_assert_not(first()->is_over);
}

/* A change of mind does not shorten the wait after a 491. */
Test(trunk, glare_is_waited_out) {
  call_up();
  fake.door->held(fake.door_arg, caller(), true);
  rig_settle();
  static char ours[4000];
  snprintf(ours, sizeof ours, "%s", rig_hear_method("INVITE"));
  fake.door->held(fake.door_arg, caller(), false);
  answer_request(ours, 491, "", "", "", "");
  fake.door->held(fake.door_arg, caller(), true);
  rig_settle();
  cr_assert(rig_hear_method("ACK"));
  cr_assert_null(rig_hear_method("INVITE"), "at once");
  rig_run(2100);
  cr_assert(rig_hear_method("INVITE"), "and then");
}

Test(trunk, hold_answered_without_sdp) {
  call_up();
  fake.door->held(fake.door_arg, caller(), true);
  rig_settle();
  const char *m = rig_hear_method("INVITE");
  answer_request(m, 200, "", CONTACT, "", "");
  cr_assert(rig_hear_method("ACK"));
  cr_assert(rig_hear_method("BYE"));
  cr_assert_eq(caller()->cause.reason, END_MEDIA_FAILURE);
}

Test(trunk, hold_of_a_forgotten_call) {
  call_up();
  fake.door->held(fake.door_arg, caller(), true);
  rig_settle();
  answer_request(rig_hear_method("INVITE"), 481, "", "", "", "");
  cr_assert(first()->is_over);
}

/* To the carrier -------------------------------------------------------------------------------- */

static char invite[8000];

static struct fake_leg *ring(void) {
  struct leg *l = rig_ring("+442012345");
  cr_assert(l);
  const char *m = rig_hear_method("INVITE");
  cr_assert(m);
  snprintf(invite, sizeof invite, "%s", m);
  return CONTAINER_OF(l, struct fake_leg, leg);
}

static void may_redirect(struct conf *c) { c->trunks[0].redirects = REDIRECTS_FOLLOW; }

Test(redirect, contacts_by_weight_five_at_most_each_once, .init = NULL) {
  static const char *const wanted[] = {"+15550009", "+15550008", "+15550001", "+15550002", "+15550003"};
  rig_shape = may_redirect;
  rig_start();
  ring();
  answer_request(
      invite, 302, "a", "<sip:+15550007@z.example>;q=0.05",
      "Contact: <sip:+15550001@a.example>;q=0.5, <sip:+15550002@a.example>;q=0.5\n"
      "Contact: <sip:+15550003@b>;q=0.4, <sip:+15550009@b>, <sip:+15550001@c>;q=0.1, <sip:eve@b>\n"
      "Contact: <sip:+15550004@b>;q=0.2, <tel:+15550008>;q=0.9, <sip:+15550005@b>;q=0.3, <http://x/>\n",
      "");
  cr_assert_eq(fake.redirect.n, 5);
  cr_assert_eq(fake.redirect.status, 302);
  for (int i = 0; i < 5; i++)
    cr_assert_str_eq(fake.redirect.to[i].name, wanted[i], "%d", i);
  rig_stop();
}

Test(trunk, call_to_carrier) {
  struct fake_leg *f = ring();
  char line[128];
  snprintf(line, sizeof line, "INVITE sip:+442012345@127.0.0.1:%u;user=phone SIP/2.0", rig_peer_port);
  cr_assert(!strncmp(invite, line, strlen(line)), "%.100s", invite);
  cr_assert(strstr(rig_header(invite, "From"),
                   "\"Alice \\\"A\\\"\" <sip:+15550001@gw.example.test;user=phone>;tag="));
  cr_assert(strstr(rig_header(invite, "Contact"), "@gw.example.test"));
  cr_assert(strstr(rig_header(invite, "Via"), "gw.example.test"));
  cr_assert_str_eq(rig_header(invite, "Max-Forwards"), "70");
  cr_assert(strstr(rig_header(invite, "Session-ID"), "feed;remote=0000"));
  cr_assert(strstr(rig_header(invite, "Allow"), "UPDATE"));
  cr_assert(strstr(rig_body(invite), "m=audio"));
  answer_request(invite, 100, "", "", "", "");
  answer_request(invite, 180, "a", CONTACT, "", "");
  cr_assert_eq(f->ringing, 1);
  answer_request(invite, 183, "b", CONTACT, "", SDP);
  cr_assert_eq(f->early, 1);
  cr_assert_eq(f->taken_dialog, 2);
  cr_assert_not(f->taken_final);
  answer_request(invite, 200, "b", CONTACT, "Session-ID: 11111111111111111111111111111111;remote=x\n",
                 "");
  cr_assert_eq(f->answered, 1);
  cr_assert(f->taken_null && f->taken_final);
  cr_assert_eq(f->taken_dialog, 2);
  cr_assert_str_eq(f->call.session_remote, "11111111111111111111111111111111");
  const char *m = rig_hear_method("ACK");
  cr_assert(m);
  cr_assert_str_eq(rig_tag(m, "To"), "b");
  snprintf(line, sizeof line, "ACK sip:bob@127.0.0.1:%u SIP/2.0", rig_peer_port);
  cr_assert(!strncmp(m, line, strlen(line)), "%.100s", m);
  answer_request(invite, 200, "b", CONTACT, "", SDP);
  cr_assert(rig_hear_method("ACK"), "a repeated answer is acknowledged again");
  cr_assert_eq(f->answered, 1);
  leg_end(&f->leg, (struct cause){.reason = END_COMPLETED, .by = BY_CALLER});
  rig_settle();
  m = rig_hear_method("BYE");
  cr_assert(m);
  answer_request(m, 200, "", "", "", "");
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, anonymous_call) {
  static struct call c = {.to = "+1", .from = "+15550001", .anonymous = true};
  struct target target = {.kind = LEG_TRUNK, .trunk = &rig_conf.trunks[0]};
  struct verdict v = fake.door->ring(fake.door_arg, &c, &target);
  cr_assert(verdict_is_pass(&v));
  fake.door->opened(fake.door_arg, caller());
  rig_settle();
  const char *m = rig_hear_method("INVITE");
  cr_assert(strstr(rig_header(m, "From"), "<sip:anonymous@anonymous.invalid>"));
  cr_assert_str_eq(rig_header(m, "Privacy"), "id");
  cr_assert(strstr(rig_header(m, "P-Asserted-Identity"), "+15550001"));
  cr_assert_null(strstr(rig_header(m, "Contact"), "15550001"));
}

Test(trunk, busy_carrier) {
  struct fake_leg *f = ring();
  answer_request(invite, 486, "a", "", "Reason: Q.850;cause=17\n", "");
  cr_assert(rig_hear_method("ACK"));
  cr_assert_eq(f->leg.cause.reason, END_BUSY);
  cr_assert_eq(f->leg.cause.sip, 486);
  cr_assert_eq(f->leg.cause.q850, 17);
  cr_assert_eq(f->leg.cause.by, BY_CALLEE);
  cr_assert_eq(fake.done, 1);
  cr_assert(trunks_is_idle(rig_trunks));
}

static void expect_answer_undone(struct fake_leg *f) {
  cr_assert(rig_hear_method("ACK"));
  cr_assert(rig_hear_method("BYE"));
  cr_assert(f->is_over);
  cr_assert_eq(f->answered, 0);
  cr_assert_eq(fake.done, 1);
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, answer_with_contact_star) {
  struct fake_leg *f = ring();
  answer_request(invite, 200, "a", "*", "", SDP);
  expect_answer_undone(f);
}
Test(trunk, answer_with_contact_tel) {
  struct fake_leg *f = ring();
  answer_request(invite, 200, "a", "<tel:123>", "", SDP);
  expect_answer_undone(f);
}
Test(trunk, answer_without_contact) {
  struct fake_leg *f = ring();
  answer_request(invite, 200, "a", "", "", SDP);
  expect_answer_undone(f);
}
Test(trunk, answer_with_route_tel) {
  struct fake_leg *f = ring();
  answer_request(invite, 200, "a", CONTACT, "Record-Route: <tel:123;lr>\n", SDP);
  expect_answer_undone(f);
}
Test(trunk, answer_without_sdp) {
  struct fake_leg *f = ring();
  answer_request(invite, 200, "a", CONTACT, "", "");
  expect_answer_undone(f);
}
Test(trunk, answer_with_bad_sdp) {
  struct fake_leg *f = ring();
  answer_request(invite, 200, "a", CONTACT, "", "nonsense");
  expect_answer_undone(f);
}
Test(trunk, answer_of_a_strangers_chain) {
  struct fake_leg *f = ring();
  fake.chain = verdict_refuse(REFUSE_PROXY, "host evil.test");
  answer_request(invite, 200, "a", CONTACT, "Record-Route: <sip:127.0.0.1:$P;lr>\n", SDP);
  cr_assert_eq(fake.chain_routes, 1);
  cr_assert_str_eq(fake.chain_contact, "127.0.0.1");
  expect_answer_undone(f);
}

Test(trunk, cancel_by_us) {
  struct fake_leg *f = ring();
  answer_request(invite, 180, "a", CONTACT, "", "");
  leg_end(&f->leg, (struct cause){.reason = END_CANCELED, .by = BY_CALLER});
  rig_settle();
  const char *m = rig_hear_method("CANCEL");
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "CSeq") + strcspn(rig_header(m, "CSeq"), " "), " CANCEL");
  answer_request(m, 200, "a", "", "", "");
  answer_request(invite, 487, "a", "", "", "");
  cr_assert(rig_hear_method("ACK"));
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, cancel_waits_for_provisional) {
  struct fake_leg *f = ring();
  leg_end(&f->leg, (struct cause){.reason = END_CANCELED, .by = BY_CALLER});
  rig_settle();
  cr_assert_null(rig_hear_method("CANCEL"), "RFC 3261 9.1");
  /* An answer to the CANCEL that was not sent ends the process in the library as it is. */
  snprintf(text, sizeof text,
           "SIP/2.0 200 OK\nVia: %s\nFrom: %s\nTo: %s;tag=z\nCall-ID: %s\nCSeq: %u CANCEL\n\n",
           rig_header(invite, "Via"), rig_header(invite, "From"), rig_header(invite, "To"),
           rig_header(invite, "Call-ID"), (unsigned)atoi(rig_header(invite, "CSeq")));
  rig_say(text);
  answer_request(invite, 100, "", "", "", "");
  const char *m = rig_hear_method("CANCEL");
  cr_assert(m);
  cr_assert_not(trunks_is_idle(rig_trunks));
  answer_request(invite, 487, "z", "", "", "");
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, answer_crosses_our_cancel) {
  struct fake_leg *f = ring();
  answer_request(invite, 180, "a", CONTACT, "", "");
  leg_end(&f->leg, (struct cause){.reason = END_CANCELED, .by = BY_CALLER});
  rig_settle();
  cr_assert(rig_hear_method("CANCEL"));
  answer_request(invite, 200, "a", CONTACT, "", SDP);
  cr_assert(rig_hear_method("ACK"));
  cr_assert(rig_hear_method("BYE"));
  cr_assert_eq(f->answered, 0);
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, canceled_and_never_heard_of_again) {
  struct fake_leg *f = ring();
  answer_request(invite, 180, "a", CONTACT, "", "");
  leg_end(&f->leg, (struct cause){.reason = END_CANCELED, .by = BY_CALLER});
  rig_run(37000);
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, silent_carrier) {
  struct fake_leg *f = ring();
  unsigned n = 0;
  for (unsigned ms = 0; ms < 9900; ms += 10) {
    rig_run(10);
    while (rig_hear_method("INVITE"))
      n++;
  }
  cr_assert_eq(n, 4, "timer A doubles: %u", n);
  cr_assert_not(f->is_over);
  rig_run(200);
  cr_assert(f->is_over, "failover_s");
  cr_assert_eq(f->leg.cause.sip, 408);
  cr_assert_eq(f->leg.cause.by, BY_GATEWAY);
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(trunk, carrier_rings_for_ever) {
  struct fake_leg *f = ring();
  answer_request(invite, 180, "a", CONTACT, "", "");
  rig_run(179000);
  cr_assert_not(f->is_over);
  rig_run(2000);
  cr_assert(f->is_over);
  cr_assert_eq(f->leg.cause.reason, END_NO_ANSWER);
  cr_assert(rig_hear_method("CANCEL"));
}

Test(trunk, second_answer_of_another_fork) {
  struct fake_leg *f = ring();
  answer_request(invite, 200, "a", CONTACT, "", SDP);
  cr_assert(rig_hear_method("ACK"));
  answer_request(invite, 200, "b", CONTACT, "", SDP);
  const char *m = rig_hear_method("ACK");
  cr_assert(m);
  cr_assert_str_eq(rig_tag(m, "To"), "b");
  m = rig_hear_method("BYE");
  cr_assert(m);
  cr_assert_str_eq(rig_tag(m, "To"), "b");
  cr_assert_not(f->is_over);
}

Test(trunk, ninth_fork_is_ignored) {
  struct fake_leg *f = ring();
  char tag[8];
  for (unsigned i = 0; i < 12; i++) {
    snprintf(tag, sizeof tag, "t%u", i);
    answer_request(invite, 183, tag, CONTACT, "", SDP);
  }
  cr_assert_eq(f->taken, 8);
  answer_request(invite, 200, "t3", CONTACT, "", SDP);
  cr_assert_eq(f->taken_dialog, 4);
  cr_assert_eq(f->answered, 1);
}

/* A provisional that wants a PRACK which we never offered. */
Test(trunk, reliable_provisional_unasked) {
  struct fake_leg *f = ring();
  answer_request(invite, 183, "a", CONTACT, "Require: 100rel\nRSeq: 1\n", SDP);
  answer_request(invite, 183, "a", CONTACT, "RSeq: 4294967295\n", SDP);
  answer_request(invite, 200, "a", CONTACT, "", SDP);
  cr_assert_eq(f->answered, 1);
}

Test(trunk, second_answer_with_odd_contact) {
  struct fake_leg *f = ring();
  answer_request(invite, 200, "a", CONTACT, "", SDP);
  cr_assert(rig_hear_method("ACK"));
  answer_request(invite, 200, "b", "*", "", SDP);
  answer_request(invite, 200, "c", "<tel:1>", "", SDP);
  answer_request(invite, 200, "d", CONTACT, "Record-Route: <tel:1>\n", SDP);
  cr_assert_null(rig_hear());
  cr_assert_not(f->is_over);
}

Test(trunk, in_dialog_of_our_call) {
  struct fake_leg *f = ring();
  answer_request(invite, 200, "a", CONTACT, "", SDP);
  cr_assert(rig_hear_method("ACK"));
  snprintf(text, sizeof text,
           "BYE sip:x@gw.example.test:$G SIP/2.0\nVia: SIP/2.0/UDP "
           "127.0.0.1:$P;branch=z9hG4bKby\nMax-Forwards: 70\n"
           "From: %s;tag=a\nTo: %s\nCall-ID: %s\nCSeq: 1 BYE\n\n",
           rig_header(invite, "To"), rig_header(invite, "From"), rig_header(invite, "Call-ID"));
  rig_say(text);
  cr_assert(rig_hear_status(200));
  cr_assert_eq(f->leg.cause.reason, END_COMPLETED);
  cr_assert_eq(f->leg.cause.by, BY_CALLEE);
  cr_assert(trunks_is_idle(rig_trunks));
}

/* Loose routing: the request URI is the Contact, the Route is the reversed Record-Route. */
Test(trunk, route_set) {
  struct fake_leg *f = ring();
  answer_request(invite, 200, "a", "<sip:far@192.0.2.9>",
                 "Record-Route: <sip:127.0.0.1:$P;lr;p=2>, <sip:127.0.0.1:$P;lr;p=1>\n", SDP);
  const char *m = rig_hear_method("ACK");
  cr_assert(m && strstr(m, "ACK sip:far@192.0.2.9 "), "%.80s", m ? m : "");
  cr_assert(strstr(rig_header(m, "Route"), "p=1"));
  leg_end(&f->leg, (struct cause){.reason = END_COMPLETED, .by = BY_CALLER});
  rig_settle();
  m = rig_hear_method("BYE");
  cr_assert(m && strstr(m, "BYE sip:far@192.0.2.9 "));
}

Test(trunk, options_tell_health) {
  struct trunk_health h;
  rig_conf.trunks[0].options = true;
  char why[200];
  cr_assert_eq(trunks_reload(rig_trunks, &rig_conf, why, sizeof why), 0);
  rig_run(600);
  const char *m = rig_hear_method("OPTIONS");
  cr_assert(m);
  cr_assert(strstr(rig_header(m, "CSeq"), "OPTIONS"));
  cr_assert(strstr(rig_header(m, "Contact"), "<sip:gw.example.test"));
  answer_request(m, 200, "o", "", "", "");
  cr_assert(trunks_health(rig_trunks, "lab", &h));
  cr_assert_eq(h.state, TRUNK_UP);
  rig_run(250000);
  cr_assert(trunks_health(rig_trunks, "lab", &h));
  cr_assert_eq(h.state, TRUNK_DOWN, "nobody answered %d times", (int)h.failed);
  cr_assert_geq(h.sent, 3);
}

/* Toward a direct-routing SBC the gateway never starts. */
Test(trunk, hub_waits_for_options) {
  struct trunk_health h;
  char why[200];
  rig_conf.trunks[0].options = true;
  rig_conf.trunks[0].kind = TRUNK_DIRECT_ROUTING;
  cr_assert_eq(trunks_reload(rig_trunks, &rig_conf, why, sizeof why), 0);
  rig_run(130000);
  cr_assert(trunks_health(rig_trunks, "lab", &h));
  cr_assert_eq(h.sent, 0);
  expect_method("OPTIONS", "", 200);
  rig_run(500);
  cr_assert(rig_hear_method("OPTIONS"));
}

/* TCP ------------------------------------------------------------------------------------------- */

static void tcp_shape(struct conf *c) {
  strcpy(c->listeners[0].name, "tcp");
  c->listeners[0].transport = TRANSPORT_TCP;
  strcpy(c->trunks[0].listener, "tcp");
}

static int tcp_listen(uint16_t *ret_port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  cr_assert_eq(bind(fd, (struct sockaddr *)&a, n), 0);
  cr_assert_eq(listen(fd, 4), 0);
  cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
  *ret_port = ntohs(a.sin_port);
  return fd;
}

static int tcp_connect(void) {
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(rig_port)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
  cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  cr_assert_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
  return fd;
}

static char stream[20000];

/* What came on the connection until word is in it; false after a while. */
static bool tcp_hear(int fd, const char *word) {
  size_t n = 0;
  for (unsigned i = 0; i < 200; i++) {
    rig_run(10);
    ssize_t got = recv(fd, stream + n, sizeof stream - 1 - n, 0);
    n += got > 0 ? (size_t)got : 0;
    stream[n] = 0;
    if (strstr(stream, word))
      return true;
  }
  return false;
}

static void tcp_invite(int fd, uint16_t via_port) {
  int n = snprintf(text, sizeof text,
                   "INVITE sip:+1@gw.example.test SIP/2.0\r\nVia: SIP/2.0/TCP "
                   "127.0.0.1:%u;branch=z9hG4bKt\r\nMax-Forwards: 9\r\n"
                   "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: tcp\r\nCSeq: 1 INVITE\r\n"
                   "Contact: <sip:a@127.0.0.1:%u;transport=tcp>\r\nContent-Type: "
                   "application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
                   via_port, via_port, strlen(SDP), SDP);
  cr_assert_eq(send(fd, text, (size_t)n, 0), n);
}

/* RFC 3261 18.2.2: the connection is gone, the answer goes to the address of the Via. */
Test(trunk_tcp, connection_lost_before_answer) {
  uint16_t port;
  rig_shape = tcp_shape;
  rig_start();
  int home = tcp_listen(&port), fd = tcp_connect();
  tcp_invite(fd, port);
  cr_assert(tcp_hear(fd, "SIP/2.0 100"));
  close(fd);
  rig_run(100);
  fake.door->answered(fake.door_arg, caller());
  int back = -1;
  for (unsigned i = 0; i < 400 && back < 0; i++) {
    rig_run(10);
    back = accept4(home, NULL, NULL, SOCK_NONBLOCK);
  }
  cr_assert_geq(back, 0);
  cr_assert(tcp_hear(back, "SIP/2.0 200"));
  close(back);
  close(home);
  rig_stop();
}

static int tcp_home = -1;
static uint16_t tcp_home_port;

static void tcp_out_shape(struct conf *c) {
  tcp_shape(c);
  snprintf(c->trunks[0].target, sizeof c->trunks[0].target, "sip:127.0.0.1:%u;transport=tcp",
           tcp_home_port);
}

static int tcp_accept(unsigned ms) {
  int fd = -1;
  for (unsigned i = 0; i < ms && fd < 0; i += 10) {
    rig_run(10);
    fd = accept4(tcp_home, NULL, NULL, SOCK_NONBLOCK);
  }
  cr_assert_geq(fd, 0);
  return fd;
}

static void tcp_answer(int fd, const char *request) {
  int n = snprintf(text, sizeof text,
                   "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n"
                   "Contact: <sip:far@127.0.0.1:%u;transport=tcp>\r\nContent-Type: application/sdp\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   rig_header(request, "Via"), rig_header(request, "From"), rig_header(request, "To"),
                   *rig_tag(request, "To") ? "" : ";tag=far", rig_header(request, "Call-ID"),
                   rig_header(request, "CSeq"), tcp_home_port, strlen(SDP), SDP);
  cr_assert_eq(send(fd, text, (size_t)n, 0), n);
}

/* A call of ours over a connection that we opened, up to our ACK. */
static int tcp_call_out(void) {
  tcp_home = tcp_listen(&tcp_home_port);
  rig_shape = tcp_out_shape;
  rig_start();
  cr_assert(rig_ring("+442012345"));
  int fd = tcp_accept(2000);
  cr_assert(tcp_hear(fd, "INVITE "));
  tcp_answer(fd, stream);
  cr_assert(tcp_hear(fd, "ACK "));
  return fd;
}

static void tcp_reset(int fd) {
  struct linger off = {.l_onoff = 1};
  cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off), 0);
  close(fd);
}

static void tcp_over(int fd) {
  close(fd);
  close(tcp_home);
  rig_stop();
}

/* The connection is dead and we do not know it yet: the request goes over a new one at once. */
Test(trunk_tcp, request_over_a_dead_connection) {
  int fd = tcp_call_out();
  tcp_reset(fd);
  fake.door->held(fake.door_arg, caller(), true);
  fd = tcp_accept(500);
  cr_assert(tcp_hear(fd, "INVITE sip:far@127.0.0.1"));
  tcp_answer(fd, stream);
  cr_assert(tcp_hear(fd, "ACK sip:far@127.0.0.1"));
  cr_assert_not(first()->is_over);
  tcp_over(fd);
}

/* It dies under our re-INVITE: that is sent once more, and the call goes on. */
Test(trunk_tcp, connection_lost_under_a_request) {
  int fd = tcp_call_out();
  fake.door->held(fake.door_arg, caller(), true);
  cr_assert(tcp_hear(fd, "INVITE sip:far@127.0.0.1"));
  tcp_reset(fd);
  fd = tcp_accept(3000);
  cr_assert(tcp_hear(fd, "INVITE sip:far@127.0.0.1"));
  tcp_answer(fd, stream);
  cr_assert(tcp_hear(fd, "ACK sip:far@127.0.0.1"));
  cr_assert_not(first()->is_over);
  tcp_over(fd);
}

/* Hanging up over a dead one ends the call on their side too. */
Test(trunk_tcp, hang_up_over_a_dead_connection) {
  int fd = tcp_call_out();
  tcp_reset(fd);
  leg_end(caller(), (struct cause){.reason = END_COMPLETED, .by = BY_CALLER});
  fd = tcp_accept(500);
  cr_assert(tcp_hear(fd, "BYE sip:far@127.0.0.1"));
  tcp_over(fd);
}

/* The same when it was reset and we learn of it by the answer itself. */
Test(trunk_tcp, connection_reset_under_the_answer) {
  rig_shape = tcp_shape;
  rig_start();
  tcp_home = tcp_listen(&tcp_home_port);
  int fd = tcp_connect();
  tcp_invite(fd, tcp_home_port);
  cr_assert(tcp_hear(fd, "SIP/2.0 100"));
  tcp_reset(fd);
  fake.door->answered(fake.door_arg, caller());
  fd = tcp_accept(3000);
  cr_assert(tcp_hear(fd, "SIP/2.0 200"));
  tcp_over(fd);
}

/* Messages in pieces and in one piece; the hang-up goes by the Contact. */
Test(trunk_tcp, pieces_and_hang_up) {
  uint16_t port;
  rig_shape = tcp_shape;
  rig_start();
  int home = tcp_listen(&port), fd = tcp_connect();
  tcp_invite(fd, port);
  cr_assert(tcp_hear(fd, "SIP/2.0 100"));
  fake.door->answered(fake.door_arg, caller());
  cr_assert(tcp_hear(fd, "SIP/2.0 200"));
  int n = snprintf(text, sizeof text,
                   "ACK sip:x@gw SIP/2.0\r\nVia: SIP/2.0/TCP "
                   "127.0.0.1:%u;branch=z9hG4bKu\r\nMax-Forwards: 9\r\nFrom: <sip:a@b>;tag=1\r\n"
                   "To: <sip:c@d>;tag=%s\r\nCall-ID: tcp\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
                   port, rig_tag(stream, "To"));
  for (int i = 0; i < n; i += 7) {
    cr_assert_gt(send(fd, text + i, (size_t)(n - i < 7 ? n - i : 7), 0), 0);
    rig_settle();
  }
  rig_run(100);
  cr_assert_eq(first()->confirmed, 1);
  leg_end(caller(), (struct cause){.reason = END_COMPLETED, .by = BY_CALLEE});
  int back = -1;
  for (unsigned i = 0; i < 200 && back < 0; i++) {
    rig_run(10);
    back = accept4(home, NULL, NULL, SOCK_NONBLOCK);
  }
  cr_assert_geq(back, 0);
  cr_assert(tcp_hear(back, "BYE sip:a@127.0.0.1"));
  close(back);
  close(fd);
  close(home);
  rig_stop();
}

Test(trunk_tcp, too_large) {
  rig_shape = tcp_shape;
  rig_start();
  int fd = tcp_connect();
  static char big[200000];
  int n = snprintf(big, sizeof big,
                   "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKb\r\nMax-Forwards: "
                   "9\r\nFrom: <sip:a@b>;tag=1\r\n"
                   "To: <sip:c@d>\r\nCall-ID: big\r\nCSeq: 1 OPTIONS\r\nContent-Length: 190000\r\n\r\n");
  memset(big + n, 'x', sizeof big - (size_t)n);
  for (size_t at = 0; at < sizeof big;) {
    ssize_t sent = send(fd, big + at, sizeof big - at, MSG_NOSIGNAL);
    if (sent > 0)
      at += (size_t)sent;
    else if (errno != EAGAIN)
      break;
    rig_settle();
  }
  tcp_hear(fd, "SIP/2.0 413");
  cr_assert_null(strstr(stream, "SIP/2.0 200"));
  close(fd);
  fd = tcp_connect();
  n = snprintf(text, sizeof text,
               "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKc\r\nMax-Forwards: 9\r\nFrom: "
               "<sip:a@b>;tag=1\r\n"
               "To: <sip:c@d>\r\nCall-ID: small\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
  cr_assert_eq(send(fd, text, (size_t)n, 0), n);
  cr_assert(tcp_hear(fd, "SIP/2.0 200"));
  close(fd);
  rig_stop();
}

/* Everything outside is of the trunk's own name, not of the socket (lesson 16): also what ends a call.
 */
Test(trunk, via_is_of_the_trunks_name) {
  char why[200], via[200];
  strcpy(rig_conf.trunks[0].fqdn, "tenant.example.test");
  cr_assert_eq(trunks_reload(rig_trunks, &rig_conf, why, sizeof why), 0);
  struct fake_leg *f = ring();
  const char *m = invite;
  snprintf(via, sizeof via, "%s", rig_header(m, "Via"));
  cr_assert(strstr(via, "SIP/2.0/UDP tenant.example.test:") && strstr(via, ";branch=z9hG4bK") &&
                strstr(via, ";rport"),
            "%s", via);
  cr_assert(strstr(rig_header(m, "Contact"), "@tenant.example.test:"));
  cr_assert(strstr(rig_header(m, "From"), "@tenant.example.test"));
  answer_request(m, 180, "far", CONTACT, "", "");
  leg_end(&f->leg, (struct cause){.reason = END_CANCELED, .by = BY_CALLER});
  rig_settle();
  m = rig_hear_method("CANCEL");
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "Via"), via);
}

static void called(void *arg, uint32_t events) {
  (void)events;
  ++*(unsigned *)arg;
}
static void due(void *arg) { ++*(unsigned *)arg; }

/* Other parts have ended by then: what waits for the loop, or is due, is not for this moment. */
Test(end, nothing_of_the_loop_is_called) {
  unsigned n = 0;
  uint64_t one = 1;
  struct timer timer = {.fn = due, .arg = &n};
  rig_start();
  struct watch w = {.fd = eventfd(1, EFD_NONBLOCK), .fn = called, .arg = &n};
  cr_assert_eq(loop_watch(rig_loop, &w, EPOLLIN), 0);
  loop_arm(rig_loop, &timer, 0);
  rig_trunks = trunks_free(rig_trunks);
  cr_assert_eq(n, 0);
  loop_turn(rig_loop, 0);
  cr_assert_eq(n, 2, "they were not what they should be: %u", n);
  cr_assert_eq(read(w.fd, &one, sizeof one), (ssize_t)sizeof one);
  rig_stop();
  close(w.fd);
}
