/* SPDX-License-Identifier: Apache-2.0
 * Units of offer/answer: descriptions as real peers write them, each rule broken once, direction and
 * key rules, and the message that tells the media process. */
#include "call_rig.h"
#include "call/trunkice.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define CRLF "\r\n"
#define HEX32 \
  "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

static const char sdp_firefox[] =
    "v=0" CRLF "o=mozilla...THIS_IS_SDPARTA-99.0 5437 0 IN IP4 0.0.0.0" CRLF "s=-" CRLF "t=0 0" CRLF
    "a=sendrecv" CRLF "a=fingerprint:sha-256 " HEX32 CRLF "a=group:BUNDLE 0 1" CRLF
    "a=ice-options:trickle" CRLF "a=msid-semantic:WMS *" CRLF
    "m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101" CRLF "c=IN IP4 0.0.0.0" CRLF "a=sendrecv" CRLF
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level" CRLF
    "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1" CRLF "a=fmtp:101 0-15" CRLF
    "a=ice-pwd:0d3f1f1b0a0b0c0d0e0f101112131415" CRLF "a=ice-ufrag:6f2b9a3c" CRLF "a=mid:0" CRLF
    "a=rtcp-mux" CRLF "a=rtpmap:109 opus/48000/2" CRLF "a=rtpmap:9 G722/8000/1" CRLF
    "a=rtpmap:0 PCMU/8000" CRLF "a=rtpmap:8 PCMA/8000" CRLF "a=rtpmap:101 telephone-event/8000/1" CRLF
    "a=setup:actpass" CRLF "m=video 0 UDP/TLS/RTP/SAVPF 120" CRLF "c=IN IP4 0.0.0.0" CRLF
    "a=inactive" CRLF "a=mid:1" CRLF "a=rtpmap:120 VP8/90000" CRLF;

static const char sdp_aiortc[] =
    "v=0" CRLF "o=- 3920112345 3920112345 IN IP4 0.0.0.0" CRLF "s=-" CRLF "t=0 0" CRLF
    "a=group:BUNDLE 0" CRLF "a=msid-semantic:WMS *" CRLF "m=audio 40123 UDP/TLS/RTP/SAVPF 96 0 8" CRLF
    "c=IN IP4 10.1.2.3" CRLF "a=sendrecv" CRLF "a=mid:0" CRLF "a=msid:1111 2222" CRLF
    "a=rtcp:9 IN IP4 0.0.0.0" CRLF "a=rtcp-mux" CRLF "a=ssrc:34123 cname:abcd" CRLF
    "a=rtpmap:96 opus/48000/2" CRLF "a=rtpmap:0 PCMU/8000" CRLF "a=rtpmap:8 PCMA/8000" CRLF
    "a=candidate:1f 1 udp 2130706431 10.1.2.3 40123 typ host" CRLF
    "a=candidate:2f 1 udp 1694498815 203.0.113.5 40123 typ srflx raddr 10.1.2.3 rport 40123" CRLF
    "a=end-of-candidates" CRLF "a=ice-ufrag:Ab12" CRLF "a=ice-pwd:Ab12Ab12Ab12Ab12Ab12Ab" CRLF
    "a=fingerprint:sha-256 " HEX32 CRLF "a=setup:actpass" CRLF;

static const char sdp_baresip[] =
    "v=0" CRLF "o=- 1234567890 987654321 IN IP4 127.0.0.1" CRLF "s=-" CRLF "c=IN IP4 127.0.0.1" CRLF
    "t=0 0" CRLF "a=tool:baresip 1.1.0" CRLF "m=audio 11780 RTP/SAVP 8 0 101" CRLF "b=AS:125" CRLF
    "a=rtpmap:8 PCMA/8000" CRLF "a=rtpmap:0 PCMU/8000" CRLF "a=rtpmap:101 telephone-event/8000" CRLF
    "a=fmtp:101 0-15" CRLF "a=rtcp:11781" CRLF "a=crypto:0 AES_CM_256_HMAC_SHA1_80 "
    "inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==" CRLF
    "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^31" CRLF
    "a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz" CRLF
    "a=sendrecv" CRLF "a=label:1" CRLF "a=ptime:20" CRLF;

static const char sdp_sipp[] =
    "v=0" CRLF "o=user1 53655765 2353687637 IN IP4 127.0.0.1" CRLF "s=-" CRLF "c=IN IP4 127.0.0.1" CRLF
    "t=0 0" CRLF "m=audio 6000 RTP/AVP 0" CRLF "a=rtpmap:0 PCMU/8000" CRLF;

