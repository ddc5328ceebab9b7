/* SPDX-License-Identifier: Apache-2.0
 * Sessions: POST /login and /logout, GET /me, POST /me/password. Unknown users cost as much as known
 * ones. Web threads. */
#include "admin/desk.h"
#include "admin/password.h"

#include "base/clock.h"
#include "base/hmac.h"
#include "base/rand.h"

#include <stdio.h>

SHAPE(login, {"user", SHAPE_TEXT, 0, 1, STAFF_NAME_BYTES - 1},
      {"password", SHAPE_TEXT, SHAPE_SECRET, 1, PASSWORD_CHARS_MAX},
      {"token", SHAPE_TEXT, SHAPE_SECRET, 1, 256,
       .help = "The admin token or an API token, instead of user and password"});
SHAPE(logged_in, {"user", SHAPE_TEXT, SHAPE_MUST},
      {"role", SHAPE_TEXT, SHAPE_MUST, .choices = "viewer|operator|security|admin"});
SHAPE(me, {"user", SHAPE_TEXT, SHAPE_MUST},
      {"role", SHAPE_TEXT, SHAPE_MUST, .choices = "viewer|operator|security|admin"},
      {"by", SHAPE_TEXT, SHAPE_MUST, .choices = "token|cookie|certificate"},
      {"expires_at", SHAPE_TIME, SHAPE_MUST | SHAPE_NULL});
SHAPE(new_password, {"old", SHAPE_TEXT, SHAPE_MUST | SHAPE_SECRET, 1, PASSWORD_CHARS_MAX},
      {"new", SHAPE_TEXT, SHAPE_MUST | SHAPE_SECRET, PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX});

/* Guesses are counted by address (of IPv6 the /64, which is what one has), and by user from all
 * addresses together: the latter allows many, and does not hold up who logged in from that address
 * before, so that nobody locks somebody else out from afar. */
enum { FREE_OF_ADDRESS = 5, FREE_OF_USER = 100 };

struct try {
  const struct desk_ask *ask;
  struct slice user; /* p NULL: by token */
  char address[ADDR_TEXT_BYTES];
  char key[STAFF_NAME_BYTES + 8];
  char both[STAFF_NAME_BYTES + ADDR_TEXT_BYTES];
};

static void address_text(const struct addr *peer, char ret[ADDR_TEXT_BYTES]) {
  struct addr net = *peer;
  if (peer->sa.sa_family == AF_INET6)
    memset(&net.in6.sin6_addr.s6_addr[8], 0, 8);
  addr_ip_text(&net, ret, ADDR_TEXT_BYTES);
}

static void try_init(struct try *t, const struct desk_ask *ask, const char *user) {
  t->ask = ask;
  t->user = slice_of(user);
  address_text(&ask->web->peer, t->address);
  snprintf(t->key, sizeof t->key, "user:%s", user ? user : "");
  snprintf(t->both, sizeof t->both, "%s %s", t->address, user ? user : "");
}

/* Into the audit, with a name only where it is one of ours: people type passwords into the wrong field.
 */
static void try_denied(struct admin *a, const struct try *t, unsigned status) {
  struct staff_user u;
  bool known = t->user.p && staff_user_get(a->ledger, t->key + 5, &u) == 0;
  explicit_bzero(u.hash, sizeof u.hash);
  audit_denied(a, t->ask->verb, t->ask->who,
               known       ? u.name
               : t->user.p ? "unknown"
                           : NULL,
               &t->ask->web->peer, status);
}

/* True: may try now. */
static bool try_may(struct admin *a, const struct try *t, struct web_answer *ret) {
  uint64_t now_us = clock_now_us();
  pthread_mutex_lock(&a->lock);
  uint64_t wait_us = throttle_wait_us(a->throttle, slice_of(t->address), FREE_OF_ADDRESS, now_us);
  bool is_stranger = t->user.p && !throttle_has(a->familiar, slice_of(t->both));
  uint64_t user_us =
      is_stranger ? throttle_wait_us(a->throttle, slice_of(t->key), FREE_OF_USER, now_us) : 0;
  pthread_mutex_unlock(&a->lock);
  if (user_us > wait_us)
    wait_us = user_us;
  if (!wait_us)
    return true;
  try_denied(a, t, 429);
  web_answer_problem(ret, WEB_PROBLEM_rate,
                     &(struct web_problem_info){.detail = "too many failed logins",
                                                .retry_after_s = (uint32_t)(wait_us / 1000000u) + 1});
  return false;
}

static void try_failed(struct admin *a, const struct try *t, struct web_answer *ret) {
  uint64_t now_us = clock_now_us();
  pthread_mutex_lock(&a->lock);
  throttle_fail(a->throttle, slice_of(t->address), now_us);
  throttle_fail(a->throttle, slice_of(t->both), now_us);
  if (t->user.p)
    throttle_fail(a->throttle, slice_of(t->key), now_us);
  pthread_mutex_unlock(&a->lock);
  try_denied(a, t, 401);
  web_answer_problem(ret, WEB_PROBLEM_unauthorized,
                     &(struct web_problem_info){.detail = "user or password, or the token, is wrong"});
}

static void try_worked(struct admin *a, const struct try *t) {
  pthread_mutex_lock(&a->lock);
  unsigned own = throttle_clear(
      a->throttle, slice_of(t->both)); /* not those of others: one's own login is no pardon */
  throttle_forgive(a->throttle, slice_of(t->address), own);
  if (t->user.p) {
    throttle_forgive(a->throttle, slice_of(t->key), own);
    throttle_fail(a->familiar, slice_of(t->both), clock_now_us());
  }
  pthread_mutex_unlock(&a->lock);
}

