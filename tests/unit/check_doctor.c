/* SPDX-License-Identifier: Apache-2.0
 * Trunk Doctor in virtual time: a trunk door and test legs of the test's own, which answer as the test
 * says; the judgements on certificates as plain values. */
#include "doctor/report.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { WAITING_MAX = 16, TURN_MS = 20 };

/* The peer: what it answers, and what waits to be told. */
static struct {
  struct probe_user user;
  struct testleg_user legs;
  pool_handle line;
  uint32_t n_open, n_legs, n_invites, n_asks;
  bool is_up, is_silent, holds_badly, is_mute, refuses_opus, is_slow, leg_waits;
  uint32_t packets;
  uint64_t now_us;
  struct {
    enum probe_method method;
    int status;
    bool has_desc;
    uint8_t direction;
  } waiting[WAITING_MAX];
  uint64_t version;
  bool ignores_hold, is_stale, updates_bare, is_deaf;
  uint32_t n_waiting;
  bool offered_opus, is_late; /* is_late: the last INVITE had no offer. */
} peer;

static struct conf the_conf;
struct testleg {
  int unused;
};
static struct testleg the_leg;

static void describe(struct desc *d) {
  memset(d, 0, sizeof *d);
  d->has_audio = true;
  d->audio.direction = DIR_SENDRECV;
  d->audio.ptime_ms = 20;
  cr_assert_eq(addr_parse(&d->audio.rtp, SLICE("192.0.2.7"), 4000), 0);
  d->audio.n_codecs = 2;
  d->audio.codecs[0] = (struct desc_codec){.kind = CODEC_PCMU, .clock_hz = 8000, .name = "PCMU"};
  d->audio.codecs[1] =
      (struct desc_codec){.pt = 101, .kind = CODEC_TELEV, .clock_hz = 8000, .name = "telephone-event"};
}

static void wait_add(enum probe_method m, int status, bool has_desc) {
  cr_assert_lt(peer.n_waiting, WAITING_MAX);
  peer.waiting[peer.n_waiting].method = m;
  peer.waiting[peer.n_waiting].status = status;
  peer.waiting[peer.n_waiting].direction = DIR_SENDRECV;
  peer.waiting[peer.n_waiting++].has_desc = has_desc;
}

/* The answer to that offer. */
static void answer_add(enum probe_method m, const struct desc *offer, int status) {
  uint8_t d = offer ? offer->audio.direction : DIR_SENDRECV;
  wait_add(m, status, offer || m == PROBE_INVITE);
  if (!peer.ignores_hold)
    peer.waiting[peer.n_waiting - 1].direction = d == DIR_SEND ? DIR_RECV : d == DIR_RECV ? DIR_SEND : d;
}

/* The door --------------------------------------------------------------------------------------- */

static uint32_t fake_targets(void *arg, const struct conf_trunk *t, struct probe_target *ret, uint32_t max) {
  (void)arg, (void)t, (void)max;
  memset(ret, 0, sizeof *ret);
  return addr_parse(&ret->addr, SLICE("192.0.2.7"), 5060) == 0;
}
static bool fake_heard(void *arg, const struct conf_trunk *t, struct probe_heard *ret) {
  (void)arg, (void)t;
  memset(ret, 0, sizeof *ret);
  return true;
}
static int fake_open(void *arg, const struct conf_trunk *t, const struct probe_user *user, pool_handle *ret) {
  (void)arg, (void)t;
  peer.user = *user;
  *ret = ++peer.line;
  peer.n_open++;
  peer.is_up = false;
  return 0;
}

static void invite(const struct probe_ask *a) {
  peer.n_invites++;
  peer.is_late = !a->offer;
  bool is_unknown = a->called && strstr(a->called, "404"), is_hold = a->offer && a->offer->audio.direction == DIR_SEND;
  if (peer.is_silent)
    return;
  if (peer.is_up) {
    if (!peer.is_deaf)
      answer_add(PROBE_INVITE, a->offer, peer.holds_badly && is_hold ? 488 : 200);
    return;
  }
  wait_add(PROBE_INVITE, 100, false);
  wait_add(PROBE_INVITE, 180, false);
  if (a->rel_required)
    wait_add(PROBE_PRACK, 200, false);
  wait_add(PROBE_INVITE, is_unknown ? 404 : peer.offered_opus && peer.refuses_opus ? 488 : a->expires_s < 90 ? 422 : 200,
           true);
}

static int fake_ask(void *arg, pool_handle line, const struct probe_ask *a) {
  (void)arg;
  cr_assert_eq(line, peer.line, "a request on a line that is gone");
  peer.n_asks++;
  if (a->method == PROBE_INVITE)
    invite(a);
  else if (a->method == PROBE_CANCEL) {
    peer.n_waiting = 0;
    wait_add(PROBE_INVITE, 487, false);
  } else if (peer.is_deaf && peer.is_up)
    return 0;
  else if (a->method == PROBE_UPDATE && !peer.updates_bare)
    answer_add(PROBE_UPDATE, a->offer, 200);
  else
    wait_add(a->method, a->method == PROBE_STRANGE ? 501 : 200, false);
  return 0;
}
static void fake_close(void *arg, pool_handle line) {
  (void)arg;
  cr_assert_eq(line, peer.line);
  peer.n_open--;
  peer.n_waiting = 0;
}
static const struct door_probe fake_probe = {
    .targets = fake_targets, .heard = fake_heard, .open = fake_open, .ask = fake_ask, .close = fake_close};
