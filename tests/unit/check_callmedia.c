/* SPDX-License-Identifier: Apache-2.0
 * Units of the call model in mid-call: hold from either side, re-offers, fresh associations, lost
 * consent, digits. */
#include "call_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define eq(a, b) cr_assert_str_eq(a, b)

static void live(void) {
  rig_start();
  rig_place_native(sdp_chromium);
  struct desc d = rig_desc(sdp_trunk_answer);
  cr_assert_eq(leg_take_answer(rig_leg('B'), 1, &d, true).refusal, REFUSE_NONE);
  leg_answered(rig_leg('B'));
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  rig_log();
  rig_media();
}
TestSuite(mid, .init = live, .fini = rig_stop);

static void reoffer(char name, const char *sdp) {
  struct desc d = rig_desc(sdp);
  rig.reoffered = false;
  leg_reoffer(rig_leg(name), 9, &d);
  rig_turn();
}

static bool on_hold(char name, bool on) {
  struct verdict v = leg_hold(rig_leg(name), on, 1);
  rig_turn();
  return verdict_is_pass(&v);
}

Test(mid, hold_and_resume_by_the_verb) {
  cr_assert(on_hold('A', true));
  eq(rig_media(), "LINK1-0 LINK2-0 PLAY1:1 PLAY2:3 PLAY1:1");
  eq(rig_log(), "B.held:1 A.operation:1:");
  cr_assert(rig_leg('A')->held_local);
  cr_assert_not(on_hold('A', true), "holding what is held");
  cr_assert(on_hold('A', false));
  eq(rig_media(), "LINK1-2 PLAY1:0 PLAY2:0 PLAY1:0");
  eq(rig_log(), "B.held:0 A.operation:1:");
  cr_assert_not(on_hold('A', false));
}

Test(mid, our_re_invite_for_hold) {
  const struct desc *offer;
  struct leg *b = rig_leg('B');
  uint64_t version = b->local->version;
  cr_assert(on_hold('A', true));
  cr_assert_eq(leg_make_reoffer(b, &offer).refusal, REFUSE_NONE);
  cr_assert_eq(offer->audio.direction, DIR_SEND);
  cr_assert_eq(offer->version, version + 1);
  cr_assert_eq(offer->audio.n_crypto, 1);
  cr_assert_eq(
      memcmp(&offer->audio.crypto[0].key, &b->local->audio.crypto[0].key, sizeof(struct srtp_key)), 0);
  cr_assert_eq(leg_make_reoffer(b, &offer).refusal, REFUSE_GLARE);
  struct desc d = rig_desc(sdp_trunk_answer);
  d.audio.direction = DIR_RECV;
  cr_assert_eq(leg_take_answer(b, 1, &d, true).refusal, REFUSE_NONE);
  rig_turn();
  cr_assert_not(b->held_local, "recvonly to our sendonly is no hold of theirs");
  cr_assert_eq(rig.remote[1].send, 1);
  cr_assert_eq(rig.remote[1].recv, 0);
  cr_assert_eq(b->local->audio.direction, DIR_SEND);
  cr_assert(on_hold('A', false));
  cr_assert_eq(leg_make_reoffer(b, &offer).refusal, REFUSE_NONE);
  cr_assert_eq(offer->audio.direction, DIR_SENDRECV);
  leg_drop_offer(b); /* 488 or 491: as before */
  cr_assert_eq(b->local->audio.direction, DIR_SEND);
  cr_assert_not(b->offer_pending);
}

Test(mid, held_trunk_with_inactive) {
  rig.conf.trunks[0].hold = HOLD_INACTIVE;
  const struct desc *offer;
  cr_assert(on_hold('A', true));
  eq(rig_media(), "LINK1-0 LINK2-0 PLAY1:1 PLAY2:1 PLAY1:1");
  cr_assert_eq(leg_make_reoffer(rig_leg('B'), &offer).refusal, REFUSE_NONE);
  cr_assert_eq(offer->audio.direction, DIR_INACTIVE);
}