static const char sdp_sipp_events[] =
    "v=0" CRLF "o=user1 53655765 2353687637 IN IP4 127.0.0.1" CRLF "s=-" CRLF "c=IN IP4 127.0.0.1" CRLF
    "t=0 0" CRLF "m=audio 6000 RTP/AVP 0 101" CRLF "a=rtpmap:101 telephone-event/8000" CRLF;

static const char sdp_dtls_trunk[] =
    "v=0" CRLF "o=- 1 2 IN IP4 192.0.2.7" CRLF "s=-" CRLF "c=IN IP4 192.0.2.7" CRLF "t=0 0" CRLF
    "m=audio 30000 UDP/TLS/RTP/SAVPF 8 101" CRLF "a=rtpmap:8 PCMA/8000" CRLF
    "a=rtpmap:101 telephone-event/8000" CRLF "a=fingerprint:sha-256 " HEX32 CRLF "a=setup:actpass" CRLF
    "a=rtcp-mux" CRLF "a=sendrecv" CRLF;

static struct conf_trunk demo = {.name = "demo"}, lab = {.name = "lab", .srtp = SRTP_OFF};
static struct mset_opened opened;

static void open_media(void) {
  memset(&opened, 0, sizeof(opened));
  opened.n_addrs = 2;
  cr_assert_eq(addr_parse(&opened.rtp[0], SLICE("198.51.100.1"), 40000), 0);
  cr_assert_eq(addr_parse(&opened.rtp[1], SLICE("2001:db8::1"), 40000), 0);
  cr_assert_eq(addr_parse(&opened.rtcp, SLICE("198.51.100.1"), 40001), 0);
  opened.ssrc = 4711;
  snprintf(opened.ufrag, sizeof(opened.ufrag), "gwuf");
  snprintf(opened.pwd, sizeof(opened.pwd), "gwpwgwpwgwpwgwpwgwpwgwpw");
  snprintf(opened.cname, sizeof(opened.cname), "gwcname");
  memset(opened.fingerprint, 0xab, sizeof(opened.fingerprint));
}
TestSuite(offer, .init = open_media);

static struct ability can(enum leg_kind kind, const struct conf_trunk *t) {
  return (struct ability){.kind = kind, .trunk = t, .opened = &opened, .direction = DIR_SENDRECV};
}

/* The answer as the peer reads it. */
static struct desc answer(const struct ability *a, const char *sdp) {
  char text[16384];
  size_t n;
  struct desc offer = rig_desc(sdp), ours;
  struct verdict v = offer_check(a, &offer);
  cr_assert(verdict_is_pass(&v), "%s", v.detail);
  offer_answer(a, &offer, &ours);
  cr_assert_eq(desc_write(&ours, text, sizeof(text), &n), 0);
  return rig_desc(text);
}

static void check_webrtc_answer(const char *sdp, uint8_t n_codecs) {
  struct ability a = can(LEG_NATIVE, NULL);
  struct desc d = answer(&a, sdp), offer = rig_desc(sdp);
  cr_expect_eq(d.audio.profile, offer.audio.profile);
  cr_expect_eq(d.audio.setup, SETUP_PASSIVE);
  cr_expect_str_eq(d.audio.ufrag, "gwuf");
  cr_expect_str_eq(d.audio.mid, offer.audio.mid);
  cr_expect(d.audio.rtcp_mux && d.audio.ice_lite && d.audio.end_of_candidates && d.bundle);
  cr_expect_eq(d.audio.n_candidates, 2);
  cr_expect_eq(d.audio.fingerprint_bytes, 32);
  cr_expect_eq(d.n_media, offer.n_media);
  cr_expect_eq(d.audio.n_codecs, n_codecs);
  cr_expect_neq(d.audio.codecs[0].kind, CODEC_TELEV);
  for (uint8_t i = 0; i < d.audio.n_codecs; i++) {
    const struct desc_codec *c = &d.audio.codecs[i];
    const struct desc_codec *o = desc_codec_find(&offer.audio, (enum codec_kind)c->kind, c->clock_hz);
    cr_expect(o && o->pt == c->pt, "the offer's payload types stay");
  }
  for (uint8_t i = 1; i < d.n_media; i++)
    cr_expect_eq(d.media[i].port, 0, "other m-lines are refused");
}

Test(offer, chromium) {
  check_webrtc_answer(sdp_chromium, 6); /* four codecs, events at 48000 and 8000 */
}
Test(offer, firefox) { check_webrtc_answer(sdp_firefox, 5); }
Test(offer, aiortc) { check_webrtc_answer(sdp_aiortc, 3); }

static void check_order(const struct ability *a, const char *sdp, const uint8_t *kinds, uint8_t n) {
  struct desc d = answer(a, sdp);
  cr_assert_geq(d.audio.n_codecs, n);
  for (uint8_t i = 0; i < n; i++)
    cr_expect_eq(d.audio.codecs[i].kind, kinds[i], "place %u", i);
}