const struct door_probe *calls_probe(struct calls *cs, void **ret_arg) {
  (void)cs;
  *ret_arg = NULL;
  return &fake_probe;
}

/* Test legs --------------------------------------------------------------------------------------- */

int testleg_new(struct testleg **ret, struct calls *cs, const struct conf_trunk *t,
                const struct testleg_user *user) {
  (void)cs;
  peer.legs = *user;
  peer.leg_waits = true;
  peer.n_legs++;
  peer.packets = 0;
  peer.offered_opus = t->codecs.n == 1 && !strcmp(t->codecs.text[0], "opus");
  *ret = &the_leg;
  return 0;
}
struct testleg *testleg_free(struct testleg *l) {
  peer.n_legs -= l != NULL;
  return NULL;
}
struct verdict testleg_offer(struct testleg *l, const struct conf_trunk *t, uint8_t direction,
                             struct desc *ret) {
  (void)l, (void)t;
  describe(ret);
  ret->audio.direction = direction;
  return verdict_pass();
}
struct verdict testleg_take(struct testleg *l, const struct conf_trunk *t, const struct desc *ours,
                            const struct desc *theirs, bool is_final) {
  (void)l, (void)t, (void)ours, (void)theirs, (void)is_final;
  return verdict_pass();
}
struct verdict testleg_answer(struct testleg *l, const struct conf_trunk *t, const struct desc *offer,
                              struct desc *ret) {
  (void)l, (void)t, (void)offer;
  describe(ret);
  return verdict_pass();
}
int testleg_tone(struct testleg *l, bool on) {
  (void)l, (void)on;
  return 0;
}
int testleg_digits(struct testleg *l, struct slice digits) {
  (void)l;
  for (size_t i = 0; i < digits.n; i++)
    peer.legs.digit(peer.legs.arg, digits.p[i], 100);
  return 0;
}
bool testleg_facts(const struct testleg *l, struct mset_facts *ret) {
  if (!l)
    return false;
  *ret = (struct mset_facts){.rtcp_rx = 3, .rtt_us = 20000, .mos_rx_centi = 420};
  ret->rx.packets = peer.is_mute ? 0 : peer.packets;
  return true;
}

/* Driving ----------------------------------------------------------------------------------------- */

static void deliver(void) {
  struct desc d, answer;
  if (peer.leg_waits) {
    peer.leg_waits = false;
    peer.legs.opened(peer.legs.arg, true);
  }
  if (!peer.n_waiting || (peer.is_slow && (peer.now_us / 1000) % 7900 >= TURN_MS))
    return;
  struct probe_word w = {.method = peer.waiting[0].method, .status = peer.waiting[0].status, .ms = 20};
  w.phrase = "<script>";
  w.agent = "Peer <b>";
  w.allow = "INVITE, ACK, BYE, CANCEL, UPDATE";
  w.contact = "192.0.2.7";
  w.has_tag = true;
  w.min_s = w.status == 422 ? 90 : 0;
  describe(&d);
  d.audio.direction = peer.waiting[0].direction;
  d.version = peer.is_stale ? 1 : ++peer.version;
  w.desc = peer.waiting[0].has_desc && w.status < 300 ? &d : NULL;
  memmove(peer.waiting, peer.waiting + 1, sizeof peer.waiting - sizeof peer.waiting[0]);
  peer.n_waiting--;
  w.has_100rel = w.status == 180 && peer.n_waiting && peer.waiting[0].method == PROBE_PRACK;
  if (w.method == PROBE_INVITE && w.status == 200)
    peer.is_up = true;
  if (peer.is_late && w.desc && peer.is_up)
    cr_assert(peer.user.offered(peer.user.arg, peer.line, &d, &answer));
  peer.user.word(peer.user.arg, peer.line, &w);
}

static struct run *begin(void) {
  struct run *r = NULL;
  memset(&peer, 0, sizeof peer);
  memset(&the_conf, 0, sizeof the_conf);
  the_conf.n_trunks = 1;
  struct conf_trunk *t = &the_conf.trunks[0];
  snprintf(t->name, sizeof t->name, "lab");
  snprintf(t->doctor.number, sizeof t->doctor.number, "+15550199100");
  snprintf(t->doctor.unknown, sizeof t->doctor.unknown, "+15550199404");
  t->doctor.echo = true;
  t->srtp = SRTP_OFF;
  t->prack = PRACK_SUPPORTED;
  t->codecs.n = 2;
  snprintf(t->codecs.text[0], sizeof t->codecs.text[0], "opus");
  snprintf(t->codecs.text[1], sizeof t->codecs.text[1], "PCMU");
  peer.now_us = 1000000;
  cr_assert_eq(run_new(&r, NULL, &the_conf, SLICE("lab"), peer.now_us, 1700000000000), 0);
  return r;
}

