/* SPDX-License-Identifier: Apache-2.0
 * Verbs on a live call: renegotiate, hold, resume, dtmf, telemetry, DELETE (native-signaling section 6).
 */
#include "native/inner.h"
#include "native/telemetry.h"

#include "base/rand.h"

#include <stdio.h>

struct nleg *req_live_leg(struct req *r, struct leg **ret_leg) {
  struct nleg *nl = nleg_find(r->user, slice_of(r->ask->params.text[0]), r->device);
  if (!nl) {
    answer_problem(r->n, r->to, WEB_PROBLEM_not_found, "no such call of this identity");
    return NULL;
  }
  *ret_leg = nleg_leg(nl);
  if (!*ret_leg) {
    answer_problem(r->n, r->to, WEB_PROBLEM_ended, "the call has ended");
    return NULL;
  }
  return nl;
}

void req_move(struct req *r, struct nleg *nl, struct leg *l) {
  bool is_ringing = nl->is_callee && !nl->answered;
  if (!r->device[0] || is_ringing || strcmp(nl->device, r->device) == 0)
    return;
  slice_copy(nl->device, sizeof(nl->device), slice_of(r->device));
  nl->device_named = true;
  nl->had_stream = nl->had_stream || user_has_stream(r->user, r->device);
  leg_set_device(l, slice_of(r->device), nl->id);
  nleg_streams_changed(r->n, r->user);
  nleg_event(nl, "call.updated",
             json_pack("{s:[s],s:o}", "changed", "device", "call", snapshot_make(nl)));
}

/* 202 with the operation's name, or the refusal: then it is over. */
void req_op_answer(struct req *r, struct nleg *nl, uint64_t op, const struct verdict *v) {
  char name[32];
  if (!verdict_is_pass(v)) {
    nleg_op_end(nl, op);
    answer_verdict(r->n, r->to, v, NULL);
    return;
  }
  snprintf(name, sizeof(name), "op_%llx", (unsigned long long)op);
  answer_json(r->n, r->to, 202, json_pack("{s:s}", "operation_id", name));
}

static bool is_live(const struct leg *l) { return l->state == LEG_LIVE || l->state == LEG_ANSWERED; }

void verb_renegotiate(struct req *r) {
  struct leg *l;
  struct desc d;
  bool has;
  struct nleg *nl = req_live_leg(r, &l);
  if (!nl || !req_desc(r, "offer", "offer", &d, &has))
    return;
  if (!has) {
    answer_field(r->n, r->to, "/offer", "missing: expected {type:\"offer\", sdp}");
    return;
  }
  bool may = l->role == LEG_CALLER ? l->state != LEG_OPENING : is_live(l);
  if (!may) {
    answer_problem(r->n, r->to, WEB_PROBLEM_wrong_state, "the call is not yet answered");
  } else if (nl->wait != WAIT_NONE) {
    answer_problem(r->n, r->to, WEB_PROBLEM_glare,
                   "another renegotiation is under way: try again after 0.2 to 2 s");
  } else {
    struct addr deny[MSET_DENY_MAX];
    bool usable;
    uint32_t denied =
        relay_sift(r->n, d.audio.candidates, d.audio.n_candidates, deny, MSET_DENY_MAX, &usable);
    req_move(r, nl, l);
    nl->wait = WAIT_RENEGOTIATE;
    nl->waiting = r->to;
    nl->cookie = rand_u64();
    if (usable) {
      leg_deny(l, deny, denied);
      leg_reoffer(l, nl->cookie, &d);
    } else {
      struct verdict v = verdict_refuse(
          REFUSE_RELAY, "the only candidates are of relays that are not native, or of a VPN");
      native_door.reoffered(r->n, l, nl->cookie, &v, NULL);
    }
  }
  desc_wipe(&d);
}

static void hold(struct req *r, bool on) {
  struct leg *l;
  struct nleg *nl = req_live_leg(r, &l);
  if (!nl)
    return;
  req_move(r, nl, l);
  uint64_t op = nleg_op_begin(nl, on ? "hold" : "resume");
  struct verdict v = !op           ? verdict_refuse(REFUSE_STATE, "16 operations are under way")
                     : !is_live(l) ? verdict_refuse(REFUSE_STATE, "the call is not answered")
                                   : leg_hold(l, on, op);
  req_op_answer(r, nl, op, &v);
}

