/* SPDX-License-Identifier: Apache-2.0
 * Who calls, through the real parser: what an untrusted trunk says of callers changes nothing, what a
 * trusted one says is believed where it is well formed, and what goes out by each setting. */
#include "trunkfake.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define SDP \
  "v=0\r\no=- 5 5 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"
#define BOB "\"Bob\" <sip:+15559999@127.0.0.1>"
#define X "9005550199"

TestSuite(identity, .init = rig_start, .fini = rig_stop, .timeout = 60);

static char text[20000];
static unsigned serial;

/* An INVITE with these lines; 0: it was placed, else the status that it got. */
static int invite(const char *from, const char *extra) {
  unsigned places = fake.places;
  for (unsigned i = 0; i < FAKE_LEGS; i++)
    if (fake.legs[i].is_used && !fake.legs[i].is_over)
      leg_end(&fake.legs[i].leg, (struct cause){.reason = END_COMPLETED, .by = BY_CALLEE});
  rig_settle();
  while (rig_hear())
    ;
  memset(&fake.ask, 0, sizeof fake.ask);
  memset(fake.legs, 0, sizeof fake.legs);
  snprintf(text, sizeof text,
           "INVITE sip:+15551234@gw.example.test SIP/2.0\n"
           "Via: SIP/2.0/UDP 127.0.0.1:$P;branch=z9hG4bKi%u\nMax-Forwards: 60\n"
           "From: %s;tag=p%u\nTo: <sip:+15551234@gw.example.test>\nCall-ID: c%u\nCSeq: 1 INVITE\n"
           "Contact: <sip:bob@127.0.0.1:$P>\n%s%sContent-Type: application/sdp\n\n%s",
           serial, from, serial, serial, extra, *extra ? "\n" : "", SDP);
  serial++;
  rig_say(text);
  if (fake.places > places)
    return 0;
  const char *m = rig_hear();
  return m ? atoi(m + 8) : -1;
}

static struct conf_trunk *trunk(void) { return &rig_conf.trunks[0]; }

/* The INVITE that a call of this caller makes on the trunk. */
static struct history diverted; /* of the calls that out() makes */

static const char *out(const char *from, const char *display, bool anonymous) {
  static struct call c;
  static char copy[8000];
  struct target target = {.kind = LEG_TRUNK, .trunk = trunk()};
  invite(BOB, "");
  memset(fake.legs, 0, sizeof fake.legs);
  memset(&c, 0, sizeof c);
  strcpy(c.to, "+15550002");
  snprintf(c.from, sizeof c.from, "%s", from);
  snprintf(c.from_display, sizeof c.from_display, "%s", display);
  c.anonymous = anonymous;
  c.history = diverted;
  struct verdict v = fake.door->ring(fake.door_arg, &c, &target);
  cr_assert(verdict_is_pass(&v));
  fake.door->opened(fake.door_arg, &fake.legs[0].leg);
  rig_settle();
  const char *m = rig_hear_method("INVITE");
  cr_assert(m);
  return snprintf(copy, sizeof copy, "%s", m), copy;
}

