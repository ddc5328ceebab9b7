/* SPDX-License-Identifier: Apache-2.0
 * The way of a request through the desk: body against its shape, the verb's function on its thread, and
 * what comes after. Web threads, but desk_asked(). */
#include "admin/desk.h"

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
  if (shape_check(v->body, body, &f))
    return body;
  desk_wrong(ret, f.pointer, f.reason);
  json_decref(body);
  return NULL;
}

void desk_direct(void *arg, const struct web_ask *ask, struct web_answer *ret) {
  struct admin *a = arg;
  const struct verb *v = &verbs[ask->row->id];
  struct desk_ask d = {.web = ask, .verb = v, .who = &ask->who};
  if (v->flags & VERB_MATCH && !ask->if_match.p) {
    web_answer_problem(ret, WEB_PROBLEM_etag_missing, NULL);
    return;
  }
  d.body = body_read(v, ask, ret);
  if (d.body && v->thread == VERB_WEB) {
    v->fn(a, &d, ret);
    if (!ret->status)
      web_answer_problem(ret, WEB_PROBLEM_internal, NULL);
  }
  json_decref(d.body);
  json_decref(d.before);
  json_decref(d.after);
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
  json_decref(d.body);
  json_decref(d.before);
  json_decref(d.after);
  if (answer.status)
    web_reply(a->web, ask->handle, &answer);
}
