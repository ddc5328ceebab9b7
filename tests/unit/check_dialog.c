/* SPDX-License-Identifier: Apache-2.0
 * Confirmed dialogs over a UDP socket in virtual time, in both directions: session timers, glare,
 * rollback, races, route sets. The call model and the guard are the test's (trunkfake). */
#include "trunkfake.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define SDP \
  "v=0\r\no=- 5 5 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"
#define CONTACT "Contact: <sip:bob@127.0.0.1:$P>\n"
#define UPDATES "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\n"

static char text[20000];

/* The dialog under test, as the peer names it. */
static char d_from[256], d_to[256], d_call[128], d_uri[256], ours[9000];
static unsigned cseq;
static struct fake_leg *leg;

static void shape(struct conf *c) {
  c->trunks[0].session_timer_s = 1800;
  c->trunks[0].session_min_s = 90;
}

static void start(void) {
  rig_shape = shape;
  cseq = 10;
  rig_start();
}

TestSuite(dialog, .init = start, .fini = rig_stop, .timeout = 60);

static void put(const char *method, unsigned number, const char *branch, const char *extra,
                const char *body) {
  snprintf(text, sizeof text,
           "%s %s SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bK%s\nMax-Forwards: 60\nFrom: %s\n"
           "To: %s\nCall-ID: %s\nCSeq: %u %s\n%s%s%s\n%s",
           method, d_uri, branch, d_from, d_to, d_call, number, method, extra,
           strstr(extra, "Contact:") ? "" : CONTACT, *body ? "Content-Type: application/sdp\n" : "",
           body);
}

/* A request of the peer; its branch is its number. */
static void say(const char *method, const char *extra, const char *body) {
  char branch[24];
  snprintf(branch, sizeof branch, "b%u", ++cseq);
  put(method, cseq, branch, extra, body);
  rig_say(text);
}

static void say_ack(const char *body) {
  char branch[24];
  snprintf(branch, sizeof branch, "a%u", cseq);
  put("ACK", cseq, branch, "", body);
  rig_say(text);
}

static void reply(const char *request, int status, const char *extra, const char *body) {
  snprintf(text, sizeof text,
           "SIP/2.0 %d Text\nVia: %s\nFrom: %s\nTo: %s%s\nCall-ID: %s\nCSeq: %s\n%s%s%s\n%s", status,
           rig_header(request, "Via"), rig_header(request, "From"), rig_header(request, "To"),
           *rig_tag(request, "To") ? "" : ";tag=peer", rig_header(request, "Call-ID"),
           rig_header(request, "CSeq"), extra, strstr(extra, "Contact:") || status > 299 ? "" : CONTACT,
           *body ? "Content-Type: application/sdp\n" : "", body);
  rig_say(text);
}

static const char *keep(const char *message) {
  cr_assert(message);
  snprintf(ours, sizeof ours, "%s", message);
  return ours;
}

static void invite(const char *extra) {
  snprintf(d_uri, sizeof d_uri, "sip:+15551234@gw.example.test:$G");
  snprintf(d_from, sizeof d_from, "<sip:+15559999@127.0.0.1>;tag=peer");
  snprintf(d_to, sizeof d_to, "<sip:+15551234@gw.example.test>");
  snprintf(d_call, sizeof d_call, "call-one");
  say("INVITE", extra, SDP);
}

/* A call of the peer up to its ACK; the 200 is in `ours`. */
static void call_in(const char *extra) {
  invite(extra);
  leg = &fake.legs[0];
  cr_assert(rig_hear_status(100));
  fake.door->answered(fake.door_arg, &leg->leg);
  rig_settle();
  keep(rig_hear_status(200));
  snprintf(d_to, sizeof d_to, "%s", rig_header(ours, "To"));
  say_ack("");
  cr_assert_eq(leg->confirmed, 1);
}

static void call_ring(void) {
  leg = CONTAINER_OF(rig_ring("+442012345"), struct fake_leg, leg);
  keep(rig_hear_method("INVITE"));
}