Test(mid, held_trunk_with_music) {
  rig.conf.trunks[0].hold = HOLD_MUSIC;
  strcpy(rig.conf.media.hold_music, "/dev/null"); /* our media process does not look */
  cr_assert(on_hold('A', true));
  eq(rig_media(), "LINK1-0 LINK2-0 PLAY1:1 PLAY2:6 PLAY1:1");
  cr_assert(on_hold('A', false));
  (void)rig_media();
  strcpy(rig.conf.media.hold_music, "/nowhere/music.wav");
  cr_assert(on_hold('A', true));
  eq(rig_media(), "LINK1-0 LINK2-0 PLAY1:1 PLAY2:3 PLAY1:1");
}

Test(mid, held_trunk_with_music_of_its_own) {
  rig.conf.trunks[0].hold = HOLD_MUSIC;
  strcpy(rig.conf.media.hold_music, "/nowhere/music.wav");
  strcpy(rig.conf.trunks[0].hold_music, "/dev/null");
  cr_assert(on_hold('A', true));
  eq(rig_media(), "LINK1-0 LINK2-0 PLAY1:1 PLAY2:6 PLAY1:1");
}

Test(mid, music_that_does_not_play_is_a_tone) {
  rig.conf.trunks[0].hold = HOLD_MUSIC;
  strcpy(rig.conf.media.hold_music, "/dev/null");
  cr_assert(on_hold('A', true));
  (void)rig_media();
  rig_played(2, -ECANCELED); /* by an order of ours */
  eq(rig_media(), "");
  rig_played(2, -EBADMSG);
  eq(rig_media(), "PLAY2:3");
}

Test(mid, the_carrier_holds_and_resumes) {
  static const struct {
    const char *sdp;
    int direction;
  } forms[] = {{sdp_trunk_hold, DIR_RECV}, {sdp_trunk_srtp, -1}};
  rig_log();
  reoffer('B', forms[0].sdp);
  eq(rig_log(), "B.reoffered:9: A.held:1");
  cr_assert_eq(rig.local.audio.direction, DIR_RECV);
  cr_assert_eq(rig.remote[1].recv, 1);
  cr_assert_eq(rig.remote[1].send, 0);
  cr_assert(rig_leg('B')->held_local);
  eq(rig_media(), "REMOTE2/1 LINK1-0 LINK2-0 PLAY1:3 PLAY2:1");
  reoffer('B', forms[1].sdp);
  eq(rig_log(), "B.reoffered:9: A.held:0");
  cr_assert_eq(rig.local.audio.direction, DIR_SENDRECV);
  eq(rig_media(), "REMOTE2/1 LINK1-2 PLAY1:0 PLAY2:0");
}

Test(mid, all_forms_of_hold_and_their_answers) {
  static const struct {
    uint8_t offered;
    bool zero;
    uint16_t port;
    bool held;
    uint8_t answer;
    uint16_t our_port_is;
  } rows[] = {
      {DIR_SENDRECV, false, 30000, false, DIR_SENDRECV, 1},
      {DIR_SEND, false, 30000, true, DIR_RECV, 1},
      {DIR_RECV, false, 30000, false, DIR_SEND, 1},
      {DIR_INACTIVE, false, 30000, true, DIR_INACTIVE, 1},
      {DIR_SENDRECV, true, 30000, true, DIR_RECV, 1},
      {DIR_SENDRECV, false, 0, true, DIR_SENDRECV, 0},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct desc d = rig_desc(sdp_trunk_srtp);
    d.audio.direction = rows[i].offered;
    d.audio.is_zero_addr = rows[i].zero;
    addr_set_port(&d.audio.rtp, rows[i].port);
    leg_reoffer(rig_leg('B'), 9, &d);
    rig_turn();
    cr_expect_eq(rig_leg('B')->held_local, rows[i].held, "row %zu", i);
    cr_expect_eq(rig.local.audio.direction, rows[i].answer, "row %zu", i);
    cr_expect_eq(addr_port(&rig.local.audio.rtp) != 0, rows[i].our_port_is, "row %zu", i);
  }
}

