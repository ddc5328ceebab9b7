/* SPDX-License-Identifier: Apache-2.0
 * POST /v1/calls (native-signaling section 4): what is known at once is a problem, the rest is
 * call.ended. */
#include "native/inner.h"

#include "wire/e164.h"

#include <stdio.h>

struct wish { /* the body, read */
  struct place place;
  struct desc offer;
  char from[64];
  char *metadata_text;
  struct verdict verdict; /* verdict is a refusal that the record shall have. */
};

static bool wish_to(struct req *r, struct wish *w) {
  json_t *to = json_object_get(r->body, "to");
  const char *tel = json_string_value(json_object_get(to, "tel")),
             *user = json_string_value(json_object_get(to, "user"));
  if (!json_is_object(to) || json_object_size(to) < 1) {
    answer_field(r->n, r->to, "/to", "expected {tel}, {user} or {group}");
    return false;
  }
  if (json_object_get(to, "group")) {
    answer_problem(r->n, r->to, WEB_PROBLEM_no_route, "this gateway serves no groups");
    return false;
  }
  if (!tel == !user) {
    answer_field(r->n, r->to, "/to", "expected one of tel and user, a string");
    return false;
  }
  w->place.to = slice_of(tel);
  w->place.to_user = slice_of(user);
  if (tel && !e164_is_dialable(slice_of(tel))) {
    w->verdict =
        verdict_refuse(REFUSE_NOT_DIALABLE,
                       "to.tel: expected + and 4 to 15 digits, or a dial string of 0-9 * #, at most 32");
    return false;
  }
  return true;
}

static bool wish_from(struct req *r, struct wish *w) {
  json_t *from = json_object_get(r->body, "from"), *numbers = req_numbers(r), *number;
  const char *want =
      json_is_object(from) ? json_string_value(json_object_get(from, "tel")) : json_string_value(from);
  size_t i;
  bool found = !from;
  if (from && !want) {
    json_decref(numbers);
    answer_field(r->n, r->to, "/from", "expected a number, as a string or {tel}");
    return false;
  }
  if (!from && json_array_size(numbers))
    want = json_string_value(json_array_get(numbers, 0));
  json_array_foreach(numbers, i, number) found = found || strcmp(want, json_string_value(number)) == 0;
  if (want && slice_copy(w->from, sizeof(w->from), slice_of(want)) < 0)
    found = false;
  json_decref(numbers);
  w->place.from = slice_of(w->from);
  if (!found)
    w->verdict = verdict_refuse(REFUSE_CALLER_ID, "from is not one of the identity's numbers");
  return found;
}

static bool wish_metadata(struct req *r, struct wish *w) {
  json_t *m = json_object_get(r->body, "metadata"), *v;
  const char *key;
  bool sound = !m || json_is_object(m);
  if (!m)
    return true;
  json_object_foreach(m, key, v) sound = sound && json_is_string(v);
  w->metadata_text = sound ? json_dumps(m, JSON_COMPACT) : NULL;
  if (!w->metadata_text || strlen(w->metadata_text) > 4096) {
    answer_field(r->n, r->to, "/metadata", "expected an object of strings, at most 4 KiB");
    return false;
  }
  w->place.metadata = w->metadata_text;
  return true;
}

static bool network_of(const char *word, enum place_network *ret) {
  static const char *const words[] = {
      [NETWORK_WIRED] = "wired", [NETWORK_WIFI] = "wifi", [NETWORK_CELLULAR] = "cellular"};
  for (unsigned i = NETWORK_WIRED; word && i < COUNT_OF(words); i++)
    if (strcmp(word, words[i]) == 0) {
      *ret = (enum place_network)i;
      return true;
    }
  return false;
}

static bool wish_features(struct req *r, struct wish *w) {
  json_t *f = json_object_get(r->body, "features");
  const char *ring = json_string_value(json_object_get(f, "ringback")),
             *net = json_string_value(json_object_get(f, "network"));
  if (f && !json_is_object(f)) {
    answer_field(r->n, r->to, "/features", "expected an object");
    return false;
  }
  if (json_is_true(json_object_get(f, "record"))) {
    answer_problem(r->n, r->to, WEB_PROBLEM_forbidden, "features.record: this identity may not record");
    return false;
  }
  if (json_object_get(f, "ringback") &&
      (!ring || (strcmp(ring, "client") != 0 && strcmp(ring, "gateway") != 0))) {
    answer_field(r->n, r->to, "/features/ringback", "expected client or gateway");
    return false;
  }
  if (json_object_get(f, "network") && !network_of(net, &w->place.network)) {
    answer_field(r->n, r->to, "/features/network", "expected wired, wifi or cellular");
    return false;
  }
  w->place.ringback = ring && strcmp(ring, "gateway") == 0;
  return true;
}

