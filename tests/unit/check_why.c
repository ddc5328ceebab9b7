/* SPDX-License-Identifier: Apache-2.0
 * Units of the causes: a call for each row of why.def that shows it, and good calls that show none. */
#include "base/text.h"
#include "trace/trace.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(why);

/* Half a minute between a carrier and a browser, as good as it gets. */
static struct why_facts good(void) {
  struct why_facts f = {
      .reason = "completed", .rule = "", .detail = "", .is_answered = true, .ms = 30000};
  for (int i = 0; i < WHY_LEGS; i++) {
    struct why_leg *l = &f.legs[i];
    *l = (struct why_leg){.is_there = true,
                          .is_trunk = i == 0,
                          .is_up = true,
                          .way = WHY_SENDRECV,
                          .our_port = 30010,
                          .codec = "PCMU",
                          .rx = {1490, 0, 0, 3, 5, 430},
                          .tx = {1490, 0, 0, 3, 5, 430},
                          .keys = 1,
                          .key_good = 1490,
                          .has_level = true,
                          .first_ms = 40,
                          .last_ms = 29980,
                          .sound_ms = 29900};
    strcpy(l->name, i == 0 ? "demo" : "bob");
    strcpy(l->said, "192.0.2.1:4000");
  }
  f.n_attempts = 1;
  f.attempts[0] = (struct why_attempt){.name = "bob", .had_progress = true, .ms = 900};
  return f;
}

static struct why_facts failed(enum why_fault fault) {
  struct why_facts f = good();
  f.end = WHY_END_FAILED;
  f.reason = "media_failure";
  f.fault = fault;
  return f;
}

/* A call to a trunk that came to nothing. */
static struct why_facts unanswered(enum why_fault fault, int status) {
  struct why_facts f = {.end = WHY_END_FAILED,
                        .reason = "trunk_failure",
                        .rule = "",
                        .detail = "",
                        .status = status ? status : 502,
                        .ms = 6100,
                        .n_attempts = 1};
  f.legs[0].is_there = true;
  f.attempts[0] = (struct why_attempt){.is_trunk = true,
                                       .fault = fault,
                                       .status = status,
                                       .is_peer = status != 0,
                                       .ms = 6040,
                                       .tries = 3,
                                       .name = "demo",
                                       .target = "192.0.2.7:5061"};
  return f;
}

static struct why_facts refused(const char *rule, const char *detail, int status) {
  return (struct why_facts){.end = WHY_END_FAILED,
                            .reason = "policy",
                            .rule = rule,
                            .detail = detail,
                            .status = status,
                            .is_refused = true};
}

static void is(const struct why_facts *f, enum why_id id, const char *sentence) {
  struct why w;
  why_find(f, &w);
  cr_expect_str_eq(why_slug(w.id), why_slug(id));
  cr_expect_str_eq(w.sentence, sentence);
  cr_expect_eq(why_of(why_slug(id)), id);
  cr_expect_neq((id == CAUSE_NONE), (why_advice(id)[0] != '\0')); /* each cause says what to do */
}

Test(why, a_good_call_has_none) {
  struct why_facts f = good();
  is(&f, CAUSE_NONE, "");
  f.ms = 400; /* hung up at once */
  f.legs[1].rx.packets = f.legs[1].first_ms = f.legs[1].last_ms = f.legs[1].sound_ms = 0;
  is(&f, CAUSE_NONE, "");
}

Test(why, who_hangs_up_while_it_rings_has_none) {
  struct why_facts f = unanswered(WHY_FAULT_NONE, 0);
  f.end = WHY_END_GOOD;
  f.reason = "canceled";
  is(&f, CAUSE_NONE, "");
}

Test(why, on_hold_nothing_is_missed) {
  struct why_facts f = good();
  f.legs[0].way = WHY_INACTIVE;
  f.legs[0].is_held = true;
  f.legs[0].last_ms = f.legs[0].sound_ms = 10000;
  is(&f, CAUSE_NONE, "");
}

