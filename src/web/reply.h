/* SPDX-License-Identifier: Apache-2.0
 * What a server answers: a status, a body, a few named headers, by value so that an answer can be
 * stored (Idempotency-Key) and sent again; JSON bodies and problem documents (RFC 9457). Pure. */
#pragma once
#include "base/slice.h"

#include <jansson.h>

struct web_header {
  const char *name, *value; /* both live until the answer was sent (literals). */
};

#define WEB_LOCATION_BYTES 160
#define WEB_ETAG_BYTES 72
#define WEB_ALLOW_BYTES 64
#define WEB_COOKIE_BYTES 200
#define WEB_LINK_BYTES 768

/* A body that is made while it is sent (web threads): fn fills at most max bytes and gives their number,
 * 0 at the end; -1 cuts the connection. done is called once, when the answer is gone. */
struct web_source {
  ssize_t (*fn)(void *arg, char *dst, size_t max);
  void (*done)(void *arg);
  void *arg;
};

struct web_answer {
  unsigned status;
  const char *type; /* type is a literal; NULL without a body. */
  char *body;       /* body is on the heap, owned; NULL: none. */
  size_t body_bytes;
  struct web_source source; /* source, if fn is set, instead of body. */
  struct slice fixed; /* fixed is a body that lives for ever (an embedded file), instead of body. */
  char location[WEB_LOCATION_BYTES];
  char etag[WEB_ETAG_BYTES]; /* etag is with its quotes. */
  char allow[WEB_ALLOW_BYTES];
  char cookie[WEB_COOKIE_BYTES]; /* cookie is Set-Cookie's value. */
  char link[WEB_LINK_BYTES];     /* link is the next page (RFC 8288), "<…>; rel=…". */
  uint32_t retry_after_s;        /* retry_after_s: 0: no header. */
  bool replayed;                 /* replayed adds Idempotent-Replayed: true. */
  struct web_header extra[6];    /* extra ends at a NULL name. */
};

void web_answer_done(struct web_answer *a); /* frees the body */
int web_answer_copy(struct web_answer *ret,
                    const struct web_answer *a) must_check; /* deep, but for the source; -ENOMEM */
json_t *web_time(uint64_t wall_ms); /* a time as all answers tell it (RFC 3339, UTC); null for 0 */
/* Sets a body from a JSON value (borrowed): 0 or -ENOMEM. */
int web_answer_json(struct web_answer *a, unsigned status, const json_t *json);
int web_answer_text(struct web_answer *a, unsigned status, const char *type, struct slice text);
/* A member of a flat object; value NULL: null. Names are plain ASCII, values UTF-8. */
struct web_member {
  const char *name, *value;
};
/* The same as a JSON value of these members, without making one: for small answers that are asked for
 * often. 0, -ENOMEM, or -ENOSPC (more than 2 KiB). */
int web_answer_members(struct web_answer *a, unsigned status, const struct web_member *m, size_t n);

enum web_problem {
#define PROBLEM(id, code, status, title) WEB_PROBLEM_##id,
#include "web/problem.def"
#undef PROBLEM
  WEB_PROBLEM_COUNT_
};

struct web_problem_error {
  const char *pointer, *reason; /* pointer is an RFC 6901 pointer, "/to/tel". */
};

/* Everything but the id may be left zero. Texts are borrowed for the call. */
struct web_problem_info {
  unsigned status;      /* status, if not the row's. */
  const char *rule;     /* rule makes the code "policy:<rule>". */
  const char *detail;   /* detail is one sentence for this case; may hold a peer's bytes. */
  const char *instance; /* instance is the call record, "/v1/calls/c_…". */
  const struct web_problem_error *errors;
  size_t errors_n;
  uint32_t retry_after_s; /* retry_after_s, also as header; 429 and 503 get 1 if 0. */
};
/* Sets a whole answer (status, document, WWW-Authenticate, Retry-After). info may be NULL. */
void web_answer_problem(struct web_answer *a, enum web_problem id, const struct web_problem_info *info);
const char *web_problem_code(enum web_problem id);
unsigned web_problem_status(enum web_problem id);

/* Strict JSON of a peer: no duplicate members, no NUL, depth at most 32, an object.
 * An empty body is {}. 0 and a new reference, or -EINVAL. */
int web_json_parse(struct slice body, json_t **ret_json) must_check;
