/* SPDX-License-Identifier: Apache-2.0
 * The configuration as a document: /config and what is below it. The work is revise's. Web threads. */
#include "admin/config.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { TEXT_MAX = 4 << 20, CONFIRM_MAX_S = 86400 };

static const struct shape_member file_members[] = {{"name", SHAPE_TEXT, SHAPE_MUST, 1, 255},
                                                   {"text", SHAPE_TEXT, SHAPE_MUST, 0, TEXT_MAX}};
static const struct shape config_file = {"config_file", file_members, COUNT_OF(file_members),
                                         false,         NULL,         NULL};

#define FILES \
  { \
    "files", SHAPE_LIST, 0, 0, 4, .inner = &config_file, \
                                  .help = "The dialplan, by the name that GET gives" \
  }
SHAPE(config_text, {"text", SHAPE_TEXT, 0, 1, TEXT_MAX, .help = "The file; absent: as it is"}, FILES);
SHAPE(config_commit, {"text", SHAPE_TEXT, 0, 1, TEXT_MAX, .help = "The file; absent: as it is"}, FILES,
      {"comment", SHAPE_TEXT, 0, 0, 200},
      {"confirm_s", SHAPE_INT, 0, 0, CONFIRM_MAX_S,
       .help = "Taken back unless confirmed in time; 0: for good"},
      {"force", SHAPE_BOOL, 0,
       .help = "Also a plan that refuses everything, also over a file edited by hand"});
SHAPE(config_rollback, {"n", SHAPE_INT, SHAPE_MUST, 1, INT32_MAX}, {"comment", SHAPE_TEXT, 0, 0, 200},
      {"confirm_s", SHAPE_INT, 0, 0, CONFIRM_MAX_S}, {"force", SHAPE_BOOL, 0});
SHAPE(config_replay, {"text", SHAPE_TEXT, 0, 1, TEXT_MAX, .help = "The file; absent: as it is"}, FILES,
      {"plan", SHAPE_TEXT, 0, 0, TEXT_MAX, .help = "The dialplan, instead of files"},
      {"hours", SHAPE_INT, 0, 1, 24 * 31, .help = "Of calls, until now; absent: 24"});
SHAPE(config_history_query, {"limit", SHAPE_INT, 0, 1, REVISE_HISTORY_MAX, .help = "Absent: all"},
      {"cursor", SHAPE_INT, 0, 1, INT32_MAX, .help = "Of the page before"});

static json_t *version_json(uint64_t version) {
  char text[20];
  snprintf(text, sizeof(text), "%016" PRIx64, version);
  return json_string(text);
}

/* Bytes of a file may be none of UTF-8; what is no text is no JSON either. */
static json_t *text_json(const char *text) {
  json_t *j = json_string(text ? text : "");
  return j ? j : json_string("");
}

static struct revise *config_of(struct admin *a, struct web_answer *ret) {
  if (!a->set.revise)
    web_answer_problem(
        ret, WEB_PROBLEM_overload,
        &(struct web_problem_info){.detail = "the configuration is not kept as a document"});
  return a->set.revise;
}

bool config_state(struct admin *a, struct revise_state *ret_state, struct web_answer *ret) {
  struct revise *r = config_of(a, ret);
  if (!r)
    return false;
  if (revise_state(r, ret_state) == 0)
    return true;
  web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
  return false;
}

static void etag_quote(const char *etag, char ret[WEB_ETAG_BYTES]) {
  snprintf(ret, WEB_ETAG_BYTES, "\"%s\"", etag);
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static json_t *files_json(const char *path, const char *text) {
  return json_pack("[{s:s, s:o}]", "name", base_name(path), "text", text_json(text));
}

/* ---- faults ---- */

static json_t *config_fault_list(const struct revise_faults *f) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < f->n; i++)
    json_array_append_new(list, json_pack("{s:s, s:i, s:s, s:s, s:s*}", "file", f->list[i].file, "line",
                                          (int)f->list[i].line, "pointer", f->list[i].pointer, "rule",
                                          f->list[i].rule, "message", f->list[i].message));
  return list;
}

static bool begins(const char *pointer, const char *from) {
  size_t n = strlen(from);
  return n && strncmp(pointer, from, n) == 0 && (pointer[n] == '/' || !pointer[n]);
}

