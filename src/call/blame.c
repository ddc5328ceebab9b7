/* SPDX-License-Identifier: Apache-2.0
 * Why a call failed or sounded bad: gathers what its legs, its attempts and the media process' counters
 * tell, for the tree of trace/why, and puts the sentence into the record, the log and the metrics. */
#include "call/hunt.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

enum {
  REOFFER_US = 3000000, /* a key that fails so soon after a description came with it */
  STRAYS_AFTER_US = 2000000,
  STRAYS_MAX = 512, /* legs that are looked at for packets of this one */
};

/* While the call is up ----------------------------------------------------------------------------- */
void blame_reoffer(struct leg *l) {
  struct leg_inner *in = leg_in(l);
  if (in->reoffers < REOFFERS_KEPT)
    in->reoffer_us[in->reoffers] = clock_now_us();
  in->reoffers++;
}

/* What the peer says of itself, by its last description. */
static enum why_way way_of(const struct desc *d) {
  static const enum why_way ways[] = {[DIR_INACTIVE] = WHY_INACTIVE,
                                      [DIR_SEND] = WHY_SENDONLY,
                                      [DIR_RECV] = WHY_RECVONLY,
                                      [DIR_SENDRECV] = WHY_SENDRECV};
  return addr_port(&d->audio.rtp) ? ways[d->audio.direction & DIR_SENDRECV] : WHY_INACTIVE;
}

/* A hold is its own: by the verb, or by an offer. An answer that says so is none. */
static bool is_held(const struct leg *l) {
  const struct leg_inner *in = leg_in(l);
  return in->hold_verb || (in->hold_sdp && in->is_ours_answer) || in->ice_lost;
}

/* Its description said so; who trickles says it by its statistics. */
static bool is_relayed(const struct leg *l) {
  const struct desc_audio *a = &l->remote->audio;
  for (uint32_t i = 0; i < a->n_candidates; i++)
    if (a->candidates[i].type == CAND_RELAY && addr_eq(&a->candidates[i].address, &l->media.pair_remote))
      return true;
  return false;
}

static void note_leg(struct leg *l, const struct leg *far) {
  struct blame_leg *b = &leg_in(l)->blame;
  if (!l->local || !l->remote) /* folded, or gone: what was noted then holds */
    return;
  const struct desc_audio *ours = &l->local->audio, *theirs = &l->remote->audio;
  *b = (struct blame_leg){.said = theirs->rtp,
                          .our_port = addr_port(&ours->rtp),
                          .way = (uint8_t)way_of(l->remote),
                          .candidates = theirs->n_candidates,
                          .is_relayed = is_relayed(l),
                          .ptime_ms = ours->ptime_ms ? ours->ptime_ms : 20,
                          .is_held = is_held(l) || (far && is_held(far)),
                          .wants_ice = theirs->ufrag[0] && ours->ufrag[0],
                          .wants_dtls = desc_is_dtls(ours),
                          .wants_srtp = ours->n_crypto > 0};
}

static struct leg *callee_of(const struct call *c) {
  return call_in(c)->bridged ? call_in(c)->bridged : c->callee;
}

void blame_note(struct call *c) {
  struct leg *b = callee_of(c);
  if (c->caller)
    note_leg(c->caller, b);
  if (b)
    note_leg(b, c->caller);
}

/* Facts of a leg ----------------------------------------------------------------------------------- */
static uint32_t since_ms(uint64_t at_us, uint64_t from_us) {
  return at_us > from_us ? (uint32_t)((at_us - from_us) / 1000) : 0;
}

/* The description that came with the keys which fail. */
static uint32_t reoffer_at(const struct leg_inner *in, uint64_t at_us) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < in->reoffers && i < REOFFERS_KEPT; i++)
    if (in->reoffer_us[i] <= at_us + REOFFER_US / 3 && at_us < in->reoffer_us[i] + REOFFER_US)
      found = i + 1;
  return found;
}

static struct why_flow flow_of(const struct mset_way *w, uint16_t mos_centi) {
  return (struct why_flow){.packets = w->packets,
                           .lost = w->lost,
                           .jitter_ms = w->jitter_us / 1000,
                           .max_jitter_ms = w->max_jitter_us / 1000,
                           .mos_x100 = mos_centi};
}