Test(why, refusals) {
  struct why_facts f = refused("overload", "packets are 40 ms late", 503);
  is(&f, CAUSE_OVERLOAD, "refused: packets are 40 ms late (rule overload)");
  f = refused("codec", "G729", 488);
  is(&f, CAUSE_OFFER_CODEC, "refused with 488: the offer has no codec that we serve (G729)");
  f = refused("srtp_required", "", 488);
  is(&f, CAUSE_OFFER_SRTP, "refused with 488: the trunk requires SRTP and the offer is plain");
  f = refused("third_party_proxy", "192.0.2.9 is no\x1b[1m part", 403);
  is(&f, CAUSE_REFUSED, "refused by rule third_party_proxy: 192.0.2.9 is no?[1m part");
}

Test(why, not_verified_for_a_while) {
  struct why_facts f = good();
  f.legs[0].dumb_ms = 5000;
  f.legs[0].key_failures = 30;
  is(&f, CAUSE_ONE_WAY, "nothing came from carrier (trunk demo) for 5.0 s while the other side was heard");
  f.legs[0].key_failures = 240;
  is(&f, CAUSE_SRTP_WHILE,
     "carrier (trunk demo) was not heard for 5.0 s: SRTP authentication of 240 packets failed, and later "
     "ones verified again");
}

Test(why, one_that_hears_nothing) {
  struct why_facts f = good();
  f.legs[0].unheard_ms = 12400;
  is(&f, CAUSE_UNHEARD,
     "carrier (trunk demo) hears nothing of us since 0:12: we send, and by its own reports nothing more came "
     "there");
  f.legs[0].unheard_ms = 28000; /* too short to be noticed */
  is(&f, CAUSE_NONE, "");
  f.legs[0].unheard_ms = 12400;
  f.legs[0].is_held = true;
  is(&f, CAUSE_NONE, "");
}

Test(why, digits_by_a_number_that_was_not_agreed) {
  struct why_facts f = good();
  f.legs[0].bad_payload = 300;
  f.legs[0].payload_type = 13; /* comfort noise is no loss */
  is(&f, CAUSE_NONE, "");
  f.legs[0].payload_type = 97;
  f.legs[0].bad_payload = 4;
  is(&f, CAUSE_NONE, "");
  f.legs[0].bad_payload = 16;
  is(&f, CAUSE_EVENT_PAYLOAD,
     "carrier (trunk demo) sends payload type 97 beside its sound, which was not negotiated (16 packets): "
     "digits that come by it are lost");
}

Test(why, what_broke_down) {
  struct why_facts f = failed(WHY_FAULT_MEDIA_GONE);
  is(&f, CAUSE_MEDIA_GONE, "the media process ended 30.0 s into the call, its sessions with it");
  f = failed(WHY_FAULT_TRANSCODE);
  is(&f, CAUSE_TRANSCODE, "no room to transcode between the two codecs of the call");
  f = failed(WHY_FAULT_NO_ACK);
  f.is_caller_faulty = true;
  is(&f, CAUSE_NO_ACK,
     "carrier (trunk demo) never acknowledged our 200 to its INVITE (no ACK within 32 s)");
  f.fault = WHY_FAULT_NO_PRACK;
  is(&f, CAUSE_NO_PRACK,
     "carrier (trunk demo) demanded a reliable provisional response, and never acknowledged it (no PRACK "
     "within 32 s)");
  f = failed(WHY_FAULT_REFRESH);
  f.is_caller_faulty = true;
  is(&f, CAUSE_REFRESH,
     "the session timer of carrier (trunk demo) passed 30.0 s into the call: no refresh came, ours was "
     "not answered");
  f.fault = WHY_FAULT_FORGOTTEN;
  is(&f, CAUSE_FORGOTTEN,
     "carrier (trunk demo) answered 481 30.0 s into the call: it knows the call no more");
  f = failed(WHY_FAULT_STREAM);
  is(&f, CAUSE_STREAM_LOST, "app (user bob) lost its event stream and did not come back");
  f = failed(WHY_FAULT_CONSENT);
  f.legs[1].last_ms = 12400;
  is(&f, CAUSE_CONSENT_LOST,
     "app (user bob) was no longer reachable for media from 0:12 on (ICE consent lost)");
}

