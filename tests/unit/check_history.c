/* SPDX-License-Identifier: Apache-2.0
 * Name-addrs, and histories of calls. */
#include "wire/nameaddr.h"

#include <criterion/criterion.h>

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
