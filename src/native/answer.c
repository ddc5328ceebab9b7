/* SPDX-License-Identifier: Apache-2.0
 * The callee's verbs: ringing, answer (provisional, warm, final), reject (native-signaling section 5). */
#include "native/inner.h"

#include "base/hmac.h"

#include <stdio.h>

/* The callee's leg of the path's call, alive; else answered: 404, 409, 410. */
static struct nleg *callee_leg(struct req *r, struct leg **ret_leg) {
  struct nleg *nl = nleg_find(r->user, slice_of(r->ask->params.text[0]), r->device);
  struct native *n = r->n;
  if (!nl) {
    answer_problem(n, r->to, WEB_PROBLEM_not_found, "no such call of this identity");
    return NULL;
  }
  if (!nl->is_callee) {
    answer_problem(n, r->to, WEB_PROBLEM_wrong_state, "only the called side can do this");
    return NULL;
  }
  *ret_leg = nleg_leg(nl);
  if (*ret_leg)
    return nl;
  if (nl->end_reason == END_ANSWERED_ELSEWHERE)
    answer_problem(n, r->to, WEB_PROBLEM_answered_elsewhere, "another device answered first");
  else if (nl->end_reason == END_CANCELED)
    answer_problem(n, r->to, WEB_PROBLEM_canceled, "the caller gave up");
  else
    answer_problem(n, r->to, WEB_PROBLEM_ended, "the call has ended");
  return NULL;
}

void verb_ringing(struct req *r) {
  struct leg *l;
  struct nleg *nl = callee_leg(r, &l);
  if (!nl)
    return;
  if (l->state >= LEG_ANSWERED) {
    answer_problem(r->n, r->to, WEB_PROBLEM_wrong_state, "the call is answered");
    return;
  }
  leg_ringing(l);
  answer_empty(r->n, r->to, 204);
}

static void hash_text(const char *sdp, char dst[65]) {
  uint8_t d[HMAC_SHA256_BYTES];
  hash_sha256(slice_of(sdp), d);
  for (int i = 0; i < HMAC_SHA256_BYTES; i++)
    snprintf(dst + 2 * i, 3, "%02x", d[i]);
}

/* The answer's description, judged against an earlier provisional one. False when answered. */
static bool take_answer(struct req *r, struct nleg *nl, struct leg *l, const struct desc *d, bool has, bool final) {
  char hash[65];
  struct addr deny[MSET_DENY_MAX];
  bool usable;
  if (!has && !nl->answer_hash[0]) {
    answer_field(r->n, r->to, "/answer", "missing: expected {type:\"answer\", sdp}");
    return false;
  }
  if (!has)
    return true;
  hash_text(json_string_value(json_object_get(json_object_get(r->body, "answer"), "sdp")), hash);
  if (nl->answer_hash[0]) {
    if (strcmp(hash, nl->answer_hash) == 0)
      return true;
    answer_problem(r->n, r->to, WEB_PROBLEM_wrong_state, "another answer was given before");
    return false;
  }
  uint32_t denied = relay_sift(r->n, d->audio.candidates, d->audio.n_candidates, deny, MSET_DENY_MAX, &usable);
  struct verdict v = usable ? leg_take_answer(l, 1, d, final)
                            : verdict_refuse(REFUSE_RELAY, "the only candidates are of relays that are not native");
  if (!verdict_is_pass(&v)) {
    answer_verdict(r->n, r->to, &v, nl->call_id);
    return false;
  }
  leg_deny(l, deny, denied);
  memcpy(nl->answer_hash, hash, sizeof(hash));
  return true;
}

static void answer_state(struct req *r, const struct nleg *nl, const char *state) {
  answer_json(r->n, r->to, 200, json_pack("{s:s,s:s}", "id", nl->call_id, "state", state));
}

void verb_answer(struct req *r) {
  struct leg *l;
  struct desc d;
  bool has;
  struct nleg *nl = callee_leg(r, &l);
  if (!nl)
    return;
  json_t *p = json_object_get(r->body, "provisional"), *e = json_object_get(r->body, "early_media");
  if ((p && !json_is_boolean(p)) || (e && !json_is_boolean(e))) {
    answer_field(r->n, r->to, p && !json_is_boolean(p) ? "/provisional" : "/early_media", "expected a boolean");
    return;
  }
  if (nl->answered || l->call->answered) {
    answer_problem(r->n, r->to, nl->answered ? WEB_PROBLEM_wrong_state : WEB_PROBLEM_answered_elsewhere,
                   nl->answered ? "this device has answered already" : "another device answered first");
    return;
  }
  bool final = !json_is_true(p);
  if (!req_desc(r, "answer", "answer", &d, &has))
    return;
  if (take_answer(r, nl, l, &d, has, final)) {
    if (final) {
      nl->answered = true;
      nl->had_stream = user_has_stream(r->user, nl->device);
      answer_state(r, nl, "connected");
      leg_answered(l);
    } else {
      bool early = !json_is_false(e);
      answer_state(r, nl, early ? "early_media" : "ringing");
      leg_early(l, early);
    }
  }
  if (has)
    desc_wipe(&d);
}

void verb_reject(struct req *r) {
  struct leg *l;
  struct nleg *nl = callee_leg(r, &l);
  if (!nl)
    return;
  const char *why = json_string_value(json_object_get(r->body, "reason"));
  struct cause c = {.by = BY_CALLEE};
  if (why && strcmp(why, "busy") == 0)
    c.reason = END_BUSY;
  else if (why && strcmp(why, "decline") == 0)
    c.reason = END_DECLINED;
  else if (why && strcmp(why, "unavailable") == 0)
    c.reason = END_UNREACHABLE;
  else {
    answer_field(r->n, r->to, "/reason", "expected busy, decline or unavailable");
    return;
  }
  if (nl->answered) {
    answer_problem(r->n, r->to, WEB_PROBLEM_wrong_state, "the call is answered: DELETE ends it");
    return;
  }
  answer_empty(r->n, r->to, 204);
  nleg_reject(nl, l, c);
}

/* busy and unavailable stop this device; decline stops all of the identity's. */
void nleg_reject(struct nleg *nl, struct leg *l, struct cause c) {
  struct user *u = nl->user;
  char id[40];
  memcpy(id, nl->call_id, sizeof(id));
  if (c.reason != END_DECLINED) {
    leg_end(l, c);
    return;
  }
  LIST_EACH_SAFE(&u->nlegs, at) {
    struct nleg *other = CONTAINER_OF(at, struct nleg, node);
    struct leg *ol = strcmp(other->call_id, id) == 0 ? nleg_leg(other) : NULL;
    if (ol && other->is_callee && !other->answered)
      leg_end(ol, c);
  }
}
