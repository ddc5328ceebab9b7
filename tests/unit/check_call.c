/* SPDX-License-Identifier: Apache-2.0
 * Units of the call model: a call's life, in both directions, with all that may cross. */
#include "call/hunt.h"
#include "call_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(call, .init = rig_start, .fini = rig_stop);
TestSuite(fsm);

#define eq(a, b) cr_assert_str_eq(a, b)

static void answer(char name, const char *sdp, uint32_t dialog) {
  struct desc d = rig_desc(sdp);
  struct verdict v = leg_take_answer(rig_leg(name), dialog, &d, true);
  cr_assert(verdict_is_pass(&v), "%s", v.detail);
  leg_answered(rig_leg(name));
  rig_turn();
}

static void end(char name, enum end_reason r, enum end_by by) {
  leg_end(rig_leg(name), cause_make(r, by, ""));
  rig_turn();
}

static const struct record *last(void) {
  return &rig.record[(rig.n_records - 1) % COUNT_OF(rig.record)];
}

Test(fsm, no_cell_is_empty) {
  enum leg_state next;
  for (int s = LEG_OPENING; s <= LEG_ENDED; s++)
    for (int e = 0; e < EVENT_COUNT_; e++) {
      cr_expect(fsm_cell((enum leg_state)s, (enum leg_event)e, &next), "state %d event %d", s, e);
      cr_expect(next >= (enum leg_state)s, "state %d event %d goes back", s, e);
      if (e == EVENT_END)
        cr_expect_eq(next, LEG_ENDED);
    }
}

Test(call, native_to_trunk_is_answered_and_ended) {
  struct leg *a = rig_place_native(sdp_chromium);
  cr_assert(a);
  eq(rig_log(), "A.opened ring:demo B.opened");
  eq(rig_media(), "OPEN1 REMOTE1/1 OPEN2 LINK1-2");
  cr_assert_eq(a->local->audio.codecs[0].kind, CODEC_OPUS, "a network that is not known to be wired");
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  leg_ringing(rig_leg('B'));
  leg_ringing(rig_leg('B'));
  eq(rig_log(), "A.ringing");
  answer('B', sdp_trunk_answer, 1);
  eq(rig_log(), "ring_stop A.answered A.connected B.connected");
  eq(rig_media(), "REMOTE2/1");
  cr_assert_eq(a->state, LEG_LIVE);
  cr_assert_eq(rig_leg('B')->media.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
  struct call *c = a->call;
  cr_assert_eq(leg_far(a), rig_leg('B'));
  cr_assert_eq(calls_find(rig.calls, slice_of(c->id)), c);
  cr_assert_eq(rig.live, 1);
  cr_assert_eq(rig.noted, 1);
  end('A', END_COMPLETED, BY_CALLER);
  cr_assert_eq(rig.noted, 0);
  eq(rig_log(), "A.ended:completed:caller B.ended:completed:caller");
  eq(rig_media(), "END1 END2");
  cr_assert_eq(rig_leg('A'), NULL);
  cr_assert_eq(rig.live, 0);
  cr_assert_eq(calls_count(rig.calls), 0);
  cr_assert_eq(last()->state, RECORD_ENDED);
  eq(last()->reason, "completed");
  eq(last()->end_by, "local");
  eq(last()->metadata, "{\"k\":\"v\"}");
  eq(last()->callee.suite, "AES_CM_128_HMAC_SHA1_80");
  cr_assert_eq(last()->caller.rx.packets, 100);
  cr_assert_eq(last()->callee.rx.packets, 200);
  cr_assert_eq(rig.n_records, 3); /* placed, answered, ended */
  cr_assert_eq(calls_find(rig.calls, slice_of(c->id)), c, "kept for a while");
  char id[40];
  memcpy(id, c->id, sizeof(id));
  rig_pass(601000);
  cr_assert_eq(calls_find(rig.calls, slice_of(id)), NULL);
}

Test(call, a_step_of_the_wall_clock_makes_no_call_longer_or_shorter) {
  static const int64_t steps[] = {3600000, -7200000};
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    rig_place_native(sdp_chromium);
    rig_pass(2000);
    struct desc d = rig_desc(sdp_trunk_answer);
    struct verdict v = leg_take_answer(rig_leg('B'), 1, &d, false);
    cr_assert(verdict_is_pass(&v));
    rig_step_wall(steps[i]);
    leg_answered(rig_leg('B'));
    rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
    rig_pass(4000);
    rig_step_wall(-3 * steps[i]);
    rig_pass(1000);
    end('A', END_COMPLETED, BY_CALLER);
    cr_expect_eq(last()->answered_ms - last()->started_ms, 2000);
    cr_expect_eq(last()->ended_ms - last()->answered_ms, 5000);
    eq(last()->cause_text, "");
    rig.next_letter = 'B';
  }
}

Test(call, early_media_is_told_when_it_is_heard_not_when_a_183_came) {
  rig_place_native(sdp_chromium);
  struct desc d = rig_desc(sdp_trunk_answer);
  struct verdict v = leg_take_answer(rig_leg('B'), 1, &d, false);
  cr_assert(verdict_is_pass(&v));
  leg_early(rig_leg('B'), true);
  eq(rig_log(), "A.opened ring:demo B.opened A.progress");
  rig_flow(2, true);
  rig_flow(2, true);
  rig_flow(2, false);
  eq(rig_log(), "A.early:1 A.early:0");
  rig_pass(1000);
  leg_ringing(rig_leg('B'));
  eq(rig_log(), "A.ringing"); /* 180 after 183 */
  rig_media();
  leg_answered(rig_leg('B')); /* the 200 repeats nothing: the 183's stands */
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  eq(rig_log(), "ring_stop A.answered A.connected B.connected");
  eq(rig_media(), "");
  end('A', END_COMPLETED, BY_CALLER);
  cr_assert_eq(last()->ringing_ms - last()->early_ms, 1000);
  cr_assert_eq(record_rang_ms(last()), last()->early_ms, "that is when the caller heard something");
}

Test(call, forked_early_dialogs_and_the_200_selects) {
  rig_place_native(sdp_chromium);
  struct desc d1 = rig_desc(sdp_trunk_answer), d2 = rig_desc(sdp_trunk_answer_fork);
  struct leg *b = rig_leg('B');
  struct verdict v = leg_take_answer(b, 1, &d1, false);
  leg_early(b, true);
  v = leg_take_answer(b, 2, &d2, false);
  cr_assert(verdict_is_pass(&v));
  leg_early(b, true);
  rig_turn();
  rig_media();
  v = leg_take_answer(b, 1, &d1, true);
  cr_assert(verdict_is_pass(&v));
  leg_answered(b);
  rig_turn();
  eq(rig_media(), "SELECT2/1 DROP2/2"); /* the same description is not sent again */
  cr_assert_eq(addr_port(&b->remote->audio.rtp), 31000);
  v = leg_take_answer(b, 9, &d1, true);
  cr_assert_eq(v.refusal, REFUSE_STATE);
}

