/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of revise share. Inside revise. */
#pragma once
#include "conf/field.h"
#include "conf/shape.h"
#include "revise/revise.h"

#include <pthread.h>

/* fault.c */
void fault_of(const struct conf_error *e, struct revise_fault *ret);
void faults_add(struct revise_faults *to, const struct conf_errors *e);
void faults_put(struct revise_faults *to, const char *pointer, const char *rule, const char *message);

/* file.c: files read and written whole. */
int file_read(const char *path, char **ret) must_check; /* NUL-terminated; at most 4 MiB */
/* By a file beside it that takes its name, so that there is never half of one; mode and owner stay. */
int file_write(const char *path, struct slice text) must_check;
int file_remove(const char *path) must_check; /* absent: fine */
/* A file that is written over where its folder takes no new one: held open since we might. */
struct held {
  char path[CONF_PATH_BYTES];
  int fd; /* -1: none */
};
void held_open(struct held *h, const char *path);
void held_close(struct held *h);
/* The whole file anew, or, where the folder does not allow that, over what is there. 0 or -errno. */
int held_write(struct held *h, const char *path, struct slice text) must_check;

/* book.c: the history on disk. One thread at a time. */
struct book;
int book_open(struct book **ret, const char *state_dir) must_check;
struct book *book_free(struct book *b);
OWN_DEFINE(book)
/* Gives it the next number. */
int book_add(struct book *b, struct revise_entry *e, const char *text, const char *plan) must_check;
void book_drop(struct book *b, uint32_t n); /* one that came to nothing */
uint32_t book_count(const struct book *b);
const struct revise_entry *book_at(const struct book *b, uint32_t i); /* oldest first */
const struct revise_entry *book_find(const struct book *b, uint32_t n);
int book_text(const struct book *b, uint32_t n, char **ret_text, char **ret_plan) must_check;
/* The mark of a commit that waits to be confirmed. */
struct book_mark {
  uint32_t back, to; /* numbers of entries */
  uint64_t until_ms;
};
int book_mark(struct book *b, const struct book_mark *m) must_check; /* NULL takes it away */
bool book_marked(const struct book *b, struct book_mark *ret);

/* replay.c */
struct replay_worlds {
  const struct conf *old_conf, *new_conf;
  const struct plan *old_plan, *new_plan;
};
/* At most max calls since then, through both worlds. 0, or -errno of the store; *ret is filled in any
 * case. */
int replay_run(const struct replay_worlds *w, const char *store_file, uint64_t since_ms, uint32_t max,
               struct revise_replay *ret) must_check;
/* judge.c */
struct conf_errors *errors_new(void);
struct judge_with {
  const char *file;
  const char *current; /* current is the text in force; NULL: none. */
  int (*look)(const struct conf *c, char *why, size_t why_bytes);
  bool is_lenient; /* is_lenient: files that cannot be read are no fault (a reload by hand). */
  /* is_bound: it may name only files that paths.c lets it, since it does not come from the machine. */
  bool is_bound;
  const char *current_plan; /* with is_bound: the dialplan in force */
};
/* paths.c */
struct paths;
int paths_new(struct paths **ret, const struct judge_with *w) must_check;
struct paths *paths_free(struct paths *p);
OWN_DEFINE(paths)
struct field_paths paths_rule(struct paths *p);
bool paths_same(const struct paths *p, const struct conf *c); /* it has the admin.paths in force */
int judge(const struct judge_with *w, const char *text, const char *plan_text,
          struct candidate *c) must_check;
/* The dialplan's path as the text has it, "" if it cannot be read. */
void plan_path_of(const char *file, const char *text, char dst[CONF_PATH_BYTES]);
/* A plan that takes no call, or loses an emergency number of the old one, is told. */
/* One that would refuse every call of the last day that was not refused is told too. */
void gate_replay(const struct replay_worlds *w, const char *store_file, struct revise_faults *ret);
void gate_check(const struct candidate *c, const struct plan *old, const struct conf *old_conf,
                struct revise_faults *ret);
/* value.c; section SECTION_COUNT_: unknown keys, all texts */
json_t *value_of_map(const struct tree_node *map, uint8_t section);
/* is_begun: the first key stands behind something on its line. */
void value_emit_map(FILE *out, const json_t *map, unsigned indent, uint8_t section, bool is_begun);
/* secret.c: heap copies. */
char *secrets_hide(const struct field *rows, size_t n, const char *text);
char *secrets_put_back(const struct field *rows, size_t n, const char *text, const char *from,
                       struct revise_faults *faults);