Test(offer, where_digits_are_tones_no_events_are_agreed) {
  struct conf_trunk tones = lab;
  struct ability a = can(LEG_TRUNK, &tones);
  struct desc d = answer(&a, sdp_sipp_events);
  cr_expect(desc_codec_find(&d.audio, CODEC_TELEV, 8000));
  offer_make(&a, &d);
  cr_expect(desc_codec_find(&d.audio, CODEC_TELEV, 8000));
  tones.dtmf = DTMF_INBAND;
  d = answer(&a, sdp_sipp_events);
  cr_expect(d.audio.n_codecs && !desc_codec_find(&d.audio, CODEC_TELEV, 8000));
  offer_make(&a, &d);
  cr_expect(d.audio.n_codecs && !desc_codec_find(&d.audio, CODEC_TELEV, 8000));
}

Test(offer, codec_policy_orders_the_answer_of_an_app) {
  static const uint8_t cost[] = {CODEC_PCMU, CODEC_PCMA, CODEC_G722, CODEC_OPUS, CODEC_TELEV},
                       quality[] = {CODEC_OPUS, CODEC_G722, CODEC_PCMU, CODEC_PCMA, CODEC_TELEV};
  struct ability a = can(LEG_NATIVE, NULL);
  a.policy = CODEC_POLICY_COST;
  check_order(&a, sdp_chromium, cost, COUNT_OF(cost));
  a.policy = CODEC_POLICY_QUALITY;
  check_order(&a, sdp_chromium, quality, COUNT_OF(quality));
}

Test(offer, a_trunk_gets_one_codec_of_its_own_list) {
  static const uint8_t first[] = {CODEC_PCMA, CODEC_TELEV}, set[] = {CODEC_PCMU, CODEC_TELEV};
  struct conf_trunk t = {.name = "one"};
  struct ability a = can(LEG_TRUNK, &t);
  check_order(&a, sdp_baresip, first, COUNT_OF(first));
  t.codecs.n = 2;
  snprintf(t.codecs.text[0], CONF_NAME_BYTES, "opus");
  snprintf(t.codecs.text[1], CONF_NAME_BYTES, "PCMU");
  check_order(&a, sdp_baresip, set, COUNT_OF(set));
  struct desc ours, theirs = rig_desc(sdp_baresip);
  offer_make(&a, &ours);
  cr_expect_eq(ours.audio.codecs[0].kind, CODEC_OPUS);
  cr_expect_eq(ours.audio.codecs[1].kind, CODEC_PCMU);
  cr_expect_null(desc_codec_find(&ours.audio, CODEC_PCMA, 8000), "not set for this trunk");
  cr_expect_not_null(desc_codec_find(&ours.audio, CODEC_TELEV, 48000), "Opus has events of its clock");
  cr_expect_not_null(desc_codec_find(&ours.audio, CODEC_CN, 8000));
  t.codecs.n = 1;
  struct verdict v = offer_check(&a, &theirs);
  cr_expect_eq(v.refusal, REFUSE_CODEC);
  cr_expect_not_null(strstr(v.detail, "opus must be offered"), "%s", v.detail);
}

static struct verdict check(const struct ability *a, const char *sdp) {
  struct desc d = rig_desc(sdp);
  return offer_check(a, &d);
}

Test(offer, keys_by_dtls_where_the_trunk_says_so) {
  struct conf_trunk t = {.name = "dtls", .key_exchange = KEYS_DTLS};
  struct ability a = can(LEG_TRUNK, &t), sdes = can(LEG_TRUNK, &demo);
  struct mset_remote r = {0};
  static struct leg_inner in;
  static struct call_inner call;
  cr_expect_eq(check(&sdes, sdp_dtls_trunk).refusal, REFUSE_SRTP);
  cr_expect_eq(check(&a, sdp_baresip).refusal, REFUSE_SRTP, "no keys in the description");
  struct desc d = answer(&a, sdp_dtls_trunk), offer = rig_desc(sdp_dtls_trunk), ours;
  cr_expect_eq(d.audio.profile, PROFILE_DTLS_SAVPF);
  cr_expect_eq(d.audio.setup, SETUP_PASSIVE);
  cr_expect(d.audio.rtcp_mux && d.audio.fingerprint_bytes == 32 && d.audio.n_crypto == 0);
  cr_expect(!d.audio.ufrag[0] && d.audio.n_candidates == 0, "no ICE");
  offer_answer(&a, &offer, &ours);
  in.leg.inner = &in;
  in.leg.call = &call.call;
  in.leg.kind = LEG_TRUNK;
  remote_fill(&r, &in.leg, &ours, &offer, true);
  cr_expect(r.security == MSET_DTLS && r.fingerprint_bytes == 32 && !r.dtls_active && r.rtcp_mux);
  cr_expect_eq(addr_port(&r.rtp), 30000);
  a.local = &ours;
  cr_expect_eq(check(&a, sdp_sipp).refusal, REFUSE_SRTP, "secured stays secured");
}

