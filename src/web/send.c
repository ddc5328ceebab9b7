/* SPDX-License-Identifier: Apache-2.0
 * Makes the library's response of an answer: headers of ours, of CORS, of the answer. Web threads. */
#include "web/server.h"

#include "base/clock.h"

#include <stdio.h>

#define SEND_DEADLINE_US 60000000u

#define STILL_US 500000u

/* The library's context of a body that is made while it is sent. */
struct sending {
  struct web_source source;
  struct conn *conn;
  struct web *web;
  struct web_asker who;
  uint64_t judged_us;
};

/* A long answer ends with the session that asked for it. */
static bool sending_still(struct sending *s, uint64_t now_us) {
  if (!s->web->still || now_us < s->judged_us + STILL_US)
    return true;
  s->judged_us = now_us;
  return s->web->still(s->web->direct_arg, &s->who);
}

/* A reader that takes something may go on. */
static ssize_t sending_read(void *cls, uint64_t at, char *dst, size_t max) {
  struct sending *s = cls;
  uint64_t now_us = clock_now_us();
  (void)at;
  if (!sending_still(s, now_us))
    return MHD_CONTENT_READER_END_WITH_ERROR;
  ssize_t n = s->source.fn(s->source.arg, dst, max);
  atomic_store(&s->conn->deadline_us, now_us + SEND_DEADLINE_US);
  return n > 0 ? n : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void sending_free(void *cls) {
  struct sending *s = cls;
  s->source.done(s->source.arg);
  free(s);
}

static struct MHD_Response *response_sending(struct req *q) {
  struct web_answer *a = &q->answer;
  struct sending *s = malloc(sizeof(*s));
  if (!s)
    return NULL;
  *s = (struct sending){a->source, q->conn, q->web, q->ask.who, clock_now_us()};
  struct MHD_Response *r =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, sending_read, s, sending_free);
  if (r && q->method == WEB_HEAD) /* else the library ends even no body with a last chunk */
    (void)MHD_set_response_options(r, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
  if (r)
    a->source = (struct web_source){0}; /* the response frees it */
  else
    free(s);
  return r;
}

static struct MHD_Response *response_new(struct req *q) {
  struct web_answer *a = &q->answer;
  if (a->source.fn)
    return response_sending(q);
  if (a->fixed.p)
    return MHD_create_response_from_buffer(a->fixed.n, (void *)(uintptr_t)a->fixed.p,
                                           MHD_RESPMEM_PERSISTENT);
  struct MHD_Response *r = MHD_create_response_from_buffer(
      a->body ? a->body_bytes : 0, a->body ? a->body : (char *)(uintptr_t) "",
      a->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
  if (r)
    a->body = NULL; /* the response frees it */
  return r;
}

static void header_add(struct MHD_Response *r, const char *name, const char *value) {
  if (value && value[0])
    (void)MHD_add_response_header(r, name, value);
}

static void headers_cors(struct MHD_Response *r, const struct req *q) {
  char origin[256];
  if (q->web->origins_n)
    header_add(r, "Vary", "Origin");
  if (!q->cors || slice_copy(origin, sizeof(origin), q->head.field[HEAD_ORIGIN]) < 0)
    return;
  header_add(r, "Access-Control-Allow-Origin", origin);
  header_add(r, "Access-Control-Expose-Headers", "Location, ETag, Retry-After");
}

static void headers_own(struct MHD_Response *r, const struct web_answer *a) {
  char number[16];
  bool cache = false;
  header_add(r, "Content-Type", a->type);
  header_add(r, "Location", a->location);
  header_add(r, "ETag", a->etag);
  header_add(r, "Allow", a->allow);
  header_add(r, "Set-Cookie", a->cookie);
  header_add(r, "Link", a->link);
  header_add(r, "Idempotent-Replayed", a->replayed ? "true" : NULL);
  if (a->retry_after_s) {
    snprintf(number, sizeof(number), "%u", a->retry_after_s);
    header_add(r, "Retry-After", number);
  }
  for (size_t i = 0; i < COUNT_OF(a->extra) && a->extra[i].name; i++) {
    header_add(r, a->extra[i].name, a->extra[i].value);
    cache = cache || strcmp(a->extra[i].name, "Cache-Control") == 0;
  }
  header_add(r, "Cache-Control", cache ? NULL : "no-store");
  header_add(r, "X-Content-Type-Options", "nosniff");
}

static void answer_count(struct web *w, unsigned status) {
  static const enum server_count rows[] = {SERVER_answers_2xx, SERVER_answers_3xx, SERVER_answers_4xx,
                                           SERVER_answers_5xx};
  if (status >= 200 && status < 600)
    count_one(&w->counts, rows[status / 100 - 2]);
  if (status == 500)
    count_one(&w->counts, SERVER_answers_500);
}

enum MHD_Result answer_send(struct req *q) {
  if (q->stream)
    return stream_send(q);
  if (!q->answer.status)
    web_answer_problem(&q->answer, WEB_PROBLEM_internal, NULL);
  unsigned status = q->answer.status;
  struct MHD_Response *r = response_new(q);
  if (!r)
    return MHD_NO;
  headers_own(r, &q->answer);
  headers_cors(r, q);
  header_add(r, "Connection", q->close ? "close" : NULL);
  answer_count(q->web, status);
  atomic_store(&q->conn->deadline_us, clock_coarse_us() + SEND_DEADLINE_US);
  q->phase = REQ_SENT;
  enum MHD_Result result = MHD_queue_response(q->connection, status, r);
  MHD_destroy_response(r);
  return result;
}