Test(mid, both_hold_and_one_resumes) {
  cr_assert(on_hold('A', true));
  reoffer('B', sdp_trunk_hold);
  cr_assert(rig_leg('A')->held_local && rig_leg('B')->held_local);
  eq(rig_log(), "B.held:1 A.operation:1: B.reoffered:9: A.held:1");
  rig_media();
  cr_assert(on_hold('A', false));
  eq(rig_media(), "PLAY1:3 PLAY1:3"); /* still not linked; A hears that it is held */
  eq(rig_log(), "B.held:0 A.operation:1:");
}

Test(mid, sendonly_by_renegotiation_is_hold_and_the_verb_cannot_resume_it) {
  reoffer('A', sdp_chromium_hold);
  eq(rig_log(), "A.reoffered:9: B.held:1");
  cr_assert_eq(rig.local.audio.direction, DIR_RECV);
  cr_assert_not(on_hold('A', true));
  cr_assert_not(on_hold('A', false));
  reoffer('A', sdp_chromium);
  eq(rig_log(), "A.reoffered:9: B.held:0");
}

Test(mid, a_renegotiation_while_held_by_the_verb_does_not_resume) {
  cr_assert(on_hold('A', true));
  rig_log();
  reoffer('A', sdp_chromium);
  eq(rig_log(), "A.reoffered:9:");
  cr_assert(rig_leg('A')->held_local);
}

Test(mid, downgrade_is_refused_and_nothing_changes) {
  struct desc was;
  desc_copy(&was, rig_leg('B')->remote);
  reoffer('B', sdp_trunk_plain);
  eq(rig_log(), "B.reoffered:9:srtp_required");
  eq(rig_media(), "");
  cr_assert(desc_eq(&was, rig_leg('B')->remote));
  reoffer('B', sdp_trunk_srtp);
  eq(rig_log(), "B.reoffered:9:");
}

Test(mid, refresh_is_byte_stable_and_keeps_the_key) {
  reoffer('B', sdp_trunk_srtp);
  struct desc first = rig.local;
  reoffer('B', sdp_trunk_srtp);
  cr_assert(desc_eq(&first, &rig.local));
}

/* A session timer's refresh says what was said, and asks nothing: not even that a hold would end. */
Test(mid, our_refresh_changes_nothing) {
  const struct desc *offer;
  struct leg *b = rig_leg('B');
  struct desc held = rig_desc(sdp_trunk_hold), was;
  reoffer('B', sdp_trunk_hold);
  desc_copy(&was, b->local);
  rig_log();
  rig_media();
  cr_assert_eq(leg_make_refresh(b, &offer).refusal, REFUSE_NONE);
  cr_assert(desc_eq(offer, &was));
  cr_assert_eq(leg_make_refresh(b, &offer).refusal, REFUSE_GLARE);
  cr_assert_eq(leg_take_answer(b, 1, &held, true).refusal, REFUSE_NONE);
  rig_turn();
  cr_assert(b->held_local, "sendonly to our recvonly: it still holds");
  eq(rig_log(), "");
  cr_assert(desc_eq(b->local, &was));
  reoffer('B', sdp_trunk_srtp);
  cr_assert_not(b->held_local);
  cr_assert_eq(b->local->version, was.version + 1);
}

/* It holds, and so does the far side: what it answers to inactive is no resume. */
Test(mid, inactive_asks_nothing) {
  rig.conf.trunks[0].hold = HOLD_INACTIVE;
  const struct desc *offer;
  struct leg *b = rig_leg('B');
  struct desc d = rig_desc(sdp_trunk_hold);
  reoffer('B', sdp_trunk_hold);
  cr_assert(on_hold('A', true));
  cr_assert_eq(leg_make_reoffer(b, &offer).refusal, REFUSE_NONE);
  cr_assert_eq(offer->audio.direction, DIR_INACTIVE);
  d.audio.direction = DIR_INACTIVE;
  cr_assert_eq(leg_take_answer(b, 1, &d, true).refusal, REFUSE_NONE);
  cr_assert(b->held_local);
  cr_assert(on_hold('A', false));
  cr_assert_eq(leg_make_reoffer(b, &offer).refusal, REFUSE_NONE);
  d.audio.direction = DIR_SENDRECV;
  cr_assert_eq(leg_take_answer(b, 1, &d, true).refusal, REFUSE_NONE);
  cr_assert_not(b->held_local);
}