Test(why, media_that_never_stood) {
  struct why_facts f = failed(WHY_FAULT_MEDIA_LATE);
  struct why_leg *l = &f.legs[1];
  f.ms = 10000;
  l->wants_ice = l->wants_dtls = true;
  l->is_up = false;
  l->ice = WHY_ICE_CHECKING;
  l->candidates = 2;
  is(&f, CAUSE_ICE_FAILED,
     "ICE with app (user bob) never connected within 10.0 s of the answer: no check of its 2 candidates "
     "reached us");
  l->ice = WHY_ICE_CONNECTED;
  l->dtls = WHY_DTLS_CONNECTING;
  is(&f, CAUSE_DTLS_NEVER,
     "ICE with app (user bob) is connected, but it never finished a DTLS handshake within 10.0 s");
  f.fault = WHY_FAULT_DTLS;
  l->dtls = WHY_DTLS_FAILED;
  is(&f, CAUSE_DTLS_FAILED, "DTLS with app (user bob) failed");
  l->is_fingerprint_wrong = true;
  is(&f, CAUSE_DTLS_FINGERPRINT,
     "DTLS with app (user bob) failed: its certificate does not have the fingerprint of its "
     "description");
}

Test(why, keys) {
  struct why_facts f = good();
  struct why_leg *l = &f.legs[0];
  l->key_bad = 800;
  l->key_good = 0;
  l->rx.packets = 0;
  is(&f, CAUSE_SRTP_KEY,
     "SRTP authentication of carrier (trunk demo) fails since the begin (800 packets, 0 verified)");
  l->key_reinvite = 2;
  l->rx.packets = 700;
  is(&f, CAUSE_SRTP_REINVITE,
     "SRTP authentication of carrier (trunk demo) fails since re-INVITE 2 (800 packets)");
  l->key_failures = 800;
  l->key_plain = 780;
  is(&f, CAUSE_SRTP_PLAIN, "carrier (trunk demo) sends plain RTP though SRTP was agreed (780 packets, 0 sealed ones)");
  l->key_bad = 3; /* its reports are sealed */
  l->rx.packets = 0;
  is(&f, CAUSE_SRTP_PLAIN, "carrier (trunk demo) sends plain RTP though SRTP was agreed (780 packets, 0 sealed ones)");
  l->rx.packets = 1490; /* a second of it, before it knew its keys */
  l->key_failures = l->key_plain = 50;
  is(&f, CAUSE_NONE, "");
  l->key_bad = l->key_failures = 800;
  l->rx.packets = 700;
  is(&f, CAUSE_SRTP_REINVITE,
     "SRTP authentication of carrier (trunk demo) fails since re-INVITE 2 (800 packets)");
  l->key_reinvite = 0;
  l->key_good = 700;
  l->bad_ms = 14200;
  is(&f, CAUSE_SRTP_SINCE,
     "SRTP authentication of carrier (trunk demo) fails since 0:14 (800 packets, 700 verified before)");
  l->key_bad = 5; /* the last ones of the old key */
  l->rx.packets = 1490;
  is(&f, CAUSE_NONE, "");
}

