/* SPDX-License-Identifier: Apache-2.0
 * Verbs that only tell: bootstrap, me, relay-credentials, the lists and snapshots of calls. */
#include "native/inner.h"

#include "base/clock.h"

#include <stdio.h>

void verb_bootstrap(struct req *r) {
  const struct conf *c = r->n->conf;
  char url[CONF_NAME_BYTES + 16], when[CLOCK_TEXT_BYTES];
  snprintf(url, sizeof(url), "https://%s", c->service.edge);
  answer_json(r->n, r->to, 200,
              json_pack("{s:[{s:s,s:s}],s:s,s:s}", "edges", "url", url, "region", c->node.region,
                        "region", c->node.region, "clock", clock_text(clock_wall_ms(), when)));
}

/* The numbers of an identity: the token's, else the configuration's. */
static json_t *numbers_of(const struct native *n, const struct claims *c) {
  json_t *a = json_array();
  const struct conf_user *u = conf_user_find(n->conf, slice_of(c->identity));
  for (unsigned i = 0; i < c->numbers_n; i++)
    json_array_append_new(a, json_string(c->numbers[i]));
  for (uint32_t i = 0; c->numbers_n == 0 && u && i < u->numbers.n; i++)
    json_array_append_new(a, json_string(u->numbers.text[i]));
  return a;
}

json_t *req_numbers(const struct req *r) { return numbers_of(r->n, r->claims); }

void verb_me(struct req *r) {
  json_t *scopes = json_array();
  struct slice rest = slice_of(r->claims->scopes);
  while (rest.n) {
    struct slice s = slice_cut(&rest, ' ');
    json_array_append_new(scopes, json_stringn(s.p, s.n));
  }
  answer_json(r->n, r->to, 200,
              json_pack("{s:s,s:s,s:o,s:o}", "identity", r->claims->identity, "tenant",
                        r->claims->tenant, "numbers", req_numbers(r), "scopes", scopes));
}

void verb_relay(struct req *r) {
  char when[CLOCK_TEXT_BYTES];
  json_int_t ttl = 3600;
  json_t *t = json_object_get(r->body, "ttl_s");
  if (t) {
    ttl = json_integer_value(t);
    if (!json_is_integer(t) || ttl < 60 || ttl > 86400) {
      answer_field(r->n, r->to, "/ttl_s", "expected a whole number of seconds, 60 to 86400");
      return;
    }
  }
  uint64_t expires_ms = clock_wall_ms() + (uint64_t)ttl * 1000;
  json_t *servers =
      relay_book_servers(&r->n->relays, r->claims->tenant, r->claims->identity, expires_ms / 1000);
  answer_json(r->n, r->to, 200,
              json_pack("{s:o,s:s}", "iceServers", servers, "expires_at", clock_text(expires_ms, when)));
}

/* Several device legs of one ringing call are one resource: the first of the same id is shown. */
static bool is_first_of_call(const struct user *u, const struct nleg *of, const char *device) {
  return nleg_find((struct user *)u, slice_of(of->call_id), device) == of;
}

static bool list_filter(struct req *r, int *ret_state, uint64_t *ret_limit, uint64_t *ret_after) {
  char text[64];
  *ret_state = 0;
  *ret_limit = 100;
  *ret_after = 0;
  int q = web_query(r->ask, "state", text, sizeof(text));
  if (q == 0 && strcmp(text, "live") == 0)
    *ret_state = 1;
  else if (q == 0 && strcmp(text, "ended") == 0)
    *ret_state = 2;
  else if (q != -ENOENT) {
    answer_field(r->n, r->to, "/state", "expected live or ended");
    return false;
  }
  q = web_query(r->ask, "limit", text, sizeof(text));
  if (q != -ENOENT && (q < 0 || slice_u64(slice_of(text), 500, ret_limit) < 0 || *ret_limit == 0)) {
    answer_field(r->n, r->to, "/limit", "expected a whole number, 1 to 500");
    return false;
  }
  q = web_query(r->ask, "cursor", text, sizeof(text));
  if (q != -ENOENT && (q < 0 || slice_u64(slice_of(text), UINT64_MAX, ret_after) < 0)) {
    answer_field(r->n, r->to, "/cursor", "expected the cursor of an earlier answer");
    return false;
  }
  return true;
}

void verb_list(struct req *r) {
  int state;
  uint64_t limit, after;
  char cursor[24] = "";
  if (!list_filter(r, &state, &limit, &after))
    return;
  json_t *calls = json_array();
  bool seen = after == 0;
  LIST_EACH(&r->user->nlegs, at) {
    const struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    bool is_cursor = nl->id == after;
    if (!seen || is_cursor || nl->hidden || (state == 1 && nl->final) || (state == 2 && !nl->final) ||
        !is_first_of_call(r->user, nl, r->device)) {
      seen = seen || is_cursor;
      continue;
    }
    if (json_array_size(calls) == limit) {
      json_t *o = json_pack("{s:o,s:s}", "calls", calls, "cursor", cursor);
      answer_json(r->n, r->to, 200, o);
      return;
    }
    snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)nl->id);
    json_t *snap = snapshot_make(nl);
    if (snap)
      json_array_append_new(calls, snap);
  }
  answer_json(r->n, r->to, 200, json_pack("{s:o}", "calls", calls));
}

void verb_show(struct req *r) {
  struct nleg *nl = nleg_find(r->user, slice_of(r->ask->params.text[0]), r->device);
  json_t *snap = nl ? snapshot_make(nl) : NULL;
  if (!snap) {
    answer_problem(r->n, r->to, WEB_PROBLEM_not_found, "no such call of this identity");
    return;
  }
  struct web_answer a = {0};
  if (web_answer_json(&a, 200, snap) < 0)
    web_answer_problem(&a, WEB_PROBLEM_internal, NULL);
  json_decref(snap);
  if (!nl->final)
    nleg_etag(nl, a.etag);
  answer_full(r->n, r->to, &a);
}
