/* SPDX-License-Identifier: Apache-2.0
 * One request from its first line to its end: the callbacks of libmicrohttpd. Web threads. */
#include "web/server.h"

#include "base/clock.h"

#define IDLE_US 30000000u        /* between two requests of a connection */
/* What is read and thrown away so that a refusal can be told (a session that is over, while a large
 * configuration is sent): of a row of ours, and of no row. */
#define ROW_BYTES (2u << 20)
#define NO_ROW_BYTES 65536u

/* What a request left behind; claims and parameters are large and seldom there. */
static void req_wipe_tail(struct req *q) {
  if (q->had_token)
    explicit_bzero(&q->ask.claims, sizeof(q->ask.claims));
  if (q->has_params)
    explicit_bzero(&q->ask.params, sizeof(q->ask.params));
}

static void req_wipe(struct req *q) {
  req_wipe_tail(q);
  explicit_bzero(q, offsetof(struct req, ask) + offsetof(struct web_ask, params));
}

static struct req *req_new(struct conn *c) {
  return c->spare ? take(c->spare) : calloc(1, sizeof(struct req));
}

/* NULL: too long, or no memory. */
static char *target_keep(struct req *q, const char *uri) {
  if (q->target_bytes >= sizeof(q->near))
    return q->target_bytes <= HEAD_TARGET_BYTES ? slice_dup(slice_from(uri, q->target_bytes)) : NULL;
  return memcpy(q->near, uri, q->target_bytes + 1);
}

static void target_drop(struct req *q) {
  if (q->target != q->near)
    free(q->target);
  q->target = NULL;
}

/* A stream lives long and needs no more than the head of its request: the rest is given back. */
static struct req *req_cut(struct req *q) {
  web_answer_done(&q->answer);
  target_drop(q);
  req_wipe_tail(q);
  q->is_cut = true;
  struct req *less = realloc(q, offsetof(struct req, answer));
  return less ? less : q;
}

static void req_keep(struct conn *c, struct req *q) {
  if (q->is_cut) {
    free(q);
    return;
  }
  req_wipe(q);
  if (c->spare)
    free(q);
  else
    c->spare = q;
}

void *req_begin(void *cls, const char *uri, struct MHD_Connection *connection) {
  struct web *w = cls;
  struct conn *c = conn_of(connection);
  struct req *q = c && uri ? req_new(c) : NULL;
  if (!q)
    return NULL;
  q->web = w;
  q->connection = connection;
  q->conn = c;
  q->target_at = uri;
  q->target_bytes = strlen(uri);
  q->target = target_keep(q, uri);
  atomic_store(&c->deadline_us, clock_coarse_us() + w->request_us);
  atomic_fetch_add(&w->requests, 1);
  return q;
}

/* It may still wait for the owner, or be a stream. */
static void req_leave(struct web *w, struct req *q) {
  pthread_mutex_lock(&w->lock);
  struct waiting *wait = q->handle ? pool_get(w->waiting, q->handle) : NULL;
  struct asked *left = wait ? take(wait->asked) : NULL;
  if (wait)
    pool_del(w->waiting, q->handle);
  if (q->stream)
    stream_gone(w, q->stream);
  pthread_mutex_unlock(&w->lock);
  asked_free(left);
}

void req_end(void *cls, struct MHD_Connection *connection, void **context,
             enum MHD_RequestTerminationCode why) {
  struct web *w = cls;
  struct req *q = *context;
  (void)connection;
  (void)why;
  *context = NULL;
  if (!q)
    return;
  if (q->was_asked)
    req_leave(w, q);
  atomic_fetch_sub(&w->requests, 1);
  atomic_store(&q->conn->deadline_us, clock_coarse_us() + IDLE_US);
  if (q->note)
    w->note_free(q->note);
  if (!q->is_cut)
    web_answer_done(&q->answer);
  body_drop(q);
  target_drop(q);
  req_keep(q->conn, q);
}

static enum MHD_Result header_take(void *cls, enum MHD_ValueKind kind, const char *name,
                                   size_t name_bytes, const char *value, size_t value_bytes) {
  struct head *h = cls;
  (void)kind;
  head_add(h, slice_from(name, name_bytes), slice_from(value, value_bytes));
  return h->lines <= HEAD_LINES_MAX ? MHD_YES : MHD_NO;
}

/* A NUL in the target ends it for C: then the version does not follow where it should. */
static bool target_whole(const struct req *q, const char *version) {
  return q->target && version == q->target_at + q->target_bytes + 1 &&
         head_target_ok(slice_from(q->target, q->target_bytes));
}

