/* SPDX-License-Identifier: Apache-2.0
 * What comes back to a run's line, written into its facts. Call thread. */
#include "doctor/run.h"

#include <stdio.h>

static void said_take(struct said *s, const struct probe_word *w) {
  s->is_over = true;
  s->is_own = w->is_own;
  s->status = w->status;
  s->ms = w->ms;
}

static void text_take(char *dst, size_t bytes, const char *text) {
  if (text)
    snprintf(dst, bytes, "%s", text);
}

static void target_take(struct target_facts *t, const struct probe_word *w, uint64_t wall_ms) {
  said_take(&t->options, w);
  text_take(t->allow, sizeof t->allow, w->allow);
  text_take(t->supported, sizeof t->supported, w->supported);
  text_take(t->agent, sizeof t->agent, w->agent);
  text_take(t->contact, sizeof t->contact, w->contact);
  t->has_date = w->date_s != 0;
  t->skew_s = (int32_t)(w->date_s - (int64_t)(wall_ms / 1000));
}

/* Does its version tell of a change? */
static void version_take(struct call_facts *c, const struct desc *d) {
  uint16_t port = addr_port(&d->audio.rtp);
  bool is_other = c->told.port != port || c->told.direction != d->audio.direction;
  if (c->told.is_there) {
    c->n_strange += d->session_id != c->told.session_id;
    c->n_stale += d->session_id == c->told.session_id &&
                  (d->version < c->told.version || (is_other && d->version == c->told.version));
  }
  c->told.is_there = true;
  c->told.session_id = d->session_id;
  c->told.version = d->version;
  c->told.port = port;
  c->told.direction = d->audio.direction;
  c->n_descs++;
}

static void desc_take(struct call_facts *c, const struct desc *d) {
  size_t n = 0;
  c->has_answer = d->has_audio;
  c->codecs[0] = 0;
  c->has_event = false;
  for (uint8_t i = 0; i < d->audio.n_codecs; i++) {
    const struct desc_codec *k = &d->audio.codecs[i];
    if (k->kind == CODEC_TELEV) {
      c->event_hz = k->clock_hz;
      c->has_event = c->has_event || k->clock_hz == d->audio.codecs[0].clock_hz;
    }
    c->has_noise = c->has_noise || k->kind == CODEC_CN;
    if (k->name[0] && n < sizeof c->codecs)
      n += (size_t)snprintf(c->codecs + n, sizeof c->codecs - n, "%s%s", n ? ", " : "", k->name);
  }
  c->is_secured = d->audio.n_crypto || d->audio.fingerprint_bytes;
  c->n_media = d->n_media;
  c->n_crypto = d->audio.n_crypto;
  c->mki_bytes = d->audio.n_crypto ? (uint8_t)d->audio.crypto[0].key.mki_bytes : 0;
  c->ptime_ms = d->audio.ptime_ms;
  c->direction = d->audio.direction;
  addr_text(&d->audio.rtp, c->rtp_at, sizeof c->rtp_at);
}

static uint64_t packets_now(const struct run *r) {
  struct mset_facts f;
  return testleg_facts(r->leg, &f) ? f.rx.packets : 0;
}

/* An answer to our offer, into the test leg: may it stand? */
static void answer_take(struct run *r, const struct probe_word *w, bool is_final) {
  struct call_facts *c = r->call;
  struct verdict v = verdict_refuse(REFUSE_SDP, "%s", w->why ? w->why : "there is no description");
  desc_take(c, w->desc);
  if (!w->why && r->has_ours)
    v = testleg_take(r->leg, &r->variant, &r->ours, w->desc, is_final);
  if (w->why || r->has_ours)
    c->fits = verdict_is_pass(&v);
  if (!c->fits)
    snprintf(c->why, sizeof c->why, "%s", v.detail);
}

static void provisional(struct run *r, const struct probe_word *w) {
  struct call_facts *c = r->call;
  if (w->status == 100) {
    c->trying_ms = c->trying_ms == DOCTOR_NEVER ? w->ms : c->trying_ms;
    return;
  }
  if (!c->n_provisionals++) {
    c->first_ms = w->ms;
    c->first_status = w->status;
  }
  if (w->status == 180 && c->ring_ms == DOCTOR_NEVER)
    c->ring_ms = w->ms;
  c->is_reliable = c->is_reliable || w->has_100rel;
  c->prack.is_asked = c->prack.is_asked || w->has_100rel;
  if (w->desc && !w->why && r->has_ours) {
    c->has_early_desc = true;
    answer_take(r, w, false);
  }
}