/* The INVITE in `ours` is answered. */
static void call_answer(const char *extra) {
  reply(ours, 200, extra, SDP);
  snprintf(d_from, sizeof d_from, "%s;tag=peer", rig_header(ours, "To"));
  snprintf(d_to, sizeof d_to, "%s", rig_header(ours, "From"));
  snprintf(d_call, sizeof d_call, "%s", rig_header(ours, "Call-ID"));
  snprintf(d_uri, sizeof d_uri, "sip:gw.example.test:$G");
  cr_assert(rig_hear_method("ACK"));
}

static void call_out(const char *extra) {
  call_ring();
  call_answer(extra);
}

/* RFC 5407: what crosses ---------------------------------------------------------------------------- */

static void held(bool on) {
  fake.door->held(fake.door_arg, &leg->leg, on);
  rig_settle();
}

static void hang_up(void) {
  leg_end(&leg->leg, (struct cause){.reason = END_COMPLETED, .by = BY_GATEWAY});
  rig_settle();
}

/* 3.1.3: the caller says BYE in the early dialog. */
Test(dialog, bye_before_answer) {
  invite("");
  leg = &fake.legs[0];
  fake.door->ringing(fake.door_arg, &leg->leg);
  rig_settle();
  snprintf(d_to, sizeof d_to, "%s", rig_header(rig_hear_status(180), "To"));
  say("BYE", "", "");
  bool ok = false, gone = false;
  for (const char *m = rig_hear(); m; m = rig_hear()) {
    ok = ok || (strstr(m, " 200 ") && strstr(rig_header(m, "CSeq"), "BYE"));
    gone = gone || (strstr(m, " 487 ") && strstr(rig_header(m, "CSeq"), "INVITE"));
  }
  cr_assert(ok && gone);
  cr_assert(leg->is_over);
}

/* 3.1.4: its re-INVITE arrives before its ACK. */
Test(dialog, reinvite_before_ack) {
  invite("");
  leg = &fake.legs[0];
  fake.door->answered(fake.door_arg, &leg->leg);
  rig_settle();
  keep(rig_hear_status(200));
  snprintf(d_to, sizeof d_to, "%s", rig_header(ours, "To"));
  unsigned first = cseq;
  say("INVITE", "", SDP);
  const char *m = rig_hear_status(200);
  cr_assert(m && atoi(rig_header(m, "CSeq")) == (int)cseq);
  put("ACK", first, "late", "", "");
  rig_say(text);
  cr_assert_eq(leg->confirmed, 1);
  say_ack("");
  rig_run(3000);
  cr_assert_null(rig_hear(), "both are acknowledged");
  cr_assert_not(leg->is_over);
}

/* 3.1.5: BYE before the ACK; 3.1.6 beside it: the 200 is repeated no more. */
Test(dialog, bye_before_ack) {
  invite("");
  leg = &fake.legs[0];
  fake.door->answered(fake.door_arg, &leg->leg);
  rig_settle();
  snprintf(d_to, sizeof d_to, "%s", rig_header(rig_hear_status(200), "To"));
  say("BYE", "", "");
  cr_assert(rig_hear_status(200));
  cr_assert(leg->is_over);
  cr_assert_eq(leg->leg.cause.reason, END_COMPLETED);
  rig_run(5000);
  cr_assert_null(rig_hear_method("BYE"));
}

/* 3.2.1: their BYE crosses our re-INVITE, which they answer 481. */
Test(dialog, bye_crosses_our_reinvite) {
  call_in("");
  held(true);
  keep(rig_hear_method("INVITE"));
  say("BYE", "", "");
  cr_assert(rig_hear_status(200));
  cr_assert(leg->is_over);
  reply(ours, 481, "", "");
  cr_assert(rig_hear_method("ACK"));
  cr_assert_null(rig_hear_method("BYE"));
  cr_assert(trunks_is_idle(rig_trunks));
}

