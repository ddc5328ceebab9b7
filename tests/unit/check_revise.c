/* SPDX-License-Identifier: Apache-2.0
 * Units of revise: errors as places, differences, commit, commit confirmed, history, secrets. */
#include "revise/part.h"

#include "base/clock.h"
#include "guard/guard.h"
#include "store/store.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char dir[64], file[96];

static const char good[] = "# the head\n"
                           "node: {state_dir: state, log_level: info}\n"
                           "media:\n"
                           "  workers: 2\n"
                           "  addresses: [{address: 127.0.0.1}]\n"
                           "service:\n"
                           "  listen: \"127.0.0.1:8443\"\n"
                           "  edge: edge.example\n"
                           "  certificate: a.pem\n"
                           "  key: a.key\n"
                           "listeners:\n"
                           "  - {name: sip, transport: udp, address: \"127.0.0.1:5060\"}\n"
                           "trunks:\n"
                           "  # the first\n"
                           "  - name: carrier # of old\n"
                           "    listener: sip\n"
                           "    peers: [127.0.0.1]\n"
                           "    target: sip:127.0.0.1:5070\n"
                           "    srtp: off\n"
                           "  # the second\n"
                           "  - name: other\n"
                           "    listener: sip\n"
                           "    peers: [127.0.0.2]\n"
                           "# the users\n"
                           "users:\n"
                           "  - {name: alice, numbers: [\"+15550100001\"]}\n"
                           "dialplan: plan.yaml\n";
static const char plan_text[] =
    "rules:\n"
    "  - {name: help, called: \"112\", emergency: true, then: {trunk: carrier}}\n"
    "  - {name: in, from: trunk, then: {user: alice}}\n"
    "  - {name: out, then: {trunk: carrier}}\n";

static void put(const char *name, const char *text, int mode) {
  char path[200];
  snprintf(path, sizeof(path), "%s/%s", dir, name);
  FILE *f = fopen(path, "w");
  cr_assert(f && fputs(text, f) >= 0);
  fclose(f);
  cr_assert_eq(chmod(path, (mode_t)mode), 0);
}

static char *got(const char *name) {
  char path[200], *text = NULL;
  snprintf(path, sizeof(path), "%s/%s", dir, name);
  cr_assert_eq(file_read(path, &text), 0, "%s", path);
  return text;
}

static void setup(void) {
  snprintf(dir, sizeof(dir), "/tmp/check_revise.XXXXXX");
  cr_assert(mkdtemp(dir));
  snprintf(file, sizeof(file), "%s/s.yaml", dir);
  put("s.yaml", good, 0640);
  put("plan.yaml", plan_text, 0644);
  put("a.pem", "x", 0644);
  put("a.key", "x", 0600);
  char path[200];
  snprintf(path, sizeof(path), "%s/state", dir);
  mkdir(path, 0700);
}

static void teardown(void) {
  char command[120];
  snprintf(command, sizeof(command), "rm -rf '%s'", dir);
  if (system(command) != 0)
    fprintf(stderr, "%s stays\n", dir);
}

TestSuite(revise, .init = setup, .fini = teardown);

