/* SPDX-License-Identifier: Apache-2.0
 * Units of the area web that need no server: paths, header guards, answers, problems, limits. */
#include "web/head.h"
#include "web/limit.h"
#include "web/path.h"
#include "web/reply.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct web_row rows[] = {
    {.method = WEB_GET, .pattern = "/v1/calls", .id = 1},
    {.method = WEB_POST, .pattern = "/v1/calls", .id = 2},
    {.method = WEB_GET, .pattern = "/v1/calls/{id}", .id = 3},
    {.method = WEB_DELETE, .pattern = "/v1/calls/{id}/participants/{pid}", .id = 4},
    {.method = WEB_GET, .pattern = "/v1/events", .id = 5, .flags = WEB_NO_HEAD},
};

static int find(enum web_method m, const char *path, struct web_params *p, unsigned *allow) {
  const struct web_row *r = web_path_find(rows, COUNT_OF(rows), m, slice_of(path), p, allow);
  return r ? r->id : 0;
}

Test(path, exact_rows_and_parameters) {
  struct web_params p;
  unsigned allow;
  cr_assert_eq(find(WEB_GET, "/v1/calls", &p, &allow), 1);
  cr_assert_eq(find(WEB_POST, "/v1/calls", &p, &allow), 2);
  cr_assert_eq(find(WEB_HEAD, "/v1/calls", &p, &allow), 1);
  cr_assert_eq(find(WEB_GET, "/v1/calls/c%5F1", &p, &allow), 3);
  cr_assert_str_eq(p.text[0], "c_1");
  cr_assert_eq(find(WEB_DELETE, "/v1/calls/a/participants/b", &p, &allow), 4);
  cr_assert_eq(p.n, 2);
  cr_assert_str_eq(p.text[1], "b");
}

Test(path, nothing_is_normalised) {
  struct web_params p;
  unsigned allow;
  const char *const none[] = {"",
                              "/",
                              "/v1",
                              "/v1/calls/",
                              "//v1/calls",
                              "/v1/./calls",
                              "/v1/x/../calls/a",
                              "/v1%2fcalls",
                              "/v1/calls/a%2fb",
                              "/v1/calls/a%00",
                              "/v1/calls/%0a",
                              "/v1/calls/%",
                              "/v1/calls/%4",
                              "/v1/calls/a/",
                              "/V1/calls",
                              "v1/calls"};
  for (size_t i = 0; i < COUNT_OF(none); i++) {
    cr_assert_eq(find(WEB_GET, none[i], &p, &allow), 0, "%s", none[i]);
    cr_assert_eq(allow, 0, "%s", none[i]);
  }
}

Test(path, allow_names_what_is_there) {
  struct web_params p;
  unsigned allow;
  char text[64], small[10];
  cr_assert_eq(find(WEB_PATCH, "/v1/calls", &p, &allow), 0);
  cr_assert_str_eq(web_allow_text(allow, text, sizeof(text)), "GET, HEAD, POST, OPTIONS");
  cr_assert_eq(find(WEB_HEAD, "/v1/events", &p, &allow), 0);
  cr_assert_str_eq(web_allow_text(allow, text, sizeof(text)), "GET, OPTIONS");
  cr_assert_eq(web_path_allow(rows, COUNT_OF(rows), SLICE("/nothing")), 0);
  web_allow_text(0x7f, small, sizeof(small)); /* is cut, not overrun */
}

Test(path, the_index_finds_what_the_walk_finds) {
  static const struct web_row more[] = {
      {.method = WEB_GET, .pattern = "/v1/calls", .id = 1},
      {.method = WEB_GET, .pattern = "/v1/{any}", .id = 2},
      {.method = WEB_GET,
       .pattern = "/v1/records",
       .id = 3}, /* never reached: the row before takes it */
      {.method = WEB_POST, .pattern = "/v1/records", .id = 4},
  };
  struct path_index x;
  struct web_params p;
  unsigned allow;
  path_index_make(&x, more, COUNT_OF(more));
  cr_assert_eq(path_index_find(&x, more, WEB_GET, SLICE("/v1/calls"))->id, 1);
  cr_assert_eq(path_index_find(&x, more, WEB_POST, SLICE("/v1/records"))->id, 4);
  cr_assert_null(path_index_find(&x, more, WEB_GET, SLICE("/v1/records")));
  cr_assert_eq(web_path_find(more, COUNT_OF(more), WEB_GET, SLICE("/v1/records"), &p, &allow)->id, 2);
  cr_assert_null(path_index_find(&x, more, WEB_GET, SLICE("/v1/{any}")));
  cr_assert_null(path_index_find(&x, more, WEB_HEAD, SLICE("/v1/calls")));
  cr_assert_null(path_index_find(&x, more, WEB_GET, SLICE("")));
}

