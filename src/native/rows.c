/* SPDX-License-Identifier: Apache-2.0
 * Live calls as operators see them: GET /admin/v1/calls. Call thread. */
#include "native/inner.h"

static const char *const leg_state_text[] = {"opening",  "trying", "ringing", "early",
                                             "answered", "live",   "ended"};

/* A peer's bytes that are no UTF-8 are shown escaped. */
static json_t *text_json(const char *text) {
  char safe[512];
  json_t *j = text && text[0] ? json_string(text) : json_null();
  return j ? j : json_string(slice_escape(safe, sizeof(safe), slice_of(text)));
}

static json_t *leg_json(const struct leg *l) {
  struct mset_facts f;
  json_t *o = json_pack(
      "{s:s,s:s,s:o,s:s,s:o,s:b,s:s,s:o}", "role", l->role == LEG_CALLER ? "caller" : "callee", "door",
      l->door ? l->door->name : "gateway", "peer",
      text_json(l->kind == LEG_TRUNK && l->trunk ? l->trunk->name : l->identity), "state",
      leg_state_text[l->state], "address", text_json(l->peer), "held", l->held_local, "srtp",
      suite_name((enum srtp_suite)l->media.suite), "codec", text_json(codec_text(l->media.codec)));
  if (o && leg_facts(l, &f))
    json_object_set_new(o, "media",
                        json_pack("{s:I,s:I,s:I,s:I}", "rx_packets", (json_int_t)f.rx.packets, "rx_lost",
                                  (json_int_t)f.rx.lost, "tx_packets", (json_int_t)f.tx.packets,
                                  "wrong_source", (json_int_t)f.rx.wrong_source));
  return o;
}

static const char *call_state(struct call *c) {
  enum leg_state best = LEG_OPENING;
  if (c->answered)
    return "live";
  for (struct leg *l = NULL; (l = call_next_leg(c, l));)
    if (l->role == LEG_CALLEE && l->state != LEG_ENDED && l->state > best)
      best = l->state;
  return best >= LEG_RINGING ? "ringing" : "trying";
}

/* The first leg of that kind. */
static const struct leg *leg_of(struct call *c, enum leg_kind kind) {
  for (struct leg *l = NULL; (l = call_next_leg(c, l));)
    if (l->kind == kind)
      return l;
  return NULL;
}

static uint16_t worse_of(uint16_t a, uint16_t b) { return !a || (b && b < a) ? b : a; }

/* Of the worst direction; null: not known yet. */
static json_t *mos_json(const struct call *c) {
  struct mset_facts f;
  uint16_t mos = 0;
  for (struct leg *l = NULL; (l = call_next_leg(c, l));)
    if (l->media.session && leg_facts(l, &f))
      mos = worse_of(mos, worse_of(f.mos_rx_centi, f.mos_tx_centi));
  return mos ? json_real(mos / 100.0) : json_null();
}

json_t *native_call(struct call *c) {
  const struct leg *trunk = leg_of(c, LEG_TRUNK), *user = leg_of(c, LEG_NATIVE);
  uint64_t answered_ms = c->answered && c->callee ? c->callee->answered_ms : 0;
  uint64_t wall_ms = call_time_ms(c);
  struct why why;
  call_why(c, &why);
  json_t *legs = json_array();
  json_t *o = json_pack(
      "{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:o,s:o}", "id", c->id, "direction",
      c->caller && c->caller->kind == LEG_TRUNK ? "in" : "out", "state", call_state(c), "from",
      text_json(c->from), "to", text_json(c->to[0] ? c->to : c->to_user), "trunk",
      text_json(trunk && trunk->trunk ? trunk->trunk->name : NULL), "user",
      text_json(user ? user->identity : NULL), "started_at", web_time(c->created_ms), "answered_at",
      web_time(answered_ms), "duration_ms",
      answered_ms && wall_ms >= answered_ms ? json_integer((json_int_t)(wall_ms - answered_ms))
                                            : json_null(),
      "codec", text_json(trunk ? codec_text(trunk->media.codec) : NULL), "mos", mos_json(c), "cause",
      text_json(why.sentence[0] ? why.sentence : NULL), "answered", c->answered, "created_at",
      web_time(c->created_ms), "legs", legs);
  for (struct leg *l = NULL; o && (l = call_next_leg(c, l));)
    json_array_append_new(legs, leg_json(l));
  return o;
}

/* What of a row is news: not its counters and durations. */
uint64_t native_call_mark(struct call *c) {
  uint64_t mark = 1469598103934665603ull ^ (uint64_t)c->answered;
  for (struct leg *l = NULL; (l = call_next_leg(c, l));) {
    const uint64_t parts[] = {l->id,          l->state,       l->held_local,
                              l->media.codec, l->media.suite, l->media.ice};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
      mark = (mark ^ parts[i]) * 1099511628211ull;
  }
  return mark | 1;
}

static bool is_or_any(const char *wanted, const char *is) {
  return !wanted || (is && strcmp(is, wanted) == 0);
}

bool native_call_is(struct call *c, const char *trunk, const char *user, const char *state) {
  const struct leg *t = leg_of(c, LEG_TRUNK), *u = leg_of(c, LEG_NATIVE);
  return is_or_any(trunk, t && t->trunk ? t->trunk->name : NULL) &&
         is_or_any(user, u ? u->identity : NULL) && is_or_any(state, call_state(c));
}
