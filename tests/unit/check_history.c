/* SPDX-License-Identifier: Apache-2.0
 * Name-addrs, and histories of calls. */
#include "wire/history.h"
#include "wire/nameaddr.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define TEXT(s, lit) cr_assert(slice_eq(s, SLICE(lit)), "%.*s", SLICE_ARG(s))

Test(nameaddr, pieces) {
  struct slice v,
      list = SLICE("\"A, <b\\\"\" <sip:+1;x=1:pw@h.test:5060;user=phone?a=b>;index=1;q=\"a;b\" , "
                   "tel:+1-555;ext=1;rn=2");
  struct nameaddr a;
  cr_assert_eq(nameaddr_next(&list, &a), 1);
  TEXT(a.display, "\"A, <b\\\"\"");
  TEXT(a.scheme, "sip");
  TEXT(a.user, "+1;x=1");
  TEXT(a.host, "h.test:5060");
  TEXT(a.rest, ";user=phone?a=b");
  TEXT(a.params, ";index=1;q=\"a;b\"");
  cr_assert(nameaddr_param(a.params, SLICE("Q"), &v));
  TEXT(v, "\"a;b\"");
  cr_assert(nameaddr_param(a.rest, SLICE("user"), &v));
  TEXT(v, "phone");
  cr_assert_not(nameaddr_param(a.params, SLICE("b"), &v));
  cr_assert_eq(nameaddr_next(&list, &a), 1);
  TEXT(a.scheme, "tel");
  TEXT(a.user, "+1-555");
  TEXT(a.params, ";ext=1;rn=2"); /* without brackets they are the field's */
  cr_assert_eq(nameaddr_next(&list, &a), 0);
}

Test(nameaddr, malformed) {
  static const char *const bad[] = {
      "sip:",          "sip:a@",          "sip:@h",   "sip:a@b@c",     "<sip:a@b", "sip:a@b>",
      "\"x <sip:a@b>", "<sip:a b@c>",     ",",        "<sip:a@b> x",   "<>",       "a@b",
      "x\"y\"z",       "<sip:a@b>;x=\"y", "1sip:a@b", "<sip:a\x7f@b>", "\x01",     "<sip:a@b>;<x>"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    struct slice list = slice_of(bad[i]);
    struct nameaddr a;
    cr_assert_eq(nameaddr_next(&list, &a), -EBADMSG, "%s", bad[i]);
  }
}

static struct history h;
static char out[HISTORY_TEXT_BYTES];

static const char *info(const char *target, bool shows) {
  struct text t;
  size_t n;
  text_init(&t, out, sizeof out);
  history_write_info(&h, &t, "gw.test", target, shows);
  cr_assert_eq(text_end(&t, &n), 0);
  return out;
}

static const char *diversion(bool shows) {
  struct text t;
  size_t n;
  text_init(&t, out, sizeof out);
  history_write_diversion(&h, &t, "gw.test", shows);
  cr_assert_eq(text_end(&t, &n), 0);
  return out;
}

static void entry(uint32_t i, const char *number, uint16_t cause, bool is_private) {
  cr_assert_lt(i, h.n);
  cr_assert_str_eq(h.entry[i].number, number);
  cr_assert_eq(h.entry[i].cause, cause, "%u", h.entry[i].cause);
  cr_assert_eq(h.entry[i].is_private, is_private);
}

Test(history, of_rfc_7044) {
  cr_assert_eq(
      history_read_info(
          &h, SLICE("<sip:+15550001@a.test;p=x>;index=1,"
                    "<sip:+15550001@192.0.2.4?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%20Here%22>;"
                    "index=1.1;rc=1,"
                    "<sip:+15550002@a.test;cause=486>;index=1.2;mp=1,"
                    "<sip:+15550003@a.test;cause=408>;index=1.2.1;mp=1.2")),
      0);
  cr_assert_eq(h.n, 2);
  entry(0, "+15550001", 486, false);
  entry(1, "+15550002", 408, false);
  cr_assert_not(h.is_over);
}

Test(history, of_rfc_4244_and_direct_routing) {
  cr_assert_eq(
      history_read_info(
          &h, SLICE("<sip:+14255550123@sip.test:5061;user=phone?Reason=SIP%3Bcause%3D302%3Btext%3D"
                    "%22Moved%20Temporarily%22&Privacy=history>;index=1,"
                    "<sip:bob@b.test?Reason=Q.850%3Bcause%3D17%2CSIP%3Bcause%3D496>;index=1.1,"
                    "<sip:carol@b.test>;index=1.1.1")),
      0);
  cr_assert_eq(h.n, 2);
  entry(0, "+14255550123", 302, true);
  entry(1, "bob", 486, false);
  cr_assert(history_has(&h, SLICE("bob")) && !history_has(&h, SLICE("carol")));
}

