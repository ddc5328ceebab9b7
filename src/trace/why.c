/* SPDX-License-Identifier: Apache-2.0
 * The decision tree: conditions of why.def, and the walk over its rows. See why.h. */
#include "trace/whypart.h"

enum {
  FEW = 20,       /* packets that prove nothing */
  DEAF_MS = 3000, /* without media for so long somebody noticed */
  LATE_MS = 2500, /* after the answer */
  MUTE_MS = 5000, /* of silent packets */
  FRAME_MS = 20,
  JITTER_MS = 50,
  RTT_MS = 800,
  POOR_X100 = 310, /* mean opinion score x 100 */
  LOSS_PERMILLE = 50,
  MADE_UP_PERMILLE = 80,
  RELAY_MS = 300,
  PTIME_MS = 40, /* more than agreed: heard whatever else is */
  A_DIGIT = 5,   /* packets of one digit, at least */
  DYNAMIC = 96,  /* the first payload type that a description gives a meaning */
  NORMAL_CLEARING = 16,
  NORMAL_UNSPECIFIED = 31,
};

static bool never(const struct why_view *v) { return v->f == NULL; }

/* The whole call ----------------------------------------------------------------------------------- */
static bool has_rule(const struct why_view *v, const char *rule) {
  return strcmp(v->f->rule, rule) == 0;
}

static bool is_overload(const struct why_view *v) {
  static const char *const rules[] = {"overload",   "node_calls", "no_media", "trunk_calls",
                                      "trunk_rate", "cap",        "drain",    "identity_calls"};
  for (size_t i = 0; i < COUNT_OF(rules); i++)
    if (has_rule(v, rules[i]))
      return true;
  return false;
}

static bool is_offer_codec(const struct why_view *v) { return has_rule(v, "codec"); }
static bool is_offer_srtp(const struct why_view *v) { return has_rule(v, "srtp_required"); }
static bool is_refused(const struct why_view *v) { return v->f->is_refused && v->f->rule[0]; }

static bool has_fault(const struct why_view *v, enum why_fault fault) { return v->f->fault == fault; }
static bool is_media_gone(const struct why_view *v) { return has_fault(v, WHY_FAULT_MEDIA_GONE); }
static bool is_transcode(const struct why_view *v) { return has_fault(v, WHY_FAULT_TRANSCODE); }
static bool is_unregistered(const struct why_view *v) { return has_fault(v, WHY_FAULT_UNREGISTERED); }
static bool is_failed(const struct why_view *v) { return v->f->end == WHY_END_FAILED; }

/* A leg -------------------------------------------------------------------------------------------- */
static bool breaks(const struct why_view *v, enum why_fault fault) {
  return v->is_faulty && has_fault(v, fault);
}

static bool is_no_ack(const struct why_view *v) { return breaks(v, WHY_FAULT_NO_ACK); }
static bool is_no_prack(const struct why_view *v) { return breaks(v, WHY_FAULT_NO_PRACK); }
static bool is_refresh(const struct why_view *v) { return breaks(v, WHY_FAULT_REFRESH); }
static bool is_forgotten(const struct why_view *v) { return breaks(v, WHY_FAULT_FORGOTTEN); }
static bool is_consent_lost(const struct why_view *v) { return breaks(v, WHY_FAULT_CONSENT); }
static bool is_stream_lost(const struct why_view *v) { return breaks(v, WHY_FAULT_STREAM); }
static bool is_dtls_failed(const struct why_view *v) { return breaks(v, WHY_FAULT_DTLS); }

static bool is_fingerprint(const struct why_view *v) {
  return is_failed(v) && v->l->is_fingerprint_wrong && v->l->dtls != WHY_DTLS_UP;
}

static bool is_ice_failed(const struct why_view *v) {
  return has_fault(v, WHY_FAULT_MEDIA_LATE) && v->l->wants_ice &&
         (v->l->ice == WHY_ICE_NONE || v->l->ice == WHY_ICE_CHECKING);
}

static bool is_dtls_never(const struct why_view *v) {
  return has_fault(v, WHY_FAULT_MEDIA_LATE) && v->l->wants_dtls && v->l->dtls != WHY_DTLS_UP;
}

