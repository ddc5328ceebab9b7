/* SPDX-License-Identifier: Apache-2.0
 * The call record: filled from the call and its legs, written when placed, when answered, every
 * records.interim_s, and at the end when the media process gave its counts. */
#include "call/hunt.h"

#include "base/clock.h"
#include "base/log.h"

/* Into a field, cut to fit: a call has more than a hundred of them, and none needs a format. */
static void put(char *dst, size_t bytes, const char *text) {
  size_t n = strlen(text);
  n = n < bytes ? n : bytes - 1;
  memcpy(dst, text, n);
  dst[n] = 0;
}

#define PUT(field, text) put((field), sizeof(field), (text))

const char *rec_codec(uint32_t kind) {
  static const char *const names[] = {"", "PCMU", "PCMA", "G722", "opus", "telephone-event", "CN"};
  return kind < COUNT_OF(names) ? names[kind] : "";
}

static void add_way(struct mset_way *to, const struct mset_way *w) {
  to->packets += w->packets;
  to->bytes += w->bytes;
  to->lost += w->lost;
  to->auth_failures += w->auth_failures;
  to->late += w->late;
  to->wrong_source += w->wrong_source;
  to->digits += w->digits;
  to->jitter_us = w->jitter_us;
}

static void add_odd(struct mset_odd *to, const struct mset_odd *o) {
  struct mset_odd was = *to;
  *to = *o;
  to->wrong_port += was.wrong_port;
  to->bad_payload += was.bad_payload;
  to->plain += was.plain;
  to->is_misfit |= was.is_misfit;
  to->first_us = was.first_us ? was.first_us : o->first_us;
  to->heard_us = o->heard_us ? o->heard_us : was.heard_us;
  to->sound_us = o->sound_us ? o->sound_us : was.sound_us;
  if (addr_family(&o->stranger) == AF_UNSPEC)
    to->stranger = was.stranger;
  if (!o->stray_port)
    to->stray_port = was.stray_port;
}

static void add_facts(struct mset_facts *to, const struct mset_facts *f) {
  add_way(&to->rx, &f->rx);
  add_way(&to->tx, &f->tx);
  if (f->rx.codec)
    to->rx.codec = f->rx.codec;
  to->remote_lost += f->remote_lost;
  to->remote_jitter_us = f->remote_jitter_us;
  to->rtt_us = f->rtt_us;
  to->remote = f->remote;
  to->silent_ms += f->silent_ms;
  to->discarded += f->discarded;
  to->unheard_us = f->unheard_us;
  to->level_rx_dbov = f->level_rx_dbov;
  add_odd(&to->odd, &f->odd);
  if (f->mos_rx_centi)
    to->mos_rx_centi = f->mos_rx_centi;
  if (f->mos_tx_centi)
    to->mos_tx_centi = f->mos_tx_centi;
}

/* Counts of a session that is over; a leg that was renewed has several. */
void rec_facts(struct leg *l, const struct mset_facts *f) {
  add_facts(&leg_in(l)->facts, f);
  leg_in(l)->has_facts = true;
}

struct mset_facts rec_sum(const struct leg *l) {
  struct mset_facts sum = leg_in(l)->facts, now;
  if (!leg_is_over(l) && leg_facts(l, &now))
    add_facts(&sum, &now);
  return sum;
}

static void put_flow(struct record_flow *to, const struct mset_way *w) {
  to->packets = w->packets;
  to->bytes = w->bytes;
  to->lost = w->lost;
  to->jitter_us = w->jitter_us;
  to->auth_failures = w->auth_failures;
}

/* 0 is unknown. */
static uint16_t worse_of(uint16_t a, uint16_t b) { return !a || (b && b < a) ? b : a; }

static void put_media(struct record_leg *r, const struct leg *l) {
  struct mset_facts f = rec_sum(l);
  const struct addr *from = addr_family(&f.remote) != AF_UNSPEC ? &f.remote : &l->media.pair_remote;
  put_flow(&r->rx, &f.rx);
  put_flow(&r->tx, &f.tx);
  r->tx.lost = f.remote_lost;
  r->tx.jitter_us = f.remote_jitter_us;
  r->rtt_us = f.rtt_us;
  r->rx.mos_x100 = f.mos_rx_centi;
  r->tx.mos_x100 = f.mos_tx_centi;
  r->mos_x100 = worse_of(f.mos_rx_centi, f.mos_tx_centi);
  r->silent_ms = f.silent_ms;
  r->dtmf_in = (uint32_t)f.rx.digits;
  r->dtmf_out = (uint32_t)f.tx.digits;
  if (addr_family(from) != AF_UNSPEC)
    addr_text(from, r->media_addr, sizeof(r->media_addr));
  PUT(r->codec, rec_codec(l->media.codec));
  PUT(r->suite, suite_name((enum srtp_suite)l->media.suite));
  PUT(r->dtls, l->kind == LEG_NATIVE && l->media.dtls == MSET_DTLS_UP ? "DTLSv1.2" : "");
}

