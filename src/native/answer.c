/* SPDX-License-Identifier: Apache-2.0
 * The callee's verbs: ringing, answer (provisional, warm, final), reject (native-signaling section 5).
 */
#include "native/inner.h"

#include "base/hmac.h"

#include <stdio.h>

static struct nleg *refuse(struct req *r, enum web_problem p, const char *detail) {
  answer_problem(r->n, r->to, p, detail);
  return NULL;
}

/* The callee's leg of the path's call, alive; else answered: 404, 409, 410. */
struct nleg *req_callee_leg(struct req *r, struct leg **ret_leg) {
  struct nleg *nl = nleg_find_rung(r->user, slice_of(r->ask->params.text[0]), r->device);
  if (!nl)
    return refuse(r, WEB_PROBLEM_not_found, "no such call rings for this device");
  if (!nl->is_callee)
    return refuse(r, WEB_PROBLEM_wrong_state, "only the called side can do this");
  *ret_leg = nleg_leg(nl);
  if (*ret_leg)
    return nl;
  if (nl->end_reason == END_ANSWERED_ELSEWHERE)
    return refuse(r, WEB_PROBLEM_answered_elsewhere, "another device answered first");
  if (nl->end_reason == END_CANCELED)
    return refuse(r, WEB_PROBLEM_canceled, "the caller gave up");
  return refuse(r, WEB_PROBLEM_ended, "the call has ended");
}

void verb_ringing(struct req *r) {
  struct leg *l;
  struct nleg *nl = req_callee_leg(r, &l);
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

/* One POST answer, read. */
struct reading {
  struct desc desc;
  bool has, final, early;
  char hash[65]; /* hash is of the SDP, "" without one. */
};

static bool reading_take(struct req *r, struct reading *a) {
  json_t *p = json_object_get(r->body, "provisional"), *e = json_object_get(r->body, "early_media");
  if ((p && !json_is_boolean(p)) || (e && !json_is_boolean(e))) {
    answer_field(r->n, r->to, p && !json_is_boolean(p) ? "/provisional" : "/early_media",
                 "expected a boolean");
    return false;
  }
  a->final = !json_is_true(p);
  a->early = !json_is_false(e);
  a->hash[0] = 0;
  if (!req_desc(r, "answer", "answer", &a->desc, &a->has))
    return false;
  if (a->has)
    hash_text(json_string_value(json_object_get(json_object_get(r->body, "answer"), "sdp")), a->hash);
  return true;
}

/* False when answered: the description does not go with an earlier one, or there is none. */
static bool goes_with(struct req *r, const struct nleg *nl, const struct reading *a) {
  if (!a->has && !nl->answer_hash[0])
    answer_field(r->n, r->to, "/answer", "missing: expected {type:\"answer\", sdp}");
  else if (a->has && nl->answer_hash[0] && strcmp(a->hash, nl->answer_hash) != 0)
    answer_problem(r->n, r->to, WEB_PROBLEM_wrong_state, "another answer was given before");
  else
    return true;
  return false;
}

/* Gives the description to that device's leg. False when answered: it cannot be served. */
static bool give(struct req *r, struct nleg *nl, struct leg *l, const struct reading *a) {
  struct addr deny[MSET_DENY_MAX];
  bool usable;
  uint32_t denied = relay_sift(r->n, a->desc.audio.candidates, a->desc.audio.n_candidates, deny,
                               MSET_DENY_MAX, &usable);
  struct verdict v =
      usable ? leg_take_answer(l, 1, &a->desc, false)
             : verdict_refuse(REFUSE_RELAY,
                              "the only candidates are of relays that are not native, or of a VPN");
  if (!verdict_is_pass(&v)) {
    answer_verdict(r->n, r->to, &v, nl->call_id);
    return false;
  }
  leg_deny(l, deny, denied);
  memcpy(nl->answer_hash, a->hash, sizeof(nl->answer_hash));
  return true;
}

static void answer_state(struct req *r, const struct nleg *nl, const struct reading *a) {
  const char *state = a->final ? "connected" : a->early ? "early_media" : "ringing";
  answer_json(r->n, r->to, 200, json_pack("{s:s,s:s}", "id", nl->call_id, "state", state));
}

void nleg_answered(struct nleg *nl, struct leg *l) {
  nl->answered = true;
  nl->had_stream = user_has_stream(nl->user, nl->device);
  leg_answered(l);
}

/* How many devices may have sent it; *ret_nl is the one that shows itself by its earlier answer or by
 * its media, else as it was. */
static unsigned narrow(struct req *r, struct nleg **ret_nl) {
  struct nleg *first = *ret_nl, *shown = NULL;
  unsigned n = 0, n_shown = 0;
  if (r->device[0] && first->device_named)
    return 1;
  LIST_EACH(&r->user->nlegs, at) {
    struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    if (!nleg_may_be(first, nl, r->device))
      continue;
    n++;
    if (nl->named_itself) {
      *ret_nl = nl;
      return 1;
    }
    if (nleg_leg(nl)->media.ice == MSET_ICE_CONNECTED && ++n_shown == 1)
      shown = nl;
  }
  if (n_shown == 1)
    *ret_nl = shown;
  return n_shown == 1 ? 1 : n;
}

/* The answer goes to each device's leg that it may be for; the first one whose checks succeed gave it.
 */
static void answer_by_media(struct req *r, struct nleg *first, const struct reading *a) {
  struct call *c = nleg_leg(first)->call;
  LIST_EACH(&r->user->nlegs, at) {
    struct nleg *nl = CONTAINER_OF(at, struct nleg, node);
    if (nleg_may_be(first, nl, r->device) && a->has && !nl->answer_hash[0] &&
        !give(r, nl, nleg_leg(nl), a))
      return;
  }
  answer_state(r, first, a);
  alert_settle(r->n, first, c, a->final, a->early);
}

static void answer_one(struct req *r, struct nleg *nl, struct leg *l, const struct reading *a) {
  if (a->has && !nl->answer_hash[0] && !give(r, nl, l, a))
    return;
  nl->named_itself = true;
  leg_set_peer(l, &r->ask->peer);
  answer_state(r, nl, a);
  if (a->final)
    nleg_answered(nl, l);
  else
    leg_early(l, a->early);
}

/* Without the header, who answers after another nameless device is told so. */
static void answered_before(struct req *r, const struct nleg *nl, const struct reading *a) {
  bool mine = nl->answered && (r->device[0] || !a->has || strcmp(a->hash, nl->answer_hash) == 0);
  answer_problem(r->n, r->to, mine ? WEB_PROBLEM_wrong_state : WEB_PROBLEM_answered_elsewhere,
                 mine ? "this device has answered already" : "another device answered first");
}

void verb_answer(struct req *r) {
  struct leg *l;
  struct reading a;
  struct nleg *nl = req_callee_leg(r, &l);
  if (!nl || !reading_take(r, &a))
    return;
  if (nl->answered || l->call->answered) {
    answered_before(r, nl, &a);
  } else {
    unsigned n = narrow(r, &nl);
    if (!goes_with(r, nl, &a))
      n = 0;
    if (n == 1)
      answer_one(r, nl, nleg_leg(nl), &a);
    else if (n)
      answer_by_media(r, nl, &a);
  }
  if (a.has)
    desc_wipe(&a.desc);
}

void verb_reject(struct req *r) {
  struct leg *l;
  struct nleg *nl = req_callee_leg(r, &l);
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
