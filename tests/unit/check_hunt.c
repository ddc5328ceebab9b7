/* SPDX-License-Identifier: Apache-2.0
 * Units of call/hunt: steps, outcomes, failover between trunks, groups, forwards, in virtual time. */
#include "call/hunt.h"
#include "call_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(hunt, .init = rig_start, .fini = rig_stop);
TestSuite(outcome);

#define eq(a, b) cr_assert_str_eq(a, b)

static struct route_step steps[8], forward_steps[2];

static struct route_step *step(struct route_step *s, enum route_action a, uint32_t on,
                               const char *names) {
  struct slice rest = slice_of(names);
  *s = (struct route_step){.action = a, .on = on};
  while (rest.n) {
    slice_copy(s->to[s->n].name, CONF_NAME_BYTES, slice_cut(&rest, ','));
    s->to[s->n].priority = (uint16_t)(s->n + 1); /* in the order of the list */
    s->to[s->n++].weight = 1;
  }
  return s;
}

static void plan(uint32_t n) {
  rig.route = (struct route_decision){
      .action = steps[0].action, .called = "+15550100", .rule = "r", .steps = steps, .n_steps = n};
  memcpy(rig.route.user, steps[0].to[0].name, CONF_NAME_BYTES);
  memcpy(rig.route.trunk, steps[0].to[0].name, CONF_NAME_BYTES);
}

static void fails(char name, int sip, enum end_by by) {
  struct leg *l = rig_leg(name);
  struct call *c = l->call;
  struct cause why = cause_of_sip(sip, 0, by);
  if (by == BY_GATEWAY)
    why.reason = sip == 408 ? END_TIMEOUT : END_TRUNK_FAILURE;
  leg_end(l, why);
  call_target_done(c, why); /* as the trunk's door does: it must not hit the next attempt */
  rig_turn();
}

static const struct record *last(void) {
  return &rig.record[(rig.n_records - 1) % COUNT_OF(rig.record)];
}

static void three_trunks(void) {
  step(&steps[0], ROUTE_TRUNK, OUTCOME_UNREACHABLE, "demo,lab,spare");
  plan(1);
  rig_place_native(sdp_chromium);
}

Test(hunt, the_next_trunk_after_a_failover_code) {
  three_trunks();
  eq(rig_log(), "A.opened ring:demo B.opened");
  cr_assert(rig.live == 1 && rig.noted == 1);
  fails('B', 503, BY_CALLEE);
  eq(rig_log(), "B.ended:congestion:callee ring_stop ring:lab C.opened");
  cr_assert(rig.live == 1 && rig.noted == 1, "one at a time: %u %u", rig.live, rig.noted);
  fails('C', 408, BY_GATEWAY);
  eq(rig_log(), "C.ended:timeout:gateway ring_stop ring:spare D.opened");
  fails('D', 502, BY_GATEWAY);
  eq(rig_log(), "D.ended:trunk_failure:gateway A.ended:trunk_failure:gateway ring_stop");
  cr_assert(rig.live == 0 && rig.noted == 0);
  const char *attempts = last()->attempts;
  cr_assert(strstr(attempts, "[{\"trunk\":\"demo\",\"began_ms\":") == attempts, "%s", attempts);
  cr_assert(strstr(attempts, "\"reason\":\"congestion\",\"sip\":503},{\"trunk\":\"lab\""), "%s",
            attempts);
  cr_assert_eq(attempts[strlen(attempts) - 1], ']');
}

Test(hunt, never_after_a_final_no) {
  static const int finals[] = {404, 486, 600, 603, 500, 403, 480};
  for (size_t i = 0; i < COUNT_OF(finals); i++) {
    rig.next_letter = 'B';
    three_trunks();
    rig_log();
    fails('B', finals[i], BY_CALLEE);
    cr_assert(!strstr(rig_log(), "ring:"), "%d", finals[i]);
    cr_assert_eq(last()->sip_status, finals[i]);
    cr_assert_eq(rig.live, 0);
  }
}

Test(hunt, never_after_progress) {
  three_trunks();
  leg_ringing(rig_leg('B'));
  rig_log();
  fails('B', 503, BY_CALLEE);
  eq(rig_log(), "B.ended:congestion:callee A.ended:congestion:callee ring_stop");
}

Test(hunt, silence_is_no_answer_of_the_trunk) {
  three_trunks();
  rig_log();
  rig_pass(60100);
  eq(rig_log(), "B.ended:no_answer:gateway ring_stop ring:lab C.opened");
  leg_ringing(rig_leg('C'));
  rig_log();
  rig_pass(60100);
  eq(rig_log(), "C.ended:no_answer:gateway ring_stop A.ended:no_answer:gateway");
}