static bool sends(const struct why_leg *l) { return l->way == WHY_SENDRECV || l->way == WHY_SENDONLY; }

/* It should have been heard, and was not, or hardly. */
static bool is_deaf(const struct why_view *v) {
  const struct why_leg *l = v->l;
  return v->f->is_answered && l->rx.packets < v->f->ms / FRAME_MS / 4;
}

static bool is_srtp_bad(const struct why_view *v) { return v->f->is_answered && v->l->key_bad >= FEW; }

/* All but those whose length tells nothing: digits, comfort noise, reports. Some packets before the
 * keys are known harm nobody. */
static bool is_srtp_plain(const struct why_view *v) {
  const struct why_leg *l = v->l;
  bool is_heard = !is_srtp_bad(v) && !is_deaf(v) && l->dumb_ms < DEAF_MS;
  return v->f->is_answered && l->key_plain >= FEW && !is_heard &&
         l->key_plain >= l->key_failures - l->key_failures / 4;
}

static bool is_srtp_reinvite(const struct why_view *v) {
  return is_srtp_bad(v) && v->l->key_reinvite > 0;
}

static bool is_srtp_since(const struct why_view *v) { return is_srtp_bad(v) && v->l->key_good >= FEW; }

static bool is_srtp_key(const struct why_view *v) { return is_srtp_bad(v); }

static bool is_wrong_port(const struct why_view *v) {
  return is_deaf(v) && v->l->stray_port && v->l->wrong_port >= FEW;
}

static bool is_wrong_source(const struct why_view *v) {
  return is_deaf(v) && v->l->wrong_source >= FEW && v->l->stranger[0];
}

static bool is_bad_payload(const struct why_view *v) {
  return v->f->is_answered && v->l->bad_payload >= FEW && v->l->bad_payload > v->l->rx.packets / 4;
}

static uint32_t quiet_ms(const struct why_view *v) {
  const struct why_leg *l = v->l;
  return v->f->ms > l->last_ms ? v->f->ms - l->last_ms : 0;
}

static bool is_hold_mismatch(const struct why_view *v) {
  return v->f->is_answered && !sends(v->l) && !v->l->is_held && quiet_ms(v) >= DEAF_MS;
}

static bool is_no_media(const struct why_view *v) {
  const struct why_leg *l = v->l;
  return v->f->is_answered && l->rx.packets == 0 && sends(l) && !l->is_held && v->f->ms >= DEAF_MS;
}

static bool is_stopped(const struct why_view *v) {
  const struct why_leg *l = v->l;
  bool is_told = l->dumb_ms >= DEAF_MS || breaks(v, WHY_FAULT_MEDIA_QUIET);
  return v->f->is_answered && l->rx.packets > 0 && sends(l) && is_told && quiet_ms(v) >= DEAF_MS;
}

/* Of a talk's end that says little; of its greater part, much. Who is muted wants it so: apps tell that, from
 * carriers only who never was heard is no person who keeps quiet. */
static bool is_silent(const struct why_view *v) {
  const struct why_leg *l = v->l;
  uint32_t from_ms = l->sound_ms ? l->sound_ms : l->first_ms;
  if (l->client.is_muted || (l->is_trunk && l->sound_ms))
    return false;
  if (from_ms < l->client.muted_ms)
    from_ms = l->client.muted_ms;
  return v->f->is_answered && l->has_level && l->rx.packets > 5 * FEW &&
         l->last_ms >= from_ms + MUTE_MS && l->last_ms - from_ms > v->f->ms / 2;
}

/* Of a leg that is not heard all over its time, most of what came instead did not verify. */
static bool is_srtp_while(const struct why_view *v) {
  const struct why_leg *l = v->l;
  return v->f->is_answered && l->dumb_ms >= DEAF_MS && l->key_failures >= l->dumb_ms / FRAME_MS / 4;
}

static bool is_one_way(const struct why_view *v) {
  return v->f->is_answered && v->l->dumb_ms >= DEAF_MS;
}