/* Do its packets come to another leg's port? A few are asked, once, at the end of a call that was
 * silent for longer than its media may take to begin. */
static void find_stray(const struct leg *l, struct why_leg *ret) {
  struct calls *cs = leg_calls(l);
  const struct addr *said = &leg_in(l)->blame.said;
  uint32_t cursor = 0, n = 0;
  struct mset_facts f;
  uint64_t since_us = call_in(l->call)->connected_us;
  if (!since_us || clock_now_us() - since_us < STRAYS_AFTER_US)
    return;
  for (struct call *c = calls_next(cs, &cursor); c && n < STRAYS_MAX; c = calls_next(cs, &cursor))
    for (struct leg *k = call_next_leg(c, NULL); k; k = call_next_leg(c, k), n++)
      if (k != l && k->kind == LEG_TRUNK && leg_facts(k, &f) && addr_eq(&f.odd.stranger, said)) {
        ret->wrong_port = (uint32_t)f.rx.wrong_source;
        ret->stray_port = addr_port(&f.local);
        return;
      }
}

/* What a packet of G.711 or G.722 lasts, by its size; 0: not known. */
static uint16_t ptime_of_way(const struct mset_way *w) {
  enum { OCTETS_A_MS = 8, STEP_MS = 10 };
  bool is_sized = w->codec == CODEC_PCMU || w->codec == CODEC_PCMA || w->codec == CODEC_G722;
  uint64_t ms = is_sized && w->packets ? w->bytes / w->packets / OCTETS_A_MS : 0;
  return (uint16_t)((ms + STEP_MS / 2) / STEP_MS * STEP_MS);
}

static void put_client(const struct leg *l, uint64_t from_us, struct why_leg *ret) {
  const struct client_seen *c = &leg_in(l)->client;
  const struct client_told *t = &c->last;
  enum { HEARD_PACKETS = 100 };
  ret->client = (struct why_client){
      .is_relayed = t->is_relayed || leg_in(l)->blame.is_relayed,
      .is_mic_silent = c->mic_us != 0,
      .mic_ms = since_ms(c->mic_us, from_us),
      .is_muted = t->is_muted,
      .muted_ms = since_ms(c->muted_us, from_us),
      .plays_nothing = t->has_play && t->received >= HEARD_PACKETS && t->played == 0,
      .received = (uint32_t)t->received,
      .concealed_permille =
          t->received >= HEARD_PACKETS && t->played ? (uint32_t)(t->concealed * 1000 / t->played) : 0};
  if (t->rtt_ms > ret->rtt_ms)
    ret->rtt_ms = t->rtt_ms;
}

static void put_odd(const struct leg *l, const struct mset_facts *f, uint64_t from_us,
                    struct why_leg *ret) {
  const struct mset_odd *o = &f->odd;
  ret->wrong_source = (uint32_t)f->rx.wrong_source;
  if (addr_family(&o->stranger) != AF_UNSPEC)
    addr_text(&o->stranger, ret->stranger, sizeof(ret->stranger));
  ret->wrong_port = o->wrong_port;
  ret->stray_port = o->wrong_port ? o->stray_port : 0;
  ret->bad_payload = o->bad_payload;
  ret->payload_type = o->payload_type;
  ret->is_fingerprint_wrong = o->is_misfit != 0;
  ret->key_bad = o->bad_run;
  ret->key_plain = o->plain;
  ret->key_good = (uint32_t)f->rx.packets;
  ret->key_failures = (uint32_t)f->rx.auth_failures;
  ret->bad_ms = since_ms(o->bad_since_us, from_us);
  ret->key_reinvite = o->bad_run ? reoffer_at(leg_in(l), o->bad_since_us) : 0;
  ret->first_ms = since_ms(o->first_us, from_us);
  ret->last_ms = since_ms(o->heard_us, from_us);
  ret->sound_ms = since_ms(o->sound_us, from_us);
  ret->has_level = f->level_rx_dbov != MSET_LEVEL_UNKNOWN;
  if (l->call->ended_ms && l->kind == LEG_TRUNK && !f->rx.packets && !ret->stray_port &&
      addr_family(&leg_in(l)->blame.said) != AF_UNSPEC)
    find_stray(l, ret);
}

