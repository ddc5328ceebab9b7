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
  uint64_t now_us = clock_coarse_us();
  pthread_mutex_lock(&a->lock);
  bool ok = k->until_us > now_us && k->who.generation == staff_generation(a->ledger) &&
            memcmp(k->who.credential, digest, 32) == 0;
  if (ok)
    *ret = k->who;
  pthread_mutex_unlock(&a->lock);
  return ok;
}

static void known_put(struct admin *a, const struct web_asker *who) {
  pthread_mutex_lock(&a->lock);
  *known_slot(a, who->credential) = (struct known){*who, clock_coarse_us() + KNOWN_US};
  pthread_mutex_unlock(&a->lock);
}

/* Where a credential's worth ends by itself. */
#define NEVER_MS UINT64_MAX

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
  ret->until_ms = t.expires_ms ? t.expires_ms : NEVER_MS;
  memcpy(ret->name, t.name, sizeof ret->name);
  return true;
}

static bool file_token_ok(struct admin *a, const uint8_t digest[32], struct web_asker *ret) {
  if (!slice_eq_secret(slice_from(digest, 32), slice_from(a->gate.digest, 32)))
    return false;
  memcpy(ret->name, "admin-token", sizeof "admin-token");
  ret->until_ms = NEVER_MS;
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
  ret->until_ms = NEVER_MS;
  return true;
}

static uint64_t who_session_until_ms(const struct admin *a, const struct staff_session *s) {
  uint64_t idle_ms = s->used_ms + a->session_idle_ms, life_ms = s->created_ms + a->session_life_ms;
  return idle_ms < life_ms ? idle_ms : life_ms;
}

/* is_use: somebody asks with it now, so that it is not idle. */
static bool session_find(struct admin *a, const uint8_t digest[32], bool is_use, struct web_asker *ret) {
  struct staff_session s;
  uint64_t wall_ms = clock_wall_ms();
  memset(ret, 0, sizeof *ret);
  if (staff_session_find(a->ledger, digest, &s) < 0 || wall_ms > who_session_until_ms(a, &s) ||
      !origin_ok(a, &s, ret))
    return false;
  uint64_t touch_ms = a->session_idle_ms / 8 < TOUCH_MS ? a->session_idle_ms / 8 : TOUCH_MS;
  if (is_use && wall_ms > s.used_ms + touch_ms) {
    s.used_ms = wall_ms;
    staff_session_seen(a->ledger, digest, wall_ms);
  }
  uint64_t until_ms = who_session_until_ms(a, &s);
  ret->until_ms = ret->until_ms < until_ms ? ret->until_ms : until_ms;
  ret->by = BY_COOKIE;
  memcpy(ret->credential, digest, 32);
  return true;
}

static bool cert_find(struct admin *a, const struct web_peer *p, struct web_asker *ret) {
  const struct cert_row *row = NULL;
  memset(ret, 0, sizeof *ret);
  if (!p || clock_wall_ms() >= p->until_ms)
    return false;
  pthread_mutex_lock(&a->lock);
  for (size_t i = 0; i < a->certs_n && !row; i++)
    row = cert_row_fits(&a->certs[i], p) ? &a->certs[i] : NULL;
  if (row) {
    memcpy(ret->name, row->name, sizeof row->name);
    ret->role = (uint8_t)row->role;
    ret->generation = a->certs_generation + p->lists;
  }
  pthread_mutex_unlock(&a->lock);
  ret->by = BY_CERTIFICATE;
  ret->until_ms = p->until_ms;
  memcpy(ret->credential, p->digest, 32);
  return row;
}

static bool same_rows(const struct admin *a, const struct cert_row *rows, size_t n) {
  bool same = n == a->certs_n;
  for (size_t i = 0; same && i < n; i++)
    same = cert_row_same(&rows[i], &a->certs[i]);
  return same;
}

int admin_certificates(struct admin *a, const struct admin_certificate *rows, size_t n) {
  struct cert_row *list = calloc(n + 1, sizeof *list), *old = NULL;
  size_t good = 0;
  if (!list)
    return -ENOMEM;
  for (size_t i = 0; i < n && i < CERT_ROWS_MAX; i++)
    if (cert_row_read(&list[good], rows[i].name, rows[i].match, rows[i].role) == 0)
      good++;
  pthread_mutex_lock(&a->lock);
  bool same = same_rows(a, list, good);
  if (!same) {
    old = a->certs;
    a->certs = list;
    a->certs_n = good;
    a->certs_generation++;
  }
  pthread_mutex_unlock(&a->lock);
  free(same ? list : old);
  return 0;
}

