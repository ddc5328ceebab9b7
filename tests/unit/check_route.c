/* SPDX-License-Identifier: Apache-2.0
 * Units of route: plans are strict, decisions are those of the .expect files, regexes have limits. */
#include "base/clock.h"
#include "route/part.h"
#include "route/route.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>

static struct conf_errors errors;

static struct plan *good(const char *yaml) {
  struct plan *p = NULL;
  int r = plan_parse(&p, "t.yaml", slice_of(yaml), &errors);
  cr_assert_eq(r, 0, "line %u: %s", errors.list[0].line, errors.list[0].text);
  return p;
}

static struct route_decision decide(const struct plan *p, const char *from, const char *called,
                                    const char *caller) {
  struct slice rest = slice_of(from), kind = slice_cut(&rest, '/');
  bool native = slice_eq(kind, SLICE("native"));
  struct route_facts f = {.from_kind = kind, .called = slice_of(called), .caller = slice_of(caller)};
  if (native)
    f.tenant = rest;
  else
    f.trunk = rest;
  return route_decide(p, &f);
}

static const char *text_of(const struct route_decision *d) {
  static char text[256];
  const char *emergency = d->emergency ? " emergency" : "";
  if (d->action == ROUTE_USER)
    snprintf(text, sizeof(text), "user %s%s", d->user, emergency);
  else if (d->action == ROUTE_TRUNK)
    snprintf(text, sizeof(text), "trunk %s %s %s%s", d->trunk, d->called, d->caller, emergency);
  else if (d->action == ROUTE_REFUSE)
    snprintf(text, sizeof(text), "refuse %d", d->sip);
  else
    snprintf(text, sizeof(text), "%s", d->action == ROUTE_ECHO ? "echo" : "tone");
  return text;
}

static unsigned expect_file(const char *dir, const char *name) {
  char path[1200], line[512], from[64], called[64], caller[64], want[128];
  unsigned n = 0;
  own(plan) p = NULL;
  snprintf(path, sizeof(path), "%s/%s.yaml", dir, name);
  cr_assert_eq(plan_load(&p, path, &errors), 0, "%s:%u: %s", path, errors.list[0].line,
               errors.list[0].text);
  snprintf(path, sizeof(path), "%s/%s.expect", dir, name);
  FILE *f = fopen(path, "r");
  cr_assert_not_null(f, "%s is missing", path);
  while (fgets(line, sizeof(line), f)) {
    if (line[0] == '#' || line[0] == '\n')
      continue;
    cr_assert_eq(sscanf(line, "%63s %63s %63s -> %127[^\n]", from, called, caller, want), 4, "%s: %s",
                 path, line);
    struct route_decision d = decide(p, from, called, caller);
    cr_assert_str_eq(text_of(&d), want, "%s: %s", path, line);
    n++;
  }
  fclose(f);
  return n;
}

Test(plan, samples_decide_as_expected) {
  char dir[500];
  unsigned files = 0, lines = 0;
  snprintf(dir, sizeof(dir), "%s/dialplans", getenv("SRCDIR") ? getenv("SRCDIR") : SRCDIR);
  DIR *d = opendir(dir);
  cr_assert_not_null(d);
  for (struct dirent *e; (e = readdir(d));) {
    char name[256];
    size_t n = strlen(e->d_name);
    if (n < 6 || strcmp(e->d_name + n - 5, ".yaml") != 0)
      continue;
    snprintf(name, sizeof(name), "%.*s", (int)n - 5, e->d_name);
    lines += expect_file(dir, name);
    files++;
  }
  closedir(d);
  cr_assert(files >= 1 && lines >= 15);
}