/* Until it is over, or so many seconds have passed. */
static void drive(struct run *r, uint32_t seconds) {
  uint64_t end = peer.now_us + seconds * UINT64_C(1000000);
  while (r->state == RUN_RUNNING && peer.now_us < end) {
    peer.now_us += TURN_MS * 1000;
    peer.packets++;
    deliver();
    run_tick(r, peer.now_us, 1700000000000 + peer.now_us / 1000);
  }
}

static uint32_t count(const struct run *r, enum finding_result result, char *names, size_t bytes) {
  uint32_t n = 0;
  names[0] = 0;
  for (int i = 0; i < CHECK_COUNT_; i++)
    if (r->findings[i].result == result) {
      size_t at = strlen(names);
      snprintf(names + at, bytes - at, " %s", check_rows[i].id);
      n++;
    }
  return n;
}

static void end(struct run *r) {
  cr_assert_eq(peer.n_open, 0, "a line is left open");
  cr_assert_eq(peer.n_legs, 0, "a test leg is left");
  run_free(r);
}

Test(doctor, rows_have_ids_and_words) {
  cr_assert_geq(CHECK_COUNT_, 30);
  for (int i = 0; i < CHECK_COUNT_; i++) {
    cr_assert(check_rows[i].judge && check_rows[i].title[0] && check_rows[i].rfc[0] && check_rows[i].proves[0]);
    cr_assert_lt(check_rows[i].act, ACT_COUNT_);
    for (int k = 0; k < i; k++)
      cr_assert_str_neq(check_rows[i].id, check_rows[k].id);
  }
}

Test(doctor, a_good_trunk_has_no_failure) {
  struct run *r = begin();
  char names[2048];
  drive(r, 300);
  cr_assert_eq(r->state, RUN_DONE);
  cr_assert_eq(count(r, FINDING_FAILED, names, sizeof names), 0, "failed:%s", names);
  cr_assert_eq(count(r, FINDING_RUNNING, names, sizeof names), 0, "not judged:%s", names);
  cr_assert_geq(count(r, FINDING_PASSED, names, sizeof names), 30, "passed:%s", names);
  cr_assert_leq(r->n_calls, RUN_CALLS_MAX);
  json_t *diff = NULL, *patch = profile_patch(r, &diff);
  cr_assert_eq(json_object_size(patch), 0);
  cr_assert_str_eq(json_string_value(diff), "");
  json_decref(diff);
  json_decref(patch);
  end(r);
}

Test(doctor, a_refused_hold_is_found_and_another_form_proposed) {
  struct run *r = begin();
  char names[2048];
  peer.holds_badly = true;
  drive(r, 300);
  cr_assert_eq(count(r, FINDING_FAILED, names, sizeof names), 1, "failed:%s", names);
  cr_assert_str_eq(names, " hold_sendonly");
  json_t *diff = NULL, *patch = profile_patch(r, &diff);
  cr_assert_str_eq(json_string_value(json_object_get(patch, "hold")), "inactive");
  cr_assert(strstr(json_string_value(diff), "-    hold: tone\n+    hold: inactive\n"));
  json_decref(diff);
  json_decref(patch);
  end(r);
}

Test(doctor, a_codec_that_is_refused_leaves_the_list) {
  struct run *r = begin();
  char names[2048];
  peer.refuses_opus = true;
  drive(r, 300);
  cr_assert_eq(count(r, FINDING_FAILED, names, sizeof names), 0, "failed:%s", names);
  cr_assert_eq(r->findings[CHECK_codec_opus].result, FINDING_NOT_OFFERED);
  json_t *diff = NULL, *patch = profile_patch(r, &diff), *codecs = json_object_get(patch, "codecs");
  cr_assert_eq(json_array_size(codecs), 1);
  cr_assert_str_eq(json_string_value(json_array_get(codecs, 0)), "PCMU");
  json_decref(diff);
  json_decref(patch);
  end(r);
}

Test(doctor, no_sound_is_one_failure) {
  struct run *r = begin();
  char names[2048];
  peer.is_mute = true;
  drive(r, 300);
  cr_assert_eq(count(r, FINDING_FAILED, names, sizeof names), 1, "failed:%s", names);
  cr_assert_str_eq(names, " rtp_in");
  end(r);
}

Test(doctor, a_silent_number_ends_the_run_early) {
  struct run *r = begin();
  char names[2048];
  peer.is_silent = true;
  drive(r, 300);
  cr_assert_eq(r->state, RUN_DONE);
  cr_assert_eq(peer.n_invites, 1);
  cr_assert_eq(count(r, FINDING_FAILED, names, sizeof names), 1, "failed:%s", names);
  cr_assert_str_eq(names, " answered");
  end(r);
}

Test(doctor, without_a_number_nothing_is_called) {
  struct run *r = begin();
  r->trunk.doctor.number[0] = 0;
  drive(r, 300);
  cr_assert_eq(r->state, RUN_DONE);
  cr_assert_eq(peer.n_invites, 0);
  cr_assert_eq(r->findings[CHECK_options_out].result, FINDING_PASSED);
  cr_assert_eq(r->findings[CHECK_answered].result, FINDING_SKIPPED);
  cr_assert(strstr(r->findings[CHECK_answered].advice, "doctor.number"));
  end(r);
}