static const char *const evasions[] = {
    "P-Asserted-Identity: <sip:+1" X "@evil.test>",
    "P-Asserted-Identity : <sip:+1" X "@evil.test>",
    "P-Asserted-Identity\t: <sip:+1" X "@evil.test>",
    "P-Asserted-Identity  \t : <sip:+1" X "@evil.test>",
    "P-Asserted-Identity:\n <sip:+1" X "@evil.test>",
    "P-Asserted-Identity:\n\t<sip:+1" X "@evil.test>",
    "P-Asserted-Identity: \n \n <sip:+1" X "@evil.test>",
    "P-Asserted-Identity\n : <sip:+1" X "@evil.test>",
    "p-asserted-identity: <sip:+1" X "@evil.test>",
    "P-ASSERTED-IDENTITY: <sip:+1" X "@evil.test>",
    "p-AsSeRtEd-IdEnTiTy: <sip:+1" X "@evil.test>",
    "P-Asserted-Identity: sip:+1" X "@evil.test",
    "P-Asserted-Identity: <sips:+1" X "@evil.test>",
    "P-Asserted-Identity: <SIP:+1" X "@evil.test>",
    "P-Asserted-Identity: tel:+1" X,
    "P-Asserted-Identity: <tel:+1-900-555-0199>",
    "P-Asserted-Identity: <TEL:+1(900)555.0199>",
    "P-Asserted-Identity: <tel:+1" X ";phone-context=evil.test>",
    "P-Asserted-Identity: <sip:%2B1" X "@evil.test>",
    "P-Asserted-Identity: <sip:+1%39005550199@evil.test>",
    "P-Asserted-Identity: <%73ip:+1" X "@evil.test>",
    "P-Asserted-Identity: \"+1" X "\" <sip:x@evil.test>",
    "P-Asserted-Identity: \"\" <sip:+1" X "@evil.test>",
    "P-Asserted-Identity: \"a\\\"b\" <sip:+1" X "@evil.test>",
    "P-Asserted-Identity: \"<sip:+15559999@127.0.0.1>\" <sip:+1" X "@evil.test>",
    "P-Asserted-Identity: \"unclosed <sip:+1" X "@evil.test>",
    "P-Asserted-Identity: <sip:+15559999@127.0.0.1>, <sip:+1" X "@evil.test>",
    "P-Asserted-Identity: <sip:+1" X "@evil.test>, <tel:+1" X ">",
    "P-Asserted-Identity: <sip:a@b>, <sip:c@d>, <sip:+1" X "@evil.test>",
    "P-Asserted-Identity: , <sip:+1" X "@evil.test>",
    "P-Asserted-Identity: <sip:+15559999@h>\nP-Asserted-Identity: <sip:+1" X "@evil.test>",
    "P-Asserted-Identity: <sip:+1" X "@evil.test;user=phone>",
    "P-Asserted-Identity: <sip:+1" X ";cpc=operator@evil.test>",
    "P-Asserted-Identity: <sip:+1" X ":secret@evil.test>",
    "P-Asserted-Identity: <sip:+1" X "@127.0.0.1>",
    "P-Asserted-Identity: <sip:+1" X "@gw.example.test>",
    "P-Asserted-Identity: <sip:+1" X "@evil.test>;screen=yes",
    "P-Asserted-Identity: <sip:+1" X "@evil.test?From=x>",
    "P-Asserted-Identity: <sip:+1" X "@evil.test?P-Asserted-Identity=%3Csip:a%3E>",
    "P-Asserted-Identity: <sip:+1" X "%00@evil.test>",
    "P-Asserted-Identity: <sip:+1" X "%0d%0aX-Y:z@evil.test>",
    "P-Asserted-Identity: <sip:+1" X "@a@evil.test>",
    "P-Asserted-Identity: <<sip:+1" X "@evil.test>>",
    "P-Asserted-Identity: <sip:+1" X "@evil.test",
    "P-Asserted-Identity: sip:+1" X "@evil.test>",
    "P-Asserted-Identity: urn:service:sos, <sip:+1" X "@evil.test>",
    "P-Asserted-Identity=<sip:+1" X "@evil.test>",
    "P-Asserted-Identity:<sip:+1" X "@evil.test>\nPrivacy: none",
    "P-Asserted-Identity:<sip:+1" X "@evil.test>\nPrivacy: id",
    " P-Asserted-Identity: <sip:+1" X "@evil.test>",
    "X: y\n\tP-Asserted-Identity: <sip:+1" X "@evil.test>",
    "P-Preferred-Identity: <sip:+1" X "@evil.test>",
    "P-Preferred-Identity : <tel:+1" X ">",
    "p-preferred-identity:\n sip:+1" X "@evil.test",
    "Remote-Party-ID: <sip:+1" X "@evil.test>;party=calling;screen=yes",
    "Remote-Party-ID : <sip:+1" X "@evil.test>;screen=yes;privacy=off",
    "remote-party-id:\n <tel:+1" X ">;party=calling",
    "Rpid: <sip:+1" X "@evil.test>",
    "RPID-Privacy: party=calling;id-type=subscriber;privacy=off\nRemote-Party-ID: <sip:+1" X "@e>",
    "P-Charging-Vector: icid-value=+1" X,
    "P-Called-Party-ID: <sip:+1" X "@evil.test>",
    "P-Served-User: <sip:+1" X "@evil.test>;sescase=orig",
    "P-Profile-Key: <sip:+1" X "@evil.test>",
    "P-Charge-Info: <sip:+1" X "@evil.test>;npi=ISDN",
    "P-Access-Network-Info: 3GPP;x=+1" X,
    "Diversion: <sip:+1" X "@evil.test>;reason=unconditional",
    "Diversion : <tel:+1" X ">;privacy=off",
    "CC-Diversion: <sip:+1" X "@evil.test>",
    "History-Info: <sip:+1" X "@evil.test>;index=1",
    "history-info :\n <sip:+1" X "@evil.test?Privacy=none>;index=1",
    "Referred-By: <sip:+1" X "@evil.test>",
    "b: <sip:+1" X "@evil.test>",
    "Reply-To: <sip:+1" X "@evil.test>",
    "Subject: +1" X,
    "s: +1" X,
    "Call-Info: <sip:+1" X "@evil.test>;purpose=info",
    "Alert-Info: <sip:+1" X "@evil.test>",
    "Organization: +1" X,
    "User-Agent: +1" X,
    "X-Asserted-Identity: <sip:+1" X "@evil.test>",
    "X-Sallyport-Caller: +1" X,
    "Identity: eyJ;info=<https://evil.test/+1" X ">",
    "Authorization: Digest username=\"+1" X "\"",
    "Contact: <sip:+1" X "@evil.test>",
};

