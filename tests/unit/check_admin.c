/* SPDX-License-Identifier: Apache-2.0
 * Units of the operators' door: roles, shapes, merge patches, the throttle, Idempotency-Key, alarms, the
 * overview's memory, and the document that the table of verbs writes. */
#include "admin/again.h"
#include "admin/alarms.h"
#include "admin/cert.h"
#include "admin/denied.h"
#include "admin/openapi.h"
#include "admin/overview.h"
#include "admin/password.h"
#include "admin/throttle.h"
#include "admin/verb.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const char *source(const char *name) {
  static char path[4096];
  const char *src = getenv("SRCDIR");
  snprintf(path, sizeof(path), "%s/%s", src ? src : SRCDIR, name);
  return path;
}

/* SALLYPORT_WRITE_DOCS=1 writes docs/api/openapi.json anew. */
Test(openapi, the_document_is_whole) {
  json_t *doc = openapi_make();
  cr_assert_not_null(doc, "a format of json_pack is wrong");
  if (getenv("SALLYPORT_WRITE_DOCS"))
    cr_assert_eq(json_dump_file(doc, source("docs/api/openapi.json"), JSON_INDENT(1) | JSON_SORT_KEYS),
                 0);
  for (size_t i = 0; i < verbs_n; i++)
    cr_expect(json_object_get(json_object_get(doc, "paths"), verbs[i].path), "%s", verbs[i].path);
  json_t *there = json_load_file(source("docs/api/openapi.json"), 0, NULL);
  cr_expect(json_equal(doc, there),
            "docs/api/openapi.json is stale: run check_admin with SALLYPORT_WRITE_DOCS=1");
  json_decref(there);
  json_decref(doc);
}

/* Each shape that the document names, by its name. */
static const struct shape *shape_named(const struct shape *s, const char *name) {
  const struct shape *found = strcmp(s->name, name) ? NULL : s;
  for (size_t i = 0; i < s->n && !found; i++)
    found = s->members[i].inner ? shape_named(s->members[i].inner, name) : NULL;
  return found;
}

Test(openapi, examples_fit_their_shapes) {
  static const struct {
    const char *name, *text;
  } rows[] = {
#define EXAMPLE(name, ...) {#name, #__VA_ARGS__},
#include "admin/example.def"
#undef EXAMPLE
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct shape_fault f;
    const struct shape *s = NULL;
    json_t *j = json_loads(rows[i].text, 0, NULL);
    cr_assert(j, "%s is no JSON", rows[i].name);
    for (size_t k = 0; k < verbs_n && !s; k++) {
      s = shape_named(verbs[k].body, rows[i].name);
      s = s ? s : shape_named(verbs[k].answer, rows[i].name);
    }
    cr_expect(s || !strcmp(rows[i].name, "call_gone") || !strcmp(rows[i].name, "trunk_gone") ||
                  !strcmp(rows[i].name, "event_config"),
              "no verb has %s", rows[i].name);
    cr_expect(!s || shape_check(s, j, &f), "%s: %s %s", rows[i].name, f.pointer, f.reason);
    json_decref(j);
  }
}

/* Two shapes of one name would be one in the document. */
static void names_take(const struct shape *s, const struct shape **seen, size_t *n) {
  for (size_t i = 0; i < *n; i++) {
    cr_expect(seen[i] == s || strcmp(seen[i]->name, s->name), "two shapes are named %s", s->name);
    if (seen[i] == s)
      return;
  }
  cr_assert(*n < 400);
  seen[(*n)++] = s;
  for (size_t i = 0; i < s->n; i++)
    if (s->members[i].inner)
      names_take(s->members[i].inner, seen, n);
}

Test(openapi, each_name_is_one_shape_and_nothing_is_any) {
  const struct shape *seen[400];
  size_t n = 0;
  for (size_t i = 0; i < verbs_n; i++) {
    names_take(verbs[i].body, seen, &n);
    names_take(verbs[i].answer, seen, &n);
    cr_expect(verbs[i].body != &shape_any && verbs[i].answer != &shape_any, "%s: anything is no shape",
              verbs[i].id);
  }
}

Test(verbs, each_is_there_once) {
  for (size_t i = 0; i < verbs_n; i++) {
    cr_expect(verbs[i].status >= 200 && verbs[i].status < 300, "%s", verbs[i].id);
    cr_expect((verbs[i].status == 204) <= (verbs[i].answer == &shape_none), "%s: 204 has no body",
              verbs[i].id);
    cr_expect(verbs[i].method != WEB_GET || verbs[i].body == &shape_none, "%s: GET has no body",
              verbs[i].id);
    cr_expect(verbs[i].role != ROLE_NONE || verbs[i].flags & VERB_ROOT ||
                  !strcmp(verbs[i].id, "login") || !strcmp(verbs[i].id, "openapi"),
              "%s is open to anyone", verbs[i].id);
    for (size_t k = 0; k < i; k++) {
      cr_expect(strcmp(verbs[i].id, verbs[k].id), "%s twice", verbs[i].id);
      cr_expect(verbs[i].method != verbs[k].method || strcmp(verbs[i].path, verbs[k].path), "%s",
                verbs[i].path);
    }
  }
}