Test(doctor, a_slow_peer_is_given_five_minutes) {
  struct run *r = begin();
  char names[2048];
  peer.is_slow = true;
  drive(r, 400);
  cr_assert_eq(r->state, RUN_CANCELED);
  cr_assert_leq(r->ended_ms - r->started_ms, RUN_LIMIT_MS + 2000);
  cr_assert_eq(count(r, FINDING_RUNNING, names, sizeof names), 0, "not judged:%s", names);
  end(r);
}

/* One fault of a peer, the checks that fail by it. */
static void faulty(bool *fault, const char *failed) {
  struct run *r = begin();
  char names[2048];
  *fault = true; /* begin() clears them */
  drive(r, 400);
  cr_assert_eq(r->state, RUN_DONE);
  (void)!count(r, FINDING_FAILED, names, sizeof names);
  cr_assert_str_eq(names, failed);
  end(r);
}

Test(doctor, a_hold_that_is_answered_by_sendrecv) {
  faulty(&peer.ignores_hold, " hold_sendonly hold_inactive");
}
Test(doctor, a_version_that_stays) { faulty(&peer.is_stale, " sdp_version"); }
Test(doctor, an_offer_in_update_without_an_answer) { faulty(&peer.updates_bare, " update_offer"); }
Test(doctor, nothing_within_the_call_is_answered) { faulty(&peer.is_deaf, " contact"); }

Test(doctor, a_run_is_stopped_in_a_call) {
  struct run *r = begin();
  drive(r, 3);
  cr_assert_eq(peer.n_open, 1);
  run_cancel(r, "canceled", 1700000009000);
  cr_assert_eq(r->state, RUN_CANCELED);
  uint32_t n = peer.n_asks;
  drive(r, 5);
  run_tick(r, peer.now_us + 1000000, 0);
  cr_assert_eq(peer.n_asks, n, "something was sent after the end");
  end(r);
}

Test(doctor, a_report_of_a_run_under_way_is_told_as_cut_short) {
  struct run *r = begin();
  drive(r, 3);
  json_t *doc = report_json(r), *summary = json_object_get(doc, "summary");
  cr_assert_gt(json_integer_value(json_object_get(summary, "running")), 0);
  report_cut(doc, "cut short: <b>");
  cr_assert_eq(json_integer_value(json_object_get(summary, "running")), 0);
  cr_assert_eq(json_integer_value(json_object_get(summary, "passed")) +
                   json_integer_value(json_object_get(summary, "skipped")) +
                   json_integer_value(json_object_get(summary, "not_offered")),
               CHECK_COUNT_);
  char *page = report_html(doc), *text = report_text(doc);
  cr_assert(strstr(page, ": cut short: &lt;b&gt;</p>") && strstr(page, "canceled"));
  cr_assert(strstr(text, ": cut short: <b>\n") && !strstr(text, "running"));
  json_t *head = report_shorten(doc);
  cr_assert(!json_object_get(head, "checks") && json_object_get(doc, "checks"));
  cr_assert_str_eq(json_string_value(json_object_get(head, "state")), "canceled");
  json_decref(head);
  free(page);
  free(text);
  json_decref(doc);
  run_cancel(r, "canceled", 1700000009000);
  end(r);
}

Test(doctor, the_page_escapes_what_peers_say) {
  struct run *r = begin();
  drive(r, 300);
  json_t *doc = report_json(r);
  char *page = report_html(doc);
  cr_assert(strstr(page, "Peer &lt;b&gt;"));
  cr_assert_not(strstr(page, "<b>"));
  cr_assert_not(strstr(page, "<script"));
  free(page);
  cr_assert_eq(json_array_size(json_object_get(doc, "checks")), CHECK_COUNT_);
  cr_assert_str_eq(json_string_value(json_object_get(doc, "state")), "done");
  json_decref(doc);
  end(r);
}

Test(doctor, a_profile_keeps_what_lives_and_takes_longer_timers) {
  struct run *r = begin();
  drive(r, 300);
  json_t *diff = NULL;
  r->trunk.options = true;
  r->trunk.session_timer_s = 1800;
  r->findings[CHECK_options_out].result = FINDING_NOT_OFFERED;
  r->facts.targets[0].options.status = 404; /* it lives: that is all that is asked for */
  r->raised_s = 3600;
  json_t *patch = profile_patch(r, &diff);
  cr_assert_eq(json_integer_value(json_object_get(patch, "session_timer_s")), 3600);
  cr_assert(!json_object_get(patch, "options"));
  json_decref(patch);
  json_decref(diff);
  r->facts.targets[0].options.status = 501;
  patch = profile_patch(r, &diff);
  cr_assert(json_is_false(json_object_get(patch, "options")));
  json_decref(patch);
  json_decref(diff);
  end(r);
}

