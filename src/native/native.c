/* SPDX-License-Identifier: Apache-2.0
 * The service door: start, dispatch of requests by the table of verbs, answers, end.
 * Contract: native-signaling.md; errors by section 11. */
#include "native/inner.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

enum verb_id {
#define VERB(id, method, pattern, fn, flags, scope, type) VERB_##id,
#include "native/verbs.def"
#undef VERB
  VERB_COUNT_
};

static verb_fn *const verb_fns[VERB_COUNT_] = {
#define VERB(id, method, pattern, fn, flags, scope, type) fn,
#include "native/verbs.def"
#undef VERB
};

static const struct web_row verb_rows[VERB_COUNT_] = {
#define VERB(id, method, pattern, fn, flags, scope, type) \
  {method, pattern, VERB_##id, flags, scope, type, 0, NULL},
#include "native/verbs.def"
#undef VERB
};

/* Answers -------------------------------------------------------------------------------------- */

void answer_full(struct native *n, struct reply_to to, struct web_answer *a) {
  timeline_answer(n, &to, a);
  if (to.idem)
    idem_finish(n->idem, to.idem, a, loop_now_us(n->loop));
  web_reply(n->web, to.ask, a);
}

void answer_json(struct native *n, struct reply_to to, unsigned status, json_t *owned) {
  struct web_answer a = {0};
  if (!owned || web_answer_json(&a, status, owned) < 0)
    web_answer_problem(&a, WEB_PROBLEM_internal, NULL);
  json_decref(owned);
  answer_full(n, to, &a);
}

void answer_empty(struct native *n, struct reply_to to, unsigned status) {
  struct web_answer a = {.status = status};
  answer_full(n, to, &a);
}

void answer_problem(struct native *n, struct reply_to to, enum web_problem p, const char *detail) {
  struct web_answer a = {0};
  web_answer_problem(&a, p, &(struct web_problem_info){.detail = detail});
  answer_full(n, to, &a);
}

void answer_field(struct native *n, struct reply_to to, const char *pointer, const char *reason) {
  struct web_answer a = {0};
  struct web_problem_error e = {pointer, reason};
  char detail[200];
  snprintf(detail, sizeof(detail), "%s: %s", pointer, reason);
  web_answer_problem(&a, WEB_PROBLEM_field,
                     &(struct web_problem_info){.detail = detail, .errors = &e, .errors_n = 1});
  answer_full(n, to, &a);
}

static enum web_problem problem_of_code(const char *code) {
  if (strncmp(code, "policy:", 7) == 0)
    return WEB_PROBLEM_policy;
  for (int p = 0; p < WEB_PROBLEM_COUNT_; p++)
    if (strcmp(code, web_problem_code((enum web_problem)p)) == 0)
      return (enum web_problem)p;
  return WEB_PROBLEM_internal;
}

void answer_verdict(struct native *n, struct reply_to to, const struct verdict *v, const char *call_id) {
  struct web_answer a = {0};
  const struct refusal_row *row = refusal_row(v->refusal);
  enum web_problem p = problem_of_code(row->code);
  char instance[80] = "";
  if (call_id && call_id[0])
    snprintf(instance, sizeof(instance), "/v1/calls/%s", call_id);
  web_answer_problem(&a, p,
                     &(struct web_problem_info){.status = (unsigned)row->http,
                                                .rule = p == WEB_PROBLEM_policy ? row->code + 7 : NULL,
                                                .detail = v->detail[0] ? v->detail : row->title,
                                                .instance = instance[0] ? instance : NULL,
                                                .retry_after_s = (uint32_t)v->retry_after_s});
  answer_full(n, to, &a);
}

bool req_desc_read(struct req *r, const char *member, const char *type, struct desc *ret, bool *ret_has,
                   struct verdict *ret_v) {
  char pointer[48];
  struct desc_fault fault = {0};
  json_t *o = json_object_get(r->body, member);
  *ret_has = o != NULL;
  if (!o)
    return true;
  const char *t = json_string_value(json_object_get(o, "type")),
             *sdp = json_string_value(json_object_get(o, "sdp"));
  if (!t || strcmp(t, type) != 0 || !sdp) {
    snprintf(pointer, sizeof(pointer), "/%s", member);
    answer_field(r->n, r->to, pointer, "expected {type, sdp} with the right type");
    return false;
  }
  if (strlen(sdp) > DESC_TEXT_MAX_BYTES) {
    answer_problem(r->n, r->to, WEB_PROBLEM_too_large, "the session description is longer than 32 KiB");
    return false;
  }
  int e = desc_parse(ret, slice_of(sdp), &fault);
  if (e == 0)
    return true;
  char detail[160];
  snprintf(detail, sizeof(detail), "session description, line %u: %s", fault.line,
           fault.rule ? fault.rule : "malformed");
  if (e == -E2BIG)
    answer_problem(r->n, r->to, WEB_PROBLEM_too_large, detail);
  else
    *ret_v = verdict_refuse(REFUSE_SDP_FORM, "%s", detail);
  return false;
}

bool req_desc(struct req *r, const char *member, const char *type, struct desc *ret, bool *ret_has) {
  struct verdict v = verdict_pass();
  if (req_desc_read(r, member, type, ret, ret_has, &v))
    return true;
  if (!verdict_is_pass(&v))
    answer_verdict(r->n, r->to, &v, NULL);
  return false;
}

/* Dispatch ------------------------------------------------------------------------------------- */

static bool is_creating(int id) { return id == VERB_PLACE || id == VERB_RELAY || id == VERB_TICKET; }

/* False when the answer was given: a replay, or a key that cannot be used. */
static bool idem_pass(struct req *r) {
  struct web_answer stored = {0};
  struct slice key = r->ask->idempotency_key;
  char scope[160];
  if (!key.p || !is_creating(r->ask->row->id))
    return true;
  snprintf(scope, sizeof(scope), "%s/%s %d", r->claims->tenant, r->claims->identity, r->ask->row->id);
  struct slice body = r->ask->body.n ? r->ask->body : SLICE("{}"); /* absent is the same request */
  enum idem_state st =
      idem_begin(r->n->idem, slice_of(scope), key, body, loop_now_us(r->n->loop), &r->to.idem, &stored);
  if (st == IDEM_NEW)
    return true;
  if (st == IDEM_REPLAY)
    web_reply(r->n->web, r->to.ask, &stored);
  else if (st == IDEM_IN_FLIGHT)
    answer_problem(r->n, r->to, WEB_PROBLEM_in_flight,
                   "the first request with this Idempotency-Key is still in work");
  else if (st == IDEM_OTHER_BODY)
    answer_problem(r->n, r->to, WEB_PROBLEM_idempotency,
                   "this Idempotency-Key was used with another body");
  else
    answer_field(r->n, r->to, "/Idempotency-Key", "expected 1 to 128 visible ASCII characters");
  return false;
}

static bool device_header(struct req *r) {
  static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  struct slice d = r->ask->device;
  if (!d.p)
    return true;
  if (d.n >= 1 && d.n <= 64 && slice_copy(r->device, sizeof(r->device), d) == 0 &&
      strspn(r->device, set) == d.n)
    return true;
  answer_field(r->n, r->to, "/Sallyport-Device", "expected 1 to 64 of A-Z a-z 0-9 _ -");
  return false;
}

/* Read ahead of its turn: only when the limit would refuse it. */
static bool is_emergency(const struct req *r) {
  json_t *body = NULL;
  if (web_json_parse(r->ask->body, &body) < 0)
    return false;
  bool is = place_is_emergency(r, body);
  json_decref(body);
  return is;
}

static bool rate_pass(struct req *r) {
  char key[140];
  if (r->ask->row->method == WEB_GET)
    return true;
  snprintf(key, sizeof(key), "%s/%s", r->claims->tenant, r->claims->identity);
  uint64_t wait = limit_take(r->n->commands, slice_of(key), loop_now_us(r->n->loop));
  if (!wait || (r->ask->row->id == VERB_PLACE && is_emergency(r)))
    return true;
  struct web_answer a = {0};
  web_answer_problem(
      &a, WEB_PROBLEM_rate,
      &(struct web_problem_info){.detail = "the identity sends more commands a second than it may",
                                 .retry_after_s = (uint32_t)(wait / 1000000 + 1)});
  answer_full(r->n, r->to, &a);
  return false;
}

static bool body_pass(struct req *r) {
  const char *type = r->ask->row->type;
  if (type || r->ask->row->method == WEB_GET || r->ask->row->method == WEB_DELETE)
    return true;
  if (web_json_parse(r->ask->body, &r->body) == 0)
    return true;
  answer_problem(r->n, r->to, WEB_PROBLEM_bad_json,
                 "expected one JSON object without duplicate members");
  return false;
}

static void on_ask(void *arg, const struct web_ask *ask) {
  struct native *n = arg;
  struct req r = {.n = n, .ask = ask, .to.ask = ask->handle};
  if (ask->kind == WEB_ASK_STREAM_CLOSED) {
    stream_closed(n, ask->cookie);
    return;
  }
  if (ask->has_claims) {
    r.claims = &ask->claims;
    r.user = user_get(n, slice_of(ask->claims.tenant), slice_of(ask->claims.identity));
    if (!r.user) {
      answer_problem(n, r.to, WEB_PROBLEM_overload, "too many identities");
      return;
    }
  }
  if ((!r.claims || rate_pass(&r)) && device_header(&r) && body_pass(&r) && (!r.claims || idem_pass(&r))) {
    timeline_request_of(&r);
    verb_fns[ask->row->id](&r);
  }
  json_decref(r.body);
}

/* Files and keys are answered on the web thread ------------------------------------------------- */

static void serve_jwks(void *arg, const struct web_ask *ask, struct web_answer *a) {
  struct native *n = arg;
  (void)ask;
  json_t *doc = tokens_jwks(n->issuer);
  if (!doc || web_answer_json(a, 200, doc) < 0)
    web_answer_problem(a, WEB_PROBLEM_internal, NULL);
  json_decref(doc);
}

static void serve_file(void *arg, const struct web_ask *ask, struct web_answer *a) {
  struct native *n = arg;
  const struct native_file *f = &n->files[ask->row->id];
  slice_copy(a->etag, sizeof(a->etag), slice_of(f->etag));
  a->extra[0] =
      (struct web_header){"Content-Security-Policy",
                          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                          "img-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
                          "frame-ancestors 'none'"};
  a->extra[1] = (struct web_header){"X-Content-Type-Options", "nosniff"};
  a->extra[2] = (struct web_header){"Referrer-Policy", "no-referrer"};
  a->extra[3] = (struct web_header){"Cache-Control", "no-cache"};
  a->extra[4] = (struct web_header){"Permissions-Policy", "microphone=(self)"};
  if (slice_eq(ask->if_none_match, slice_of(f->etag))) {
    a->status = 304;
    return;
  }
  a->status = 200;
  a->type = f->type;
  a->fixed = f->bytes;
}

static int make_rows(struct native *n) {
  size_t at = VERB_COUNT_;
  n->rows = calloc(VERB_COUNT_ + n->files_n + 1, sizeof(*n->rows));
  if (!n->rows)
    return -ENOMEM;
  memcpy(n->rows, verb_rows, sizeof(verb_rows));
  n->rows[at++] =
      (struct web_row){.method = WEB_GET, .pattern = "/.well-known/jwks.json", .direct = serve_jwks};
  for (size_t i = 0; i < n->files_n; i++)
    n->rows[at++] = (struct web_row){.method = WEB_GET,
                                     .pattern = n->files[i].path,
                                     .id = (int)i,
                                     .flags = WEB_NO_CORS,
                                     .direct = serve_file};
  return 0;
}

static void on_sweep(void *arg) {
  struct native *n = arg;
  idem_sweep(n->idem, loop_now_us(n->loop));
  nlegs_sweep(n, loop_now_us(n->loop), false);
  loop_arm(n->loop, &n->sweep, 10000000);
}

/* Life ------------------------------------------------------------------------------------------ */

static int make_tables(struct native *n) {
  n->users_max = USERS_MAX;
  int r = map_new(&n->users, n->users_max);
  if (r == 0)
    r = pool_new(&n->nlegs, sizeof(struct nleg), NLEGS_MAX);
  if (r == 0)
    r = pool_new(&n->streams, sizeof(struct stream), USERS_MAX);
  if (r == 0)
    r = tickets_new(&n->tickets, USERS_MAX);
  if (r == 0)
    r = idem_new(&n->idem, USERS_MAX);
  if (r == 0)
    r = limit_new(&n->commands, n->conf->service.commands_per_s, n->conf->service.commands_per_s * 2,
                  USERS_MAX);
  return r == 0 ? make_rows(n) : r;
}

static int start_server(struct native *n, struct tokens *tokens, const char **ret_why) {
  const struct conf *c = n->conf;
  const char *hosts[CONF_LIST_MAX + 1], *origins[CONF_LIST_MAX];
  char edge[CONF_NAME_BYTES];
  slice_copy(edge, sizeof(edge), slice_of(c->service.edge));
  char *colon = strrchr(edge, ':');
  if (colon && !strchr(colon, ']'))
    *colon = 0;
  hosts[0] = edge;
  for (uint32_t i = 0; i < c->service.hosts.n; i++)
    hosts[i + 1] = c->service.hosts.text[i];
  for (uint32_t i = 0; i < c->service.origins.n; i++)
    origins[i] = c->service.origins.text[i];
  struct web_settings s = {.name = "native",
                           .listen = &c->service.listen,
                           .listen_n = 1,
                           .cert_file = c->service.certificate,
                           .key_file = c->service.key,
                           .hosts = hosts,
                           .hosts_n = c->service.hosts.n + 1,
                           .origins = origins,
                           .origins_n = c->service.origins.n,
                           .rows = n->rows,
                           .rows_n = VERB_COUNT_ + 1 + n->files_n,
                           .direct_arg = n,
                           .tokens = tokens,
                           .heartbeat_ms = c->service.heartbeat_s * 1000};
  int r = web_new(&n->web, &s, ret_why);
  return r < 0 ? r : web_attach(n->web, n->loop, on_ask, n);
}

int native_new(struct native **ret_native, const struct native_settings *s, const char **ret_why) {
  own(native) n = calloc(1, sizeof(*n));
  *ret_why = "out of memory";
  if (!n)
    return -ENOMEM;
  n->conf = s->conf;
  n->calls = s->calls;
  n->loop = s->loop;
  n->guard = s->guard;
  n->traces = s->traces;
  n->issuer = s->tokens;
  n->files = s->files;
  n->files_n = s->files_n;
  relay_book_load(&n->relays, s->conf);
  list_init(&n->user_list);
  list_init(&n->ended);
  list_init(&n->alerts);
  int r = make_tables(n);
  if (r < 0)
    return r;
  r = start_server(n, s->tokens, ret_why);
  if (r < 0)
    return r;
  n->sweep = (struct timer){.fn = on_sweep, .arg = n};
  loop_arm(n->loop, &n->sweep, 10000000);
  calls_add_door(n->calls, &native_door, n);
  *ret_native = take(n);
  return 0;
}

struct native *native_free(struct native *n) {
  if (!n)
    return NULL;
  web_free(n->web);
  uint32_t slot = 0;
  for (struct nleg *nl; n->nlegs && (nl = pool_next(n->nlegs, &slot, NULL));)
    nleg_free(nl);
  slot = 0;
  for (struct stream *st; n->streams && (st = pool_next(n->streams, &slot, NULL));)
    loop_disarm(n->loop, &st->expiring);
  alerts_free(n);
  loop_disarm(n->loop, &n->sweep);
  users_free(n);
  map_free(n->users);
  pool_free(n->nlegs);
  pool_free(n->streams);
  tickets_free(n->tickets);
  idem_free(n->idem);
  limit_free(n->commands);
  relay_book_done(&n->relays);
  free(n->rows);
  free(n);
  return NULL;
}

void native_reload(struct native *n, const struct conf *conf) {
  n->conf = conf;
  web_files(n->web, conf->service.certificate, conf->service.key);
  relay_book_load(&n->relays, conf);
}
bool native_cert_alarm(struct native *n, char ret_why[WEB_CERT_BYTES], bool *ret_is_grave) {
  return web_cert_alarm(n->web, ret_why, ret_is_grave);
}
uint16_t native_port(const struct native *n) { return web_port(n->web, 0); }
struct counts *native_web_counts(struct native *n) {
  return web_counts(n->web);
}

void native_drain(struct native *n, uint32_t deadline_s) {
  char base[CONF_NAME_BYTES + 16];
  snprintf(base, sizeof(base), "https://%s", n->conf->service.edge);
  LIST_EACH(&n->user_list, at) {
    struct user *u = CONTAINER_OF(at, struct user, node);
    LIST_EACH_SAFE(&u->streams, st)
      stream_system_event(CONTAINER_OF(st, struct stream, node), "system.drain",
                          json_pack("{s:s,s:i}", "reconnect_to", base, "deadline_s", (int)deadline_s));
  }
}