Test(why, where_packets_go) {
  struct why_facts f = good();
  struct why_leg *l = &f.legs[0];
  l->rx.packets = 0;
  l->wrong_port = 1490;
  l->stray_port = 30012;
  is(&f, CAUSE_WRONG_PORT, "carrier (trunk demo) sends to port 30012 but our SDP said 30010");
  l->wrong_port = 0;
  l->wrong_source = 1490;
  strcpy(l->stranger, "198.51.100.4:5000");
  is(&f, CAUSE_WRONG_SOURCE,
     "carrier (trunk demo) sends media from 198.51.100.4:5000 but its SDP said 192.0.2.1:4000: 1490 "
     "packets dropped");
  l->rx.packets = 1490; /* somebody else's packets harm nobody */
  is(&f, CAUSE_NONE, "");
  l->bad_payload = 1480;
  l->payload_type = 18;
  is(&f, CAUSE_BAD_PAYLOAD,
     "carrier (trunk demo) sends payload type 18, which was not negotiated (1480 packets)");
}

Test(why, nothing_or_nothing_any_more) {
  struct why_facts f = good();
  struct why_leg *l = &f.legs[0];
  l->rx.packets = l->first_ms = l->last_ms = l->sound_ms = 0;
  is(&f, CAUSE_NO_MEDIA, "no media came from carrier (trunk demo) in 30.0 s");
  l->way = WHY_INACTIVE;
  is(&f, CAUSE_HOLD_MISMATCH,
     "carrier (trunk demo) says inactive in its last SDP, and the call never came back from it: the "
     "other side is not heard");
  f = good();
  l->last_ms = l->sound_ms = 12300;
  l->rx.packets = 615;
  l->dumb_ms = 17000;
  is(&f, CAUSE_MEDIA_STOPPED, "media of carrier (trunk demo) stopped at 0:12 and did not come back");
  l->last_ms = l->sound_ms = 29900;
  is(&f, CAUSE_ONE_WAY,
     "nothing came from carrier (trunk demo) for 17.0 s while the other side was heard");
  f = good();
  f.legs[1].sound_ms = 7400;
  is(&f, CAUSE_SILENT_SOUND, "microphone of app (user bob) silent since 0:07");
  f.legs[1].client.is_muted = true; /* that is what its user wants */
  is(&f, CAUSE_NONE, "");
  f.legs[1].client = (struct why_client){.muted_ms = 9000};
  is(&f, CAUSE_SILENT_SOUND, "microphone of app (user bob) silent since 0:07");
  f.legs[1].client.muted_ms = 22000; /* until then it was meant */
  is(&f, CAUSE_NONE, "");
  f.legs[1].client.muted_ms = 0;
  f.legs[1].sound_ms = 22000; /* it only listened at the end */
  is(&f, CAUSE_NONE, "");
  f = good();
  l->sound_ms = 7400; /* somebody was heard, and listens now, muted maybe */
  is(&f, CAUSE_NONE, "");
  l->sound_ms = 0;
  is(&f, CAUSE_SILENT_SOUND, "sound of carrier (trunk demo) silent since 0:00");
  f = good();
  f.legs[1].first_ms = 4250;
  is(&f, CAUSE_LATE_MEDIA, "the first media of app (user bob) came 4.2 s after the answer");
}