static void pointer_turn(const char *pointer, const struct config_places *at, char *dst, size_t bytes) {
  snprintf(dst, bytes, "%s", pointer);
  for (size_t i = 0; at && i < COUNT_OF(at->from); i++)
    if (begins(pointer, at->from[i])) {
      snprintf(dst, bytes, "%s%s", at->to, pointer + strlen(at->from[i]));
      return;
    }
}

void config_faults(struct web_answer *ret, const struct revise_faults *f,
                   const struct config_places *at) {
  struct web_problem_error *errors = calloc(f->n + 1, sizeof(*errors));
  char(*pointers)[256] = calloc(f->n + 1, sizeof(*pointers));
  for (uint32_t i = 0; errors && pointers && i < f->n; i++) {
    pointer_turn(f->list[i].pointer, at, pointers[i], sizeof(pointers[i]));
    errors[i] = (struct web_problem_error){pointers[i], f->list[i].message};
  }
  web_answer_problem(ret, WEB_PROBLEM_unprocessable,
                     &(struct web_problem_info){.detail = f->n ? f->list[0].message : "it has errors",
                                                .errors = errors,
                                                .errors_n = errors && pointers ? f->n : 0});
  free(errors);
  free(pointers);
}

static void config_refused(struct web_answer *ret, const struct revise_outcome *o) {
  struct web_problem_info info = {.detail = o->why};
  if (o->result == REVISE_STALE)
    web_answer_problem(ret, WEB_PROBLEM_etag, NULL);
  else if (o->result == REVISE_ABSENT)
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  else
    web_answer_problem(ret, WEB_PROBLEM_conflict, &info);
}

/* ---- reading ---- */

void verb_config(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct revise_state s;
  char etag[WEB_ETAG_BYTES];
  (void)ask;
  if (!config_state(a, &s, ret))
    return;
  etag_quote(s.etag, etag);
  json_t *pending =
      s.confirm_by_ms ? json_pack("{s:o}", "confirm_by", web_time(s.confirm_by_ms)) : json_null();
  desk_json(ret, 200,
            json_pack("{s:o, s:i, s:s, s:o, s:o, s:o}", "version", version_json(s.version), "n",
                      (int)s.n, "etag", etag, "text", text_json(s.text), "files",
                      files_json(s.plan_name, s.plan_text), "pending", pending));
  memcpy(ret->etag, etag, sizeof(etag));
  revise_state_done(&s);
}

static json_t *entry_json(const struct revise_entry *e) {
  return json_pack("{s:i, s:o, s:s, s:s%, s:s%, s:o, s:o}", "n", (int)e->n, "at", web_time(e->at_ms),
                   "how", e->how, "who", e->who, strlen(e->who), "comment", e->comment,
                   strlen(e->comment), "of", e->of ? json_integer(e->of) : json_null(), "version",
                   version_json(e->version));
}

void verb_config_schema(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  (void)a, (void)ask;
  desk_json(ret, 200, revise_schema());
}

/* Their numbers fall, and none comes in between: the cursor is the number of the row to begin with. */
void verb_config_history(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct revise *r = config_of(a, ret);
  char text[16] = "";
  uint64_t limit = REVISE_HISTORY_MAX, from = UINT32_MAX;
  if (!r)
    return;
  if (web_query(ask->web, "limit", text, sizeof(text)) == 0) /* they fit: desk_query_ok() */
    (void)!slice_u64(slice_of(text), REVISE_HISTORY_MAX, &limit);
  if (web_query(ask->web, "cursor", text, sizeof(text)) == 0)
    (void)!slice_u64(slice_of(text), INT32_MAX, &from);
  own_mem struct revise_entry *list = calloc(REVISE_HISTORY_MAX, sizeof(*list));
  json_t *rows = json_array();
  uint32_t n = list ? revise_history(r, list, REVISE_HISTORY_MAX) : 0, i = 0;
  while (i < n && list[i].n > from)
    i++;
  for (; i < n && json_array_size(rows) < limit; i++)
    json_array_append_new(rows, entry_json(&list[i]));
  text[0] = 0;
  if (i < n)
    snprintf(text, sizeof(text), "%u", (unsigned)list[i].n);
  desk_json(ret, 200, json_pack("{s:o, s:s?}", "history", rows, "cursor", text[0] ? text : NULL));
  desk_next(ask, text, ret);
}