/* By what the header shows: a token, else a cookie. */
static bool shown_find(struct admin *a, const struct web_knock *k, struct web_asker *ret) {
  uint8_t digest[32];
  struct slice shown = k->bearer.p ? k->bearer : web_cookie(k->cookie, "sallyport_session");
  uint64_t generation = staff_generation(a->ledger);
  if (!shown.n)
    return false;
  if (k->bearer.p)
    memcpy(digest, k->bearer_digest, 32);
  else
    hash_sha256(shown, digest);
  if (known_get(a, digest, ret))
    return ret->by == (k->bearer.p ? BY_TOKEN : BY_COOKIE);
  if (!(k->bearer.p ? who_token(a, shown, ret) : session_find(a, digest, true, ret)))
    return false;
  ret->generation = generation;
  known_put(a, ret);
  return true;
}

/* A wrong token is wrong, whatever else is there; a session that is over leaves the certificate. */
static bool who_find(struct admin *a, const struct web_knock *k, struct web_asker *ret) {
  return shown_find(a, k, ret) || (!k->bearer.p && cert_find(a, k->cert, ret));
}

/* What opened a long answer, looked up again by its digest. */
static bool who_again(struct admin *a, const struct web_asker *was, struct web_asker *ret) {
  memset(ret, 0, sizeof *ret);
  if (was->by == BY_COOKIE)
    return session_find(a, was->credential, false, ret);
  ret->by = was->by;
  memcpy(ret->credential, was->credential, 32);
  return was->by == BY_TOKEN &&
         (file_token_ok(a, was->credential, ret) || api_token_ok(a, was->credential, ret));
}

/* As its rows and the revocation lists were (both only grow); a change of them ends all, and who may
 * comes again. */
static bool cert_still(struct admin *a, const struct web_asker *who) {
  uint64_t lists = web_lists(a->web);
  pthread_mutex_lock(&a->lock);
  bool same = who->generation == a->certs_generation + lists;
  pthread_mutex_unlock(&a->lock);
  return same && clock_wall_ms() < who->until_ms;
}

bool desk_still(void *arg, struct web_asker *who) {
  struct admin *a = arg;
  struct web_asker now;
  if (who->by == BY_CERTIFICATE)
    return cert_still(a, who);
  uint64_t generation = staff_generation(a->ledger);
  if (who->by == BY_NOBODY || (who->generation == generation && clock_wall_ms() < who->until_ms))
    return true;
  if (!who_again(a, who, &now) || now.role != who->role || strcmp(now.name, who->name) != 0)
    return false;
  now.generation = generation;
  *who = now;
  return true;
}

static bool refuse(struct web_answer *ret, enum web_problem id, const char *detail) {
  web_answer_problem(ret, id, &(struct web_problem_info){.detail = detail});
  return false;
}

/* By cookie or certificate, which a browser shows by itself: a change is asked for by a page of ours. */
static bool page_ok(const struct web_knock *k, const struct verb *v, const struct web_asker *who,
                    struct web_answer *ret) {
  bool changes = k->method != WEB_GET && k->method != WEB_HEAD;
  if (!changes || who->by == BY_TOKEN)
    return true;
  if (k->is_foreign)
    return refuse(ret, WEB_PROBLEM_origin, NULL);
  if (v->role == ROLE_NONE || who->by == BY_NOBODY || slice_eq(k->sallyport, SLICE("1")))
    return true;
  return refuse(ret, WEB_PROBLEM_forbidden,
                "a change by cookie or certificate needs the header X-Sallyport: 1");
}

static bool role_ok(const struct verb *v, const struct web_asker *who, struct web_answer *ret) {
  char detail[96];
  if (role_may((enum role)who->role, v->role))
    return true;
  snprintf(detail, sizeof detail, "this needs the role %s", role_text(v->role));
  return refuse(ret, WEB_PROBLEM_role, detail);
}

/* A wrong token, and what somebody known may not, is written down; that one has to log in is not. */
bool desk_who(void *arg, const struct web_knock *k, struct web_asker *ret_who, struct web_answer *ret) {
  const struct verb *v = &verbs[k->row->id];
  bool known = who_find(arg, k, ret_who);
  if (!known)
    memset(ret_who, 0, sizeof *ret_who);
  bool ok = page_ok(k, v, ret_who, ret);
  if (ok && !known && v->role != ROLE_NONE)
    ok = refuse(ret, WEB_PROBLEM_unauthorized, NULL);
  if (ok && known)
    ok = role_ok(v, ret_who, ret);
  if (!ok && (known || k->bearer.p))
    audit_denied(arg, v, ret_who, NULL, &k->peer, ret->status);
  return ok;
}