/* Port 0 in an answer is a hold, and the call goes on; the keys are those of before. */
Test(mid, an_answer_with_port_0_holds) {
  const struct desc *offer;
  struct leg *b = rig_leg('B');
  struct desc d = rig_desc(sdp_trunk_answer), was;
  desc_copy(&was, b->remote);
  cr_assert_eq(leg_make_refresh(b, &offer).refusal, REFUSE_NONE);
  addr_set_port(&d.audio.rtp, 0);
  d.audio.n_crypto = 0;
  cr_assert_eq(leg_take_answer(b, 1, &d, true).refusal, REFUSE_NONE);
  rig_turn();
  cr_assert(b->held_local);
  cr_assert_eq(rig.remote[1].send, 0);
  cr_assert_eq(rig.remote[1].recv, 0);
  cr_assert_eq(memcmp(&b->remote->audio.crypto[0], &was.audio.crypto[0], sizeof(was.audio.crypto[0])),
               0);
  reoffer('B', sdp_trunk_srtp);
  cr_assert_not(b->held_local);
  cr_assert_eq(b->state, LEG_LIVE);
}

/* Port 0 in an offer is a hold whatever the line's profile is; what secured the stream still does. */
Test(mid, an_offer_with_port_0_holds_whatever_its_profile) {
  static const char *const protos[] = {"RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVP", "nonsense"};
  struct leg *b = rig_leg('B');
  for (size_t i = 0; i < COUNT_OF(protos); i++) {
    char text[DESC_TEXT_MAX_BYTES], line[64];
    size_t n;
    struct desc d = {0};
    snprintf(text, sizeof text,
             "v=0\r\no=- 5 %zu IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 0 %s 18\r\n",
             i + 5, protos[i]);
    cr_assert_eq(desc_parse(&d, slice_of(text), &(struct desc_fault){0}), 0);
    struct srtp_key key = b->remote->audio.crypto[0].key;
    leg_reoffer(b, 9, &d);
    rig_turn();
    eq(rig_log(), "B.reoffered:9: A.held:1");
    cr_assert(b->held_local);
    cr_assert_eq(rig.remote[1].send, 0);
    cr_assert_eq(memcmp(&b->remote->audio.crypto[0].key, &key, sizeof key), 0);
    cr_assert_eq(desc_write(b->local, text, sizeof text, &n), 0);
    snprintf(line, sizeof line, "m=audio 0 %s ", protos[i]);
    cr_assert_not_null(strstr(text, line), "%s", text);
    cr_assert_eq(strstr(text, "a=crypto") != NULL, i == 1, "%s", text);
    reoffer('B', sdp_trunk_plain);
    eq(rig_log(), "B.reoffered:9:srtp_required");
    cr_assert(b->held_local);
    reoffer('B', sdp_trunk_srtp);
    eq(rig_log(), "B.reoffered:9: A.held:0");
  }
}

Test(mid, held_twice_is_held_once) {
  reoffer('B', sdp_trunk_hold);
  eq(rig_log(), "B.reoffered:9: A.held:1");
  reoffer('B', sdp_trunk_hold);
  eq(rig_log(), "B.reoffered:9:");
  struct desc d = rig_desc(sdp_trunk_hold);
  d.audio.direction = DIR_INACTIVE;
  d.version++;
  leg_reoffer(rig_leg('B'), 9, &d);
  rig_turn();
  eq(rig_log(), "B.reoffered:9:");
  cr_assert_eq(rig.local.audio.direction, DIR_INACTIVE);
  d.audio.direction = DIR_SENDRECV; /* and the version stays: seen in the field */
  leg_reoffer(rig_leg('B'), 9, &d);
  rig_turn();
  eq(rig_log(), "B.reoffered:9: A.held:0");
}

