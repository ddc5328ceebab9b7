/* SPDX-License-Identifier: Apache-2.0
 * Units of the timeline: texts come back as they were, how many fit, what is cut, what is sealed, parts
 * and policies, retransmissions, points, pcap and HEP. */
#include "base/clock.h"
#include "trace/lines.h"
#include "trace/redact.h"
#include "trace/trace.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>

/* Redaction ---------------------------------------------------------------------------------------- */

static const char *sip(const char *text) {
  static char out[8192];
  size_t n = redact_sip(out, sizeof(out), slice_of(text));
  cr_assert_eq(n, strlen(out));
  return out;
}

static const char *plain(const char *text) {
  static char out[8192];
  (void)redact_text(out, sizeof(out), slice_of(text));
  return out;
}

Test(trace, credentials_keep_scheme_user_and_realm) {
  const char *got = sip(
      "INVITE sip:1@h SIP/2.0\r\nProxy-Authorization: Digest username=\"bob\",realm=\"r.example\",\r\n"
      " nonce=\"n1\", cnonce=\"SECRETC\", response=\"SECRETR\"\r\nTo: <sip:1@h>\r\n\r\n");
  cr_assert_not_null(
      strstr(got, "Proxy-Authorization: Digest username=\"bob\", realm=\"r.example\", (cut)\r\n"), "%s",
      got);
  cr_assert_null(strstr(got, "SECRET"), "%s", got);
  cr_assert_not_null(strstr(got, "To: <sip:1@h>\r\n\r\n"));
  got = sip("A b SIP/2.0\r\nauthorization : Bearer SECRET\r\nX-Authorization: SECRET\r\n\tSECRET\r\n"
            "Cookie: a=SECRET\r\nX-Api-Key: SECRET\r\nAuthentication-Info: rspauth=\"SECRET\"\r\n\r\n");
  cr_assert_null(strstr(got, "SECRET"), "%s", got);
}

Test(trace, keys_and_passwords_are_cut) {
  static const char *const bodies[] = {
      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET|2^20\r\n",
      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET;inline:SECRET|1:4 KDR=0\r\n",
      "a=crypto:1\tAES\tSECRET\n",
      "A=CRYPTO:1 X INLINE:SECRET\r",
      "a=crypto: inline:SECRET SECRET SECRET\r\n",
      "a=ice-pwd:SECRET\r\na=ice-ufrag:ok\r\n",
      "k=clear:SECRET\r\n",
      "a=key-mgmt:mikey SECRET\r\n",
      "Signal=SECRET\r\nDuration=160\r\n",
  };
  for (size_t i = 0; i < COUNT_OF(bodies); i++) {
    char text[400];
    snprintf(text, sizeof(text),
             "INVITE sip:a SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n%s", bodies[i]);
    cr_assert_null(strstr(sip(text), "SECRET"), "%zu: %s", i, sip(text));
    cr_assert_null(strstr(plain(bodies[i]), "SECRET"), "%zu", i);
  }
  cr_assert_not_null(strstr(plain(bodies[0]), "a=crypto:1 AES_CM_128_HMAC_SHA1_80 (cut)\r\n"));
  cr_assert_not_null(strstr(plain(bodies[5]), "a=ice-ufrag:ok"));
  const char *got = sip("INFO sip:a SIP/2.0\r\nc: application/dtmf\r\n\r\nS");
  cr_assert_str_eq(got, "INFO sip:a SIP/2.0\r\nc: application/dtmf\r\n\r\n(cut)");
  got = sip(
      "INFO sip:a SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=5\r\nDuration=160\r\n");
  cr_assert_not_null(strstr(got, "Signal=(cut)\r\nDuration=160\r\n"), "%s", got);
  cr_assert_not_null(strstr(sip("INVITE sip:bob:SECRET@h SIP/2.0\r\n\r\n"), "sip:bob:(cut)@h"));
  cr_assert_not_null(strstr(sip("INVITE sip:bob@h:5060;x=1 SIP/2.0\r\n\r\n"), "sip:bob@h:5060;x=1 SIP"));
  got = sip("INVITE sip:+1555;postd=SECRET;pin=SECRET;cpc=a:SECRET@h SIP/2.0\r\n\r\n");
  cr_assert_null(strstr(got, "SECRET"), "%s", got);
  got = sip("INVITE sip:+1555;postd=SECRET@h;spin=left SIP/2.0\r\n\r\n");
  cr_assert_str_eq(got, "INVITE sip:+1555;postd=(cut)@h;spin=left SIP/2.0\r\n\r\n");
  static const char *const types[] = {"application/vnd.nortelnetworks.digits", "audio/telephone-event"};
  for (size_t i = 0; i < COUNT_OF(types); i++) {
    char text[300];
    snprintf(text, sizeof(text), "INFO sip:a SIP/2.0\r\nContent-Type: %s\r\n\r\nd=SECRET\r\n", types[i]);
    cr_assert_null(strstr(sip(text), "SECRET"), "%s", sip(text));
    snprintf(text, sizeof(text),
             "INFO sip:a SIP/2.0\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\n--x\r\nContent-Type: "
             "%s\r\n\r\nSECRET\r\n--x\r\nContent-Type: text/plain\r\n\r\nplain\r\n--x--\r\n",
             types[i]);
    cr_assert_null(strstr(sip(text), "SECRET"), "%s", sip(text));
    cr_assert_not_null(strstr(sip(text), "plain\r\n--x--"), "%s", sip(text));
  }
}

