/* SPDX-License-Identifier: Apache-2.0
 * Health, metrics, and tokens of users: POST /admin/v1/tokens, DELETE /admin/v1/tokens/{jti}. Web
 * threads. */
#include "admin/desk.h"

#include "base/clock.h"

#include <stdio.h>

void verb_health(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  char why[ADMIN_REASON_BYTES] = "";
  (void)ask;
  if (!a->set.alive || a->set.alive(a->set.ready_arg, why))
    (void)web_answer_text(ret, 200, "text/plain; charset=utf-8", SLICE("ok\n"));
  else
    (void)web_answer_text(ret, 503, "text/plain; charset=utf-8", slice_of(why));
}

void verb_ready(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  char why[ADMIN_REASON_BYTES] = "";
  (void)ask;
  bool ready = !a->set.ready || a->set.ready(a->set.ready_arg, why);
  json_t *reasons = json_array(), *doc = json_object();
  if (!ready)
    json_array_append_new(reasons, json_string(why[0] ? why : "not ready"));
  json_object_set_new(doc, "ready", json_boolean(ready));
  json_object_set_new(doc, "reasons", reasons);
  (void)web_answer_json(ret, ready ? 200 : 503, doc);
  json_decref(doc);
}

/* A scraper that prefers OpenMetrics names it. */
static bool wants_open(const struct web_ask *ask) {
  static const char word[] = "application/openmetrics-text";
  return ask->accept.n && memmem(ask->accept.p, ask->accept.n, word, sizeof(word) - 1);
}

char *desk_metrics(struct admin *a, bool open, size_t *ret_bytes) {
  struct counts *tables[ADMIN_GROUPS_MAX];
  struct gauge gauges[ADMIN_GROUPS_MAX];
  pthread_mutex_lock(&a->lock);
  struct metrics m = {tables, a->tables_n, gauges, a->gauges_n, a->hists, a->hists_n};
  memcpy(tables, a->tables, sizeof(tables));
  memcpy(gauges, a->gauges, sizeof(gauges));
  pthread_mutex_unlock(&a->lock);
  return metrics_text(&m, open, ret_bytes);
}

void verb_metrics(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  bool open = wants_open(ask->web);
  ret->body = desk_metrics(a, open, &ret->body_bytes);
  ret->status = ret->body ? 200 : 500;
  ret->type = !ret->body ? NULL
              : open     ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                         : "text/plain; version=0.0.4; charset=utf-8";
}

SHAPE(ready, {"ready", SHAPE_BOOL, SHAPE_MUST}, {"reasons", SHAPE_LIST, SHAPE_MUST | SHAPE_OF_TEXT});
SHAPE(mint, {"identity", SHAPE_TEXT, SHAPE_MUST | SHAPE_WORD, 1, 64, .help = "Letters, digits and ._@+-"},
      {"tenant", SHAPE_TEXT, SHAPE_WORD, 1, 64}, {"scopes", SHAPE_LIST, SHAPE_MUST | SHAPE_OF_TEXT, 1, 16},
      {"numbers", SHAPE_LIST, SHAPE_OF_TEXT, 0, TOKEN_NUMBERS_MAX},
      {"ttl_s", SHAPE_INT, 0, 1, TOKEN_LIFE_MAX_S});
SHAPE(minted, {"token", SHAPE_TEXT, SHAPE_MUST | SHAPE_SECRET}, {"jti", SHAPE_TEXT, SHAPE_MUST},
      {"expires_at", SHAPE_TIME, SHAPE_MUST});

/* Where the wish is wrong; pointer NULL: nowhere. */
struct wrong {
  const char *pointer, *reason;
};

static bool text_take(const json_t *body, const char *name, char *dst, size_t bytes) {
  const char *s = json_string_value(json_object_get(body, name));
  return s && slice_copy(dst, bytes, slice_of(s)) == 0;
}