Test(mid, offerless_re_invite_gets_all_even_while_held) {
  struct leg *b = rig_leg('B');
  cr_assert(on_hold('A', true));
  rig_log();
  leg_reoffer(b, 9, NULL);
  eq(rig_log(), "B.reoffered:9:");
  cr_assert_eq(rig.local.audio.direction, DIR_SENDRECV);
  cr_assert_eq(rig.local.audio.n_crypto, 4);
  cr_assert(b->offer_pending);
  struct desc d = rig_desc(sdp_trunk_answer);
  leg_reoffer(b, 10, &d);
  eq(rig_log(), "B.reoffered:10:glare");
  cr_assert_eq(leg_take_answer(b, 5, &d, true).refusal, REFUSE_NONE);
  cr_assert_not(b->offer_pending);
}

Test(mid, ice_restart_keeps_the_association) {
  reoffer('A', sdp_chromium_moved);
  eq(rig_media(), "ICE_RESTART1 REMOTE1/1");
  eq(rig_log(), "A.reoffered:9:");
  eq(rig.local.audio.ufrag, "ufnew");
  eq(rig.remote[0].ufrag, "bbbb");
  struct desc_frag f = {.ufrag = "eeee", .pwd = "eeeeeeeeeeeeeeeeeeeeeeee"};
  leg_restart_ice(rig_leg('A'), 11, &f);
  cr_assert(rig_leg('A')->offer_pending);
  rig_turn();
  eq(rig_log(), "A.reoffered:11:");
  eq(rig.remote[0].ufrag, "eeee");
}

Test(mid, two_renegotiations_at_once_are_glare) {
  struct desc d = rig_desc(sdp_chromium_moved);
  leg_reoffer(rig_leg('A'), 1, &d);
  leg_reoffer(rig_leg('A'), 2, &d);
  eq(rig_log(), "A.reoffered:2:glare");
  rig_turn();
  eq(rig_log(), "A.reoffered:1:");
}