Test(call, a_200_without_any_description_ends_the_call) {
  rig_place_native(sdp_chromium);
  rig_log();
  leg_answered(rig_leg('B'));
  eq(rig_log(), "B.ended:media_failure:gateway A.ended:media_failure:gateway ring_stop");
}

Test(call, trunk_to_user_first_device_wins_and_the_200_waits_for_dtls) {
  rig.devices = 3;
  struct leg *a = rig_place_trunk(sdp_trunk_srtp);
  cr_assert(a);
  eq(rig_log(), "A.opened ring:bob B.opened C.opened D.opened");
  eq(rig_media(), "OPEN1 REMOTE1/1 OPEN2 OPEN3 OPEN4");
  cr_assert_eq(a->call->callee, NULL);
  eq(a->call->session_remote, "0123456789abcdef0123456789abcdef");
  cr_assert_eq(strlen(a->call->session_local), 32);
  leg_ringing(rig_leg('B'));
  leg_ringing(rig_leg('C'));
  answer('C', sdp_device_answer, 1);
  eq(rig_log(),
     "A.ringing ring_stop B.ended:answered_elsewhere:callee D.ended:answered_elsewhere:callee");
  eq(rig_media(), "REMOTE3/1 END2 END4 LINK1-3");
  cr_assert_eq(rig_leg('B'), NULL);
  rig_pass(1000);
  eq(rig_log(), "");
  rig_state(3, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  eq(rig_log(), "A.answered A.connected C.connected");
  cr_assert_eq(a->call->callee, rig_leg('C'));
  end('C', END_COMPLETED, BY_CALLEE);
  eq(rig_log(), "C.ended:completed:callee A.ended:completed:callee");
  eq(last()->end_by, "local");
  cr_assert_eq(last()->direction, RECORD_IN);
}

Test(call, the_200_waits_no_longer_than_1500_ms_and_media_10_s) {
  rig_place_trunk(sdp_trunk_srtp);
  answer('B', sdp_device_answer, 1);
  rig_log();
  rig_pass(1400);
  eq(rig_log(), "");
  rig_pass(200);
  eq(rig_log(), "A.answered");
  rig_pass(9800);
  eq(rig_log(), "");
  rig_pass(300);
  eq(rig_log(), "A.ended:media_failure:gateway B.ended:media_failure:gateway");
}

Test(call, media_that_come_within_the_10_s_save_the_call) {
  rig_place_trunk(sdp_trunk_srtp);
  answer('B', sdp_device_answer, 1);
  rig_pass(5000);
  rig_log();
  rig_state(2, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  eq(rig_log(), "A.connected B.connected");
  rig_pass(20000);
  eq(rig_log(), "");
}

Test(call, what_is_quiet_is_packed_and_comes_back) {
  struct leg *a = rig_place_native(sdp_chromium);
  struct call_inner *in = call_in(a->call);
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  answer('B', sdp_trunk_answer, 1);
  struct desc *local = desc_keep(a->local), *remote = desc_keep(rig_leg('B')->remote);
  const struct route_step step = *hunt_step(in->hunt);
  rig_pass(1000);
  cr_assert_not(in->is_folded);
  rig_pass(1500);
  cr_assert(in->is_folded && !a->local && !in->hunt);
  cr_assert_eq(leg_get(rig.calls, a->id), a);
  cr_assert(a->local && desc_eq(a->local, local));
  cr_assert(desc_eq(rig_leg('B')->remote, remote));
  cr_assert(in->hunt && in->hunt->n_tries == 1);
  cr_assert_eq(memcmp(hunt_step(in->hunt), &step, sizeof(step)), 0, "the steps that are left, too");
  (void)desc_drop(local);
  (void)desc_drop(remote);
}

Test(call, warm_answer_is_heard_when_it_is_final) {
  rig_place_trunk(sdp_trunk_srtp);
  struct desc d = rig_desc(sdp_device_answer);
  struct verdict v = leg_take_answer(rig_leg('B'), 1, &d, false);
  cr_assert(verdict_is_pass(&v));
  leg_early(rig_leg('B'), false);
  rig_turn();
  rig_state(2, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  rig_flow(2, true);
  eq(rig_log(), "A.opened ring:bob B.opened");
  eq(rig_media(), "OPEN1 REMOTE1/1 OPEN2 REMOTE2/1");
  leg_answered(rig_leg('B'));
  rig_turn();
  eq(rig_media(), "LINK1-2");
  eq(rig_log(), "ring_stop A.answered A.connected B.connected");
}

Test(call, late_offer_of_a_trunk) {
  struct leg *a = rig_place_trunk(NULL);
  const struct desc *offer;
  struct verdict v = leg_make_offer(a, &offer);
  cr_assert(verdict_is_pass(&v));
  cr_assert_eq(offer->audio.n_crypto, 4);
  answer('B', sdp_device_answer, 1);
  rig_state(2, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  eq(rig_log(), "A.opened ring:bob B.opened ring_stop A.answered");
  cr_assert_eq(a->state, LEG_ANSWERED);
  struct desc d = rig_desc(sdp_trunk_answer);
  v = leg_take_answer(a, 1, &d, true);
  cr_assert(verdict_is_pass(&v));
  leg_confirmed(a);
  eq(rig_log(), "A.connected B.connected");
  cr_assert_eq(a->local->audio.n_crypto, 1, "only the chosen key lives on");
}

/* A callee that was asked without an offer makes it: RFC 3261 14.1's other direction. */
Test(call, a_callee_offers) {
  rig_place_native(sdp_chromium);
  struct leg *b = rig_leg('B');
  const struct desc *ours;
  leg_set_desc(&b->local, NULL); /* the rig's door has offered */
  b->offer_pending = leg_in(b)->local_is_offer = false;
  struct desc d = rig_desc(sdp_trunk_plain);
  struct verdict v = leg_take_offer(b, 1, &d, &ours);
  cr_assert_eq(v.refusal, REFUSE_SRTP, "%s", v.detail);
  d = rig_desc(sdp_trunk_srtp);
  cr_assert_eq(leg_take_offer(b, 9, &d, &ours).refusal, REFUSE_SDP);
  rig_media();
  cr_assert_eq(leg_take_offer(b, 2, &d, &ours).refusal, REFUSE_NONE);
  cr_assert_eq(ours, b->local);
  cr_assert_eq(ours->audio.n_crypto, 1);
  rig_turn();
  eq(rig_media(), "REMOTE2/2");
  cr_assert_eq(leg_take_offer(b, 2, &d, &ours).refusal, REFUSE_STATE, "once");
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  rig_log();
  leg_answered(b);
  rig_turn();
  eq(rig_log(), "ring_stop A.answered A.connected B.connected");
}

/* UPDATE between a reliable answer and the 200: the 200 without a description leaves it in force. */
Test(call, a_callee_offers_anew_before_its_200) {
  rig_place_native(sdp_chromium);
  struct leg *b = rig_leg('B');
  struct desc d = rig_desc(sdp_trunk_answer), again = rig_desc(sdp_trunk_srtp);
  cr_assert_eq(leg_take_answer(b, 2, &d, false).refusal, REFUSE_NONE);
  leg_early(b, true);
  rig_turn();
  rig_media();
  leg_reoffer(b, 5, &again);
  rig_turn();
  cr_assert(rig.reoffered && verdict_is_pass(&rig.verdict), "%s", rig.verdict.detail);
  eq(rig_media(), "REMOTE2/2");
  cr_assert_eq(leg_take_answer(b, 2, NULL, true).refusal, REFUSE_NONE);
  cr_assert_eq(addr_port(&b->remote->audio.rtp), addr_port(&again.audio.rtp));
  leg_answered(b);
  rig_turn();
  cr_assert_eq(b->state >= LEG_ANSWERED && b->state < LEG_ENDED, true);
}

Test(call, an_ack_without_the_answer_of_a_late_offer_ends_it) {
  struct leg *a = rig_place_trunk(NULL);
  const struct desc *offer;
  cr_assert_eq(leg_make_offer(a, &offer).refusal, REFUSE_NONE);
  answer('B', sdp_device_answer, 1);
  rig_pass(1600);
  rig_log();
  leg_confirmed(a);
  eq(rig_log(), "A.ended:media_failure:gateway B.ended:media_failure:gateway");
}

Test(call, nobody_answers) {
  rig_place_trunk(sdp_trunk_srtp);
  leg_ringing(rig_leg('B'));
  rig_log();
  rig_pass(59000);
  eq(rig_log(), "");
  rig_pass(1500);
  eq(rig_log(), "B.ended:no_answer:gateway ring_stop A.ended:no_answer:gateway");
  cr_assert_eq(last()->sip_status, 480);
}

Test(call, caller_cancels_while_it_rings) {
  rig_place_trunk(sdp_trunk_srtp);
  rig_log();
  end('A', END_COMPLETED, BY_CALLER);
  eq(rig_log(), "A.ended:canceled:caller B.ended:canceled:caller ring_stop");
  eq(last()->reason, "canceled");
  eq(last()->end_by, "remote");
}

Test(call, answer_after_the_end_and_second_answer_change_nothing) {
  rig.devices = 2;
  rig_place_trunk(sdp_trunk_srtp);
  pool_handle b = rig_leg('B')->id, c = rig_leg('C')->id;
  struct leg *lb = rig_leg('B'), *lc = rig_leg('C');
  struct desc d = rig_desc(sdp_device_answer);
  cr_assert_eq(leg_take_answer(lb, 1, &d, true).refusal, REFUSE_NONE);
  leg_answered(lb);
  rig_log();
  leg_answered(lc); /* in the same turn: the pointer still holds, the leg is over */
  leg_answered(lb);
  cr_assert_eq(leg_take_answer(lc, 1, &d, true).refusal, REFUSE_STATE);
  leg_end(lb, cause_make(END_COMPLETED, BY_CALLEE, ""));
  leg_answered(lb);
  leg_end(lb, cause_make(END_BUSY, BY_CALLEE, ""));
  eq(rig_log(), "B.ended:completed:callee A.ended:completed:callee");
  rig_turn();
  cr_assert_eq(leg_get(rig.calls, b), NULL);
  cr_assert_eq(leg_get(rig.calls, c), NULL);
}

Test(call, a_device_rejects_and_the_other_goes_on) {
  rig.devices = 2;
  struct call *c = rig_place_trunk(sdp_trunk_srtp)->call;
  rig_log();
  end('B', END_BUSY, BY_CALLEE);
  eq(rig_log(), "B.ended:busy:callee");
  struct leg *late = call_add_callee(c, rig_leg('C')->door, NULL, 'E', NULL, SLICE("bob"), SLICE("d9"));
  cr_assert(late, "a device that connects while it rings");
  rig_turn();
  call_target_done(c, cause_make(END_BUSY, BY_CALLEE, ""));
  eq(rig_log(), "E.opened A.ended:busy:callee C.ended:busy:callee E.ended:busy:callee ring_stop");
  cr_assert_eq(call_add_callee(c, c->caller->door, NULL, 'F', NULL, SLICE("bob"), SLICE("d")), NULL);
}

Test(call, decline_stops_all) {
  rig.devices = 2;
  rig_place_trunk(sdp_trunk_srtp);
  rig_log();
  end('B', END_DECLINED, BY_CALLEE);
  eq(rig_log(), "B.ended:declined:callee C.ended:declined:callee A.ended:declined:callee ring_stop");
  cr_assert_eq(last()->sip_status, 603);
}

Test(call, a_trunk_s_failure_is_the_call_s) {
  rig_place_native(sdp_chromium);
  rig_log();
  leg_end(rig_leg('B'), cause_of_sip(486, 17, BY_CALLEE));
  rig_turn();
  eq(rig_log(), "B.ended:busy:callee A.ended:busy:callee ring_stop");
  eq(last()->end_by, "remote");
}

Test(call, echo_and_tone_are_answered_by_the_gateway) {
  rig.route = (struct route_decision){.action = ROUTE_ECHO, .rule = "echo"};
  struct leg *a = rig_place_native(sdp_chromium);
  eq(rig_log(), "A.opened A.answered");
  eq(rig_media(), "OPEN1 REMOTE1/1 LINK1-1");
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  eq(rig_log(), "A.connected");
  cr_assert_eq(leg_hold(a, true, 5).refusal, REFUSE_NONE);
  rig_turn();
  eq(rig_media(), "LINK1-0 PLAY1:1 PLAY1:1");
  eq(rig_log(), "A.operation:5:");
  end('A', END_COMPLETED, BY_CALLER);
  eq(rig_log(), "A.ended:completed:caller");
  rig_media();
  rig.route = (struct route_decision){.action = ROUTE_TONE, .rule = "tone"};
  rig_place_native(sdp_chromium);
  eq(rig_media(), "OPEN2 REMOTE2/1 PLAY2:4");
}

Test(call, ringback_by_the_gateway) {
  struct leg *a = rig_place_native(sdp_chromium);
  call_in(a->call)->ringback = true;
  rig_media();
  leg_ringing(rig_leg('B'));
  rig_turn();
  eq(rig_media(), "PLAY1:2");
  answer('B', sdp_trunk_answer, 1);
  eq(rig_media(), "REMOTE2/1 PLAY1:0");
}

/* Audio that really came stops it, and silence alone does not bring it back: a later 180 does. */
Test(call, ringback_by_the_gateway_yields_to_what_is_heard) {
  struct leg *a = rig_place_native(sdp_chromium);
  call_in(a->call)->ringback = true;
  struct desc d = rig_desc(sdp_trunk_answer);
  cr_assert_eq(leg_take_answer(rig_leg('B'), 1, &d, false).refusal, REFUSE_NONE);
  rig_turn();
  rig_media();
  leg_early(rig_leg('B'), true);
  rig_turn();
  eq(rig_media(), ""); /* a 183 alone does not ring */
  leg_ringing(rig_leg('B'));
  rig_turn();
  eq(rig_media(), "PLAY1:2");
  rig_flow(2, true);
  eq(rig_media(), "PLAY1:0");
  rig_flow(2, false);
  eq(rig_media(), "");
  leg_ringing(rig_leg('B'));
  rig_turn();
  eq(rig_media(), "PLAY1:2");
  rig_flow(2, true);
  eq(rig_media(), "PLAY1:0");
  leg_ringing(rig_leg('B')); /* while something is heard: when that ends */
  rig_turn();
  eq(rig_media(), "");
  rig_flow(2, false);
  eq(rig_media(), "PLAY1:2");
}

/* 180 with SDP: the app may answer a voice menu as soon as it is heard. */
Test(call, digits_while_early_media_are_heard) {
  struct leg *a = rig_place_native(sdp_chromium);
  struct desc d = rig_desc(sdp_trunk_answer);
  cr_assert_eq(leg_take_answer(rig_leg('B'), 1, &d, false).refusal, REFUSE_NONE);
  leg_early(rig_leg('B'), false);
  leg_ringing(rig_leg('B'));
  rig_turn();
  cr_assert_eq(leg_send_digits(a, SLICE("1"), 0, 0, 7).refusal, REFUSE_STATE);
  rig_flow(2, true);
  cr_assert_eq(leg_send_digits(a, SLICE("1"), 0, 0, 7).refusal, REFUSE_NONE);
}

static struct leg *trunk_to_trunk(void) {
  struct leg *a = rig_place_between(sdp_trunk_srtp);
  struct desc d = rig_desc(sdp_trunk_answer);
  cr_assert_eq(leg_take_answer(rig_leg('B'), 1, &d, false).refusal, REFUSE_NONE);
  return a;
}

Test(call, between_trunks_it_is_forgotten_once_recorded) {
  struct leg *a = trunk_to_trunk();
  char id[40];
  snprintf(id, sizeof(id), "%s", a->call->id);
  rig_turn();
  cr_assert(calls_find(rig.calls, slice_of(id)));
  leg_end(a, cause_make(END_COMPLETED, BY_CALLER, ""));
  rig_turn();
  cr_assert_eq(calls_find(rig.calls, slice_of(id)), NULL);
  cr_assert_str_eq(rig.record[rig.n_records - 1].id, id);
}

/* A trunk rings by itself on a 180; once our 183 brought a description, we play it the tone. */
Test(call, ringback_toward_a_trunk) {
  trunk_to_trunk();
  rig_turn();
  rig_media();
  rig_log();
  leg_ringing(rig_leg('B'));
  rig_turn();
  eq(rig_log(), "A.ringing");
  eq(rig_media(), "");
  leg_early(rig_leg('B'), true);
  rig_turn();
  eq(rig_log(), "A.progress");
  eq(rig_media(), "PLAY1:2");
  rig_flow(2, true);
  eq(rig_media(), "PLAY1:0");
  eq(rig_log(), "A.early:1");
  rig_flow(2, false);
  leg_ringing(rig_leg('B'));
  rig_turn();
  eq(rig_media(), "PLAY1:2");
  eq(rig_log(), "A.early:0 A.ringing");
}

/* P-Early-Media: inactive. */
Test(call, barred_early_media_are_not_heard) {
  trunk_to_trunk();
  leg_early(rig_leg('B'), true);
  rig_turn();
  rig_media();
  rig_log();
  leg_bar_early(rig_leg('B'), true);
  rig_turn();
  eq(rig_media(), "LINK1-0 LINK2-0");
  rig_flow(2, true);
  eq(rig_log(), "");
  leg_bar_early(rig_leg('B'), false);
  rig_turn();
  eq(rig_log(), "A.early:1");
  eq(rig_media(), "LINK1-2");
}

/* Two early dialogs: what one stops the other goes on with. */
Test(call, the_flow_of_forks_is_one) {
  rig_place_native(sdp_chromium);
  struct leg *b = rig_leg('B');
  leg_early(b, true);
  rig_log();
  ringback_flow(b, 1, true);
  ringback_flow(b, 2, true);
  ringback_flow(b, 1, false);
  eq(rig_log(), "A.early:1");
  ringback_flow(b, 2, false);
  eq(rig_log(), "A.early:0");
}

Test(call, what_the_door_refuses_ends_the_call) {
  rig.ring = verdict_refuse(REFUSE_TRUNK_DOWN, "down");
  rig_place_native(sdp_chromium);
  eq(rig_log(), "A.opened ring:demo A.ended:trunk_failure:gateway");
}

Test(call, refusals_leave_nothing_and_are_recorded) {
  struct route_decision good = rig.route;
  rig.route = (struct route_decision){.action = ROUTE_REFUSE};
  cr_assert_eq(rig_place_native(sdp_chromium), NULL);
  cr_assert_eq(rig.verdict.refusal, REFUSE_NO_ROUTE);
  rig.route = (struct route_decision){.action = ROUTE_REFUSE, .sip = 603, .rule = "no"};
  rig_place_native(sdp_chromium);
  cr_assert_eq(rig.verdict.refusal, REFUSE_PLAN);
  cr_assert_eq(verdict_sip(&rig.verdict), 603);
  cr_assert_eq(last()->sip_status, 603);
  cr_assert_eq(last()->q850, 21);
  rig.route = (struct route_decision){.action = ROUTE_USER, .user = "carol"};
  rig_place_native(sdp_chromium);
  cr_assert_eq(rig.verdict.refusal, REFUSE_NO_USER);
  rig.route = good;
  rig_place_native(sdp_trunk_srtp);
  cr_assert_eq(rig.verdict.refusal, REFUSE_SDP);
  rig_place_trunk(sdp_trunk_plain);
  cr_assert_eq(rig.verdict.refusal, REFUSE_SRTP);
  cr_assert(strstr(rig.verdict.detail, "trunks[demo].srtp"));
  cr_assert_eq(last()->state, RECORD_REFUSED);
  eq(last()->rule, "srtp_required");
  cr_assert_eq(last()->sip_status, 488);
  rig.admit = verdict_refuse(REFUSE_PROXY, "host");
  rig_place_trunk(sdp_trunk_srtp);
  cr_assert_eq(rig.verdict.refusal, REFUSE_PROXY);
  eq(last()->reason, "policy");
  cr_assert_eq(rig.live, 0);
  cr_assert_eq(calls_count(rig.calls), 0);
  eq(rig_media(), "");
  eq(rig_log(), "");
}

Test(call, limits_and_emergency) {
  rig.conf.service.calls_per_identity = 1;
  cr_assert(rig_place_native(sdp_chromium));
  cr_assert_eq(rig_place_native(sdp_chromium), NULL);
  cr_assert_eq(rig.verdict.refusal, REFUSE_CALLS_IDENTITY);
  rig.conf.node.max_calls = 1;
  rig.conf.service.calls_per_identity = 20;
  cr_assert_eq(rig_place_native(sdp_chromium), NULL);
  cr_assert_eq(rig.verdict.refusal, REFUSE_NODE_CALLS);
  calls_drain(rig.calls, true);
  rig_place_native(sdp_chromium);
  cr_assert_eq(rig.verdict.refusal, REFUSE_DRAIN);
  rig.admit_out = verdict_refuse(REFUSE_TRUNK_CALLS, "full");
  rig.route.emergency = true;
  rig.next_letter = 'K';
  cr_assert(rig_place_native(sdp_chromium));
  cr_assert_eq(rig.live, 1, "not counted, not left twice");
  end('A', END_COMPLETED, BY_CALLER);
  cr_assert_eq(rig.live, 1);
}

Test(call, no_port_is_free) {
  rig.fail_open = true;
  cr_assert_eq(rig_place_native(sdp_chromium), NULL);
  eq(rig_log(), "A.ended:congestion:gateway");
  rig.fail_open = false;
  cr_assert(rig_place_native(sdp_chromium));
}

Test(call, a_mute_media_process_is_given_up_after_its_deadline) {
  rig.mute = true;
  cr_assert(rig_place_native(sdp_chromium));
  rig_pass(1900);
  eq(rig_log(), "");
  rig_pass(200);
  eq(rig_log(), "A.ended:congestion:gateway");
  rig_pass(2100);
  cr_assert_eq(last()->state, RECORD_ENDED);
}

Test(call, a_lost_media_process_ends_all_and_comes_back) {
  rig_place_native(sdp_chromium);
  answer('B', sdp_trunk_answer, 1);
  rig_log();
  rig_media_lose();
  eq(rig_log(), "A.ended:media_failure:gateway B.ended:media_failure:gateway");
  cr_assert_not(calls_is_ready(rig.calls));
  eq(last()->reason, "media_failure");
  cr_assert_eq(last()->state, RECORD_ENDED);
  cr_assert_eq(rig_place_native(sdp_chromium), NULL);
  cr_assert_eq(rig.verdict.refusal, REFUSE_NO_MEDIA);
  rig_media_listen();
  rig_pass(300);
  cr_assert(calls_is_ready(rig.calls));
  cr_assert(rig_place_native(sdp_chromium));
}

Test(call, a_refused_link_ends_the_call) {
  rig.fail_link = EINVAL;
  rig_place_native(sdp_chromium);
  rig_turn();
  cr_assert(strstr(rig_log(), "A.ended:media_failure:gateway"));
}

Test(call, a_link_without_room_to_transcode_is_congestion) {
  rig.fail_link = EBUSY;
  rig_place_native(sdp_chromium);
  rig_turn();
  cr_assert(strstr(rig_log(), "A.ended:congestion:gateway"));
}

Test(call, a_cap_refuses_and_nothing_stays) {
  rig.capped = true;
  cr_assert_eq(rig_place_native(sdp_chromium), NULL);
  cr_assert_eq(rig.verdict.refusal, REFUSE_CAP);
  cr_assert_eq(rig.live, 0, "the trunk's live calls");
  rig.capped = false;
  cr_assert(rig_place_native(sdp_chromium));
  cr_assert_eq(rig.capped_live, 1);
}

Test(call, a_cap_is_left_once_with_the_time_talked) {
  rig_place_native(sdp_chromium);
  answer('B', sdp_trunk_answer, 1);
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  rig_pass(90000);
  rig_media_lose();
  cr_assert_eq(rig.capped_live, 0);
  cr_assert(rig.talked_us >= 90000000 && rig.talked_us < 92000000, "%ju", (uintmax_t)rig.talked_us);
}

Test(call, the_longest_time_of_a_call) {
  rig.conf.node.max_call_s = 60;
  rig_place_native(sdp_chromium);
  answer('B', sdp_trunk_answer, 1);
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  rig_log();
  rig_pass(59000);
  cr_assert_not(strstr(rig_log(), "ended"));
  rig_pass(2000);
  cr_assert(strstr(rig_log(), "A.ended:max_duration:gateway"));
}

Test(call, interim_records) {
  rig_place_native(sdp_chromium);
  answer('B', sdp_trunk_answer, 1);
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  uint32_t before = rig.n_records;
  rig_pass(900100);
  cr_assert_eq(rig.n_records, before + 1);
  cr_assert_eq(last()->interim, 1);
  cr_assert_eq(last()->state, RECORD_LIVE);
}

Test(call, telemetry_reaches_the_record_also_after_the_end) {
  struct leg *a = rig_place_native(sdp_chromium);
  struct call *c = a->call;
  uint64_t version = rig.conf.version;
  call_telemetry(c, "{\"stats\":[1]}");
  rig.conf.version = version + 1; /* a reload in mid-call */
  end('A', END_COMPLETED, BY_CALLER);
  eq(last()->telemetry, "{\"stats\":[1]}");
  struct record was = *last();
  call_telemetry(c, "{\"stats\":[2]}");
  eq(last()->id, was.id);
  eq(last()->telemetry, "{\"stats\":[2]}");
  cr_assert_eq(last()->state, RECORD_ENDED);
  cr_assert_eq(last()->ended_ms, was.ended_ms);
  cr_assert_eq(last()->caller.rx.packets, was.caller.rx.packets);
  cr_assert_eq(last()->config_version, version, "it is that of the placing");
  uint32_t n = rig.n_records;
  char big[RECORD_TELEMETRY_BYTES + 1];
  memset(big, 'x', sizeof(big) - 1);
  big[sizeof(big) - 1] = 0;
  call_telemetry(c, big);
  call_telemetry(c, "{\"stats\":[2]}");
  cr_assert_eq(rig.n_records, n, "too long, or nothing new");
}

static void silent_call(bool is_muted, bool until_the_end) {
  const struct client_told dead = {.has_mic = true, .is_muted = is_muted},
                           open = {.has_mic = true, .is_muted = is_muted && until_the_end};
  rig_place_native(sdp_chromium);
  struct desc d = rig_desc(sdp_trunk_answer);
  struct verdict v = leg_take_answer(rig_leg('B'), 1, &d, false);
  cr_assert(verdict_is_pass(&v));
  leg_answered(rig_leg('B'));
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  for (int i = 0; i < 4; i++, rig_pass(1500))
    leg_told(rig_leg('A'), i == 3 ? &open : &dead);
  end('A', END_COMPLETED, BY_CALLER);
  rig.next_letter = 'B';
}

Test(call, who_is_muted_has_no_dead_microphone) {
  silent_call(false, false);
  eq(last()->cause_id, "microphone");
  silent_call(true, true);
  eq(last()->cause_id, "");
  silent_call(true, false); /* open in the last quarter, and nothing said */
  eq(last()->cause_id, "");
}

Test(call, free_with_live_calls_writes_their_records) {
  rig_place_native(sdp_chromium);
  calls_end_all(rig.calls, END_SERVER_SHUTDOWN);
  eq(rig_log(), "A.opened ring:demo B.opened A.ended:server_shutdown:gateway "
                "B.ended:server_shutdown:gateway ring_stop");
  rig_place_native(sdp_chromium);
  rig.calls = calls_free(rig.calls);
  eq(last()->reason, "server_shutdown");
  cr_assert_eq(last()->state, RECORD_ENDED);
}

Test(call, session_id_of_the_far_trunk) {
  struct leg *a = rig_place_native(sdp_chromium);
  eq(a->call->session_remote, "00000000000000000000000000000000");
  leg_set_session(rig_leg('B'), SLICE("ABCDEF0123456789abcdef0123456789"));
  eq(a->call->session_remote, "abcdef0123456789abcdef0123456789");
  leg_set_session(rig_leg('B'), SLICE("xyz"));
  leg_set_session(rig_leg('B'), SLICE("00000000000000000000000000000000"));
  eq(a->call->session_remote, "abcdef0123456789abcdef0123456789");
}

Test(call, reload_keeps_calls_of_a_trunk_that_went) {
  struct leg *a = rig_place_native(sdp_chromium);
  static struct conf other;
  other = rig.conf;
  other.n_trunks = 0;
  calls_reload(rig.calls, &other, NULL);
  memset(rig.conf.trunks, 0xff, sizeof(rig.conf.trunks));
  eq(rig_leg('B')->trunk->name, "demo");
  answer('B', sdp_trunk_answer, 1);
  cr_assert_eq(a->state, LEG_ANSWERED);
}

Test(call, causes) {
  static const struct {
    int sip, q850;
    enum end_reason reason;
  } rows[] = {
      {486, 0, END_BUSY},        {600, 0, END_BUSY},           {603, 0, END_DECLINED},
      {404, 0, END_NOT_FOUND},   {480, 19, END_NO_ANSWER},     {480, 0, END_UNREACHABLE},
      {503, 0, END_CONGESTION},  {503, 38, END_TRUNK_FAILURE}, {500, 0, END_TRUNK_FAILURE},
      {408, 0, END_TIMEOUT},     {699, 0, END_REJECTED},       {499, 0, END_REJECTED},
      {200, 16, END_COMPLETED},  {607, 0, END_DECLINED},       {608, 0, END_REJECTED},
      {480, 47, END_CONGESTION}, {480, 31, END_UNREACHABLE},   {502, 27, END_UNREACHABLE},
      {486, 34, END_BUSY},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    cr_expect_eq(cause_of_sip(rows[i].sip, rows[i].q850, BY_CALLEE).reason, rows[i].reason, "%d",
                 rows[i].sip);
  for (int r = 1; r < REFUSE_COUNT_; r++) {
    struct verdict v = verdict_refuse((enum refusal)r, "x");
    cr_expect_neq(cause_of_verdict(&v).reason, END_COMPLETED, "refusal %d", r);
  }
}

Test(call, causes_of_goodbyes) {
  cr_expect_eq(cause_of_bye(0, 0, BY_CALLEE).reason, END_COMPLETED);
  cr_expect_eq(cause_of_bye(0, 16, BY_CALLEE).reason, END_COMPLETED);
  cr_expect_eq(cause_of_bye(0, 17, BY_CALLEE).reason, END_COMPLETED);
  cr_expect_eq(cause_of_bye(0, 38, BY_CALLEE).reason, END_TRUNK_FAILURE);
  cr_expect_eq(cause_of_bye(0, 102, BY_CALLEE).reason, END_TIMEOUT);
  cr_expect_eq(cause_of_bye(503, 0, BY_CALLEE).reason, END_TRUNK_FAILURE);
  cr_expect_eq(cause_of_bye(503, 16, BY_CALLEE).reason, END_COMPLETED);
  cr_expect_eq(cause_of_cancel(0, 0).reason, END_CANCELED);
  cr_expect_eq(cause_of_cancel(200, 0).reason, END_ANSWERED_ELSEWHERE);
  cr_expect_eq(cause_of_cancel(0, 26).reason, END_ANSWERED_ELSEWHERE);
}

static size_t times(const char *text, const char *what) {
  size_t n = 0;
  for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
    n++;
  return n;
}

/* Transfers ----------------------------------------------------------------------------------------
 */
static struct leg *talk(void) {
  struct leg *a = rig_place_native(sdp_chromium);
  cr_assert(a);
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  answer('B', sdp_trunk_answer, 1);
  cr_assert_eq(a->state, LEG_LIVE);
  rig_log();
  rig_media();
  return a;
}

static struct verdict transfer(struct leg *l) {
  struct transfer_order o = {.op = 5,
                             .identity = SLICE("alice"),
                             .tenant = SLICE("default"),
                             .from = SLICE("+15550001"),
                             .to = SLICE("+15557777")};
  struct verdict v = call_transfer(l, &o);
  rig_turn();
  return v;
}

Test(call, a_blind_transfer_rings_in_a_call_of_its_own) {
  struct leg *a = talk();
  struct call *home = a->call;
  struct verdict v = leg_hold(a, true, 1);
  cr_assert(verdict_is_pass(&v));
  rig_turn();
  eq(rig_log(), "B.held:1 A.operation:1:");
  rig_media();
  v = transfer(a);
  cr_assert(verdict_is_pass(&v), "%s", v.detail);
  eq(rig_log(), "B.held:0 ring:demo C.opened");
  struct leg *b = rig_leg('B'), *c = rig_leg('C');
  cr_assert_eq(b->call, c->call);
  cr_assert_neq(b->call, home);
  cr_assert_eq(leg_far(a), NULL);
  cr_assert_eq(rig.live, 2, "the party's leg and the target's");
  v = transfer(a);
  cr_assert_eq(v.refusal, REFUSE_STATE, "one at a time");
  eq(rig_media(), "PLAY2:0 OPEN3 LINK2-3");
  leg_ringing(c);
  rig_turn();
  eq(rig_log(), "A.transfer:progress:180:+15557777");
  eq(rig_media(), "PLAY2:2");
  answer('C', sdp_trunk_answer, 1);
  eq(rig_log(),
     "ring_stop A.transfer:done:200:+15557777 A.ended:transferred:caller B.moved C.connected");
  cr_assert_eq(leg_far(b), c);
  cr_assert_eq(leg_far(c), b);
  cr_assert_eq(b->role, LEG_CALLER);
  cr_assert_eq(rig.live, 2);
  eq(rig_media(), "REMOTE3/1 PLAY2:0 END1");
  const struct record *r = NULL;
  for (uint32_t i = 0; i < rig.n_records; i++)
    if (strcmp(rig.record[i].reason, "transferred") == 0)
      r = &rig.record[i];
  cr_assert(r, "the old call's record is closed");
  eq(r->end_by, "local");
  eq(r->callee.peer, "demo");
  end('B', END_COMPLETED, BY_CALLER);
  eq(rig_log(), "B.ended:completed:caller C.ended:completed:caller");
  cr_assert_eq(rig.live, 0);
  cr_assert_eq(calls_count(rig.calls), 0);
  cr_assert_eq(rig.noted, 0);
}

Test(call, a_blind_transfer_that_fails_brings_the_party_back) {
  struct leg *a = talk();
  struct call *home = a->call;
  struct verdict v = transfer(a);
  cr_assert(verdict_is_pass(&v));
  rig_log();
  end('C', END_BUSY, BY_CALLEE);
  eq(rig_log(), "C.ended:busy:callee A.transfer:failed:486:+15557777 ring_stop");
  cr_assert_eq(a->call, home);
  cr_assert_eq(leg_far(a), rig_leg('B'));
  cr_assert_eq(a->role, LEG_CALLER);
  cr_assert_eq(calls_count(rig.calls), 1);
  cr_assert_eq(rig.live, 1);
  cr_assert(strstr(rig_media(), "LINK1-2"));
  v = transfer(a);
  cr_assert(verdict_is_pass(&v), "and may be tried again");
  rig_pass(61000);
  cr_assert(strstr(rig_log(), "A.transfer:failed:480:+15557777"));
  cr_assert_eq(leg_far(a), rig_leg('B'));
  end('A', END_COMPLETED, BY_CALLER);
  eq(rig_log(), "A.ended:completed:caller B.ended:completed:caller");
  cr_assert_eq(rig.live, 0);
}

Test(call, who_asked_hangs_up_and_the_transfer_goes_on) {
  struct leg *a = talk();
  struct verdict v = transfer(a);
  cr_assert(verdict_is_pass(&v));
  rig_log();
  end('A', END_COMPLETED, BY_CALLER);
  eq(rig_log(), "A.ended:completed:caller");
  answer('C', sdp_trunk_answer, 1);
  eq(rig_log(), "ring_stop B.moved C.connected");
  end('C', END_COMPLETED, BY_CALLEE);
  eq(rig_log(), "C.ended:completed:callee B.ended:completed:callee");
  cr_assert_eq(rig.live, 0);
  cr_assert_eq(calls_count(rig.calls), 0);
}

Test(call, who_asked_is_gone_and_the_target_is_busy) {
  struct leg *a = talk();
  struct verdict v = transfer(a);
  cr_assert(verdict_is_pass(&v));
  end('A', END_COMPLETED, BY_CALLER);
  rig_log();
  end('C', END_BUSY, BY_CALLEE);
  eq(rig_log(), "C.ended:busy:callee B.ended:busy:callee ring_stop");
  cr_assert_eq(rig.live, 0);
}

Test(call, the_party_hangs_up_while_the_target_rings) {
  struct leg *a = talk();
  struct verdict v = transfer(a);
  cr_assert(verdict_is_pass(&v));
  rig_log();
  end('B', END_COMPLETED, BY_CALLER);
  cr_assert_eq(rig_leg('A'), NULL);
  cr_assert_eq(rig_leg('C'), NULL);
  const char *log = rig_log();
  cr_assert(strstr(log, "A.transfer:failed:487:+15557777 A.ended:completed:callee"), "%s", log);
  cr_assert_eq(rig.live, 0);
}

Test(call, a_refused_transfer_changes_nothing) {
  struct leg *a = talk();
  rig.admit_out = verdict_refuse(REFUSE_TRUNK_CALLS, "full");
  struct verdict v = transfer(a);
  cr_assert_eq(v.refusal, REFUSE_TRUNK_CALLS);
  cr_assert_eq(leg_far(a), rig_leg('B'));
  eq(rig_log(), "");
  cr_assert_eq(rig.live, 1);
  cr_assert_eq(last()->state, RECORD_REFUSED);
}

Test(call, transfers_of_transfers_end_somewhere) {
  struct leg *l = talk();
  for (int depth = 1; depth <= TRANSFER_DEPTH_MAX; depth++) {
    struct verdict v = transfer(l);
    cr_assert(verdict_is_pass(&v), "%d: %s", depth, v.detail);
    answer((char)('B' + depth), sdp_trunk_answer, 1);
    l = rig_leg((char)('B' + depth));
    cr_assert_eq(l->state, LEG_LIVE);
  }
  struct verdict v = transfer(l);
  cr_assert_eq(v.refusal, REFUSE_TRANSFER_DEPTH);
}

/* alice talks to B, calls C, and joins the two. */
static void consult(struct leg **ret_first, struct leg **ret_second, bool answered) {
  *ret_first = talk();
  rig.next_letter = 'D';
  *ret_second = rig_place_native(sdp_chromium);
  cr_assert(*ret_second);
  rig_state(3, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  if (answered)
    answer('D', sdp_trunk_answer, 1);
  else
    leg_ringing(rig_leg('D'));
  rig_turn();
  rig_log();
  rig_media();
}

Test(call, an_attended_transfer_joins_the_far_sides) {
  struct leg *a, *other;
  consult(&a, &other, true);
  struct call *c = other->call;
  struct leg *b = leg_far(a), *d = leg_far(other);
  struct verdict v = call_transfer_join(a, other, 6);
  rig_turn();
  cr_assert(verdict_is_pass(&v), "%s", v.detail);
  cr_assert_eq(b->call, c);
  cr_assert_eq(leg_far(b), d);
  cr_assert_eq(leg_far(d), b);
  cr_assert(strstr(rig_media(), "LINK2-4"));
  const char *log = rig_log();
  cr_assert_eq(times(log, ".ended:transferred:caller"), 2, "%s", log);
  cr_assert_eq(times(log, "A.transfer:done:200"), 1);
  cr_assert_eq(times(log, ".moved"), 2, "%s", log);
  cr_assert_eq(calls_count(rig.calls), 1);
  cr_assert_eq(rig.live, 2);
  end('D', END_COMPLETED, BY_CALLEE);
  cr_assert_eq(rig.live, 0);
  cr_assert_eq(calls_count(rig.calls), 0);
}

Test(call, a_half_attended_transfer_rings_on) {
  struct leg *a, *other;
  consult(&a, &other, false);
  struct leg *b = leg_far(a);
  struct verdict v = call_transfer_join(a, other, 6);
  rig_turn();
  cr_assert(verdict_is_pass(&v), "%s", v.detail);
  cr_assert(strstr(rig_media(), "PLAY2:2"), "it hears that it rings");
  rig_log();
  answer('D', sdp_trunk_answer, 1);
  cr_assert_eq(leg_far(b), rig_leg('D'));
  cr_assert_eq(rig_leg('D')->state, LEG_LIVE);
  end('B', END_COMPLETED, BY_CALLER);
  cr_assert_eq(calls_count(rig.calls), 0);
}

Test(call, a_join_wants_two_calls_of_one_party) {
  struct leg *a, *other;
  consult(&a, &other, true);
  struct verdict v = call_transfer_join(a, a, 6);
  cr_assert_eq(v.refusal, REFUSE_STATE);
  v = call_transfer_join(a, leg_far(other), 6);
  cr_assert_eq(v.refusal, REFUSE_STATE);
  snprintf(other->identity, sizeof(other->identity), "bob");
  v = call_transfer_join(a, other, 6);
  cr_assert_eq(v.refusal, REFUSE_STATE);
}

/* A walk of random events, in any order and state: every leg that began ends exactly once, nothing
 * stays counted, no handle outlives its leg. */
static uint64_t walk_seed;
static uint32_t pick(uint32_t below) {
  walk_seed = walk_seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(walk_seed >> 33) % below;
}

static void walk_leg(struct leg *l) {
  static const char *const sdp[] = {sdp_chromium,         sdp_chromium_moved, sdp_chromium_reloaded,
                                    sdp_chromium_hold,    sdp_device_answer,  sdp_trunk_srtp,
                                    sdp_trunk_plain,      sdp_trunk_hold,     sdp_trunk_answer,
                                    sdp_trunk_answer_fork};
  struct desc d = rig_desc(sdp[pick(COUNT_OF(sdp))]);
  struct desc_frag f = {.ufrag = "wwww", .pwd = "wwwwwwwwwwwwwwwwwwwwwwww"};
  const struct desc *offer;
  struct verdict v;
  switch (pick(18)) {
  case 0:
    leg_ringing(l);
    break;
  case 1:
    leg_early(l, pick(2));
    break;
  case 2:
    leg_answered(l);
    break;
  case 3:
    leg_confirmed(l);
    break;
  case 4:
    v = leg_take_answer(l, pick(10), pick(4) ? &d : NULL, pick(2));
    break;
  case 5:
    leg_reoffer(l, 1, pick(4) ? &d : NULL);
    break;
  case 6:
    v = leg_make_offer(l, &offer);
    break;
  case 7:
    v = leg_make_reoffer(l, &offer);
    break;
  case 8:
    leg_drop_offer(l);
    break;
  case 9:
    leg_restart_ice(l, 2, &f);
    break;
  case 10:
    v = leg_hold(l, pick(2), 3);
    break;
  case 11:
    v = leg_send_digits(l, SLICE("1"), 0, 0, 4);
    break;
  case 12:
    leg_stream_lost(l, pick(2));
    break;
  case 13:
    leg_got_info_digit(l, '1', 100);
    break;
  case 14:
    v = leg_take_answer(l, 1, &d, true);
    leg_answered(l);
    break;
  case 15:
    v = transfer(l);
    break;
  case 16:
    if (rig_leg((char)('A' + pick(6))))
      v = call_transfer_join(l, rig_leg('A'), 6);
    break;
  default:
    if (pick(4) == 0)
      leg_end(l, cause_make(pick(2) ? END_COMPLETED : END_DECLINED, pick(3), ""));
    break;
  }
  (void)v;
}

static void walk(uint64_t seed) {
  walk_seed = seed;
  rig.next_letter = 'B';
  rig.devices = 1 + pick(3);
  rig.route = (struct route_decision){
      .action = pick(4) ? ROUTE_TRUNK : ROUTE_ECHO, .trunk = "demo", .rule = "out"};
  struct leg *a =
      pick(2) ? rig_place_native(sdp_chromium) : rig_place_trunk(pick(3) ? sdp_trunk_srtp : NULL);
  cr_assert(a);
  for (int i = 0; i < 40; i++) {
    char name = (char)('A' + pick(6));
    struct leg *l = rig_leg(name);
    if (l)
      walk_leg(l);
    if (pick(3))
      rig_turn();
    uint32_t n = rig.n_sessions ? 1 + pick(rig.n_sessions) : 0;
    if (n && pick(2))
      rig_state(n, pick(4), pick(4));
    else if (n && pick(3) == 0)
      rig_flow(n, pick(2));
    if (pick(5) == 0)
      rig_pass(pick(3000));
  }
  calls_end_all(rig.calls, END_OPERATOR);
  rig_turn();
}

Test(call, random_walks_end_every_leg_exactly_once, .timeout = 100) {
  for (uint64_t seed = 1; seed <= 150; seed++) {
    rig.n_sessions = 0;
    walk(seed * 7919);
    const char *log = rig_log();
    for (char name = 'A'; name < rig.next_letter; name++) {
      char what[16];
      snprintf(what, sizeof(what), "%c.ended:", name);
      cr_expect_eq(times(log, what), 1, "seed %u leg %c: %s", (unsigned)seed, name, log);
      snprintf(what, sizeof(what), "%c.answered", name);
      cr_expect_leq(times(log, what), 1);
      snprintf(what, sizeof(what), "%c.connected", name);
      cr_expect_leq(times(log, what), 1);
      cr_expect_eq(rig_leg(name), NULL);
    }
    rig_media();
    cr_expect_eq(rig.live, 0);
    cr_expect_eq(calls_count(rig.calls), 0);
    cr_expect_eq(last()->state, RECORD_ENDED, "seed %u", (unsigned)seed);
  }
}
