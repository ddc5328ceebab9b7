/* SPDX-License-Identifier: Apache-2.0
 * Units of route: plans are strict, decisions are those of the .expect files, regexes have limits. */
#include "base/clock.h"
#include "base/text.h"
#include "route/part.h"
#include "route/route.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <time.h>

static struct conf_errors errors;

static struct plan *good(const char *yaml) {
  struct plan *p = NULL;
  int r = plan_parse(&p, "t.yaml", slice_of(yaml), &errors);
  cr_assert_eq(r, 0, "line %u: %s", errors.list[0].line, errors.list[0].text);
  return p;
}

/* FROM is trunk/NAME or native/TENANT, then what else is known: @2026-12-24T17:30 (UTC), =A (verified).
 */
static struct route_decision decide(const struct plan *p, const char *from, const char *called,
                                    const char *caller) {
  struct slice rest = slice_of(from), kind = slice_cut(&rest, '/');
  struct slice name = slice_cut(&rest, '@'), at = slice_cut(&rest, '=');
  bool native = slice_eq(kind, SLICE("native"));
  struct route_facts f = {.from_kind = kind,
                          .called = slice_of(called),
                          .caller = slice_of(caller),
                          .verified = rest,
                          .anonymous = strcmp(caller, "anonymous") == 0};
  struct tm tm = {0};
  if (at.n && strptime(at.p, "%Y-%m-%dT%H:%M", &tm))
    f.wall_s = (uint64_t)timegm(&tm);
  if (native)
    f.tenant = name;
  else
    f.trunk = name;
  return route_decide(p, &f);
}

static void targets_add(struct text *t, const struct route_decision *d, const struct route_step *s) {
  const struct route_target *to = s->is_table ? d->row : s->to;
  uint32_t n = s->is_table ? d->n_row : s->n;
  for (uint32_t i = 0; i < n; i++)
    text_add(t, "%s%s", i ? "," : " ", to[i].name);
}

static void step_add(struct text *t, const struct route_decision *d, const struct route_step *s) {
  switch (s->action) {
  case ROUTE_USER:
    text_add(t, s->n == 1 ? "user" : s->next_after_s || s->in_turn ? "users one by one" : "users");
    targets_add(t, d, s);
    return;
  case ROUTE_TRUNK:
    text_add(t, s->is_table ? "table %s" : s->n == 1 ? "trunk" : "trunks", d->prefix);
    targets_add(t, d, s);
    text_add(t, " %s %s", d->called, d->caller);
    return;
  case ROUTE_REFUSE:
    text_add(t, "refuse %d", s->sip);
    return;
  case ROUTE_FORWARD:
    text_add(t, "%s %s", s->is_voicemail ? "voicemail" : "forward", s->number);
    return;
  case ROUTE_ANNOUNCE:
    text_add(t, "announce %s", strrchr(s->file, '/') ? strrchr(s->file, '/') + 1 : s->file);
    return;
  case ROUTE_ECHO:
  case ROUTE_TONE:
    text_add(t, s->action == ROUTE_ECHO ? "echo" : "tone");
    return;
  }
}

static const char *text_of(const struct route_decision *d) {
  static char text[512];
  struct text t;
  text_init(&t, text, sizeof(text));
  for (uint32_t i = 0; i < d->n_steps; i++) {
    text_add(&t, i ? " | " : "");
    step_add(&t, d, &d->steps[i]);
  }
  if (!d->n_steps)
    text_add(&t, "refuse %d", d->sip);
  text_add(&t, d->emergency ? " emergency" : "");
  return text;
}

