/* SPDX-License-Identifier: Apache-2.0
 * Figures of a session: its facts for the controller, the totals that quality is judged by, the
 * metrics that go to the peer. See session.h. */
#include "media/session.h"

static void add_strm(struct mset_way *way, const struct strm *t, bool is_live) {
  uint32_t jitter_us = strm_jitter_us(t);
  way->packets += t->packets;
  way->bytes += t->bytes;
  way->lost += strm_lost(t);
  way->late += t->late;
  way->duplicate += t->duplicate;
  way->reordered += t->reordered;
  if (is_live)
    way->jitter_us = jitter_us;
  if (t->max_jitter_us > way->max_jitter_us)
    way->max_jitter_us = t->max_jitter_us;
}

static const struct strm *live_strm(const struct session *s) {
  for (unsigned i = 0; i < s->n_strms; i++)
    if (s->strms[i].is_used && s->strms[i].ssrc == s->last_ssrc)
      return &s->strms[i];
  return NULL;
}

static void add_odd(const struct session *s, struct mset_odd *ret) {
  *ret = s->odd;
  ret->bad_run = s->bad_run;
  ret->first_us = s->first_us;
  for (unsigned i = 0; i < s->n_strms; i++) /* the session's own goes on while nothing is due */
    if (s->strms[i].is_used && s->strms[i].heard_us > ret->heard_us)
      ret->heard_us = s->strms[i].heard_us;
  ret->sound_us = s->sound_us;
}

static void add_ends(const struct session *s, struct mset_facts *f) {
  const struct remote *r = session_target((struct session *)s);
  f->suite = r ? r->suite : SUITE_NONE;
  if (s->kind == MSET_NATIVE_LEG) {
    const struct ice_pair *pair = ice_selected(s->ice);
    f->local = pair ? pair->local : s->w->native[0].local;
    if (pair)
      f->remote = pair->remote;
    return;
  }
  f->local = s->rtp.shown;
  if (r && !remote_target(r, false, s->w->now_us, &f->remote))
    f->remote = r->rtp;
}