Test(hunt, demoted_last_draining_not_at_all_full_passed_over) {
  rig.ranks[0] = 1;
  rig.ranks[1] = -EAGAIN;
  three_trunks();
  eq(rig_log(), "A.opened ring:spare B.opened");
  fails('B', 503, BY_CALLEE);
  eq(rig_log(), "B.ended:congestion:callee ring_stop ring:demo C.opened");
  fails('C', 503, BY_CALLEE);
  rig_log();
  rig.ranks[0] = rig.ranks[1] = 0;
  rig.full = "demo";
  three_trunks();
  eq(rig_log(), "A.opened ring:lab D.opened");
}

Test(hunt, nothing_to_try_is_refused_before_anything_is_made) {
  rig.ranks[0] = rig.ranks[1] = rig.ranks[2] = -EAGAIN;
  step(&steps[0], ROUTE_TRUNK, OUTCOME_UNREACHABLE, "demo,lab,spare");
  plan(1);
  cr_assert_null(rig_place_native(sdp_chromium));
  cr_assert_eq(rig.verdict.refusal, REFUSE_TRUNK_DISABLED);
  *step(&steps[1], ROUTE_REFUSE, 0, "") = (struct route_step){.action = ROUTE_REFUSE, .sip = 503};
  plan(2);
  cr_assert_null(rig_place_native(sdp_chromium));
  cr_assert(rig.verdict.refusal == REFUSE_TRUNK_DOWN && rig.verdict.sip == 503);
  step(&steps[1], ROUTE_USER, 0, "bob");
  plan(2);
  cr_assert(rig_place_native(sdp_chromium), "the next step takes it");
  eq(rig_log(), "A.opened ring:bob B.opened");
  cr_assert_eq(rig.live, 0);
}

Test(hunt, the_winner_is_counted_until_the_end) {
  three_trunks();
  fails('B', 503, BY_CALLEE);
  struct desc d = rig_desc(sdp_trunk_plain);
  struct verdict v = leg_take_answer(rig_leg('C'), 1, &d, true);
  cr_assert(verdict_is_pass(&v), "%s", v.detail);
  leg_answered(rig_leg('C'));
  rig_turn();
  rig_log();
  cr_assert(rig.live == 1 && rig.noted == 1);
  rig_pass(5000);
  eq(rig_log(), "");
  leg_end(rig_leg('C'), cause_make(END_COMPLETED, BY_CALLEE, ""));
  rig_turn();
  cr_assert(rig.live == 0 && rig.noted == 0);
}

Test(hunt, busy_no_answer_and_unreachable_go_on_as_the_plan_says) {
  static const struct {
    uint32_t on;
    enum end_reason reason;
    bool goes_on;
  } rows[] = {
      {OUTCOME_BUSY, END_BUSY, true},
      {OUTCOME_NO_ANSWER, END_BUSY, false},
      {OUTCOME_NO_ANSWER, END_NO_ANSWER, true},
      {OUTCOME_UNREACHABLE, END_UNREACHABLE, true},
      {OUTCOME_UNREACHABLE, END_DECLINED, false},
      {OUTCOME_DECLINED, END_DECLINED, true},
      {OUTCOME_ALWAYS, END_DECLINED, true},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    step(&steps[0], ROUTE_USER, rows[i].on, "bob");
    step(&steps[1], ROUTE_USER, 0, "cleo");
    plan(2);
    rig.next_letter = 'B';
    struct leg *a = rig_place_trunk(sdp_trunk_srtp);
    struct call *c = a->call;
    rig_log();
    leg_end(rig_leg('B'), cause_make(rows[i].reason, BY_CALLEE, ""));
    call_user_done(c, "bob", cause_make(rows[i].reason, BY_CALLEE, ""));
    rig_turn();
    cr_assert((strstr(rig_log(), "ring:cleo") != NULL) == rows[i].goes_on, "row %zu", i);
    if (rows[i].goes_on)
      leg_end(rig_leg('A'), cause_make(END_COMPLETED, BY_CALLER, ""));
    rig_turn();
  }
}

Test(hunt, a_step_s_own_time) {
  step(&steps[0], ROUTE_USER, OUTCOME_NO_ANSWER, "bob")->timeout_s = 10;
  step(&steps[1], ROUTE_USER, 0, "cleo");
  plan(2);
  rig_place_trunk(sdp_trunk_srtp);
  leg_ringing(rig_leg('B'));
  rig_log();
  rig_pass(9900);
  eq(rig_log(), "");
  rig_pass(300);
  eq(rig_log(), "B.ended:no_answer:gateway ring_stop ring:cleo C.opened");
  rig_pass(59000);
  eq(rig_log(), "");
  rig_pass(1500);
  eq(rig_log(), "C.ended:no_answer:gateway ring_stop A.ended:no_answer:gateway");
}