static void put_leg(struct record_leg *r, const struct leg *l) {
  const struct call *c = l->call;
  r->kind = l->kind == LEG_TRUNK ? RECORD_LEG_TRUNK : RECORD_LEG_NATIVE;
  PUT(r->peer, l->trunk ? l->trunk->name : l->identity);
  PUT(r->sip_call_id, l->sip_call_id);
  PUT(r->remote_addr, l->peer);
  PUT(r->device, l->device);
  bool is_caller = l->role == LEG_CALLER;
  PUT(r->remote_user, is_caller ? c->from : c->to_user[0] ? c->to_user : c->to);
  PUT(r->local_user, is_caller ? c->to : c->from);
  put_media(r, l);
}

/* local is the app's side, remote the carrier's. */
static const char *by_text(const struct call *c, enum end_by by) {
  if (by == BY_GATEWAY)
    return "gateway";
  bool caller_is_local = c->caller ? c->caller->kind == LEG_NATIVE : call_in(c)->identity[0];
  return (by == BY_CALLER) == caller_is_local ? "local" : "remote";
}

static void put_end(struct record *r, const struct call *c) {
  const struct cause *why = call_in(c)->why.reason || !c->caller ? &call_in(c)->why : &c->caller->cause;
  r->ended_ms = c->ended_ms ? c->ended_ms : call_time_ms(c);
  PUT(r->reason, end_reason_word(why->reason));
  PUT(r->end_by, by_text(c, why->by));
  r->sip_status = (uint16_t)(why->sip ? why->sip : end_reason_sip(why->reason));
  r->q850 = (uint16_t)(why->q850 ? why->q850 : end_reason_q850(why->reason));
  PUT(r->detail, why->sentence[0] ? why->sentence : why->detail);
  if (why->reason == END_POLICY)
    PUT(r->rule, why->detail);
}

static void fill(struct record *r, const struct call *c) {
  const struct call_inner *in = call_in(c);
  if (in->kept) {
    enum record_state state = r->state;
    *r = *in->kept;
    r->state = state;
    r->interim = in->n_interim;
    return;
  }
  const struct leg *a = c->caller, *b = in->bridged ? in->bridged : c->callee;
  r->started_ms = c->created_ms;
  r->ringing_ms = a->ringing_ms;
  r->early_ms = in->early_ms;
  r->answered_ms = a->answered_ms;
  r->direction = a->kind == LEG_TRUNK ? RECORD_IN : RECORD_OUT;
  PUT(r->from, c->from);
  PUT(r->to, c->to[0] ? c->to : c->to_user);
  PUT(r->identity, in->identity);
  PUT(r->tenant, in->tenant);
  memcpy(r->session_id_local, c->session_local, sizeof(r->session_id_local));
  memcpy(r->session_id_remote, c->session_remote, sizeof(r->session_id_remote));
  memcpy(r->verified, c->verified, sizeof(r->verified));
  PUT(r->asked_called, in->asked_called);
  PUT(r->asked_caller, in->asked_caller);
  r->asked_flags = in->asked_flags;
  hunt_record(c, r->attempts, sizeof(r->attempts));
  PUT(r->telemetry, in->telemetry ? in->telemetry : "");
  PUT(r->metadata, c->metadata ? c->metadata : "");
  r->interim = in->n_interim;
  r->config_version = in->config_version;
  put_leg(&r->caller, a);
  if (b)
    put_leg(&r->callee, b);
}

void rec_keep(struct call *c) {
  struct call_inner *in = call_in(c);
  struct record *r = in->kept ? NULL : malloc(sizeof(*r));
  if (!r)
    return;
  rec_start(r, in->cs, c->id);
  fill(r, c);
  in->kept = r;
}

static void on_interim(void *arg) {
  struct call *c = arg;
  call_in(c)->n_interim++;
  rec_put(c, RECORD_LIVE);
}

static void arm_interim(struct call *c) {
  struct call_inner *in = call_in(c);
  uint32_t every_s = in->cs->env.conf->records.interim_s;
  in->interim.fn = on_interim;
  in->interim.arg = c;
  calls_arm(in->cs, &in->interim, (every_s ? every_s : 900) * UINT64_C(1000000));
}

void rec_store(struct calls *cs, const struct record *r) {
  if (cs->env.store) /* what is given up is counted there, and an alarm */
    (void)store_put(cs->env.store, r);
}

void rec_put(struct call *c, enum record_state state) {
  struct call_inner *in = call_in(c);
  struct record r;
  if (in->is_folded)
    fold_open(c);
  rec_start(&r, in->cs, c->id);
  r.state = state;
  fill(&r, c);
  if (state == RECORD_ENDED) {
    put_end(&r, c);
    blame_find(c, &r);
    if (!in->recorded)
      tally_record(&r);
    in->recorded = true;
    timeline_end(c, &r);
  } else {
    arm_interim(c);
  }
  rec_store(in->cs, &r);
}

void call_telemetry(struct call *c, const char *json) {
  struct call_inner *in = call_in(c);
  if (strlen(json) >= RECORD_TELEMETRY_BYTES || (in->telemetry && strcmp(in->telemetry, json) == 0))
    return;
  free(in->telemetry);
  in->telemetry = strdup(json);
  if (in->recorded)
    rec_put(c, RECORD_ENDED);
}