static bool wish_rest(struct req *r, struct wish *w) {
  json_t *t = json_object_get(r->body, "ring_timeout_s"), *p = json_object_get(r->body, "privacy");
  json_int_t s = json_integer_value(t);
  if (t && (!json_is_integer(t) || s < 5 || s > 180)) {
    answer_field(r->n, r->to, "/ring_timeout_s", "expected a whole number of seconds, 5 to 180");
    return false;
  }
  w->place.ring_timeout_s = t ? (uint32_t)s : 0; /* 0: the plan's, else the setting */
  if (p && !json_is_string(p) && !json_is_boolean(p)) {
    answer_field(r->n, r->to, "/privacy", "expected \"id\", \"none\" or a boolean");
    return false;
  }
  w->place.anonymous =
      json_is_true(p) || (json_is_string(p) && strcmp(json_string_value(p), "none") != 0);
  return true;
}

static bool wish_offer(struct req *r, struct wish *w) {
  bool has;
  if (!req_desc_read(r, "offer", "offer", &w->offer, &has, &w->verdict))
    return false;
  if (!has) {
    answer_field(r->n, r->to, "/offer", "missing: expected {type:\"offer\", sdp}");
    return false;
  }
  w->place.offer = &w->offer;
  return true;
}

/* The record of an attempt that ended here, and its problem. */
static void refuse(struct req *r, struct wish *w) {
  char record_id[40] = "";
  timeline_request(r, w->place.trace, TRACE_CALLER);
  call_note_unplaced(r->n->calls, &w->place, &w->verdict, record_id);
  slice_copy(r->to.call, sizeof(r->to.call), slice_of(record_id));
  w->place.trace = NULL;
  answer_verdict(r->n, r->to, &w->verdict, record_id);
}

static void place(struct req *r, struct wish *w) {
  struct native *n = r->n;
  struct addr deny[MSET_DENY_MAX];
  char call_id[40] = "";
  bool usable;
  struct leg *l = NULL;
  w->place.n_deny = relay_sift(n, w->offer.audio.candidates, w->offer.audio.n_candidates, deny,
                               MSET_DENY_MAX, &usable);
  w->place.deny = deny;
  w->place.deny_relays_only = !usable;
  struct nleg *nl = nleg_add(n, r->user, r->device, r->device[0] != 0);
  if (!nl) {
    answer_problem(n, r->to, WEB_PROBLEM_overload, "too many calls are remembered");
    return;
  }
  nl->hidden = true;
  nl->wait = WAIT_PLACE;
  nl->waiting = r->to;
  w->place.door = &native_door;
  w->place.door_arg = n;
  w->place.magic = nl->id;
  timeline_request(r, w->place.trace, TRACE_CALLER);
  struct verdict v = call_place(n->calls, &w->place, &l, call_id);
  slice_copy(nl->call_id, sizeof(nl->call_id), slice_of(call_id));
  slice_copy(r->to.call, sizeof(r->to.call), slice_of(call_id));
  nl->waiting = r->to;
  w->place.trace = NULL;
  if (!verdict_is_pass(&v)) {
    answer_verdict(n, r->to, &v, call_id);
    nleg_free(nl);
    return;
  }
  nl->leg = l->id;
  nl->had_stream = user_has_stream(r->user, nl->device);
}

/* Not the table's to check: this refusal has a record too. */
static bool wish_scope(struct req *r, struct wish *w) {
  if (claims_has_scope(r->claims, "call.place"))
    return true;
  w->verdict = verdict_refuse(REFUSE_SCOPE, "the scope call.place is needed");
  w->place.to = slice_of(json_string_value(json_object_get(json_object_get(r->body, "to"), "tel")));
  return false;
}

bool place_is_emergency(const struct req *r, const json_t *body) {
  struct slice to = slice_of(json_string_value(json_object_get(json_object_get(body, "to"), "tel")));
  struct place p = {
      .identity = slice_of(r->claims->identity), .tenant = slice_of(r->claims->tenant), .to = to};
  return to.n && e164_is_dialable(to) && calls_is_emergency(r->n->calls, &p);
}

void verb_place(struct req *r) {
  struct wish w = {.verdict = verdict_pass()};
  const struct conf_user *u = conf_user_find(r->n->conf, slice_of(r->claims->identity));
  w.place.from_display = slice_of(u ? u->display : "");
  w.place.identity = slice_of(r->claims->identity);
  w.place.tenant = slice_of(r->claims->tenant);
  w.place.device = slice_of(r->device);
  w.place.peer = &r->ask->peer;
  w.place.trace = trace_begin(r->n->traces, r->n->conf->version);
  if (wish_scope(r, &w) && wish_to(r, &w) && wish_offer(r, &w) && wish_from(r, &w) &&
      wish_metadata(r, &w) && wish_features(r, &w) && wish_rest(r, &w))
    place(r, &w);
  else if (!verdict_is_pass(&w.verdict))
    refuse(r, &w);
  trace_discard(w.place.trace); /* of what was no attempt */
  desc_wipe(&w.offer);
  free(take(w.metadata_text));
}