Test(identity, evasions) {
  unsigned n = 0;
  cr_assert_geq(COUNT_OF(evasions), 60);
  for (size_t i = 0; i < COUNT_OF(evasions); i++) {
    if (invite(BOB, evasions[i]) != 0) {
      n++; /* refused whole: nothing passes */
      continue;
    }
    cr_assert_str_eq(fake.ask.caller, "+15559999", "%s", evasions[i]);
    cr_assert_not(fake.ask.is_asserted, "%s", evasions[i]);
    cr_assert_null(memmem(&fake.ask, sizeof fake.ask, X, strlen(X)), "%s", evasions[i]);
    const char *m = out(fake.ask.caller, fake.ask.caller_display, fake.ask.anonymous);
    cr_assert_null(strstr(m, X), "%s", evasions[i]);
  }
  cr_assert_leq(n, 6, "%u were refused: the table should try the others", n);
}

Test(identity, trusted_is_believed) {
  static const struct {
    const char *extra, *caller, *display;
  } rows[] = {
      {"P-Asserted-Identity: \"Al\" <sip:+15550001@c.test>", "+15550001", "Al"},
      {"P-Asserted-Identity : <sip:+15550001@c.test>", "+15550001", "Bob"},
      {"p-asserted-identity:\n <tel:+1-555-0001>", "+15550001", "Bob"},
      {"P-Asserted-Identity: <sip:al@c.test>, <tel:+15550001>", "+15550001", "Bob"},
      {"P-Asserted-Identity: <sip:al@c.test>\nP-Asserted-Identity: tel:+15550001", "+15550001", "Bob"},
      {"P-Asserted-Identity: \"A, <B\" <sip:%2B15550001@c.test>", "+15550001", "A, <B"},
      {"Remote-Party-ID: <sip:+15550001@c.test>;party=calling;screen=yes", "+15550001", "Bob"},
      /* not clearly one: From stands */
      {"P-Asserted-Identity: <sip:+15550001@c.test>, <sip:a@b>, <tel:+1>", "+15559999", "Bob"},
      {"P-Asserted-Identity: <sip:+15550001@a@c.test>", "+15559999", "Bob"},
      {"P-Asserted-Identity: <sip:+15550001%0d@c.test>", "+15559999", "Bob"},
      {"P-Asserted-Identity: \"unclosed <sip:+15550001@c.test>", "+15559999", "Bob"},
      {"P-Asserted-Identity: <http://c.test/+15550001>", "+15559999", "Bob"},
      {"P-Asserted-Identity: <sip:+15550001@c.test", "+15559999", "Bob"},
      {"Remote-Party-ID: <sip:+15550001@c.test>;party=called", "+15559999", "Bob"},
      {"Remote-Party-ID: <sip:+15550001@c.test>;screen=no", "+15559999", "Bob"},
      {"P-Preferred-Identity: <sip:+15550001@c.test>", "+15559999", "Bob"},
  };
  trunk()->trust_identity = true;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    cr_assert_eq(invite(BOB, rows[i].extra), 0, "%s", rows[i].extra);
    cr_assert_str_eq(fake.ask.caller, rows[i].caller, "%s", rows[i].extra);
    cr_assert_str_eq(fake.ask.caller_display, rows[i].display, "%s", rows[i].extra);
    cr_assert_eq(fake.ask.is_asserted, strcmp(rows[i].caller, "+15559999") != 0);
  }
}