Test(why, how_good) {
  struct why_facts f = good();
  struct why_flow *rx = &f.legs[0].rx;
  rx->packets = 1200;
  rx->lost = 300;
  is(&f, CAUSE_LOSS, "20.0 % of the packets from carrier (trunk demo) were lost");
  f = good();
  f.legs[1].tx.lost = 300;
  is(&f, CAUSE_LOSS_THERE, "app (user bob) says that 16.7 % of our packets were lost on their way");
  f = good();
  rx->jitter_ms = 81;
  is(&f, CAUSE_JITTER, "packets from carrier (trunk demo) came with 81 ms of jitter");
  rx->jitter_ms = 33; /* it is to be heard */
  is(&f, CAUSE_NONE, "");
  rx->mos_x100 = 277;
  is(&f, CAUSE_JITTER, "packets from carrier (trunk demo) came with 33 ms of jitter");
  f = good();
  f.legs[1].rtt_ms = 1200;
  is(&f, CAUSE_DELAY, "the way to app (user bob) and back takes 1200 ms");
  f = good();
  f.legs[1].rtt_ms = 300;
  is(&f, CAUSE_NONE, "");
  f.legs[1].client.is_relayed = true;
  is(&f, CAUSE_RELAYED, "app (user bob) is behind a TURN relay with 300 ms round trip");
  f.legs[1].rtt_ms = 200;
  is(&f, CAUSE_NONE, "");
  f = good();
  f.legs[1].client.concealed_permille = 80;
  is(&f, CAUSE_NONE, "");
  f.legs[1].client.concealed_permille = 124;
  is(&f, CAUSE_CONCEALED,
     "app (user bob) had to make up 12 % of the sound that it played: packets were lost or late on "
     "their way there");
  f = good();
  f.legs[0].agreed_ms = 20;
  f.legs[0].ptime_ms = 40;
  is(&f, CAUSE_NONE, "");
  rx->mos_x100 = 300;
  is(&f, CAUSE_PTIME, "carrier (trunk demo) sends 40 ms packets where 20 ms were agreed");
  f.legs[0].ptime_ms = 20;
  is(&f, CAUSE_MOS,
     "carrier (trunk demo) sounded bad: MOS 3.00 at 0.0 % loss and 3 ms jitter with PCMU");
  rx->mos_x100 = 430;
  f.legs[0].ptime_ms = 60;
  is(&f, CAUSE_PTIME, "carrier (trunk demo) sends 60 ms packets where 20 ms were agreed");
  f = good();
  rx->mos_x100 = 245;
  is(&f, CAUSE_MOS,
     "carrier (trunk demo) sounded bad: MOS 2.45 at 0.0 % loss and 3 ms jitter with PCMU");
  rx->packets = 1000;
  rx->discarded = 1; /* 1 of 1,000 is told, fewer are not */
  is(&f, CAUSE_MOS,
     "carrier (trunk demo) sounded bad: MOS 2.45 at 0.0 % loss, 0.1 % too late for our jitter buffer and "
     "3 ms jitter with PCMU");
  rx->packets = 1001;
  is(&f, CAUSE_MOS,
     "carrier (trunk demo) sounded bad: MOS 2.45 at 0.0 % loss and 3 ms jitter with PCMU");
  f = good();
  f.legs[0].tx.mos_x100 = 171; /* it was not the one that sounded bad */
  f.legs[0].tx.jitter_ms = 990;
  is(&f, CAUSE_MOS_THERE,
     "carrier (trunk demo) was reached badly: MOS 1.71 at 0.0 % loss and 990 ms jitter, by its own reports");
}

Test(why, what_apps_tell_of_themselves) {
  struct why_facts f = good();
  struct why_client *c = &f.legs[1].client;
  c->is_mic_silent = true;
  c->mic_ms = 7200;
  is(&f, CAUSE_MIC,
     "microphone of app (user bob) gives no sound since 0:07, by the browser's own statistics");
  c->mic_ms = 16000; /* of the lesser part: it may have been muted */
  is(&f, CAUSE_NONE, "");
  c->is_mic_silent = false;
  c->plays_nothing = true;
  c->received = 512;
  is(&f, CAUSE_PLAYS_NOTHING,
     "app (user bob) plays nothing of what it receives (512 packets came there): autoplay is blocked, "
     "or no output is attached");
  f.is_answered = false;
  is(&f, CAUSE_NONE, "");
}

Test(why, who_hangs_up_with_a_cause) {
  struct why_facts f = failed(WHY_FAULT_NONE);
  f.reason = "trunk_failure";
  f.is_caller_faulty = true;
  f.q850 = 38;
  is(&f, CAUSE_HANGUP,
     "carrier (trunk demo) hung up 30.0 s into the call with cause 38 (trunk_failure)");
  f.q850 = 16;
  is(&f, CAUSE_FAILED, "the call ended with trunk_failure");
}

