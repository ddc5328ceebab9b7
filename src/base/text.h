/* SPDX-License-Identifier: Apache-2.0
 * A bounded text that grows at its end: writers of lines (SDP, events, pages) add and look at the
 * error once. Always NUL-terminated. Any thread; nothing allocates. */
#pragma once
#include "base/slice.h"

struct text {
  char *p;      /* p is the buffer of the caller. */
  size_t bytes; /* bytes is its size, at least 1. */
  size_t n;     /* n is the length so far. */
  int error;    /* error is 0, or the first -errno: -ENOSPC, -EINVAL. Adding then does nothing. */
};

void text_init(struct text *t, char *dst, size_t dst_bytes);
void text_add(struct text *t, const char *format, ...) printf_like(2, 3);
void text_add_slice(struct text *t, struct slice s);
/* A field of a line: -EINVAL in t->error if it holds a control character (so no field of a peer
 * can begin a line of its own). */
void text_add_field(struct text *t, const char *field);
/* 0 and *ret_n, or the first error: the buffer is then "" and *ret_n is 0. */
int text_end(struct text *t, size_t *ret_n) must_check;