#define PAI "P-Asserted-Identity: <sip:+15550001@c.test>\n"
#define HIDDEN "\"Anonymous\" <sip:anonymous@anonymous.invalid>"

Test(identity, privacy) {
  static const struct {
    const char *from, *extra;
    bool trusts, anonymous;
    const char *caller;
  } rows[] = {
      {BOB, "Privacy: id", false, true, "+15559999"},
      {BOB, "Privacy: user", false, true, "+15559999"},
      {BOB, "Privacy: header", false, true, "+15559999"},
      {BOB, "Privacy: session", false, false, "+15559999"},
      {BOB, "Privacy: none", false, false, "+15559999"},
      {BOB, "Privacy: header;id;critical", false, true, "+15559999"},
      {BOB, "Privacy : ID", false, true, "+15559999"},
      {BOB, "privacy:\n user;id", false, true, "+15559999"},
      {BOB, "Privacy: history", false, false, "+15559999"},
      {HIDDEN, "", false, true, ""},
      {HIDDEN, PAI "Privacy: id", false, true, ""},
      {HIDDEN, PAI "Privacy: id", true, true, "+15550001"},
      {HIDDEN, PAI "Privacy: none", true, false, "+15550001"},
      {HIDDEN, PAI "Privacy: none", false, true, ""},
      {BOB, PAI "Privacy: id", true, true, "+15550001"},
      {"<sip:restricted@c.test>", "", false, true, ""},
      {"<sip:+15559999@unknown.invalid>", "", false, true, ""},
      {"<sip:%61nonymous@c.test>", "", false, true, ""},
      {BOB, "Remote-Party-ID: <sip:+15550001@c.test>;privacy=full", true, true, "+15550001"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    trunk()->trust_identity = rows[i].trusts;
    cr_assert_eq(invite(rows[i].from, rows[i].extra), 0, "%s", rows[i].extra);
    cr_assert_eq(fake.ask.anonymous, rows[i].anonymous, "%s %s", rows[i].from, rows[i].extra);
    cr_assert_str_eq(fake.ask.caller, rows[i].caller, "%s %s", rows[i].from, rows[i].extra);
    cr_assert(!fake.ask.anonymous || !*fake.ask.caller_display);
  }
}

Test(identity, critical_privacy_that_is_not_served) {
  cr_assert_eq(invite(BOB, "Privacy: id;critical;x-hide-more"), 500);
  cr_assert_eq(invite(BOB, "Privacy: id;x-hide-more"), 0);
}

Test(identity, screening) {
  strcpy(trunk()->numbers_allowed.text[0], "+1555*");
  strcpy(trunk()->numbers_allowed.text[1], "+14255550123");
  trunk()->numbers_allowed.n = 2;
  cr_assert_eq(invite(BOB, ""), 0);
  cr_assert_str_eq(fake.ask.caller, "+15559999");
  strcpy(trunk()->number_default, "+15550000");
  static const char *const others[] = {
      "<sip:+19005550199@c.test>", "<sip:+142555501234@c.test>",      "<sip:+1%39005550199@c.test>",
      "<sip: +15559999@c.test>",   "<sip:15559999@c.test>",           "<sip:bob@c.test>",
      "<tel:+19005550199>",        "\"+15559999\" <sip:+1900@c.test>"};
  for (size_t i = 0; i < COUNT_OF(others); i++)
    if (invite(others[i], "") == 0)
      cr_assert_str_eq(fake.ask.caller, "+15550000", "%s", others[i]);
  cr_assert_eq(invite(BOB, "P-Preferred-Identity: <sip:+15550007@c.test>"), 0);
  cr_assert_str_eq(fake.ask.caller, "+15559999"); /* not a trusted trunk */
  trunk()->trust_identity = true;
  cr_assert_eq(invite(BOB, "P-Preferred-Identity: <sip:+15550007@c.test>"), 0);
  cr_assert_str_eq(fake.ask.caller, "+15550007");
  cr_assert_eq(invite(BOB, "P-Preferred-Identity: <sip:+1900@c.test>"), 0);
  cr_assert_str_eq(fake.ask.caller, "+15559999");
  cr_assert_eq(invite(BOB, "P-Asserted-Identity: <sip:+1900@c.test>"), 0);
  cr_assert_str_eq(fake.ask.caller, "+15550000");
}

Test(identity, display) {
  trunk()->display = DISPLAY_DROP;
  cr_assert_eq(invite(BOB, ""), 0);
  cr_assert_str_eq(fake.ask.caller_display, "");
  cr_assert(strstr(rig_header(out("+15550001", "Al", false), "From"), "<sip:+15550001@") != NULL);
  cr_assert_null(strstr(rig_header(out("+15550001", "Al", false), "From"), "Al"));
  trunk()->display = DISPLAY_NUMBER;
  cr_assert_eq(invite(BOB, ""), 0);
  cr_assert_str_eq(fake.ask.caller_display, "+15559999");
  cr_assert(strstr(rig_header(out("+15550001", "Al", false), "From"), "\"+15550001\" <sip:"));
  trunk()->display = DISPLAY_PASS;
  cr_assert_eq(invite("\"\xc3\xa9 \xff\x01\" <sip:+15559999@c.test>", ""), 0);
  cr_assert_str_eq(fake.ask.caller_display, "\xc3\xa9 ??");
}

Test(identity, asserted_out) {
  static const struct {
    uint8_t pai, kind;
    bool anonymous, has_pai, has_privacy, has_rpid;
  } rows[] = {
      {PAI_PRIVATE, TRUNK_CARRIER, false, false, false, false},
      {PAI_PRIVATE, TRUNK_CARRIER, true, true, true, false},
      {PAI_OFF, TRUNK_CARRIER, true, false, true, false},
      {PAI_OFF, TRUNK_CARRIER, false, false, false, false},
      {PAI_ON, TRUNK_CARRIER, false, true, false, false},
      {PAI_ON, TRUNK_CARRIER, true, true, true, false},
      {PAI_ON, TRUNK_DIRECT_ROUTING, false, true, true, false},
      {PAI_RPID, TRUNK_CARRIER, false, false, false, true},
      {PAI_RPID, TRUNK_CARRIER, true, false, true, true},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    trunk()->forward_pai = rows[i].pai;
    trunk()->kind = rows[i].kind;
    const char *m = out("+15550001", "Al", rows[i].anonymous);
    trunk()->kind = TRUNK_CARRIER;
    const char *pai = rig_header(m, "P-Asserted-Identity"), *rpid = rig_header(m, "Remote-Party-ID");
    cr_assert_eq(*pai != 0, rows[i].has_pai, "row %zu", i);
    cr_assert_str_eq(rig_header(m, "Privacy"), rows[i].has_privacy ? "id" : "", "row %zu", i);
    cr_assert_eq(*rpid != 0, rows[i].has_rpid, "row %zu", i);
    cr_assert(!*pai || strstr(pai, "<sip:+15550001@gw.example.test;user=phone>"));
    cr_assert(!*rpid || strstr(rpid, rows[i].anonymous ? "privacy=full" : "privacy=off"));
    cr_assert_eq(strstr(rig_header(m, "From"), "anonymous.invalid") != NULL, rows[i].anonymous);
  }
}

#define DIVERTED \
  "History-Info: <sip:+15550001@c.test?Reason=SIP%3Bcause%3D486>;index=1\n" \
  "History-Info: <sip:+15551234@c.test;cause=486>;index=1.1;mp=1"

Test(identity, history_in) {
  cr_assert_eq(invite(BOB, DIVERTED), 0);
  cr_assert_eq(fake.ask.history.n, 0);
  trunk()->trust_identity = true;
  cr_assert_eq(invite(BOB, DIVERTED), 0);
  cr_assert_eq(fake.ask.history.n, 1);
  cr_assert_str_eq(fake.ask.history.entry[0].number, "+15550001");
  cr_assert_eq(fake.ask.history.entry[0].cause, 486);
  cr_assert_not(fake.ask.history.entry[0].is_private);
  cr_assert_eq(invite(BOB, DIVERTED "\nPrivacy: history"), 0);
  cr_assert(fake.ask.history.entry[0].is_private);
  cr_assert_eq(invite(BOB, "Diversion: <sip:+15550001@c.test>;reason=no-answer;privacy=full"), 0);
  cr_assert_eq(fake.ask.history.entry[0].cause, 408);
  cr_assert(fake.ask.history.entry[0].is_private);
  cr_assert_eq(invite(BOB, "History-Info: <sip:a@b\nDiversion: <tel:+15550001>;reason=user-busy"), 0);
  cr_assert_eq(fake.ask.history.entry[0].cause, 486);
  trunk()->trust_identity = false;
  cr_assert_eq(invite(BOB, "Diversion: <tel:+15550001>;counter=30"), 0);
  cr_assert(fake.ask.history.is_over && !fake.ask.history.n);
}

Test(identity, history_out) {
  static const struct {
    uint8_t forward;
    bool trusts, anonymous, has_info, has_diversion;
  } rows[] = {
      {HISTORY_OFF, true, false, false, false},      {HISTORY_INFO, true, false, true, false},
      {HISTORY_DIVERSION, true, false, false, true}, {HISTORY_BOTH, false, false, true, true},
      {HISTORY_BOTH, true, true, true, true},        {HISTORY_BOTH, false, true, false, false},
  };
  cr_assert_eq(history_add(&diverted, SLICE("+15550001"), 302, false), 0);
  cr_assert_eq(history_add(&diverted, SLICE("+15550003"), 486, true), 0);
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    trunk()->forward_history = rows[i].forward;
    trunk()->trust_identity = rows[i].trusts;
    const char *m = out("+15559999", "", rows[i].anonymous);
    const char *info = rig_header(m, "History-Info"), *diversion = rig_header(m, "Diversion");
    cr_assert_eq(*info != 0, rows[i].has_info, "row %zu", i);
    cr_assert_eq(*diversion != 0, rows[i].has_diversion, "row %zu", i);
    cr_assert(!*info ||
              strstr(info, "<sip:+15550001@gw.example.test;user=phone?Reason=SIP%3Bcause%3D302"));
    cr_assert(!*info ||
              strstr(info, "<sip:+15550002@gw.example.test;user=phone;cause=486>;index=1.1.1"));
    cr_assert_eq(strstr(m, "+15550003") != NULL, rows[i].trusts && (*info || *diversion), "row %zu", i);
  }
}