static bool is_unheard(const struct why_view *v) {
  const struct why_leg *l = v->l;
  return v->f->is_answered && l->unheard_ms && !l->is_held && v->f->ms >= l->unheard_ms + DEAF_MS;
}

static bool is_late(const struct why_view *v) {
  return v->f->is_answered && v->l->rx.packets > 0 && sends(v->l) && v->l->first_ms >= LATE_MS;
}

static bool is_over_loss(const struct why_flow *w) {
  uint64_t all = w->packets + w->lost;
  return all >= 5 * FEW && w->lost * 1000 > all * LOSS_PERMILLE;
}

static bool is_lossy(const struct why_view *v) { return v->f->is_answered && is_over_loss(&v->l->rx); }
static bool is_lossy_there(const struct why_view *v) {
  return v->f->is_answered && is_over_loss(&v->l->tx);
}

static bool is_poor(const struct why_view *v) {
  const struct why_leg *l = v->l;
  return v->f->is_answered && l->rx.mos_x100 && l->rx.mos_x100 < POOR_X100;
}

/* What it was sent, by its own reports. */
static bool is_poor_there(const struct why_view *v) {
  const struct why_leg *l = v->l;
  return v->f->is_answered && l->tx.mos_x100 && l->tx.mos_x100 < POOR_X100;
}

static bool is_jittery(const struct why_view *v) {
  uint32_t jitter_ms = v->l->rx.jitter_ms;
  return v->f->is_answered && v->l->rx.packets > 5 * FEW &&
         (jitter_ms >= JITTER_MS || (jitter_ms >= JITTER_MS / 2 && is_poor(v)));
}

static bool is_delayed(const struct why_view *v) { return v->f->is_answered && v->l->rtt_ms >= RTT_MS; }

/* What apps tell of themselves --------------------------------------------------------------------- */
static bool is_mic_silent(const struct why_view *v) {
  const struct why_client *c = &v->l->client;
  uint32_t ms = v->f->ms > c->mic_ms ? v->f->ms - c->mic_ms : 0;
  return v->f->is_answered && c->is_mic_silent && ms >= MUTE_MS && ms > v->f->ms / 2;
}

static bool is_plays_nothing(const struct why_view *v) {
  return v->f->is_answered && v->l->client.plays_nothing && v->f->ms >= DEAF_MS;
}

static bool is_concealed(const struct why_view *v) {
  return v->f->is_answered && v->l->client.concealed_permille > MADE_UP_PERMILLE;
}

static bool is_relayed(const struct why_view *v) {
  return v->f->is_answered && v->l->client.is_relayed && v->l->rtt_ms >= RELAY_MS;
}

static bool is_odd_ptime(const struct why_view *v) {
  const struct why_leg *l = v->l;
  return v->f->is_answered && l->rx.packets > 5 * FEW && l->agreed_ms && l->ptime_ms > l->agreed_ms &&
         (l->ptime_ms >= l->agreed_ms + PTIME_MS || is_poor(v));
}

/* Comfort noise comes unasked for, by number 13, and nobody misses it. */
static bool is_odd_event(const struct why_view *v) {
  const struct why_leg *l = v->l;
  return v->f->is_answered && l->bad_payload >= A_DIGIT && l->payload_type >= DYNAMIC &&
         l->rx.packets > 5 * FEW;
}

static bool is_hangup(const struct why_view *v) {
  int cause = v->f->q850;
  return v->is_faulty && v->f->is_answered && has_fault(v, WHY_FAULT_NONE) && cause &&
         cause != NORMAL_CLEARING && cause != NORMAL_UNSPECIFIED;
}

/* The last attempt --------------------------------------------------------------------------------- */
static bool fails_by(const struct why_view *v, enum why_fault fault) { return v->t->fault == fault; }
static bool is_dns(const struct why_view *v) { return fails_by(v, WHY_FAULT_DNS); }
static bool is_no_address(const struct why_view *v) { return fails_by(v, WHY_FAULT_NO_ADDRESS); }
static bool is_tls(const struct why_view *v) { return fails_by(v, WHY_FAULT_TLS); }
static bool is_tls_name(const struct why_view *v) { return fails_by(v, WHY_FAULT_TLS_NAME); }
static bool is_connection(const struct why_view *v) { return fails_by(v, WHY_FAULT_REFUSED); }
static bool is_silence(const struct why_view *v) { return fails_by(v, WHY_FAULT_SILENT); }
static bool is_quiet(const struct why_view *v) { return fails_by(v, WHY_FAULT_QUIET); }
static bool is_description(const struct why_view *v) { return fails_by(v, WHY_FAULT_ANSWER); }
static bool is_offline(const struct why_view *v) { return fails_by(v, WHY_FAULT_OFFLINE); }