/* The peer counts in the clock of what we send. */
static uint32_t remote_jitter_us(const struct session *s) {
  struct remote *r = session_target((struct session *)s);
  const struct mset_codec *codec = r ? remote_audio(r) : NULL;
  uint32_t clock_hz = codec ? codec->clock_hz : SINK_CLOCK_HZ;
  uint64_t us = (uint64_t)s->report.remote_jitter * 1000000u / clock_hz;
  return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static void add_xr(const struct report *r, struct mset_xr *ret) {
  const struct rtcpxr_voip *v = &r->xr;
  *ret = (struct mset_xr){
      .loss = v->loss,
      .discard = v->discard,
      .burst_density = v->burst_density,
      .gap_density = v->gap_density,
      .burst_ms = v->burst_ms,
      .gap_ms = v->gap_ms,
      .round_trip_ms = v->round_trip_ms,
      .end_delay_ms = v->end_delay_ms,
      .r_factor = v->r_factor,
      .mos_listening = v->mos_listening,
      .mos_conversational = v->mos_conversational,
      .is_given = v->ssrc != 0,
      .rx = r->xr_rx,
      .tx = r->xr_tx,
  };
}

static void add_report(const struct report *r, uint32_t jitter_us, struct mset_facts *ret) {
  ret->tx.lost = ret->remote_lost = r->remote_lost;
  ret->tx.jitter_us = ret->remote_jitter_us = jitter_us;
  ret->rtcp_rx = r->rtcp_rx;
  ret->rtcp_tx = r->rtcp_tx;
  ret->nacks = r->nacks;
  ret->picture_losses = r->picture_losses;
  ret->byes = r->byes;
  add_xr(r, &ret->xr);
}

static void add_quality(const struct session *s, struct mset_facts *ret) {
  const struct quality *q = &s->quality;
  uint64_t silent_us = q->silence_us + (q->silent_us ? s->w->now_us - q->silent_us : 0);
  ret->discarded = q->discarded;
  ret->mos_rx_centi = quality_centi(&q->up);
  ret->mos_tx_centi = quality_centi(&q->down);
  ret->silent_ms = (uint32_t)(silent_us / 1000);
  ret->unheard_us = report_stuck_us(&s->report, s->w->now_us);
  ret->level_rx_dbov = s->level_rx_dbov;
  ret->level_tx_dbov = MSET_LEVEL_UNKNOWN;
}

void session_facts(const struct session *s, struct mset_facts *ret) {
  *ret = (struct mset_facts){.session = s->id, .rx = s->rx, .tx = s->tx};
  add_strm(&ret->rx, &s->gone, false);
  for (unsigned i = 0; i < s->n_strms; i++)
    if (s->strms[i].is_used)
      add_strm(&ret->rx, &s->strms[i], s->strms[i].ssrc == s->last_ssrc);
  ret->rx.ssrc = s->last_ssrc;
  ret->tx.ssrc = s->ssrc;
  ret->rtt_us = s->report.rtt_us;
  ret->ssrc_changes = s->ssrc_changes;
  ret->updated_us = s->w->now_us;
  add_report(&s->report, remote_jitter_us(s), ret);
  add_quality(s, ret);
  add_odd(s, &ret->odd);
  const struct strm *t = live_strm(s);
  ret->drift_ppm = t ? strm_drift_ppm(t) : 0;
  add_ends(s, ret);
}

/* Quality ------------------------------------------------------------------------------------------ */
static void add_totals(struct quality_in *in, const struct strm *t) {
  in->expected += t->expected;
  in->packets += t->packets;
  in->lost += t->burst.lost;
  in->runs += t->burst.runs;
}

static uint32_t frame_ms(struct session *s) {
  struct remote *r = session_target(s);
  const struct mset_codec *codec = r ? remote_audio(r) : NULL;
  return codec && codec->ptime_ms ? codec->ptime_ms : QUALITY_FRAME_MS;
}

/* What it says is decoded for its peer, in front of the peer's encoder. */
static void add_buffer(const struct session *s, struct quality_in *ret) {
  const struct session *peer = session_peer(s);
  if (!peer || !peer->voice.is_fed)
    return;
  ret->buffer_ms = peer->voice.buffer.delay_ms;
  ret->buffer_max_ms = peer->voice.buffer.max_ms;
  ret->discards = peer->voice.buffer.discards;
}

/* When it was last sent something that the far end said: an encoder goes on for a while when nothing
 * comes any more. */
static uint64_t fed_us(const struct session *s) {
  const struct session *peer = session_peer(s);
  if (!peer)
    return 0;
  return peer->heard_us < s->forwarded_us ? peer->heard_us : s->forwarded_us;
}

static void fill(struct session *s, struct quality_in *ret) {
  const struct strm *live = live_strm(s);
  *ret = (struct quality_in){
      .jitter_us = live ? strm_jitter_us(live) : 0,
      .remote_jitter_us = remote_jitter_us(s),
      .ptime_ms = frame_ms(s),
      .rx_codec = (uint8_t)s->rx.codec,
      .tx_codec = (uint8_t)s->tx.codec,
      .report = &s->report,
      .heard_us = s->heard_us,
      .sent_us = fed_us(s),
      .is_open = (session_peer(s) || s->far) && session_is_receiving(s) && !s->is_resting,
  };
  add_buffer(s, ret);
  add_totals(ret, &s->gone);
  for (unsigned i = 0; i < s->n_strms; i++)
    if (s->strms[i].is_used)
      add_totals(ret, &s->strms[i]);
}

static void tell_way(struct session *s, bool is_up, const struct quality_way *way) {
  union up m = {.quality = {.h = {.bytes = sizeof(m.quality), .type = MSET_QUALITY, .session = s->id},
                            .up = is_up,
                            .jitter_ms = (way->jitter_us + 500) / 1000,
                            .rtt_ms = (s->report.rtt_us + 500) / 1000,
                            .loss = way->loss,
                            .mos = way->mos}};
  if (way->is_told)
    worker_tell(s->w, &m, true);
}

void session_tick_quality(struct session *s) {
  struct quality_in in;
  struct quality_told told;
  fill(s, &in);
  quality_tick(&s->quality, &in, s->w->now_us, &told);
  tell_way(s, true, &told.up);
  tell_way(s, false, &told.down);
  if (told.is_oneway_told && told.is_silent)
    stray_open(s);
  else if (told.is_oneway_told)
    stray_close(s);
  if (!told.is_oneway_told)
    return;
  union up m = {.oneway = {.h = {.bytes = sizeof(m.oneway), .type = MSET_ONEWAY, .session = s->id},
                           .active = told.is_silent,
                           .since_ms = told.since_ms}};
  worker_tell(s->w, &m, told.is_silent);
}

void session_metrics(struct session *s, struct rtcpxr_voip *ret) {
  const struct strm *live = live_strm(s);
  struct quality_in in;
  *ret = (struct rtcpxr_voip){0};
  fill(s, &in);
  if (live)
    quality_metrics(live, &in, ret);
}