Test(role, who_may_what) {
  static const char may[5][6] = {/* nobody viewer operator security admin, each against the same */
                                 "10000", "11000", "11100", "11010", "11111"};
  enum role r;
  for (unsigned has = 0; has < 5; has++)
    for (unsigned needed = 0; needed < 5; needed++)
      cr_expect_eq(role_may((enum role)has, (enum role)needed), may[has][needed] == '1', "%u %u", has,
                   needed);
  cr_assert(role_find(SLICE("security"), &r) && r == ROLE_SECURITY);
  cr_assert(!role_find(SLICE("nobody"), &r) && !role_find(SLICE(""), &r) &&
            !role_find(SLICE("Admin"), &r));
}

SHAPE(inner, {"n", SHAPE_INT, SHAPE_MUST, 1, 9});
SHAPE(outer, {"t", SHAPE_TEXT, SHAPE_MUST, 1, 4}, {"c", SHAPE_TEXT, 0, .choices = "ab|cd"},
      {"b", SHAPE_BOOL, SHAPE_NULL}, {"at", SHAPE_TIME},
      {"list", SHAPE_LIST, 0, 1, 2, .inner = &shape_inner}, {"words", SHAPE_LIST, SHAPE_OF_TEXT},
      {"o", SHAPE_OBJECT, .inner = &shape_inner}, {"f", SHAPE_NUMBER}, {"x", SHAPE_ANY},
      {"s", SHAPE_TEXT, SHAPE_SECRET}, {"word", SHAPE_TEXT, SHAPE_WORD, 1, 9},
      {"plain", SHAPE_TEXT, SHAPE_ASCII});