static void put_leg(const struct leg *l, uint64_t from_us, struct why_leg *ret) {
  const struct blame_leg *b = &leg_in(l)->blame;
  const struct mset_facts f = rec_sum(l);
  *ret = (struct why_leg){.is_there = true,
                          .is_trunk = l->kind == LEG_TRUNK,
                          .is_up = l->connected_ms != 0,
                          .wants_ice = b->wants_ice,
                          .wants_dtls = b->wants_dtls,
                          .wants_srtp = b->wants_srtp,
                          .ice = (enum why_ice)l->media.ice,
                          .dtls = (enum why_dtls)l->media.dtls,
                          .candidates = b->candidates,
                          .way = (enum why_way)b->way,
                          .is_held = b->is_held,
                          .our_port = b->our_port,
                          .rx = flow_of(&f.rx, f.mos_rx_centi),
                          .tx = flow_of(&f.tx, f.mos_tx_centi),
                          .dumb_ms = f.silent_ms,
                          .unheard_ms = since_ms(f.unheard_us, from_us),
                          .rtt_ms = f.rtt_us / 1000};
  ret->tx.lost = f.remote_lost;
  ret->rx.discarded = f.discarded;
  ret->ptime_ms = ptime_of_way(&f.rx);
  ret->agreed_ms = b->ptime_ms;
  put_client(l, from_us, ret);
  snprintf(ret->name, sizeof(ret->name), "%s", l->trunk ? l->trunk->name : l->identity);
  snprintf(ret->codec, sizeof(ret->codec), "%s", rec_codec(l->media.codec));
  if (addr_family(&b->said) != AF_UNSPEC)
    addr_text(&b->said, ret->said, sizeof(ret->said));
  put_odd(l, &f, from_us, ret);
}

/* Facts of the call -------------------------------------------------------------------------------- */
static void put_attempts(const struct call *c, struct why_facts *f) {
  uint32_t n = 0;
  const struct hunt_try *tries = hunt_tries(c, &n);
  for (uint32_t i = 0; i < n && i < WHY_ATTEMPTS_MAX; i++) {
    struct why_attempt *a = &f->attempts[f->n_attempts++];
    *a = (struct why_attempt){.is_trunk = tries[i].kind == LEG_TRUNK,
                              .had_progress = tries[i].had_progress,
                              .is_demoted = tries[i].is_demoted,
                              .fault = tries[i].fault,
                              .status = tries[i].sip,
                              .q850 = tries[i].is_peer ? tries[i].q850 : 0,
                              .is_peer = tries[i].is_peer,
                              .ms = (uint32_t)(tries[i].ended_ms - tries[i].started_ms),
                              .tries = tries[i].tries};
    memcpy(a->name, tries[i].name, sizeof(a->name));
    if (addr_family(&tries[i].target) != AF_UNSPEC)
      addr_text(&tries[i].target, a->target, sizeof(a->target));
  }
}

static bool is_failure(enum end_reason r) {
  static const bool good[END_COUNT_] = {
      [END_COMPLETED] = true,          [END_BUSY] = true,         [END_DECLINED] = true,
      [END_NO_ANSWER] = true,          [END_CANCELED] = true,     [END_TRANSFERRED] = true,
      [END_REPLACED] = true,           [END_MAX_DURATION] = true, [END_OPERATOR] = true,
      [END_ANSWERED_ELSEWHERE] = true,
  };
  return r < END_COUNT_ && !good[r];
}

/* When it was answered, or begun, on the clock of the counters. */
static uint64_t from_us(const struct call *c) {
  const struct leg *b = callee_of(c);
  uint64_t wall_ms = c->answered && b && b->answered_ms ? b->answered_ms : c->created_ms;
  return c->created_us + wall_ms * 1000 - c->created_ms * 1000; /* a leg that was moved here may be older */
}

