/* SPDX-License-Identifier: Apache-2.0
 * Judges a request by its header, before a byte of its body is read: framing, Host, path, method,
 * origin, token, size. Web threads. RFC 9110, 9112, 6750; CORS as the Fetch standard has it. */
#include "web/server.h"

#include "base/clock.h"
#include "base/hmac.h"

static bool refuse(struct req *q, enum server_count counter, enum web_problem id, const char *detail) {
  if (counter < SERVER_COUNT_)
    count_one(&q->web->counts, counter);
  web_answer_problem(&q->answer, id, &(struct web_problem_info){.detail = detail});
  return false;
}

static bool req_origin_listed(const struct web *w, struct slice origin) {
  for (size_t i = 0; i < w->origins_n; i++)
    if (slice_eq(origin, slice_of(w->origins[i])))
      return true;
  return false;
}

static bool framing_ok(struct req *q) {
  const char *why = "";
  bool body = q->method == WEB_POST || q->method == WEB_PUT || q->method == WEB_PATCH ||
              q->method == WEB_DELETE || q->method == WEB_METHOD_COUNT_;
  enum web_problem p = head_judge(&q->head, body, &why);
  if (p != WEB_PROBLEM_COUNT_)
    return refuse(q, SERVER_framing, p, why);
  struct conn *c = q->conn;
  struct slice host = q->head.field[HEAD_HOST];
  if (c->host_n && slice_eq(host, slice_from(c->host, c->host_n)))
    return true;
  if (!head_host_ok(host, (const char *const *)q->web->hosts, q->web->hosts_n, &c->local))
    return refuse(q, SERVER_host, WEB_PROBLEM_host, NULL);
  c->host_n = host.n <= sizeof(c->host) ? (uint8_t)host.n : 0;
  memcpy(c->host, host.p, c->host_n);
  return true;
}

static struct slice req_path(const struct req *q) {
  struct slice rest = slice_from(q->target, q->target_bytes);
  return slice_cut(&rest, '?');
}

/* OPTIONS is answered from the table: a preflight of a listed origin gets what it may do. */
static bool options_answer(struct req *q, unsigned allow) {
  struct web_answer *a = &q->answer;
  a->status = 204;
  web_allow_text(allow, a->allow, sizeof(a->allow));
  if (!q->head.field[HEAD_REQUEST_METHOD].p)
    return false;
  if (!q->cors)
    return refuse(q, SERVER_COUNT_, WEB_PROBLEM_origin, NULL);
  a->extra[0] = (struct web_header){"Access-Control-Allow-Methods", a->allow};
  a->extra[1] =
      (struct web_header){"Access-Control-Allow-Headers",
                          "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, "
                          "Last-Event-ID, Sallyport-Device"};
  a->extra[2] = (struct web_header){"Access-Control-Max-Age", "600"};
  return false;
}

static bool row_cors(struct req *q) {
  q->cors = q->cors && !(q->row->flags & WEB_NO_CORS);
  return true;
}

static bool path_ok(struct req *q) {
  const struct web *w = q->web;
  struct slice path = req_path(q);
  unsigned allow = 0;
  if (q->method < WEB_METHOD_COUNT_ && q->method != WEB_OPTIONS)
    q->row = path_index_find(&w->index, w->rows, q->method, path);
  if (q->row)
    return row_cors(q);
  q->has_params = true;
  if (q->method < WEB_METHOD_COUNT_ && q->method != WEB_OPTIONS)
    q->row = web_path_find(w->rows, w->rows_n, q->method, path, &q->ask.params, &allow);
  else
    allow = web_path_allow(w->rows, w->rows_n, path);
  if (q->row)
    return row_cors(q);
  if (!allow)
    return refuse(q, SERVER_COUNT_, WEB_PROBLEM_not_found, NULL);
  if (q->method == WEB_OPTIONS)
    return options_answer(q, allow);
  refuse(q, SERVER_COUNT_, WEB_PROBLEM_method, NULL);
  web_allow_text(allow, q->answer.allow, sizeof(q->answer.allow));
  return false;
}

static bool bearer_of(struct slice authorization, struct slice *ret) {
  if (!slice_istarts(authorization, SLICE("Bearer ")))
    return false;
  *ret = slice_trim(slice_from(authorization.p + 7, authorization.n - 7));
  return ret->n > 0;
}

