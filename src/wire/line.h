/* SPDX-License-Identifier: Apache-2.0
 * Lines of SDP and its fragments: "x=value", ended by CRLF or LF, checked once so that no later
 * step meets a control character. Inside wire only. Pure. */
#pragma once
#include "base/slice.h"

enum { LINE_MAX_BYTES = 4096 };

struct lines {
  struct slice rest; /* rest is what was not yet read. */
  uint32_t number;   /* number is that of the last line given, 1-based. */
  const char *rule;  /* rule is the fault's text once line_next() failed. */
};

/* 1 and the type and value of the next line, 0 at the end, -EBADMSG or -E2BIG (rule says why). */
int line_next(struct lines *l, char *ret_type, struct slice *ret_value) must_check;
/* The next word of *s, blanks skipped; empty at the end. */
struct slice line_word(struct slice *s);
/* 1 to max characters, printable ASCII without blanks. */
bool line_is_word(struct slice s, size_t max);
/* A token of RFC 8866: letters, digits and !#$%&'*+-.^_`{|}~ */
bool line_is_token(struct slice s, size_t max);
/* slice_copy() that leaves nothing of a longer value before: fields compare as bytes. */
int line_copy(char *dst, size_t dst_bytes, struct slice s);
/* A word of at least min characters, blanks around it left out; -EBADMSG: it is none, or too long. */
int line_word_copy(char *dst, size_t dst_bytes, struct slice v, size_t min);
