/* SPDX-License-Identifier: Apache-2.0
 * Units of wire/desc, cand and crypto. */
#include "base/clock.h"
#include "wire/cand.h"
#include "wire/crypto.h"
#include "wire/desc.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define HEAD "v=0\r\no=- 7 2 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
#define KEY30 "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
#define FP32 \
  "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99"

static int parse(struct desc *d, const char *text, struct desc_fault *fault) {
  return desc_parse(d, slice_of(text), fault);
}

static struct desc good(const char *text) {
  struct desc d;
  struct desc_fault fault;
  cr_assert_eq(parse(&d, text, &fault), 0, "line %u: %s", fault.line, fault.rule);
  return d;
}

static char *load(const char *name, char *buf, size_t bytes) {
  char path[512];
  snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/desc/%s",
           getenv("SRCDIR") ? getenv("SRCDIR") : SRCDIR, name);
  FILE *f = fopen(path, "rb");
  cr_assert_not_null(f, "%s", path);
  buf[fread(buf, 1, bytes - 1, f)] = 0;
  fclose(f);
  return buf;
}

Test(desc, plain_offer_with_static_types) {
  struct desc d = good(HEAD "m=audio 40000 RTP/AVP 0 8 9 13 101\r\na=rtpmap:101 telephone-event/8000\r\n"
                            "a=fmtp:101 0-16\r\na=ptime:20\r\n");
  const struct desc_audio *a = &d.audio;
  cr_assert(d.has_audio);
  cr_assert_eq(d.session_id, 7);
  cr_assert_eq(a->profile, PROFILE_AVP);
  cr_assert_eq(a->direction, DIR_SENDRECV);
  cr_assert_eq(a->n_codecs, 5);
  cr_assert_eq(a->codecs[0].kind, CODEC_PCMU);
  cr_assert_eq(a->codecs[1].kind, CODEC_PCMA);
  cr_assert_eq(a->codecs[2].kind, CODEC_G722);
  cr_assert_eq(a->codecs[3].kind, CODEC_CN);
  cr_assert_eq(desc_codec_find(a, CODEC_TELEV, 8000)->pt, 101);
  cr_assert_null(desc_codec_find(a, CODEC_TELEV, 48000));
  cr_assert_str_eq(a->codecs[4].fmtp, "0-16");
  cr_assert_eq(addr_port(&a->rtp), 40000);
  cr_assert_eq(addr_port(&a->rtcp), 40001);
  cr_assert_eq(a->ptime_ms, 20);
}

Test(desc, lines_may_end_with_lf_only) {
  struct desc d =
      good("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4 RTP/AVP 0\n");
  cr_assert_eq(d.audio.n_codecs, 1);
}

Test(desc, the_text_that_hangs_another_parser) {
  struct desc d;
  struct desc_fault fault;
  uint64_t before = clock_now_us();
  cr_assert_eq(parse(&d, HEAD "m=audio 5000 UDP/TLS/RTP/SAVPF 111 [\r\n", &fault), -EBADMSG);
  cr_assert_lt(clock_now_us() - before, 100000);
  cr_assert_str_eq(fault.rule, "payload types 0-127 in m=audio");
  cr_assert_eq(fault.line, 6);
  cr_assert_eq(d.n_media, 0, "wiped on error");
}

