/* SPDX-License-Identifier: Apache-2.0
 * What the call model writes into a call's timeline: rules that were hit, states, media, what was
 * agreed, the end. Without a timeline each costs one test for NULL. */
#include "call/inner.h"
#include "route/route.h"

#include <stdio.h>

void timeline_leg(struct leg *l) {
  struct trace *t = l->call->trace;
  if (!t)
    return;
  if (l->role == LEG_CALLER)
    l->lane = TRACE_CALLER;
  else if (l->lane < TRACE_CALLEE)
    l->lane = (uint8_t)trace_callee_lane(t);
  if (l->sip_call_id[0])
    trace_bind(t, l->sip_call_id, l->lane);
  if (l->kind == LEG_TRUNK)
    trace_note(t, l->lane, TRACE_STATE, "leg of trunk %s", l->trunk ? l->trunk->name : "");
  else
    trace_note(t, l->lane, TRACE_STATE, "leg of user %s%s%s", l->identity,
               l->device[0] ? ", device " : "", l->device);
}

void timeline_placed(struct calls *cs, const struct place *p, const struct route_decision *r,
                     const struct verdict *v, struct trace *t) {
  if (!t)
    return;
  if (p->ask && p->ask->trunk)
    trace_note(t, TRACE_GATEWAY, TRACE_RULE, "peer: trunk %s; configuration version %016llx",
               p->ask->trunk->name, (unsigned long long)cs->env.conf->version);
  else if (p->identity.n)
    trace_note(t, TRACE_GATEWAY, TRACE_RULE, "user %.*s; configuration version %016llx",
               SLICE_ARG(p->identity), (unsigned long long)cs->env.conf->version);
  if (!r->rule[0])
    return;
  const char *where = r->action == ROUTE_TRUNK ? r->trunk : r->user;
  trace_note(t, TRACE_GATEWAY, TRACE_RULE, "dialplan rule %s (line %u)%s%s; as called %s, from %s",
             r->rule, r->rule_line,
             !verdict_is_pass(v)        ? ": refused"
             : r->action == ROUTE_TRUNK ? ": trunk "
             : r->action == ROUTE_USER  ? ": user "
                                        : "",
             verdict_is_pass(v) ? where : "", r->called, r->caller);
}

static const char *state_text(enum leg_state s) {
  static const char *const words[] = {
      [LEG_OPENING] = "opening", [LEG_TRYING] = "trying",     [LEG_RINGING] = "ringing",
      [LEG_EARLY] = "early",     [LEG_ANSWERED] = "answered", [LEG_LIVE] = "live",
      [LEG_ENDED] = "ended"};
  return s < COUNT_OF(words) ? words[s] : "";
}

void timeline_state(const struct leg *l, enum leg_state was) {
  if (l->state != LEG_ENDED) {
    trace_note(l->call->trace, l->lane, TRACE_STATE, "%s \u2192 %s", state_text(was),
               state_text(l->state));
    return;
  }
  const struct cause *c = &l->cause;
  trace_note(l->call->trace, l->lane, TRACE_STATE, "%s \u2192 ended: %s%s%s", state_text(was),
             end_reason_word(c->reason), c->detail[0] ? ": " : "", c->detail);
}

/* Media -------------------------------------------------------------------------------------------- */

static const char *ice_text(uint32_t s) {
  static const char *const words[] = {"none", "checking", "connected", "lost"};
  return s < COUNT_OF(words) ? words[s] : "";
}

static const char *dtls_text(uint32_t s) {
  static const char *const words[] = {"none", "connecting", "up", "failed"};
  return s < COUNT_OF(words) ? words[s] : "";
}

static void pair_note(const struct leg *l, const struct mset_state *s, const struct leg_media *m) {
  char local[ADDR_TEXT_BYTES], remote[ADDR_TEXT_BYTES];
  if (addr_family(&s->remote) == AF_UNSPEC || addr_eq(&s->remote, &m->pair_remote))
    return;
  trace_note(l->call->trace, l->lane, TRACE_ICE, "pair %s \u2194 %s",
             addr_text(&s->local, local, sizeof(local)), addr_text(&s->remote, remote, sizeof(remote)));
}