static enum MHD_Result refusal_send(struct req *q) {
  q->close = true; /* an unread body must never be taken for a request */
  return answer_send(q);
}

/* Who writes a body and finds the connection closed is told nothing: a body of a known, small size is
 * read to its end first. Never of a header that is not well formed, nor where the client waits for a
 * 100. */
static bool may_read_on(struct req *q) {
  unsigned status = q->answer.status;
  uint64_t n = head_length(&q->head);
  return n && n <= (q->row ? ROW_BYTES : NO_ROW_BYTES) &&
         (status == 401 || status == 403 || status == 404 || status == 405 || status == 413) &&
         !MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, "Expect");
}

/* A header that was well read, and no body behind it: the connection may go on, where the library is
 * answered when it has come to the end of the request. */
static bool is_whole(const struct req *q) {
  unsigned status = q->answer.status;
  return !head_length(&q->head) && !q->head.field[HEAD_TRANSFER_ENCODING].p && status != 400 &&
         status != 421 && status != 431;
}

static enum MHD_Result refused(struct req *q) {
  if (!is_whole(q) && !may_read_on(q))
    return refusal_send(q);
  q->phase = REQ_REFUSED;
  return MHD_YES;
}

static enum MHD_Result head_handle(struct req *q, const char *method, const char *version) {
  q->phase = REQ_BODY;
  q->chunks = strcmp(version, MHD_HTTP_VERSION_1_1) == 0;
  count_one(&q->web->counts, SERVER_requests);
  (void)MHD_get_connection_values_n(q->connection, MHD_HEADER_KIND, header_take, &q->head);
  if (!target_whole(q, version)) {
    count_one(&q->web->counts, SERVER_framing);
    web_answer_problem(
        &q->answer, q->target ? WEB_PROBLEM_bad_request : WEB_PROBLEM_header_size,
        &(struct web_problem_info){.detail = "the request's target is malformed or too long"});
    return refusal_send(q);
  }
  return req_judge(q, method) ? MHD_YES : refused(q);
}

static enum MHD_Result direct_handle(struct req *q) {
  ask_fill(q);
  q->ask.note = &q->note;
  q->row->direct(q->web->direct_arg, &q->ask, &q->answer);
  q->ask.note = NULL;
  if (q->row->flags & WEB_THEN_ASK && !q->answer.status)
    return req_ask(q, asked_new(q));
  return answer_send(q);
}

static enum MHD_Result whole_handle(struct req *q) {
  atomic_store(&q->conn->deadline_us, 0);
  if (q->too_large) {
    count_one(&q->web->counts, SERVER_too_large);
    web_answer_problem(&q->answer, WEB_PROBLEM_too_large, NULL);
    return refusal_send(q);
  }
  if (q->too_much) {
    count_one(&q->web->counts, SERVER_bodies_full);
    web_answer_problem(&q->answer, WEB_PROBLEM_overload,
                       &(struct web_problem_info){.detail = "other requests' bodies take all the room"});
    return refusal_send(q);
  }
  if (!req_type_ok(q))
    return answer_send(q);
  if (q->row->direct)
    return direct_handle(q);
  ask_fill(q);
  return req_ask(q, asked_new(q));
}

/* The owner has answered. */
static enum MHD_Result asked_send(struct req *q) {
  if (q->web->finish && q->note && !q->stream)
    q->web->finish(q->web->direct_arg, q->note, &q->answer);
  return answer_send(q);
}

enum MHD_Result req_handle(void *cls, struct MHD_Connection *connection, const char *url,
                           const char *method, const char *version, const char *upload,
                           size_t *upload_bytes, void **context) {
  struct req *q = *context;
  (void)cls;
  (void)connection;
  (void)url;
  if (!q)
    return MHD_NO;
  if (q->phase == REQ_HEAD)
    return head_handle(q, method, version);
  if (q->phase == REQ_REFUSED) {
    bool has_more = *upload_bytes > 0;
    *upload_bytes = 0;
    return has_more ? MHD_YES : is_whole(q) ? answer_send(q) : refusal_send(q);
  }
  if (q->phase == REQ_BODY && *upload_bytes) {
    size_t n = *upload_bytes;
    *upload_bytes = 0;
    return body_add(q, upload, n) ? MHD_YES : MHD_NO;
  }
  if (q->phase == REQ_BODY)
    return whole_handle(q);
  enum MHD_Result r = q->phase == REQ_ASKED ? asked_send(q) : MHD_NO;
  if (q->stream && q->phase == REQ_SENT && !q->is_cut)
    *context = req_cut(q);
  return r;
}