static struct wrong scopes_take(const json_t *scopes, struct claims *c) {
  size_t at = 0;
  if (!json_is_array(scopes) || json_array_size(scopes) == 0 || json_array_size(scopes) > 16)
    return (struct wrong){"/scopes", "a list of 1 to 16 scopes"};
  for (size_t i = 0; i < json_array_size(scopes); i++) {
    const char *s = json_string_value(json_array_get(scopes, i));
    int n = s ? snprintf(c->scopes + at, sizeof(c->scopes) - at, "%s%s", at ? " " : "", s) : -1;
    if (n < 0 || (size_t)n >= sizeof(c->scopes) - at || strchr(s, ' '))
      return (struct wrong){"/scopes", "not a scope"};
    at += (size_t)n;
  }
  return claims_scopes_ok(c->scopes) ? (struct wrong){0} : (struct wrong){"/scopes", "an unknown scope"};
}

static struct wrong numbers_take(const json_t *numbers, struct claims *c) {
  if (!numbers)
    return (struct wrong){0};
  if (!json_is_array(numbers) || json_array_size(numbers) > TOKEN_NUMBERS_MAX)
    return (struct wrong){"/numbers", "a list of at most 16 numbers"};
  for (size_t i = 0; i < json_array_size(numbers); i++) {
    const char *s = json_string_value(json_array_get(numbers, i));
    if (!s || slice_copy(c->numbers[i], TOKEN_NUMBER_BYTES, slice_of(s)) < 0)
      return (struct wrong){"/numbers", "a number is + and 4 to 15 digits, or a dial string"};
    c->numbers_n++;
  }
  return (struct wrong){0};
}

static struct wrong wish_read(const json_t *body, struct claims *c, uint32_t *ret_ttl_s) {
  const json_t *ttl = json_object_get(body, "ttl_s");
  if (!text_take(body, "identity", c->identity, sizeof(c->identity)) ||
      !claims_identity_ok(slice_of(c->identity)))
    return (struct wrong){"/identity", "1 to 64 of letters, digits and ._@+-"};
  if (json_object_get(body, "tenant") && (!text_take(body, "tenant", c->tenant, sizeof(c->tenant)) ||
                                          !claims_identity_ok(slice_of(c->tenant))))
    return (struct wrong){"/tenant", "1 to 64 of letters, digits and ._@+-"};
  json_int_t ttl_s = json_integer_value(ttl);
  if (ttl && (!json_is_integer(ttl) || ttl_s < 1 || ttl_s > TOKEN_LIFE_MAX_S))
    return (struct wrong){"/ttl_s", "1 to 86400 seconds"};
  *ret_ttl_s = (uint32_t)ttl_s;
  struct wrong w = scopes_take(json_object_get(body, "scopes"), c);
  return w.pointer ? w : numbers_take(json_object_get(body, "numbers"), c);
}

static void mint_answer(struct admin *a, struct claims *c, uint32_t ttl_s, struct web_answer *ret) {
  char token[TOKEN_MAX_BYTES], expires[CLOCK_TEXT_BYTES];
  int r = token_mint(a->set.tokens, c, ttl_s, clock_wall_ms(), token);
  if (r == -EINVAL)
    desk_wrong(ret, "/numbers", "a number is + and 4 to 15 digits, or a dial string");
  else if (r < 0)
    web_answer_problem(ret, WEB_PROBLEM_internal, NULL);
  else {
    json_t *doc = json_pack("{s:s, s:s, s:s}", "token", token, "jti", c->jti, "expires_at",
                            clock_text(c->expires_s * 1000u, expires));
    (void)web_answer_json(ret, 201, doc);
    json_decref(doc);
  }
  explicit_bzero(token, sizeof(token));
}

void verb_mint(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  struct claims c = {0};
  uint32_t ttl_s = 0;
  struct wrong w = wish_read(ask->body, &c, &ttl_s);
  if (w.pointer)
    desk_wrong(ret, w.pointer, w.reason);
  else
    mint_answer(a, &c, ttl_s, ret);
}

void verb_revoke(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  int r = token_revoke(a->set.tokens, ask->web->params.text[0], clock_wall_ms());
  if (r == 0)
    ret->status = 204;
  else
    web_answer_problem(ret, r == -EINVAL ? WEB_PROBLEM_not_found : WEB_PROBLEM_overload, NULL);
}
