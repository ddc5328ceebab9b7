/* SPDX-License-Identifier: Apache-2.0
 * Texts kept small in memory: a text is pieces (a line with its end, at most LINE_BYTES), each told as
 * one that stands already, as one that differs from an earlier line of the same name in its middle, or
 * as it is. Reading needs the pieces from the first on. Pure; one owner. */
#pragma once
#include "base/slice.h"

enum { LINE_BYTES = 1024, LINES_MAX_BYTES = 65535, LINE_DEPTH_MAX = 8 };

struct line_ref {
  uint16_t at;   /* at is where the piece's token stands. */
  uint16_t hash; /* hash is of its text. */
  uint8_t key;   /* key is of its name: what stands before the first colon, space or second '='. */
  uint8_t depth; /* depth is how many others it is told by. */
};

struct lines {
  uint8_t *p;            /* p is the heap's when written, the caller's when read. */
  uint32_t n, room, max; /* max bounds what p and ref take together. */
  struct line_ref *ref;
  uint32_t n_ref, room_ref;
};

void lines_done(struct lines *l); /* of a writer; for a reader lines_forget() */
/* Writing. 0, -ENOSPC (max), -ENOMEM; after an error the writer cuts back to its lines_mark(). */
struct lines_mark {
  uint32_t n, n_ref;
};
struct lines_mark lines_mark(const struct lines *l);
void lines_cut(struct lines *l, struct lines_mark m);
/* Each: 0, or -ENOSPC or -ENOMEM; what was written of it is cut by lines_cut(). */
int lines_byte(struct lines *l, uint8_t b) must_check;
int lines_number(struct lines *l, uint64_t v) must_check;
int lines_raw(struct lines *l, const void *p, size_t n) must_check;
int lines_piece(struct lines *l, struct slice piece) must_check; /* at most LINE_BYTES */
int lines_text(struct lines *l, struct slice text) must_check;   /* number of pieces, and them */
uint32_t lines_bytes(const struct lines *l);                     /* what it holds of the heap */

/* Reading, at *at which moves on. 0 or -EBADMSG: nothing of it can be trusted from there on. */
void lines_forget(struct lines *l); /* frees what reading made */
int lines_get_byte(const struct lines *l, uint32_t *at, uint8_t *ret) must_check;
int lines_get_number(const struct lines *l, uint32_t *at, uint64_t *ret) must_check;
int lines_get_piece(struct lines *l, uint32_t *at, char dst[LINE_BYTES], size_t *ret_n) must_check;
int lines_get_text(struct lines *l, uint32_t *at, char **ret_text, size_t *ret_n) must_check; /* heap */