Test(doctor, the_text_shows_failures_first_and_moves_no_terminal) {
  struct run *r = begin();
  peer.holds_badly = true;
  drive(r, 300);
  snprintf(r->findings[CHECK_answered].seen, sizeof r->findings[0].seen, "by \033[2J\xe2\x80\xaeliam\n%s",
           "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen");
  json_t *doc = report_json(r);
  char *text = report_text(doc);
  json_decref(doc);
  cr_assert(strstr(text, "TRUNK DOCTOR: lab\n"));
  cr_assert(strstr(text, "1 failed"));
  cr_assert(strstr(text, "FAILED\n  hold         Hold by sendonly"), "%s", text);
  cr_assert_lt(strstr(text, "FAILED"), strstr(text, "\naddress\n"));
  cr_assert(strstr(text, "+    hold: inactive"));
  cr_assert(strstr(text, "by ?[2J???liam?one"), "%s", text);
  for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
    cr_assert_leq(strcspn(line, "\n"), 80, "%.100s", line);
  cr_assert_not(strchr(text, '\033'));
  free(text);
  end(r);
}

/* Calls ------------------------------------------------------------------------------------------- */

static struct doctor_facts call_facts(void) {
  static struct conf_trunk trunk;
  static struct conf_listener listener = {.transport = TRANSPORT_UDP};
  struct doctor_facts f = {.trunk = &trunk, .listener = &listener, .n_targets = 1, .now_wall_ms = 1700000000000};
  memset(&trunk, 0, sizeof trunk);
  snprintf(trunk.doctor.number, sizeof trunk.doctor.number, "+15550199100");
  snprintf(trunk.doctor.unknown, sizeof trunk.doctor.unknown, "+15550199404");
  snprintf(trunk.doctor.busy, sizeof trunk.doctor.busy, "+15550199486");
  trunk.srtp = SRTP_REQUIRED;
  f.targets[0].options = (struct said){.is_asked = true, .is_over = true, .status = 200, .ms = 10};
  for (int i = 0; i < CALL_COUNT_; i++) {
    struct call_facts *c = &f.calls[i];
    c->is_begun = c->is_over = c->fits = c->has_tag = c->has_answer = c->has_talk = c->has_event = true;
    c->invite = c->bye = c->strange = (struct said){.is_asked = true, .is_over = true, .status = 200, .ms = 50};
    c->strange.status = 501;
    c->first_ms = c->trying_ms = 20;
    c->silent_ms = 30;
    c->talk_ms = 1000;
    c->talk.rx.packets = 50;
    c->direction = DIR_SENDRECV;
    c->asked_s = c->expires_s = 1800;
    c->n_crypto = 1;
    snprintf(c->contact, sizeof c->contact, "192.0.2.7");
  }
  f.calls[CALL_UNKNOWN].invite.status = 404;
  f.calls[CALL_BUSY].invite.status = 486;
  return f;
}

static enum finding_result judged(const struct doctor_facts *f, enum check c);
static const char *failures(const struct doctor_facts *f);

static const char *seen(const struct doctor_facts *f, enum check c) {
  static struct finding v;
  v = (struct finding){0};
  check_rows[c].judge(f, &v);
  return v.seen;
}

/* A letter for 200 ms: w words, n noise, d digital silence, . nothing. */
static struct finding heard(const char *what, bool has_noise) {
  struct doctor_facts f = call_facts();
  struct call_facts *c = &f.calls[CALL_BASE];
  struct mset_facts m = {.updated_us = 1, .rx.packets = 5, .level_rx_dbov = 20};
  struct finding v = {0};
  c->has_noise = has_noise;
  quiet_sample(&c->quiet, &m);
  for (; *what; what++) {
    m.updated_us += 200000;
    m.rx.packets += *what == '.' ? 0 : 10;
    m.level_rx_dbov = *what == 'w' ? 20 : *what == 'n' ? 60 : *what == '?' ? MSET_LEVEL_UNKNOWN : 127;
    quiet_sample(&c->quiet, &m);
    quiet_sample(&c->quiet, &m);
  }
  check_rows[CHECK_silence].judge(&f, &v);
  return v;
}

Test(doctor, silence_between_words) {
  struct finding v = heard("wwwnnnnwwwnnnn", false);
  cr_assert(v.result == FINDING_PASSED && !strcmp(v.seen, "noise of about -60 dBov"), "%s", v.seen);
  cr_assert_eq(heard("nnnddnn..nnddnn", false).result, FINDING_FAILED);
  cr_assert_eq(heard("wwndwwndddwwndww", false).result, FINDING_PASSED, "words fade");
  cr_assert_eq(heard("wwwwwwwwwwnw", false).result, FINDING_SKIPPED);
  cr_assert_eq(heard("????????????", false).result, FINDING_SKIPPED);
  v = heard("www.....www....", false);
  cr_assert(v.result == FINDING_PASSED && v.advice[0]);
  v = heard("www.....www....", true);
  cr_assert(v.result == FINDING_PASSED && !v.advice[0]);
}