static unsigned expect_file(const char *dir, const char *name) {
  char path[1200], line[512], from[64], called[64], caller[64], want[300];
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
    cr_assert_eq(sscanf(line, "%63s %63s %63s -> %299[^\n]", from, called, caller, want), 4, "%s: %s",
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
  cr_assert(files >= 5 && lines >= 60);
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
       "rules[0].from: expected one of any|trunk|native|forward"},
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
      {"rules:\n  - {name: a, then: []}\n", 2, "then: expected a list of 1 to 8 steps"},
      {"rules:\n  - name: a\n    then:\n      - echo\n      - tone\n", 4,
       "then: expected nothing after a step that ends the call"},
      {"rules:\n  - {name: a, then: [{users: []}]}\n", 2, "then.users: expected a list of 1 to 16"},
      {"rules:\n  - {name: a, then: [{user: b, on: [bored]}]}\n", 2, "then.on: expected of busy|"},
      {"rules:\n  - {name: a, then: [{trunks: [{name: b, weight: 0}]}]}\n", 2,
       "then.trunks.weight: expected a whole number 1-10000"},
      {"rules:\n  - {name: a, then: [{trunks: table}]}\n", 2, "then: expected called: {table: NAME}"},
      {"rules:\n  - {name: a, called: {table: x}, then: echo}\n", 2,
       "called.table: expected the name of one of tables[]"},
      {"rules:\n  - {name: a, time: {hours: ['8-9']}, then: echo}\n", 2, "time.hours: expected HH:MM"},
      {"rules:\n  - {name: a, time: {zone: ../etc/passwd}, then: echo}\n", 2,
       "time.zone: expected a zone of /usr/share/zoneinfo"},
      {"rules:\n  - {name: a, rewrite: {called: {match: 'x(y)', replace: '\\2'}}, then: echo}\n", 2,
       "rewrite.called: replace: expected \\0 to \\1"},
      {"rules:\n  - {name: a, rewrite: {called: {match: 'x'}}, then: echo}\n", 2,
       "rewrite.called: expected match and replace together"},
      {"tables: [{name: t, file: none.csv}]\nrules: []\n", 0, "No such file"},
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

Test(route, edits_in_their_order) {
  own(plan) p = good("rules:\n"
                     "  - name: german\n"
                     "    tenant: de\n"
                     "    rewrite: {called: {country: '49', national: '0'}}\n"
                     "    then: {trunk: demo}\n"
                     "  - name: american\n"
                     "    tenant: us\n"
                     "    rewrite: {called: {country: '1', national: '1', international: '011'}}\n"
                     "    then: {trunk: demo}\n"
                     "  - name: parts\n"
                     "    rewrite: {called: {match: '9(\\d{3})(\\d+)', replace: '+1\\2-\\1\\0'}}\n"
                     "    then: {trunk: demo}\n");
  static const struct {
    const char *from, *called, *want;
  } rows[] = {
      {"native/de", "030123", "+4930123"},
      {"native/de", "0015551234", "+15551234"},
      {"native/de", "+4930123", "+4930123"},
      {"native/de", "112", "112"},
      {"native/de", "0", "0"},
      {"native/us", "14255550123", "+14255550123"},
      {"native/us", "0114930123", "+4930123"},
      {"native/us", "911", "911"},
      {"native/x", "912345", "+145-123912345"},
      {"native/x", "81234", "81234"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct route_decision d = decide(p, rows[i].from, rows[i].called, "x");
    cr_assert_str_eq(d.called, rows[i].want, "row %zu: %s", i, d.called);
  }
}

Test(route, facts_beside_numbers) {
  own(plan) p = good("rules:\n"
                     "  - {name: hidden, anonymous: 'yes', then: {refuse: 433}}\n"
                     "  - {name: bad, verified: [failed], then: {refuse: 438}}\n"
                     "  - {name: alice only, identity: alice, then: tone}\n"
                     "  - {name: rest, then: echo}\n");
  struct route_facts f = {.from_kind = SLICE("trunk"), .called = SLICE("1"), .caller = SLICE("2")};
  cr_assert_eq(route_decide(p, &f).action, ROUTE_ECHO);
  f.identity = SLICE("alice");
  cr_assert_eq(route_decide(p, &f).action, ROUTE_TONE);
  f.verified = SLICE("failed");
  cr_assert_eq(route_decide(p, &f).sip, 438);
  f.verified = SLICE("pending");
  cr_assert_eq(route_decide(p, &f).action, ROUTE_TONE, "not refused before it is known");
  f.anonymous = true;
  cr_assert_eq(route_decide(p, &f).sip, 433);
  own(plan) q = good("rules:\n  - {name: good, verified: [A, B], then: tone}\n");
  f.verified = SLICE("pending");
  cr_assert_eq(route_decide(q, &f).action, ROUTE_TONE, "it may turn out good");
  f.verified = SLICE("none");
  cr_assert_eq(route_decide(q, &f).sip, 404);
}

Test(route, times_in_their_zone) {
  own(plan) p = good(
      "rules:\n"
      "  - {name: holiday, tenant: b, time: {dates: ['2026-12-24'], zone: Europe/Berlin}, then: "
      "{refuse: 480}}\n"
      "  - {name: work, tenant: b, time: {days: [mon, tue, wed, thu, fri], hours: ['08:00-12:00', "
      "'13:00-18:00'], zone: Europe/Berlin}, then: {user: a}}\n"
      "  - {name: night, tenant: b, time: {hours: ['22:00-06:00'], zone: Europe/Berlin}, then: tone}\n"
      "  - {name: fixed, tenant: f, time: {hours: ['08:00-09:00'], zone: '-05:30'}, then: tone}\n"
      "  - {name: utc, tenant: u, time: {hours: ['00:00-24:00'], days: [sun]}, then: tone}\n"
      "  - {name: rest, then: echo}\n");
  static const struct {
    const char *from, *want;
  } rows[] = {
      {"native/b@2026-07-01T06:00", "user a"}, /* Wednesday, 08:00 in summer */
      {"native/b@2026-07-01T05:59", "echo"},   {"native/b@2026-07-01T10:30", "echo"},
      {"native/b@2026-01-07T07:00", "user a"}, /* Wednesday, 08:00 in winter */
      {"native/b@2026-01-07T06:59", "echo"},   {"native/b@2026-01-07T16:59", "user a"},
      {"native/b@2026-01-07T17:00", "echo"},   {"native/b@2026-01-10T10:00", "echo"},
      {"native/b@2026-01-10T21:00", "tone"},   {"native/b@2026-01-10T04:59", "tone"},
      {"native/b@2026-01-10T05:00", "echo"},   {"native/b@2026-12-23T23:00", "refuse 480"},
      {"native/b@2026-12-24T23:00", "tone"},   {"native/f@2026-01-01T13:30", "tone"},
      {"native/f@2026-01-01T14:30", "echo"},   {"native/u@2026-11-22T23:59", "tone"},
      {"native/u@2026-11-23T00:00", "echo"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct route_decision d = decide(p, rows[i].from, "1", "x");
    cr_assert_str_eq(text_of(&d), rows[i].want, "row %zu: %s", i, text_of(&d));
  }
}

Test(route, steps_and_what_goes_on) {
  own(plan) p = good("rules:\n"
                     "  - name: all\n"
                     "    then:\n"
                     "      - {users: [a, b], ring: in_turn, timeout_s: 20, on: [no_answer, busy]}\n"
                     "      - {users: [c, d], next_after_s: 5}\n"
                     "      - {trunks: [x, {name: y, priority: 2, weight: 10}], timeout_s: 30}\n"
                     "      - {forward: '+4930', on: always}\n"
                     "      - {announce: closed.wav, answer: true, refuse: 480}\n");
  struct route_decision d = decide(p, "trunk/demo", "1", "x");
  cr_assert_eq(d.n_steps, 5);
  cr_assert_str_eq(text_of(&d), "users one by one a,b | users one by one c,d | trunks x,y 1 x | forward "
                                "+4930 | announce closed.wav");
  cr_assert_eq(d.steps[0].on, OUTCOME_NO_ANSWER | OUTCOME_BUSY);
  cr_assert(d.steps[0].in_turn && d.steps[0].timeout_s == 20);
  cr_assert_eq(d.steps[1].on, OUTCOME_NO_ANSWER | OUTCOME_UNREACHABLE, "a person's no is final");
  cr_assert_eq(d.steps[1].next_after_s, 5);
  cr_assert_eq(d.steps[2].on, OUTCOME_UNREACHABLE, "a number that rang is not dialled by another way");
  cr_assert(d.steps[2].to[1].priority == 2 && d.steps[2].to[1].weight == 10);
  cr_assert_eq(d.steps[3].on, OUTCOME_ALWAYS);
  cr_assert(d.steps[4].is_answered && d.steps[4].sip == 480);
  char text[400];
  route_step_text(&d, 2, text, sizeof(text));
  cr_assert_str_eq(text,
                   "trunks x (priority 1, weight 1), y (priority 2, weight 10), 30 s; goes on when "
                   "unreachable");
  route_step_text(&d, 0, text, sizeof(text));
  cr_assert_str_eq(text, "users in turn a, b, 20 s; goes on when busy, no_answer");
}

static uint32_t ticket;
static uint32_t ticket_take(uint32_t bound) { return ticket++ % bound; }

Test(route, order_of_trunks) {
  const struct route_target to[] = {
      {"slow", 1, 1}, {"a", 1, 3}, {"b", 1, 1}, {"c", 2, 9}, {"gone", 1, 50}};
  const int ranks[] = {1, 0, 0, 0, -EAGAIN};
  uint32_t order[ROUTE_TARGETS_MAX], first[5] = {0};
  for (ticket = 0; ticket < 4;) {
    uint32_t at = ticket;
    cr_assert_eq(route_order(to, ranks, 5, ticket_take, order), 4);
    cr_assert_eq(order[2], 3, "the second priority after the first");
    cr_assert_eq(order[3], 0, "the demoted one at the end, before nothing");
    first[order[0]]++;
    ticket = at + 1;
  }
  cr_assert(first[1] == 3 && first[2] == 1, "equals by their weights");
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
  cr_assert_str_eq(text, "rule 1 \"one\" (line 2): from is another\nrule 2 \"two\" (line 3): fits\n"
                         "called 5, caller \nstep 1: tone\n");
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

static struct conf *conf_with(const char *numbers) {
  static char text[4000];
  struct conf *c = NULL;
  snprintf(text, sizeof(text),
           "media: {addresses: [{address: 127.0.0.1}]}\n"
           "service: {listen: '127.0.0.1:8443', edge: localhost, certificate: c, key: k, token_key: t}\n"
           "dialplan: p.yaml\n"
           "listeners: [{name: l, transport: udp, address: '127.0.0.1:5060'}]\n"
           "trunks: [{name: t, listener: l, peers: [127.0.0.1], srtp: off, numbers: %s}]\n",
           numbers);
  int r = conf_parse(&c, "t.yaml", slice_of(text), &errors);
  cr_assert_eq(r, 0, "line %u: %s", errors.list[0].line, errors.list[0].text);
  return c;
}

Test(numbers, of_a_trunk_in_four_directions) {
  own(plan) p = good("rules:\n  - {name: a, then: echo}\n");
  static const struct {
    const char *numbers;
    enum route_direction way;
    const char *from, *to;
  } rows[] = {
      {"{country: '49', national: '0'}", ROUTE_IN_CALLED, "030123456", "+4930123456"},
      {"{country: '49', national: '0'}", ROUTE_IN_CALLER, "0015550100", "+15550100"},
      {"{country: '49', national: '0'}", ROUTE_IN_CALLED, "112", "112"},
      {"{country: '49', national: '0'}", ROUTE_IN_CALLER, "anonymous", "anonymous"},
      {"{missing_plus: true}", ROUTE_IN_CALLED, "4930123456", "+4930123456"},
      {"{missing_plus: true}", ROUTE_IN_CALLED, "911", "911"},
      {"{missing_plus: false}", ROUTE_IN_CALLED, "4930123456", "4930123456"},
      {"{tech_prefix: '9001#'}", ROUTE_IN_CALLED, "9001#4930", "4930"},
      {"{tech_prefix: '9001#'}", ROUTE_IN_CALLER, "9001#4930", "9001#4930"},
      {"{tech_prefix: '9001#'}", ROUTE_OUT_CALLED, "+4930", "9001#+4930"},
      {"{tech_prefix: '9001#'}", ROUTE_OUT_CALLER, "+4930", "+4930"},
      {"{form: digits}", ROUTE_OUT_CALLED, "+4930", "4930"},
      {"{form: national, country: '49', national: '0'}", ROUTE_OUT_CALLED, "+4930123", "030123"},
      {"{form: national, country: '49', national: '0'}", ROUTE_OUT_CALLED, "+15550100", "0015550100"},
      {"{form: international, country: '1', international: '011'}", ROUTE_OUT_CALLED, "+15550100",
       "01115550100"},
      {"{form: national, country: '49', national: '0'}", ROUTE_OUT_CALLED, "112", "112"},
      {"{form: digits, outbound_called: [{match: '\\+1(\\d+)', replace: '\\1'}]}", ROUTE_OUT_CALLED,
       "+15550100", "5550100"},
      {"{form: digits, outbound_called: [{match: '\\+1(\\d+)', replace: '\\1'}]}", ROUTE_OUT_CALLER,
       "+15550100", "15550100"},
      {"{inbound_caller: [{match: '1(.*)', replace: '0\\1'}, {match: '.*', replace: 'x'}], country: "
       "'49', "
       "national: '0'}",
       ROUTE_IN_CALLER, "130", "+4930"},
      {"{}", ROUTE_IN_CALLED, "4930", "4930"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    own(conf) c = conf_with(rows[i].numbers);
    char made[64];
    cr_assert_eq(plan_check(p, c, &errors), 0, "row %zu: %s", i, errors.list[0].text);
    cr_assert_eq(route_number(p, "t", rows[i].way, slice_of(rows[i].from), made, sizeof(made)), 0);
    cr_assert_str_eq(made, rows[i].to, "row %zu: %s", i, made);
  }
}

Test(numbers, bad_ones_are_told) {
  own(plan) p = good("rules:\n  - {name: a, then: echo}\n");
  own(conf) c = conf_with("{outbound_called: [{match: '(', replace: x}, {match: 'a', replace: '\\1'}]}");
  cr_assert_eq(plan_check(p, c, &errors), -EINVAL);
  cr_assert_eq(errors.n, 2);
  cr_assert(strstr(errors.list[0].text, "trunks[t].numbers.outbound_called[0]: missing"));
  cr_assert(strstr(errors.list[1].text, "trunks[t].numbers.outbound_called[1]: replace: expected \\0"));
  own(conf) d = conf_with("{inbound_called: [{match: '(a+)+b', replace: x}]}");
  char called[60], made[64];
  memset(called, 'a', sizeof(called));
  memcpy(called + 57, "bc", 3);
  cr_assert_eq(plan_check(p, d, &errors), 0);
  cr_assert_eq(route_number(p, "t", ROUTE_IN_CALLED, slice_of(called), made, sizeof(made)), -EINVAL);
}