/* … and ours crosses the 200 to our re-INVITE. */
Test(dialog, our_bye_crosses_the_answer_to_our_reinvite) {
  call_out("");
  held(true);
  keep(rig_hear_method("INVITE"));
  hang_up();
  cr_assert(rig_hear_method("BYE"));
  cr_assert_not(trunks_is_idle(rig_trunks));
  reply(ours, 200, "", SDP);
  cr_assert(rig_hear_method("ACK"));
  cr_assert_null(rig_hear_method("BYE"), "once is enough");
  cr_assert_eq(leg->taken, 1, "only the first answer");
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(dialog, our_bye_crosses_a_reinvite_that_nobody_answers) {
  call_out("");
  held(true);
  hang_up();
  rig_run(40000);
  cr_assert(trunks_is_idle(rig_trunks));
}

/* Our BYE crosses their re-INVITE or UPDATE: the dialog is no more. */
Test(dialog, requests_cross_our_bye) {
  static const char *methods[] = {"INVITE", "UPDATE", "INFO", "BYE"};
  for (size_t i = 0; i < COUNT_OF(methods); i++) {
    call_out("");
    hang_up();
    cr_assert(rig_hear_method("BYE"));
    say(methods[i], "", !strcmp(methods[i], "INVITE") || !strcmp(methods[i], "UPDATE") ? SDP : "");
    const char *m = rig_hear_status(481);
    cr_assert(m && strstr(rig_header(m, "CSeq"), methods[i]), "%s", methods[i]);
    while (rig_hear())
      ;
  }
}

/* 3.2.3: offers of both sides cross, by UPDATE and by re-INVITE. */
Test(dialog, update_crosses_our_reinvite) {
  call_out("");
  held(true);
  keep(rig_hear_method("INVITE"));
  say("UPDATE", "", SDP);
  cr_assert(rig_hear_status(491));
  say("UPDATE", "", ""); /* no offer, no glare */
  cr_assert(rig_hear_status(200));
  reply(ours, 200, "", SDP);
  cr_assert(rig_hear_method("ACK"));
  say("UPDATE", "", SDP);
  cr_assert(rig_hear_status(200));
}

Test(dialog, update_while_their_reinvite_waits) {
  call_in("");
  fake.reoffer_waits = true;
  say("INVITE", "", SDP);
  cr_assert(rig_hear_status(100));
  say("UPDATE", "", SDP);
  const char *m = rig_hear_status(500);
  cr_assert(m && *rig_header(m, "Retry-After"));
}

/* 3.3.2: a repeated 2xx to our INVITE gets its ACK again. */
Test(dialog, repeated_answer_is_acknowledged_again) {
  call_out("");
  reply(ours, 200, "", SDP);
  const char *m = rig_hear();
  cr_assert(m && !strncmp(m, "ACK ", 4));
  cr_assert_null(rig_hear(), "and nothing else");
  cr_assert_eq(leg->taken, 1);
  cr_assert_not(leg->is_over);
}

/* The same of a re-INVITE. */
Test(dialog, repeated_answer_to_reinvite_is_acknowledged_again) {
  call_out("");
  held(true);
  keep(rig_hear_method("INVITE"));
  reply(ours, 200, "", SDP);
  cr_assert(rig_hear_method("ACK"));
  reply(ours, 200, "", SDP);
  const char *m = rig_hear();
  cr_assert(m && !strncmp(m, "ACK ", 4), "the first was lost");
  cr_assert_null(rig_hear(), "and nothing else");
  cr_assert_not(leg->is_over);
}

/* A session timer belongs to the INVITE: an UPDATE before its 200 neither sets one nor takes one away.
 */
Test(dialog, early_update_and_the_timer) {
  invite("Supported: timer\nSession-Expires: 300;refresher=uac\n" UPDATES);
  leg = &fake.legs[0];
  fake.door->ringing(fake.door_arg, &leg->leg);
  rig_settle();
  snprintf(d_to, sizeof d_to, "%s", rig_header(rig_hear_status(180), "To"));
  say("UPDATE", "", "");
  const char *m = rig_hear_status(200);
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "Session-Expires"), "");
  fake.door->answered(fake.door_arg, &leg->leg);
  rig_settle();
  m = rig_hear_status(200);
  cr_assert_str_eq(rig_header(m, "Session-Expires"), "300;refresher=uac");
}