static void headers_take(struct call_facts *c, const struct probe_word *w) {
  text_take(c->contact, sizeof c->contact, w->contact);
  text_take(c->allow, sizeof c->allow, w->allow);
  text_take(c->supported, sizeof c->supported, w->supported);
  text_take(c->agent, sizeof c->agent, w->agent);
  text_take(c->from, sizeof c->from, w->peer);
  text_take(c->transport, sizeof c->transport, w->transport);
  c->has_tag = w->has_tag;
  c->is_bad_route = w->is_bad_route;
  c->is_bad_contact = w->is_bad_contact;
  c->has_session = w->has_session;
  c->keeps_session = w->keeps_session;
  c->by_stream = w->by_stream;
  c->expires_s = w->expires_s;
  c->min_s = w->min_s;
  c->q850 = w->q850;
}

static void invite_final(struct run *r, const struct probe_word *w) {
  struct call_facts *c = r->call;
  said_take(&c->invite, w);
  headers_take(c, w);
  if (w->status >= 300) {
    text_take(c->why, sizeof c->why, w->warning && w->warning[0] ? w->warning : w->phrase);
    return;
  }
  c->early_packets = packets_now(r);
  if (w->desc && !w->why)
    version_take(c, w->desc);
  if (w->desc && (r->has_ours || w->why))
    answer_take(r, w, true);
  else if (w->desc)
    desc_take(c, w->desc); /* a late one: said_offered() has answered it */
  else if (w->why)
    text_take(c->why, sizeof c->why, w->why);
  else if (!c->has_early_desc && !c->fits)
    snprintf(c->why, sizeof c->why, "the answer has no description");
}

static void form_final(struct run *r, const struct probe_word *w) {
  struct form_facts *h = &r->call->forms[r->form];
  said_take(r->is_resuming ? &h->resume : &h->said, w);
  if (!w->desc || w->status >= 300)
    return;
  if (!w->why)
    version_take(r->call, w->desc);
  if (!r->is_resuming) {
    h->has_desc = true;
    h->has_answer = w->desc->has_audio && addr_port(&w->desc->audio.rtp) != 0;
    h->direction = w->desc->audio.direction;
    return;
  }
  h->resumed = w->desc->audio.direction;
  struct verdict v = testleg_take(r->leg, &r->variant, &r->ours, w->desc, true);
  h->resume_fits = verdict_is_pass(&v);
}

static void update_final(struct run *r, const struct probe_word *w) {
  struct call_facts *c = r->call;
  bool has_offer = c->update_offer.is_asked;
  said_take(has_offer ? &c->update_offer : &c->update, w);
  c->update_has_desc = has_offer && w->desc && !w->why;
  if (c->update_has_desc)
    version_take(c, w->desc);
}

static void call_word(struct run *r, const struct probe_word *w) {
  struct call_facts *c = r->call;
  if (w->method == PROBE_INVITE && w->status < 200)
    provisional(r, w);
  else if (w->method == PROBE_INVITE && !c->invite.is_over)
    invite_final(r, w);
  else if (w->method == PROBE_INVITE)
    form_final(r, w);
  else if (w->method == PROBE_UPDATE && w->status >= 200)
    update_final(r, w);
  else if (w->method == PROBE_INFO && w->status >= 200)
    said_take(&c->info, w);
  else if (w->method == PROBE_PRACK && w->status >= 200)
    said_take(&c->prack, w);
  else if (w->method == PROBE_BYE && w->status >= 200)
    said_take(&c->bye, w);
  else if (w->method == PROBE_STRANGE && w->status >= 200)
    said_take(&c->strange, w);
}

static void peer_asks(struct run *r, const struct probe_word *w) {
  struct call_facts *c = r->call;
  if (w->method == PROBE_BYE && !c->bye.is_asked) {
    c->peer_hung_up = true;
    c->peer_q850 = w->q850;
  }
  if (w->method == PROBE_INFO && w->digit)
    c->info_back = w->digit;
}

void said_word(void *arg, pool_handle line, const struct probe_word *w) {
  struct run *r = arg;
  if (line != r->line)
    return;
  if (r->call && !w->status)
    peer_asks(r, w);
  else if (r->call)
    call_word(r, w);
  else if (w->method == PROBE_OPTIONS && w->status >= 200 && r->at < r->facts.n_targets)
    target_take(&r->facts.targets[r->at], w, r->wall_ms);
  else if (w->method == PROBE_STRANGE && w->status >= 200)
    said_take(&r->facts.strange, w);
}

bool said_offered(void *arg, pool_handle line, const struct desc *offer, struct desc *ret) {
  struct run *r = arg;
  if (line != r->line || !r->leg || !r->call || !offer)
    return false;
  struct verdict v = testleg_answer(r->leg, &r->variant, offer, ret);
  if (!r->call->invite.is_over) { /* the first exchange of a call without an offer of ours */
    r->call->fits = verdict_is_pass(&v);
    if (!r->call->fits)
      snprintf(r->call->why, sizeof r->call->why, "%s", v.detail);
  }
  return verdict_is_pass(&v);
}
