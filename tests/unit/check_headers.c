/* SPDX-License-Identifier: Apache-2.0
 * Texts of SIP header fields. */
#include "trunk/headers.h"

#include <criterion/criterion.h>

static char text[600];

Test(headers, warning_is_quoted) {
  header_warning(text, sizeof text, "gw.test", "No", "a \"b\" \\ \r\nVia: x");
  cr_assert_str_eq(text, "399 gw.test \"No: a \\\"b\\\" \\\\ ??Via: x\"");
}

Test(headers, reason) {
  cr_assert_str_eq(header_reason(text, sizeof text, 16, "completed"),
                   "Q.850;cause=16;text=\"completed\"");
  cr_assert_str_eq(header_reason(text, sizeof text, 0, "x"), "");
}

Test(headers, session_id) {
  char uuid[SESSION_ID_BYTES];
  cr_assert(header_session_read(SLICE("ABCDEF00112233445566778899aabbcc ; remote=0"), uuid));
  cr_assert_str_eq(uuid, "abcdef00112233445566778899aabbcc");
  cr_assert_not(header_session_read(SLICE("00000000000000000000000000000000;remote=1"), uuid));
  cr_assert_not(header_session_read(SLICE("abcdef00112233445566778899aabbc"), uuid));
  cr_assert_not(header_session_read(SLICE("zbcdef00112233445566778899aabbcc"), uuid));
  cr_assert_str_eq(uuid, "");
  cr_assert_str_eq(header_session(text, sizeof text, "aa", ""),
                   "aa;remote=00000000000000000000000000000000");
}

Test(headers, uri) {
  cr_assert_str_eq(header_uri(text, sizeof text, "+1", "a.test", 5061, "tls"),
                   "sip:+1@a.test:5061;transport=tls");
  cr_assert_str_eq(header_uri(text, sizeof text, "", "::1", 0, NULL), "sip:[::1]");
  cr_assert_str_eq(header_uri(text, sizeof text, "a>;x=\"<", "h", 0, NULL), "sip:a%3E%3Bx=%22%3C@h");
}