void timeline_media(const struct leg *l, const struct mset_state *s) {
  struct trace *t = l->call->trace;
  const struct leg_media *m = s->h.session == leg_fresh(l) ? l->fresh : &l->media;
  if (!t)
    return;
  if (s->ice != m->ice)
    trace_note(t, l->lane, TRACE_ICE, "ICE %s \u2192 %s", ice_text(m->ice), ice_text(s->ice));
  pair_note(l, s, m);
  if (s->dtls != m->dtls)
    trace_note(t, l->lane, TRACE_DTLS, "DTLS %s \u2192 %s%s%s", dtls_text(m->dtls), dtls_text(s->dtls),
               s->dtls == MSET_DTLS_UP ? ", " : "",
               s->dtls == MSET_DTLS_UP ? suite_name((enum srtp_suite)s->suite) : "");
}

void timeline_flow(const struct leg *l, const struct mset_flow *f) {
  trace_note(l->call->trace, l->lane, TRACE_FLOW, "%s",
             f->active ? "audio arrives" : "no audio for 2 s");
}

void timeline_digit(const struct leg *l, char digit, const char *by) {
  trace_note(l->call->trace, l->lane, TRACE_FLOW, "a digit came by %s", by);
  trace_digit(l->call->trace, l->lane, digit);
}

void timeline_digits(const struct leg *l, struct slice digits) {
  for (size_t i = 0; i < digits.n; i++)
    trace_digit(l->call->trace, l->lane, digits.p[i]);
}

static const char *codec_text(uint32_t kind) {
  static const char *const names[] = {"none", "PCMU", "PCMA", "G722", "opus", "telephone-event", "CN"};
  return kind < COUNT_OF(names) ? names[kind] : "";
}

void timeline_codec(const struct leg *l) {
  static const char *const ways[] = {"inactive", "sendonly", "recvonly", "sendrecv"};
  struct trace *t = l->call->trace;
  if (!t)
    return;
  const struct desc_audio *ours = &l->local->audio, *theirs = &l->remote->audio;
  trace_note(t, l->lane, TRACE_OFFER, "agreed: %s, %s; we %s, peer %s%s", codec_text(l->media.codec),
             l->media.suite       ? suite_name((enum srtp_suite)l->media.suite)
             : desc_is_dtls(ours) ? "keys by DTLS"
                                  : "no encryption",
             ways[ours->direction & 3], ways[theirs->direction & 3],
             leg_in(l)->is_ours_answer ? "; the offer was the peer's" : "; the offer was ours");
}

/* The end ------------------------------------------------------------------------------------------ */

/* Whoever wanted it so: all others failed. */
static bool is_failure(const struct call *c) {
  static const bool is_good[END_COUNT_] = {
      [END_COMPLETED] = true,         [END_CANCELED] = true,     [END_TRANSFERRED] = true,
      [END_REPLACED] = true,          [END_MAX_DURATION] = true, [END_OPERATOR] = true,
      [END_ANSWERED_ELSEWHERE] = true};
  return !is_good[call_in(c)->why.reason];
}

static void leg_sum(const struct call *c, const struct leg *l) {
  const struct mset_facts *f = &leg_in(l)->facts;
  if (leg_in(l)->has_facts)
    trace_note(c->trace, l->lane, TRACE_FLOW,
               "in all: %llu packets came, %llu lost, %llu failed to authenticate; %llu were sent",
               (unsigned long long)f->rx.packets, (unsigned long long)f->rx.lost,
               (unsigned long long)f->rx.auth_failures, (unsigned long long)f->tx.packets);
}

void timeline_end(struct call *c, const struct record *r) {
  if (!c->trace)
    return;
  for (struct leg *l = call_next_leg(c, NULL); l; l = call_next_leg(c, l))
    leg_sum(c, l);
  trace_end(c->trace, is_failure(c) || r->cause_id[0], r->cause_text);
  c->trace = NULL;
}