Test(hunt, a_group_rings_at_once_and_the_surest_word_is_told) {
  step(&steps[0], ROUTE_USER, 0, "bob,cleo,dave");
  plan(1);
  struct call *c = rig_place_trunk(sdp_trunk_srtp)->call;
  eq(rig_log(), "A.opened ring:bob ring:cleo ring:dave B.opened C.opened D.opened");
  leg_end(rig_leg('C'), cause_make(END_BUSY, BY_CALLEE, ""));
  call_user_done(c, "cleo", cause_make(END_BUSY, BY_CALLEE, ""));
  leg_end(rig_leg('B'), cause_make(END_DECLINED, BY_CALLEE, ""));
  rig_turn();
  eq(rig_log(), "C.ended:busy:callee B.ended:declined:callee");
  call_user_done(c, "bob", cause_make(END_DECLINED, BY_CALLEE, "")); /* told twice: nothing */
  call_user_done(c, "dave", cause_make(END_UNREACHABLE, BY_GATEWAY, ""));
  rig_turn();
  eq(rig_log(), "D.ended:unreachable:gateway A.ended:busy:callee ring_stop");
}

Test(hunt, a_group_in_turn_each_with_its_time) {
  step(&steps[0], ROUTE_USER, OUTCOME_ALWAYS, "bob,nobody,cleo")->timeout_s = 10;
  steps[0].in_turn = true;
  step(&steps[1], ROUTE_USER, 0, "dave");
  plan(2);
  rig_place_trunk(sdp_trunk_srtp);
  eq(rig_log(), "A.opened ring:bob B.opened");
  rig_pass(10200);
  eq(rig_log(), "B.ended:no_answer:gateway ring_stop ring:cleo C.opened");
  rig_pass(10200);
  eq(rig_log(), "C.ended:no_answer:gateway ring_stop ring:dave D.opened");
}

Test(hunt, one_more_every_few_seconds_while_the_first_goes_on) {
  step(&steps[0], ROUTE_USER, 0, "bob,cleo,dave")->timeout_s = 20;
  steps[0].next_after_s = 5;
  plan(1);
  struct call *c = rig_place_trunk(sdp_trunk_srtp)->call;
  eq(rig_log(), "A.opened ring:bob B.opened");
  rig_pass(5100);
  eq(rig_log(), "ring:cleo C.opened");
  leg_end(rig_leg('B'), cause_make(END_BUSY, BY_CALLEE, ""));
  call_user_done(c, "bob", cause_make(END_BUSY, BY_CALLEE, ""));
  rig_pass(5100);
  eq(rig_log(), "B.ended:busy:callee ring:dave D.opened");
  cr_assert(rig_leg('C') && rig_leg('D'));
  rig_pass(10000);
  eq(rig_log(), "C.ended:no_answer:gateway D.ended:no_answer:gateway ring_stop A.ended:busy:callee");
}

static void forward_to(const char *number, enum route_outcome on) {
  step(&steps[0], ROUTE_USER, on, "bob");
  step(&steps[1], ROUTE_FORWARD, 0, "");
  slice_copy(steps[1].number, sizeof(steps[1].number), slice_of(number));
  plan(2);
  step(&forward_steps[0], ROUTE_TRUNK, OUTCOME_UNREACHABLE, "demo");
  rig.forward = (struct route_decision){.action = ROUTE_TRUNK,
                                        .trunk = "demo",
                                        .called = "+15550177",
                                        .rule = "f",
                                        .steps = forward_steps,
                                        .n_steps = 1};
}

Test(hunt, a_forward_tells_the_caller_and_notes_who_diverted) {
  forward_to("+15550177", OUTCOME_BUSY);
  struct call *c = rig_place_trunk(sdp_trunk_srtp)->call;
  eq(c->to, "+15550100");
  rig_log();
  leg_end(rig_leg('B'), cause_make(END_BUSY, BY_CALLEE, ""));
  call_user_done(c, "bob", cause_make(END_BUSY, BY_CALLEE, ""));
  rig_turn();
  eq(rig_log(), "B.ended:busy:callee ring_stop A.forwarded ring:demo C.opened");
  eq(c->to, "+15550177");
  cr_assert(c->history.n == 1 && c->history.entry[0].cause == 486);
  eq(c->history.entry[0].number, "+15550100");
  cr_assert_eq(rig.live, 2, "the caller's trunk and the forward's");
  fails('C', 503, BY_CALLEE);
  eq(rig_log(), "C.ended:congestion:callee A.ended:congestion:callee ring_stop");
  cr_assert_eq(rig.live, 0);
}

