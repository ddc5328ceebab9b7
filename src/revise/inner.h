/* SPDX-License-Identifier: Apache-2.0
 * The object of the area: what is in force, and what waits to be confirmed. Inside revise; all of it
 * under the lock but what is atomic. */
#pragma once
#include "revise/part.h"

#include <semaphore.h>
#include <stdatomic.h>

struct revise {
  struct revise_env env;
  char file[CONF_PATH_BYTES], plan_path[CONF_PATH_BYTES];
  pthread_mutex_t lock;
  char *text, *plan_text; /* in force */
  uint64_t version;
  uint32_t n; /* its number */
  struct book *book;
  struct held held, held_plan;
  bool is_pending;
  struct book_mark mark;
  uint64_t until_us; /* monotonic */
  pthread_t thread;
  bool has_thread;
  sem_t wake;
  _Atomic bool ending, is_edited, is_replaying; /* is_edited: a reload is asked for. */
  _Atomic uint64_t confirm_by_ms; /* what mark says while is_pending, for any thread; else 0 */
};

/* force.c */
struct force {
  struct candidate *c; /* used up on success */
  struct revise_entry e;
  uint32_t confirm_s;
  bool is_back; /* is_back: a full disk is no reason to stay: what can be taken back is. */
  char *why;    /* REVISE_WHY_BYTES */
};
/* Writes history, mark and files, then the doors take it; what was begun is taken back. 0, or -errno
 * with words in f->why. */
int revise_force(struct revise *r, struct force *f) must_check;
/* The candidate's conf and plan are the doors' on success. */
int doors_take(struct revise *r, struct candidate *c, char *why) must_check;
/* Both files as they are in force; false: one was edited, or cannot be read. */
bool files_same(const struct revise *r);
void edits_keep(struct book *b, const char *text, const char *plan);
void pending_end(struct revise *r);
/* What waits goes on to wait, for that mark. */
void pending_keep(struct revise *r, const struct book_mark *m);
/* Files and texts of an entry back into force. -errno and why also where it is in force and only a file
 * of it could not be written: to be tried again. */
int revise_back(struct revise *r, uint32_t n, const char *how, const char *who, char *why);
/* thread.c */
void *revise_thread(void *arg);