Test(head, framing) {
  const char *why;
  struct head h = {0};
  head_add(&h, SLICE("host"), SLICE("a"));
  cr_assert_eq(head_judge(&h, true, &why), WEB_PROBLEM_COUNT_);
  head_add(&h, SLICE("content-LENGTH"), SLICE("5"));
  cr_assert_eq(head_judge(&h, true, &why), WEB_PROBLEM_COUNT_);
  cr_assert_eq(head_length(&h), 5);
  cr_assert_eq(head_judge(&h, false, &why), WEB_PROBLEM_bad_request, "GET with a body");
  struct head both = h;
  head_add(&both, SLICE("Transfer-Encoding"), SLICE("chunked"));
  cr_assert_eq(head_judge(&both, true, &why), WEB_PROBLEM_bad_request, "smuggling");
  struct head twice = h;
  head_add(&twice, SLICE("Host"), SLICE("a"));
  cr_assert_eq(head_judge(&twice, true, &why), WEB_PROBLEM_bad_request, "two hosts");
  struct head control = h;
  head_add(&control, SLICE("X"), slice_from("a\0b", 3));
  cr_assert_eq(head_judge(&control, true, &why), WEB_PROBLEM_bad_request, "NUL");
  struct head space = h;
  head_add(&space, SLICE("X "), SLICE("a"));
  cr_assert_eq(head_judge(&space, true, &why), WEB_PROBLEM_bad_request, "space in a name");
}

Test(head, hosts) {
  static const char *const names[] = {"edge.example"};
  struct addr local, six;
  cr_assert_eq(addr_parse(&local, SLICE("192.0.2.1"), 443), 0);
  cr_assert_eq(addr_parse(&six, SLICE("2001:db8::1"), 443), 0);
  const char *const good[] = {"edge.example", "EDGE.example:8443", "192.0.2.1", "192.0.2.1:443"};
  const char *const bad[] = {"",
                             "edge.example.",
                             "xedge.example",
                             "edge.example:",
                             "edge.example:99999",
                             "edge.example:1:2",
                             "192.0.2.2",
                             "[::1]",
                             "[2001:db8::1",
                             "a@edge.example",
                             ":443"};
  for (size_t i = 0; i < COUNT_OF(good); i++)
    cr_assert(head_host_ok(slice_of(good[i]), names, 1, &local), "%s", good[i]);
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    cr_assert_not(head_host_ok(slice_of(bad[i]), names, 1, &local), "%s", bad[i]);
  cr_assert(head_host_ok(SLICE("[2001:db8::1]:443"), names, 1, &six));
  cr_assert_not(head_host_ok(SLICE("localhost"), names, 1, &local));
  cr_assert_eq(addr_parse(&local, SLICE("127.0.0.1"), 443), 0);
  cr_assert(head_host_ok(SLICE("LOCALHOST:8081"), names, 1, &local));
  cr_assert_not(head_host_ok(SLICE("rebound.localhost"), names, 1, &local));
}