Test(shape, says_where_it_is_wrong) {
  static const struct {
    const char *body, *pointer; /* NULL: it is right */
  } rows[] = {
      {"{\"t\":\"a\"}", NULL},
      {"{}", "/t"},
      {"{\"t\":\"\"}", "/t"},
      {"{\"t\":\"12345\"}", "/t"},
      {"{\"t\":\"ü€💥x\"}", NULL},
      {"{\"t\":\"ü€💥xx\"}", "/t"},
      {"{\"t\":\"a\",\"word\":\"a.b_@+-\"}", NULL},
      {"{\"t\":\"a\",\"word\":\"a b\"}", "/word"},
      {"{\"t\":\"a\",\"word\":\"ü\"}", "/word"},
      {"{\"t\":\"a\",\"plain\":\"a b\"}", NULL},
      {"{\"t\":\"a\",\"plain\":\"ü\"}", "/plain"},
      {"{\"t\":5}", "/t"},
      {"{\"t\":null}", "/t"},
      {"{\"t\":\"a\",\"no\":1}", "/no"},
      {"{\"t\":\"a\",\"a/~\":1}", "/a~1~0"},
      {"{\"t\":\"a\",\"c\":\"ab\",\"b\":null,\"at\":\"2027-01-31T23:59:59.5+02:00\",\"x\":[1]}", NULL},
      {"{\"t\":\"a\",\"c\":\"a\"}", "/c"},
      {"{\"t\":\"a\",\"c\":\"ab|cd\"}", "/c"},
      {"{\"t\":\"a\",\"b\":0}", "/b"},
      {"{\"t\":\"a\",\"at\":\"2027-01-31\"}", "/at"},
      {"{\"t\":\"a\",\"at\":\"2027-01-31T23:59:59\"}", "/at"},
      {"{\"t\":\"a\",\"at\":\"\"}", "/at"},
      {"{\"t\":\"a\",\"list\":[]}", "/list"},
      {"{\"t\":\"a\",\"list\":[{\"n\":1},{\"n\":10}]}", "/list/1/n"},
      {"{\"t\":\"a\",\"list\":[{\"n\":1},{\"n\":2},{\"n\":3}]}", "/list"},
      {"{\"t\":\"a\",\"list\":[{\"n\":1.5}]}", "/list/0/n"},
      {"{\"t\":\"a\",\"list\":{}}", "/list"},
      {"{\"t\":\"a\",\"words\":[\"a\",1]}", "/words/1"},
      {"{\"t\":\"a\",\"o\":{}}", "/o/n"},
      {"{\"t\":\"a\",\"o\":{\"n\":1,\"m\":1}}", "/o/m"},
      {"{\"t\":\"a\",\"f\":1.5}", NULL},
      {"{\"t\":\"a\",\"f\":\"1\"}", "/f"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct shape_fault f;
    json_t *body = json_loads(rows[i].body, 0, NULL);
    bool ok = shape_check(&shape_outer, body, &f);
    cr_expect_eq(ok, !rows[i].pointer, "%s", rows[i].body);
    cr_expect(ok || !strcmp(f.pointer, rows[i].pointer), "%s: %s (%s)", rows[i].body, f.pointer,
              f.reason);
    json_decref(body);
  }
}

extern const struct shape shape_trunk_body, shape_trunk_change;

Test(shape, trunk_settings_are_looked_at_by_kind) {
  static const struct {
    const char *body, *whole, *patch; /* pointers; NULL: it is right */
  } rows[] = {
      {"{\"name\":\"a\",\"peers\":[\"b\"],\"max_calls\":7,\"options\":false}", NULL, NULL},
      {"{\"settings\":{\"name\":\"a\"},\"etag\":\"x\",\"status\":null}", NULL, NULL},
      {"{\"max_calls\":null}", "/max_calls", NULL},
      {"{\"max_calls\":\"7\"}", "/max_calls", "/max_calls"},
      {"{\"options\":0}", "/options", "/options"},
      {"{\"peers\":\"b\"}", "/peers", "/peers"},
      {"{\"peers\":[\"b\",5]}", "/peers/1", "/peers/1"},
      {"{\"fqdn\":5}", "/fqdn", "/fqdn"},
      {"{\"colour\":1}", "/colour", "/colour"},
      {"{\"settings\":{\"fqdn\":5}}", "/settings/fqdn", "/settings/fqdn"},
      {"{\"settings\":5}", "/settings", "/settings"},
      {"{\"settings\":{},\"colour\":1}", "/colour", "/colour"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const struct shape *shapes[] = {&shape_trunk_body, &shape_trunk_change};
    const char *const wants[] = {rows[i].whole, rows[i].patch};
    json_t *body = json_loads(rows[i].body, 0, NULL);
    for (size_t k = 0; k < 2; k++) {
      struct shape_fault f;
      bool ok = shape_check(shapes[k], body, &f);
      cr_expect_eq(ok, !wants[k], "%s: %s", rows[i].body, f.pointer);
      cr_expect(ok || !strcmp(f.pointer, wants[k] ? wants[k] : ""), "%s: %s", rows[i].body, f.pointer);
    }
    json_decref(body);
  }
}

Test(desk, the_next_page_is_what_was_asked) {
  static const struct {
    const char *query, *cursor, *link;
  } rows[] = {
      {"limit=2&cursor=old&q=%2B1", "9.a b",
       "</admin/v1/x?limit=2&q=%2B1&cursor=9.a%20b>; rel=\"next\""},
      {"", "9", "</admin/v1/x?cursor=9>; rel=\"next\""},
      {"a=>\"&cursor=1&cursors=2", "\xff", "</admin/v1/x?a=%3E%22&cursors=2&cursor=%FF>; rel=\"next\""},
      {"limit=2", "", ""},
  };
  char large[900];
  memset(large, '"', sizeof large - 1);
  large[sizeof large - 1] = 0;
  for (size_t i = 0; i <= COUNT_OF(rows); i++) {
    struct web_answer answer = {0};
    const bool is_large = i == COUNT_OF(rows);
    const struct web_ask web = {.path = SLICE("/admin/v1/x"),
                                .query = slice_of(is_large ? large : rows[i].query)};
    const struct desk_ask ask = {.web = &web};
    desk_next(&ask, is_large ? "9" : rows[i].cursor, &answer);
    cr_expect_str_eq(answer.link, is_large ? "" : rows[i].link);
  }
}

Test(desk, a_cursor_too_long_is_refused) {
  char query[600], text[16];
  memset(text, 'y', sizeof text);
  snprintf(query, sizeof query, "cursor=%0500d", 1);
  const struct web_ask web = {.path = SLICE("/admin/v1/x"), .query = slice_of(query)};
  const struct desk_ask ask = {.web = &web};
  struct web_answer answer = {0};
  desk_page(&ask, "rows", "id", json_array(), &answer);
  cr_expect_eq(answer.status, 400);
  web_answer_done(&answer);
  cr_expect_eq(web_query(&web, "cursor", text, sizeof text), -ENOSPC);
  cr_expect_str_eq(text, "", "what did not fit is still a text");
}

/* Of the row of /records; NULL: it passes, else what the refusal names. */
static const struct verb *verb_of(const char *id) {
  for (size_t i = 0; i < verbs_n; i++)
    if (!strcmp(verbs[i].id, id))
      return &verbs[i];
  return NULL;
}

Test(desk, a_query_is_held_against_its_shape) {
  static const struct {
    const char *verb, *query, *names;
  } rows[] = {
      {"records", "", NULL},
      {"records", "&&", NULL},
      {"records", "limit=5&q=%2B1&state=live&min_mos=3.5&since=2027-01-15T08:00:00%2B01:00", NULL},
      {"records", "limits=5", "limits"},
      {"records", "limit=5&limit=5", "limit"},
      {"records", "limit=0x5", "limit"},
      {"records", "limit=501", "limit"},
      {"records", "limit=99999999999999999999", "limit"},
      {"records", "limit=", "limit"},
      {"records", "min_mos=nan", "min_mos"},
      {"records", "min_mos=0x3", "min_mos"},
      {"records", "state=LIVE", "state"},
      {"records", "since=1800000002000", "since"},
      {"records", "q=%ff", "q"},
      {"records", "q=%00", "q"},
      {"records", "q", "q"},
      {"records", "=5", ""},
      {"records", "a%20b=5", "a b"},
      {"records", "%ff=5", "%ff"},
      {"records", "%=5", "%"},
      {"bundle", "numbers=true", NULL},
      {"bundle", "numbers=1", "numbers"},
      {"call_del", "force=true", "force"},
      {"page", "x", "x"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const struct web_ask web = {.path = SLICE("/x"), .query = slice_of(rows[i].query)};
    const struct desk_ask ask = {.web = &web, .verb = verb_of(rows[i].verb)};
    struct web_answer answer = {0};
    cr_assert(ask.verb, "%s", rows[i].verb);
    cr_expect_eq(desk_query_ok(&ask, &answer), !rows[i].names, "%s", rows[i].query);
    cr_expect_eq(answer.status, rows[i].names ? 400 : 0, "%s", rows[i].query);
    json_t *doc = answer.body ? json_loadb(answer.body, answer.body_bytes, 0, NULL) : NULL;
    const char *pointer = json_string_value(
        json_object_get(json_array_get(json_object_get(doc, "errors"), 0), "pointer"));
    cr_expect(!rows[i].names || (pointer && !strcmp(pointer, rows[i].names)), "%s: %s", rows[i].query,
              pointer ? pointer : "nothing");
    json_decref(doc);
    web_answer_done(&answer);
  }
}

/* Of rows "a" to "j" by threes, with one taken out and one put in between two pages. */
Test(desk, pages_stay_where_they_are) {
  static const struct {
    const char *cursor, *gone, *come, *page, *next;
  } rows[] = {
      {"", "", "", "abc", "3.d"},   {"3.d", "", "", "def", "6.g"},  {"3.d", "a", "", "def", "5.g"},
      {"3.d", "d", "", "efg", "6.h"}, {"3.d", "ad", "", "efg", "5.h"}, {"3.d", "", "A", "def", "7.g"},
      {"9.j", "", "", "j", NULL},   {"9.j", "j", "", "", NULL},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char query[32], name[2] = "", got[8] = "";
    struct web_answer answer = {0};
    json_t *list = json_array();
    for (const char *p = "hjcdbeAfgia"; *p; p++) {
      name[0] = *p;
      if (!strchr(rows[i].gone, *p) && (*p != 'A' || rows[i].come[0]))
        json_array_append_new(list, json_pack("{s:s}", "id", name));
    }
    desk_sort(list, "id", false);
    snprintf(query, sizeof query, "limit=3%s%s", rows[i].cursor[0] ? "&cursor=" : "", rows[i].cursor);
    const struct web_ask web = {.path = SLICE("/x"), .query = slice_of(query)};
    const struct desk_ask ask = {.web = &web};
    desk_page_doc(&ask, "rows", "id", json_pack("{s:o, s:i}", "rows", list, "beside", 5), &answer);
    json_t *doc = json_loadb(answer.body, answer.body_bytes, 0, NULL), *row;
    size_t k;
    json_array_foreach(json_object_get(doc, "rows"), k, row)
      got[k] = json_string_value(json_object_get(row, "id"))[0];
    const char *next = json_string_value(json_object_get(doc, "cursor"));
    cr_expect_str_eq(got, rows[i].page, "%s without %s", rows[i].cursor, rows[i].gone);
    cr_expect(rows[i].next ? next && !strcmp(next, rows[i].next) : !next, "%s", next ? next : "none");
    cr_expect_eq(json_integer_value(json_object_get(doc, "beside")), 5);
    json_decref(doc);
    web_answer_done(&answer);
  }
}

Test(shape, secrets_are_cut) {
  json_t *body = json_loads("{\"t\":\"a\",\"s\":\"hidden\"}", 0, NULL),
         *cut = shape_cut(&shape_outer, body);
  cr_assert_str_eq(json_string_value(json_object_get(cut, "s")), "(cut)");
  cr_assert_str_eq(json_string_value(json_object_get(body, "s")), "hidden");
  json_decref(body);
  json_decref(cut);
}

Test(desk, merge_patch_of_rfc_7396) {
  static const char *const rows[][3] = {
      /* target, patch, result: the RFC's appendix A */
      {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
      {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
      {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
      {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
      {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
      {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
      {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
      {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
      {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
      {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
      {"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}"},
      {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
      {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    json_t *target = json_loads(rows[i][0], 0, NULL), *patch = json_loads(rows[i][1], 0, NULL);
    json_t *want = json_loads(rows[i][2], 0, NULL), *got = desk_merge(target, patch);
    cr_expect(json_equal(want, got), "%s + %s", rows[i][0], rows[i][1]);
    json_t *same = json_loads(rows[i][0], 0, NULL);
    cr_expect(json_equal(same, target), "the target of %zu was touched", i);
    json_decref(same);
    json_decref(target);
    json_decref(patch);
    json_decref(want);
    json_decref(got);
  }
}

#define HEX "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
Test(cert, rows_fit_exactly) {
  static const struct {
    const char *match;
    bool is_row, fits;
  } cases[] = {
      {"dns:ops.Example", true, true},
      {"dns:xops.example", true, false},
      {"cn:ops.example", true, false}, /* the same text under another kind */
      {"cn:Ann", true, true},
      {"cn:ann", true, false},
      {"uri:spiffe://a/b", true, true},
      {"uri:spiffe://a/B", true, false},
      {"email:Ann@EXAMPLE.org", true, true},
      {"email:ann@example.org", true, false},
      {"sha256:" HEX, true, true},
      {"sha256:00:11:"
       "2233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
       true, true},
      {"sha256:10"
       "112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
       true, false},
      {"sha256:" HEX "00", false, false},
      {"sha256:0011", false, false},
      {"sha256:", false, false},
      {"sha256:\x10\x10"
       "112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
       false, false},
      {"dns:", false, false},
      {"ops.example", false, false},
      {"ip:192.0.2.1", false, false},
      {"", false, false},
  };
  struct web_peer p = {.names_n = 4,
                       .names = {{WEB_PEER_DNS, "OPS.example"},
                                 {WEB_PEER_CN, "Ann"},
                                 {WEB_PEER_URI, "spiffe://a/b"},
                                 {WEB_PEER_EMAIL, "Ann@example.org"}}};
  for (unsigned i = 0; i < 32; i++)
    p.digest[i] = (uint8_t)(i % 16 * 0x11);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct cert_row r;
    bool is_row = cert_row_read(&r, "n", cases[i].match, "viewer") == 0;
    cr_expect_eq(is_row, cases[i].is_row, "%s", cases[i].match);
    cr_expect_eq(is_row && cert_row_fits(&r, &p), cases[i].fits, "%s", cases[i].match);
  }
  struct cert_row a, b;
  cr_assert_eq(cert_row_read(&a, "n", "cn:Ann", "nobody"), -EINVAL);
  cr_assert(cert_row_read(&a, "n", "cn:Ann", "viewer") == 0 &&
            cert_row_read(&b, "n", "cn:Ann", "admin") == 0);
  cr_assert(cert_row_same(&a, &a) && !cert_row_same(&a, &b));
}

Test(desk, times) {
  uint64_t ms;
  cr_assert(desk_time("1970-01-02T00:00:00Z", &ms) && ms == 86400000u);
  cr_assert(desk_time("2027-01-15T08:00:00.25Z", &ms) && ms == 1800000000250u);
  cr_assert(desk_time("2027-01-15T10:00:00+02:00", &ms) && ms == 1800000000000u);
  cr_assert(desk_time("2027-01-15T03:00:00-05:00", &ms) && ms == 1800000000000u);
  cr_assert(!desk_time("2027-01-15T08:00:00", &ms) && desk_time("1960-01-01T00:00:00Z", &ms) && ms == 1 &&
            desk_time("2027-01-15t08:00:00z", &ms) && ms == 1800000000000u &&
            !desk_time("2027-01-15T08:00:00+25:00", &ms) &&
            !desk_time("x", &ms));
}

static struct denied_row denied_of(const char *who, const char *from) {
  struct denied_row r = {.verb = "login", .role = "nobody", .what = "/login", .status = 401};
  snprintf(r.who, sizeof(r.who), "%s", who);
  snprintf(r.from, sizeof(r.from), "%s", from);
  return r;
}

Test(denied, alike_ones_are_one_row) {
  static struct denied d;
  struct denied_row a = denied_of("ann", "192.0.2.1"), b = denied_of("ann", "192.0.2.2"), r;
  uint64_t s = 1000000;
  cr_assert_not(denied_next(&d, s, &r));
  denied_add(&d, &a, 100);
  denied_add(&d, &b, 101);
  cr_assert(denied_next(&d, s, &r) && r.times == 1 && r.first_ms == 100 && !strcmp(r.from, "192.0.2.1"));
  cr_assert(denied_next(&d, s, &r) && !strcmp(r.from, "192.0.2.2"));
  cr_assert_not(denied_next(&d, s, &r));
  for (unsigned i = 0; i < 50; i++)
    denied_add(&d, &a, 200 + i);
  cr_assert_not(denied_next(&d, 60 * s, &r), "within the minute they are counted");
  cr_assert(denied_next(&d, 61 * s, &r) && r.times == 50 && r.first_ms == 200 && r.last_ms == 249);
  cr_assert_not(denied_next(&d, 200 * s, &r));
  denied_add(&d, &a, 300);
  cr_assert(denied_next(&d, 200 * s, &r) && r.times == 1, "a new one after quiet is told at once");
}

Test(denied, a_stranger_fills_nothing) {
  static struct denied d;
  struct denied_row r;
  uint64_t rows = 0, times = 0, s = 1000000;
  char from[32];
  for (unsigned second = 0; second < 3600; second++) {
    for (unsigned i = 0; i < 20; i++) {
      snprintf(from, sizeof(from), "10.%u.%u.%u", second / 256, second % 256, i);
      struct denied_row one = denied_of("unknown", from);
      denied_add(&d, &one, 1000 * (second + 1));
    }
    while (denied_next(&d, (second + 100) * s, &r)) {
      rows++;
      times += r.times;
    }
  }
  cr_assert_leq(rows, 121u, "%llu rows in an hour", (unsigned long long)rows);
  for (unsigned minute = 0; minute < 200; minute++)
    while (denied_next(&d, (4000 + 60 * (uint64_t)minute) * s, &r))
      times += r.times;
  cr_assert_eq(times, 3600u * 20u, "every one is counted: %llu", (unsigned long long)times);
}

Test(throttle, waits_grow_and_end) {
  own(throttle) t = NULL;
  uint64_t now_us = 1000000;
  cr_assert_eq(throttle_new(&t, 2), 0);
  for (int i = 0; i < 5; i++) {
    cr_assert_eq(throttle_wait_us(t, SLICE("a"), 5, now_us), 0);
    throttle_fail(t, SLICE("a"), now_us);
  }
  cr_assert_eq(throttle_wait_us(t, SLICE("a"), 5, now_us), 1000000);
  cr_assert_eq(throttle_wait_us(t, SLICE("a"), 5, now_us + 1000000), 0);
  for (int i = 0; i < 20; i++)
    throttle_fail(t, SLICE("a"), now_us);
  cr_assert_eq(throttle_wait_us(t, SLICE("a"), 5, now_us), 256000000, "not for ever");
  cr_assert_eq(throttle_wait_us(t, SLICE("b"), 5, now_us), 0);
  cr_assert_eq(throttle_wait_us(t, SLICE("a"), 5, now_us + 3600000001ull), 0, "an hour forgets");
  for (int i = 0; i < 9; i++)
    throttle_fail(t, SLICE("a"), now_us);
  throttle_fail(t, SLICE("b"), now_us);
  throttle_fail(t, SLICE("c"), now_us); /* the third key: the oldest goes */
  cr_assert_eq(throttle_wait_us(t, SLICE("a"), 5, now_us), 0);
  cr_assert_eq(throttle_clear(t, SLICE("c")), 1);
  cr_assert(throttle_has(t, SLICE("b")) && !throttle_has(t, SLICE("c")));
  for (int i = 0; i < 6; i++)
    throttle_fail(t, SLICE("d"), now_us);
  cr_assert_eq(throttle_wait_us(t, SLICE("d"), 100, now_us), 0);
  cr_assert_eq(throttle_wait_us(t, SLICE("d"), 5, now_us), 2000000);
  throttle_forgive(t, SLICE("d"), 2);
  cr_assert_eq(throttle_wait_us(t, SLICE("d"), 5, now_us), 0);
  throttle_forgive(t, SLICE("d"), 4);
  cr_assert_not(throttle_has(t, SLICE("d")));
}

Test(again, the_same_answer_once) {
  own(again) a = NULL;
  uint8_t k1[32] = {1}, k2[32] = {2}, k3[32] = {3}, body[32] = {9}, other[32] = {8};
  struct web_answer got = {0}, made = {0};
  cr_assert_eq(again_new(&a, 2, 100), 0);
  cr_assert_eq(again_begin(a, k1, body, 0, &got), AGAIN_NEW);
  cr_assert_eq(again_begin(a, k1, body, 0, &got), AGAIN_IN_FLIGHT);
  cr_assert_eq(again_begin(a, k1, other, 0, &got), AGAIN_OTHER_BODY);
  cr_assert_eq(web_answer_text(&made, 201, "text/plain", SLICE("hello")), 0);
  again_finish(a, k1, &made);
  cr_assert_eq(again_begin(a, k1, body, 5, &got), AGAIN_REPLAY);
  cr_assert(got.status == 201 && got.replayed && !strcmp(got.body, "hello"));
  web_answer_done(&got);
  cr_assert_eq(again_begin(a, k1, body, 24 * 3600000000ull + 1, &got), AGAIN_NEW, "a day later");
  again_drop(a, k1);
  cr_assert_eq(again_begin(a, k1, body, 0, &got), AGAIN_NEW, "what was dropped may be tried again");
  cr_assert_eq(again_begin(a, k2, body, 0, &got), AGAIN_NEW);
  cr_assert_eq(again_begin(a, k3, body, 0, &got), AGAIN_FULL, "two are in flight");
  made.status = 503;
  again_finish(a, k1, &made);
  cr_assert_eq(again_begin(a, k1, body, 0, &got), AGAIN_NEW, "a failure is forgotten");
  made.status = 200;
  again_finish(a, k1, &made);
  cr_assert_eq(again_begin(a, k3, body, 0, &got), AGAIN_NEW, "the finished one gave way");
  web_answer_done(&made);
}

static unsigned changes;
static void changed(void *arg, const struct alarm *al) {
  changes++;
  *(uint64_t *)arg = al->cleared_ms;
}

Test(alarms, raised_once_and_cleared) {
  static struct alarms as;
  struct admin_alarm now[2] = {
      {.kind = "trunk_down", .what = "a", .text = "down", .severity = "critical"},
      {.kind = "trunk_down", .what = "b", .text = "down", .severity = "critical"}};
  uint64_t cleared = 7;
  alarms_feed(&as, now, 2, 1000, changed, &cleared);
  cr_assert(changes == 2 && cleared == 0 && alarms_open(&as) == 2);
  alarms_feed(&as, now, 2, 2000, changed, &cleared);
  cr_assert_eq(changes, 2, "it stood before");
  char id[20];
  memcpy(id, as.list[1].id, sizeof(id));
  alarms_feed(&as, now, 1, 3000, changed, &cleared);
  cr_assert(changes == 3 && cleared == 3000 && alarms_open(&as) == 1 &&
            alarms_find(&as, id)->cleared_ms == 3000);
  alarms_feed(&as, now, 2, 4000, changed, &cleared);
  cr_assert(changes == 4 && alarms_open(&as) == 2, "again: a new one");
  alarms_feed(&as, now, 2, 3000 + 7 * 86400000ull + 1, changed, &cleared);
  cr_assert_null(alarms_find(&as, id), "a day later");
}

Test(alarms, alarms_are_bounded) {
  static struct alarms as;
  static struct admin_alarm now[ALARMS_MAX + 1];
  uint64_t cleared = 7;
  for (unsigned i = 0; i < COUNT_OF(now); i++) {
    now[i] = (struct admin_alarm){.kind = "trunk_down", .text = "down", .severity = "critical"};
    snprintf(now[i].what, sizeof(now[i].what), "t%u", i);
  }
  alarms_feed(&as, now, COUNT_OF(now), 1000, changed, &cleared);
  cr_assert_eq(alarms_open(&as), ALARMS_MAX);
  alarms_feed(&as, now + 1, COUNT_OF(now) - 1, 2000, changed, &cleared);
  cr_assert(alarms_open(&as) == ALARMS_MAX - 1, "t0 is cleared; none was free when t256 was told");
  alarms_feed(&as, now + 1, COUNT_OF(now) - 1, 3000, changed, &cleared);
  cr_assert_eq(alarms_open(&as), ALARMS_MAX, "its place went to t256");
}

/* What stood before a restart stands, with who took it, until it could have been told again. */
Test(admin, alarms_outlive_a_restart) {
  static struct alarms as;
  const struct kept_alarm kept[] = {
      {"al_1", "trunk_down", "carrier", "critical", "down", "ann", 1000, 0},
      {"al_2", "records_failing", "records", "warning", "bad", "", 2000, 0},
      {"al_3", "trunk_down", "other", "critical", "down", "", 500, 900},
  };
  uint64_t cleared = 0;
  for (size_t i = 0; i < COUNT_OF(kept); i++)
    alarms_put_back(&as, &kept[i], 10000);
  alarms_feed(&as, NULL, 0, 11000, changed, &cleared);
  cr_assert_eq(alarms_open(&as), 2);
  struct admin_alarm again = {
      .kind = "trunk_down", .what = "carrier", .text = "down", .severity = "critical"};
  alarms_feed(&as, &again, 1, 20001, changed, &cleared);
  cr_assert_eq(alarms_open(&as), 1);
  cr_assert_str_eq(alarms_find(&as, "al_1")->acked_by, "ann");
  cr_assert_eq(alarms_find(&as, "al_1")->raised_ms, 1000);
  cr_assert_eq(alarms_find(&as, "al_2")->cleared_ms, 20001);
  cr_assert_eq(alarms_find(&as, "al_3")->cleared_ms, 900);
  alarms_feed(&as, NULL, 0, 99000, changed, &cleared);
  cr_assert_eq(alarms_open(&as), 1, "a trunk is looked at anew first");
  alarms_feed(&as, NULL, 0, 100001, changed, &cleared);
  cr_assert_eq(alarms_open(&as), 0);
}

/* What earlier instances saw counts on the day of the start, and no longer than that. */
Test(overview, today_is_whole_over_a_restart_and_ends_at_midnight) {
  static struct overview o;
  const struct reader_sums before = {10, 6, 3, 5, 50000, 8, 16000};
  struct admin_facts f = {.max = 10};
  const uint64_t day = 1000 * 86400000ull;
  overview_init(&o);
  o.started_ms = day + 5000;
  overview_feed(&o, &f, day + 6000);
  cr_assert_eq(overview_midnight_ms(&o), day);
  overview_before(&o, &before);
  f = (struct admin_facts){.calls = 10, .answered = 4, .refused = 1, .talks = 5, .talk_ms = 150000, .pdds = 2, .pdd_ms = 4000};
  for (int i = 0; i < 2; i++) {
    overview_feed(&o, &f, day + 86399000ull * (unsigned)i + 7000 * (unsigned)!i);
    json_t *j = overview_json(&o, true, "", 0), *today = json_object_get(j, "today");
    cr_assert_eq(json_integer_value(json_object_get(today, "calls")), 20);
    cr_assert_eq(json_integer_value(json_object_get(today, "answered")), 10);
    cr_assert_eq(json_integer_value(json_object_get(today, "failed")), 10);
    cr_assert_eq(json_integer_value(json_object_get(today, "refused")), 4);
    cr_assert_eq(json_number_value(json_object_get(today, "asr")), 50.0);
    cr_assert_eq(json_number_value(json_object_get(today, "acd_s")), 20.0);
    cr_assert_eq(json_integer_value(json_object_get(today, "pdd_ms")), 2000);
    json_decref(j);
  }
  overview_feed(&o, &f, day + 86400000ull);
  f.calls++;
  f.answered++;
  f.pdds++;
  f.pdd_ms += 300;
  overview_feed(&o, &f, day + 86401000ull);
  json_t *j = overview_json(&o, true, "", 0), *today = json_object_get(j, "today");
  cr_assert_eq(json_integer_value(json_object_get(today, "calls")), 1);
  cr_assert_eq(json_number_value(json_object_get(today, "asr")), 100.0);
  cr_assert(json_is_null(json_object_get(today, "acd_s")));
  cr_assert_eq(json_integer_value(json_object_get(today, "pdd_ms")), 300);
  json_decref(j);
}

Test(overview, counts_today_and_samples) {
  static struct overview o;
  struct admin_facts f = {
      .live = 3, .ringing = 1, .calls = 100, .answered = 50, .refused = 5, .max = 10};
  overview_init(&o);
  overview_feed(&o, &f, 1000 * 86400000ull);
  f.calls = 110;
  f.answered = 55;
  f.talks = 4;
  f.talk_ms = 10000;
  overview_feed(&o, &f, 1000 * 86400000ull + 5000);
  json_t *j = overview_json(&o, true, "", 2), *today = json_object_get(j, "today"),
         *s = json_object_get(j, "series");
  cr_assert_eq(json_integer_value(json_object_get(today, "calls")), 10);
  cr_assert_eq(json_integer_value(json_object_get(today, "answered")), 5);
  cr_assert_eq(json_integer_value(json_object_get(today, "failed")), 5);
  cr_assert_eq(json_number_value(json_object_get(today, "asr")), 50.0);
  cr_assert_eq(json_number_value(json_object_get(today, "acd_s")), 2.5);
  cr_assert_eq(json_number_value(json_array_get(json_object_get(s, "rate"), 1)), 2.0);
  cr_assert_eq(json_integer_value(json_object_get(json_object_get(j, "alarms"), "open")), 2);
  json_decref(j);
  for (unsigned i = 0; i < 400; i++)
    overview_feed(&o, &f, 1001 * 86400000ull + i * 5000u);
  j = overview_json(&o, false, "draining", 0);
  cr_assert_eq(json_integer_value(json_object_get(json_object_get(j, "today"), "calls")), 0,
               "a new day");
  cr_assert_eq(json_array_size(json_object_get(json_object_get(j, "series"), "live")), OVERVIEW_SAMPLES);
  cr_assert_str_eq(json_string_value(json_array_get(json_object_get(j, "reasons"), 0)), "draining");
  json_decref(j);
}

Test(password, argon2id_and_nobody) {
  char hash[PASSWORD_HASH_BYTES], other[PASSWORD_HASH_BYTES];
  cr_assert_eq(password_init(), 0);
  cr_assert(password_hash(SLICE("correct horse"), hash) == 0 &&
            password_hash(SLICE("correct horse"), other) == 0);
  cr_assert(!strncmp(hash, "$argon2id$v=19$m=32768,t=3,p=1$", 31) && strcmp(hash, other), "%s", hash);
  cr_assert_eq(password_check(hash, SLICE("correct horse")), 1);
  cr_assert_eq(password_check(hash, SLICE("correct horsf")), 0);
  cr_assert_eq(password_check(NULL, SLICE("")), 0);
  cr_assert_eq(password_check("", SLICE("")), 0);
}