/* … and one that needs no answer of the far side does not spoil that of an offer that waits. */
Test(dialog, update_beside_a_waiting_offer) {
  call_in("Supported: timer\nSession-Expires: 300;refresher=uac\n");
  fake.reoffer_waits = true;
  say("INVITE", "Supported: timer\nSession-Expires: 200;refresher=uac\n", SDP);
  say("UPDATE", "Supported: timer\nSession-Expires: 100;refresher=uac\n", "");
  const char *m = rig_hear_status(200);
  cr_assert_str_eq(rig_header(m, "Session-Expires"), "100;refresher=uac");
  struct verdict pass = verdict_pass();
  fake.door->reoffered(fake.door_arg, &leg->leg, leg->cookie, &pass, leg->leg.local);
  rig_settle();
  m = rig_hear_status(200);
  cr_assert_str_eq(rig_header(m, "Session-Expires"), "200;refresher=uac");
}

/* Route sets and targets -------------------------------------------------------------------------- */

#define IS(m, start) (!strncmp(m, start, strlen(start)))

/* The next request of ours: a re-INVITE, answered with what is given. */
static const char *our_request(bool on) {
  held(on);
  return keep(rig_hear_method("INVITE"));
}

/* Both ends of a proxy's double Record-Route, its transports different: in order, and to the nearest,
 * whatever the Contact's transport. */
Test(dialog, double_record_route_of_a_callee) {
  call_ring();
  reply(ours, 200,
        "Contact: <sip:far@198.51.100.7:5061;transport=tls>\n"
        "Record-Route: <sip:127.0.0.1:5070;transport=tcp;lr>, <sip:127.0.0.1:$P;lr;r2=on>\n",
        SDP);
  const char *m = rig_hear_method("ACK");
  cr_assert(m, "to the Record-Route, not to the Contact");
  cr_assert(IS(m, "ACK sip:far@198.51.100.7:5061;transport=tls SIP"), "%.80s", m);
  char want[200];
  snprintf(want, sizeof want, "<sip:127.0.0.1:%u;lr;r2=on>", rig_peer_port);
  cr_assert(IS(strstr(m, "\r\nRoute: ") + 9, want));
  cr_assert_lt(strstr(m, "r2=on"), strstr(m, "<sip:127.0.0.1:5070;transport=tcp;lr>"));
  m = our_request(true);
  cr_assert(IS(m, "INVITE sip:far@198.51.100.7:5061;transport=tls SIP"));
  cr_assert_lt(strstr(m, "r2=on"), strstr(m, "<sip:127.0.0.1:5070;transport=tcp;lr>"));
  hang_up();
  m = rig_hear_method("BYE");
  cr_assert(m && IS(m, "BYE sip:far@198.51.100.7:5061;transport=tls SIP"));
  cr_assert_lt(strstr(m, "r2=on"), strstr(m, "<sip:127.0.0.1:5070;transport=tcp;lr>"));
}

/* A caller's is not turned round. */
Test(dialog, double_record_route_of_a_caller) {
  call_in(
      "Record-Route: <sip:127.0.0.1:$P;lr;r2=on>\nRecord-Route: <sip:127.0.0.1:5070;transport=tcp;lr>\n"
      "Contact: <sip:bob@198.51.100.7;transport=tcp>\n");
  cr_assert_lt(strstr(ours, "r2=on"), strstr(ours, "<sip:127.0.0.1:5070;transport=tcp;lr>"),
               "the 200 repeats it");
  hang_up();
  const char *m = rig_hear_method("BYE");
  cr_assert(m && IS(m, "BYE sip:bob@198.51.100.7;transport=tcp SIP"));
  cr_assert_lt(strstr(m, "r2=on"), strstr(m, "<sip:127.0.0.1:5070;transport=tcp;lr>"));
}