Test(doctor, silence_to_what_it_does_not_know_is_one_failure) {
  struct doctor_facts f = call_facts();
  struct said *within = &f.calls[CALL_BASE].strange;
  f.calls[CALL_BASE].talk.rtcp_rx = 3;
  f.strange = (struct said){.is_asked = true, .is_over = true, .status = 501};
  *within = (struct said){.is_asked = true, .is_over = true, .is_own = true, .status = 408};
  cr_assert_str_eq(failures(&f), " strange_in_call");
  f.strange = *within;
  cr_assert_str_eq(failures(&f), " strange");
}

Test(doctor, a_missing_tag_is_one_failure) {
  struct doctor_facts f = call_facts();
  struct call_facts *c = &f.calls[CALL_BASE];
  struct form_facts *h = &c->forms[FORM_SENDONLY];
  c->talk.rtcp_rx = 3;
  h->said = h->resume = (struct said){.is_asked = true, .is_over = true, .status = 200};
  h->has_desc = h->has_answer = true;
  h->direction = DIR_SENDRECV;
  cr_assert_eq(judged(&f, CHECK_hold_sendonly), FINDING_FAILED);
  c->has_tag = false;
  c->bye.status = 500;
  cr_assert_eq(judged(&f, CHECK_hold_sendonly), FINDING_SKIPPED);
  cr_assert_str_eq(failures(&f), " to_tag");
}

Test(doctor, a_late_first_word_is_one_failure) {
  struct doctor_facts f = call_facts();
  struct call_facts *c = &f.calls[CALL_BASE];
  c->talk.rtcp_rx = 3;
  c->trying_ms = DOCTOR_NEVER;
  c->first_ms = 7000;
  cr_assert_str_eq(failures(&f), " pdd");
  c->first_ms = DOCTOR_NEVER; /* the answer is the first */
  c->invite.ms = 7000;
  cr_assert_str_eq(failures(&f), " pdd");
  c->first_ms = 3000;
  cr_assert_str_eq(failures(&f), " trying");
}

Test(doctor, a_wrong_key_in_every_call_is_one_failure) {
  struct doctor_facts f = call_facts();
  for (int i = 0; i < CALL_COUNT_; i++) {
    f.calls[i].talk.rx.packets = 0;
    f.calls[i].talk.rx.auth_failures = 300;
  }
  cr_assert_str_eq(failures(&f), " rtp_in");
  cr_assert_str_eq(seen(&f, CHECK_rtp_in), "300 packets with a wrong tag");
  f.calls[CALL_BASE].talk.odd.plain = 300;
  cr_assert_str_eq(seen(&f, CHECK_rtp_in), "300 packets of plain RTP, though SRTP was agreed");
  f.calls[CALL_BASE].talk.rx.packets = 300;
  f.calls[CALL_SUITE_SHA32].talk.rx.packets = 0; /* with one suite only */
  for (int i = CALL_BASE; i < CALL_COUNT_; i++)
    if (i != CALL_SUITE_SHA32)
      f.calls[i].talk.rx.packets = 300;
  f.calls[CALL_BASE].talk.rtcp_rx = 3;
  cr_assert_str_eq(failures(&f), " suite_sha32");
}

static void seat(struct doctor_facts *f, uint32_t i, uint16_t priority, const char *ip) {
  snprintf(f->seats[i].name, sizeof f->seats[i].name, "s%u.t", i);
  f->seats[i].port = 5060;
  f->seats[i].priority = priority;
  f->seats[i].n_addrs = addr_parse(&f->seats[i].first, slice_of(ip), 5060) == 0;
  f->n_seats = i + 1;
  if (!f->seats[i].n_addrs)
    return;
  f->targets[f->n_targets].target.addr = f->seats[i].first;
  f->targets[f->n_targets++].options = (struct said){.is_asked = true, .is_over = true, .status = 200};
}

Test(doctor, records_of_srv) {
  struct doctor_facts f = call_facts();
  struct finding v = {0};
  cr_assert_eq(judged(&f, CHECK_srv), FINDING_NOT_OFFERED);
  f.n_targets = 0;
  seat(&f, 0, 10, "192.0.2.1");
  seat(&f, 1, 20, "192.0.2.2");
  check_rows[CHECK_srv].judge(&f, &v);
  cr_assert(v.result == FINDING_PASSED && strstr(v.seen, "s0.t:5060 (10/0), s1.t:5060 (20/0); calls go to s0.t"), "%s", v.seen);
  cr_assert_str_eq(failures(&f), "");
  f.targets[1].options.is_own = true; /* the second is silent: one failure */
  cr_assert_str_eq(failures(&f), " connect");
  f.targets[1].options = (struct said){.is_asked = true, .is_over = true, .status = 500};
  cr_assert_str_eq(failures(&f), " options_all");
  f.targets[1].options.status = 200;
  f.targets[0].options.is_own = true;
  f.calls[CALL_BASE].invite.is_own = true; /* the first is dead */
  v = (struct finding){0};
  check_rows[CHECK_srv].judge(&f, &v);
  cr_assert(v.result == FINDING_PASSED && strstr(v.seen, "calls go to s1.t") && v.advice[0], "%s", v.seen);
  f = call_facts();
  f.n_targets = 0;
  seat(&f, 0, 10, "192.0.2.1");
  seat(&f, 1, 20, "nobody");
  cr_assert_str_eq(failures(&f), " srv");
}