Test(mid, a_reloaded_page_takes_the_call_up) {
  struct leg *a = rig_leg('A');
  reoffer('A', sdp_chromium_reloaded);
  eq(rig_log(), "A.reoffered:9:");
  eq(rig_media(), "OPEN3 REMOTE3/1");
  cr_assert_eq(rig.local.audio.ssrc, 1003);
  rig_state(1, MSET_ICE_LOST, MSET_DTLS_UP); /* the old page is gone */
  rig_media();
  rig_state(3, MSET_ICE_CONNECTED, MSET_DTLS_CONNECTING);
  eq(rig_media(), "");
  rig_state(3, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  eq(rig_media(), "LINK3-2 PLAY2:0 END1");
  eq(rig_log(), "B.held:1 A.restart:loss B.held:0");
  cr_assert_eq(a->media.session, rig.sessions[2]);
  cr_assert_eq(leg_fresh(a), 0);
  rig_pass(60000);
  cr_assert_eq(a->state, LEG_LIVE);
  leg_end(a, cause_make(END_COMPLETED, BY_CALLER, ""));
  rig_turn();
  cr_assert_eq(rig.record[rig.n_records - 1].caller.rx.packets, 400, "the sum of both sessions");
}

Test(mid, a_fresh_association_that_never_comes_up_leaves_the_old_one) {
  struct desc was;
  desc_copy(&was, rig_leg('A')->remote);
  reoffer('A', sdp_chromium_reloaded);
  rig_media();
  rig_pass(31000);
  eq(rig_media(), "END3");
  cr_assert_eq(rig_leg('A')->state, LEG_LIVE);
  cr_assert(desc_eq(&was, rig_leg('A')->remote));
}

Test(mid, no_port_for_a_fresh_association) {
  rig.fail_open = true;
  reoffer('A', sdp_chromium_reloaded);
  eq(rig_log(), "A.reoffered:9:no_media");
  cr_assert_not(rig_leg('A')->offer_pending);
  cr_assert_eq(rig_leg('A')->state, LEG_LIVE);
}

Test(mid, consent_lost_ends_30_s_later) {
  rig_state(1, MSET_ICE_LOST, MSET_DTLS_UP);
  eq(rig_log(), "B.held:1 A.restart:loss");
  rig_pass(29000);
  eq(rig_log(), "");
  rig_pass(1200);
  eq(rig_log(), "A.ended:media_failure:gateway B.ended:media_failure:gateway");
}

Test(mid, a_trunk_with_ice_that_is_gone_ends_too) {
  rig_state(2, MSET_ICE_CONNECTED, MSET_DTLS_NONE);
  rig_state(2, MSET_ICE_CHECKING, MSET_DTLS_NONE);
  eq(rig_log(), "");
  rig_state(2, MSET_ICE_LOST, MSET_DTLS_NONE);
  cr_assert(strstr(rig_log(), "A.held:1"));
  rig_pass(29000);
  cr_assert_eq(rig_leg('B')->state, LEG_LIVE);
  rig_pass(1200);
  eq(rig_log(), "B.ended:media_failure:gateway A.ended:media_failure:gateway");
}

Test(mid, a_trunk_restarts_its_ice) {
  struct leg *b = rig_leg('B');
  struct desc_audio *both[] = {&b->local->audio, &b->remote->audio};
  for (unsigned i = 0; i < 2; i++) {
    snprintf(both[i]->ufrag, sizeof(both[i]->ufrag), "ufrag%u", i);
    snprintf(both[i]->pwd, sizeof(both[i]->pwd), "0123456789012345678901");
    both[i]->rtcp_mux = true;
  }
  ((struct conf_trunk *)(uintptr_t)b->trunk)->ice = CONF_ICE_FULL;
  struct desc d;
  desc_copy(&d, b->remote);
  leg_reoffer(b, 9, &d);
  rig_turn();
  cr_assert_null(strstr(rig_media(), "ICE_RESTART"), "the same credentials");
  snprintf(d.audio.ufrag, sizeof(d.audio.ufrag), "another");
  d.version++;
  leg_reoffer(b, 10, &d);
  rig_turn();
  cr_assert(strstr(rig_media(), "ICE_RESTART2"));
  cr_assert_str_eq(b->local->audio.ufrag, "ufnew");
  cr_assert_str_eq(b->remote->audio.ufrag, "another");
}

Test(mid, consent_that_comes_back_goes_on) {
  rig_state(1, MSET_ICE_LOST, MSET_DTLS_UP);
  rig_pass(20000);
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_UP);
  eq(rig_log(), "B.held:1 A.restart:loss B.held:0");
  rig_pass(60000);
  cr_assert_eq(rig_leg('A')->state, LEG_LIVE);
}

Test(mid, without_an_event_stream_120_s_after_it_was_lost) {
  leg_stream_lost(rig_leg('A'), true);
  rig_pass(10000);
  rig_state(1, MSET_ICE_LOST, MSET_DTLS_UP);
  rig_log();
  rig_pass(109000);
  eq(rig_log(), "");
  rig_pass(1200);
  eq(rig_log(), "A.ended:media_failure:gateway B.ended:media_failure:gateway");
}

Test(mid, a_stream_that_opens_again_gives_30_s) {
  leg_stream_lost(rig_leg('A'), true);
  rig_state(1, MSET_ICE_LOST, MSET_DTLS_UP);
  rig_pass(100000);
  leg_stream_lost(rig_leg('A'), false);
  rig_log();
  rig_pass(29000);
  eq(rig_log(), "");
  rig_pass(1500);
  eq(rig_log(), "A.ended:media_failure:gateway B.ended:media_failure:gateway");
}

Test(mid, a_lost_stream_alone_ends_nothing) {
  leg_stream_lost(rig_leg('A'), true);
  rig_pass(300000);
  cr_assert_eq(rig_leg('A')->state, LEG_LIVE);
}

/* A peer that sends each digit both ways: told once, from the first pair on. */
Test(mid, a_digit_by_media_and_by_info_is_one) {
  rig_digit(2, '5');
  leg_got_info_digit(rig_leg('B'), '5', 120);
  rig_digit(2, '5');
  leg_got_info_digit(rig_leg('B'), '5', 120);
  leg_got_info_digit(rig_leg('B'), '6', 120);
  rig_digit(2, '6');
  eq(rig_log(), "A.digit:5:rtp A.digit:5:rtp A.digit:6:rtp");
}

