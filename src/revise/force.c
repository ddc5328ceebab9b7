/* SPDX-License-Identifier: Apache-2.0
 * A candidate taken into force: history, mark, files, doors, in this order, and back again if one of
 * them says no. */
#include "revise/inner.h"

#include "base/clock.h"
#include "base/log.h"

static const char *plan_file(const struct candidate *c) { return c->conf->dialplan; }

bool files_same(const struct revise *r) {
  own_mem char *text = NULL, *plan = NULL;
  return file_read(r->file, &text) == 0 && strcmp(text, r->text) == 0 &&
         file_read(r->plan_path, &plan) == 0 && strcmp(plan, r->plan_text) == 0;
}

static int write_one(struct held *h, const char *path, const char *text, char *why) {
  own_mem char *now = NULL;
  if (file_read(path, &now) == 0 && strcmp(now, text) == 0)
    return 0;
  int r = held_write(h, path, slice_of(text));
  if (r < 0)
    snprintf(why, REVISE_WHY_BYTES, "%.180s cannot be written: %s", path, strerror(-r));
  return r;
}

/* The plan first: the configuration is what names it. */
static int files_write(struct revise *r, const char *text, const char *plan_path, const char *plan,
                       char *why) {
  int e = write_one(&r->held_plan, plan_path, plan, why);
  return e < 0 ? e : write_one(&r->held, r->file, text, why);
}

void pending_end(struct revise *r) {
  if (r->is_pending && book_mark(r->book, NULL) < 0)
    log_error(conf, "the mark of the pending commit cannot be removed");
  r->is_pending = false;
  atomic_store(&r->confirm_by_ms, 0);
}

void pending_keep(struct revise *r, const struct book_mark *m) {
  struct book_mark there;
  bool is_there = book_marked(r->book, &there) && there.to == m->to && there.back == m->back;
  r->mark = *m;
  r->is_pending = true;
  atomic_store(&r->confirm_by_ms, m->until_ms);
  if (!is_there && book_mark(r->book, m) < 0)
    log_error(conf, "the mark of the pending commit cannot be written");
}

static int pending_begin(struct revise *r, uint32_t to, uint32_t confirm_s) {
  struct book_mark m = {r->n, to, clock_wall_ms() + confirm_s * UINT64_C(1000)};
  int e = book_mark(r->book, &m);
  if (e < 0)
    return e;
  r->mark = m;
  r->is_pending = true;
  atomic_store(&r->confirm_by_ms, m.until_ms);
  r->until_us = clock_now_us() + confirm_s * UINT64_C(1000000);
  return 0;
}

int doors_take(struct revise *r, struct candidate *c, char *why) {
  int e = r->env.apply ? r->env.apply(r->env.arg, c->conf, c->plan, c->is_lenient, why, REVISE_WHY_BYTES)
                       : 0;
  if (e == 0 && r->env.apply) {
    c->conf = NULL; /* theirs */
    c->plan = NULL;
  }
  return e;
}

static void texts_take(struct revise *r, struct candidate *c) {
  free(r->text);
  free(r->plan_text);
  r->text = take(c->text);
  r->plan_text = take(c->plan_text);
}

static void back_out(struct revise *r, const char *plan_path, const char *plan_before, uint32_t n) {
  char why[REVISE_WHY_BYTES] = "";
  if (plan_before && strcmp(plan_path, r->plan_path) != 0 &&
      write_one(&r->held_plan, plan_path, plan_before, why) < 0)
    log_error(conf, "%s", why);
  if (files_write(r, r->text, r->plan_path, r->plan_text, why) < 0)
    log_error(conf, "the configuration in force could not be written back: %s", why);
  pending_end(r);
  book_drop(r->book, n);
}

/* What a hand made of the files meanwhile is written over, and kept in the history first. */
void edits_keep(struct book *b, const char *text, const char *plan) {
  struct revise_entry e = {.how = "edited", .comment = "edited by hand, was not in force"};
  if (book_add(b, &e, text, plan) < 0)
    log_warn(conf, "files that were edited by hand are written over, and the history has no room for them");
}

static void edits_look(struct revise *r, const struct candidate *c) {
  own_mem char *text = NULL, *plan = NULL;
  if (file_read(r->file, &text) < 0 || file_read(r->plan_path, &plan) < 0)
    return;
  bool is_text = strcmp(text, r->text) == 0 || strcmp(text, c->text) == 0,
       is_plan = strcmp(plan, r->plan_text) == 0 || strcmp(plan, c->plan_text) == 0;
  if (!is_text || !is_plan)
    edits_keep(r->book, text, plan);
}

/* Into the history; the way back is gone without it too. */
static int entry_add(struct revise *r, struct force *f) {
  int e = book_add(r->book, &f->e, f->c->text, f->c->plan_text);
  if (e == 0 || !f->is_back)
    return e;
  log_warn(conf, "the history cannot be written: %s", strerror(-e));
  f->e.n = f->e.of;
  return 0;
}

int revise_force(struct revise *r, struct force *f) {
  struct candidate *c = f->c;
  int unwritten = 0;
  char path[CONF_PATH_BYTES];
  own_mem char *before = NULL;
  slice_copy(path, sizeof(path), slice_of(plan_file(c)));
  uint64_t version = f->e.version = c->conf->version;
  (void)(file_read(path, &before) < 0); /* absent: there is nothing to put back */
  edits_look(r, c);
  int e = entry_add(r, f);
  if (e == 0 && f->confirm_s)
    e = pending_begin(r, f->e.n, f->confirm_s);
  if (e < 0)
    snprintf(f->why, REVISE_WHY_BYTES, "the history cannot be written: %s", strerror(-e));
  if (e == 0)
    e = files_write(r, c->text, path, c->plan_text, f->why);
  if (f->is_back) {
    unwritten = e;
    e = 0;
  }
  if (e == 0)
    e = doors_take(r, c, f->why);
  if (e < 0) {
    back_out(r, path, before, f->e.n);
    return e;
  }
  texts_take(r, c);
  slice_copy(r->plan_path, sizeof(r->plan_path), slice_of(path));
  r->version = version;
  r->n = f->e.n;
  log_info(conf, "configuration %u in force: %s by %s", r->n, f->e.how, f->e.who[0] ? f->e.who : "?");
  return unwritten;
}

int revise_back(struct revise *r, uint32_t n, const char *how, const char *who, char *why) {
  own(candidate) c = calloc(1, sizeof(*c));
  struct judge_with w = {.file = r->file, .is_lenient = true};
  if (!c)
    return -ENOMEM;
  int e = book_text(r->book, n, &c->text, &c->plan_text);
  if (e == 0)
    e = judge(&w, c->text, c->plan_text, c);
  if (e == 0 && c->faults.n) {
    snprintf(why, REVISE_WHY_BYTES, "%.250s", c->faults.list[0].message);
    return -EINVAL;
  }
  if (e < 0) {
    snprintf(why, REVISE_WHY_BYTES, "configuration %u of the history cannot be read: %s", n,
             strerror(-e));
    return e;
  }
  struct force f = {.c = c, .e = {.of = n}, .is_back = true, .why = why};
  slice_copy(f.e.how, sizeof(f.e.how), slice_of(how));
  slice_copy(f.e.who, sizeof(f.e.who), slice_of(who));
  return revise_force(r, &f);
}
