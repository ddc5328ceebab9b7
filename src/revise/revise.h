/* SPDX-License-Identifier: Apache-2.0
 * Door of the area revise: the configuration as a document. A text is looked at (all errors at once),
 * compared, taken into force, kept in a history, taken back by itself unless confirmed in time, and run
 * against calls of the past. The files of the configuration and of its dialplan are written here only.
 * Any thread but the call thread may ask; one thing at a time. */
#pragma once
#include "route/route.h"
#include "revise/trial.h"

#include <jansson.h>
#include <stdio.h>

enum {
  REVISE_FAULTS_MAX = 2 * CONF_ERRORS_MAX,
  REVISE_CHANGES_MAX = 1000,
  REVISE_HISTORY_MAX = 200,
  REVISE_WHO_BYTES = 65,
  REVISE_COMMENT_BYTES = 801,
  REVISE_ETAG_BYTES = 33,
  REVISE_WHY_BYTES = 256,
};

/* Errors ------------------------------------------------------------------------------------------- */

struct revise_fault {
  char file[CONF_NAME_BYTES]; /* without its folder */
  uint32_t line;              /* 0: none */
  char pointer[192];          /* "/trunks/2/peers/0", "" for the whole */
  char rule[12];              /* syntax unknown missing twice value name file check refuses emergency */
  char message[256];
};
struct revise_faults {
  uint32_t n;
  struct revise_fault list[REVISE_FAULTS_MAX];
};

/* Differences -------------------------------------------------------------------------------------- */

/* What stands for a secret in every text that is shown; taken back, it means the one in force. */
#define REVISE_KEPT "(kept)"

struct revise_change {
  char *path, *was, *is; /* "trunks[carrier].srtp"; NULL where it does not stand */
  bool needs_restart;
};
struct revise_changes {
  uint32_t n, more, n_restart; /* more than REVISE_CHANGES_MAX are counted only. */
  struct revise_change list[REVISE_CHANGES_MAX];
};
/* Two texts of a configuration, setting by setting: 0, -EINVAL (not YAML) or -ENOMEM; done afterwards.
 */
int revise_changes_find(struct slice old_text, struct slice new_text,
                        struct revise_changes *ret) must_check;
void revise_changes_done(struct revise_changes *c);
/* Line by line, under that name; nothing for equal texts. 0 or -ENOMEM. */
int revise_unified(FILE *out, const char *name, struct slice old_text, struct slice new_text) must_check;

/* The document ------------------------------------------------------------------------------------- */

struct revise_env {
  const char *file;       /* file is the configuration; it must have been loaded already. */
  const char *state_dir;  /* history in state_dir/config */
  const char *store_file; /* records, for replay; NULL: none */
  /* Looks into what only the doors understand (certificates): 0 or -EINVAL and why. NULL: nobody. */
  int (*look)(const struct conf *c, char *why, size_t why_bytes);
  /* Takes both into force and waits for it; theirs on success. lenient: files that cannot be read are no
   * reason to say no. 0, or -errno and why: all is as it was. */
  int (*apply)(void *arg, struct conf *c, struct plan *p, bool lenient, char *why, size_t why_bytes);
  void *arg;
};

struct revise;
/* Before the configuration is loaded at the start: a commit that nobody confirmed is taken back, unless
 * another program holds state_dir/lock. 0, 1: it was, with why in words; or -errno. */
int revise_recover(const char *file, char *why, size_t why_bytes) must_check;
/* Reads the files as they are; starts the thread that takes back what is not confirmed. */
int revise_new(struct revise **ret, const struct revise_env *env) must_check;
struct revise *revise_free(struct revise *r);
OWN_DEFINE(revise)

/* What is in force. Texts on the heap, secrets kept back unless is_bare. */
struct revise_state {
  char *text, *plan_text;
  char plan_name[CONF_PATH_BYTES]; /* as the configuration has it */
  char etag[REVISE_ETAG_BYTES];
  uint32_t n;             /* n is its number in the history. */
  uint64_t version;       /* of struct conf */
  uint64_t confirm_by_ms; /* wall clock; 0: nothing waits to be confirmed */
};
/* What is in force, secrets hidden: 0 or -ENOMEM; revise_state_done() frees it. */
int revise_state(struct revise *r, struct revise_state *ret) must_check;
/* When what waits to be confirmed is taken back, 0: nothing waits. Any thread, without waiting. */
uint64_t revise_confirm_by_ms(const struct revise *r);
void revise_state_done(struct revise_state *s);

/* A text that somebody wants: judged, not in force. plan_text p NULL: the dialplan's file as it is. */
struct candidate {
  char *text, *plan_text; /* secrets put back */
  bool is_lenient;        /* is_lenient: files of it may be such that cannot be read now */
  bool is_forgiven;       /* is_forgiven: some are; those in force stay. */
  struct conf *conf;      /* NULL with faults */
  struct plan *plan;
  struct revise_faults faults;
};
/* 0 with or without faults; -ENOMEM, -E2BIG. */
int revise_judge(struct revise *r, struct slice text, struct slice plan_text,
                 struct candidate **ret) must_check;