void verb_hold(struct req *r) { hold(r, true); }
void verb_resume(struct req *r) { hold(r, false); }

/* A whole number in its range, or the default; false when answered. */
static bool number_in(struct req *r, const char *member, json_int_t low, json_int_t high,
                      uint32_t *value) {
  char pointer[40], reason[80];
  json_t *v = json_object_get(r->body, member);
  if (!v)
    return true;
  json_int_t i = json_integer_value(v);
  if (json_is_integer(v) && i >= low && i <= high) {
    *value = (uint32_t)i;
    return true;
  }
  snprintf(pointer, sizeof(pointer), "/%s", member);
  snprintf(reason, sizeof(reason), "expected a whole number, %lld to %lld", (long long)low,
           (long long)high);
  answer_field(r->n, r->to, pointer, reason);
  return false;
}

void verb_dtmf(struct req *r) {
  struct leg *l;
  uint32_t duration = 100, gap = 70;
  struct nleg *nl = req_live_leg(r, &l);
  if (!nl || !number_in(r, "duration_ms", 40, 2000, &duration) ||
      !number_in(r, "gap_ms", 30, 2000, &gap))
    return;
  const char *digits = json_string_value(json_object_get(r->body, "digits"));
  size_t len = digits ? strlen(digits) : 0;
  if (len < 1 || len > MSET_DIGITS_MAX || strspn(digits, "0123456789*#ABCD,") != len) {
    answer_field(r->n, r->to, "/digits", "expected 1 to 64 of 0-9 * # A-D and ,");
    return;
  }
  req_move(r, nl, l);
  uint64_t op = nleg_op_begin(nl, "dtmf");
  struct verdict v = op ? leg_send_digits(l, slice_of(digits), duration, gap, op)
                        : verdict_refuse(REFUSE_STATE, "16 operations are under way");
  req_op_answer(r, nl, op, &v);
}

/* What comes after the end is late, and told so as every verb is, but its figures are kept all the same.
 */
void verb_telemetry(struct req *r) {
  struct nleg *nl = nleg_find(r->user, slice_of(r->ask->params.text[0]), r->device);
  struct call *c = nl ? calls_find(r->n->calls, slice_of(nl->call_id)) : NULL;
  if (!nl) {
    answer_problem(r->n, r->to, WEB_PROBLEM_not_found, "no such call of this identity");
    return;
  }
  if (!json_is_array(json_object_get(r->body, "stats"))) {
    answer_field(r->n, r->to, "/stats", "expected an array of RTCStats");
    return;
  }
  struct client_told figures;
  telemetry_figures(r->body, &figures);
  if (nleg_leg(nl))
    leg_told(nleg_leg(nl), &figures);
  own_mem char *text = telemetry_text(r->body, RECORD_TELEMETRY_BYTES);
  if (c && text)
    call_telemetry(c, text);
  if (nleg_leg(nl))
    answer_empty(r->n, r->to, 204);
  else
    answer_problem(r->n, r->to, WEB_PROBLEM_ended,
                   "the call has ended; the figures were added to its record");
}

void verb_delete(struct req *r) {
  char whom[16] = "self";
  struct nleg *nl = nleg_find(r->user, slice_of(r->ask->params.text[0]), r->device);
  struct leg *l = nl ? nleg_leg(nl) : NULL;
  int q = web_query(r->ask, "for", whom, sizeof(whom));
  if (q != -ENOENT && (q < 0 || (strcmp(whom, "self") != 0 && strcmp(whom, "everyone") != 0))) {
    answer_field(r->n, r->to, "/for", "expected self or everyone");
    return;
  }
  if (!nl) {
    answer_problem(r->n, r->to, WEB_PROBLEM_not_found, "no such call of this identity");
    return;
  }
  answer_empty(r->n, r->to, 204);
  if (!l)
    return;
  if (nl->is_callee && !nl->answered) {
    nleg_reject(nl, l, (struct cause){.reason = END_DECLINED, .by = BY_CALLEE});
    return;
  }
  bool before = !is_live(l);
  leg_end(l, (struct cause){.reason = before ? END_CANCELED : END_COMPLETED,
                            .by = l->role == LEG_CALLER ? BY_CALLER : BY_CALLEE,
                            .q850 = 16});
}