Test(head, origins) {
  static const char *const names[] = {"ops.example"};
  static const struct {
    const char *origin, *host;
    bool is_tls, is_own;
  } cases[] = {
      {"https://192.0.2.1:8081", "192.0.2.1:8081", true, true},
      {"http://192.0.2.1:8081", "192.0.2.1:8081", true, false},
      {"http://127.0.0.1:8081", "127.0.0.1:8081", false, true},
      {"http://127.0.0.1:3000", "127.0.0.1:8081", false, false},
      {"https://OPS.example", "127.0.0.1:8081", false, true}, /* behind a proxy */
      {"https://ops.example:8443", "ops.example", true, true},
      {"https://ops.example.evil", "ops.example", true, false},
      {"https://evil.example", "ops.example", true, false},
      {"https://ops.example/x", "ops.example", true, false},
      {"null", "ops.example", true, false},
      {"", "", true, false},
      {"ops.example", "ops.example", true, false},
      {"file://ops.example", "ops.example", true, false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    cr_expect_eq(head_origin_own(slice_of(cases[i].origin), slice_of(cases[i].host), cases[i].is_tls,
                                 names, 1),
                 cases[i].is_own, "%s at %s", cases[i].origin, cases[i].host);
}

Test(head, targets_and_types) {
  cr_assert(head_target_ok(SLICE("/v1/calls?a=b%20c")));
  cr_assert_not(head_target_ok(SLICE("")));
  cr_assert_not(head_target_ok(SLICE("http://a/")));
  cr_assert_not(head_target_ok(SLICE("/a\\b")));
  cr_assert_not(head_target_ok(SLICE("/a\x7f")));
  cr_assert(head_type_listed(SLICE("application/JSON ; charset=utf-8"), "application/json"));
  cr_assert_not(head_type_listed(SLICE("application/json2"), "application/json"));
  cr_assert_not(head_type_listed((struct slice){0}, "application/json"));
  cr_assert(head_type_listed(SLICE("application/json;charset=utf-8"), "text/csv, application/json"));
  cr_assert(head_type_listed(SLICE("x/y"), "*"));
  cr_assert_not(head_type_listed(SLICE("text/csv, application/json"), "text/csv, application/json"));
}

static json_t *body_of(const struct web_answer *a) {
  json_error_t e;
  return json_loadb(a->body, a->body_bytes, JSON_REJECT_DUPLICATES, &e);
}

Test(reply, a_problem_has_all_members) {
  struct web_answer a = {0};
  const struct web_problem_error errors[] = {{"/to/tel", "not a number"}};
  web_answer_problem(
      &a, WEB_PROBLEM_field,
      &(struct web_problem_info){
          .detail = "bad \"x\"\r\n\xff", .instance = "/v1/calls/c_1", .errors = errors, .errors_n = 1});
  json_t *j = body_of(&a);
  cr_assert_not_null(j);
  cr_assert_str_eq(json_string_value(json_object_get(j, "type")), "urn:sallyport:problem:field");
  cr_assert_str_eq(json_string_value(json_object_get(j, "code")), "field");
  cr_assert_eq(json_integer_value(json_object_get(j, "status")), 400);
  cr_assert_str_eq(json_string_value(json_object_get(j, "instance")), "/v1/calls/c_1");
  json_t *e = json_array_get(json_object_get(j, "errors"), 0);
  cr_assert_str_eq(json_string_value(json_object_get(e, "pointer")), "/to/tel");
  cr_assert_str_eq(a.type, "application/problem+json");
  json_decref(j);
  web_answer_done(&a);
}

Test(reply, statuses_bring_their_headers) {
  struct web_answer a = {0};
  web_answer_problem(&a, WEB_PROBLEM_policy, &(struct web_problem_info){.rule = "hairpin"});
  json_t *j = body_of(&a);
  cr_assert_str_eq(json_string_value(json_object_get(j, "type")),
                   "urn:sallyport:problem:policy:hairpin");
  cr_assert_null(json_object_get(j, "retry_after"));
  json_decref(j);
  web_answer_done(&a);
  web_answer_problem(&a, WEB_PROBLEM_overload, NULL);
  cr_assert_eq(a.retry_after_s, 1);
  web_answer_done(&a);
  web_answer_problem(&a, WEB_PROBLEM_rate, &(struct web_problem_info){.retry_after_s = 7});
  j = body_of(&a);
  cr_assert_eq(json_integer_value(json_object_get(j, "retry_after")), 7);
  json_decref(j);
  web_answer_done(&a);
  web_answer_problem(&a, WEB_PROBLEM_unauthorized, NULL);
  cr_assert_str_eq(a.extra[0].name, "WWW-Authenticate");
  web_answer_done(&a);
}

Test(reply, members_are_json) {
  struct web_answer a = {0};
  char long_text[2048];
  const struct web_member m[] = {{"a", "b\"\\\n\x01"}, {"none", NULL}, {"s", "\xc3\xa4"}, {"empty", ""}};
  cr_assert_eq(web_answer_members(&a, 200, m, COUNT_OF(m)), 0);
  json_t *j = json_loadb(a.body, a.body_bytes, 0, NULL);
  cr_assert_not_null(j, "%s", a.body);
  cr_assert_str_eq(json_string_value(json_object_get(j, "a")), "b\"\\\n\x01");
  cr_assert(json_is_null(json_object_get(j, "none")));
  cr_assert_str_eq(json_string_value(json_object_get(j, "s")), "\xc3\xa4");
  cr_assert_eq(json_object_size(j), 4);
  cr_assert_str_eq(a.type, "application/json");
  json_decref(j);
  web_answer_done(&a);
  memset(long_text, '"', sizeof(long_text) - 1);
  long_text[sizeof(long_text) - 1] = 0;
  cr_assert_eq(web_answer_members(&a, 200, &(struct web_member){"x", long_text}, 1), -ENOSPC);
  cr_assert_eq(a.status, 0);
}

Test(reply, every_problem_is_whole) {
  for (unsigned id = 0; id < WEB_PROBLEM_COUNT_; id++) {
    unsigned s = web_problem_status((enum web_problem)id);
    cr_assert(s >= 400 && s < 600);
    cr_assert_gt(strlen(web_problem_code((enum web_problem)id)), 2);
  }
}

Test(reply, copies_are_deep) {
  struct web_answer a = {0}, b;
  cr_assert_eq(web_answer_text(&a, 200, "text/plain", slice_from("a\0b", 3)), 0);
  cr_assert_eq(web_answer_copy(&b, &a), 0);
  web_answer_done(&a);
  cr_assert_eq(b.body_bytes, 3);
  cr_assert_arr_eq(b.body, "a\0b", 4);
  web_answer_done(&b);
}

Test(reply, json_of_a_peer_is_strict) {
  json_t *j = NULL;
  char deep[200];
  const char *const bad[] = {"[]", "1",   "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}",
                             "{",  "{}x", "{\"a\":\"\xff\"}",  "null"};
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    cr_assert_eq(web_json_parse(slice_of(bad[i]), &j), -EINVAL, "%s", bad[i]);
  memset(deep, '[', sizeof(deep));
  memcpy(deep, "{\"a\":", 5);
  cr_assert_eq(web_json_parse(slice_from(deep, sizeof(deep)), &j), -EINVAL);
  cr_assert_eq(web_json_parse(SLICE(" \r\n"), &j), 0);
  json_decref(j);
  cr_assert_eq(web_json_parse(SLICE("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"}"), &j),
               0);
  json_decref(j);
}

Test(limit, a_burst_then_the_rate) {
  own(limit) l = NULL;
  cr_assert_eq(limit_new(&l, 10, 20, 100), 0);
  for (int i = 0; i < 20; i++)
    cr_assert_eq(limit_take(l, SLICE("alice"), 1000), 0);
  cr_assert_eq(limit_take(l, SLICE("alice"), 1000), 100000);
  cr_assert_eq(limit_take(l, SLICE("bob"), 1000), 0);
  cr_assert_eq(limit_take(l, SLICE("alice"), 101000), 0);
  cr_assert_neq(limit_take(l, SLICE("alice"), 101001), 0);
  cr_assert_eq(limit_take(l, SLICE("alice"), 60000000), 0);
}

Test(limit, the_table_is_bounded) {
  own(limit) l = NULL;
  char key[16];
  cr_assert_eq(limit_new(&l, 10, 10, 50), 0);
  for (int i = 0; i < 1000; i++) {
    snprintf(key, sizeof(key), "k%d", i);
    cr_assert_eq(limit_take(l, slice_of(key), (uint64_t)i), 0);
    cr_assert_leq(limit_count(l), 50);
  }
}