Test(offer, our_offer_of_dtls_and_its_answers) {
  struct conf_trunk t = {.name = "dtls", .key_exchange = KEYS_DTLS};
  struct ability a = can(LEG_TRUNK, &t);
  struct desc ours, theirs = rig_desc(sdp_dtls_trunk), bad;
  offer_make(&a, &ours);
  cr_expect(ours.audio.profile == PROFILE_DTLS_SAVP && ours.audio.setup == SETUP_ACTPASS);
  cr_expect(ours.audio.n_crypto == 0 && ours.audio.rtcp_mux);
  theirs.audio.setup = SETUP_ACTIVE;
  cr_expect_eq(answer_check(&ours, &theirs).refusal, REFUSE_NONE);
  bad = theirs, bad.audio.setup = SETUP_ACTPASS;
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_SDP);
  bad = theirs, bad.audio.rtcp_mux = false;
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_NONE, "it has no RTCP then");
  bad = theirs, bad.audio.profile = PROFILE_AVP;
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_SRTP);
  bad = theirs, bad.audio.fingerprint_bytes = 0, bad.audio.fingerprint_alg[0] = 0;
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_SDP);
}

Test(offer, any_means_as_the_peer_offers) {
  struct conf_trunk t = {.name = "any", .key_exchange = KEYS_ANY};
  struct ability a = can(LEG_TRUNK, &t);
  cr_expect_eq(answer(&a, sdp_dtls_trunk).audio.fingerprint_bytes, 32);
  cr_expect_eq(answer(&a, sdp_baresip).audio.n_crypto, 1);
  struct desc ours;
  offer_make(&a, &ours);
  cr_expect(ours.audio.profile == PROFILE_SAVP && ours.audio.n_crypto > 0);
}

Test(offer, ptime_is_what_the_peer_asks_for) {
  static const struct {
    uint16_t ptime, max;
    uint32_t ms;
  } rows[] = {{0, 0, 20},   {30, 0, 30},  {20, 150, 20}, {0, 10, 10},
              {40, 20, 20}, {200, 0, 60}, {5, 0, 10},    {25, 0, 20}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct desc_audio a = {.ptime_ms = rows[i].ptime, .maxptime_ms = rows[i].max};
    cr_expect_eq(ptime_of(&a), rows[i].ms, "row %zu", i);
  }
}

