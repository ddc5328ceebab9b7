/* SPDX-License-Identifier: Apache-2.0
 * Who asks: a token, a session's cookie, or a client certificate. Judged on the web thread by a
 * request's header, before its body. What was found is good for a second, unless staff changed
 * meanwhile. */
#include "admin/desk.h"

#include "base/clock.h"
#include "base/hmac.h"

#include <stdio.h>

#define KNOWN_US 1000000u
#define TOUCH_MS 60000u

static struct known *known_slot(struct admin *a, const uint8_t digest[32]) {
  return &a->known[digest[0] % KNOWN_MAX];
}

static bool known_get(struct admin *a, const uint8_t digest[32], struct web_asker *ret) {
  struct known *k = known_slot(a, digest);
  uint64_t now_us = clock_now_us();
  pthread_mutex_lock(&a->lock);
  bool ok = k->until_us > now_us && k->generation == staff_generation(a->ledger) &&
            memcmp(k->who.credential, digest, 32) == 0;
  if (ok)
    *ret = k->who;
  pthread_mutex_unlock(&a->lock);
  return ok;
}

static void known_put(struct admin *a, const struct web_asker *who, uint64_t generation) {
  pthread_mutex_lock(&a->lock);
  *known_slot(a, who->credential) = (struct known){*who, generation, clock_now_us() + KNOWN_US};
  pthread_mutex_unlock(&a->lock);
}

static bool role_take(const char *name, struct web_asker *ret) {
  enum role r;
  bool ok = role_find(slice_of(name), &r);
  ret->role = (uint8_t)r;
  return ok;
}

static bool api_token_ok(struct admin *a, const uint8_t digest[32], struct web_asker *ret) {
  struct staff_token t;
  uint64_t wall_ms = clock_wall_ms();
  if (staff_token_find(a->ledger, digest, &t) < 0 || (t.expires_ms && t.expires_ms <= wall_ms) ||
      !role_take(t.role, ret))
    return false;
  if (wall_ms > t.last_used_ms + TOUCH_MS)
    staff_token_seen(a->ledger, digest, wall_ms);
  memcpy(ret->name, t.name, sizeof ret->name);
  return true;
}

static bool file_token_ok(struct admin *a, const uint8_t digest[32], struct web_asker *ret) {
  if (!slice_eq_secret(slice_from(digest, 32), slice_from(a->gate.digest, 32)))
    return false;
  memcpy(ret->name, "admin-token", sizeof "admin-token");
  ret->role = ROLE_ADMIN;
  return true;
}

bool who_token(struct admin *a, struct slice token, struct web_asker *ret) {
  memset(ret, 0, sizeof *ret);
  ret->by = BY_TOKEN;
  hash_sha256(token, ret->credential);
  return file_token_ok(a, ret->credential, ret) ||
         (slice_starts(token, SLICE("spa_")) && api_token_ok(a, ret->credential, ret));
}

/* A session is worth what opened it: a user that may still log in, a token that still stands. */
static bool origin_ok(struct admin *a, const struct staff_session *s, struct web_asker *ret) {
  static const uint8_t password[32];
  struct staff_user u;
  if (memcmp(s->origin, password, 32) != 0)
    return file_token_ok(a, s->origin, ret) || api_token_ok(a, s->origin, ret);
  if (staff_user_get(a->ledger, s->user, &u) < 0 || u.locked || !role_take(u.role, ret))
    return false;
  memcpy(ret->name, u.name, sizeof ret->name);
  return true;
}

bool who_session_ok(struct admin *a, const struct staff_session *s, struct web_asker *ret) {
  uint64_t wall_ms = clock_wall_ms();
  if (wall_ms > s->used_ms + SESSION_IDLE_MS || wall_ms > s->created_ms + SESSION_LIFE_MS)
    return false;
  memset(ret, 0, sizeof *ret);
  ret->by = BY_COOKIE;
  memcpy(ret->credential, s->digest, 32);
  if (!origin_ok(a, s, ret))
    return false;
  if (wall_ms > s->used_ms + TOUCH_MS)
    staff_session_seen(a->ledger, s->digest, wall_ms);
  return true;
}

static bool session_find(struct admin *a, const uint8_t digest[32], struct web_asker *ret) {
  struct staff_session s;
  return staff_session_find(a->ledger, digest, &s) == 0 && who_session_ok(a, &s, ret);
}

static bool who_find(struct admin *a, const struct web_knock *k, struct web_asker *ret) {
  uint8_t digest[32];
  struct slice shown = k->bearer.p ? k->bearer : web_cookie(k->cookie, "sallyport_session");
  uint64_t generation = staff_generation(a->ledger);
  if (!shown.n)
    return false;
  hash_sha256(shown, digest);
  if (known_get(a, digest, ret))
    return ret->by == (k->bearer.p ? BY_TOKEN : BY_COOKIE);
  if (!(k->bearer.p ? who_token(a, shown, ret) : session_find(a, digest, ret)))
    return false;
  known_put(a, ret, generation);
  return true;
}

static bool refuse(struct web_answer *ret, enum web_problem id, const char *detail) {
  web_answer_problem(ret, id, &(struct web_problem_info){.detail = detail});
  return false;
}

bool desk_who(void *arg, const struct web_knock *k, struct web_asker *ret_who, struct web_answer *ret) {
  const struct verb *v = &verbs[k->row->id];
  char detail[96];
  if (!who_find(arg, k, ret_who)) {
    memset(ret_who, 0, sizeof *ret_who);
    return v->role == ROLE_NONE || refuse(ret, WEB_PROBLEM_unauthorized, NULL);
  }
  bool changes = k->method != WEB_GET && k->method != WEB_HEAD;
  if (ret_who->by == BY_COOKIE && changes && !slice_eq(k->sallyport, SLICE("1")))
    return refuse(ret, WEB_PROBLEM_forbidden, "a change by cookie needs the header X-Sallyport: 1");
  if (role_may((enum role)ret_who->role, v->role))
    return true;
  snprintf(detail, sizeof detail, "this needs the role %s", role_text(v->role));
  return refuse(ret, WEB_PROBLEM_role, detail);
}