Test(mid, a_digit_by_info_and_then_by_media_is_one) {
  leg_got_info_digit(rig_leg('B'), '5', 120);
  leg_got_info_digit(rig_leg('B'), '5', 120);
  rig_digit(2, '5');
  eq(rig_log(), "A.digit:5:info A.digit:5:info");
}

static struct conf_trunk by_info;
Test(mid, digits_by_info_go_by_the_door) {
  struct leg *b = rig_leg('B');
  by_info = *b->trunk;
  by_info.dtmf = DTMF_INFO;
  b->trunk = &by_info;
  cr_assert_eq(leg_send_digits(rig_leg('A'), SLICE("1,#"), 0, 0, 77).refusal, REFUSE_NONE);
  eq(rig_log(), "B.digit:1:api B.digit:#:api");
  cr_assert_null(strstr(rig_media(), "DIGITS"));
}

Test(mid, digits_both_ways) {
  rig_digit(2, '5');
  rig_digit(1, '7');
  eq(rig_log(), "A.digit:5:rtp B.digit:7:rtp");
  cr_assert_eq(leg_send_digits(rig_leg('A'), SLICE("12,#"), 0, 0, 77).refusal, REFUSE_NONE);
  rig_turn();
  eq(rig_media(), "DIGITS2:12,#");
  eq(rig_log(), "");
  rig_event(2, MSET_DIGITS_DONE);
  eq(rig_log(), "A.operation:77:");
  cr_assert_eq(leg_send_digits(rig_leg('A'), SLICE("1x"), 0, 0, 78).refusal, REFUSE_MALFORMED);
  cr_assert_eq(leg_send_digits(rig_leg('A'), SLICE(""), 0, 0, 78).refusal, REFUSE_MALFORMED);
  leg_got_info_digit(rig_leg('B'), '9', 120);
  eq(rig_log(), "A.digit:9:info");
}

Test(mid, quality_goes_to_the_app_and_loss_asks_for_opus_once_a_minute) {
  rig_quality(2, true, 0.2); /* the trunk's is for the record */
  eq(rig_log(), "");
  rig_quality(1, true, 0.04);
  eq(rig_log(), "A.quality:up:4"); /* opus corrects errors: nothing to ask for */
  rig_leg('A')->media.codec = CODEC_PCMU;
  rig_quality(1, true, 0.03);
  eq(rig_log(), "A.quality:up:3");
  rig_quality(1, true, 0.04);
  eq(rig_log(), "A.quality:up:4 A.restart:loss");
  cr_assert(leg_in(rig_leg('A'))->is_lossy);
  rig_pass(55000);
  rig_quality(1, false, 0.5);
  eq(rig_log(), "A.quality:down:50");
  rig_pass(6000);
  rig_quality(1, false, 0.5);
  eq(rig_log(), "A.quality:down:50 A.restart:loss");
}

/* RFC 3264, 7: what flows is the first of the answer, whatever the offer began with. */
Test(mid, the_codec_in_force_is_the_answer_s_first) {
  struct leg *a = rig_leg('A');
  cr_assert_eq(a->media.codec, CODEC_OPUS);
  leg_in(a)->network = NETWORK_WIRED;
  reoffer('A', sdp_chromium);
  cr_assert_eq(rig.local.audio.codecs[0].kind, CODEC_PCMU);
  cr_assert(a->media.codec == CODEC_PCMU && rig.remote[0].codecs[0].kind == CODEC_PCMU);
  leg_in(a)->is_lossy = true;
  reoffer('A', sdp_chromium);
  cr_assert(a->media.codec == CODEC_OPUS && rig.remote[0].codecs[0].kind == CODEC_OPUS);
}