Test(headers, party) {
  cr_assert_str_eq(header_party(text, sizeof text, "+1555", "A \"B\"", "h.test", false),
                   "\"A \\\"B\\\"\" <sip:+1555@h.test;user=phone>");
  cr_assert_str_eq(header_party(text, sizeof text, "al ice<", "", "h.test", false),
                   "<sip:al%20ice%3C@h.test>");
  char name[4 * 63 + 1] = "", party[PARTY_BYTES];
  for (unsigned i = 0; i < 63; i++)
    memcpy(name + 4 * i, i % 2 ? "\xf0\x9f\x92\xa5" : "\xf0\x90\x8d\x88", 5);
  header_party(party, sizeof party, "+1555", name, "h.test", false);
  cr_assert(strstr(party, name) && strstr(party, "\" <sip:+1555@h.test;user=phone>"), "%s", party);
  cr_assert_str_eq(header_party(text, sizeof text, "+1555", "A", "h.test", true),
                   "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
}

static int number(const char *user) { return header_number(text, 20, slice_of(user)); }

Test(headers, number) {
  cr_assert_eq(number("+1-555.(12)34;npdi;rn=5"), 0);
  cr_assert_str_eq(text, "+15551234");
  cr_assert_eq(number("%2B15"), 0);
  cr_assert_str_eq(text, "+15");
  cr_assert_eq(number("a-b"), 0);
  cr_assert_str_eq(text, "a-b");
  cr_assert_eq(number("%0d%0aX"), -EINVAL);
  cr_assert_eq(number("%zz"), -EINVAL);
  cr_assert_eq(number("%4"), -EINVAL);
  cr_assert_eq(number("12345678901234567890"), -ENOSPC);
  cr_assert_str_eq(text, "");
}

Test(headers, digit) {
  char d;
  uint32_t ms;
  cr_assert_eq(header_digit(SLICE("Signal= 11 \r\nDuration=250\r\n"), true, &d, &ms), 0);
  cr_assert_eq(d, '#');
  cr_assert_eq(ms, 250);
  cr_assert_eq(header_digit(SLICE("signal=a"), true, &d, &ms), 0);
  cr_assert_eq(d, 'A');
  cr_assert_eq(header_digit(SLICE("7"), false, &d, &ms), 0);
  cr_assert_eq(d, '7');
  cr_assert_eq(header_digit(SLICE("Signal=99"), true, &d, &ms), -EBADMSG);
  cr_assert_eq(header_digit(SLICE("Signal=5\nDuration=x"), true, &d, &ms), -EBADMSG);
  cr_assert_eq(header_digit(SLICE(""), true, &d, &ms), -EBADMSG);
}

Test(headers, multipart) {
  struct slice body = SLICE("preamble\r\n--b1\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
                            "--b1\r\nContent-Disposition: session\r\ncontent-type : application/SDP ; "
                            "x=y\r\n\r\nv=0\r\n--b1--\r\n");
  struct slice sdp;
  cr_assert(header_multipart_sdp(body, SLICE("b1"), &sdp));
  cr_assert(slice_starts(sdp, SLICE("v=0")));
  cr_assert_leq(sdp.n, 6);
  cr_assert(header_multipart_sdp(body, SLICE("b2"), &sdp) && !sdp.n);
  cr_assert(header_multipart_sdp(body, SLICE(""), &sdp) && !sdp.n);
  cr_assert(header_multipart_sdp(SLICE("--b1\r\n"), SLICE("b1"), &sdp) && !sdp.n);
  cr_assert(header_multipart_sdp(SLICE("--b1"), SLICE("b1"), &sdp) && !sdp.n);
}

#define PARTS(disposition_a, disposition_b) \
  SLICE("--b\r\nContent-Type: application/isup\r\n" disposition_a "\r\nx\r\n" \
        "--b\r\nContent-Type: application/sdp\r\n" disposition_b "\r\nv=0\r\n--b--\r\n")
#define SAYS(x) "Content-Disposition: " x "\r\n"

/* RFC 5621: what must be understood and is not, what need not, and a description for something else. */
Test(headers, multipart_handling) {
  struct slice sdp;
  cr_assert(header_multipart_sdp(PARTS("", ""), SLICE("b"), &sdp) && sdp.n);
  cr_assert(
      header_multipart_sdp(PARTS(SAYS("signal; handling=optional"), SAYS("session;handling=required")),
                           SLICE("b"), &sdp) &&
      sdp.n);
  cr_assert_not(
      header_multipart_sdp(PARTS(SAYS("signal ;foo=bar; Handling = Required"), ""), SLICE("b"), &sdp));
  cr_assert(header_multipart_sdp(PARTS("", SAYS("early-session;handling=optional")), SLICE("b"), &sdp) &&
            !sdp.n);
  cr_assert_not(
      header_multipart_sdp(PARTS("", SAYS("early-session;handling=required")), SLICE("b"), &sdp));
}

static void display_is(const char *in, const char *out) {
  cr_assert_str_eq(header_display(text, sizeof text, slice_of(in)), out, "%s: %s", in, text);
}

Test(headers, display) {
  display_is("\"Zo\xc3\xab \\\"Z\\\" \\\\\"", "Zo\xc3\xab \"Z\" \\");
  display_is("Plain Name", "Plain Name");
  display_is("\"\"", "");
  display_is("\"\\\"", "\\"); /* a lone escape has nothing to escape */
  display_is("a\xff\xc3x\xe2\x82\xac\xed\xa0\x80\xf0\x9f\x98\x80\x7f\xc2\x85",
             "a??x\xe2\x82\xac???\xf0\x9f\x98\x80???");
  char small[4];
  cr_assert_str_eq(header_display(small, sizeof small, SLICE("ab\xe2\x82\xac")), "ab");
  cr_assert_str_eq(header_quote(text, sizeof text, SLICE("\xc3\xab\xc3\"")), "\xc3\xab?\\\"");
}