/* A router of RFC 2543 wants the Request-URI for itself: RFC 3261 12.2.1.1. */
Test(dialog, strict_router) {
  call_ring();
  reply(ours, 200,
        "Contact: <sip:far@198.51.100.7>\nRecord-Route: <sip:198.51.100.8;lr>, "
        "<sip:127.0.0.1:$P;p=strict>\n",
        SDP);
  const char *m = rig_hear_method("ACK");
  char want[200];
  snprintf(want, sizeof want, "ACK sip:127.0.0.1:%u;p=strict SIP", rig_peer_port);
  cr_assert(m && IS(m, want), "%.80s", m ? m : "");
  const char *first = strstr(m, "198.51.100.8;lr"), *last = strstr(m, "far@198.51.100.7");
  cr_assert(first && last && first < last, "the target stands last");
  hang_up();
  m = rig_hear_method("BYE");
  snprintf(want, sizeof want, "BYE sip:127.0.0.1:%u;p=strict SIP", rig_peer_port);
  cr_assert(m && IS(m, want), "%.80s", m ? m : "");
}

/* A new Contact is the new target once it was accepted, whoever asked; the route set stays. */
Test(dialog, targets_move) {
  static const char *moves[] = {"INVITE", "UPDATE"};
  call_out("Record-Route: <sip:127.0.0.1:$P;lr>\n");
  for (size_t i = 0; i < COUNT_OF(moves); i++) {
    char contact[200], want[100];
    snprintf(contact, sizeof contact,
             "Contact: <sip:moved%zu@198.51.100.9>\nRecord-Route: <sip:198.51.100.1;lr>\n", i);
    say(moves[i], contact, i ? "" : SDP);
    cr_assert(rig_hear_status(200));
    if (!i)
      say_ack("");
    const char *m = our_request(i == 0);
    snprintf(want, sizeof want, "INVITE sip:moved%zu@198.51.100.9 SIP", i);
    cr_assert(IS(m, want), "%.80s", m);
    cr_assert(strstr(m, "Route: <sip:127.0.0.1:") && !strstr(m, "198.51.100.1;lr"));
    reply(m, 200, "", SDP);
    cr_assert(rig_hear_method("ACK"));
  }
  const char *m = our_request(true);
  reply(m, 200, "Contact: <sip:answered@198.51.100.9>\n", SDP);
  m = rig_hear_method("ACK");
  cr_assert(m && IS(m, "ACK sip:answered@198.51.100.9 SIP"));
}

Test(dialog, a_refused_offer_moves_no_target) {
  call_in("Record-Route: <sip:127.0.0.1:$P;lr>\nContact: <sip:bob@198.51.100.7>\n");
  fake.reoffer = verdict_refuse(REFUSE_CODEC, "none in common");
  say("INVITE", "Contact: <sip:elsewhere@198.51.100.9>\n", SDP);
  cr_assert(rig_hear_status(488));
  put("ACK", cseq, "b12", "", "");
  hang_up();
  const char *m = rig_hear_method("BYE");
  cr_assert(m && IS(m, "BYE sip:bob@198.51.100.7 SIP"), "%.80s", m ? m : "");
}

/* The guard's no to a Contact: 403, and the target is the old one. */
Test(dialog, a_strangers_target) {
  call_in("Record-Route: <sip:127.0.0.1:$P;lr>\nContact: <sip:bob@198.51.100.7>\n");
  fake.chain = verdict_refuse(REFUSE_CONTACT, "not the trunk's");
  say("UPDATE", "Contact: <sip:elsewhere@198.51.100.9>\n", "");
  cr_assert(rig_hear_status(403));
  held(true);
  reply(rig_hear_method("INVITE"), 200, "Contact: <sip:elsewhere@198.51.100.9>\n", SDP);
  const char *m = rig_hear_method("ACK");
  cr_assert(m && IS(m, "ACK sip:bob@198.51.100.7 SIP"));
}