/* Each mark is found, in any case, also where it is all that stands there. */
Test(trace, marks_are_found) {
  static const char *const marks[] = {
      "inline:", "ice-pwd:", "key-mgmt:", "token=", "ticket=",  "password=", "secret=", "bearer ",
      "basic ",  "passwd=",  "digits=",   "pwd=",   "api_key=", "response=", "cnonce=", "sip:u:",
      "postd=",  "pin=",     "passcode=", "k=clear:", "k=base64:", "authorization="};
  for (size_t i = 0; i < COUNT_OF(marks); i++)
    for (unsigned upper = 0; upper < 2; upper++) {
      char text[80];
      snprintf(text, sizeof(text), "%sHIDDEN%s", marks[i], strncmp(marks[i], "sip", 3) ? "" : "@h");
      for (char *c = text; upper && *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c & ~0x20) : *c;
      cr_assert_null(strstr(plain(text), "HIDDEN"), "%s: %s", text, plain(text));
    }
}

Test(trace, json_members_are_cut) {
  cr_assert_str_eq(plain("{\"token\":\"SE\\\"CRET\",\"b\":1}"), "{\"token\":\"(cut)\",\"b\":1}");
  cr_assert_str_eq(plain("{\"digits\": \"123\"}"), "{\"digits\": \"(cut)\"}");
  cr_assert_str_eq(plain("{\"sdp\":\"a=ice-pwd:SECRET\\r\\na=x\"}"),
                   "{\"sdp\":\"a=ice-pwd:(cut)\\r\\na=x\"}");
  cr_assert_str_eq(plain("{\"sdp\":\"a=crypto:1 A inline:SE/CR+ET=|2^20\\r\\n\"}"),
                   "{\"sdp\":\"a=crypto:1 A inline:(cut)\\r\\n\"}");
  cr_assert_str_eq(plain("GET /v1/events?ticket=SECRET&x=1"), "GET /v1/events?ticket=(cut)&x=1");
  cr_assert_str_eq(plain("{\"tokens\":3,\"to\":{\"tel\":\"+49\"}}"),
                   "{\"tokens\":3,\"to\":{\"tel\":\"+49\"}}");
}

/* Packing ------------------------------------------------------------------------------------------ */

static const char sdp[] =
    "v=0\r\no=- 3871 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
    "m=audio 41002 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

