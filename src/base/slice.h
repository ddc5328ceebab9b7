/* SPDX-License-Identifier: Apache-2.0
 * A piece of text or bytes that somebody else owns: pointer and length, not NUL-terminated.
 * Any thread; nothing here allocates but slice_dup(). */
#pragma once
#include "base/own.h"

struct slice {
  const char *p; /* p is the first byte; NULL only if n is 0. */
  size_t n;      /* n is the length in bytes. */
};

#define SLICE(lit) ((struct slice){(lit), sizeof(lit) - 1})
#define SLICE_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

static inline struct slice slice_of(const char *s) { return (struct slice){s, s ? strlen(s) : 0}; }
static inline struct slice slice_from(const void *p, size_t n) { return (struct slice){p, n}; }
bool slice_eq(struct slice a, struct slice b);
bool slice_ieq(struct slice a, struct slice b); /* ASCII case ignored */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_istarts(struct slice s, struct slice prefix);
struct slice slice_trim(struct slice s); /* without spaces, tabs, CR, LF at both ends */
/* Cuts *s at the first sep: returns what stood before it, leaves what follows in *s
 * (empty, p NULL, when there was no sep). */
struct slice slice_cut(struct slice *s, char sep);
/* Decimal, digits only, at most max: 0, -EINVAL (no digits, others, empty) or -ERANGE. */
int slice_u64(struct slice s, uint64_t max, uint64_t *ret) must_check;
/* NUL-terminated copy on the heap; NULL without memory. */
char *slice_dup(struct slice s);
/* Copies into a fixed field, always terminated: 0, or -ENOSPC (dst is then ""). */
int slice_copy(char *dst, size_t dst_bytes, struct slice s);
/* Characters (code points) of UTF-8, as JSON Schema counts them. */
size_t slice_chars(struct slice s);
#define CHARS_BYTES(n) (4 * (n) + 1) /* room of so many, with the NUL */
/* Nothing but printable ASCII. */
bool slice_is_ascii(struct slice s);
/* Equal in time that does not depend on the content (for tokens and tags). */
bool slice_eq_secret(struct slice a, struct slice b);
/* Text for logs and headers: every byte outside printable ASCII, and " and \, becomes \xHH;
 * cut to fit, always terminated. Returns dst. */
char *slice_escape(char *dst, size_t dst_bytes, struct slice s);