Test(hunt, a_forward_to_where_it_was_is_a_loop) {
  forward_to("+15550100", OUTCOME_BUSY);
  struct call *c = rig_place_trunk(sdp_trunk_srtp)->call;
  rig_log();
  leg_end(rig_leg('B'), cause_make(END_BUSY, BY_CALLEE, ""));
  call_user_done(c, "bob", cause_make(END_BUSY, BY_CALLEE, ""));
  rig_turn();
  eq(rig_log(), "B.ended:busy:callee ring_stop A.ended:policy:gateway");
  eq(last()->rule, "loop");
}

Test(hunt, forwards_end_after_three) {
  forward_to("+15550170", OUTCOME_ALWAYS);
  struct call *c = rig_place_trunk(sdp_trunk_srtp)->call;
  for (int i = 0; i < 3; i++) {
    char number[20];
    snprintf(number, sizeof(number), "+1555017%d", i);
    snprintf(rig.forward.called, sizeof(rig.forward.called), "%s", number);
    struct verdict v = call_forward(c, slice_of(number), 302);
    cr_assert(verdict_is_pass(&v), "%d: %s", i, v.detail);
    rig_turn();
  }
  rig_log();
  struct verdict v = call_forward(c, SLICE("+15550199"), 302);
  cr_assert_eq(v.refusal, REFUSE_LOOP);
  rig_turn();
  eq(rig_log(), "");
  cr_assert(rig_leg('E') && !rig_leg('D'), "the third is still tried");
  cr_assert_eq(c->history.n, 3);
  leg_end(rig_leg('A'), cause_make(END_COMPLETED, BY_CALLER, ""));
  rig_turn();
  cr_assert_eq(rig.live, 0);
}

static void redirects(void) {
  step(&steps[0], ROUTE_TRUNK, 0, "demo");
  plan(1);
  step(&forward_steps[0], ROUTE_TRUNK, 0, "demo");
  rig.forward = (struct route_decision){
      .action = ROUTE_TRUNK, .trunk = "demo", .rule = "f", .steps = forward_steps, .n_steps = 1};
}

Test(hunt, a_redirect_names_several_and_they_are_tried_in_turn) {
  redirects();
  struct call *c = rig_place_native(sdp_chromium)->call;
  rig_log();
  struct redirect r = {
      .n = 3, .status = 302, .to = {{.name = "+15550111"}, {.name = "bob", .is_user = true}}};
  snprintf(r.to[2].name, sizeof(r.to[2].name), "+15550112");
  struct verdict v = call_redirect(c, &r);
  cr_assert(verdict_is_pass(&v), "%s", v.detail);
  rig_turn();
  eq(rig_log(), "B.ended:transferred:callee ring_stop A.forwarded ring:demo C.opened");
  fails('C', 486, BY_CALLEE);
  eq(rig_log(), "C.ended:busy:callee ring_stop ring:bob D.opened");
  fails('D', 480, BY_CALLEE);
  cr_assert(strstr(rig_log(), "A.forwarded ring:demo E.opened"), "the third");
  fails('E', 603, BY_CALLEE);
  cr_assert(!rig_leg('A'));
  cr_assert_eq(rig.live, 0);
}

Test(hunt, a_redirect_to_its_own_trunk_and_a_deflection_by_302) {
  redirects();
  struct call *c = rig_place_trunk(sdp_trunk_srtp)->call;
  rig_log();
  struct redirect r = {
      .n = 1, .status = 302, .trunk = &rig.conf.trunks[1], .to = {{.name = "+15550111"}}};
  struct verdict v = call_redirect(c, &r);
  cr_assert(verdict_is_pass(&v), "%s", v.detail);
  rig_turn();
  eq(rig_log(), "B.ended:transferred:callee ring_stop A.forwarded ring:lab C.opened");
  eq(c->to, "+15550111");
  cr_assert_eq(rig.live, 2);
  rig.conf.trunks[0].redirect = REDIRECT_302;
  r.trunk = NULL;
  v = call_deflect(c, &r);
  cr_assert(verdict_is_pass(&v), "%s", v.detail);
  cr_assert(c->redirect && c->redirect->n == 1);
  v = call_redirect(c, &r);
  cr_assert_eq(v.refusal, REFUSE_STATE);
  rig_turn(); /* the call is gone after it */
  cr_assert(strstr(rig_log(), "A.ended:transferred:callee"));
  cr_assert_eq(rig.live, 0);
}