static bool is_status(const struct why_view *v, int from, int to) {
  return v->t->is_peer && v->t->status >= from && v->t->status <= to;
}

static bool is_488(const struct why_view *v) { return is_status(v, 488, 488) || is_status(v, 606, 606); }
static bool is_401(const struct why_view *v) { return is_status(v, 401, 401) || is_status(v, 407, 407); }
static bool is_403(const struct why_view *v) { return is_status(v, 403, 403); }
static bool is_404(const struct why_view *v) {
  return is_status(v, 404, 404) || is_status(v, 410, 410) || is_status(v, 484, 484) ||
         is_status(v, 604, 604);
}
static bool is_503(const struct why_view *v) { return is_status(v, 500, 504); }
static bool is_other_status(const struct why_view *v) { return is_status(v, 300, 699); }

static bool is_all_busy(const struct why_view *v) {
  const struct why_facts *f = v->f;
  for (uint32_t i = 0; i < f->n_attempts; i++)
    if (!f->attempts[i].is_peer || f->attempts[i].status < 500 || f->attempts[i].status > 504)
      return false;
  return is_failed(v) && !f->is_answered && f->n_attempts > 1;
}

/* The walk ----------------------------------------------------------------------------------------- */
enum scope { SCOPE_CALL, SCOPE_LEG, SCOPE_TRY };

static const struct row {
  const char *slug;
  enum why_severity severity;
  enum scope scope;
  bool (*fits)(const struct why_view *v);
  const char *sentence, *advice;
} rows[CAUSE_COUNT_] = {
#define WHY(id, slug, severity, scope, condition, sentence, advice, test) \
  [CAUSE_##id] = {slug, WHY_##severity, SCOPE_##scope, condition, sentence, advice},
#include "trace/why.def"
#undef WHY
};

static bool fits_leg(const struct row *r, struct why_view *v) {
  for (uint32_t i = 0; i < WHY_LEGS; i++) {
    v->l = &v->f->legs[i];
    v->is_faulty = v->f->is_caller_faulty == (i == 0);
    if (v->l->is_there && r->fits(v))
      return true;
  }
  v->l = NULL;
  return false;
}

static bool fits(const struct row *r, struct why_view *v) {
  const struct why_facts *f = v->f;
  if (r->severity == WHY_FAILED && f->end != WHY_END_FAILED)
    return false;
  if (r->scope == SCOPE_LEG)
    return fits_leg(r, v);
  if (r->scope == SCOPE_TRY)
    return v->t && !f->is_answered && r->fits(v);
  return r->fits(v);
}

void why_find(const struct why_facts *f, struct why *ret) {
  struct why_view v = {.f = f};
  v.t = f->n_attempts ? &f->attempts[f->n_attempts - 1] : NULL;
  *ret = (struct why){.id = CAUSE_NONE};
  for (int i = CAUSE_NONE + 1; i < CAUSE_COUNT_; i++)
    if (fits(&rows[i], &v)) {
      ret->id = (enum why_id)i;
      whywords_write(&v, rows[i].sentence, ret->sentence, sizeof(ret->sentence));
      return;
    }
}

const char *why_slug(enum why_id id) { return id < CAUSE_COUNT_ ? rows[id].slug : ""; }
enum why_id why_of(const char *slug) {
  for (unsigned i = CAUSE_NONE + 1; slug && i < CAUSE_COUNT_; i++)
    if (strcmp(rows[i].slug, slug) == 0)
      return i;
  return CAUSE_NONE;
}
const char *why_advice(enum why_id id) { return id < CAUSE_COUNT_ ? rows[id].advice : ""; }