Test(plan, errors_have_line_and_expectation) {
  static const struct {
    const char *yaml;
    uint32_t line;
    const char *text;
  } rows[] = {
      {"", 1, "expected a map with rules"},
      {"rule: []\n", 1, "rule: unknown key"},
      {"rules: 5\n", 1, "rules: expected a list"},
      {"rules:\n  - then: echo\n", 2, "rules[0].name: is missing"},
      {"rules:\n  - name: a\n", 2, "rules[0].then: is missing"},
      {"rules:\n  - {name: a, then: sing}\n", 2, "rules[0].then: expected one of {user: NAME}"},
      {"rules:\n  - {name: a, then: {user: b, trunk: c}}\n", 2, "rules[0].then: expected one of"},
      {"rules:\n  - {name: a, then: {refuse: 200}}\n", 2,
       "rules[0].then.refuse: expected a whole number 400-699"},
      {"rules:\n  - {name: a, from: moon, then: echo}\n", 2,
       "rules[0].from: expected one of any|trunk|native"},
      {"rules:\n  - {name: a, then: echo, timeout_s: 10s}\n", 2,
       "rules[0].timeout_s: expected a whole number"},
      {"rules:\n  - {name: a, then: echo, emergency: true}\n", 2,
       "rules[0].emergency: expected then: {trunk: NAME}"},
      {"rules:\n  - name: a\n    then: echo\n    called: {regex: '('}\n", 4,
       "rules[0].called.regex: missing closing"},
      {"rules:\n  - name: a\n    then: echo\n    called: {regexp: 'x'}\n", 4,
       "rules[0].called.regexp: unknown key"},
      {"rules:\n  - name: a\n    then: echo\n    called: {}\n", 4,
       "rules[0].called: expected one of exact, prefix"},
      {"rules:\n  - name: a\n    then: echo\n    called: []\n", 4,
       "rules[0].called.exact: expected a list of 1 to 32"},
      {"rules:\n  - name: a\n    then: echo\n    rewrite: {called: {strip: -1}}\n", 4,
       "rules[0].rewrite.called.strip: expected a whole number 0-32"},
      {"rules:\n  - name: a\n    then: echo\n    rewrite: {callee: {}}\n", 4,
       "rules[0].rewrite.callee: unknown key"},
      {"rules: [a]\n", 1, "rules[0]: expected a map"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    own(plan) p = NULL;
    cr_assert_eq(plan_parse(&p, "t.yaml", slice_of(rows[i].yaml), &errors), -EINVAL, "row %zu", i);
    bool found = false;
    for (uint32_t k = 0; k < errors.n; k++)
      found =
          found || (errors.list[k].line == rows[i].line && strstr(errors.list[k].text, rows[i].text));
    cr_assert(found, "row %zu: line %u: %s", i, errors.list[0].line, errors.list[0].text);
  }
}

Test(route, conditions_and_order) {
  own(plan) p = good(
      "rules:\n"
      "  - {name: one, from: trunk, trunk: demo, called: {prefix: ['+1', '001']}, then: {user: a}}\n"
      "  - {name: two, tenant: acme, called: ['1', '2'], then: {user: b}}\n"
      "  - {name: three, caller: {regex: '\\+49.*'}, then: {refuse: 603}}\n"
      "  - {name: four, called: {exact: ['9'], regex: '8+'}, then: tone}\n");
  static const struct {
    const char *from, *called, *caller, *want;
  } rows[] = {
      {"trunk/demo", "+1234", "x", "user a"},
      {"trunk/demo", "001234", "x", "user a"},
      {"trunk/other", "+1234", "x", "refuse 404"},
      {"native/acme", "+1234", "x", "refuse 404"},
      {"native/acme", "2", "x", "user b"},
      {"native/other", "2", "x", "refuse 404"},
      {"native/acme", "22", "+491", "refuse 603"},
      {"native/x", "9", "x", "tone"},
      {"native/x", "888", "x", "tone"},
      {"native/x", "8889", "x", "refuse 404"},
      {"native/x", "a888", "x", "refuse 404"},
      {"native/x", "", "", "refuse 404"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct route_decision d = decide(p, rows[i].from, rows[i].called, rows[i].caller);
    cr_assert_str_eq(text_of(&d), rows[i].want, "row %zu", i);
  }
}

Test(route, rewriting) {
  own(plan) p = good("rules:\n  - name: out\n    then: {trunk: demo}\n    timeout_s: 30\n"
                     "    rewrite: {called: {strip: 1, prefix: '+49'}, caller: {strip: 32}}\n");
  struct route_decision d = decide(p, "native/x", "030123", "alice");
  cr_assert_str_eq(d.called, "+4930123");
  cr_assert_str_eq(d.caller, "");
  cr_assert_eq(d.timeout_s, 30);
  cr_assert_str_eq(d.rule, "out");
  char longest[80];
  memset(longest, '1', sizeof(longest));
  longest[62] = 0;
  d = decide(p, "native/x", longest, "a");
  cr_assert_eq(d.action, ROUTE_REFUSE);
  cr_assert_eq(d.sip, 484);
}

Test(route, a_regex_that_explodes_refuses_at_once) {
  own(plan) p = good("rules:\n  - {name: slow, called: {regex: '(a+)+b'}, then: {user: a}}\n"
                     "  - {name: rest, then: {user: b}}\n");
  char called[60];
  memset(called, 'a', sizeof(called));
  memcpy(called + 57, "bc", 3); /* a b somewhere, or PCRE2 sees at once that none is there */
  uint64_t before = clock_now_us();
  struct route_decision d = decide(p, "trunk/demo", called, "x");
  cr_assert_lt(clock_now_us() - before, 100000);
  cr_assert_eq(d.action, ROUTE_REFUSE);
  cr_assert_eq(d.sip, 500);
  cr_assert_str_eq(d.rule, "slow");
}

Test(route, explanation) {
  own(plan) p = good(
      "rules:\n  - {name: one, from: native, then: echo}\n  - {name: two, called: '5', then: tone}\n");
  struct route_facts f = {.from_kind = SLICE("trunk"), .trunk = SLICE("demo"), .called = SLICE("5")};
  char text[300];
  size_t n = route_explain(p, &f, text, sizeof(text));
  cr_assert_str_eq(
      text, "rule 1 \"one\" (line 2): from is another\nrule 2 \"two\" (line 3): fits\nto the tone\n");
  cr_assert_eq(n, strlen(text));
  for (size_t room = 1; room <= n; room++)
    cr_assert_eq(route_explain(p, &f, text, room), strlen(text));
}

Test(plan, names_must_exist) {
  own(conf) c = NULL;
  char path[600];
  snprintf(path, sizeof(path), "%s/tests/unit/data/good.yaml",
           getenv("SRCDIR") ? getenv("SRCDIR") : SRCDIR);
  cr_assert_eq(conf_load(&c, path, true, &errors), 0);
  own(plan) p = good("rules:\n  - {name: a, then: {user: alice}}\n  - {name: b, then: {trunk: demo}}\n");
  cr_assert_eq(plan_check(p, c, &errors), 0);
  own(plan) q = good("rules:\n  - {name: a, then: {user: carol}}\n  - {name: b, then: {trunk: none}}\n"
                     "  - {name: c, trunk: gone, then: echo}\n  - {name: d, then: {trunk: lab}}\n");
  cr_assert_eq(plan_check(q, c, &errors), -EINVAL);
  cr_assert_eq(errors.n, 4);
  cr_assert_str_eq(errors.list[0].text, "rule \"a\": there is no user \"carol\"");
  cr_assert_str_eq(errors.list[3].text, "rule \"d\": trunks[lab] has no target to send calls to");
}