/* The n-th message of an ordinary call of 14 a leg. */
static size_t message(char *dst, size_t bytes, unsigned n, unsigned leg) {
  static const char *const first[] = {"INVITE sip:+4930123456@192.0.2.7:5060 SIP/2.0",
                                      "SIP/2.0 100 Trying",
                                      "SIP/2.0 180 Ringing",
                                      "SIP/2.0 200 OK",
                                      "ACK sip:+4930123456@192.0.2.7:5060 SIP/2.0",
                                      "BYE sip:+4930123456@192.0.2.7:5060 SIP/2.0",
                                      "SIP/2.0 200 OK"};
  static const char *const method[] = {"1 INVITE", "1 INVITE", "1 INVITE", "1 INVITE",
                                       "1 ACK",    "2 BYE",    "2 BYE"};
  const char *body = n == 0 || n == 3 ? sdp : "";
  return (size_t)snprintf(
      dst, bytes,
      "%s\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK%08x%s;rport\r\nMax-Forwards: 70\r\n"
      "From: \"Alice\" <sip:+4940987654@carrier.example>;tag=%xa81f\r\nTo: "
      "<sip:+4930123456@gw.example>%s\r\n"
      "Call-ID: 8f7c0e1a-99b2-4c39-%04x@192.0.2.9\r\nCSeq: %s\r\nContact: "
      "<sip:carrier@192.0.2.9:5060>\r\n"
      "User-Agent: Carrier SBC 7.4.2\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, "
      "INFO\r\n"
      "Supported: timer, 100rel, replaces\r\nP-Asserted-Identity: <sip:+4940987654@carrier.example>\r\n"
      "Session-ID: "
      "0123456789abcdef0123456789abcdef;remote=00000000000000000000000000000000\r\n%sContent-Length: "
      "%zu\r\n\r\n%s",
      first[n], (n < 5 ? 1 : 77) * 2654435761U + leg, n == 4 ? "a" : "", leg, n ? ";tag=as58f4" : "",
      leg, method[n], *body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
}

Test(trace, texts_come_back_and_are_small) {
  struct lines l = {.max = 65000};
  char text[4096];
  size_t raw = 0;
  unsigned n = 0;
  for (unsigned leg = 0; leg < 2; leg++)
    for (unsigned i = 0; i < 7; i++, n++) {
      raw += message(text, sizeof(text), i, leg);
      cr_assert_eq(lines_text(&l, slice_of(text)), 0);
    }
  fprintf(stderr, "%u messages of %zu bytes: %u bytes and %u of index, %u held\n", n, raw, l.n,
          l.n_ref * (unsigned)sizeof(*l.ref), lines_bytes(&l));
  cr_assert_lt((l.n + l.n_ref * sizeof(*l.ref)) * 3, raw);
  struct lines r = {.p = l.p, .n = l.n};
  uint32_t at = 0;
  for (unsigned leg = 0; leg < 2; leg++)
    for (unsigned i = 0; i < 7; i++) {
      char *got = NULL;
      size_t got_n;
      message(text, sizeof(text), i, leg);
      cr_assert_eq(lines_get_text(&r, &at, &got, &got_n), 0);
      cr_assert_str_eq(got, text);
      free(got);
    }
  cr_assert_eq(at, l.n);
  lines_forget(&r);
  lines_done(&l);
}

Test(trace, any_bytes_come_back) {
  struct lines l = {.max = 65000};
  char text[6000];
  srand(1);
  uint32_t at = 0;
  for (unsigned round = 0; round < 60; round++) {
    size_t n = (size_t)rand() % (round < 3 ? sizeof(text) : 300);
    for (size_t i = 0; i < n; i++)
      text[i] = (char)(rand() % 4 ? "\n\r:= "[rand() % 5] : rand() % 256);
    if (lines_text(&l, slice_from(text, n)) < 0)
      break;
    struct lines r = {.p = l.p, .n = l.n};
    /* reading anew from the first: the pieces need it */
    char *got = NULL;
    size_t got_n = 0;
    at = 0;
    for (unsigned i = 0; i <= round; i++) {
      free(got);
      got = NULL;
      cr_assert_eq(lines_get_text(&r, &at, &got, &got_n), 0);
    }
    cr_assert_eq(got_n, n);
    cr_assert(n == 0 || memcmp(got, text, n) == 0);
    free(got);
    lines_forget(&r);
  }
  lines_done(&l);
}

/* The book ----------------------------------------------------------------------------------------- */

static struct loop *loop;
static char dir[64], key_file[96];
static struct {
  unsigned puts, drops, wires;
  bool is_last;
  char id[40];
  char blob[8][65536];
  size_t n[8];
  uint8_t hep[20000];
  size_t hep_n;
} kept;

static void keep(void *arg, const char *id, uint32_t part, bool is_last, uint64_t started_ms,
                 struct slice blob) {
  (void)arg, (void)started_ms;
  cr_assert_eq(part, kept.puts);
  snprintf(kept.id, sizeof(kept.id), "%s", id);
  kept.is_last = is_last;
  if (part < 8) {
    memcpy(kept.blob[part], blob.p, blob.n);
    kept.n[part] = blob.n;
  }
  kept.puts++;
}
static void drop(void *arg, const char *id) {
  (void)arg, (void)id;
  kept.drops++;
}
static void wire(void *arg, const struct trace_wire *w) {
  (void)arg;
  kept.wires++;
  kept.hep_n = trace_hep(kept.hep, sizeof(kept.hep), w, 2001);
}

static struct traces *book(enum trace_policy policy, uint32_t kb) {
  struct traces *ts = NULL;
  struct traces_settings s = {.loop = loop,
                              .policy = policy,
                              .kb = kb,
                              .key_file = key_file,
                              .keeper = {NULL, keep, drop, wire}};
  memset(&kept, 0, sizeof(kept));
  cr_assert_eq(traces_new(&ts, &s), 0);
  return ts;
}

static void setup(void) {
  snprintf(dir, sizeof(dir), "/tmp/check_trace.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(key_file, sizeof(key_file), "%s/key", dir);
  clock_fake(1000000, 1700000000000);
  cr_assert_eq(loop_new(&loop), 0);
}
static void teardown(void) {
  loop_free(loop);
  unlink(key_file);
  rmdir(dir);
  clock_fake(0, 0);
}

static void pass(uint64_t us) {
  clock_fake(clock_now_us() + us, clock_wall_ms() + us / 1000);
  loop_turn(loop, 0);
  loop_freshen(loop);
}

static struct trace_ends ends_of(void) {
  struct trace_ends e = {.transport = "udp"};
  cr_assert_eq(addr_parse_port(&e.peer, SLICE("192.0.2.9:5060")), 0);
  cr_assert_eq(addr_parse_port(&e.local, SLICE("192.0.2.7:5070")), 0);
  return e;
}

struct seen {
  unsigned n, sip, again, points;
  char titles[2000], cause[200], digits[64];
  const struct traces *ts;
};
static int see(void *arg, const struct trace_item *i) {
  struct seen *s = arg;
  s->n++;
  s->sip += i->kind == TRACE_SIP;
  s->again += i->is_again;
  s->points += i->kind == TRACE_POINTS;
  if (strlen(s->titles) < 1800)
    snprintf(s->titles + strlen(s->titles), sizeof(s->titles) - strlen(s->titles), "%s\n", i->title);
  if (i->kind == TRACE_CAUSE)
    snprintf(s->cause, sizeof(s->cause), "%s", i->title);
  if (i->kind == TRACE_SEALED)
    cr_assert_eq(trace_unseal(s->ts, i, s->digits, sizeof(s->digits)), 0);
  return 0;
}

static void read_all(struct seen *s) {
  struct trace_head head;
  for (unsigned i = 0; i < kept.puts && i < 8; i++)
    cr_assert_eq(trace_read(slice_from(kept.blob[i], kept.n[i]), &head, see, s), 0);
  cr_assert_eq(head.started_us, 1700000000000000);
  cr_assert_eq(head.config_version, 7);
}

static struct trace *call_begin(struct traces *ts) {
  struct trace *t = trace_begin(ts, 7);
  cr_assert_not_null(t);
  trace_name(t, "c_1");
  trace_bind(t, "8f7c", TRACE_CALLER);
  return t;
}

Test(trace, a_call_s_timeline, .init = setup, .fini = teardown) {
  own(traces) ts = book(TRACE_ALL, 0);
  struct trace_ends e = ends_of();
  char text[4096];
  unsigned lane = 99;
  struct trace *t = call_begin(ts);
  cr_assert_eq(traces_find_sip(ts, "8f7c", &lane), t);
  cr_assert_eq(lane, TRACE_CALLER);
  cr_assert_eq(trace_callee_lane(t), TRACE_CALLEE);
  cr_assert_eq(trace_callee_lane(t), TRACE_CALLEE + 1);
  message(text, sizeof(text), 0, 0);
  trace_sip(t, TRACE_CALLER, TRACE_IN, &e, slice_of(text));
  pass(500000);
  trace_sip(t, TRACE_CALLER, TRACE_IN, &e, slice_of(text));
  trace_note(t, TRACE_GATEWAY, TRACE_RULE, "route: rule %s", "local");
  trace_native(t, TRACE_CALLEE, TRACE_IN, &e.peer, "POST answer", "{\"token\":\"SECRET\"}");
  trace_digit(t, TRACE_CALLER, '4');
  trace_digit(t, TRACE_CALLER, '2');
  trace_end(t, false, "nothing went wrong");
  message(text, sizeof(text), 3, 0);
  trace_sip(t, TRACE_CALLER, TRACE_OUT, &e, slice_of(text));
  cr_assert_eq(kept.puts, 0);
  pass(6000000);
  cr_assert_eq(kept.puts, 1);
  cr_assert(kept.is_last);
  cr_assert_str_eq(kept.id, "c_1");
  cr_assert_null(traces_find(ts, SLICE("c_1")));
  cr_assert_null(traces_find_sip(ts, "8f7c", &lane));
  struct seen s = {.ts = ts};
  read_all(&s);
  cr_assert_eq(s.sip, 3);
  cr_assert_eq(s.again, 1);
  cr_assert_str_eq(s.cause, "nothing went wrong");
  cr_assert_str_eq(s.digits, "42");
  cr_assert_not_null(strstr(s.titles, "INVITE\nINVITE\nroute: rule local\nPOST answer\n"), "%s",
                     s.titles);
  cr_assert_not_null(strstr(s.titles, "200 OK (1 INVITE)") ?: strstr(s.titles, "200 OK (INVITE)"), "%s",
                     s.titles);
  cr_assert_null(memmem(kept.blob[0], kept.n[0], "SECRET", 6));
  struct stat st;
  cr_assert_eq(stat(key_file, &st), 0);
  cr_assert_eq(st.st_mode & 0777, 0600);
}

Test(trace, policies, .init = setup, .fini = teardown) {
  static const struct {
    enum trace_policy policy;
    bool is_bad, is_kept;
  } rows[] = {{TRACE_ALL, false, true}, {TRACE_FAILED, false, false}, {TRACE_FAILED, true, true}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    own(traces) ts = book(rows[i].policy, 0);
    struct trace *t = call_begin(ts);
    trace_note(t, TRACE_GATEWAY, TRACE_NOTE, "x");
    trace_end(t, rows[i].is_bad, NULL);
    pass(6000000);
    cr_assert_eq(kept.puts, rows[i].is_kept, "%zu", i);
    cr_assert_eq(kept.drops, 0);
  }
  own(traces) none = book(TRACE_NONE, 0);
  cr_assert_null(trace_begin(none, 1));
  cr_assert_null(trace_begin(NULL, 1));
  trace_note(NULL, TRACE_GATEWAY, TRACE_NOTE, "x");
  trace_end(NULL, true, NULL);
}

/* More than its memory: parts go to the keeper, each readable with those before it; wanted or not. */
Test(trace, overflow_goes_to_the_keeper, .init = setup, .fini = teardown) {
  own(traces) ts = book(TRACE_FAILED, 4);
  struct trace_ends e = ends_of();
  char text[4096];
  struct trace *t = call_begin(ts);
  for (unsigned i = 0; i < 40; i++) {
    message(text, sizeof(text), i % 7, i);
    pass(1000);
    trace_sip(t, TRACE_CALLER, TRACE_IN, &e, slice_of(text));
  }
  cr_assert_geq(kept.puts, 1);
  unsigned before = kept.puts;
  trace_end(t, false, NULL);
  pass(6000000);
  cr_assert_eq(kept.puts, before);
  cr_assert_eq(kept.drops, 1);
  for (unsigned i = 0; i < kept.puts && i < 8; i++)
    cr_assert_leq(kept.n[i], 4096);
}

Test(trace, a_flood_ends, .init = setup, .fini = teardown) {
  own(traces) ts = book(TRACE_ALL, 4);
  struct trace *t = call_begin(ts);
  char noise[1500];
  for (unsigned i = 0; i < 2000; i++) {
    for (size_t k = 0; k + 1 < sizeof(noise); k++)
      noise[k] = (char)('a' + rand() % 26);
    noise[sizeof(noise) - 1] = 0;
    trace_native(t, TRACE_CALLER, TRACE_IN, NULL, "x", noise);
  }
  cr_assert_leq(kept.puts, 32);
  trace_end(t, true, NULL);
  pass(6000000);
  cr_assert_leq(kept.puts, 34);
}

Test(trace, points, .init = setup, .fini = teardown) {
  own(traces) ts = book(TRACE_ALL, 0);
  struct trace *t = call_begin(ts);
  for (uint32_t s = 0; s < 200; s++) {
    struct trace_point p = {.t_s = s, .packets = 50, .jitter_ms = 3, .level_db = -30};
    if (s == 20)
      p.lost = 30;
    trace_media(t, TRACE_CALLER, TRACE_RX, &p);
  }
  char *copy;
  size_t n;
  uint32_t part;
  struct trace_head head;
  struct seen s = {.ts = ts};
  cr_assert_eq(trace_copy(t, &copy, &n, &part), 0);
  cr_assert_eq(trace_read(slice_from(copy, n), &head, see, &s), 0);
  cr_assert_eq(s.points, 3, "%s", s.titles); /* means, the anomaly, the last sixty */
  cr_assert_str_eq(s.titles, "10\n1\n1\n");
  free(copy);
  trace_end(t, false, NULL);
}

Test(trace, pcap_and_hep, .init = setup, .fini = teardown) {
  own(traces) ts = book(TRACE_ALL, 0);
  struct trace_ends e = ends_of();
  char text[4096];
  struct trace *t = call_begin(ts);
  size_t n = message(text, sizeof(text), 0, 0), bytes;
  trace_sip(t, TRACE_CALLER, TRACE_IN, &e, slice_of(text));
  cr_assert_eq(kept.wires, 1);
  cr_assert_eq(memcmp(kept.hep, "HEP3", 4), 0);
  cr_assert_eq((size_t)kept.hep[4] << 8 | kept.hep[5], kept.hep_n);
  cr_assert_not_null(memmem(kept.hep, kept.hep_n, text, n));
  static const uint8_t ids[] = {0, 0, 0, 12, 0, 10, 0,   0,   7,   0xd1,
                                0, 0, 0, 17, 0, 10, '8', 'f', '7', 'c'};
  cr_assert_not_null(memmem(kept.hep, kept.hep_n, ids, sizeof(ids)));
  trace_end(t, false, NULL);
  pass(6000000);
  own(trace_pcap) p = NULL;
  cr_assert_eq(trace_pcap_new(&p), 0);
  cr_assert_eq(trace_pcap_add(p, slice_from(kept.blob[0], kept.n[0])), 0);
  own_mem char *file = trace_pcap_take(p, &bytes);
  cr_assert_eq(bytes, 24 + 16 + 28 + n);
  cr_assert_eq(memcmp(file + 68, text, n), 0);
  cr_assert_eq(memcmp(file + 40 + 12, "\xc0\x00\x02\x09\xc0\x00\x02\x07", 8), 0);
}

/* Headers of media packets ------------------------------------------------------------------------- */

enum { CAPTURED = 400 };

struct packets_seen {
  unsigned n, rtcp, dropped;
  const struct trace_packet *want;
  uint8_t (*heads)[TRACE_HEADER_BYTES];
};

static int packet_see(void *arg, const struct trace_packet *p) {
  struct packets_seen *s = arg;
  s->rtcp += p->is_rtcp;
  s->dropped += p->drop != 0;
  if (!p->is_rtcp) {
    const struct trace_packet *w = &s->want[s->n];
    cr_assert_eq(p->at_us, w->at_us - 1000000, "%u", s->n);
    cr_assert_eq(p->bytes, w->bytes);
    cr_assert_eq(p->n, w->n);
    cr_assert_eq(p->drop, w->drop);
    cr_assert_eq(memcmp(p->head, s->heads[s->n], p->n), 0, "%u", s->n);
    cr_assert(addr_eq(&p->from, &w->from) && addr_eq(&p->to, &w->to));
    s->n++;
  }
  return 0;
}

static int packets_see(void *arg, const struct trace_item *i) {
  if (i->kind == TRACE_PACKETS)
    cr_assert_eq(trace_packets(i, packet_see, arg), 0);
  return 0;
}

static void head_make(uint8_t *h, unsigned i) {
  unsigned seq = 65500 + i + (i > 200), ts = 4294967000U + i * 160;
  memset(h, 0, TRACE_HEADER_BYTES);
  h[0] = i % 7 ? 0x80 : 0x90;
  h[1] = i == 50 ? 0x88 : 8;
  h[2] = (uint8_t)(seq >> 8);
  h[3] = (uint8_t)seq;
  for (unsigned k = 0; k < 4; k++)
    h[4 + k] = (uint8_t)(ts >> (24 - 8 * k));
  memcpy(h + 8, i < 300 ? "\n\n\n\n" : "abcd", 4);
  memcpy(h + 12, "\xbe\xde\0\1\x10\n\0\0", 8);
}

Test(trace, headers_of_packets_come_back_as_they_were, .init = setup, .fini = teardown) {
  static uint8_t heads[CAPTURED][TRACE_HEADER_BYTES];
  static struct trace_packet want[CAPTURED];
  own(traces) ts = book(TRACE_ALL, 0);
  struct trace_ends e = ends_of();
  struct trace *t = call_begin(ts);
  struct packets_seen seen = {.want = want, .heads = heads};
  struct trace_head head;
  char *copy;
  size_t bytes;
  uint32_t part;
  for (unsigned i = 0; i < CAPTURED; i++) {
    head_make(heads[i], i);
    want[i] = (struct trace_packet){.at_us = 1000000 + i * 20013,
                                    .from = e.peer,
                                    .to = e.local,
                                    .n = i % 7 ? 12 : 20,
                                    .drop = i == 10 ? 5 : 0,
                                    .bytes = (uint16_t)(i % 50 ? 182 : 190),
                                    .head = heads[i]};
    trace_packet(t, TRACE_CALLER, &want[i]);
    struct trace_packet report = {.at_us = want[i].at_us + 7,
                                  .from = e.local,
                                  .to = e.peer,
                                  .is_out = true,
                                  .is_rtcp = true,
                                  .n = 8,
                                  .bytes = 60,
                                  .head = (const uint8_t *)"\x81\xc8\0\xd\0\0\0\1"};
    if (i % 100 == 0)
      trace_packet(t, TRACE_CALLER, &report);
  }
  cr_assert_eq(trace_copy(t, &copy, &bytes, &part), 0);
  cr_assert_eq(trace_read(slice_from(copy, bytes), &head, packets_see, &seen), 0);
  free(copy);
  cr_assert_eq(seen.n, CAPTURED);
  cr_assert_eq(seen.rtcp, 4);
  cr_assert_eq(seen.dropped, 1);
  seen = (struct packets_seen){.want = want, .heads = heads};
  trace_end(t, false, NULL);
  pass(6000000);
  cr_assert_eq(trace_read(slice_from(kept.blob[0], kept.n[0]), &head, packets_see, &seen), 0);
  cr_assert_eq(seen.n, CAPTURED);
  cr_assert_lt(kept.n[0], CAPTURED * 14); /* one of seven has an extension */
}

Test(trace, headers_take_a_share_of_a_timeline, .init = setup, .fini = teardown) {
  own(traces) ts = book(TRACE_ALL, 4);
  struct trace_ends e = ends_of();
  struct trace *t = call_begin(ts);
  uint8_t h[TRACE_HEADER_BYTES];
  for (unsigned i = 0; i < 20000; i++) {
    head_make(h, i);
    struct trace_packet p = {
        .at_us = clock_now_us(), .from = e.peer, .to = e.local, .n = 48, .bytes = 200, .head = h};
    addr_set_port(&p.from, (uint16_t)(i % 40 + 1));
    trace_packet(t, TRACE_CALLER + i % 3, &p);
  }
  cr_assert_lt(kept.puts, 12); /* of 32 parts */
  trace_note(t, TRACE_GATEWAY, TRACE_NOTE, "there is room for more");
  trace_end(t, false, NULL);
  trace_packet(t, TRACE_CALLER, &(struct trace_packet){.n = 8, .bytes = 8, .head = h});
  trace_packet(NULL, TRACE_CALLER, &(struct trace_packet){.n = 8, .bytes = 8, .head = h});
}

static uint32_t le32(const char *p) {
  uint32_t v;
  memcpy(&v, p, sizeof(v));
  return v;
}

Test(trace, pcap_has_messages_and_headers_by_time, .init = setup, .fini = teardown) {
  own(traces) ts = book(TRACE_ALL, 0);
  struct trace_ends e = ends_of();
  char text[4096];
  uint8_t h[TRACE_HEADER_BYTES];
  struct trace *t = call_begin(ts);
  size_t n = message(text, sizeof(text), 0, 0), bytes;
  head_make(h, 1);
  struct trace_packet p = {
      .at_us = 1020000, .from = e.local, .to = e.peer, .is_out = true, .n = 12, .bytes = 182, .head = h};
  trace_packet(t, TRACE_CALLER, &p); /* it came in and went out in one turn */
  p.is_out = false;
  p.from = e.peer;
  p.to = e.local;
  trace_packet(t, TRACE_CALLER, &p);
  pass(40000);
  trace_sip(t, TRACE_CALLER, TRACE_IN, &e, slice_of(text));
  trace_end(t, false, NULL);
  pass(6000000);
  own(trace_pcap) c = NULL;
  cr_assert_eq(trace_pcap_new(&c), 0);
  cr_assert_eq(trace_pcap_add(c, slice_from(kept.blob[0], kept.n[0])), 0);
  own_mem char *file = trace_pcap_take(c, &bytes);
  cr_assert_eq(bytes, 24 + 2 * (16 + 28 + 12) + 16 + 28 + n);
  const char *first = file + 24, *second = first + 56, *third = second + 56;
  cr_assert_eq(le32(first + 8), 40);
  cr_assert_eq(le32(first + 12), 28 + 182);
  cr_assert_eq(memcmp(first + 16 + 12, "\xc0\x00\x02\x09", 4), 0); /* in before out */
  cr_assert_eq(memcmp(second + 16 + 12, "\xc0\x00\x02\x07", 4), 0);
  cr_assert_eq(memcmp(first + 16 + 28, h, 12), 0);
  cr_assert_eq(le32(first + 4), 20000);
  cr_assert_eq(le32(third + 4), 40000);
}

Test(trace, pcap_of_srtp_has_room_for_its_tag, .init = setup, .fini = teardown) {
  own(traces) ts = book(TRACE_ALL, 0);
  struct trace_ends e = ends_of();
  uint8_t h[TRACE_HEADER_BYTES];
  struct trace *t = call_begin(ts);
  size_t bytes;
  head_make(h, 1);
  static const char invite[] = "INVITE sip:1@a SIP/2.0\r\nCall-ID: 1@there\r\nContent-Type: application/sdp\r\n\r\n"
                               "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n";
  trace_sip(t, TRACE_CALLER, TRACE_IN, &e, slice_of(invite));
  struct trace_packet p = {
      .at_us = 1020000, .from = e.peer, .to = e.local, .n = 12, .bytes = 182, .head = h};
  trace_packet(t, TRACE_CALLER, &p);
  uint8_t report[8] = {0x80, 200, 0, 6};
  p = (struct trace_packet){
      .at_us = 1030000, .from = e.peer, .to = e.local, .n = 8, .bytes = 52, .head = report, .is_rtcp = true};
  trace_packet(t, TRACE_CALLER, &p);
  trace_end(t, false, NULL);
  pass(6000000);
  own(trace_pcap) c = NULL;
  cr_assert_eq(trace_pcap_new(&c), 0);
  cr_assert_eq(trace_pcap_add(c, slice_from(kept.blob[0], kept.n[0])), 0);
  own_mem char *file = trace_pcap_take(c, &bytes);
  const char *rtp = file + 24 + 16 + le32(file + 24 + 8), *rtcp = rtp + 16 + le32(rtp + 8);
  cr_assert_eq(le32(rtp + 8), 28 + 12 + 10);
  cr_assert_eq(le32(rtp + 12), 28 + 182);
  cr_assert_eq(memcmp(rtp + 16 + 28 + 12, "\0\0\0\0\0\0\0\0\0", 10), 0);
  cr_assert_eq(le32(rtcp + 8), 28 + 8);
}
