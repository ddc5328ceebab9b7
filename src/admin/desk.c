/* SPDX-License-Identifier: Apache-2.0
 * The way of a request through the desk: body against its shape, the verb's function on its thread, and
 * what comes after. Web threads, but desk_asked(). */
#include "admin/desk.h"

#include "base/clock.h"
#include "base/hmac.h"

void desk_wrong(struct web_answer *ret, const char *pointer, const char *reason) {
  const struct web_problem_error e = {pointer, reason};
  web_answer_problem(
      ret, WEB_PROBLEM_field,
      &(struct web_problem_info){.status = 422, .detail = reason, .errors = &e, .errors_n = 1});
}

void desk_wrong_query(struct web_answer *ret, const char *name, const char *reason) {
  const struct web_problem_error e = {name, reason};
  web_answer_problem(ret, WEB_PROBLEM_field,
                     &(struct web_problem_info){.detail = reason, .errors = &e, .errors_n = 1});
}

bool desk_query_time(const struct web_ask *ask, const char *name, uint64_t *ret_ms,
                     struct web_answer *ret) {
  char text[DESK_TIME_BYTES];
  int r = web_query(ask, name, text, sizeof text);
  if (r == -ENOENT || (r == 0 && desk_time(text, ret_ms)))
    return true;
  desk_wrong_query(ret, name, "not a time like 2027-01-31T23:59:59Z");
  return false;
}

bool desk_query_text(const struct web_ask *ask, const char *name, char *dst, size_t bytes,
                     struct web_answer *ret) {
  int r = web_query(ask, name, dst, bytes);
  if (r == 0 || r == -ENOENT)
    return true;
  desk_wrong_query(ret, name, "too long, given twice, or badly escaped");
  return false;
}

void desk_json(struct web_answer *ret, unsigned status, json_t *doc) {
  (void)web_answer_json(ret, status, doc);
  json_decref(doc);
}