static enum finding_result judged(const struct doctor_facts *f, enum check c) {
  struct finding v = {0};
  check_rows[c].judge(f, &v);
  return v.result;
}

/* What a change of the facts makes fail, among checks that are told of calls: names with a space before. */
static const char *failures(const struct doctor_facts *f) {
  static char names[512];
  names[0] = 0;
  for (int c = 0; c < CHECK_COUNT_; c++) {
    size_t at = strlen(names);
    struct finding v = {0};
    if (check_rows[c].act < ACT_OPTIONS || c == CHECK_rtcp || !strncmp(check_rows[c].id, "hold_", 5) ||
        !strncmp(check_rows[c].id, "session_min", 11) || !strcmp(check_rows[c].id, "prack") ||
        !strcmp(check_rows[c].id, "late_reinvite") || !strcmp(check_rows[c].id, "cancel"))
      continue;
    check_rows[c].judge(f, &v);
    if (v.result == FINDING_FAILED)
      snprintf(names + at, sizeof names - at, " %s", check_rows[c].id);
  }
  return names;
}

Test(doctor, each_fault_of_a_call_is_one_failure) {
  struct doctor_facts f = call_facts();
  struct call_facts *c = &f.calls[CALL_BASE];
  struct conf_trunk *t = (struct conf_trunk *)f.trunk; // NOLINT
  cr_assert_str_eq(failures(&f), "");
#define PLANT(change, names) \
  change; \
  cr_expect_str_eq(failures(&f), names); \
  f = call_facts();
  PLANT(c->has_tag = false, " to_tag")
  PLANT(snprintf(c->contact, sizeof c->contact, "0.0.0.0"); c->bye.is_own = true, " contact")
  PLANT(snprintf(c->transport, sizeof c->transport, "tls"); c->update.is_asked = c->update.is_own = true, " contact")
  PLANT(c->fits = false; c->is_bad_route = true; c->talk.rx.packets = 0, " route")
  PLANT(c->fits = false; c->talk.rx.packets = 0, " answer_fits")
  PLANT(c->n_media = 2, " answer_fits")
  PLANT(c->talk.rx.duplicate = 40, " order")
  PLANT(c->talk.rx.reordered = 40, " order")
  PLANT(c->talk.drift_ppm = 500000, " rtp_clock")
  PLANT(c->talk.drift_ppm = -300000, " rtp_clock")
  PLANT(c->talk.drift_ppm = -40000, "")
  PLANT(t->doctor.echo = true; c->gap_ms = 2000, " rtp_in")
  PLANT(c->gap_ms = 2000; c->talk.rx.lost = 25, " loss")
  t->doctor.echo = false;
  PLANT(c->direction = DIR_SEND, " rtp_out")
  PLANT(c->direction = DIR_RECV, " rtp_in")
  PLANT(c->expires_s = 7200, " session_timer")
  PLANT(c->silent_ms = 1500; f.calls[CALL_CODEC_PCMU].talk.rx.packets = 0, " dead_air")
  PLANT(f.calls[CALL_CODEC_PCMU].talk.rx.packets = 0, " codec_pcmu")
  PLANT(f.calls[CALL_CODEC_PCMU].talk.odd.bad_payload = 40, " codec_pcmu")
  PLANT(c->talk.odd.bad_payload = f.calls[CALL_CODEC_PCMU].talk.odd.bad_payload = 40, " rtp_in")
  PLANT(c->strange.status = 481; c->bye.status = 481, " strange_in_call")
  PLANT(c->strange = (struct said){.is_asked = true}, " strange_in_call")
  PLANT(c->info = (struct said){.is_asked = true}, " dtmf_info")
  PLANT(f.calls[CALL_UNKNOWN].q850 = 16, " reason")
  PLANT(f.calls[CALL_BUSY].invite.status = 480, " busy")
  PLANT(f.calls[CALL_BUSY].invite.status = 200, " busy")
  PLANT(f.targets[0].options.status = 500, " options_out")
  PLANT((f.targets[0].options = (struct said){.is_asked = true, .is_over = true, .is_own = true}), " options_out")
  PLANT(f.targets[0].has_date = true; f.targets[0].skew_s = -300, " clock")
  PLANT(t->late_offer_out = true; f.calls[CALL_LATE].invite.status = 488, " late_offer")
  PLANT(c->bye = (struct said){.is_asked = true}, " bye_out")
#undef PLANT
  f.targets[0].options.is_own = c->invite.is_own = true; /* nothing answers at all */
  c->first_ms = DOCTOR_NEVER;
  cr_expect_str_eq(failures(&f), " connect");
}

static const char *hold_failures(const struct doctor_facts *f) {
  static const enum check forms[] = {CHECK_hold_sendonly, CHECK_hold_inactive, CHECK_hold_recvonly, CHECK_hold_zero,
                                     CHECK_hold_port0};
  static char names[128];
  names[0] = 0;
  for (size_t i = 0; i < COUNT_OF(forms); i++)
    if (judged(f, forms[i]) == FINDING_FAILED) {
      strcat(names, " ");
      strcat(names, check_rows[forms[i]].id);
    }
  return names;
}