/* Adds to the faults what a commit would refuse without force: a plan that refuses everything, emergency
 * numbers that lead nowhere. Such a candidate can be looked at, replayed and forced. */
void revise_gates(struct revise *r, struct candidate *c);
struct candidate *candidate_free(struct candidate *c);
OWN_DEFINE(candidate)

struct revise_wish {
  const char *who, *comment; /* NULL: none */
  const char *etag;          /* what it was made from; NULL: any */
  uint32_t confirm_s;        /* 0: for good */
  bool force; /* force: also a plan that refuses everything, also over a file edited by hand */
};
enum revise_result {
  REVISE_DONE,
  REVISE_FAULTY,  /* the candidate's faults say why */
  REVISE_STALE,   /* etag */
  REVISE_PENDING, /* another commit waits to be confirmed; or none does */
  REVISE_EDITED,  /* the file was edited by hand since */
  REVISE_ABSENT,  /* no such number in the history */
  REVISE_FAILED,  /* why: files or doors; all is as it was */
};
struct revise_outcome {
  enum revise_result result;
  uint32_t n; /* its number in the history */
  uint64_t confirm_by_ms;
  char why[REVISE_WHY_BYTES];
};
/* The candidate is used up on REVISE_DONE. */
struct revise_outcome revise_commit(struct revise *r, struct candidate *c, const struct revise_wish *w);
struct revise_outcome revise_confirm(struct revise *r, const char *who);
struct revise_outcome revise_cancel(struct revise *r, const char *who);
/* ret_faults may be NULL. */
struct revise_outcome revise_rollback(struct revise *r, uint32_t n, const struct revise_wish *w,
                                      struct revise_faults *ret_faults);
/* The files were edited by hand (SIGHUP): they are taken into force by the thread, soon. Any thread. */
void revise_reload(struct revise *r);

/* What is in force as objects of one's own (certificates are not looked at): 0 or -errno. */
int revise_current(struct revise *r, struct conf **ret_conf, struct plan **ret_plan) must_check;

/* Single things ------------------------------------------------------------------------------------ */

/* The item of that name in a list of the file ("trunks", "users" …) as JSON, as it is written there;
 * NULL: there is none. New references. */
json_t *revise_item(const char *text, const char *list, const char *name);
json_t *revise_items(const char *text, const char *list); /* all of them, in their order */
/* The text with that item written anew (item NULL: taken out), or with one more (name NULL); all other
 * lines stay as they are. *ret is on the heap. 0, -ENOENT, -ENOTSUP (not a list of maps, or the file is
 * one map in brackets), -EINVAL, -ENOMEM. */
int revise_item_put(char **ret, const char *text, const char *list, const char *name,
                    const json_t *item) must_check;
json_t *revise_schema(void); /* JSON Schema of the file; new reference */

/* Replay ------------------------------------------------------------------------------------------- */

enum { REVISE_MOVED_MAX = 1000, REVISE_REPLAY_MAX = 200000 };
struct revise_moved {
  char record[40], called[65], was[360], is[360];
};
struct revise_replay {
  uint32_t calls, changed, refused; /* refused: would be, and were not by what is in force */
  uint32_t refused_before, refused_after;
  uint32_t emergency; /* emergency calls that would be none, or refused */
  bool is_cut;        /* is_cut: there are more than REVISE_REPLAY_MAX. */
  uint64_t took_us;
  uint32_t n;
  struct revise_moved list[REVISE_MOVED_MAX];
};
/* Calls since then, led by what is in force and by the candidate. Not under the lock; seconds at most.
 * 0, -EBUSY (one at a time), -EINVAL (the candidate has faults), -EIO (records cannot be read), -ENOMEM.
 */
int revise_replay(struct revise *r, const struct candidate *c, uint64_t since_ms,
                  struct revise_replay *ret) must_check;

/* History ------------------------------------------------------------------------------------------ */

struct revise_entry {
  uint32_t n;
  uint64_t at_ms, version;
  uint32_t of;  /* of is the entry that a rollback went to; 0: none */
  char how[12]; /* start commit reload rollback timeout crash */
  char who[REVISE_WHO_BYTES], comment[REVISE_COMMENT_BYTES];
};
/* Newest first, at most max: how many. */
uint32_t revise_history(struct revise *r, struct revise_entry *list, uint32_t max);
/* Its texts, secrets kept back: 0, -ENOENT, -ENOMEM. */
int revise_history_text(struct revise *r, uint32_t n, struct revise_entry *ret, char **ret_text,
                        char **ret_plan) must_check;