Test(offer, baresip_with_sdes) {
  struct ability a = can(LEG_TRUNK, &demo);
  struct desc d = answer(&a, sdp_baresip);
  cr_assert_eq(d.audio.profile, PROFILE_SAVP);
  cr_assert_eq(d.audio.n_crypto, 1);
  cr_assert_eq(d.audio.crypto[0].tag, 2,
               "the first that we know, in the offerer's order, but the short tag last");
  cr_assert_eq(d.audio.crypto[0].key.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
  cr_assert_eq(d.audio.codecs[0].kind, CODEC_PCMA);
  cr_assert_eq(d.audio.n_codecs, 2);
  cr_assert_eq(addr_port(&d.audio.rtcp), 40001);
  cr_assert_not(d.audio.rtcp_mux);
  demo.suites.n = 1;
  snprintf(demo.suites.text[0], CONF_NAME_BYTES, "AES_CM_128_HMAC_SHA1_32");
  d = answer(&a, sdp_baresip);
  cr_assert_eq(d.audio.crypto[0].tag, 1, "the trunk allows only this suite");
  demo.suites.n = 0;
}

Test(offer, sipp_on_the_lab_trunk_only) {
  struct ability a = can(LEG_TRUNK, &lab), strict = can(LEG_TRUNK, &demo);
  struct desc d = answer(&a, sdp_sipp), o = rig_desc(sdp_sipp);
  cr_assert_eq(d.audio.profile, PROFILE_AVP);
  cr_assert_eq(d.audio.n_crypto, 0);
  cr_assert_eq(d.audio.n_codecs, 1);
  cr_assert_eq(offer_check(&strict, &o).refusal, REFUSE_SRTP);
}

Test(offer, a_secured_stream_stays_secured_even_where_plain_is_allowed) {
  struct ability a = can(LEG_TRUNK, &lab);
  struct desc ours = answer(&a, sdp_baresip), plain = rig_desc(sdp_sipp);
  cr_assert_eq(ours.audio.n_crypto, 1, "SRTP where it is offered");
  cr_assert_eq(offer_check(&a, &plain).refusal, REFUSE_NONE);
  a.local = &ours;
  cr_assert_eq(offer_check(&a, &plain).refusal, REFUSE_SRTP);
}

/* Each rule broken once: (what is replaced, by what) → the row of refusals. */
Test(offer, refusals) {
  static const struct {
    const char *sdp, *what, *by;
    enum refusal refusal;
  } rows[] = {
      {sdp_aiortc, "a=rtcp-mux" CRLF, "", REFUSE_SDP},
      {sdp_aiortc, "a=ice-ufrag:Ab12" CRLF, "", REFUSE_SDP},
      {sdp_aiortc, "a=ice-pwd:Ab12Ab12Ab12Ab12Ab12Ab" CRLF, "", REFUSE_SDP},
      {sdp_aiortc, "a=fingerprint:sha-256 " HEX32 CRLF, "", REFUSE_SDP},
      {sdp_aiortc, "a=setup:actpass", "a=setup:holdconn", REFUSE_SDP},
      {sdp_aiortc, "UDP/TLS/RTP/SAVPF 96 0 8", "UDP/TLS/RTP/SAVPF 97", REFUSE_CODEC},
      {sdp_aiortc, "UDP/TLS/RTP/SAVPF", "RTP/SAVPF", REFUSE_SDP},
      {sdp_aiortc, "m=audio 40123", "m=audio 0", REFUSE_NO_AUDIO},
      {sdp_baresip, "RTP/SAVP 8", "UDP/TLS/RTP/SAVP 8",
       REFUSE_NONE}, /* SDES in a line of DTLS's profile */
      {sdp_sipp, "RTP/AVP", "UDP/TLS/RTP/SAVP", REFUSE_SRTP},
      {sdp_baresip, "RTP/SAVP 8", "RTP/AVP 8", REFUSE_SRTP},
      {sdp_baresip, "AES_CM_128_HMAC_SHA1_80", "NULL_HMAC_SHA1_80", REFUSE_NONE},
      {sdp_baresip, "RTP/SAVP 8 0 101", "RTP/SAVP 101 18", REFUSE_CODEC},
      {sdp_sipp, "m=audio", "m=video", REFUSE_NO_AUDIO},
      {sdp_sipp, "m=audio 6000 RTP/AVP 0", "m=image 6000 udptl t38", REFUSE_FAX},
      {sdp_sipp, "m=audio 6000 RTP/AVP 0", "m=audio 0 RTP/AVP 0" CRLF "m=image 6000 udptl t38",
       REFUSE_FAX},
      {sdp_sipp, "m=audio 6000 RTP/AVP 0", "m=audio 6000 RTP/AVP 0" CRLF "m=image 6002 udptl t38",
       REFUSE_NONE}, /* the audio is taken, the image refused in its place */
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char text[8192];
    const char *at = strstr(rows[i].sdp, rows[i].what);
    cr_assert(at, "row %zu", i);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - rows[i].sdp), rows[i].sdp, rows[i].by,
             at + strlen(rows[i].what));
    struct ability a =
        can(rows[i].sdp == sdp_aiortc ? LEG_NATIVE : LEG_TRUNK, rows[i].sdp == sdp_sipp ? &lab : &demo);
    struct desc d;
    struct desc_fault f;
    if (desc_parse(&d, slice_of(text), &f) < 0)
      continue;
    struct verdict v = offer_check(&a, &d);
    cr_expect_eq(v.refusal, rows[i].refusal, "row %zu: %s", i, v.detail);
  }
}

Test(offer, our_offers) {
  struct ability native = can(LEG_NATIVE, NULL), trunk = can(LEG_TRUNK, &demo),
                 plain = can(LEG_TRUNK, &lab);
  struct desc d;
  char text[16384];
  size_t n;
  offer_make(&trunk, &d);
  cr_assert_eq(d.audio.n_crypto, 4);
  for (uint8_t i = 0; i < 4; i++)
    for (uint8_t k = 0; k < i; k++)
      cr_expect(memcmp(d.audio.crypto[i].key.bytes, d.audio.crypto[k].key.bytes, 16) != 0,
                "a key for each");
  cr_assert_eq(desc_write(&d, text, sizeof(text), &n), 0);
  cr_assert(strstr(text, "RTP/SAVP 0 8 101"), "%s", text);
  offer_make(&plain, &d);
  cr_assert_eq(d.audio.profile, PROFILE_AVP);
  cr_assert_eq(d.audio.n_crypto, 0);
  offer_make(&native, &d);
  cr_assert_eq(desc_write(&d, text, sizeof(text), &n), 0);
  struct desc back = rig_desc(text);
  cr_assert_eq(back.audio.setup, SETUP_ACTPASS);
  cr_assert_str_eq(back.audio.mid, "0");
  cr_assert(back.bundle);
}

