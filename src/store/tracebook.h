/* SPDX-License-Identifier: Apache-2.0
 * Timelines of calls on the disk: parts of bytes by call id, in a database of their own, limited by age
 * and size. A thread of its own writes and reads; who puts or asks never waits. Any thread puts and
 * drops; one thread, with its loop, asks. */
#pragma once
#include "base/count.h"
#include "base/loop.h"
#include "base/slice.h"

struct tracebook;
enum { TRACEBOOK_PARTS_MAX = 64 };

struct tracebook_settings {
  const char *file;   /* file is made 0600 when absent. */
  uint64_t keep_ms;   /* 0: for ever; else older timelines are deleted */
  uint64_t max_bytes; /* 0: no limit; else the oldest give way */
  size_t queue_bytes; /* 0: 32 MiB may wait for the disk */
};

/* The parts of one timeline, in order; n 0: none is kept. Slices live until the function returns. */
struct tracebook_answer {
  uint64_t cookie;
  size_t n;
  bool is_whole; /* is_whole: the last part is there. */
  uint32_t part[TRACEBOOK_PARTS_MAX];
  struct slice blob[TRACEBOOK_PARTS_MAX];
};
typedef void tracebook_fn(void *arg, const struct tracebook_answer *a);

/* Opens the file, made if need be, and starts the thread. 0 or -errno. */
int tracebook_new(struct tracebook **ret, const struct tracebook_settings *s) must_check;
struct tracebook *
tracebook_free(struct tracebook *b); /* writes what waits; what was asked is forgotten */
OWN_DEFINE(tracebook)
/* 0, or -EAGAIN: too much waits for the disk, it was given up (counted). */
int tracebook_put(struct tracebook *b, const char *call_id, uint32_t part, bool is_last,
                  uint64_t started_ms, struct slice blob);
void tracebook_drop(struct tracebook *b, const char *call_id);
/* The same, and no byte of it stays in the files. */
void tracebook_erase(struct tracebook *b, const char *call_id);
/* Answers come to fn on that loop's thread. */
int tracebook_attach(struct tracebook *b, struct loop *l, tracebook_fn *fn, void *arg) must_check;
/* What was put before is in the answer. 0 or -EAGAIN. */
int tracebook_ask(struct tracebook *b, const char *call_id, uint64_t cookie) must_check;
struct counts *tracebook_counts(struct tracebook *b);