static void edit(struct conf_edits *to, uint8_t action, const char *name, const char *match,
                 bool is_prefix, const char *value) {
  struct conf_edit *e = &to->edit[to->n++];
  e->action = action;
  e->is_prefix = is_prefix;
  snprintf(e->name, sizeof e->name, "%s", name);
  snprintf(e->match, sizeof e->match, "%s", match);
  snprintf(e->value, sizeof e->value, "%s", value);
}

Test(identity, edits_out) {
  struct conf_edits *to = &trunk()->headers.out;
  edit(to, EDIT_ADD, "X-Route", "", false, "${trunk};to=${called};from=${caller};id=${session_id};n");
  edit(to, EDIT_REWRITE, "user-agent", "", false, "none");
  edit(to, EDIT_ADD, "X-Tail", "", false, "abc-def");
  edit(to, EDIT_REWRITE, "X-Tail", "abc", true, "x");
  edit(to, EDIT_REWRITE, "X-Tail", "abc", true, "y");
  edit(to, EDIT_ADD, "X-Gone", "", false, "1");
  edit(to, EDIT_REMOVE, "x-gone", "2", false, "");
  edit(to, EDIT_REMOVE, "Privacy", "", false, "");
  const char *m = out("al \r\nX-Evil: 1", "", false);
  cr_assert(strstr(rig_header(m, "X-Route"), "lab;to=+15550002;from=al%20%0D%0AX-Evil%3A%201;id="));
  cr_assert(strstr(rig_header(m, "X-Route"), ";n"));
  cr_assert_str_eq(rig_header(m, "X-Evil"), "");
  cr_assert_str_eq(rig_header(m, "User-Agent"), "none");
  cr_assert_str_eq(rig_header(m, "X-Tail"), "x-def");
  cr_assert_str_eq(rig_header(m, "X-Gone"), "1");
  edit(to, EDIT_REMOVE, "x-gone", "1", false, "");
  m = out("+15550001", "", true);
  cr_assert_str_eq(rig_header(m, "X-Gone"), "");
  cr_assert_str_eq(rig_header(m, "Privacy"), "");
  cr_assert(strstr(rig_header(m, "X-Route"), "from=anonymous;"));
  cr_assert_null(strstr(rig_header(m, "X-Route"), "15550001"));
}