/* The number in the path; 0: not found, and told. */
static uint32_t number_of(const struct desk_ask *ask, struct web_answer *ret) {
  uint64_t n = 0;
  if (slice_u64(slice_of(ask->web->params.text[0]), INT32_MAX, &n) == 0 && n)
    return (uint32_t)n;
  web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  return 0;
}

void verb_config_entry(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct revise *r = config_of(a, ret);
  struct revise_entry e;
  own_mem char *text = NULL, *plan = NULL;
  uint32_t n = r ? number_of(ask, ret) : 0;
  if (!n)
    return;
  if (revise_history_text(r, n, &e, &text, &plan) < 0) {
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
    return;
  }
  json_t *doc = entry_json(&e);
  json_object_set_new(doc, "text", text_json(text));
  json_object_set_new(doc, "files",
                      json_pack("[{s:s, s:o}]", "name", "dialplan", "text", text_json(plan)));
  desk_json(ret, 200, doc);
}

/* ---- candidates ---- */

/* The texts of a body, those in force where it has none. */
struct wanted {
  struct revise_state now;
  const char *text, *plan_text; /* plan_text NULL: not given */
};

/* The dialplan's text, by the name in force or by the one that the new text gives. */
static bool files_read(struct desk_ask *ask, struct wanted *w, struct web_answer *ret) {
  const json_t *files = json_object_get(ask->body, "files"), *file;
  char pointer[40];
  size_t i;
  json_array_foreach((json_t *)(uintptr_t)files, i, file) {
    const char *name = json_string_value(json_object_get(file, "name"));
    bool is_ours = strcmp(name, base_name(w->now.plan_name)) == 0 || strcmp(name, "dialplan") == 0;
    if (is_ours && !w->plan_text) {
      w->plan_text = json_string_value(json_object_get(file, "text"));
      continue;
    }
    snprintf(pointer, sizeof(pointer), "/files/%zu/name", i);
    desk_wrong(ret, pointer, is_ours ? "stands twice" : "expected the name of the dialplan in force");
    return false;
  }
  return true;
}

static bool wanted_read(struct admin *a, struct desk_ask *ask, struct wanted *w,
                        struct web_answer *ret) {
  const json_t *text = json_object_get(ask->body, "text");
  *w = (struct wanted){0};
  if (!config_state(a, &w->now, ret))
    return false;
  w->text = text ? json_string_value(text) : w->now.text;
  if (files_read(ask, w, ret))
    return true;
  revise_state_done(&w->now);
  return false;
}

static struct candidate *judge(struct admin *a, const struct wanted *w, struct web_answer *ret) {
  struct candidate *c = NULL;
  int r = revise_judge(a->set.revise, slice_of(w->text), slice_of(w->plan_text), &c);
  if (r == -E2BIG)
    web_answer_problem(ret, WEB_PROBLEM_too_large, NULL);
  else if (r < 0)
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
  return r < 0 ? NULL : c;
}

void verb_config_validate(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct wanted w;
  if (!wanted_read(a, ask, &w, ret))
    return;
  own(candidate) c = judge(a, &w, ret);
  if (c)
    revise_gates(a->set.revise, c);
  if (c)
    desk_json(ret, 200,
              json_pack("{s:b, s:o}", "ok", c->faults.n == 0, "errors", config_fault_list(&c->faults)));
  revise_state_done(&w.now);
}

static json_t *changes_json(const struct revise_changes *c, json_t *restart) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < c->n; i++) {
    const struct revise_change *x = &c->list[i];
    json_array_append_new(list, json_pack("{s:s, s:s?, s:s?, s:b}", "path", x->path, "old", x->was,
                                          "new", x->is, "restart", x->needs_restart));
    if (x->needs_restart)
      json_array_append_new(restart, json_string(x->path));
  }
  return list;
}

static char *unified(const struct wanted *w, const char *name) {
  char *out = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&out, &n);
  if (!f)
    return NULL;
  int r = revise_unified(f, name, slice_of(w->now.text), slice_of(w->text));
  if (r == 0 && w->plan_text)
    r = revise_unified(f, base_name(w->now.plan_name), slice_of(w->now.plan_text),
                       slice_of(w->plan_text));
  fclose(f);
  if (r == 0)
    return out;
  free(out);
  return NULL;
}

