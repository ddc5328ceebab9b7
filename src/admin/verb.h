/* SPDX-License-Identifier: Apache-2.0
 * The table of verbs (verbs.def) as data, and what a verb's function is. A new verb is a row there, a
 * function verb_<name> in the room of its noun, and the shapes of what it takes. */
#pragma once
#include "admin/role.h"
#include "admin/shape.h"
#include "web/web.h"

enum verb_thread { VERB_WEB, VERB_CALL };

enum verb_flag {
  VERB_ROOT = 1,      /* the path is not below /admin/v1 */
  VERB_MATCH = 2,     /* a change of a thing with an ETag: If-Match or 428 */
  VERB_QUIET = 4,     /* a POST that changes nothing: not in the audit */
  VERB_STREAM = 8,    /* answered by an open stream of events (CALL) */
  VERB_LARGE = 16,    /* the body may have 4 MiB */
  VERB_TOLD = 64,     /* a GET of what is not everybody's: in the audit */
  VERB_KEPT = 128,    /* what it changed is on the disk before its answer goes out (keep.c) */
  VERB_ONCE = 32,     /* the answer holds a secret: it is not kept for Idempotency-Key */
  VERB_SLOW = 256,    /* a password is computed: 429 where too many are, or too many failed */
  VERB_TAGGED = 512,  /* the answer has the thing's ETag; of a GET: If-None-Match is heard */
  VERB_PLACED = 1024, /* the answer has the new thing's Location */
  VERB_COMMITS =
      2048, /* another configuration into force: 409 where it can't be now, 422 with its errors */
};

/* The largest body of who is nobody yet: a login, each character of it as an escape. */
#define VERB_OPEN_BYTES 8192u

/* A PATCH is a merge patch (RFC 7396), whichever of its two names it bears. */
#define VERB_PATCH_TYPES "application/merge-patch+json, application/json"

enum asker_by { BY_NOBODY, BY_TOKEN, BY_COOKIE, BY_CERTIFICATE };

struct admin;
struct verb;

/* One request at the desk; borrowed but where said otherwise. */
struct desk_ask {
  const struct web_ask
      *web; /* web has parameters (web->params.text[0] …), query, If-Match, peer, handle. */
  const struct verb *verb;
  const struct web_asker *who; /* who asks; who->role is an enum role, who->by an enum asker_by. */
  json_t *body;                /* body passed its shape; empty, or NULL, where the verb takes none. */
  /* What the audit shall tell; NULL: after is the body, before is nothing. The handler makes them, the
   * desk frees them. Web thread only. */
  json_t *before, *after;
  struct web_asker found;     /* found is room for it. */
  const struct web_asker *as; /* as: who it was, where only the handler finds out (login). */
};

/* Fills the answer. On the call thread an answer that is left empty (status 0) comes later, by
 * web_reply() with ask->web->handle; the ask itself lives until the function returns. */
typedef void desk_fn(struct admin *a, struct desk_ask *ask, struct web_answer *ret);

struct verb {
  const char *id;   /* id is "calls": the operation's name, and the verb in the audit. */
  const char *path; /* path is whole. */
  const char *summary;
  enum web_method method;
  enum role role;
  enum verb_thread thread;
  unsigned flags, status;
  desk_fn *fn;
  const struct shape *query, *body, *answer;
};

/* Every verb_<name>; shapes are declared where they are used. */
#define VERB(id, m, path, r, t, f, q, b, status, ans, flags, summary) desk_fn verb_##f;
#include "admin/verbs.def"
#undef VERB

extern const struct verb verbs[];
extern const size_t verbs_n;

/* The rows of web that the verbs make; heap, verbs_n of them, each with id = its index. */
struct web_row *verb_rows(web_direct_fn *direct) must_check;

/* 422 with a pointer into the body. */
void desk_wrong(struct web_answer *ret, const char *pointer, const char *reason);
/* 400 for a member of the query. */
void desk_wrong_query(struct web_answer *ret, const char *name, const char *reason);
/* A member of the query that may be absent (then *ret_ms or dst stay as they are); false: it is wrong,
 * and that was answered. */
bool desk_query_time(const struct web_ask *ask, const char *name, uint64_t *ret_ms,
                     struct web_answer *ret);
bool desk_query_text(const struct web_ask *ask, const char *name, char *dst, size_t bytes,
                     struct web_answer *ret);
/* If-Match against the thing's ETag (with its quotes): true, or 412 (428 if there is no If-Match). */
bool desk_match(const struct desk_ask *ask, const char *etag, struct web_answer *ret) must_check;
/* A strong ETag of what a thing is, with its quotes. */
void desk_etag(char ret[WEB_ETAG_BYTES], const json_t *thing);
/* RFC 7396: a new value of target changed by patch; both borrowed. */
json_t *desk_merge(const json_t *target, const json_t *patch);
#define DESK_TIME_BYTES 64 /* of one in a query; a longer one is none */
/* RFC 3339 to milliseconds since 1970 (earlier: 1); false: no time. */
bool desk_time(const char *text, uint64_t *ret_ms);
/* Answers {noun: a page of all, "cursor": where the next begins or null} by ?limit and ?cursor; key is
 * the member that tells rows apart. all is taken. */
void desk_page(const struct desk_ask *ask, const char *noun, const char *key, json_t *all,
               struct web_answer *ret);
/* The same of a document that has the list beside other members; taken, NULL is a 503. */
void desk_page_doc(const struct desk_ask *ask, const char *noun, const char *key, json_t *doc,
                   struct web_answer *ret);
/* Rows in the order of a text member, so that pages stay where they are while rows come and go. */
void desk_sort(json_t *list, const char *key, bool falls);
/* The query against the verb's shape: true, or 400 that names what is wrong with it. */
bool desk_query_ok(const struct desk_ask *ask, struct web_answer *ret) must_check;
/* Where the next page is, as a Link: what was asked, with that cursor; nothing for "" or past its room.
 */
void desk_next(const struct desk_ask *ask, const char *cursor, struct web_answer *ret);
/* Answers with a JSON document that is given away. */
void desk_json(struct web_answer *ret, unsigned status, json_t *doc);