/* Metrics where both the trunk's setting and the peer say so; levels and reduced size toward apps. */
Test(offer, reports_and_levels) {
  static const char with_xr[] =
      "v=0" CRLF "o=user1 5 2 IN IP4 127.0.0.1" CRLF "s=-" CRLF "c=IN IP4 127.0.0.1" CRLF "t=0 0" CRLF
      "m=audio 6000 RTP/AVP 0" CRLF "a=rtcp-xr:voip-metrics" CRLF;
  struct conf_trunk xr = lab;
  struct ability plain = can(LEG_TRUNK, &lab), takes = can(LEG_TRUNK, &xr), app = can(LEG_NATIVE, NULL);
  struct desc d;
  xr.rtcp_xr = true;
  cr_assert_not(answer(&plain, with_xr).audio.rtcp_xr_voip);
  cr_assert_not(answer(&takes, sdp_sipp).audio.rtcp_xr_voip);
  cr_assert(answer(&takes, with_xr).audio.rtcp_xr_voip);
  offer_make(&takes, &d);
  cr_assert(d.audio.rtcp_xr_voip && !d.audio.level_ext && !d.audio.rtcp_rsize);
  offer_make(&app, &d);
  cr_assert(!d.audio.rtcp_xr_voip && d.audio.level_ext == 1 && d.audio.rtcp_rsize);
  d = answer(&app, sdp_firefox);
  cr_assert(d.audio.level_ext == 1 && !d.audio.rtcp_rsize);
  cr_assert_not(answer(&app, sdp_aiortc).audio.level_ext);
}

Test(offer, answers_that_do_not_fit) {
  struct ability trunk = can(LEG_TRUNK, &demo);
  struct desc ours, d = rig_desc(sdp_trunk_answer), bad;
  offer_make(&trunk, &ours);
  cr_assert_eq(answer_check(&ours, &d).refusal, REFUSE_NONE);
  bad = d, bad.audio.crypto[0].tag = 9;
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_SRTP);
  bad = d, bad.audio.crypto[0].tag = 4; /* another suite than the one with this tag */
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_SRTP);
  bad = d, bad.audio.n_crypto = 0;
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_SRTP);
  bad = d, bad.audio.profile = PROFILE_AVP;
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_SRTP);
  bad = d, addr_set_port(&bad.audio.rtp, 0);
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_NO_AUDIO);
  bad = d, bad.audio.codecs[0].kind = CODEC_OPUS;
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_CODEC);
  struct ability native = can(LEG_NATIVE, NULL);
  offer_make(&native, &ours);
  d = rig_desc(sdp_device_answer);
  cr_assert_eq(answer_check(&ours, &d).refusal, REFUSE_NONE);
  bad = d, bad.audio.setup = SETUP_ACTPASS;
  cr_expect_eq(answer_check(&ours, &bad).refusal, REFUSE_SDP);
}

/* The message to the media process: whose key is whose, payload types, who may send. */
Test(offer, what_the_media_process_is_told) {
  struct call_inner call = {0};
  struct leg_inner in = {.leg = {.kind = LEG_TRUNK, .trunk = &demo}};
  struct mset_remote r = {0};
  struct ability a = can(LEG_TRUNK, &demo);
  struct desc offer = rig_desc(sdp_baresip), ours;
  in.leg.inner = &in;
  in.leg.call = &call.call;
  demo.media_sources.n = 1;
  snprintf(demo.media_sources.text[0], CONF_NAME_BYTES, "203.0.113.0/24");
  demo.symmetric = SYMMETRIC_AUTO;
  offer_answer(&a, &offer, &ours);
  remote_fill(&r, &in.leg, &ours, &offer, true);
  cr_expect_eq(r.security, MSET_SDES);
  cr_expect_eq(memcmp(&r.tx, &ours.audio.crypto[0].key, sizeof(r.tx)), 0);
  cr_expect_eq(memcmp(&r.rx, &offer.audio.crypto[2].key, sizeof(r.rx)), 0);
  cr_expect_eq(r.n_codecs, 2);
  cr_expect_eq(r.codecs[0].pt, 8);
  cr_expect_eq(r.codecs[1].kind, CODEC_TELEV);
  cr_expect_eq(r.symmetric, MSET_SYMMETRIC_AUTO);
  cr_expect_eq(r.n_sources, 1);
  cr_expect_eq(addr_port(&r.rtp), 11780);
  cr_expect_eq(addr_port(&r.rtcp), 11781);
  cr_expect(r.send && r.recv && !r.rtcp_mux && !r.rtcp_off);
  offer.audio.rtcp_mute[0] = offer.audio.rtcp_mute[1] = true;
  remote_fill(&r, &in.leg, &ours, &offer, true);
  cr_expect(r.rtcp_off);
  memset(&r, 0, sizeof(r));
  in.leg.kind = LEG_NATIVE;
  a = can(LEG_NATIVE, NULL);
  offer = rig_desc(sdp_chromium);
  offer_answer(&a, &offer, &ours);
  remote_fill(&r, &in.leg, &ours, &offer, true);
  cr_expect_eq(r.security, MSET_DTLS);
  cr_expect_str_eq(r.ufrag, "aaaa");
  cr_expect_eq(r.dtls_active, 0);
  cr_expect_eq(r.n_codecs, 6);
  cr_expect(r.send && r.recv && r.rtcp_mux, "c=0.0.0.0 is no hold in WebRTC");
  cr_expect_eq(r.codecs[0].kind, CODEC_PCMU, "the answer's order, not the offer's");
  cr_expect_eq(r.codecs[3].kind, CODEC_OPUS);
  cr_expect_eq(r.codecs[3].pt, 111);
  cr_expect_eq(r.codecs[3].flags, MSET_CODEC_FEC);
  cr_expect_eq(r.codecs[3].channels, 2);
  memset(&r, 0, sizeof(r));
  remote_fill(&r, &in.leg, &ours, &offer, false);
  cr_expect_eq(r.codecs[0].kind, CODEC_OPUS, "theirs is the answer");
}

