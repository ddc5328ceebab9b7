/* SPDX-License-Identifier: Apache-2.0
 * A text judged: read as the program would read it, with its dialplan, and everything that is wrong
 * told. What is wrong with files of the configuration in force is no fault of the new one: keys may
 * belong to root, who is gone. */
#include "revise/part.h"

#include "base/clock.h"

#include <stdio.h>

struct conf_errors *errors_new(void) {
  return calloc(1, sizeof(struct conf_errors));
}

void plan_path_of(const char *file, const char *text, char dst[CONF_PATH_BYTES]) {
  own(tree) t = NULL;
  own_mem struct conf_errors *e = errors_new();
  dst[0] = 0;
  if (!e || tree_new(&t, file, slice_of(text), e) < 0)
    return;
  const struct tree_node *plan = tree_find(t->root, "dialplan");
  if (plan && plan->kind == TREE_SCALAR && field_path(dst, CONF_PATH_BYTES, file, plan->text) < 0)
    dst[0] = 0;
}

static bool has_text(const struct conf_errors *e, const char *text) {
  for (uint32_t i = 0; i < e->n && i < CONF_ERRORS_MAX; i++)
    if (strcmp(e->list[i].text, text) == 0)
      return true;
  return false;
}

/* Without those that the text in force has too; true: some were taken out. */
static bool errors_forgive(struct conf_errors *e, const struct judge_with *w) {
  own(conf) c = NULL;
  own_mem struct conf_errors *old = errors_new();
  uint32_t n = 0, before = e->n;
  if (!old || !w->current || conf_judge(&c, w->file, slice_of(w->current), false, old) == 0)
    return false;
  for (uint32_t i = 0; i < before && i < CONF_ERRORS_MAX; i++)
    if (!has_text(old, e->list[i].text))
      e->list[n++] = e->list[i];
  e->n = n;
  return n < before;
}

static int conf_take(const struct judge_with *w, const char *text, const struct field_paths *paths,
                     struct candidate *c) {
  own_mem struct conf_errors *e = errors_new(), *again = errors_new();
  if (!e || !again)
    return -ENOMEM;
  int r = conf_judge_within(&c->conf, w->file, slice_of(text), false, paths, e);
  if (r == -EINVAL && (w->is_lenient || (errors_forgive(e, w) && e->n == 0))) {
    r = conf_judge_within(&c->conf, w->file, slice_of(text), true, paths, again);
    c->is_forgiven = r == 0;
    if (w->is_lenient)
      memcpy(e, again, sizeof(*e));
  }
  if (r == -EINVAL)
    faults_add(&c->faults, e);
  return r == -EINVAL ? 0 : r;
}

static int plan_take(const struct judge_with *w, const char *text, const char *plan_text,
                     const struct field_paths *paths, struct candidate *c) {
  char path[CONF_PATH_BYTES];
  own_mem struct conf_errors *e = errors_new();
  own_mem char *read = NULL;
  size_t n = plan_text ? strlen(plan_text) : 0;
  int r = 0;
  if (!e)
    return -ENOMEM;
  plan_path_of(w->file, text, path);
  if (!path[0])
    return 0; /* told already */
  if (paths && !paths->may(paths->arg, path))
    return 0; /* told already */
  if (!plan_text)
    r = conf_file_read_within(&read, &n, path, paths, e);
  if (r == 0)
    r = plan_parse_within(&c->plan, path, slice_from(plan_text ? plan_text : read, n), paths, e);
  if (r == 0 && c->conf)
    r = plan_check(c->plan, c->conf, e);
  if (r == -EINVAL)
    faults_add(&c->faults, e);
  return r == -EINVAL ? 0 : r;
}

/* The doors' opinion; what they hold against the text in force too is no news. */
static void doors_ask(const struct judge_with *w, struct candidate *c) {
  char why[REVISE_WHY_BYTES] = "", before[REVISE_WHY_BYTES] = "";
  own(conf) old = NULL;
  own_mem struct conf_errors *e = errors_new();
  if (!w->look || w->is_lenient || w->look(c->conf, why, sizeof(why)) == 0)
    return;
  if (e && w->current && conf_judge(&old, w->file, slice_of(w->current), true, e) == 0 &&
      w->look(old, before, sizeof(before)) < 0 && strcmp(why, before) == 0)
    return;
  faults_put(&c->faults, "", "file", why);
}