/* next_hop: source: a Contact that nobody reaches does no harm. */
Test(dialog, next_hop_source) {
  rig_conf.trunks[0].next_hop = NEXT_HOP_SOURCE;
  call_ring();
  reply(ours, 200, "Contact: <sip:far@192.0.2.77:9>\n", SDP);
  const char *m = rig_hear_method("ACK");
  cr_assert(m && IS(m, "ACK sip:far@192.0.2.77:9 SIP"));
  m = our_request(true);
  cr_assert(IS(m, "INVITE sip:far@192.0.2.77:9 SIP"));
  reply(m, 200, "Contact: <sip:far@192.0.2.77:9>\n", SDP);
  cr_assert(rig_hear_method("ACK"));
  hang_up();
  cr_assert(rig_hear_method("BYE"));
}

Test(dialog, next_hop_source_beats_a_route_set) {
  rig_conf.trunks[0].next_hop = NEXT_HOP_SOURCE;
  call_ring();
  reply(ours, 200, "Contact: <sip:far@192.0.2.77:9>\nRecord-Route: <sip:127.0.0.1:9;lr>\n", SDP);
  const char *m = rig_hear_method("ACK");
  cr_assert(m && strstr(rig_header(m, "Route"), "127.0.0.1:9;lr"));
  hang_up();
  cr_assert(rig_hear_method("BYE"));
}

Test(dialog, next_hop_source_of_a_caller) {
  rig_conf.trunks[0].next_hop = NEXT_HOP_SOURCE;
  call_in("Contact: <sip:bob@192.0.2.77:9>\n");
  hang_up();
  cr_assert(rig_hear_method("BYE"));
}

/* Session timers ---------------------------------------------------------------------------------- */

Test(dialog, timer_asked_and_agreed) {
  call_ring();
  cr_assert_str_eq(rig_header(ours, "Session-Expires"), "1800");
  cr_assert_str_eq(rig_header(ours, "Supported"), "timer");
  cr_assert_str_eq(rig_header(ours, "Min-SE"), "");
  call_answer(UPDATES "Session-Expires: 100;refresher=uac\nRequire: timer\n"); /* a proxy lowered it */
  rig_run(49900);
  cr_assert_null(rig_hear());
  rig_run(200);
  const char *m = rig_hear_method("UPDATE");
  cr_assert(m, "at half of the time");
  cr_assert_str_eq(rig_body(m), "");
  cr_assert_str_eq(rig_header(m, "Session-Expires"), "100;refresher=uac");
  cr_assert_str_neq(rig_header(m, "Contact"), "");
  reply(m, 200, "Session-Expires: 100;refresher=uac\n", "");
  rig_run(49900);
  cr_assert_null(rig_hear(), "re-armed by the 2xx");
  rig_run(200);
  cr_assert(rig_hear_method("UPDATE"));
  cr_assert_eq(leg->refreshes, 0);
}

/* Without UPDATE in its Allow: the same description once more. */
Test(dialog, refresh_by_reinvite) {
  call_out("Allow: INVITE, ACK, BYE\nSession-Expires: 100;refresher=uac\n");
  rig_run(50100);
  const char *m = keep(rig_hear_method("INVITE"));
  cr_assert_eq(leg->refreshes, 1);
  cr_assert_str_eq(rig_header(m, "Session-Expires"), "100;refresher=uac");
  reply(m, 200, "Session-Expires: 100;refresher=uac\n", SDP);
  cr_assert(rig_hear_method("ACK"));
  rig_run(50100);
  m = rig_hear_method("INVITE");
  cr_assert(m);
  cr_assert_str_eq(rig_body(m), rig_body(ours));
}

Test(dialog, refresh_falls_back_to_reinvite) {
  call_out(UPDATES "Session-Expires: 100;refresher=uac\n");
  rig_run(50100);
  reply(rig_hear_method("UPDATE"), 405, "", "");
  cr_assert(rig_hear_method("INVITE"), "at once");
}

