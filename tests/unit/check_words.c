/* SPDX-License-Identifier: Apache-2.0
 * Units of wire/e164, q850 and sse. */
#include "wire/e164.h"
#include "wire/q850.h"
#include "wire/sse.h"

#include <criterion/criterion.h>

Test(e164, forms) {
  static const struct {
    const char *text;
    bool global, dial;
  } rows[] = {
      {"+1234", true, false},
      {"+123456789012345", true, false},
      {"+123", false, false},
      {"+1234567890123456", false, false},
      {"112", false, true},
      {"*72#", false, true},
      {"1", false, true},
      {"", false, false},
      {"+", false, false},
      {"+12 34", false, false},
      {"12a", false, false},
      {"+1234\r\nX", false, false},
      {"12345678901234567890123456789012", false, true},
      {"123456789012345678901234567890123", false, false},
      {"\xd9\xa1\xd9\xa2\xd9\xa3", false, false},
      {"++12345", false, false},
      {"12+34", false, false},
      {"alice", false, false},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct slice s = slice_of(rows[i].text);
    cr_assert_eq(e164_is_global(s), rows[i].global, "row %zu", i);
    cr_assert_eq(e164_is_dial(s), rows[i].dial, "row %zu", i);
    cr_assert_eq(e164_is_dialable(s), rows[i].global || rows[i].dial, "row %zu", i);
  }
  cr_assert_not(e164_is_dialable(slice_from("1\0002", 3)));
}

Test(q850, both_ways) {
  cr_assert_eq(q850_of_status(486), 17);
  cr_assert_eq(q850_of_status(404), 1);
  cr_assert_eq(q850_of_status(200), 16);
  cr_assert_eq(q850_of_status(499), 127);
  cr_assert_eq(q850_to_status(17), 486);
  cr_assert_eq(q850_to_status(34), 503);
  cr_assert_eq(q850_to_status(50), 503);
  cr_assert_eq(q850_to_status(45), 503);
  cr_assert_eq(q850_to_status(47), 503);
  cr_assert_eq(q850_to_status(15), 480);
  cr_assert_eq(q850_to_status(94), 400);
  cr_assert_eq(q850_to_status(112), 500);
  cr_assert_eq(q850_of_status(607), 21);
  cr_assert_eq(q850_of_status(608), 21);
  cr_assert_eq(q850_of_status(433), 24);
  cr_assert_eq(q850_to_status(24), 433);
  cr_assert_eq(q850_to_status(0), 500);
  cr_assert_str_eq(q850_text(17), "User busy");
  cr_assert_str_eq(q850_text(45), "");
  for (int status = 400; status < 700; status++) {
    int cause = q850_of_status(status), back = q850_to_status(cause);
    cr_assert(cause >= 1 && cause <= 127 && back >= 400 && back < 700, "%d", status);
    cr_assert_neq(q850_text(cause)[0], 0, "%d", status);
  }
}

Test(q850, reason_header) {
  static const struct {
    const char *text;
    int result, cause;
  } rows[] = {
      {"Q.850;cause=17", 0, 17},
      {"q.850 ; cause = 16 ; text=\"Normal; call\"", 0, 16},
      {"Q.850;text=\"a;cause=3\";cause=19", 0, 19},
      {"Q.850;text=\"a\\\";cause=3\";cause=19", 0, 19},
      {"SIP;cause=200;text=\"Call completed elsewhere\"", -ENOENT, 0},
      {"Q.850", -ENOENT, 0},
      {"Q.850;cause=", -EINVAL, 0},
      {"Q.850;cause=128", -EINVAL, 0},
      {"Q.850;cause=0", -EINVAL, 0},
      {"Q.850;cause=-1", -EINVAL, 0},
      {"", -EINVAL, 0},
      {";cause=16", -EINVAL, 0},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int cause = 0;
    cr_assert_eq(q850_parse(slice_of(rows[i].text), &cause), rows[i].result, "row %zu", i);
    cr_assert_eq(cause, rows[i].cause, "row %zu", i);
  }
}

Test(sse, data_cannot_leave_its_event) {
  char out[256];
  struct text t;
  size_t n;
  text_init(&t, out, sizeof(out));
  sse_event(&t, 7, "call.incoming", SLICE("{\"a\":1}"));
  sse_event(&t, 0, "x", SLICE("a\nid: 9\r\revent: evil\r\n"));
  sse_event(&t, 0, "y", SLICE(""));
  sse_comment(&t, "hb");
  sse_retry(&t, 2000);
  cr_assert_eq(text_end(&t, &n), 0);
  cr_assert_str_eq(out, "id: 7\nevent: call.incoming\ndata: {\"a\":1}\n\n"
                        "event: x\ndata: a\ndata: id: 9\ndata: \ndata: event: evil\n\n"
                        "event: y\ndata: \n\n: hb\n\nretry: 2000\n\n");
  text_init(&t, out, sizeof(out));
  sse_event(&t, 1, "a\nb", SLICE(""));
  cr_assert_eq(text_end(&t, &n), -EINVAL);
  text_init(&t, out, 10);
  sse_event(&t, 1, "a", SLICE("0123456789"));
  cr_assert_eq(text_end(&t, &n), -ENOSPC);
  cr_assert_str_eq(out, "");
}