Test(history, without_a_diversion) {
  cr_assert_eq(history_read_info(&h, SLICE("<sip:+1@a.test>;index=1, <sip:+2@b.test>;index=1.1;rc=1")),
               0);
  cr_assert_eq(h.n, 0);
  cr_assert_str_eq(info("+3", true), "");
  cr_assert_str_eq(diversion(true), "");
}

Test(history, diversion_is_last_first) {
  cr_assert_eq(
      history_read_diversion(&h, SLICE("<sip:+2@b.test>;reason=no-answer;counter=1;privacy=full, \"A\" "
                                       "<tel:+1-5>;reason=\"user-busy\", <sip:+0@a>;reason=away")),
      0);
  cr_assert_eq(h.n, 3);
  entry(0, "+0", 404, false);
  entry(1, "+15", 486, false);
  entry(2, "+2", 408, true);
}

Test(history, written_and_converted) {
  h = (struct history){0};
  cr_assert_eq(history_add(&h, SLICE("+15550001"), 486, false), 0);
  cr_assert_eq(history_add(&h, SLICE("bob smith"), 302, true), 0);
  cr_assert_str_eq(
      info("+15550003", true),
      "<sip:+15550001@gw.test;user=phone?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%20Here%22>;index=1, "
      "<sip:bob%20smith@gw.test;cause=486?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%20Temporarily%22&"
      "Privacy="
      "history>;index=1.1;mp=1, "
      "<sip:+15550003@gw.test;user=phone;cause=302>;index=1.1.1;mp=1.1");
  cr_assert_eq(history_read_info(&h, slice_of(out)), 0);
  cr_assert_eq(h.n, 2);
  entry(1, "bob smith", 302, true);
  cr_assert_str_eq(diversion(true),
                   "<sip:bob%20smith@gw.test>;reason=unconditional;counter=1;privacy=full, "
                   "<sip:+15550001@gw.test;user=phone>;reason=user-busy;counter=1;privacy=off");
  cr_assert_eq(history_read_diversion(&h, slice_of(out)), 0);
  entry(0, "+15550001", 486, false);
  cr_assert_str_eq(diversion(false),
                   "<sip:+15550001@gw.test;user=phone>;reason=user-busy;counter=1;privacy=off");
  cr_assert_null(strstr(info("+15550003", false), "bob"));
  cr_assert(strstr(out, "<sip:anonymous@anonymous.invalid;cause=486?"));
}

Test(history, causes_there_and_back) {
  static const uint16_t causes[] = {302, 486, 408, 480, 503, 404};
  for (size_t i = 0; i < COUNT_OF(causes); i++) {
    h = (struct history){0};
    cr_assert_eq(history_add(&h, SLICE("+15550001"), causes[i], false), 0);
    cr_assert_eq(history_read_diversion(&h, slice_of(diversion(true))), 0);
    entry(0, "+15550001", causes[i], false);
    cr_assert_eq(history_read_info(&h, slice_of(info("+15550002", true))), 0);
    entry(0, "+15550001", causes[i], false);
  }
}

Test(history, limits) {
  char many[HISTORY_TEXT_BYTES];
  size_t n = 0;
  for (unsigned i = 0; i < 12; i++)
    n += (size_t)sprintf(many + n, "%s<sip:+1%u@a>;reason=unconditional", i ? "," : "", i);
  cr_assert_eq(history_read_diversion(&h, slice_of(many)), 0);
  cr_assert(h.is_over);
  cr_assert_eq(history_read_diversion(&h, SLICE("<sip:+1@a>;counter=11")), 0);
  cr_assert(h.is_over);
  n = 0;
  for (unsigned i = 0; i < 12; i++)
    n += (size_t)sprintf(many + n, "%s<sip:+1%u@a?Reason=SIP%%3Bcause%%3D302>;index=1", i ? "," : "", i);
  cr_assert_eq(history_read_info(&h, slice_of(many)), 0);
  cr_assert(h.is_over);
  cr_assert_eq(h.n, HISTORY_MAX);
  cr_assert_eq(history_add(&h, SLICE("+1"), 302, false), -ENOSPC);
}

Test(history, malformed_ones_are_nothing) {
  static const char *const bad[] = {"<sip:a@b>",
                                    "<sip:a@b>;index=x",
                                    "<sip:a@b>;index=1..1",
                                    "<sip:a%0d@b>;index=1",
                                    "<sip:a@b?Reason=SIP%3>;index=1",
                                    "<sip:a@b?Reason=%0d%0aX>;index=1",
                                    "<sip:a@b?Reason=SIP%3Bcause%3D302>;index=1, <sip:c@d",
                                    "x"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    cr_assert_eq(history_read_info(&h, slice_of(bad[i])), -EBADMSG, "%s", bad[i]);
    cr_assert_eq(h.n, 0);
  }
  cr_assert_eq(history_read_diversion(&h, SLICE("<sip:@b>")), -EBADMSG);
}
