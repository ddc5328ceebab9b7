/* SPDX-License-Identifier: Apache-2.0
 * Operators' users and API tokens: /admin/v1/users, /admin/v1/api-tokens. Who is not admin touches no
 * admin. Web threads. */
#include "admin/desk.h"
#include "admin/password.h"

#include "base/clock.h"
#include "base/hmac.h"
#include "base/rand.h"

#include <stdio.h>

#define ROLES "viewer|operator|security|admin"

SHAPE(user_new,
      {"name", SHAPE_TEXT, SHAPE_MUST | SHAPE_WORD, 1, STAFF_NAME_BYTES - 1, .help = "Letters, digits and ._@+-"},
      {"role", SHAPE_TEXT, SHAPE_MUST, .choices = ROLES},
      {"password", SHAPE_TEXT, SHAPE_MUST | SHAPE_SECRET, PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX});
SHAPE(user_patch, {"role", SHAPE_TEXT, 0, .choices = ROLES},
      {"password", SHAPE_TEXT, SHAPE_SECRET, PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX},
      {"locked", SHAPE_BOOL});
SHAPE(user, {"name", SHAPE_TEXT, SHAPE_MUST}, {"role", SHAPE_TEXT, SHAPE_MUST, .choices = ROLES},
      {"created_at", SHAPE_TIME, SHAPE_MUST}, {"last_login_at", SHAPE_TIME, SHAPE_MUST | SHAPE_NULL},
      {"locked", SHAPE_BOOL, SHAPE_MUST}, {"etag", SHAPE_TEXT, SHAPE_MUST});
SHAPE(users, {"users", SHAPE_LIST, SHAPE_MUST, .inner = &shape_user},
      {"cursor", SHAPE_TEXT, SHAPE_MUST | SHAPE_NULL});
SHAPE(api_token_new,
      {"name", SHAPE_TEXT, SHAPE_MUST | SHAPE_WORD, 1, STAFF_NAME_BYTES - 1, .help = "Letters, digits and ._@+-"},
      {"role", SHAPE_TEXT, SHAPE_MUST, .choices = ROLES},
      {"expires_at", SHAPE_TIME, SHAPE_NULL, .help = "Absent: never"});
SHAPE(api_token, {"id", SHAPE_TEXT, SHAPE_MUST}, {"name", SHAPE_TEXT, SHAPE_MUST},
      {"role", SHAPE_TEXT, SHAPE_MUST, .choices = ROLES}, {"by", SHAPE_TEXT, SHAPE_MUST},
      {"created_at", SHAPE_TIME, SHAPE_MUST}, {"expires_at", SHAPE_TIME, SHAPE_MUST | SHAPE_NULL},
      {"last_used_at", SHAPE_TIME, SHAPE_MUST | SHAPE_NULL},
      {"token", SHAPE_TEXT, SHAPE_SECRET, .help = "Only in the answer that made it"});
SHAPE(api_tokens, {"api_tokens", SHAPE_LIST, SHAPE_MUST, .inner = &shape_api_token},
      {"cursor", SHAPE_TEXT, SHAPE_MUST | SHAPE_NULL});

static bool name_ok(const char *name) {
  static const char *const ours[] = {"admin-token", "nobody", "unknown",
                                     "sallyport"}; /* the audit's words */
  for (size_t i = 0; i < COUNT_OF(ours); i++)
    if (strcasecmp(name, ours[i]) == 0)
      return false;
  return name[0] && strlen(name) < STAFF_NAME_BYTES &&
         name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-")] == 0;
}

static const char *member(const struct desk_ask *ask, const char *name) {
  return json_string_value(json_object_get(ask->body, name));
}

/* Only an admin makes, changes or deletes what is admin. */
static bool role_in_reach(const struct desk_ask *ask, const char *role, struct web_answer *ret) {
  if (ask->who->role == ROLE_ADMIN || strcmp(role, "admin") != 0)
    return true;
  web_answer_problem(ret, WEB_PROBLEM_role,
                     &(struct web_problem_info){.detail = "this needs the role admin"});
  return false;
}

static void user_etag(const struct staff_user *u, char etag[WEB_ETAG_BYTES]) {
  json_t *j = json_pack("[s, s, s, b]", u->name, u->role, u->hash, (int)u->locked);
  desk_etag(etag, j);
  json_decref(j);
}

static json_t *user_json(const struct staff_user *u) {
  char etag[WEB_ETAG_BYTES];
  user_etag(u, etag);
  return json_pack("{s:s, s:s, s:o, s:o, s:b, s:s}", "name", u->name, "role", u->role, "created_at",
                   web_time(u->created_ms), "last_login_at", web_time(u->last_login_ms), "locked",
                   (int)u->locked, "etag", etag);
}

static void user_answer(const struct staff_user *u, unsigned status, struct web_answer *ret) {
  user_etag(u, ret->etag);
  desk_json(ret, status, user_json(u));
}

void verb_users(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct staff_user *list = NULL;
  size_t n = 0;
  json_t *all = json_array();
  (void)!staff_users(a->ledger, &list, &n);
  for (size_t i = 0; i < n; i++)
    json_array_append_new(all, user_json(&list[i]));
  free(list);
  desk_page(ask, "users", "name", all, ret);
}

/* 0, or answered. */
static int password_take(const char *password, struct staff_user *u, struct web_answer *ret) {
  int r = password_hash(slice_of(password), u->hash);
  if (r < 0)
    web_answer_problem(ret, r == -EBUSY ? WEB_PROBLEM_rate : WEB_PROBLEM_overload, NULL);
  return r;
}

static void added_answer(int r, const char *pointer, struct web_answer *ret) {
  if (r == -EEXIST)
    web_answer_problem(ret, WEB_PROBLEM_exists, NULL);
  else if (r == -ENOSPC)
    desk_wrong(ret, pointer, "there are 1000 already");
  else
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
}