/* ICE of trunks ------------------------------------------------------------------------------------- */
#define ICE_LINES \
  "a=ice-ufrag:Ab12" CRLF "a=ice-pwd:Ab12Ab12Ab12Ab12Ab12Ab" CRLF \
  "a=candidate:1f 1 UDP 2130706431 192.0.2.7 30000 typ host" CRLF \
  "a=candidate:1f 2 UDP 2130706430 192.0.2.7 30001 typ host" CRLF \
  "a=candidate:2f 1 TCP 1694498815 192.0.2.7 9 typ host" CRLF \
  "a=candidate:3f 1 UDP 1000 203.0.113.5 40123 typ relay raddr 192.0.2.7 rport 30000" CRLF
#define ICE_TRUNK(lite, mux) \
  "v=0" CRLF "o=- 1 2 IN IP4 192.0.2.7" CRLF "s=-" CRLF "c=IN IP4 192.0.2.7" CRLF "t=0 0" CRLF lite \
  "m=audio 30000 RTP/AVP 0" CRLF mux ICE_LINES

static struct conf_trunk ice_trunk = {.name = "ice", .srtp = SRTP_OFF, .ice = CONF_ICE_FULL};

static void open_ice(void) {
  opened.n_candidates = 2;
  opened.candidates[0] =
      (struct mset_candidate){.address = opened.rtp[0], .priority = 100, .component = 1};
  opened.candidates[1] = (struct mset_candidate){
      .address = opened.rtp[0], .priority = 5, .component = 1, .type = CAND_RELAY};
  snprintf(opened.candidates[0].foundation, sizeof(opened.candidates[0].foundation), "1");
  snprintf(opened.candidates[1].foundation, sizeof(opened.candidates[1].foundation), "2");
}

Test(offer, ice_of_a_trunk_is_answered_where_it_is_set) {
  struct ability a = can(LEG_TRUNK, &ice_trunk), off = can(LEG_TRUNK, &lab);
  open_ice();
  struct desc d = answer(&a, ICE_TRUNK("", "a=rtcp-mux" CRLF));
  cr_expect_str_eq(d.audio.ufrag, "gwuf");
  cr_expect(d.audio.rtcp_mux && !d.audio.ice_lite);
  cr_expect_eq(d.audio.n_candidates, 2);
  cr_expect_eq(d.audio.candidates[1].type, CAND_RELAY);
  d = answer(&off, ICE_TRUNK("", "a=rtcp-mux" CRLF));
  cr_expect(!d.audio.ufrag[0] && !d.audio.n_candidates, "a trunk that is not set to it");
  d = answer(&a, ICE_TRUNK("", ""));
  cr_expect(!d.audio.ufrag[0] && !d.audio.rtcp_mux, "two ports: without ICE");
  ice_trunk.ice = CONF_ICE_LITE;
  d = answer(&a, ICE_TRUNK("", "a=rtcp-mux" CRLF));
  cr_expect(d.audio.ice_lite);
  ice_trunk.ice = CONF_ICE_FULL;
}

Test(offer, an_app_may_renominate) {
  struct ability a = can(LEG_NATIVE, NULL);
  struct desc ours;
  char text[16384];
  size_t n;
  offer_make(&a, &ours);
  cr_assert_eq(desc_write(&ours, text, sizeof(text), &n), 0);
  cr_assert(strstr(text, CRLF "a=ice-options:trickle renomination" CRLF));
  a = can(LEG_TRUNK, &ice_trunk);
  open_ice();
  offer_make(&a, &ours);
  cr_assert_eq(desc_write(&ours, text, sizeof(text), &n), 0);
  cr_assert_null(strstr(text, "ice-options"));
}