/* 1, 0, or -EBUSY. */
static int password_try(struct admin *a, const struct try *t, const char *password,
                        struct web_asker *ret) {
  struct staff_user u = {0};
  enum role role = ROLE_NONE;
  bool known = staff_user_get(a->ledger, t->key + 5, &u) == 0 && role_find(slice_of(u.role), &role);
  int ok = password_check(known ? u.hash : NULL, slice_of(password));
  explicit_bzero(u.hash, sizeof u.hash);
  *ret = (struct web_asker){.role = (uint8_t)role, .by = BY_COOKIE};
  memcpy(ret->name, u.name, sizeof ret->name);
  return ok == 1 && u.locked ? 0 : ok;
}

static int session_open(struct admin *a, const struct web_asker *who, char cookie[WEB_COOKIE_BYTES]) {
  uint8_t random[32];
  char text[48];
  struct staff_session s = {.created_ms = clock_wall_ms()};
  rand_bytes(random, sizeof random);
  size_t n = base64_encode(text, random, sizeof random, true);
  s.used_ms = s.created_ms;
  hash_sha256(slice_from(text, n), s.digest);
  memcpy(s.user, who->name, sizeof s.user);
  if (who->by == BY_TOKEN)
    memcpy(s.origin, who->credential, sizeof s.origin);
  snprintf(cookie, WEB_COOKIE_BYTES,
           "sallyport_session=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%u%s", text,
           (unsigned)(a->session_life_ms / 1000u), a->is_tls ? "; Secure" : "");
  explicit_bzero(random, sizeof random);
  explicit_bzero(text, sizeof text);
  return staff_session_add(a->ledger, &s, s.created_ms - a->session_idle_ms,
                           s.created_ms - a->session_life_ms);
}

static void session_answer(struct admin *a, struct desk_ask *ask, const struct web_asker *who,
                           struct web_answer *ret) {
  if (session_open(a, who, ret->cookie) < 0) {
    ret->cookie[0] = 0;
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
    return;
  }
  if (who->by == BY_COOKIE)
    staff_user_seen(a->ledger, who->name, clock_wall_ms());
  ask->after =
      json_pack("{s:s, s:s}", "user", who->name, "by", who->by == BY_TOKEN ? "token" : "password");
  desk_json(ret, 200,
            json_pack("{s:s, s:s}", "user", who->name, "role", role_text((enum role)who->role)));
}

void verb_login(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  const char *user = json_string_value(json_object_get(ask->body, "user"));
  const char *password = json_string_value(json_object_get(ask->body, "password"));
  const char *token = json_string_value(json_object_get(ask->body, "token"));
  struct try t;
  if (token ? user || password : !user || !password) {
    desk_wrong(ret, token ? "/token" : user ? "/password" : "/user", "user and password, or a token");
    return;
  }
  try_init(&t, ask, user);
  if (!try_may(a, &t, ret))
    return;
  int ok =
      token ? who_token(a, slice_of(token), &ask->found) : password_try(a, &t, password, &ask->found);
  if (ok < 0)
    web_answer_problem(ret, WEB_PROBLEM_rate,
                       &(struct web_problem_info){.detail = "other logins are being looked at"});
  else if (!ok)
    try_failed(a, &t, ret);
  else {
    try_worked(a, &t);
    if (ask->who->by == BY_COOKIE) /* the one that was there before is over: nobody else goes on by it */
      (void)!staff_session_del(a->ledger, ask->who->credential);
    ask->as = &ask->found;
    session_answer(a, ask, &ask->found, ret);
  }
}

void verb_logout(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  if (ask->who->by == BY_COOKIE)
    (void)!staff_session_del(a->ledger, ask->who->credential);
  snprintf(ret->cookie, sizeof ret->cookie,
           "sallyport_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0%s",
           a->is_tls ? "; Secure" : "");
  ret->status = 204;
}

void verb_self(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  static const char *const by[] = {"nobody", "token", "cookie", "certificate"};
  uint64_t at_ms = ask->who->until_ms < UINT64_MAX ? ask->who->until_ms : 0;
  char text[CLOCK_TEXT_BYTES];
  const struct web_member members[] = {{"user", ask->who->name},
                                       {"role", role_text((enum role)ask->who->role)},
                                       {"by", by[ask->who->by]},
                                       {"expires_at", at_ms ? clock_text(at_ms, text) : NULL}};
  (void)a;
  (void)!web_answer_members(ret, 200, members, COUNT_OF(members));
}

/* One's own password; the other sessions of the user end. */
void verb_my_password(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  const char *old = json_string_value(json_object_get(ask->body, "old"));
  const char *new = json_string_value(json_object_get(ask->body, "new"));
  struct staff_user u;
  struct web_asker who;
  struct try t;
  try_init(&t, ask, ask->who->name);
  if (ask->who->by != BY_COOKIE || staff_user_get(a->ledger, ask->who->name, &u) < 0) {
    web_answer_problem(ret, WEB_PROBLEM_forbidden,
                       &(struct web_problem_info){.detail = "only a user who logged in has a password"});
    return;
  }
  if (!try_may(a, &t, ret))
    return;
  int ok = password_try(a, &t, old, &who);
  if (ok == 0) {
    try_failed(a, &t, ret);
    return;
  }
  if (ok < 0 || password_hash(slice_of(new), u.hash) < 0 || staff_user_set(a->ledger, &u) < 0 ||
      staff_sessions_end(a->ledger, u.name) < 0)
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
  else
    ret->status = 204;
  explicit_bzero(&u, sizeof u);
}