Test(why, who_was_asked) {
  struct why_facts f = unanswered(WHY_FAULT_DNS, 0);
  is(&f, CAUSE_DNS, "no DNS server tells the address of carrier (trunk demo)");
  f = unanswered(WHY_FAULT_NO_ADDRESS, 0);
  is(&f, CAUSE_NO_ADDRESS, "the target of carrier (trunk demo) has no address in DNS");
  f = unanswered(WHY_FAULT_TLS_NAME, 0);
  is(&f, CAUSE_TLS_NAME,
     "TLS with 192.0.2.7:5061 of carrier (trunk demo) failed: its certificate is not for the name of "
     "the trunk's target");
  f = unanswered(WHY_FAULT_TLS, 0);
  f.detail = "certificate has expired";
  is(&f, CAUSE_TLS, "TLS with 192.0.2.7:5061 of carrier (trunk demo) failed: certificate has expired");
  f = unanswered(WHY_FAULT_REFUSED, 0);
  is(&f, CAUSE_CONNECTION, "192.0.2.7:5061 of carrier (trunk demo) refused the connection");
  f = unanswered(WHY_FAULT_NONE, 0);
  f.fault = WHY_FAULT_UNREGISTERED;
  f.detail = "trunk demo is not registered";
  is(&f, CAUSE_UNREGISTERED, "the carrier could not be asked: trunk demo is not registered");
  f = unanswered(WHY_FAULT_SILENT, 0);
  f.attempts[0].is_demoted = true;
  is(&f, CAUSE_SILENCE,
     "no answer to INVITE from 192.0.2.7:5061 of carrier (trunk demo) within 6.0 s (3 tries); trunk "
     "demoted");
  f = unanswered(WHY_FAULT_QUIET, 0);
  is(&f, CAUSE_QUIET, "carrier (trunk demo) asked by Retry-After to be left alone, so it was not asked");
  f = unanswered(WHY_FAULT_OFFLINE, 0);
  f.attempts[0].is_trunk = false;
  is(&f, CAUSE_OFFLINE, "no device of app (user demo) is connected");
}

Test(why, what_was_answered) {
  struct why_facts f = unanswered(WHY_FAULT_NONE, 488);
  is(&f, CAUSE_NO_CODEC, "carrier (trunk demo) answered 488: it takes none of what we offered");
  f = unanswered(WHY_FAULT_NONE, 407);
  is(&f, CAUSE_PROOF, "carrier (trunk demo) answered 407: it does not take our credentials");
  f = unanswered(WHY_FAULT_NONE, 403);
  is(&f, CAUSE_FORBIDDEN,
     "carrier (trunk demo) answered 403: it does not let this caller or number through");
  f = unanswered(WHY_FAULT_NONE, 484);
  is(&f, CAUSE_NUMBER, "carrier (trunk demo) answered 484: the number is not known there");
  f = unanswered(WHY_FAULT_NONE, 503);
  is(&f, CAUSE_TRUNK_BUSY, "carrier (trunk demo) answered 503: it has no room or is out of order");
  f.n_attempts = 2;
  f.attempts[1] = f.attempts[0];
  strcpy(f.attempts[1].name, "other");
  is(&f, CAUSE_ALL_BUSY, "all 2 attempts were answered 503, the last one by carrier (trunk other)");
  f.attempts[1].status = 500;
  is(&f, CAUSE_ALL_BUSY, "all 2 attempts were answered 503 or 500, the last one by carrier (trunk other)");
  f = unanswered(WHY_FAULT_NONE, 420);
  is(&f, CAUSE_STATUS, "carrier (trunk demo) answered 420");
  f.attempts[0].q850 = 41;
  f.detail = "redirects: refuse";
  is(&f, CAUSE_STATUS, "carrier (trunk demo) answered 420 (Q.850 cause 41): redirects: refuse");
  f = unanswered(WHY_FAULT_ANSWER, 0);
  f.detail = "no fingerprint";
  is(&f, CAUSE_DESCRIPTION,
     "carrier (trunk demo) answered with a description that cannot be served: no fingerprint");
  f = failed(WHY_FAULT_NONE);
  is(&f, CAUSE_FAILED, "the call ended with media_failure");
}