Test(doctor, a_hold_is_not_blamed_for_what_was_before_it) {
  static const uint8_t answers[] = {DIR_RECV, DIR_INACTIVE, DIR_SEND, DIR_SENDRECV, DIR_SENDRECV};
  struct doctor_facts f = call_facts();
  struct call_facts *c = &f.calls[CALL_BASE];
  for (int i = 0; i < FORM_LATE; i++) {
    struct form_facts *h = &c->forms[i];
    h->said = h->resume = (struct said){.is_asked = true, .is_over = true, .status = 200};
    h->has_desc = h->has_answer = true;
    h->direction = answers[i];
    h->resumed = DIR_SENDRECV;
    h->packets_resumed = 20;
  }
  cr_expect_str_eq(hold_failures(&f), "");
  for (int i = FORM_INACTIVE; i < FORM_LATE; i++)
    c->forms[i].packets_resumed = 0;
  cr_expect_str_eq(hold_failures(&f), " hold_inactive");
  c->forms[FORM_INACTIVE].resumed = DIR_INACTIVE;
  cr_expect_str_eq(seen(&f, CHECK_hold_inactive),
                   "taken (inactive), but its answer to the resume says inactive: no sound came after it");
  c->forms[FORM_SENDONLY].packets_resumed = 0;
  c->stop_ms = 3000; /* it had stopped before all of them */
  cr_expect_str_eq(hold_failures(&f), "");
}

Test(doctor, what_need_not_be_is_not_offered) {
  struct doctor_facts f = call_facts();
  f.targets[0].options.status = 405;
  cr_expect_eq(judged(&f, CHECK_options_out), FINDING_NOT_OFFERED);
  f.calls[CALL_MKI].invite.status = 488;
  cr_expect_eq(judged(&f, CHECK_mki), FINDING_NOT_OFFERED);
  cr_expect_eq(judged(&f, CHECK_reason), FINDING_NOT_OFFERED);
  cr_expect_eq(judged(&f, CHECK_ipv6), FINDING_NOT_OFFERED);
  cr_expect_eq(judged(&f, CHECK_clock), FINDING_NOT_OFFERED);
  cr_expect_eq(judged(&f, CHECK_dtmf_info), FINDING_NOT_OFFERED);
  f.calls[CALL_BUSY].q850 = 17; /* 480 with the cause of busy says it */
  f.calls[CALL_BUSY].invite.status = 480;
  cr_expect_eq(judged(&f, CHECK_busy), FINDING_PASSED);
}

/* Certificates ------------------------------------------------------------------------------------ */

static struct doctor_facts tls_facts(void) {
  static struct conf_trunk trunk;
  struct doctor_facts f = {.trunk = &trunk, .n_targets = 1, .now_wall_ms = 1700000000000};
  struct probe_tls *t = &f.targets[0].tls;
  f.targets[0].has_tls = true;
  *t = (struct probe_tls){.is_connected = true, .is_up = true, .is_trusted = true, .is_named = true,
                          .wants_cert = true, .took_cert = true, .protocol = "TLSv1.3",
                          .cipher = "TLS_AES_256_GCM_SHA384", .names = "sbc.example.test",
                          .begin_s = 1690000000, .end_s = 1750000000};
  return f;
}

static uint32_t tls_failures(const struct doctor_facts *f) {
  uint32_t n = 0;
  for (int c = CHECK_tls_version; c <= CHECK_tls_client; c++)
    n += judged(f, (enum check)c) == FINDING_FAILED;
  return n;
}

Test(doctor, certificates) {
  struct doctor_facts f = tls_facts();
  cr_assert_eq(tls_failures(&f), 0);
  f.targets[0].tls.is_named = false;
  cr_assert_eq(judged(&f, CHECK_tls_name), FINDING_FAILED);
  cr_assert_eq(tls_failures(&f), 1);
  f = tls_facts();
  f.targets[0].tls.end_s = 1699999999;
  f.targets[0].tls.is_trusted = false; /* an expired chain does not verify either: one failure */
  cr_assert_eq(judged(&f, CHECK_tls_expiry), FINDING_FAILED);
  cr_assert_eq(tls_failures(&f), 1);
  f = tls_facts();
  f.targets[0].tls.end_s = 1700000000 + 6 * 86400;
  cr_assert_eq(judged(&f, CHECK_tls_expiry), FINDING_FAILED);
  f = tls_facts();
  f.targets[0].tls.is_trusted = false;
  cr_assert_eq(judged(&f, CHECK_tls_chain), FINDING_FAILED);
  cr_assert_eq(tls_failures(&f), 1);
  f = tls_facts();
  f.targets[0].tls.took_cert = false;
  cr_assert_eq(judged(&f, CHECK_tls_client), FINDING_FAILED);
  f.targets[0].tls.wants_cert = false;
  cr_assert_eq(judged(&f, CHECK_tls_client), FINDING_NOT_OFFERED);
  f.targets[0].has_tls = false;
  cr_assert_eq(judged(&f, CHECK_tls_chain), FINDING_SKIPPED);
}
