/* SPDX-License-Identifier: Apache-2.0
 * The table of paths of one server: exact rows, no file system, nothing normalised. A segment
 * {name} takes any one non-empty segment, percent-decoded (%00, %2F, control characters: no match).
 * Pure: no I/O. */
#pragma once
#include "base/slice.h"

enum web_method {
  WEB_GET,
  WEB_HEAD,
  WEB_POST,
  WEB_PUT,
  WEB_PATCH,
  WEB_DELETE,
  WEB_OPTIONS,
  WEB_METHOD_COUNT_
};

#define WEB_PARAMS_MAX 4
#define WEB_PARAM_BYTES 256 /* with the NUL; longer segments match no row */

enum web_row_flag {
  WEB_TOKEN = 1,          /* a valid Bearer token is required (401), with the row's scope (403) */
  WEB_TOKEN_OPTIONAL = 2, /* none is let through, a bad one is 401: for ?ticket= */
  WEB_NO_HEAD = 4,        /* HEAD is 405 here (streams) */
  WEB_NO_CORS = 8,        /* not for other origins: no preflight, no headers */
  WEB_THEN_ASK = 16,      /* direct looks first; if it leaves the status at 0, the owner is asked */
};

struct web_ask;
struct web_answer;

/* Answers on the web thread, at once, from data that any thread may read. */
typedef void web_direct_fn(void *arg, const struct web_ask *ask, struct web_answer *ret_answer);

struct web_row {
  enum web_method method;
  const char *pattern;     /* pattern is "/v1/calls/{id}/ice". */
  int id;                  /* id is the door's own name of the row. */
  uint32_t flags;          /* flags are of enum web_row_flag. */
  const char *scope;       /* scope is required of the token; NULL: any. */
  const char *type;        /* type lists the body's media types by commas; NULL: application/json; "*": any. */
  uint32_t body_max_bytes; /* body_max_bytes: past it 413; 0: the server's default (64 KiB). */
  web_direct_fn *direct;   /* direct, if set, answers on the web thread; else the owner is asked. */
};

struct web_params {
  unsigned n;
  char text[WEB_PARAMS_MAX][WEB_PARAM_BYTES]; /* text is each {param}, decoded, in order. */
};

/* The row, or NULL: then *ret_allow holds a bit (1 << method) for each method that the path has
 * (0: 404). HEAD finds the row of GET. path is the raw target before '?'. */
const struct web_row *web_path_find(const struct web_row *rows, size_t n, enum web_method method,
                                    struct slice path, struct web_params *ret_params,
                                    unsigned *ret_allow);
/* Rows without parameters, found at once; the others take the walk of web_path_find(). */
#define PATH_SLOTS 512
struct path_index {
  uint16_t row[PATH_SLOTS]; /* 1 + its place among the rows; 0: none */
};
void path_index_make(struct path_index *ret, const struct web_row *rows, size_t n);
/* The row that web_path_find() would find, or NULL: ask that one. */
const struct web_row *path_index_find(const struct path_index *x, const struct web_row *rows,
                                      enum web_method method, struct slice path);
/* The same without a method: the bits of what the path has, HEAD and OPTIONS included. */
unsigned web_path_allow(const struct web_row *rows, size_t n, struct slice path);
/* "GET, HEAD, POST" for a set of bits. Returns dst. */
char *web_allow_text(unsigned allow, char *dst, size_t dst_bytes);
/* False for what no server of ours knows. */
bool web_method_find(struct slice name, enum web_method *ret_method);
const char *web_method_text(enum web_method m);
/* Decodes %XX (and '+' as a space where plus); 0, or -EINVAL (bad escape, control character, NUL,
 * an escaped '/' where no slash is allowed) or -ENOSPC. */
int web_unescape(struct slice text, bool plus, bool slash, char *dst, size_t dst_bytes) must_check;