static void gather(const struct call *c, struct why_facts *f) {
  const struct call_inner *in = call_in(c);
  const struct cause *why = in->why.reason || !c->caller ? &in->why : &c->caller->cause;
  const struct leg *legs[WHY_LEGS] = {c->caller, callee_of(c)};
  uint64_t from = from_us(c), now_ms = call_time_ms(c), ended_ms = c->ended_ms ? c->ended_ms : now_ms;
  *f = (struct why_facts){.end = is_failure(why->reason) ? WHY_END_FAILED : WHY_END_GOOD,
                          .fault = why->fault,
                          .is_answered = c->answered,
                          .is_caller_faulty = in->is_caller_faulty,
                          .reason = "",
                          .rule = "",
                          .q850 = why->by == BY_CALLER || why->by == BY_CALLEE ? why->q850 : 0,
                          .detail = why->detail};
  f->ms = since_ms(clock_now_us(), from);
  if (now_ms > ended_ms && f->ms > now_ms - ended_ms)
    f->ms -= (uint32_t)(now_ms - ended_ms);
  for (size_t i = 0; i < WHY_LEGS; i++)
    if (legs[i])
      put_leg(legs[i], from, &f->legs[i]);
  put_attempts(c, f);
}

static void tell(struct calls *cs, struct record *r, const struct why_facts *f, struct why *w) {
  why_find(f, w);
  if (w->id == CAUSE_NONE)
    return;
  snprintf(r->cause_id, sizeof(r->cause_id), "%s", why_slug(w->id));
  snprintf(r->cause_text, sizeof(r->cause_text), "%s", w->sentence);
  count_one(&cs->causes, w->id - 1);
}

void blame_find(struct call *c, struct record *r) {
  struct call_inner *in = call_in(c);
  struct why_facts f;
  struct why w;
  if (in->blame_text || in->recorded) { /* once more, with the client's figures */
    snprintf(r->cause_id, sizeof(r->cause_id), "%s", why_slug(in->blame));
    snprintf(r->cause_text, sizeof(r->cause_text), "%s", in->blame_text ? in->blame_text : "");
    return;
  }
  gather(c, &f);
  f.status = r->sip_status;
  f.reason = r->reason;
  f.rule = r->rule;
  tell(in->cs, r, &f, &w);
  in->blame = w.id;
  if (w.id == CAUSE_NONE)
    return;
  in->blame_text = strdup(w.sentence);
  log_info(call, "%s %s: %s", c->id, f.end == WHY_END_FAILED ? "failed" : "sounded bad", w.sentence);
}

void blame_refusal(struct calls *cs, struct record *r, const struct verdict *v) {
  struct why w;
  struct why_facts f = {.end = WHY_END_FAILED,
                        .is_refused = true,
                        .fault = cause_of_verdict(v).fault,
                        .status = r->sip_status,
                        .reason = r->reason,
                        .rule = r->rule,
                        .detail = r->detail};
  tell(cs, r, &f, &w);
}

/* A live call as if it ended now, and well. */
static void find_live(struct call *c, struct why *ret) {
  struct why_facts f;
  blame_note(c);
  gather(c, &f);
  f.end = WHY_END_GOOD;
  f.fault = WHY_FAULT_NONE;
  why_find(&f, ret);
}

void call_why(struct call *c, struct why *ret) {
  const struct call_inner *in = call_in(c);
  *ret = (struct why){.id = in->blame};
  if (in->blame_text)
    snprintf(ret->sentence, sizeof(ret->sentence), "%s", in->blame_text);
  else if (!c->ended_ms && in->connected_us)
    find_live(c, ret);
}

/* Metrics ------------------------------------------------------------------------------------------ */
static const struct count_row rows[CAUSE_COUNT_] = {
#define WHY(id, slug, severity, scope, condition, sentence, advice, test) \
  [CAUSE_##id] = {"sallyport_cause_total", "cause=\"" slug "\"", \
                  "Calls that failed or sounded bad, by why", COUNT_COUNTER},
#include "trace/why.def"
#undef WHY
};

void blame_counts(struct calls *cs) {
  cs->causes = (struct counts){rows + 1, CAUSE_COUNT_ - 1, cs->cause_values}; /* none is no row */
}

const struct counts *calls_causes(const struct calls *cs) { return &cs->causes; }