void desk_etag(char ret[WEB_ETAG_BYTES], const json_t *thing) {
  uint8_t digest[HMAC_SHA256_BYTES];
  own_mem char *text = json_dumps(thing, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
  hash_sha256(slice_of(text), digest);
  ret[0] = '"';
  char b64[48];
  size_t n = base64_encode(b64, digest, 18, true);
  memcpy(ret + 1, b64, n);
  ret[n + 1] = '"';
  ret[n + 2] = 0;
}

/* One of the list is the tag, or the list is a star (RFC 9110 13.1.1; weak tags never match). */
static bool tag_listed(struct slice list, const char *etag) {
  if (slice_eq(slice_trim(list), SLICE("*")))
    return true;
  while (list.p)
    if (slice_eq(slice_trim(slice_cut(&list, ',')), slice_of(etag)))
      return true;
  return false;
}

/* A read of what the client has already (RFC 9110 13.1.2: here a weak tag matches too). */
static void none_match(const struct desk_ask *ask, struct web_answer *ret) {
  struct slice list = ask->web->if_none_match;
  bool same = slice_eq(slice_trim(list), SLICE("*"));
  if (ret->status != 200 || !ret->etag[0] || !list.p)
    return;
  while (list.p && !same) {
    struct slice tag = slice_trim(slice_cut(&list, ','));
    if (slice_starts(tag, SLICE("W/")))
      tag = slice_from(tag.p + 2, tag.n - 2);
    same = slice_eq(tag, slice_of(ret->etag));
  }
  if (!same)
    return;
  free(ret->body);
  ret->body = NULL;
  ret->body_bytes = 0;
  ret->type = NULL;
  ret->status = 304;
}

bool desk_match(const struct desk_ask *ask, const char *etag, struct web_answer *ret) {
  if (!ask->web->if_match.p)
    web_answer_problem(ret, WEB_PROBLEM_etag_missing, NULL);
  else if (!tag_listed(ask->web->if_match, etag))
    web_answer_problem(ret, WEB_PROBLEM_etag, NULL);
  else
    return true;
  return false;
}

json_t *desk_merge(const json_t *target, const json_t *patch) {
  const char *name;
  json_t *value;
  if (!json_is_object(patch))
    return json_deep_copy(patch);
  json_t *out = json_is_object(target) ? json_copy((json_t *)(uintptr_t)target) : json_object();
  json_object_foreach((json_t *)(uintptr_t)patch, name, value) {
    if (json_is_null(value))
      json_object_del(out, name);
    else
      json_object_set_new(out, name, desk_merge(json_object_get(out, name), value));
  }
  return out;
}

/* The body as an object, or an answer. */
static json_t *body_read(const struct verb *v, const struct web_ask *ask, struct web_answer *ret) {
  struct shape_fault f;
  json_t *body = NULL;
  if (v->method == WEB_GET)
    return json_object();
  if (web_json_parse(ask->body, &body) < 0) {
    web_answer_problem(ret, WEB_PROBLEM_bad_json, NULL);
    return NULL;
  }
  shape_whole(body);
  if (shape_check(v->body, body, &f))
    return body;
  desk_wrong(ret, f.pointer, f.reason);
  json_decref(body);
  return NULL;
}

/* What a request leaves until its answer goes out. */
struct desk_note {
  struct admin *a;
  const struct verb *verb;
  struct web_asker who;
  char from[ADDR_TEXT_BYTES];
  char *what, *before, *after; /* before and after are JSON; NULL: nothing. */
  bool has_key, finished;
  uint8_t key[32]; /* key is of Idempotency-Key, where has_key. */
};

static bool verb_changes(const struct verb *v) {
  return v->flags & VERB_TOLD || (v->method != WEB_GET && !(v->flags & VERB_QUIET));
}

/* What is too long for the audit is told by its digest. */
static char *audit_text(const json_t *j) {
  uint8_t digest[HMAC_SHA256_BYTES];
  char b64[48], *text = j ? json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
  size_t n = text ? strlen(text) : 0;
  if (n <= AUDIT_TEXT_BYTES)
    return text;
  hash_sha256(slice_from(text, n), digest);
  free(text);
  base64_encode(b64, digest, sizeof digest, true);
  json_t *cut = json_pack("{s:I, s:s}", "bytes", (json_int_t)n, "sha256", b64);
  text = json_dumps(cut, JSON_COMPACT);
  json_decref(cut);
  return text;
}

static void note_init(struct desk_note *n, struct admin *a, const struct desk_ask *d) {
  *n = (struct desk_note){.a = a, .verb = d->verb, .who = d->as ? *d->as : *d->who};
  addr_ip_text(&d->web->peer, n->from, sizeof n->from);
  n->what = slice_dup(d->web->path);
  n->before = audit_text(d->before);
  json_t *body = d->after ? json_incref(d->after) : shape_cut(d->verb->body, d->body);
  n->after = json_object_size(body) || d->after ? audit_text(body) : NULL;
  json_decref(body);
}

static void note_done(struct desk_note *n) {
  if (n->has_key && !n->finished) {
    pthread_mutex_lock(&n->a->lock);
    again_drop(n->a->again, n->key);
    pthread_mutex_unlock(&n->a->lock);
  }
  free(n->what);
  free(n->before);
  free(n->after);
}

void desk_note_free(void *note) {
  note_done(note);
  free(note);
}

/* Before the answer goes out: the change is written down, the answer kept for who asks again. */
void desk_finish(void *arg, void *note, struct web_answer *answer) {
  struct admin *a = arg;
  struct desk_note *n = note;
  bool done = answer->status >= 200 && answer->status < 300;
  if (!done && n->verb->role == ROLE_ADMIN &&
      verb_changes(n->verb)) /* a commit that failed, and its like */
    (void)!audit_note(a, n->verb, &n->who, n->from, n->what, n->before, n->after, answer->status);
  if (done && n->verb->flags & VERB_KEPT && keep_write(a) < 0) {
    web_answer_done(answer);
    web_answer_problem(
        answer, WEB_PROBLEM_internal,
        &(struct web_problem_info){
            .detail = "this was done, but it could not be written down: a restart forgets it"});
  }
  if (done && verb_changes(n->verb) &&
      audit_note(a, n->verb, &n->who, n->from, n->what, n->before, n->after, answer->status) < 0) {
    web_answer_done(answer);
    web_answer_problem(answer, WEB_PROBLEM_internal,
                       &(struct web_problem_info){
                           .detail = "this was done, but it could not be written into the audit"});
  }
  if (!n->has_key || n->finished)
    return;
  const struct web_answer once = {.status = answer->status};
  pthread_mutex_lock(&a->lock);
  again_finish(a->again, n->key, done && n->verb->flags & VERB_ONCE ? &once : answer);
  pthread_mutex_unlock(&a->lock);
  n->finished = true;
}

/* Of the whole of a request: who, verb, path, key; and of what was asked. */
static void again_keys(const struct desk_ask *d, uint8_t key[32], uint8_t body[32]) {
  uint8_t parts[4][32];
  memcpy(parts[0], d->who->credential, 32);
  hash_sha256(slice_of(d->verb->id), parts[1]);
  hash_sha256(d->web->idempotency_key, parts[2]);
  hash_sha256(d->web->path, parts[3]);
  hash_sha256(slice_from(parts, sizeof parts), key);
  hash_sha256(d->web->body, body);
}

static bool again_answer(enum again_state s, const struct verb *v, struct web_answer *ret) {
  if (s == AGAIN_REPLAY && v->flags & VERB_ONCE && ret->status < 300) {
    web_answer_done(ret);
    web_answer_problem(
        ret, WEB_PROBLEM_exists,
        &(struct web_problem_info){
            .detail = "this was done already; the secret of its answer is not told again"});
  }
  static const enum web_problem problems[] = {[AGAIN_IN_FLIGHT] = WEB_PROBLEM_in_flight,
                                              [AGAIN_OTHER_BODY] = WEB_PROBLEM_idempotency,
                                              [AGAIN_FULL] = WEB_PROBLEM_overload};
  if (s != AGAIN_REPLAY)
    web_answer_problem(ret, problems[s], NULL);
  return false;
}

/* True: go on, with the key in the note where there is one. */
static bool again_take(struct admin *a, const struct desk_ask *d, struct desk_note *n,
                       struct web_answer *ret) {
  uint8_t body[32];
  struct slice key = d->web->idempotency_key;
  if (d->verb->method != WEB_POST || d->verb->role == ROLE_NONE || !key.p)
    return true;
  if (!key.n || key.n > 128 || !slice_is_ascii(key)) {
    web_answer_problem(
        ret, WEB_PROBLEM_bad_request,
        &(struct web_problem_info){.detail = "Idempotency-Key has 1 to 128 characters of ASCII"});
    return false;
  }
  again_keys(d, n->key, body);
  pthread_mutex_lock(&a->lock);
  enum again_state s = again_begin(a->again, n->key, body, clock_now_us(), ret);
  pthread_mutex_unlock(&a->lock);
  n->has_key = s == AGAIN_NEW;
  return s == AGAIN_NEW || again_answer(s, d->verb, ret);
}

/* A change that could not be written down is not made. */
static bool audit_ready(struct admin *a, const struct verb *v, struct web_answer *ret) {
  if (!verb_changes(v) || ledger_probe(a->ledger))
    return true;
  web_answer_problem(ret, WEB_PROBLEM_overload,
                     &(struct web_problem_info){.detail = "the audit cannot be written"});
  return false;
}

/* On the web thread, or what the call thread will need afterwards is noted. */
static void desk_run(struct admin *a, struct desk_ask *d, struct web_answer *ret) {
  struct desk_note key = {.a = a};
  if (!audit_ready(a, d->verb, ret) || !again_take(a, d, &key, ret))
    return;
  if (d->verb->thread == VERB_WEB)
    d->verb->fn(a, d, ret);
  struct desk_note *n = calloc(1, sizeof *n);
  if (!n) {
    note_done(&key);
    return;
  }
  note_init(n, a, d);
  n->has_key = key.has_key;
  memcpy(n->key, key.key, sizeof n->key);
  if (d->verb->thread == VERB_CALL) {
    *d->web->note = n;
    return;
  }
  if (!ret->status)
    web_answer_problem(ret, WEB_PROBLEM_internal, NULL);
  desk_finish(a, n, ret);
  desk_note_free(n);
}

static void ask_done(struct desk_ask *d) {
  json_decref(d->body);
  json_decref(d->before);
  json_decref(d->after);
}

void desk_direct(void *arg, const struct web_ask *ask, struct web_answer *ret) {
  struct desk_ask d = {.web = ask, .verb = &verbs[ask->row->id], .who = &ask->who};
  if (d.verb->flags & VERB_MATCH && !ask->if_match.p) {
    web_answer_problem(ret, WEB_PROBLEM_etag_missing, NULL);
    return;
  }
  if (!desk_query_ok(&d, ret))
    return;
  bool is_read = d.verb->method == WEB_GET && !(d.verb->flags & VERB_TOLD);
  if (is_read && d.verb->thread == VERB_WEB) {
    d.verb->fn(arg, &d, ret);
    none_match(&d, ret);
  } else if (!is_read && (d.body = body_read(d.verb, ask, ret))) {
    desk_run(arg, &d, ret);
  }
  ask_done(&d);
}

void desk_asked(void *arg, const struct web_ask *ask) {
  struct admin *a = arg;
  if (ask->kind != WEB_ASK_REQUEST)
    return;
  struct web_answer answer = {0};
  struct desk_ask d = {.web = ask, .verb = &verbs[ask->row->id], .who = &ask->who};
  d.body = body_read(d.verb, ask, &answer); /* it was good on the web thread */
  if (d.body)
    d.verb->fn(a, &d, &answer);
  ask_done(&d);
  if (answer.status)
    web_reply(a->web, ask->handle, &answer);
}
