/* SPDX-License-Identifier: Apache-2.0
 * What the media process tells: one function an event, found by the table at the end. */
#include "call/inner.h"

#include "base/log.h"

static void tell_media(struct leg *l) {
  if (!leg_is_over(l) && l->door->media)
    l->door->media(l->door_arg, l);
}

static void copy_state(struct leg_media *to, const struct mset_state *s) {
  to->ice = s->ice;
  to->dtls = s->dtls;
  to->suite = s->suite;
  to->pair_local = s->local;
  to->pair_remote = s->remote;
}

static void on_fresh_state(struct leg *l, const struct mset_state *s) {
  copy_state(l->fresh, s);
  if (s->dtls == MSET_DTLS_FAILED) {
    leg_fresh_drop(l, "its DTLS failed");
    return;
  }
  if (s->dtls != MSET_DTLS_UP)
    return;
  leg_fresh_take_over(l);
  tell_media(l);
  if (!leg_is_over(l))
    (void)fsm_fire(l, EVENT_UP);
}

/* Without DTLS only the pair is news, and with ICE that nobody is there any more. Before the answer a
 * fork whose media are gone says nothing about the others. */
static void on_trunk_state(struct leg *l, const struct mset_state *s) {
  l->media.ice = s->ice;
  l->media.pair_local = s->local;
  l->media.pair_remote = s->remote;
  if (l->call->answered && (s->ice == MSET_ICE_LOST || s->ice == MSET_ICE_CONNECTED))
    consent_set(l, s->ice == MSET_ICE_LOST);
}

static void on_state(struct leg *l, const union mset_any *m) {
  const struct mset_state *s = &m->state;
  timeline_media(l, s);
  if (s->h.session == leg_fresh(l)) {
    on_fresh_state(l, s);
    return;
  }
  if (l->kind == LEG_TRUNK && s->dtls == MSET_DTLS_NONE) {
    on_trunk_state(l, s);
    return;
  }
  copy_state(&l->media, s);
  if (s->dtls == MSET_DTLS_FAILED && !leg_fresh(l)) {
    leg_end(l, cause_fault(END_MEDIA_FAILURE, WHY_FAULT_DTLS, "DTLS failed"));
    return;
  }
  tell_media(l);
  if (s->ice == MSET_ICE_LOST || s->ice == MSET_ICE_CONNECTED)
    consent_set(l, s->ice == MSET_ICE_LOST);
  if (!leg_is_over(l) && s->dtls == MSET_DTLS_UP)
    (void)fsm_fire(l, EVENT_UP);
}

/* Verified audio of one of its remotes. */
static void on_flow(struct leg *l, const union mset_any *m) {
  timeline_flow(l, &m->flow);
  ringback_flow(l, m->flow.remote, m->flow.active != 0);
}

static void on_digit(struct leg *l, const union mset_any *m) {
  struct leg *far = leg_far(l);
  bool is_news = leg_takes_digit(l, (char)m->digit.digit, false);
  if (is_news)
    timeline_digit(l, (char)m->digit.digit, "its media");
  if (is_news && far && far->door->digit)
    far->door->digit(far->door_arg, far, (char)m->digit.digit, m->digit.ms, "rtp");
}

static void on_digits_done(struct leg *l, const union mset_any *m) {
  struct leg *far = leg_far(l);
  struct verdict v = verdict_pass();
  if (!m->digits_done.ok)
    v = verdict_refuse(REFUSE_STATE, "the far side took not all of the digits");
  if (far && m->digits_done.op && far->door->operation)
    far->door->operation(far->door_arg, far, m->digits_done.op, &v);
}

static void on_timeout(struct leg *l, const union mset_any *m) {
  trace_note(l->call->trace, l->lane, TRACE_FLOW, "no media for media_timeout_s");
  if (m->h.session == l->media.session)
    leg_end(l,
            cause_fault(END_MEDIA_FAILURE, WHY_FAULT_MEDIA_QUIET, "no media came for media_timeout_s"));
}

/* A session that ended by itself: its facts are in the message, no END is owed. */
static void on_ended(struct leg *l, const union mset_any *m) {
  struct calls *cs = leg_calls(l);
  if (m->h.session != leg_fresh(l) && m->h.session != l->media.session)
    return; /* its END is on the way and will be answered */
  rec_facts(l, &m->ended.facts);
  map_del(cs->by_session, slice_from(&m->h.session, sizeof(m->h.session)));
  if (m->h.session == leg_fresh(l)) {
    l->fresh->session = 0;
    leg_fresh_drop(l, "its session ended");
    return;
  }
  l->media.session = 0;
  bool is_consent = m->ended.reason == MSET_END_CONSENT;
  leg_end(l, cause_fault(END_MEDIA_FAILURE, is_consent ? WHY_FAULT_CONSENT : WHY_FAULT_MEDIA_GONE,
                         "its media session ended"));
}

void events_take(void *arg, const union mset_any *m) {
  static void (*const rows[MSET_COUNT_])(struct leg *, const union mset_any *) = {
      [MSET_STATE] = on_state,          [MSET_FLOW] = on_flow,
      [MSET_DIGIT] = on_digit,          [MSET_DIGITS_DONE] = on_digits_done,
      [MSET_QUALITY] = quality_told,    [MSET_TIMEOUT] = on_timeout,
      [MSET_ENDED] = on_ended,          [MSET_ONEWAY] = quality_oneway,
      [MSET_PLAY_DONE] = bridge_played,
  };
  if (m->h.type == MSET_HEADERS) {
    captured_take(arg, &m->headers);
    return;
  }
  struct leg *l = calls_leg_of_session(arg, m->h.session);
  if (!l)
    testleg_event(arg, m);
  else if (!leg_is_over(l) && rows[m->h.type])
    rows[m->h.type](l, m);
}