static bool claims_take(struct req *q, struct slice bearer) {
  q->had_token = true;
  enum token_fault f = token_verify(q->web->tokens, bearer, clock_wall_ms(), &q->ask.claims);
  if (f != TOKEN_OK)
    return refuse(q, SERVER_token,
                  f == TOKEN_EXPIRED ? WEB_PROBLEM_token_expired : WEB_PROBLEM_unauthorized,
                  token_fault_text(f));
  q->ask.has_claims = true;
  if (q->row->scope && !claims_has_scope(&q->ask.claims, q->row->scope))
    return refuse(q, SERVER_token, WEB_PROBLEM_scope, q->row->scope);
  return true;
}

/* SHA-256 of what is shown, made once where a connection shows the same again. */
static void bearer_digest(struct conn *c, struct slice bearer, uint8_t ret[32]) {
  if (c->bearer_n && slice_eq_secret(bearer, slice_from(c->bearer, c->bearer_n))) {
    memcpy(ret, c->bearer_digest, 32);
    return;
  }
  hash_sha256(bearer, ret);
  c->bearer_n = bearer.n <= sizeof(c->bearer) ? (uint8_t)bearer.n : 0;
  memcpy(c->bearer, bearer.p, c->bearer_n);
  memcpy(c->bearer_digest, ret, 32);
}

static bool who_ok(struct req *q) {
  struct web_knock k = {.row = q->row,
                        .method = q->method,
                        .cookie = q->head.field[HEAD_COOKIE],
                        .sallyport = q->head.field[HEAD_SALLYPORT],
                        .cert = req_peer(q),
                        .peer = q->conn->peer};
  struct slice origin = q->head.field[HEAD_ORIGIN];
  k.is_foreign = origin.p && !head_origin_own(origin, q->head.field[HEAD_HOST], q->web->pair != NULL,
                                              (const char *const *)q->web->hosts, q->web->hosts_n);
  if (bearer_of(q->head.field[HEAD_AUTHORIZATION], &k.bearer))
    bearer_digest(q->conn, k.bearer, k.bearer_digest);
  if (q->web->who(q->web->direct_arg, &k, &q->ask.who, &q->answer))
    return true;
  count_one(&q->web->counts, SERVER_token);
  return false;
}

static bool token_ok(struct req *q) {
  struct slice bearer, authorization = q->head.field[HEAD_AUTHORIZATION];
  if (q->web->who)
    return who_ok(q);
  if (!(q->row->flags & (WEB_TOKEN | WEB_TOKEN_OPTIONAL)))
    return true;
  if (!authorization.p && q->row->flags & WEB_TOKEN_OPTIONAL)
    return true;
  if (!bearer_of(authorization, &bearer))
    return refuse(q, SERVER_token, WEB_PROBLEM_unauthorized, "no Bearer token");
  return q->web->tokens ? claims_take(q, bearer)
                        : refuse(q, SERVER_token, WEB_PROBLEM_unauthorized, NULL);
}

bool req_judge(struct req *q, const char *method) {
  if (!web_method_find(slice_of(method), &q->method))
    q->method = WEB_METHOD_COUNT_;
  if (!framing_ok(q))
    return false;
  q->cors = q->head.field[HEAD_ORIGIN].p && req_origin_listed(q->web, q->head.field[HEAD_ORIGIN]);
  if (!path_ok(q) || !token_ok(q))
    return false;
  q->body_max = q->row->body_max_bytes ? q->row->body_max_bytes : q->web->body_max_bytes;
  if (head_length(&q->head) > q->body_max)
    return refuse(q, SERVER_too_large, WEB_PROBLEM_too_large, NULL);
  return true;
}

/* Once the body is here: a body has one of the row's types, an absent one needs none. The refusal names
 * them (RFC 9110 15.5.16, RFC 5789 3.1). */
bool req_type_ok(struct req *q) {
  const char *types = q->row->type ? q->row->type : "application/json";
  if (!q->body_bytes || head_type_listed(q->head.field[HEAD_CONTENT_TYPE], types))
    return true;
  refuse(q, SERVER_framing, WEB_PROBLEM_media_type, types);
  q->answer.extra[0] = (struct web_header){q->method == WEB_PATCH ? "Accept-Patch" : "Accept", types};
  return false;
}