Test(offer, ice_in_our_offer_to_a_trunk) {
  struct ability a = can(LEG_TRUNK, &ice_trunk);
  struct desc ours, theirs;
  open_ice();
  offer_make(&a, &ours);
  cr_expect_str_eq(ours.audio.pwd, "gwpwgwpwgwpwgwpwgwpwgwpw");
  cr_expect(ours.audio.rtcp_mux && ours.audio.n_candidates == 2);
  theirs = rig_desc(ICE_TRUNK("a=ice-lite" CRLF, "a=rtcp-mux" CRLF));
  cr_expect(trunkice_is_agreed(&ours.audio, &theirs.audio));
  theirs = rig_desc(ICE_TRUNK("a=ice-lite" CRLF, ""));
  cr_expect_not(trunkice_is_agreed(&ours.audio, &theirs.audio));
  theirs = rig_desc(sdp_sipp);
  cr_expect_not(trunkice_is_agreed(&ours.audio, &theirs.audio));
  ice_trunk.ice = CONF_ICE_LITE;
  offer_make(&a, &ours);
  theirs = rig_desc(ICE_TRUNK("a=ice-lite" CRLF, "a=rtcp-mux" CRLF));
  cr_expect_not(trunkice_is_agreed(&ours.audio, &theirs.audio), "two lite agents would both wait");
  ice_trunk.ice = CONF_ICE_FULL;
}

Test(offer, the_flags_of_a_leg_with_ice) {
  struct desc with = rig_desc(ICE_TRUNK("", "a=rtcp-mux" CRLF)), without = rig_desc(sdp_sipp);
  cr_expect_eq(trunkice_flags(&ice_trunk, NULL), MSET_OPEN_ICE | MSET_OPEN_CONTROLLING);
  cr_expect_eq(trunkice_flags(&ice_trunk, &with), MSET_OPEN_ICE);
  cr_expect_eq(trunkice_flags(&ice_trunk, &without), 0);
  cr_expect_eq(trunkice_flags(&lab, NULL), 0);
  ice_trunk.ice = CONF_ICE_LITE;
  cr_expect_eq(trunkice_flags(&ice_trunk, NULL), MSET_OPEN_ICE | MSET_OPEN_LITE);
  ice_trunk.ice = CONF_ICE_FULL;
}

Test(offer, the_media_process_gets_the_candidates) {
  static struct desc_audio many;
  struct mset_candidates m = {.n_candidates = 0};
  struct mset_remote r = {.ufrag = "old"};
  struct ability a = can(LEG_TRUNK, &ice_trunk);
  struct desc ours, theirs = rig_desc(ICE_TRUNK("a=ice-lite" CRLF, "a=rtcp-mux" CRLF));
  open_ice();
  offer_make(&a, &ours);
  trunkice_remote(&r, &ours.audio, &theirs.audio);
  cr_expect_str_eq(r.ufrag, "Ab12");
  cr_expect_eq(r.peer_lite, 1);
  cr_assert(trunkice_candidates(&theirs.audio, 0, &m));
  cr_expect_eq(m.n_candidates, 2, "UDP, component 1");
  cr_expect_eq(m.is_end, 1);
  cr_expect_eq(m.candidates[1].type, CAND_RELAY);
  cr_expect_str_eq(m.candidates[1].foundation, "3f");
  cr_expect_not(trunkice_candidates(&theirs.audio, 1, &m));
  many.n_candidates = 20;
  for (unsigned i = 0; i < 20; i++)
    many.candidates[i] = (struct desc_candidate){.component = 1, .is_udp = true, .priority = i + 1};
  cr_assert(trunkice_candidates(&many, 0, &m));
  cr_expect(m.n_candidates == MSET_CANDIDATES_MAX && !m.is_end);
  cr_assert(trunkice_candidates(&many, 1, &m));
  cr_expect(m.n_candidates == 4 && m.is_end);
  theirs = rig_desc(sdp_sipp);
  trunkice_remote(&r, &ours.audio, &theirs.audio);
  cr_expect_str_eq(r.ufrag, "");
}

Test(offer, direction_is_cut_to_what_we_want) {
  struct ability a = can(LEG_TRUNK, &demo);
  a.direction = DIR_SEND; /* our user holds, the peer hears the tone */
  struct desc d = answer(&a, sdp_baresip);
  cr_assert_eq(d.audio.direction, DIR_SEND);
  a.direction = DIR_INACTIVE;
  d = answer(&a, sdp_baresip);
  cr_assert_eq(d.audio.direction, DIR_INACTIVE);
}