Test(desc, faults_name_line_and_rule) {
  static const struct {
    const char *text;
    int error;
    uint32_t line;
    const char *rule;
  } rows[] = {
      {"", -EBADMSG, 0, "an o= line"},
      {"o=- 1 1 IN IP4 192.0.2.1\r\n", -EBADMSG, 1, "v=0 as the first line, once"},
      {"v=1\r\n", -EBADMSG, 1, "v=0"},
      {"v=0\r\nv=0\r\n", -EBADMSG, 2, "v=0 as the first line, once"},
      {"v=0\r\no=- x 1 IN IP4 192.0.2.1\r\n", -EBADMSG, 2, "one o=USER ID VERSION IN IP4 ADDRESS"},
      {HEAD "hello\r\n", -EBADMSG, 6, "a line of the form x=value"},
      {HEAD "\r\nm=audio 4 RTP/AVP 0\r\n", -EBADMSG, 6, "a line of the form x=value"},
      {HEAD "s=a\rb\r\n", -EBADMSG, 6, "a line without control characters"},
      {HEAD "m=audio 4\r\n", -EBADMSG, 6, "m=MEDIA PORT PROTO FORMATS"},
      {HEAD "m=audio 4 RTP/AVP\r\n", -EBADMSG, 6, "m=MEDIA PORT PROTO FORMATS"},
      {HEAD "m=audio 99999 RTP/AVP 0\r\n", -EBADMSG, 6, "m=MEDIA PORT PROTO FORMATS"},
      {HEAD "m=audio 4 RTP/AVP 128\r\n", -EBADMSG, 6, "payload types 0-127 in m=audio"},
      {HEAD "m=audio 4 RTP/AVP 96\r\na=rtpmap:96 x\r\n", -EBADMSG, 7,
       "a=rtpmap:PT NAME/CLOCK[/CHANNELS]"},
      {HEAD "m=audio 4 RTP/AVP 0\r\na=setup:sometimes\r\n", -EBADMSG, 7,
       "a=setup: actpass, active, passive or holdconn"},
      {HEAD "m=audio 4 RTP/AVP 0\r\na=ice-pwd:short\r\n", -EBADMSG, 7,
       "a=ice-pwd of 22 to 256 characters"},
      {HEAD "m=audio 4 RTP/AVP 0\r\na=fingerprint:sha-256 AA:BB\r\n", -EBADMSG, 7,
       "a=fingerprint:ALGORITHM and as many bytes as it has"},
      {HEAD "m=audio 4 RTP/AVP 0\r\na=candidate:1 1 udp x\r\n", -EBADMSG, 7,
       "at most 64 a=candidate, of the form of RFC 8839"},
      {HEAD "m=audio 4 RTP/AVP 0\r\nc=IN IP4 2001:db8::1\r\n", -EBADMSG, 7,
       "c=IN IP4 ADDRESS or c=IN IP6 ADDRESS"},
      {"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4 RTP/AVP 0\r\n", -EBADMSG, 0,
       "c= with an address literal for m=audio"},
      {"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 host.example\r\nm=audio 4 RTP/AVP 0\r\n", -EBADMSG,
       0, "c= with an address literal for m=audio"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct desc d;
    struct desc_fault fault;
    cr_assert_eq(parse(&d, rows[i].text, &fault), rows[i].error, "row %zu", i);
    cr_assert_str_eq(fault.rule, rows[i].rule, "row %zu: %s", i, fault.rule);
    cr_assert_eq(fault.line, rows[i].line, "row %zu: line %u", i, fault.line);
  }
}

static int parse_repeated(const char *head, const char *line, unsigned times) {
  static char text[4 * DESC_TEXT_MAX_BYTES];
  struct desc d;
  struct desc_fault fault;
  size_t n = (size_t)snprintf(text, sizeof(text), "%s", head);
  for (unsigned i = 0; i < times; i++)
    n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", line);
  int r = desc_parse(&d, slice_from(text, n), &fault);
  return r;
}

Test(desc, limits) {
  const char *audio = HEAD "m=audio 4 RTP/AVP 0\r\n",
             *cand = "a=candidate:1 1 udp 1 192.0.2.1 4 typ host\r\n";
  cr_assert_eq(parse_repeated(audio, cand, 64), 0);
  cr_assert_eq(parse_repeated(audio, cand, 65), -E2BIG);
  cr_assert_eq(parse_repeated(HEAD, "m=video 4 RTP/AVP 31\r\n", 16), 0);
  cr_assert_eq(parse_repeated(HEAD, "m=video 4 RTP/AVP 31\r\n", 17), -E2BIG);
  cr_assert_eq(parse_repeated(audio, "a=x:0123456789012345678901234567890123456789\r\n", 720), -E2BIG);
  cr_assert_eq(parse_repeated(HEAD "a=", "x", 4094), 0);
  cr_assert_eq(parse_repeated(HEAD "a=", "x", 4095), -E2BIG);
  cr_assert_eq(parse_repeated(audio, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n", 20), 0);
}

Test(desc, no_rtcp_by_bandwidths) {
  static const struct {
    const char *text;
    bool rs, rr;
  } rows[] = {{HEAD "m=audio 4 RTP/AVP 0\r\nb=RS:0\r\nb=RR:0\r\n", true, true},
              {HEAD "b=RS:0\r\nb=RR:0\r\nm=audio 4 RTP/AVP 0\r\n", true, true},
              {HEAD "b=RS:0\r\nb=RR:0\r\nm=audio 4 RTP/AVP 0\r\nb=RR:800\r\n", true, false},
              {HEAD "m=audio 4 RTP/AVP 0\r\nb=AS:0\r\nb=RS:00\r\nb=RR:x\r\n", true, false},
              {HEAD "m=video 6 RTP/AVP 9\r\nb=RS:0\r\nb=RR:0\r\nm=audio 4 RTP/AVP 0\r\n", false, false},
              {HEAD "m=audio 4 RTP/AVP 0\r\nm=video 6 RTP/AVP 9\r\nb=RS:0\r\nb=RR:0\r\n", false, false},
              {HEAD "m=audio 4 RTP/AVP 0\r\nb=RS:\r\nb=\r\nb=:\r\nb=RR:-0\r\n", false, false}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct desc d = good(rows[i].text);
    cr_assert(d.audio.rtcp_mute[0] == rows[i].rs && d.audio.rtcp_mute[1] == rows[i].rr, "row %zu", i);
  }
}

Test(desc, chromium_offer) {
  static char text[16384];
  struct desc d = good(load("chromium_offer", text, sizeof(text)));
  const struct desc_audio *a = &d.audio;
  cr_assert(d.bundle);
  cr_assert_eq(d.n_media, 2);
  cr_assert_str_eq(d.media[1].media, "application");
  cr_assert_str_eq(d.media[1].formats, "webrtc-datachannel");
  cr_assert_str_eq(d.media[1].mid, "1");
  cr_assert_str_eq(a->mid, "0");
  cr_assert_eq(a->profile, PROFILE_DTLS_SAVPF);
  cr_assert_eq(a->setup, SETUP_ACTPASS);
  cr_assert(a->rtcp_mux && a->rtcp_rsize && !a->rtcp_mux_only);
  cr_assert_str_eq(a->fingerprint_alg, "sha-256");
  cr_assert_eq(a->fingerprint_bytes, 32);
  cr_assert_eq(a->fingerprint[1], 0xbb);
  cr_assert_eq(a->n_codecs, 8);
  cr_assert_eq(a->codecs[0].kind, CODEC_OPUS);
  cr_assert_eq(a->codecs[1].kind, CODEC_OTHER);
  cr_assert_eq(desc_codec_find(a, CODEC_TELEV, 48000)->pt, 110);
  cr_assert_eq(a->n_candidates, 5);
  cr_assert(a->candidates[3].is_name);
  cr_assert_not(a->candidates[4].is_udp);
  cr_assert_eq(a->candidates[2].type, CAND_RELAY);
  cr_assert_eq(addr_port(&a->candidates[2].related), 50001);
  cr_assert(a->is_zero_addr);
  cr_assert(addr_eq(&a->rtp, &a->rtcp));
}

Test(desc, session_level_is_inherited_and_overridden) {
  struct desc d =
      good("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\n"
           "a=setup:active\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=ice-lite\r\n"
           "a=fingerprint:sha-512 " FP32 ":" FP32 "\r\nm=audio 4 UDP/TLS/RTP/SAVPF 0\r\n");
  cr_assert_eq(d.audio.direction, DIR_SEND);
  cr_assert_eq(d.audio.setup, SETUP_ACTIVE);
  cr_assert_str_eq(d.audio.ufrag, "abcd");
  cr_assert(d.audio.ice_lite);
  cr_assert_str_eq(d.audio.fingerprint_alg, "sha-512");
  d = good("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendonly\r\n"
           "a=fingerprint:sha-512 " FP32 ":" FP32
           "\r\nm=audio 4 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 192.0.2.2\r\n"
           "a=recvonly\r\na=fingerprint:sha-1 AA\r\na=fingerprint:sha-256 " FP32 "\r\n");
  cr_assert_eq(d.audio.direction, DIR_RECV);
  cr_assert_str_eq(d.audio.fingerprint_alg, "sha-256");
  cr_assert_eq(addr_port(&d.audio.rtp), 4);
  char ip[ADDR_TEXT_BYTES];
  cr_assert_str_eq(addr_ip_text(&d.audio.rtp, ip, sizeof(ip)), "192.0.2.2");
}

Test(desc, sha1_fingerprint_is_none) {
  struct desc d = good(HEAD "m=audio 4 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-1 "
                            "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD\r\n");
  cr_assert_str_eq(d.audio.fingerprint_alg, "");
  cr_assert_eq(d.audio.fingerprint_bytes, 0);
}

Test(desc, first_usable_audio_of_several) {
  struct desc d =
      good(HEAD "m=audio 0 RTP/AVP 0\r\nm=audio 1000 TCP/OTHER 0\r\nm=audio 41000 RTP/SAVP 8\r\n"
                "a=mid:x\r\nm=audio 42000 RTP/AVP 0\r\na=inactive\r\n");
  cr_assert_eq(d.n_media, 4);
  cr_assert_eq(d.audio.index, 2);
  cr_assert_eq(d.audio.codecs[0].kind, CODEC_PCMA);
  cr_assert_eq(d.audio.direction, DIR_SENDRECV, "attributes of the others do not count");
  cr_assert_not(good(HEAD "m=image 4 udptl t38\r\n").has_audio);
  d = good(HEAD "m=audio 0 RTP/AVP 0\r\n");
  cr_assert(d.has_audio);
  cr_assert_eq(addr_port(&d.audio.rtp), 0);
  cr_assert_eq(addr_port(&d.audio.rtcp), 0);
}

Test(desc, rtcp_address) {
  struct desc d = good(HEAD "m=audio 40000 RTP/AVP 0\r\na=rtcp:5000 IN IP4 192.0.2.99\r\n");
  char text[ADDR_TEXT_BYTES];
  cr_assert_str_eq(addr_text(&d.audio.rtcp, text, sizeof(text)), "192.0.2.99:5000");
  d = good(HEAD "m=audio 40000 RTP/AVP 0\r\na=rtcp:5000\r\n");
  cr_assert_str_eq(addr_text(&d.audio.rtcp, text, sizeof(text)), "192.0.2.10:5000");
  d = good(HEAD "m=audio 40000 RTP/AVP 0\r\na=rtcp:40000\r\na=rtcp-mux\r\n");
  cr_assert_str_eq(addr_text(&d.audio.rtcp, text, sizeof(text)), "192.0.2.10:40000");
}

Test(desc, hybrid_offer_has_sdes_and_fingerprint) {
  struct desc d =
      good(HEAD "m=audio 4 UDP/TLS/RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30
                "|2^31\r\na=fingerprint:sha-256 " FP32 "\r\na=setup:actpass\r\n");
  cr_assert_eq(d.audio.profile, PROFILE_DTLS_SAVP);
  cr_assert_eq(d.audio.n_crypto, 1);
  cr_assert_eq(d.audio.crypto[0].key.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
  cr_assert_eq(d.audio.fingerprint_bytes, 32);
}

Test(desc, no_secret_is_left_of_one_that_was_wiped) {
  static const char pwd[] = "0123456789012345678901", ufrag[] = "wxyzWXYZ";
  struct desc d = good(HEAD "m=audio 4 UDP/TLS/RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30
                            "\r\na=ice-ufrag:wxyzWXYZ\r\na=ice-pwd:0123456789012345678901\r\n");
  const struct srtp_key key = d.audio.crypto[0].key;
  cr_assert_not_null(memmem(&d, sizeof(d), pwd, sizeof(pwd) - 1));
  cr_assert_not_null(memmem(&d, sizeof(d), &key, sizeof(key)));
  desc_wipe(&d);
  cr_assert_null(memmem(&d, sizeof(d), pwd, sizeof(pwd) - 1));
  cr_assert_null(memmem(&d, sizeof(d), ufrag, sizeof(ufrag) - 1));
  cr_assert_null(memmem(&d, sizeof(d), KEY30, 8));
  cr_assert_null(memmem(&d, sizeof(d), &key, sizeof(key)));
}

Test(crypto, table) {
  static const struct {
    const char *text;
    int error;
    enum srtp_suite suite;
    uint32_t tag, mki_bytes;
  } rows[] = {
      {"0 AES_CM_128_HMAC_SHA1_80 inline:" KEY30, 0, SUITE_AES_CM_128_HMAC_SHA1_80, 0, 0},
      {"1 aes_cm_128_hmac_sha1_32 inline:" KEY30 "|2^31", 0, SUITE_AES_CM_128_HMAC_SHA1_32, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|2^31|1:1", 0, SUITE_AES_CM_128_HMAC_SHA1_80, 1, 1},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|1:4", 0, SUITE_AES_CM_128_HMAC_SHA1_80, 1, 4},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|1048576", 0, SUITE_AES_CM_128_HMAC_SHA1_80, 1, 0},
      {"999999999 AES_CM_128_HMAC_SHA1_80 inline:" KEY30, 0, SUITE_AES_CM_128_HMAC_SHA1_80, 999999999,
       0},
      {"1 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw", 0, SUITE_AEAD_AES_128_GCM, 1,
       0},
      {"1 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==", 0, SUITE_AEAD_AES_128_GCM,
       1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " WSH=64 -FOO KDR=0", 0, SUITE_AES_CM_128_HMAC_SHA1_80,
       1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|1:1|2^31", 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|2^49", 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|0", 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|256:1", 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|1:129", 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|1:1;inline:" KEY30 "|2:1", 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " UNENCRYPTED_SRTP", 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " UNENCRYPTED_SRTCP", 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " UNAUTHENTICATED_SRTP", 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " KDR=4", 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", 0, SUITE_NONE, 1, 0},
      {"1 AES_256_CM_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLQ",
       0, SUITE_AES_256_CM_HMAC_SHA1_80, 1, 0},
      {"1 AES_256_CM_HMAC_SHA1_32 "
       "inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLQ==",
       0, SUITE_AES_256_CM_HMAC_SHA1_32, 1, 0},
      {"1 AES_256_CM_HMAC_SHA1_80 inline:" KEY30, 0, SUITE_NONE, 1, 0},
      {"1 AEAD_AES_256_GCM inline:" KEY30, 0, SUITE_NONE, 1, 0},
      {"1 AES_CM_128_HMAC_SHA1_80 outline:" KEY30, 0, SUITE_NONE, 1, 0},
      {"1 F8_128_HMAC_SHA1_80 inline:" KEY30, 0, SUITE_NONE, 1, 0},
      {"x AES_CM_128_HMAC_SHA1_80 inline:" KEY30, -EBADMSG, SUITE_NONE, 0, 0},
      {"1 AES_CM_128_HMAC_SHA1_80", -EBADMSG, SUITE_NONE, 0, 0},
      {"", -EBADMSG, SUITE_NONE, 0, 0},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct desc_crypto c;
    cr_assert_eq(crypto_parse(&c, slice_of(rows[i].text)), rows[i].error, "row %zu", i);
    cr_assert_eq(c.key.suite, rows[i].suite, "row %zu", i);
    cr_assert_eq(c.tag, rows[i].tag, "row %zu", i);
    cr_assert_eq(c.key.mki_bytes, rows[i].mki_bytes, "row %zu", i);
  }
}

Test(crypto, written_as_direct_routing_asks) {
  struct desc_crypto c;
  struct text t;
  char buf[200];
  const char *line = "1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|2^31|7:2";
  cr_assert_eq(crypto_parse(&c, slice_of(line)), 0);
  cr_assert_eq(c.key.mki[3], 7);
  text_init(&t, buf, sizeof(buf));
  cr_assert(crypto_write(&t, &c));
  cr_assert_str_eq(buf, line);
}

static struct desc webrtc_answer(const struct desc *offer) {
  struct desc d = *offer;
  struct desc_audio *a = &d.audio;
  d.is_webrtc = true;
  snprintf(d.origin_addr, sizeof(d.origin_addr), "192.0.2.5");
  a->n_codecs = 1;
  memset(&a->codecs[0], 0, sizeof(a->codecs[0]));
  a->codecs[0] =
      (struct desc_codec){.pt = 0, .kind = CODEC_PCMU, .channels = 1, .clock_hz = 8000, .name = "PCMU"};
  a->n_candidates = 1;
  a->ice_lite = true;
  a->end_of_candidates = true;
  a->setup = SETUP_PASSIVE;
  a->ssrc = 77;
  snprintf(a->cname, sizeof(a->cname), "abc");
  cr_assert_eq(addr_parse(&a->rtp, SLICE("192.0.2.5"), 40000), 0);
  return d;
}

Test(desc, webrtc_answer_text) {
  static char text[16384], out[8192];
  size_t n;
  struct desc offer = good(load("chromium_offer", text, sizeof(text))), d = webrtc_answer(&offer);
  cr_assert_eq(desc_write(&d, out, sizeof(out), &n), 0);
  cr_assert_eq(n, strlen(out));
  cr_assert_str_eq(
      out, "v=0\r\no=- 4611731400430051336 2 IN IP4 192.0.2.5\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
           "a=ice-lite\r\nm=audio 40000 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 192.0.2.5\r\na=mid:0\r\n"
           "a=sendrecv\r\na=msid:sallyport audio\r\na=rtcp-mux\r\na=rtcp-rsize\r\n"
           "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=ice-ufrag:eo8/\r\n"
           "a=ice-pwd:2tLqYbY3pBTCXFzKtTqPdUAb\r\na=fingerprint:sha-256 " FP32 "\r\na=setup:passive\r\n"
           "a=ice-options:trickle renomination\r\n"
           "a=rtpmap:0 PCMU/8000\r\na=ssrc:77 cname:abc\r\n"
           "a=candidate:1467250027 1 udp 2122260223 192.0.2.40 46243 typ host\r\na=end-of-candidates\r\n"
           "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"
           "a=inactive\r\n");
}

Test(desc, extended_reports_and_audio_levels) {
  static char out[8192];
  size_t n;
  struct desc d = good(
      HEAD "m=audio 4 RTP/AVP 0\r\na=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup voip-metrics\r\n"
           "a=extmap:3/sendonly urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on\r\n"
           "a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n");
  cr_assert(d.audio.rtcp_xr_voip && d.audio.level_ext == 3);
  cr_assert_eq(desc_write(&d, out, sizeof(out), &n), 0);
  cr_assert(strstr(out, "a=rtcp-xr:voip-metrics\r\n") &&
            strstr(out, "a=extmap:3 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"));
  d = good(HEAD "a=rtcp-xr\r\nm=audio 4 RTP/AVP 0\r\na=rtcp-xr:pkt-loss-rle\r\n"
                "a=extmap:15 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n");
  cr_assert(!d.audio.rtcp_xr_voip && d.audio.level_ext == 0);
}

Test(desc, sip_text_has_no_browser_lines) {
  char out[4096];
  size_t n;
  struct desc d =
      good(HEAD "m=audio 40000 RTP/SAVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
                "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\nm=video 5 RTP/AVP 31\r\n");
  cr_assert_eq(desc_write(&d, out, sizeof(out), &n), 0);
  cr_assert_str_eq(
      out, "v=0\r\no=- 7 2 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
           "m=audio 40000 RTP/SAVP 0 101\r\na=sendrecv\r\n"
           "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|2^31\r\n"
           "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\nm=video 0 RTP/AVP 31\r\n");
  d.has_audio = false;
  cr_assert_eq(desc_write(&d, out, sizeof(out), &n), 0);
  cr_assert_not_null(strstr(out, "m=audio 0 RTP/SAVP 0 101\r\n"));
}

Test(desc, no_field_can_begin_a_line) {
  char out[4096];
  size_t n;
  static const size_t fields[] = {offsetof(struct desc, origin_addr),
                                  offsetof(struct desc, audio.mid),
                                  offsetof(struct desc, audio.ufrag),
                                  offsetof(struct desc, audio.pwd),
                                  offsetof(struct desc, audio.cname),
                                  offsetof(struct desc, audio.codecs[0].name),
                                  offsetof(struct desc, audio.codecs[0].fmtp),
                                  offsetof(struct desc, audio.candidates[0].foundation),
                                  offsetof(struct desc, audio.fingerprint_alg),
                                  offsetof(struct desc, media[1].media),
                                  offsetof(struct desc, media[1].proto),
                                  offsetof(struct desc, media[1].formats),
                                  offsetof(struct desc, media[1].mid)};
  static char text[16384];
  struct desc offer = good(load("chromium_offer", text, sizeof(text)));
  for (size_t i = 0; i < COUNT_OF(fields); i++) {
    struct desc d = webrtc_answer(&offer);
    strcpy((char *)&d + fields[i], "x\r\na=y");
    cr_assert_eq(desc_write(&d, out, sizeof(out), &n), -EINVAL, "field %zu", i);
    cr_assert_eq(n, 0);
    cr_assert_str_eq(out, "");
  }
}

Test(desc, write_tells_when_it_does_not_fit) {
  char out[4096];
  size_t n, full;
  struct desc d = good(HEAD "m=audio 40000 RTP/AVP 0\r\n");
  cr_assert_eq(desc_write(&d, out, sizeof(out), &full), 0);
  for (size_t room = 1; room <= full; room++)
    cr_assert_eq(desc_write(&d, out, room, &n), -ENOSPC);
  cr_assert_eq(desc_write(&d, out, full + 1, &n), 0);
  d.audio.n_codecs = 0;
  cr_assert_eq(desc_write(&d, out, sizeof(out), &n), -EINVAL);
}

Test(frag, of_a_browser) {
  struct desc_frag f;
  struct desc_fault fault;
  cr_assert_eq(
      desc_frag_parse(
          &f,
          SLICE("a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
                "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
                "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw\r\n"
                "a=candidate:2 1 udp 1 x.local 5 typ host\r\na=end-of-candidates\r\n"
                "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=candidate:bad\r\n"),
          &fault),
      0);
  cr_assert_str_eq(f.ufrag, "EsAw");
  cr_assert_str_eq(f.mid, "0");
  cr_assert_eq(f.n_candidates, 2);
  cr_assert(f.candidates[1].is_name);
  cr_assert(f.end_of_candidates);
  cr_assert_eq(desc_frag_parse(&f, SLICE("a=ice-ufrag:abcd\r\nxyz\r\n"), &fault), -EBADMSG);
  cr_assert_eq(fault.line, 2);
  cr_assert_str_eq(f.ufrag, "");
}

Test(cand, types_and_forms) {
  struct desc_candidate c;
  cr_assert_eq(cand_parse(&c, SLICE("1 1 UDP 1 2001:db8::1 9 typ relay raddr 2001:db8::2 rport 8")), 0);
  cr_assert_eq(addr_port(&c.related), 8);
  cr_assert_eq(cand_parse(&c, SLICE("1 1 udp 1 192.0.2.1 9 typ dream")), 1);
  cr_assert_eq(cand_parse(&c, SLICE("1 0 udp 1 192.0.2.1 9 typ host")), 1);
  cr_assert_eq(cand_parse(&c, SLICE("1 1 udp 1 192.0.2.1 9 type host")), -EBADMSG);
  cr_assert_eq(cand_parse(&c, SLICE("1 1 udp 4294967296 192.0.2.1 9 typ host")), -EBADMSG);
  cr_assert_eq(cand_parse(&c, SLICE("123456789012345678901234567890123 1 udp 1 192.0.2.1 9 typ host")),
               -EBADMSG);
}

Test(desc, directions) {
  cr_assert_eq(desc_direction_flip(DIR_SEND), DIR_RECV);
  cr_assert_eq(desc_direction_flip(DIR_RECV), DIR_SEND);
  cr_assert_eq(desc_direction_flip(DIR_SENDRECV), DIR_SENDRECV);
  cr_assert_eq(desc_direction_flip(DIR_INACTIVE), DIR_INACTIVE);
}