int judge(const struct judge_with *w, const char *text, const char *plan_text, struct candidate *c) {
  own(paths) paths = NULL;
  struct field_paths rule;
  const struct field_paths *bound = w->is_bound ? &rule : NULL;
  int r = w->is_bound ? paths_new(&paths, w) : 0;
  if (r < 0)
    return r;
  rule = paths_rule(paths);
  r = conf_take(w, text, bound, c);
  c->is_lenient = w->is_lenient || c->is_forgiven;
  if (c->conf && paths && !paths_same(paths, c->conf))
    faults_put(&c->faults, "/admin/paths", "file",
               "expected the folders in force: they are changed in the file only");
  if (r == 0)
    r = plan_take(w, text, plan_text, bound, c);
  if (r == 0 && !c->faults.n)
    doors_ask(w, c);
  if (r < 0 || c->faults.n) {
    c->conf = conf_free(c->conf);
    c->plan = plan_free(c->plan);
  }
  return r;
}

struct candidate *candidate_free(struct candidate *c) {
  if (!c)
    return NULL;
  conf_free(c->conf);
  plan_free(c->plan);
  free(c->text);
  free(c->plan_text);
  free(c);
  return NULL;
}

/* ---- what is right and yet cannot be meant ---- */

static struct route_decision asked_for(const struct plan *p, const struct conf *c, const char *number) {
  const struct conf_user *u = c->n_users ? c->users : NULL;
  struct route_facts f = {.from_kind = SLICE("native"),
                          .called = slice_of(number),
                          .identity = slice_of(u ? u->name : ""),
                          .tenant = slice_of(u ? u->tenant : ""),
                          .caller = slice_of(u && u->numbers.n ? u->numbers.text[0] : ""),
                          .wall_s = clock_wall_ms() / 1000};
  return route_decide(p, &f);
}

void gate_check(const struct candidate *c, const struct plan *old, const struct conf *old_conf,
                struct revise_faults *ret) {
  char text[REVISE_WHY_BYTES], number[80];
  if (!plan_takes_calls(c->plan))
    faults_put(ret, "/rules", "refuses",
               "no rule of the dialplan leads anywhere: every call would be refused");
  for (uint32_t i = 0; old && plan_emergency(old, i); i++) {
    const char *called = plan_emergency(old, i);
    struct route_decision was = asked_for(old, old_conf, called),
                          is = asked_for(c->plan, c->conf, called);
    if (was.action == ROUTE_REFUSE || (is.action != ROUTE_REFUSE && is.emergency))
      continue;
    snprintf(text, sizeof(text), "emergency number %s %s",
             slice_escape(number, sizeof(number), slice_of(called)),
             is.action == ROUTE_REFUSE ? "would be refused" : "would be no emergency call any more");
    faults_put(ret, "/rules", "emergency", text);
  }
}

enum { GATE_CALLS = 5000, GATE_LEAST = 3 };

void gate_replay(const struct replay_worlds *w, const char *store_file, struct revise_faults *ret) {
  own_mem struct revise_replay *past = calloc(1, sizeof(*past));
  char text[REVISE_WHY_BYTES];
  uint64_t now = clock_wall_ms(), day = UINT64_C(86400000);
  if (!past || !store_file || replay_run(w, store_file, now > day ? now - day : 0, GATE_CALLS, past) < 0)
    return; /* records are no reason to hold up a commit */
  uint32_t went = past->calls - past->refused_before;
  if (went >= GATE_LEAST && past->refused_after == past->calls) {
    snprintf(text, sizeof(text), "all %u calls of the last day that went somewhere would be refused",
             went);
    faults_put(ret, "/rules", "refuses", text);
  }
  if (past->emergency) {
    snprintf(text, sizeof(text), "%u emergency calls of the last day would be refused, or be none",
             past->emergency);
    faults_put(ret, "/rules", "emergency", text);
  }
}