static json_t *diff_json(const struct wanted *w, const struct candidate *c, struct web_answer *ret) {
  own_mem struct revise_changes *changes = calloc(1, sizeof(*changes));
  own_mem char *lines = unified(w, "sallyport.yaml");
  json_t *restart = json_array();
  int r = changes && lines ? revise_changes_find(slice_of(w->now.text), slice_of(w->text), changes)
                           : -ENOMEM;
  if (r == -ENOMEM) {
    json_decref(restart);
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
    return NULL;
  }
  json_t *list = changes_json(changes, restart);
  json_t *doc = json_pack("{s:o, s:o, s:i, s:b, s:o, s:o}", "unified", text_json(lines), "changes", list,
                          "more", (int)changes->more, "reloadable", changes->n_restart == 0, "restart",
                          restart, "errors", config_fault_list(&c->faults));
  revise_changes_done(changes);
  return doc;
}

void verb_config_diff(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct wanted w;
  if (!wanted_read(a, ask, &w, ret))
    return;
  own(candidate) c = judge(a, &w, ret);
  json_t *doc = c ? diff_json(&w, c, ret) : NULL;
  if (doc)
    desk_json(ret, 200, doc);
  revise_state_done(&w.now);
}

void config_compare(struct admin *a, const char *text, struct web_answer *ret) {
  struct wanted w = {.text = text};
  char etag[WEB_ETAG_BYTES];
  if (!config_state(a, &w.now, ret))
    return;
  own(candidate) c = judge(a, &w, ret);
  json_t *doc = c ? diff_json(&w, c, ret) : NULL;
  etag_quote(w.now.etag, etag);
  if (doc) {
    json_object_set_new(doc, "text", text_json(text));
    json_object_set_new(doc, "etag", json_string(etag));
    desk_json(ret, 200, doc);
  }
  revise_state_done(&w.now);
}

static json_t *moved_json(const struct revise_replay *p) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < p->n; i++)
    json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "record", p->list[i].record, "called",
                                          text_json(p->list[i].called), "old", text_json(p->list[i].was),
                                          "new", text_json(p->list[i].is)));
  return list;
}

static void replay_answer(struct admin *a, struct desk_ask *ask, const struct candidate *c,
                          struct web_answer *ret) {
  own_mem struct revise_replay *p = calloc(1, sizeof(*p));
  const json_t *hours = json_object_get(ask->body, "hours");
  uint64_t back_ms = (uint64_t)(hours ? json_integer_value(hours) : 24) * 3600000, now = clock_wall_ms();
  int r = p ? revise_replay(a->set.revise, c, now > back_ms ? now - back_ms : 0, p) : -ENOMEM;
  if (r == -EINVAL)
    config_faults(ret, &c->faults, NULL);
  else if (r == -EBUSY)
    web_answer_problem(ret, WEB_PROBLEM_conflict,
                       &(struct web_problem_info){.detail = "another replay is under way"});
  else if (r < 0)
    web_answer_problem(ret, WEB_PROBLEM_overload,
                       &(struct web_problem_info){.detail = "the records cannot be read now"});
  else
    desk_json(ret, 200,
              json_pack("{s:i, s:i, s:i, s:i, s:b, s:I, s:o}", "calls", (int)p->calls, "changed",
                        (int)p->changed, "refused", (int)p->refused, "emergency", (int)p->emergency,
                        "truncated", p->is_cut, "took_ms", (json_int_t)(p->took_us / 1000), "list",
                        moved_json(p)));
}

void verb_config_replay(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct wanted w;
  const json_t *plan = json_object_get(ask->body, "plan");
  if (!wanted_read(a, ask, &w, ret))
    return;
  if (plan)
    w.plan_text = json_string_value(plan);
  own(candidate) c = judge(a, &w, ret);
  if (c)
    replay_answer(a, ask, c, ret);
  revise_state_done(&w.now);
}

/* ---- taking into force ---- */

/* What the audit keeps: numbers and words, no texts. */
static void audit_set(struct desk_ask *ask, uint32_t before, const struct revise_outcome *o,
                      const char *comment) {
  ask->before = json_pack("{s:i}", "config", (int)before);
  ask->after = json_pack("{s:i, s:s?}", "config", (int)o->n, "comment", comment);
  if (ask->after && o->confirm_by_ms)
    json_object_set_new(ask->after, "confirm_by", web_time(o->confirm_by_ms));
}