Test(why, what_is_too_long_is_cut) {
  char detail[600];
  memset(detail, 'x', sizeof(detail) - 1);
  detail[sizeof(detail) - 1] = 0;
  struct why_facts f = refused("loop", detail, 482);
  is(&f, CAUSE_REFUSED, "refused by rule loop: ");
}

static const struct {
  const char *id, *slug, *severity, *sentence, *advice, *test;
} rows[] = {
#define WHY(id, slug, severity, scope, condition, sentence, advice, test) \
  {#id, slug, #severity, sentence, advice, test},
#include "trace/why.def"
#undef WHY
};

static void read_file(const char *name, char *ret, size_t bytes) {
  char path[400];
  snprintf(path, sizeof(path), "%s/%s", SRCDIR, name);
  FILE *f = fopen(path, "r");
  cr_assert(f, "%s", path);
  ret[fread(ret, 1, bytes - 1, f)] = 0;
  fclose(f);
}

/* Each row is shown by a unit above, by its name in this file. */
Test(why, each_row_has_a_unit) {
  char text[60000] = "", word[64];
  read_file("tests/unit/check_why.c", text, sizeof(text));
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    snprintf(word, sizeof(word), "CAUSE_%s,", rows[i].id);
    cr_expect(strstr(text, word), "no unit shows %s", rows[i].id);
    cr_expect(i == 0 || rows[i].advice[0], "%s advises nothing", rows[i].id);
  }
}

/* … and its fault is injected by the scenario that it names, but for those that cannot be. */
Test(why, each_row_has_a_scenario) {
  static char text[60000];
  read_file("tests/scenario/faults.py", text, sizeof(text));
  size_t n = 0;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    bool is_unit = strcmp(rows[i].test, "unit") == 0;
    n += !is_unit;
    cr_expect(is_unit || strstr(text, rows[i].test), "no scenario %s", rows[i].test);
  }
  cr_expect_geq(n, 35);
}

/* SALLYPORT_WRITE_DOCS=1 writes the page anew. */
Test(why, page_is_current) {
  static char page[60000], there[60000];
  struct text t;
  size_t n;
  text_init(&t, page, sizeof(page));
  text_add(
      &t,
      "# Why a call failed or sounded bad\n\nEach call that failed, or that was up and sounded bad, has "
      "one "
      "cause in its record (`cause`, `cause_text`), in its timeline, in the log, and in the metric "
      "`sallyport_cause_total{cause=\"…\"}`. They are asked for in this order; the first that fits is "
      "told. A word in braces stands for a figure or a name. A call that neither failed nor sounded bad "
      "has "
      "none: busy, declined, not answered and hung up while ringing are no failures.\n\n"
      "| cause | call | sentence | what to do |\n|---|---|---|---|\n");
  for (size_t i = 1; i < COUNT_OF(rows); i++)
    text_add(&t, "| `%s` | %s | %s | %s |\n", rows[i].slug,
             strcmp(rows[i].severity, "FAILED") == 0 ? "failed" : "bad", rows[i].sentence,
             rows[i].advice);
  text_add(
      &t,
      "\n`restart` is put into records that an earlier instance left open. Rows: `src/trace/why.def`; "
      "each is shown by a unit (`tests/unit/check_why.c`), and, where the fault can be injected, by a "
      "call "
      "(`tests/scenario/faults.py`).\n");
  cr_assert_eq(text_end(&t, &n), 0);
  if (getenv("SALLYPORT_WRITE_DOCS")) {
    char path[400];
    snprintf(path, sizeof(path), "%s/docs/causes.md", SRCDIR);
    FILE *f = fopen(path, "w");
    cr_assert(f && fwrite(page, 1, n, f) == n);
    fclose(f);
  }
  read_file("docs/causes.md", there, sizeof(there));
  cr_assert_str_eq(page, there, "docs/causes.md is stale: run check_why with SALLYPORT_WRITE_DOCS=1");
}