Test(dialog, refresh_obeys_422) {
  call_out(UPDATES "Session-Expires: 100;refresher=uac\n");
  rig_run(50100);
  reply(rig_hear_method("UPDATE"), 422, "Min-SE: 200\n", "");
  const char *m = rig_hear_method("UPDATE");
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "Session-Expires"), "200;refresher=uac");
  cr_assert_str_eq(rig_header(m, "Min-SE"), "200");
}

Test(dialog, refresh_that_finds_nobody_ends) {
  call_out(UPDATES "Session-Expires: 100;refresher=uac\n");
  rig_run(50100);
  reply(rig_hear_method("UPDATE"), 481, "", "");
  cr_assert(leg->is_over);
  cr_assert(trunks_is_idle(rig_trunks));
}

Test(dialog, refresh_unanswered_ends) {
  call_out(UPDATES "Session-Expires: 100;refresher=uac\n");
  rig_run(67000);
  cr_assert_not(leg->is_over);
  rig_run(2000);
  cr_assert(leg->is_over);
  cr_assert_eq(leg->leg.cause.reason, END_TIMEOUT);
  cr_assert(rig_hear_method("BYE"));
}

/* A 500 is no end: it is tried again while there is time. */
Test(dialog, refresh_refused_is_tried_again) {
  call_out(UPDATES "Session-Expires: 100;refresher=uac\n");
  rig_run(50100);
  reply(rig_hear_method("UPDATE"), 500, "", "");
  cr_assert_null(rig_hear_method("UPDATE"));
  rig_run(10100);
  const char *m = rig_hear_method("UPDATE");
  cr_assert(m);
  reply(m, 200, "Session-Expires: 100;refresher=uac\n", "");
  rig_run(40000);
  cr_assert_not(leg->is_over);
}

Test(dialog, peer_refreshes) {
  call_in("Supported: timer\n" UPDATES "Session-Expires: 90;refresher=uac\n");
  cr_assert_str_eq(rig_header(ours, "Session-Expires"), "90;refresher=uac");
  cr_assert_str_eq(rig_header(ours, "Require"), "timer");
  cr_assert_str_eq(rig_header(ours, "Supported"), "timer");
  rig_run(50000);
  say("UPDATE", "Supported: timer\nSession-Expires: 90;refresher=uac\n", "");
  const char *m = rig_hear_status(200);
  cr_assert_str_eq(rig_header(m, "Session-Expires"), "90;refresher=uac");
  rig_run(50000);
  say("INVITE", "Supported: timer\nSession-Expires: 90;refresher=uac\n", SDP);
  cr_assert(rig_hear_status(200));
  say_ack("");
  rig_run(59000);
  cr_assert_not(leg->is_over, "re-armed by re-INVITE too");
  rig_run(2000);
  cr_assert(leg->is_over);
  cr_assert_eq(leg->leg.cause.reason, END_TIMEOUT);
  m = rig_hear_method("BYE");
  cr_assert(m && strstr(rig_header(m, "Reason"), "cause=102"));
}

/* A proxy asked, the peer does not know the word: we refresh, without Require. */
Test(dialog, we_refresh_for_a_peer_that_cannot) {
  call_in("Session-Expires: 120\n");
  cr_assert_str_eq(rig_header(ours, "Session-Expires"), "120;refresher=uas");
  cr_assert_str_eq(rig_header(ours, "Require"), "");
  rig_run(61000);
  cr_assert(rig_hear_method("INVITE"));
}

Test(dialog, timer_too_short) {
  invite("Supported: timer\nSession-Expires: 60\n");
  const char *m = rig_hear_status(422);
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "Min-SE"), "90");
  cr_assert(strstr(rig_header(m, "Warning"), "Session-Expires: 60, at least 90"));
  cr_assert_eq(fake.places, 0);
  cr_assert_eq(fake.noted_refusal, REFUSE_SESSION_TIMER);
}