static void done_answer(struct admin *a, const struct revise_outcome *o, struct web_answer *ret) {
  struct revise_state s;
  char etag[WEB_ETAG_BYTES];
  if (!config_state(a, &s, ret))
    return;
  etag_quote(s.etag, etag);
  desk_json(ret, 200,
            json_pack("{s:i, s:o, s:s, s:o}", "n", (int)o->n, "version", version_json(s.version), "etag",
                      etag, "confirm_by", web_time(o->confirm_by_ms)));
  memcpy(ret->etag, etag, sizeof(etag));
  revise_state_done(&s);
}

static struct revise_wish wish_of(const struct desk_ask *ask) {
  return (struct revise_wish){.who = ask->who->name,
                              .comment = json_string_value(json_object_get(ask->body, "comment")),
                              .confirm_s =
                                  (uint32_t)json_integer_value(json_object_get(ask->body, "confirm_s")),
                              .force = json_is_true(json_object_get(ask->body, "force"))};
}

static bool is_star(const struct desk_ask *ask) {
  return slice_eq(slice_trim(ask->web->if_match), SLICE("*"));
}

void verb_config_commit(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct wanted w;
  char etag[WEB_ETAG_BYTES];
  if (!wanted_read(a, ask, &w, ret))
    return;
  etag_quote(w.now.etag, etag);
  own(candidate) c = desk_match(ask, etag, ret) ? judge(a, &w, ret) : NULL;
  if (c) {
    struct revise_wish wish = wish_of(ask);
    wish.etag = is_star(ask) ? NULL : w.now.etag;
    struct revise_outcome o = revise_commit(a->set.revise, c, &wish);
    if (o.result == REVISE_FAULTY)
      config_faults(ret, &c->faults, NULL);
    else if (o.result != REVISE_DONE)
      config_refused(ret, &o);
    else {
      audit_set(ask, w.now.n, &o, wish.comment);
      done_answer(a, &o, ret);
    }
  }
  revise_state_done(&w.now);
}

static void pending_end(struct admin *a, struct desk_ask *ask, struct web_answer *ret,
                        struct revise_outcome (*end)(struct revise *, const char *)) {
  struct revise_state s;
  if (!config_state(a, &s, ret))
    return;
  struct revise_outcome o = end(a->set.revise, ask->who->name);
  if (o.result != REVISE_DONE) {
    config_refused(ret, &o);
  } else {
    audit_set(ask, s.n, &o, NULL);
    done_answer(a, &o, ret);
  }
  revise_state_done(&s);
}

void verb_config_confirm(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  pending_end(a, ask, ret, revise_confirm);
}

void verb_config_cancel(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  pending_end(a, ask, ret, revise_cancel);
}

void verb_config_rollback(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct revise_state s;
  own_mem struct revise_faults *f = calloc(1, sizeof(*f));
  struct revise_wish wish = wish_of(ask);
  if (!f || !config_state(a, &s, ret))
    return;
  struct revise_outcome o = revise_rollback(
      a->set.revise, (uint32_t)json_integer_value(json_object_get(ask->body, "n")), &wish, f);
  if (o.result == REVISE_FAULTY) {
    config_faults(ret, f, NULL);
  } else if (o.result != REVISE_DONE) {
    config_refused(ret, &o);
  } else {
    audit_set(ask, s.n, &o, wish.comment);
    done_answer(a, &o, ret);
  }
  revise_state_done(&s);
}

bool config_change(struct admin *a, struct desk_ask *ask, const struct config_change *ch,
                   struct web_answer *ret) {
  struct revise_state s;
  if (!config_state(a, &s, ret))
    return false;
  struct wanted w = {.text = ch->text ? ch->text : s.text, .plan_text = ch->plan_text};
  own(candidate) c = judge(a, &w, ret);
  struct revise_wish wish = {.who = ask->who->name, .comment = ch->what, .etag = ch->etag};
  struct revise_outcome o = {.result = REVISE_FAILED};
  if (c)
    o = revise_commit(a->set.revise, c, &wish);
  if (c && o.result == REVISE_FAULTY)
    config_faults(ret, &c->faults, &ch->at);
  else if (c && o.result != REVISE_DONE)
    config_refused(ret, &o);
  revise_state_done(&s);
  return o.result == REVISE_DONE;
}