Test(identity, edits_in) {
  struct conf_edits *in = &trunk()->headers.in;
  trunk()->trust_identity = true;
  edit(in, EDIT_REMOVE, "P-Asserted-Identity", "<sip:+1900", true, "");
  edit(in, EDIT_REWRITE, "P-Asserted-Identity", "<sip:0", true, "<sip:+49");
  edit(in, EDIT_REMOVE, "Privacy", "id", false, "");
  cr_assert_eq(invite(BOB, "P-Asserted-Identity : <sip:+19005550199@c.test>\nPrivacy: id"), 0);
  cr_assert_str_eq(fake.ask.caller, "+15559999");
  cr_assert_not(fake.ask.anonymous);
  cr_assert_eq(invite(BOB, "X-A: 1\np-asserted-identity: <sip:0301234@c.test>\nX-B: 2"), 0);
  cr_assert_str_eq(fake.ask.caller, "+49301234");
  edit(in, EDIT_ADD, "Privacy", "", false, "user");
  cr_assert_eq(invite(BOB, ""), 0);
  cr_assert(fake.ask.anonymous);
}

Test(identity, verdict_is_due) {
  cr_assert_eq(invite(BOB, "Identity: x;info=<https://c.test/>"), 0);
  cr_assert_eq(fake.legs[0].verdicts, 0);
  trunk()->stir.verify = VERIFY_TAG;
  cr_assert_eq(invite(BOB, ""), 0);
  cr_assert_eq(fake.legs[0].verdicts, 1);
  cr_assert_str_eq(fake.legs[0].verified, "none");
  cr_assert(verdict_is_pass(&fake.legs[0].verdict));
  trunk()->stir.verify = VERIFY_REQUIRE;
  cr_assert_eq(invite(BOB, ""), 0);
  cr_assert_eq(fake.legs[0].verdict.refusal, REFUSE_STIR_MISSING);
  cr_assert_eq(verdict_sip(&fake.legs[0].verdict), 428);
  cr_assert_eq(invite(BOB, "y: 1\nIdentity: 2\ny: 3\nIdentity: 4\nIdentity: 5"), 0);
  cr_assert_eq(verdict_sip(&fake.legs[0].verdict), 438);
}