Test(dialog, timer_too_short_in_a_call) {
  call_in("Supported: timer\nSession-Expires: 100\n");
  say("UPDATE", "Supported: timer\nSession-Expires: 60\n", "");
  const char *m = rig_hear_status(422);
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "Min-SE"), "90");
  rig_run(66000);
  cr_assert_not(leg->is_over);
  rig_run(2000);
  cr_assert(leg->is_over, "the old timer stayed in force");
}

/* 422 is no failure of the trunk: the INVITE goes out again, in the same call. */

Test(dialog, invite_obeys_422_with_the_same_call) {
  call_ring();
  unsigned number = (unsigned)atoi(rig_header(ours, "CSeq"));
  char call_id[200], sdp[4000];
  snprintf(call_id, sizeof call_id, "%s", rig_header(ours, "Call-ID"));
  snprintf(sdp, sizeof sdp, "%s", rig_body(ours));
  reply(ours, 422, "Min-SE: 2400\n", "");
  const char *m = NULL, *got;
  while ((got = rig_hear()))
    if (!strncmp(got, "INVITE ", 7))
      m = keep(got);
  cr_assert(m);
  cr_assert_str_eq(rig_header(m, "Session-Expires"), "2400");
  cr_assert_str_eq(rig_header(m, "Min-SE"), "2400");
  cr_assert_str_eq(rig_header(m, "Call-ID"), call_id);
  cr_assert_eq((unsigned)atoi(rig_header(m, "CSeq")), number + 1);
  cr_assert_str_eq(rig_body(m), sdp);
  cr_assert_eq(fake.done, 0);
  call_answer("Session-Expires: 2400;refresher=uas\n");
  cr_assert_eq(leg->answered, 1);
}

Test(dialog, invite_does_not_obey_for_ever) {
  call_ring();
  unsigned n = 0;
  for (unsigned s = 2000; s < 3000; s += 100, n++) {
    char more[64];
    snprintf(more, sizeof more, "Min-SE: %u\n", s);
    reply(ours, 422, more, "");
    const char *m = NULL, *got;
    while ((got = rig_hear()))
      if (!strncmp(got, "INVITE ", 7))
        m = keep(got);
    if (!m)
      break;
  }
  cr_assert_eq(n, 3);
  cr_assert(leg->is_over);
  cr_assert_eq(fake.done, 1);
  cr_assert_eq(fake.done_cause.sip, 422);
}

Test(dialog, required_timer) {
  invite("Require: timer\nSession-Expires: 300\n");
  cr_assert_null(rig_hear_status(420));
  cr_assert_eq(fake.places, 1);
}

/* A hold of ours refreshes as well, and a refresh does not undo it. */
Test(dialog, hold_refreshes) {
  call_out("Session-Expires: 100;refresher=uac\n");
  rig_run(45000);
  fake.door->held(fake.door_arg, &leg->leg, true);
  rig_settle();
  const char *m = rig_hear_method("INVITE");
  cr_assert_str_eq(rig_header(m, "Session-Expires"), "100;refresher=uac");
  reply(m, 200, "Session-Expires: 100;refresher=uac\n", SDP);
  cr_assert(rig_hear_method("ACK"));
  rig_run(45000);
  cr_assert_null(rig_hear_method("INVITE"));
  rig_run(6000);
  cr_assert(rig_hear_method("INVITE"));
  cr_assert_eq(leg->refreshes, 1);
}

Test(dialog, refresh_glare_is_retried) {
  call_out("Session-Expires: 100;refresher=uac\n");
  rig_run(50100);
  reply(rig_hear_method("INVITE"), 491, "", "");
  cr_assert(rig_hear_method("ACK"));
  rig_run(2050);
  cr_assert_null(rig_hear_method("INVITE"), "the Call-ID is ours: 2.1 s at least");
  rig_run(2000);
  const char *m = rig_hear_method("INVITE");
  cr_assert(m);
  reply(m, 200, "Session-Expires: 100;refresher=uac\n", SDP);
  cr_assert_eq(leg->refreshes, 2);
  cr_assert_not(leg->is_over);
}