void verb_user_new(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct staff_user u = {.created_ms = clock_wall_ms()};
  const char *name = member(ask, "name"), *role = member(ask, "role");
  if (!name_ok(name)) {
    desk_wrong(ret, "/name", "1 to 64 of letters, digits and ._@+-, none of our own names");
    return;
  }
  if (!role_in_reach(ask, role, ret) || password_take(member(ask, "password"), &u, ret) < 0)
    return;
  (void)!slice_copy(u.name, sizeof u.name, slice_of(name));
  (void)!slice_copy(u.role, sizeof u.role, slice_of(role));
  int r = staff_user_add(a->ledger, &u);
  if (r < 0) {
    added_answer(r, "/name", ret);
    return;
  }
  snprintf(ret->location, sizeof ret->location, "/admin/v1/users/%s", u.name);
  user_answer(&u, 201, ret);
}

static bool user_find(struct admin *a, const struct desk_ask *ask, struct staff_user *u,
                      struct web_answer *ret) {
  if (staff_user_get(a->ledger, ask->web->params.text[0], u) == 0)
    return true;
  web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  return false;
}

/* The user as it was found, and it may be changed. */
static bool user_open(struct admin *a, struct desk_ask *ask, struct staff_user *u,
                      struct web_answer *ret) {
  char etag[WEB_ETAG_BYTES];
  if (!user_find(a, ask, u, ret))
    return false;
  user_etag(u, etag);
  if (!role_in_reach(ask, u->role, ret) || !desk_match(ask, etag, ret))
    return false;
  ask->before = user_json(u);
  return true;
}

void verb_user(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct staff_user u;
  if (user_find(a, ask, &u, ret))
    user_answer(&u, 200, ret);
}

void verb_user_patch(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct staff_user u;
  const char *role = member(ask, "role"), *password = member(ask, "password");
  const json_t *locked = json_object_get(ask->body, "locked");
  if (!user_open(a, ask, &u, ret) || (role && !role_in_reach(ask, role, ret)) ||
      (password && password_take(password, &u, ret) < 0))
    return;
  if (role)
    (void)!slice_copy(u.role, sizeof u.role, slice_of(role));
  if (locked)
    u.locked = json_is_true(locked);
  int r = staff_user_set(a->ledger, &u);
  if (r == 0 && (password || u.locked))
    r = staff_sessions_end(a->ledger, u.name);
  if (r == 0)
    user_answer(&u, 200, ret);
  else
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
}

void verb_user_del(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct staff_user u;
  if (!user_open(a, ask, &u, ret))
    return;
  if (staff_user_del(a->ledger, u.name) == 0)
    ret->status = 204;
  else
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
}

static json_t *token_json(const struct staff_token *t) {
  return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "id", t->id, "name", t->name, "role", t->role,
                   "by", t->by, "created_at", web_time(t->created_ms), "expires_at",
                   web_time(t->expires_ms), "last_used_at", web_time(t->last_used_ms));
}

void verb_api_tokens(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct staff_token *list = NULL;
  size_t n = 0;
  json_t *all = json_array();
  (void)!staff_tokens(a->ledger, &list, &n);
  for (size_t i = 0; i < n; i++)
    json_array_append_new(all, token_json(&list[i]));
  free(list);
  desk_page(ask, "api_tokens", "created_at", all, ret);
}

static void token_answer(const struct staff_token *t, const char *text, struct desk_ask *ask,
                         struct web_answer *ret) {
  json_t *doc = token_json(t);
  ask->after = json_copy(doc);
  json_object_set_new(doc, "token", json_string(text));
  snprintf(ret->location, sizeof ret->location, "/admin/v1/api-tokens/%s", t->id);
  desk_json(ret, 201, doc);
}

void verb_api_token_new(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct staff_token t = {.id = "at_", .created_ms = clock_wall_ms()};
  const char *name = member(ask, "name"), *role = member(ask, "role"),
             *expires = member(ask, "expires_at");
  char text[48] = "spa_";
  if (!name_ok(name)) {
    desk_wrong(ret, "/name", "1 to 64 of letters, digits and ._@+-, none of our own names");
    return;
  }
  if (expires && (!desk_time(expires, &t.expires_ms) || t.expires_ms <= t.created_ms)) {
    desk_wrong(ret, "/expires_at", "a time in the future is expected");
    return;
  }
  if (!role_in_reach(ask, role, ret))
    return;
  rand_text(t.id + 3, 16);
  rand_text(text + 4, 42);
  hash_sha256(slice_of(text), t.digest);
  (void)!slice_copy(t.name, sizeof t.name, slice_of(name));
  (void)!slice_copy(t.role, sizeof t.role, slice_of(role));
  memcpy(t.by, ask->who->name, sizeof t.by);
  int r = staff_token_add(a->ledger, &t);
  if (r == 0)
    token_answer(&t, text, ask, ret);
  else
    added_answer(r, "/name", ret);
  explicit_bzero(text, sizeof text);
}

void verb_api_token_del(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct staff_token *list = NULL, gone;
  size_t n = 0, i = 0;
  const char *id = ask->web->params.text[0];
  (void)!staff_tokens(a->ledger, &list, &n);
  while (i < n && strcmp(list[i].id, id) != 0)
    i++;
  if (i == n)
    web_answer_problem(ret, WEB_PROBLEM_not_found, NULL);
  else if (role_in_reach(ask, list[i].role, ret)) {
    ask->before = token_json(&list[i]);
    if (staff_token_del(a->ledger, id, &gone) == 0)
      ret->status = 204;
    else
      web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
  }
  free(list);
}