Test(mid, loss_asks_nothing_of_who_cannot_opus_or_negotiates) {
  struct desc *remote = rig_leg('A')->remote;
  rig_leg('A')->offer_pending = true;
  rig_quality(1, true, 0.5);
  eq(rig_log(), "A.quality:up:50");
  rig_leg('A')->offer_pending = false;
  for (uint8_t i = 0; i < remote->audio.n_codecs; i++)
    if (remote->audio.codecs[i].kind == CODEC_OPUS)
      remote->audio.codecs[i].kind = CODEC_OTHER;
  rig_quality(1, true, 0.5);
  eq(rig_log(), "A.quality:up:50");
}

Test(mid, one_way_audio_is_told_once_each_time) {
  rig_oneway(2, true); /* silent since before the answer: that is no news yet */
  eq(rig_log(), "");
  rig_pass(3600);
  rig_oneway(2, true);
  eq(rig_log(), "A.quality:down:100");
  rig_oneway(2, true);
  rig_oneway(2, false);
  eq(rig_log(), "");
  rig_oneway(1, true);
  eq(rig_log(), "A.quality:up:100");
  rig_oneway(1, false);
  cr_assert(on_hold('A', true));
  rig_log();
  rig_oneway(2, true);
  eq(rig_log(), "");
  cr_assert(on_hold('A', false));
  rig_log();
  rig_oneway(2, true);
  eq(rig_log(), "A.quality:down:100");
  cr_assert_eq(count_get(calls_counts(rig.calls), CALLS_ONEWAY), 3);
}

Test(mid, media_events_that_end_a_call) {
  rig_event(2, MSET_TIMEOUT);
  eq(rig_log(), "B.ended:media_failure:gateway A.ended:media_failure:gateway");
}

Test(mid, a_session_that_ended_by_itself) {
  rig_event(1, MSET_ENDED);
  eq(rig_log(), "A.ended:media_failure:gateway B.ended:media_failure:gateway");
  eq(rig_media(), "END2");
}

Test(mid, failed_dtls_ends_the_call) {
  rig_state(1, MSET_ICE_CONNECTED, MSET_DTLS_FAILED);
  eq(rig_log(), "A.ended:media_failure:gateway B.ended:media_failure:gateway");
}

Test(mid, a_relay_denied_in_mid_call_reaches_the_media_process) {
  struct addr relay;
  cr_assert_eq(addr_parse(&relay, SLICE("203.0.113.9"), 3478), 0);
  leg_deny(rig_leg('A'), &relay, 1);
  leg_deny(rig_leg('A'), &relay, 1);
  rig_turn();
  cr_assert_eq(rig.remote[0].n_deny, 1);
}

Test(mid, a_relay_denied_while_a_fresh_association_comes_up_goes_to_it) {
  struct addr relay;
  cr_assert_eq(addr_parse(&relay, SLICE("203.0.113.9"), 3478), 0);
  reoffer('A', sdp_chromium_reloaded);
  rig_media();
  leg_deny(rig_leg('A'), &relay, 1);
  rig_turn();
  eq(rig_media(), "REMOTE3/1");
  cr_assert_eq(rig.remote[2].n_deny, 1);
}

/* S16: nothing of one leg's description is in the other's. */
Test(mid, no_token_of_one_leg_is_in_the_other_s_description) {
  char a[16384], b[16384];
  size_t n;
  struct leg *la = rig_leg('A'), *lb = rig_leg('B');
  cr_assert_eq(desc_write(la->local, a, sizeof(a), &n), 0);
  cr_assert_eq(desc_write(lb->local, b, sizeof(b), &n), 0);
  cr_assert(strstr(b, "RTP/SAVP") && strstr(a, "UDP/TLS/RTP/SAVPF"));
  static const char *const of_a[] = {"aaaa",   "candidate", "fingerprint", "ice-",
                                     "uf0001", "cname1",    "127.0.0.1"};
  static const char *const of_b[] = {"crypto", "inline", "192.0.2.20", "cname2", "41004"};
  for (size_t i = 0; i < COUNT_OF(of_a); i++)
    cr_expect_not(strstr(b, of_a[i]), "%s", of_a[i]);
  for (size_t i = 0; i < COUNT_OF(of_b); i++)
    cr_expect_not(strstr(a, of_b[i]), "%s", of_b[i]);
}