Test(hunt, sixteen_attempts_and_no_more) {
  step(&steps[0], ROUTE_TRUNK, OUTCOME_ALWAYS, "demo,lab,spare,demo,lab,spare,demo,lab");
  steps[1] = steps[2] = steps[0];
  plan(3);
  rig_place_native(sdp_chromium);
  for (char name = 'B'; name < 'B' + 16; name++) {
    cr_assert(rig_leg(name), "%c", name);
    fails(name, 503, BY_CALLEE);
  }
  cr_assert(!rig_leg('A') && !rig_leg('B' + 16));
  cr_assert_eq(rig.live, 0);
}

Test(hunt, announcement_before_a_refusal) {
  char path[64];
  snprintf(path, sizeof(path), "/tmp/sallyport-hunt-%d.wav", (int)getpid());
  fclose(fopen(path, "w"));
  step(&steps[0], ROUTE_USER, OUTCOME_ALWAYS, "bob");
  step(&steps[1], ROUTE_ANNOUNCE, 0, "")->sip = 486;
  slice_copy(steps[1].file, sizeof(steps[1].file), slice_of(path));
  plan(2);
  struct call *c = rig_place_trunk(sdp_trunk_srtp)->call;
  rig_log();
  leg_end(rig_leg('B'), cause_make(END_BUSY, BY_CALLEE, ""));
  call_user_done(c, "bob", cause_make(END_BUSY, BY_CALLEE, ""));
  rig_media();
  rig_turn();
  eq(rig_log(), "B.ended:busy:callee ring_stop A.progress");
  rig_pass(300);
  cr_assert(strstr(rig_media(), "PLAY1:"));
  rig_played(1, 0);
  eq(rig_log(), "A.ended:busy:gateway");
  cr_assert_eq(last()->sip_status, 486);
  unlink(path);
}

Test(outcome, of_what_a_peer_says) {
  static const struct {
    int sip, q850;
    enum end_by by;
    enum route_outcome want;
  } rows[] = {
      {486, 17, BY_CALLEE, OUTCOME_BUSY},        {600, 0, BY_CALLEE, OUTCOME_BUSY},
      {480, 0, BY_CALLEE, OUTCOME_NO_ANSWER},    {480, 19, BY_CALLEE, OUTCOME_NO_ANSWER},
      {480, 20, BY_CALLEE, OUTCOME_UNREACHABLE}, {408, 0, BY_CALLEE, OUTCOME_NO_ANSWER},
      {603, 0, BY_CALLEE, OUTCOME_DECLINED},     {607, 0, BY_CALLEE, OUTCOME_DECLINED},
      {404, 1, BY_CALLEE, OUTCOME_NOT_FOUND},    {604, 0, BY_CALLEE, OUTCOME_NOT_FOUND},
      {503, 0, BY_CALLEE, OUTCOME_UNREACHABLE},  {503, 17, BY_CALLEE, OUTCOME_BUSY},
      {403, 0, BY_CALLEE, OUTCOME_FAILED},       {488, 0, BY_CALLEE, OUTCOME_FAILED},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct cause c = cause_of_sip(rows[i].sip, rows[i].q850, rows[i].by);
    cr_assert_eq(outcome_of(&c), rows[i].want, "row %zu: %d", i, outcome_of(&c));
  }
}

static struct leg *place_unverified(void) {
  step(&steps[0], ROUTE_USER, 0, "bob");
  plan(1);
  struct call *c = rig_place_trunk(sdp_trunk_srtp)->call;
  rig_log();
  return c->caller;
}

Test(hunt, the_plan_is_asked_again_when_the_signature_was_looked_at) {
  rig.verifies = true;
  step(&forward_steps[0], ROUTE_USER, 0, "cleo");
  rig.verified = (struct route_decision){
      .action = ROUTE_USER, .user = "cleo", .rule = "good", .steps = forward_steps, .n_steps = 1};
  struct verdict pass = {0};
  struct leg *a = place_unverified();
  eq(rig_log(), "");
  leg_verified(a, "A", &pass);
  rig_turn();
  eq(rig_log(), "ring:cleo B.opened");
  eq(a->call->rule, "good");
  leg_end(a, cause_make(END_COMPLETED, BY_CALLER, ""));
  rig_turn();
  rig.verified = (struct route_decision){.action = ROUTE_REFUSE, .sip = 438, .rule = "forged"};
  a = place_unverified();
  leg_verified(a, "invalid", &pass);
  rig_turn();
  cr_assert_eq(last()->sip_status, 438);
  cr_assert_eq(rig.live, 0);
}