/* The good text with one text replaced by another. */
static char *edit(const char *text, const char *from, const char *to) {
  const char *at = strstr(text, from);
  size_t room = strlen(text) + strlen(to) + 1;
  char *out = malloc(room);
  cr_assert(at && out, "%s", from);
  snprintf(out, room, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
  return out;
}

static int applied, refuse;
static int apply(void *arg, struct conf *c, struct plan *p, bool lenient, char *why, size_t why_bytes) {
  (void)arg, (void)lenient;
  if (refuse) {
    snprintf(why, why_bytes, "the doors say no");
    return -EINVAL;
  }
  applied++;
  conf_free(c);
  plan_free(p);
  return 0;
}

static struct revise *begin(void) {
  static char state[96];
  struct revise *r = NULL;
  applied = refuse = 0;
  snprintf(state, sizeof(state), "%s/state", dir);
  struct revise_env env = {.file = file, .state_dir = state, .apply = apply};
  cr_assert_eq(revise_new(&r, &env), 0);
  return r;
}

static struct candidate *judged(struct revise *r, const char *text, const char *plan) {
  struct candidate *c = NULL;
  cr_assert_eq(revise_judge(r, slice_of(text), slice_of(plan), &c), 0);
  return c;
}

static struct revise_outcome commit_text(struct revise *r, const char *text, struct revise_wish w) {
  own(candidate) c = judged(r, text, NULL);
  return revise_commit(r, c, &w);
}

/* ---- errors ---- */

Test(revise, errors_are_places) {
  static const struct {
    const char *text, *pointer, *rule, *message;
  } cases[] = {
      {"media.workers: expected a whole number 1-64, got \"10s\"", "/media/workers", "value",
       "expected a whole"},
      {"trunks[2].peers: is missing: expected x", "/trunks/2/peers", "missing", "is missing"},
      {"trunks[a/b].srtp: unknown key", "/trunks/a~1b/srtp", "unknown", "unknown key"},
      {"x: stands twice, first in line 3", "/x", "twice", "stands twice"},
      {"YAML: did not find expected key", "", "syntax", "YAML: did"},
      {"expected a map of sections: media", "", "value", "expected a map"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct conf_error e = {.line = 7, .file = "/etc/s/s.yaml"};
    struct revise_fault f;
    snprintf(e.text, sizeof(e.text), "%s", cases[i].text);
    fault_of(&e, &f);
    cr_assert_str_eq(f.pointer, cases[i].pointer);
    cr_assert_str_eq(f.rule, cases[i].rule, "%s", cases[i].text);
    cr_assert(slice_starts(slice_of(f.message), slice_of(cases[i].message)), "%s", f.message);
    cr_assert_str_eq(f.file, "s.yaml");
    cr_assert_eq(f.line, 7);
  }
}

Test(revise, all_errors_at_once_of_both_files) {
  own(revise) r = begin();
  own_mem char *bad = edit(good, "workers: 2", "workers: 2s\n  colour: red");
  own(candidate) c = judged(r, bad, "rules:\n  - {name: x, then: {user: nobody}, odd: 1}\n");
  cr_assert_eq(c->faults.n, 3);
  cr_assert_null(c->conf);
  cr_assert_str_eq(c->faults.list[0].pointer, "/media/colour");
  cr_assert_str_eq(c->faults.list[1].pointer, "/media/workers");
  cr_assert_eq(c->faults.list[1].line, 4);
  cr_assert_str_eq(c->faults.list[2].pointer, "/rules/0/odd");
  cr_assert_str_eq(c->faults.list[2].file, "plan.yaml");
}

/* ---- differences ---- */

static char *unified(const char *a, const char *b) {
  char *out = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&out, &n);
  cr_assert_eq(revise_unified(f, "t", slice_of(a), slice_of(b)), 0);
  fclose(f);
  return out;
}

Test(revise, unified_difference) {
  own_mem char *none = unified("a\nb\n", "a\nb\n");
  cr_assert_str_eq(none, "");
  own_mem char *one = unified("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n");
  cr_assert_str_eq(one, "--- t\n+++ t\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
  own_mem char *add = unified("", "a\nb\n");
  cr_assert_str_eq(add, "--- t\n+++ t\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  own_mem char *del = unified("a\nb\nc\n", "a\nc\n");
  cr_assert_str_eq(del, "--- t\n+++ t\n@@ -1,3 +1,2 @@\n a\n-b\n c\n");
}

static void line_copy(FILE *f, struct slice *from) {
  struct slice line = slice_cut(from, '\n');
  fprintf(f, "%.*s\n", SLICE_ARG(line));
}

/* What the difference makes of the old text. */
static char *patched(const char *old_text, const char *diff) {
  struct slice old = slice_of(old_text), rest = slice_of(diff);
  char *out = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&out, &n);
  unsigned line = 1, from = 0, lines = 0;
  while (rest.n) {
    struct slice l = slice_cut(&rest, '\n');
    if (slice_starts(l, SLICE("---")) || slice_starts(l, SLICE("+++")))
      continue;
    if (sscanf(l.p, "@@ -%u,%u ", &from, &lines) == 2) {
      for (; line < from + (lines == 0); line++)
        line_copy(f, &old);
      continue;
    }
    if (l.p[0] != '+') {
      struct slice was = slice_cut(&old, '\n');
      cr_assert(slice_eq(was, slice_from(l.p + 1, l.n - 1)), "line %u is not %.*s", line,
                SLICE_ARG(was));
      line++;
    }
    if (l.p[0] != '-')
      fprintf(f, "%.*s\n", (int)l.n - 1, l.p + 1);
  }
  while (old.n)
    line_copy(f, &old);
  fclose(f);
  return out;
}

Test(revise, unified_difference_makes_the_new_of_the_old) {
  char a[4000], b[4000];
  srand(7);
  for (int round = 0; round < 50; round++) {
    size_t na = 0, nb = 0;
    for (int i = 0; i < 120; i++) {
      int line = rand() % 20, luck = rand() % 10;
      if (luck != 0)
        na += (size_t)snprintf(a + na, sizeof(a) - na, "line %d\n", line);
      if (luck != 1)
        nb += (size_t)snprintf(b + nb, sizeof(b) - nb, "line %d\n", luck == 2 ? line + 1 : line);
    }
    own_mem char *d = unified(a, b);
    own_mem char *made = patched(a, d);
    cr_assert_str_eq(made, b, "round %d\n%s", round, d);
    cr_assert_lt(strlen(d), na + nb, "it is a difference, not both texts");
  }
}

/* An empty one where there is none. */
static const struct revise_change *change_of(const struct revise_changes *c, const char *path) {
  static char empty[] = "";
  static const struct revise_change none = {empty, empty, empty, true};
  for (uint32_t i = 0; i < c->n; i++)
    if (strcmp(c->list[i].path, path) == 0)
      return &c->list[i];
  return &none;
}

Test(revise, differences_by_setting) {
  own_mem struct revise_changes *c = calloc(1, sizeof(*c));
  own_mem char *a = edit(good, "srtp: off", "srtp: required\n    codecs: [PCMA, PCMU]");
  own_mem char *b = edit(a, "workers: 2", "workers: 3");
  own_mem char *d = edit(b, "  - name: other\n    listener: sip\n    peers: [127.0.0.2]\n", "");
  cr_assert_eq(revise_changes_find(slice_of(good), slice_of(d), c), 0);
  const struct revise_change *srtp = change_of(c, "trunks[carrier].srtp"),
                             *workers = change_of(c, "media.workers");
  cr_assert_str_eq(srtp->was, "off");
  cr_assert_str_eq(srtp->is, "required");
  cr_assert(!srtp->needs_restart && workers->needs_restart);
  cr_assert_str_eq(change_of(c, "trunks[carrier].codecs")->is, "PCMA, PCMU");
  cr_assert_null(change_of(c, "trunks[carrier].codecs")->was);
  cr_assert(!change_of(c, "trunks[other].name")->needs_restart, "a trunk goes by a reload");
  cr_assert_eq(c->n_restart, 1);
  cr_assert_eq(c->n, 6);
  revise_changes_done(c);
  own_mem char *kind = edit(good, "name: other\n", "name: other\n    kind: direct-routing\n");
  cr_assert_eq(revise_changes_find(slice_of(good), slice_of(kind), c), 0);
  cr_assert_eq(c->n_restart, 1, "the kind of a trunk that is there takes a restart");
  revise_changes_done(c);
}

/* ---- commit ---- */

Test(revise, commit_writes_and_remembers) {
  own(revise) r = begin();
  struct revise_entry list[8];
  struct stat st;
  own_mem char *text = edit(good, "log_level: info", "log_level: warn");
  struct revise_outcome o =
      commit_text(r, text, (struct revise_wish){.who = "alice", .comment = "less\nnoise"});
  cr_assert_eq(o.result, REVISE_DONE, "%s", o.why);
  cr_assert_eq(o.n, 2);
  cr_assert_eq(applied, 1);
  own_mem char *now = got("s.yaml");
  cr_assert_str_eq(now, text);
  cr_assert_eq(stat(file, &st), 0);
  cr_assert_eq(st.st_mode & 07777, 0640);
  cr_assert_eq(revise_history(r, list, 8), 2);
  cr_assert_str_eq(list[0].who, "alice");
  cr_assert_str_eq(list[0].comment, "less noise");
  cr_assert_str_eq(list[0].how, "commit");
  cr_assert_str_eq(list[1].how, "start");
  struct revise_outcome back = revise_rollback(r, 1, &(struct revise_wish){.who = "bob"}, NULL);
  cr_assert_eq(back.result, REVISE_DONE, "%s", back.why);
  own_mem char *old = got("s.yaml");
  cr_assert_str_eq(old, good);
  cr_assert_eq(revise_history(r, list, 8), 3);
  cr_assert_eq(list[0].of, 1);
  cr_assert_eq(revise_rollback(r, 77, &(struct revise_wish){0}, NULL).result, REVISE_ABSENT);
}

Test(revise, what_is_refused_leaves_all_as_it_was) {
  own(revise) r = begin();
  struct revise_entry list[8];
  struct revise_state was, is;
  own_mem char *text = edit(good, "log_level: info", "log_level: warn");
  cr_assert_eq(revise_state(r, &was), 0);
  cr_assert_eq(commit_text(r, text, (struct revise_wish){.etag = "other"}).result, REVISE_STALE);
  own_mem char *bad = edit(good, "log_level: info", "log_level: loud");
  cr_assert_eq(commit_text(r, bad, (struct revise_wish){0}).result, REVISE_FAULTY);
  refuse = 1;
  struct revise_outcome o =
      commit_text(r, text, (struct revise_wish){.etag = was.etag, .confirm_s = 60});
  cr_assert_eq(o.result, REVISE_FAILED);
  cr_assert_str_eq(o.why, "the doors say no");
  refuse = 0;
  put("s.yaml", text, 0640);
  own_mem char *third = edit(good, "log_level: info", "log_level: error");
  cr_assert_eq(commit_text(r, third, (struct revise_wish){0}).result, REVISE_EDITED);
  put("s.yaml", good, 0640);
  cr_assert_eq(revise_state(r, &is), 0);
  cr_assert_str_eq(was.etag, is.etag);
  cr_assert_eq(is.confirm_by_ms, 0);
  cr_assert_eq(revise_history(r, list, 8), 1);
  cr_assert_eq(applied, 0);
  revise_state_done(&was);
  revise_state_done(&is);
}

Test(revise, the_dialplan_comes_along) {
  own(revise) r = begin();
  own_mem char *text =
      edit(good, "    peers: [127.0.0.2]\n", "    peers: [127.0.0.2]\n    target: sip:127.0.0.2\n");
  own(candidate) c = judged(
      r, text, "rules:\n  - {name: help, called: \"112\", emergency: true, then: {trunk: other}}\n");
  struct revise_outcome o = revise_commit(r, c, &(struct revise_wish){0});
  cr_assert_eq(o.result, REVISE_DONE, "%s %s", o.why, c->faults.n ? c->faults.list[0].message : "");
  own_mem char *plan = got("plan.yaml");
  cr_assert(strstr(plan, "other"));
  cr_assert_eq(revise_rollback(r, 1, &(struct revise_wish){0}, NULL).result, REVISE_DONE);
  own_mem char *old = got("plan.yaml");
  cr_assert_str_eq(old, plan_text);
}

Test(revise, only_files_of_ours) {
  own(revise) r = begin();
  static const char *const paths[] = {"/etc/passwd", "../plan.yaml", "state/../../x"};
  for (size_t i = 0; i < COUNT_OF(paths); i++) {
    char line[80];
    snprintf(line, sizeof(line), "dialplan: %s", paths[i]);
    own_mem char *text = edit(good, "dialplan: plan.yaml", line);
    own(candidate) c = judged(r, text, "rules: []\n");
    cr_assert_eq(c->faults.n, 1, "%s", paths[i]);
    cr_assert_str_eq(c->faults.list[0].pointer, "/dialplan");
  }
  own_mem char *moved = edit(good, "state_dir: state", "state_dir: elsewhere");
  own(candidate) c = judged(r, moved, NULL);
  cr_assert_str_eq(c->faults.list[0].pointer, "/node/state_dir");
}

Test(revise, a_plan_that_refuses_everything_takes_force) {
  own(revise) r = begin();
  static const char nothing[] = "rules:\n  - {name: no, then: {refuse: 403}}\n";
  static const char no_help[] = "rules:\n  - {name: out, then: {trunk: carrier}}\n";
  own(candidate) c = judged(r, good, nothing);
  cr_assert_eq(c->faults.n, 0, "%s", c->faults.list[0].message);
  cr_assert_eq(revise_commit(r, c, &(struct revise_wish){0}).result, REVISE_FAULTY);
  cr_assert_eq(c->faults.n, 2);
  cr_assert_str_eq(c->faults.list[0].rule, "refuses");
  cr_assert_str_eq(c->faults.list[1].rule, "emergency");
  own(candidate) looked = judged(r, good, nothing);
  revise_gates(r, looked);
  cr_assert_eq(looked->faults.n, 2, "who only looks is told the same");
  cr_assert_str_eq(looked->faults.list[0].file, "plan.yaml");
  own(candidate) fine = judged(r, good, plan_text);
  revise_gates(r, fine);
  cr_assert_eq(fine->faults.n, 0);
  own(candidate) d = judged(r, good, no_help);
  cr_assert_eq(revise_commit(r, d, &(struct revise_wish){0}).result, REVISE_FAULTY);
  own(candidate) e = judged(r, good, nothing);
  cr_assert_eq(revise_commit(r, e, &(struct revise_wish){.force = true}).result, REVISE_DONE);
}

/* ---- commit confirmed ---- */

static bool waited(const char *text) {
  for (int i = 0; i < 400; i++) {
    own_mem char *now = got("s.yaml");
    if (strcmp(now, text) == 0)
      return true;
    usleep(10000);
  }
  return false;
}

Test(revise, unconfirmed_goes_back_by_itself) {
  own(revise) r = begin();
  struct revise_entry list[8];
  own_mem char *text = edit(good, "log_level: info", "log_level: warn");
  struct revise_outcome o = commit_text(r, text, (struct revise_wish){.confirm_s = 1});
  cr_assert_eq(o.result, REVISE_DONE);
  cr_assert_gt(o.confirm_by_ms, 0);
  cr_assert_eq(commit_text(r, good, (struct revise_wish){0}).result, REVISE_PENDING);
  cr_assert(waited(good));
  struct revise_state s;
  cr_assert_eq(revise_state(r, &s), 0);
  cr_assert_eq(s.confirm_by_ms, 0);
  cr_assert_str_eq(s.text, good);
  revise_state_done(&s);
  cr_assert_eq(revise_history(r, list, 8), 3);
  cr_assert_str_eq(list[0].how, "timeout");
  cr_assert_eq(applied, 2);
}

Test(revise, confirmed_stays_and_canceled_goes) {
  own(revise) r = begin();
  own_mem char *text = edit(good, "log_level: info", "log_level: warn");
  cr_assert_eq(revise_confirm(r, "x").result, REVISE_PENDING);
  cr_assert_eq(commit_text(r, text, (struct revise_wish){.confirm_s = 1}).result, REVISE_DONE);
  cr_assert_eq(revise_confirm(r, "x").result, REVISE_DONE);
  usleep(1300000);
  own_mem char *now = got("s.yaml");
  cr_assert_str_eq(now, text);
  cr_assert_eq(commit_text(r, good, (struct revise_wish){.confirm_s = 60}).result, REVISE_DONE);
  cr_assert_eq(revise_cancel(r, "x").result, REVISE_DONE);
  own_mem char *then = got("s.yaml");
  cr_assert_str_eq(then, text);
  cr_assert_eq(revise_cancel(r, "x").result, REVISE_PENDING);
}

Test(revise, a_crash_while_it_waits_goes_back_at_the_start) {
  struct revise *r = begin();
  char why[200];
  own_mem char *text = edit(good, "log_level: info", "log_level: warn");
  cr_assert_eq(revise_recover(file, why, sizeof(why)), 0);
  cr_assert_eq(commit_text(r, text, (struct revise_wish){.confirm_s = 600}).result, REVISE_DONE);
  revise_free(r); /* the mark stays: as good as a crash */
  cr_assert_eq(revise_recover(file, why, sizeof(why)), 1);
  cr_assert(strstr(why, "back to 1"), "%s", why);
  own_mem char *now = got("s.yaml");
  cr_assert_str_eq(now, good);
  cr_assert_eq(revise_recover(file, why, sizeof(why)), 0);
  own(revise) again = begin();
  struct revise_entry list[8];
  cr_assert_eq(revise_history(again, list, 8), 3);
  cr_assert_str_eq(list[0].how, "crash");
}

Test(revise, what_a_hand_edited_meanwhile_is_kept) {
  own(revise) r = begin();
  struct revise_entry list[8];
  struct revise_entry e;
  own_mem char *text = edit(good, "log_level: info", "log_level: warn"), *kept = NULL, *plan = NULL;
  own_mem char *by_hand = edit(good, "log_level: info", "log_level: error");
  cr_assert_eq(commit_text(r, text, (struct revise_wish){.confirm_s = 1}).result, REVISE_DONE);
  put("s.yaml", by_hand, 0640);
  cr_assert(waited(good));
  uint32_t n = 0;
  for (int i = 0; i < 200 && n < 4; i++, usleep(10000))
    n = revise_history(r, list, 8);
  cr_assert_eq(n, 4);
  cr_assert_str_eq(list[0].how, "timeout");
  cr_assert_str_eq(list[1].how, "edited");
  cr_assert_eq(revise_history_text(r, list[1].n, &e, &kept, &plan), 0);
  cr_assert_str_eq(kept, by_hand);
}

/* History and files have no room: what was in force before the commit is again. */
Test(revise, a_full_disk_does_not_keep_what_nobody_confirmed) {
  char folder[200], path[200];
  snprintf(folder, sizeof(folder), "%s/state/config", dir);
  snprintf(path, sizeof(path), "%s/s.yaml", dir);
  own(revise) r = begin();
  struct revise_state s;
  own_mem char *text = edit(good, "log_level: info", "log_level: warn");
  cr_assert_eq(commit_text(r, text, (struct revise_wish){.confirm_s = 1}).result, REVISE_DONE);
  cr_assert_eq(applied, 1);
  const struct rlimit none = {0, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
  signal(SIGXFSZ, SIG_IGN);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
  for (int i = 0; i < 400 && applied < 2; i++)
    usleep(10000);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
  cr_assert_eq(applied, 2, "the doors have what was before");
  cr_assert_eq(revise_state(r, &s), 0);
  cr_assert_str_eq(s.text, good);
  revise_state_done(&s);
  for (int i = 0; i < 900; i++) {
    own_mem char *now = got("s.yaml");
    if (strcmp(now, good) == 0)
      break;
    usleep(10000);
  }
  own_mem char *now = got("s.yaml");
  cr_assert_str_eq(now, good, "written when there is room again");
}

/* A folder that we may not write, as after root was given up. */
Test(revise, a_file_that_an_editor_replaced_is_not_missed) {
  char path[200];
  struct held h;
  snprintf(path, sizeof(path), "%s/file", dir);
  put("file", "old text\n", 0444);
  held_open(&h, path);
  cr_assert_eq(chmod(dir, 0555), 0);
  if (geteuid() == 0) {
    cr_assert_eq(seteuid(65534), 0);
    cr_assert_eq(held_write(&h, path, SLICE("ours\n")), 0, "by what was opened before");
    own_mem char *ours = got("file");
    cr_assert_str_eq(ours, "ours\n");
    cr_assert_eq(seteuid(0), 0);
  }
  cr_assert_eq(chmod(dir, 0755), 0);
  unlink(path);
  put("file", "an editor's\n", 0444);
  cr_assert_eq(chmod(dir, 0555), 0);
  if (geteuid() == 0)
    cr_assert_eq(seteuid(65534), 0);
  cr_assert_eq(held_write(&h, path, SLICE("ours\n")), -EACCES);
  own_mem char *theirs = got("file");
  cr_assert_str_eq(theirs, "an editor's\n");
  held_close(&h);
}

Test(revise, edited_by_hand_is_in_the_history) {
  own(revise) r = begin();
  struct revise_entry list[8];
  own_mem char *text = edit(good, "log_level: info", "log_level: warn");
  put("s.yaml", text, 0640);
  revise_reload(r);
  for (int i = 0; i < 200 && revise_history(r, list, 8) < 2; i++)
    usleep(10000);
  cr_assert_eq(revise_history(r, list, 8), 2);
  cr_assert_str_eq(list[0].how, "reload");
  cr_assert_eq(applied, 1);
}

Test(revise, history_is_bounded) {
  own(book) b = NULL;
  char path[200];
  snprintf(path, sizeof(path), "%s/state", dir);
  cr_assert_eq(book_open(&b, path), 0);
  for (int i = 0; i < REVISE_HISTORY_MAX + 3; i++) {
    struct revise_entry e = {.how = "commit"};
    cr_assert_eq(book_add(b, &e, good, ""), 0);
  }
  cr_assert_eq(book_count(b), REVISE_HISTORY_MAX);
  cr_assert_eq(book_at(b, 0)->n, 4);
  snprintf(path, sizeof(path), "%s/state/config/0003.yaml", dir);
  cr_assert_neq(access(path, F_OK), 0);
  own(book) again = NULL;
  snprintf(path, sizeof(path), "%s/state", dir);
  cr_assert_eq(book_open(&again, path), 0);
  cr_assert_eq(book_count(again), REVISE_HISTORY_MAX);
  cr_assert_eq(book_at(again, 0)->n, 4);
}

/* ---- single things ---- */

static char *with_item(const char *text, const char *name, const char *json) {
  char *out = NULL;
  json_t *item = json ? json_loads(json, 0, NULL) : NULL;
  cr_assert(!json || item, "%s", json);
  cr_assert_eq(revise_item_put(&out, text, "trunks", name, item), 0);
  json_decref(item);
  return out;
}

Test(revise, an_item_is_written_anew_and_the_rest_stays) {
  own_mem char *out =
      with_item(good, "carrier",
                "{\"listener\":\"sip\",\"name\":\"carrier\",\"peers\":[\"127.0.0.1\"],\"options\":true,"
                "\"options_interval_s\":30,\"numbers\":{\"country\":\"49\",\"inbound_called\":[{"
                "\"match\":\"^0(.*)\",\"replace\":\"+49\\\\1\"}]}}");
  own_mem char *want = edit(good,
                            "  - name: carrier # of old\n    listener: sip\n    peers: [127.0.0.1]\n    "
                            "target: sip:127.0.0.1:5070\n    srtp: off\n",
                            "  - name: carrier\n    listener: sip\n    peers: [\"127.0.0.1\"]\n    "
                            "options: true\n    options_interval_s: 30\n"
                            "    numbers:\n      country: \"49\"\n      inbound_called:\n        - "
                            "match: \"^0(.*)\"\n          replace: \"+49\\\\1\"\n");
  cr_assert_str_eq(out, want);
  own_mem char *less = with_item(good, "other", NULL);
  cr_assert(strstr(less, "# the second\n# the users\n") && !strstr(less, "127.0.0.2"), "%s", less);
  own_mem char *none = with_item(less, "carrier", NULL);
  cr_assert(!strstr(none, "trunks:") && strstr(none, "# the users\n"), "%s", none);
  own_mem char *again = with_item(none, NULL, "{\"name\":\"new\",\"listener\":\"sip\"}");
  cr_assert(strstr(again, "dialplan: plan.yaml\ntrunks:\n  - name: new\n    listener: sip\n"), "%s",
            again);
  own_mem char *more = with_item(good, NULL, "{\"name\":\"new\",\"listener\":\"sip\"}");
  cr_assert(strstr(more, "    peers: [127.0.0.2]\n  - name: new\n    listener: sip\n# the users\n"),
            "%s", more);
  char *absent = NULL;
  cr_assert_eq(revise_item_put(&absent, good, "trunks", "nobody", NULL), -ENOENT);
}

Test(revise, a_list_in_brackets_is_written_anew) {
  own_mem char *flow =
      edit(good, "users:\n  - {name: alice, numbers: [\"+15550100001\"]}\n",
           "users: [{name: alice}, # one\n  {name: bob, display: \"B \\\"o\\\" b\"}]\n");
  json_t *item = json_pack("{s:s, s:[s]}", "name", "alice", "numbers", "+15550100009");
  char *out = NULL;
  cr_assert_eq(revise_item_put(&out, flow, "users", "alice", item), 0);
  cr_assert(strstr(out, "# the users\nusers:\n  - name: alice\n    numbers: [\"+15550100009\"]\n  - "
                        "name: bob\n    display: \"B \\\"o\\\" b\"\ndialplan:"),
            "%s", out);
  json_decref(item);
  free(out);
}

/* What is read of what was written is what was written, whatever the texts hold. */
Test(revise, items_come_back_as_they_went) {
  static const char *const texts[] = {
      "",   "off", "yes", "12", "a b", "#x",  "a: b", "\"q\"", "back\\slash", "- x",   "{a}", "[b]",
      "ü€", "&a",  "*b",  "!t", "%p",  "@at", "`t",   "'s'",   "x #y",        " lead", "|",   ">"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    json_t *item =
        json_pack("{s:s, s:s, s:b, s:i, s:[s], s:{s:s}}", "name", "t", "target", texts[i], "enabled", 1,
                  "max_calls", 7, "codecs", texts[i], "credentials", "username", texts[i]);
    char *out = NULL;
    cr_assert_eq(revise_item_put(&out, good, "trunks", NULL, item), 0);
    json_t *back = revise_item(out, "trunks", "t");
    cr_assert(json_equal(back, item), "%s", out);
    json_decref(back);
    json_decref(item);
    free(out);
  }
}

Test(revise, the_schema_has_each_setting) {
  json_t *j = revise_schema();
  json_t *trunk = json_object_get(
      json_object_get(json_object_get(json_object_get(j, "properties"), "trunks"), "items"),
      "properties");
  json_t *calls = json_object_get(trunk, "max_calls");
  cr_assert_eq(json_integer_value(json_object_get(calls, "maximum")), 100000);
  cr_assert_eq(json_integer_value(json_object_get(calls, "default")), 100);
  cr_assert_str_eq(json_string_value(json_object_get(calls, "x-takes-effect")), "reload");
  cr_assert(
      json_object_get(json_object_get(json_object_get(trunk, "numbers"), "properties"), "country"));
  json_decref(j);
}

/* ---- replay ---- */

struct past {
  const char *trunk, *identity, *called, *caller;
  uint32_t start_s, talk_s;
  uint8_t flags;
};

/* Records of calls that began so many seconds after an hour ago. */
static void store_fill(const char *path, const struct past *list, uint32_t n, uint32_t times) {
  own(store) s = NULL;
  struct store_settings ss = {.file = path, .queue_max = 65536};
  uint64_t base = clock_wall_ms() - 3600000;
  cr_assert_eq(store_new(&s, &ss), 0);
  for (uint32_t i = 0; i < n * times; i++) {
    const struct past *p = &list[i % n];
    struct record r = {.state = RECORD_ENDED, .direction = p->trunk ? RECORD_IN : RECORD_OUT};
    snprintf(r.id, sizeof(r.id), "c_%u", i);
    r.started_ms = base + p->start_s * 1000 + (times > 1 ? i * 50 : 0);
    r.answered_ms = r.started_ms;
    r.ended_ms = r.started_ms + p->talk_s * 1000;
    r.caller.kind = p->trunk ? RECORD_LEG_TRUNK : RECORD_LEG_NATIVE;
    snprintf(r.caller.peer, sizeof(r.caller.peer), "%s", p->trunk ? p->trunk : p->identity);
    snprintf(r.identity, sizeof(r.identity), "%s", p->identity ? p->identity : "");
    snprintf(r.asked_called, sizeof(r.asked_called), "%s", p->called);
    snprintf(r.asked_caller, sizeof(r.asked_caller), "%s", p->caller);
    snprintf(r.to, sizeof(r.to), "%s", "elsewhere");
    r.asked_flags = p->flags;
    cr_assert_eq(store_put(s, &r), 0);
    if (i % 1000 == 999)
      cr_assert_eq(store_flush(s, 20000), 0);
  }
  cr_assert_eq(store_flush(s, 20000), 0);
}

static struct revise *begin_with_store(const char *path) {
  static char state[96];
  struct revise *r = NULL;
  snprintf(state, sizeof(state), "%s/state", dir);
  struct revise_env env = {.file = file, .state_dir = state, .store_file = path, .apply = apply};
  cr_assert_eq(revise_new(&r, &env), 0);
  return r;
}

static const struct revise_moved *moved_of(const struct revise_replay *p, const char *record) {
  static const struct revise_moved none;
  for (uint32_t i = 0; i < p->n; i++)
    if (strcmp(p->list[i].record, record) == 0)
      return &p->list[i];
  return &none;
}

static void replay_text(struct revise *r, const char *text, const char *plan,
                        struct revise_replay *ret) {
  own(candidate) c = judged(r, text, plan);
  cr_assert_eq(c->faults.n, 0, "%s", c->faults.list[0].message);
  cr_assert_eq(revise_replay(r, c, clock_wall_ms() - 7200000, ret), 0);
}

Test(revise, replay_of_rules_numbers_and_headers) {
  static const struct past list[] = {
      {"carrier", NULL, "+15550100001", "+15550200001", 0, 60, 0},
      {NULL, "alice", "+15550300001", "+15550100001", 1, 60, 0},
      {NULL, "alice", "112", "+15550100001", 2, 60, 0},
      {NULL, "alice", "bob", "+15550100001", 3, 60, RECORD_UNASKED},
      {"gone", NULL, "+15550100001", "+15550200001", 4, 60, 0},
  };
  char path[200];
  own_mem struct revise_replay *p = calloc(1, sizeof(*p));
  snprintf(path, sizeof(path), "%s/records.db", dir);
  store_fill(path, list, COUNT_OF(list), 1);
  own(revise) r = begin_with_store(path);
  replay_text(r, good, NULL, p);
  cr_assert_eq(p->calls, 5);
  cr_assert_eq(p->changed, 0, "%s -> %s", p->list[0].was, p->list[0].is);
  cr_assert_eq(p->refused_before, 1);
  own_mem char *plan =
      edit(plan_text, "  - {name: out, then: {trunk: carrier}}", "  - {name: out, then: {refuse: 403}}");
  replay_text(r, good, plan, p);
  cr_assert_eq(p->changed, 1);
  cr_assert_eq(p->refused, 1);
  cr_assert_str_eq(moved_of(p, "c_1")->is, "refused with 403 by rule out");
  cr_assert_str_eq(moved_of(p, "c_1")->was, "trunk carrier, to +15550300001 from +15550100001");
  own_mem char *help = edit(plan_text, "{name: help, called: \"112\", emergency: true,",
                            "{name: help, called: \"911\", emergency: true,");
  replay_text(r, good, help, p);
  cr_assert_eq(p->emergency, 1, "a call to 112 is none any more");
  own_mem char *digits = edit(good, "    srtp: off\n", "    srtp: off\n    numbers: {form: digits}\n");
  replay_text(r, digits, NULL, p);
  cr_assert_eq(p->changed, 2, "also the caller's number of the call to 112");
  cr_assert_str_eq(moved_of(p, "c_1")->is, "trunk carrier, to 15550300001 from 15550100001");
  own_mem char *headers = edit(good, "    srtp: off\n",
                               "    srtp: off\n    headers: {out: [{action: remove, name: X-Y}]}\n");
  replay_text(r, headers, NULL, p);
  cr_assert_eq(p->changed, 2);
  cr_assert(strstr(moved_of(p, "c_1")->is, "other header rules of carrier"));
  own_mem char *screened =
      edit(good, "    srtp: off\n", "    srtp: off\n    numbers_allowed: [\"+1444*\"]\n");
  replay_text(r, screened, NULL, p);
  cr_assert_eq(p->refused, 1);
  cr_assert(strstr(moved_of(p, "c_0")->is, "caller_range"), "%s", moved_of(p, "c_0")->is);
}

/* Three at once, then one when all are over: limits are those of the time. */
Test(revise, replay_of_limits_in_the_order_of_time) {
  static const struct past list[] = {
      {NULL, "alice", "+15550300001", "+15550100001", 10, 60, 0},
      {NULL, "alice", "+15550300002", "+15550100001", 20, 60, 0},
      {NULL, "alice", "+15550300003", "+15550100001", 30, 60, 0},
      {NULL, "alice", "112", "+15550100001", 35, 10, 0},
      {NULL, "alice", "+15550300004", "+15550100001", 200, 60, 0},
  };
  char path[200];
  own_mem struct revise_replay *p = calloc(1, sizeof(*p));
  snprintf(path, sizeof(path), "%s/records.db", dir);
  store_fill(path, list, COUNT_OF(list), 1);
  own(revise) r = begin_with_store(path);
  own_mem char *two = edit(good, "    srtp: off\n", "    srtp: off\n    max_calls: 2\n");
  replay_text(r, two, NULL, p);
  cr_assert_eq(p->refused, 1);
  cr_assert(strstr(moved_of(p, "c_2")->is, "trunk_calls"), "%s", moved_of(p, "c_2")->is);
  own_mem char *cap = edit(
      good, "dialplan:",
      "caps:\n  - {name: dear, called: [\"+1555030\"], per: caller, minutes_per_day: 2}\ndialplan:");
  replay_text(r, cap, NULL, p);
  cr_assert_eq(p->refused, 1, "after two minutes that were talked");
  cr_assert(strstr(moved_of(p, "c_4")->is, "minutes_per_day"), "%s", moved_of(p, "c_4")->is);
}

/* The node's limit, an identity's, and numbers that a user no longer has. */
Test(revise, replay_of_the_houses_limits_and_the_users_numbers) {
  static const struct past list[] = {
      {NULL, "alice", "+15550300001", "+15550100001", 10, 60, 0},
      {"carrier", NULL, "+15550100001", "+15550200001", 20, 60, 0},
      {NULL, "bob", "+15550300003", "+15550100009", 30, 60, 0}, /* a number of his token */
      {NULL, "alice", "112", "+15550100001", 35, 10, 0},
  };
  char path[200];
  own_mem struct revise_replay *p = calloc(1, sizeof(*p));
  snprintf(path, sizeof(path), "%s/records.db", dir);
  store_fill(path, list, COUNT_OF(list), 1);
  own(revise) r = begin_with_store(path);
  own_mem char *node = edit(good, "log_level: info", "log_level: info, max_calls: 2");
  replay_text(r, node, NULL, p);
  cr_assert_eq(p->changed, 1);
  cr_assert(strstr(moved_of(p, "c_2")->is, "node_calls"), "%s", moved_of(p, "c_2")->is);
  own_mem char *one = edit(good, "  edge: edge.example\n", "  edge: edge.example\n  calls_per_identity: 1\n");
  replay_text(r, one, NULL, p);
  cr_assert_eq(p->changed, 1, "alice is called while she calls; 112 goes");
  cr_assert(strstr(moved_of(p, "c_1")->is, "identity_calls"), "%s", moved_of(p, "c_1")->is);
  own_mem char *none = edit(good, "\"+15550100001\"", "");
  replay_text(r, none, NULL, p);
  cr_assert_eq(p->refused, 1, "but 112");
  cr_assert(strstr(moved_of(p, "c_0")->is, "caller_id"), "%s", moved_of(p, "c_0")->is);
  own_mem char *other = edit(good, "\"+15550100001\"", "\"+15550100077\"");
  replay_text(r, other, NULL, p);
  cr_assert_eq(p->refused, 0);
  cr_assert(strstr(moved_of(p, "c_0")->is, "from +15550100077"), "%s", moved_of(p, "c_0")->is);
}

Test(revise, a_plan_that_refuses_all_of_yesterday_takes_force) {
  static const struct past one = {NULL, "alice", "+15550300001", "+15550100001", 10, 60, 0};
  char path[200];
  snprintf(path, sizeof(path), "%s/records.db", dir);
  store_fill(path, &one, 1, 5);
  own(revise) r = begin_with_store(path);
  own_mem char *plan =
      edit(plan_text, "  - {name: in, from",
           "  - {name: no, called: {prefix: [\"+\"]}, then: {refuse: 403}}\n  - {name: in, from");
  own(candidate) c = judged(r, good, plan);
  cr_assert_eq(revise_commit(r, c, &(struct revise_wish){0}).result, REVISE_FAULTY);
  cr_assert_str_eq(c->faults.list[0].rule, "refuses");
  cr_assert(strstr(c->faults.list[0].message, "all 5 calls"), "%s", c->faults.list[0].message);
}

Test(revise, replay_of_a_day, .timeout = 120) {
  static const struct past list[] = {
      {"carrier", NULL, "+15550100001", "+15550200001", 0, 60, 0},
      {NULL, "alice", "+15550300001", "+15550100001", 0, 60, 0},
      {NULL, "alice", "+15550400001", "+15550100001", 0, 60, 0},
  };
  char path[200];
  const char *calls = getenv("SALLYPORT_REPLAY_CALLS"); /* 48000 for the figure in docs/performance.md */
  uint32_t times = calls ? (uint32_t)atoi(calls) / 3 : 500;
  own_mem struct revise_replay *p = calloc(1, sizeof(*p));
  snprintf(path, sizeof(path), "%s/records.db", dir);
  store_fill(path, list, COUNT_OF(list), times);
  own_mem char *wide = edit(good, "    srtp: off\n",
                            "    srtp: off\n    max_calls: 100000\n    max_calls_per_s: 10000\n");
  own_mem char *wider = edit(wide, "log_level: info", "log_level: info, max_calls: 100000");
  own_mem char *all =
      edit(wider, "  edge: edge.example\n", "  edge: edge.example\n  calls_per_identity: 10000\n");
  put("s.yaml", all, 0640);
  own(revise) r = begin_with_store(path);
  own_mem char *plan =
      edit(plan_text, "  - {name: out",
           "  - {name: no, called: {prefix: [\"+15550400\"]}, then: {refuse: 403}}\n  - {name: out");
  replay_text(r, all, plan, p);
  fprintf(stderr, "replay: %u calls, %u changed, %llu ms\n", p->calls, p->changed,
          (unsigned long long)(p->took_us / 1000));
  cr_assert_eq(p->calls, 3 * times);
  cr_assert_eq(p->changed, times);
  cr_assert_eq(p->refused, times);
  cr_assert_eq(p->n, times < REVISE_MOVED_MAX ? times : REVISE_MOVED_MAX);
}

/* ---- secrets ---- */

Test(revise, secrets_are_kept) {
  static const struct field rows[] = {
      {.section = SECTION_TRUNK, .type = FIELD_TEXT, .flags = FIELD_SECRET, .key = "realm"},
      {.section = SECTION_TRUNK_CREDENTIALS,
       .type = FIELD_TEXT,
       .flags = FIELD_SECRET,
       .key = "username"},
  };
  static const char text[] = "trunks:\n"
                             "  - name: a # realm: no\n"
                             "    realm: \"top \\\" secret\" # realm: y\n"
                             "    credentials: {username: plain, realm: r}\n"
                             "  - {name: b, realm: 'two', credentials: {username: three}}\n";
  own_mem struct revise_faults *f = calloc(1, sizeof(*f));
  own_mem char *shown = secrets_hide(rows, COUNT_OF(rows), text);
  cr_assert_str_eq(shown, "trunks:\n"
                          "  - name: a # realm: no\n"
                          "    realm: \"(kept)\" # realm: y\n"
                          "    credentials: {username: \"(kept)\", realm: r}\n"
                          "  - {name: b, realm: \"(kept)\", credentials: {username: \"(kept)\"}}\n");
  own_mem char *home = secrets_put_back(rows, COUNT_OF(rows), shown, text, f);
  cr_assert_eq(f->n, 0);
  cr_assert(strstr(home, "\"top \\\" secret\"") && strstr(home, "realm: \"two\"") &&
                strstr(home, "\"three\""),
            "%s", home);
  own_mem char *renamed = edit(shown, "name: b", "name: c");
  own_mem char *lost = secrets_put_back(rows, COUNT_OF(rows), renamed, text, f);
  cr_assert_eq(f->n, 2);
}

/* ---- files that a commit may name ---- */

static bool refused_at(struct revise *r, const char *text, const char *plan, const char *pointer) {
  own(candidate) c = judged(r, text, plan);
  for (uint32_t i = 0; i < c->faults.n; i++) {
    cr_assert(!strstr(c->faults.list[i].message, "root:"), "%s", c->faults.list[i].message);
    cr_assert(!strstr(c->faults.list[i].message, "canary"), "%s", c->faults.list[i].message);
  }
  for (uint32_t i = 0; i < c->faults.n; i++)
    if (c->faults.n > 1 || strcmp(c->faults.list[i].pointer, pointer) != 0)
      fprintf(stderr, "%s: %s\n", c->faults.list[i].pointer, c->faults.list[i].message);
  return c->faults.n == 1 && strcmp(c->faults.list[0].pointer, pointer) == 0 &&
         strcmp(c->faults.list[0].rule, "file") == 0 && !c->conf && !c->plan;
}

#define TABLE(path) \
  "tables: [{name: far, file: \"" path "\"}]\n" \
  "rules:\n" \
  "  - {name: help, called: \"112\", emergency: true, then: {trunk: carrier}}\n" \
  "  - {name: out, called: {table: far}, then: [{trunks: table}]}\n"

Test(revise, a_table_lies_beside_the_configuration) {
  own(revise) r = begin();
  char link[200], inner[200];
  snprintf(link, sizeof(link), "%s/link.csv", dir);
  snprintf(inner, sizeof(inner), "%s/sub", dir);
  cr_assert_eq(symlink("/etc/passwd", link), 0);
  cr_assert_eq(mkdir(inner, 0755), 0);
  put("sub/far.csv", "1,carrier\n", 0644);
  cr_assert(refused_at(r, good, TABLE("/etc/shadow"), "/tables/0/file"));
  cr_assert(refused_at(r, good, TABLE("/etc/passwd"), "/tables/0/file"));
  cr_assert(refused_at(r, good, TABLE("/etc/there-is-none"), "/tables/0/file"));
  cr_assert(refused_at(r, good, TABLE("../../etc/passwd"), "/tables/0/file"));
  cr_assert(refused_at(r, good, TABLE("link.csv"), "/tables/0/file"));
  cr_assert(refused_at(r, good, TABLE("sub/none/../../../x.csv"), "/tables/0/file"));
  own(candidate) c = judged(r, good, TABLE("sub/far.csv"));
  cr_assert_eq(c->faults.n, 0, "%s", c->faults.list[0].message);
}

Test(revise, what_stands_in_a_table_is_not_told) {
  own(revise) r = begin();
  put("a.key", "canary-of-a-key\ncanary=\n", 0600);
  own(candidate) c = judged(r, good, TABLE("a.key"));
  cr_assert_gt(c->faults.n, 1);
  for (uint32_t i = 0; i < c->faults.n; i++)
    cr_assert(!strstr(c->faults.list[i].message, "canary"), "%s", c->faults.list[i].message);
}

Test(revise, a_commit_names_files_of_ours_only) {
  own(revise) r = begin();
  static const struct {
    const char *from, *to, *pointer;
  } cases[] = {
      {"certificate: a.pem", "certificate: /etc/passwd", "/service/certificate"},
      {"key: a.key", "key: /etc/shadow", "/service/key"},
      {"addresses: [{", "hold_music: /etc/shadow\n  addresses: [{", "/media/hold_music"},
      {"node: {", "records: {file: /var/tmp/x.db}\nnode: {", "/records/file"},
      {"node: {", "admin: {token_file: ../token}\nnode: {", "/admin/token_file"},
      {"node: {", "admin: {paths: [/etc]}\nnode: {", "/admin/paths"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    own_mem char *text = edit(good, cases[i].from, cases[i].to);
    cr_assert(refused_at(r, text, NULL, cases[i].pointer), "case %zu", i);
  }
}

/* By hand the machine's owner may name any; what stands there is no news for a commit. */
Test(revise, what_is_in_force_may_stay) {
  char out[] = "/tmp/check_paths.XXXXXX", path[64], more[80], to[200];
  cr_assert(mkdtemp(out));
  snprintf(path, sizeof(path), "%s/far.pem", out);
  snprintf(more, sizeof(more), "%s/more.pem", out);
  for (int i = 0; i < 2; i++) {
    FILE *f = fopen(i ? more : path, "w");
    cr_assert(f && fputs("x", f) >= 0);
    fclose(f);
  }
  snprintf(to, sizeof(to), "certificate: %s", path);
  own_mem char *far = edit(good, "certificate: a.pem", to);
  put("s.yaml", far, 0640);
  {
    own(revise) r = begin();
    own_mem char *text = edit(far, "workers: 2", "workers: 3");
    own(candidate) c = judged(r, text, NULL);
    cr_assert_eq(c->faults.n, 0, "%s", c->faults.list[0].message);
    own_mem char *another = edit(far, "far.pem", "more.pem");
    cr_assert(refused_at(r, another, NULL, "/service/certificate"));
  }
  snprintf(to, sizeof(to), "admin: {paths: [%s]}\nnode: {", out);
  own_mem char *open = edit(far, "node: {", to);
  put("s.yaml", open, 0640);
  own(revise) r = begin();
  own_mem char *another = edit(open, "far.pem", "more.pem");
  own(candidate) c = judged(r, another, NULL);
  cr_assert_eq(c->faults.n, 0, "%s", c->faults.list[0].message);
  cr_assert(unlink(path) == 0 && unlink(more) == 0 && rmdir(out) == 0);
}

Test(trial, asks_a_plan_about_a_number_and_follows_forwards) {
  static const char yaml[] = "rules:\n"
                             "  - {called: \"1\", name: one, then: {forward: \"2\"}}\n"
                             "  - {called: \"2\", name: two, then: {forward: \"1\"}}\n"
                             "  - {called: \"3\", name: three, then: {refuse: 603}}\n";
  struct conf *c = calloc(1, sizeof(*c));
  struct conf_errors *errors = calloc(1, sizeof(*errors));
  struct plan *p = NULL;
  struct trial t;
  const char *word, *why;
  cr_assert_eq(plan_parse(&p, "t.yaml", slice_of(yaml), errors), 0, "%s", errors->list[0].text);
  struct trial_words w = {.called = "1", .trunk = "none"};
  cr_assert_eq(trial_ask(&t, &w, c, p, &word, &why), -EINVAL);
  cr_assert_str_eq(word, "trunk");
  w = (struct trial_words){.called = "1", .at = "tomorrow"};
  cr_assert_eq(trial_ask(&t, &w, c, p, &word, &why), -EINVAL);
  cr_assert_str_eq(word, "at");
  w.at = "2026-12-24T17:30";
  cr_assert_eq(trial_ask(&t, &w, c, p, &word, &why), 0);
  cr_assert_eq(t.f.wall_s, 1798133400);
  json_t *walk = trial_walk(p, t.f);
  cr_assert_eq(json_array_size(walk), 1 + TRIAL_FORWARDS_MAX, "a circle ends");
  cr_assert_str_eq(json_string_value(json_object_get(json_array_get(walk, 1), "rule")), "two");
  json_decref(walk);
  w.called = "3";
  cr_assert_eq(trial_ask(&t, &w, c, p, &word, &why), 0);
  walk = trial_walk(p, t.f);
  cr_assert_eq(json_array_size(walk), 1);
  cr_assert_eq(json_integer_value(json_object_get(json_array_get(walk, 0), "refused")), 603);
  cr_assert_eq(json_array_size(json_object_get(json_array_get(walk, 0), "rules")), 3);
  json_decref(walk);
  plan_free(p);
  free(errors);
  free(c);
}
