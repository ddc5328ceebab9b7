/* SPDX-License-Identifier: Apache-2.0
 * The struct door of native legs: what the call model tells becomes answers to waiting requests and
 * events on the user's streams (native-signaling section 9). */
#include "native/inner.h"

#include "base/log.h"

#include <stdio.h>

static struct nleg *nleg_of(struct native *n, const struct leg *l) {
  return pool_get(n->nlegs, l->magic);
}

/* SDP text of a description on the heap; NULL if it cannot be written. */
static char *desc_text(const struct desc *d) {
  size_t len;
  char *text = malloc(DESC_TEXT_MAX_BYTES);
  if (text && desc_write(d, text, DESC_TEXT_MAX_BYTES, &len) == 0)
    return text;
  free(text);
  return NULL;
}

static const char *verified_text(const struct call *c) {
  return c->verified[0] >= 'A' && c->verified[0] <= 'C' && !c->verified[1] ? c->verified : "none";
}

/* Who diverted it last, where that is no secret. */
static void diverted_add(json_t *e, const struct call *c) {
  const struct history_entry *last = c->history.n ? &c->history.entry[c->history.n - 1] : NULL;
  if (e && last && !last->is_private)
    json_object_set_new(e, "diverted_from", party_make(last->number));
}

void incoming_event(struct nleg *nl, struct leg *l) {
  char etag[WEB_ETAG_BYTES];
  nleg_etag(nl, etag);
  json_t *e = json_pack("{s:o,s:o,s:{s:s,s:s},s:s,s:i,s:b,s:s}", "from", from_make(l), "to", to_make(l),
                        "offer", "type", "offer", "sdp", nl->offer, "etag", etag, "ring_timeout_s",
                        (int)l->call->ring_timeout_s, "anonymous", l->call->anonymous, "verified",
                        verified_text(l->call));
  if (e && l->call->metadata)
    json_object_set_new(e, "metadata", json_loads(l->call->metadata, 0, NULL));
  diverted_add(e, l->call);
  if (e)
    nleg_event(nl, "call.incoming", e);
}

static void callee_opened(struct nleg *nl, struct leg *l) {
  const struct desc *offer = NULL;
  struct verdict v = leg_make_offer(l, &offer);
  if (verdict_is_pass(&v))
    nl->offer = desc_text(offer);
  if (!nl->offer) {
    leg_end(l, (struct cause){.reason = END_MEDIA_FAILURE, .by = BY_GATEWAY});
    return;
  }
  nleg_note_local(nl, l);
  incoming_event(nl, l);
}

static void caller_opened(struct nleg *nl, struct leg *l) {
  struct web_answer a = {0};
  own_mem char *sdp = l->local ? desc_text(l->local) : NULL;
  nleg_note_local(nl, l);
  nl->wait = WAIT_NONE;
  nl->hidden = false;
  json_t *body = json_pack("{s:s,s:s,s:{s:s,s:s}}", "id", nl->call_id, "state", "connecting", "answer",
                           "type", "answer", "sdp", sdp ? sdp : "");
  if (!sdp || !body || web_answer_json(&a, 201, body) < 0) {
    web_answer_problem(&a, WEB_PROBLEM_internal, NULL);
  } else {
    nleg_etag(nl, a.etag);
    snprintf(a.location, sizeof(a.location), "/v1/calls/%s", nl->call_id);
  }
  json_decref(body);
  answer_full(nl->n, nl->waiting, &a);
  nleg_event(nl, "call.trying", json_object());
}

static void door_opened(void *arg, struct leg *l) {
  struct nleg *nl = nleg_of(arg, l);
  if (!nl)
    return;
  if (nl->is_callee)
    callee_opened(nl, l);
  else
    caller_opened(nl, l);
}

static void event_of(void *arg, struct leg *l, const char *name, json_t *data) {
  struct nleg *nl = nleg_of(arg, l);
  if (nl)
    nleg_event(nl, name, data);
  else
    json_decref(data);
}

static void door_ringing(void *arg, struct leg *l) { event_of(arg, l, "call.ringing", json_object()); }
static void door_progress(void *arg, struct leg *l) {
  (void)arg;
  (void)l; /* a 183 alone is nothing that a client acts on: call.early_media follows the audio */
}
static void door_early(void *arg, struct leg *l, bool active) {
  event_of(arg, l, "call.early_media", json_pack("{s:b}", "active", active));
}
static void door_answered(void *arg, struct leg *l) { event_of(arg, l, "call.answered", json_object()); }
static void door_connected(void *arg, struct leg *l) {
  event_of(arg, l, "call.connected", json_object());
}
static void door_held(void *arg, struct leg *l, bool on) {
  event_of(arg, l, on ? "call.held" : "call.resumed", json_pack("{s:s}", "by", "remote"));
}
static void door_digit(void *arg, struct leg *l, char digit, uint32_t ms, const char *source) {
  event_of(arg, l, "dtmf.received",
           json_pack("{s:s#,s:i,s:s}", "digit", &digit, (size_t)1, "ms", (int)ms, "source", source));
}
static void door_media(void *arg, struct leg *l) {
  struct nleg *nl = nleg_of(arg, l);
  if (!nl)
    return;
  nleg_event(nl, "media.state", media_make(l));
  if (nl->is_callee && !nl->answered)
    alert_media(arg, nl, l);
}
static void door_quality(void *arg, struct leg *l, const struct mset_quality *q) {
  event_of(arg, l, "media.quality",
           json_pack("{s:s,s:f,s:i,s:i,s:f}", "direction", q->up ? "up" : "down", "loss", q->loss,
                     "jitter_ms", (int)q->jitter_ms, "rtt_ms", (int)q->rtt_ms, "mos", q->mos));
}
static void door_restart(void *arg, struct leg *l, const char *reason) {
  event_of(arg, l, "media.restart",
           json_pack("{s:s,s:b,s:i}", "reason", reason, "fresh", 0, "deadline_s", 30));
}

static void door_operation(void *arg, struct leg *l, uint64_t op, const struct verdict *v) {
  struct nleg *nl = nleg_of(arg, l);
  const char *verb = nl ? nleg_op_end(nl, op) : NULL;
  char op_text[32];
  if (!verb)
    return;
  snprintf(op_text, sizeof(op_text), "op_%llx", (unsigned long long)op);
  if (!verdict_is_pass(v)) {
    const struct refusal_row *row = refusal_row(v->refusal);
    char type[80];
    snprintf(type, sizeof(type), "urn:sallyport:problem:%s", row->code);
    nleg_event(nl, "operation.failed",
               json_pack("{s:s,s:s,s:{s:s,s:s,s:s,s:i,s:s}}", "operation_id", op_text, "verb", verb,
                         "problem", "type", type, "code", row->code, "title", row->title, "status",
                         row->http, "detail", v->detail));
    return;
  }
  if (strcmp(verb, "hold") == 0 || strcmp(verb, "resume") == 0)
    nleg_event(nl, strcmp(verb, "hold") == 0 ? "call.held" : "call.resumed",
               json_pack("{s:s}", "by", "local"));
  nleg_event(nl, "operation.succeeded", json_pack("{s:s,s:s}", "operation_id", op_text, "verb", verb));
}

static void door_transferred(void *arg, struct leg *l, const struct transfer_news *news) {
  struct nleg *nl = nleg_of(arg, l);
  struct verdict v = verdict_pass();
  if (!nl)
    return;
  transfer_event(nl, news);
  if (news->state == TRANSFER_FAILED)
    v = verdict_refuse(REFUSE_TRANSFER_FAILED, "%s", end_reason_word(news->cause.reason));
  if (news->state != TRANSFER_PROGRESS)
    door_operation(arg, l, news->op, &v);
}

static void door_moved(void *arg, struct leg *l) {
  struct nleg *nl = nleg_of(arg, l);
  if (nl)
    nleg_event(nl, "call.updated",
               json_pack("{s:[s,s],s:o}", "changed", "from", "to", "call", snapshot_make(nl)));
}

static void answer_restart(struct nleg *nl, const struct desc *local) {
  struct web_answer a = {.status = 200, .type = "application/trickle-ice-sdpfrag"};
  struct desc_frag f = {.end_of_candidates = true};
  char text[8192];
  size_t len;
  memcpy(f.ufrag, local->audio.ufrag, sizeof(f.ufrag));
  memcpy(f.pwd, local->audio.pwd, sizeof(f.pwd));
  memcpy(f.mid, local->audio.mid, sizeof(f.mid));
  f.n_candidates = local->audio.n_candidates;
  memcpy(f.candidates, local->audio.candidates, sizeof(f.candidates));
  if (desc_frag_write(&f, text, sizeof(text), &len) < 0 ||
      web_answer_text(&a, 200, "application/trickle-ice-sdpfrag", slice_from(text, len)) < 0)
    web_answer_problem(&a, WEB_PROBLEM_internal, NULL);
  else
    nleg_etag(nl, a.etag);
  answer_full(nl->n, nl->waiting, &a);
}

static void answer_renegotiate(struct nleg *nl, const struct desc *local) {
  struct web_answer a = {0};
  own_mem char *sdp = desc_text(local);
  json_t *body = json_pack("{s:{s:s,s:s}}", "answer", "type", "answer", "sdp", sdp ? sdp : "");
  if (!sdp || web_answer_json(&a, 200, body) < 0)
    web_answer_problem(&a, WEB_PROBLEM_internal, NULL);
  else
    nleg_etag(nl, a.etag);
  json_decref(body);
  answer_full(nl->n, nl->waiting, &a);
}

static void door_reoffered(void *arg, struct leg *l, uint64_t cookie, const struct verdict *v,
                           const struct desc *local) {
  struct nleg *nl = nleg_of(arg, l);
  if (!nl || nl->cookie != cookie || nl->wait == WAIT_NONE || nl->wait == WAIT_PLACE)
    return;
  enum nleg_wait was = nl->wait;
  nl->wait = WAIT_NONE;
  nl->cookie = 0;
  if (!verdict_is_pass(v) || !local) {
    answer_verdict(nl->n, nl->waiting, v, NULL);
    return;
  }
  char before[sizeof(nl->ufrag)];
  memcpy(before, nl->ufrag, sizeof(before));
  slice_copy(nl->ufrag, sizeof(nl->ufrag), slice_of(local->audio.ufrag));
  if (strcmp(before, nl->ufrag) != 0)
    nl->generation++;
  if (was == WAIT_ICE)
    answer_restart(nl, local);
  else
    answer_renegotiate(nl, local);
}

/* A request that waits for a leg that is no more. */
static void answer_waiting(struct nleg *nl, const struct leg *l) {
  enum nleg_wait was = nl->wait;
  nl->wait = WAIT_NONE;
  if (was == WAIT_PLACE)
    answer_problem(nl->n, nl->waiting, WEB_PROBLEM_overload, end_reason_word(l->cause.reason));
  else if (was != WAIT_NONE)
    answer_problem(nl->n, nl->waiting, WEB_PROBLEM_ended, "the call has ended");
}

static void door_ended(void *arg, struct leg *l) {
  struct native *n = arg;
  struct nleg *nl = nleg_of(n, l);
  if (!nl || nl->final)
    return;
  bool hidden = nl->hidden;
  nl->end_reason = (int)l->cause.reason;
  answer_waiting(nl, l);
  loop_disarm(n->loop, &nl->stream_lost);
  nl->final = snapshot_make(nl);
  if (!nl->final)
    nl->final = json_object();
  json_object_set_new(nl->final, "state", json_string("ended"));
  json_object_set_new(nl->final, "end", end_make(l));
  json_object_del(nl->final, "offer");
  free(nl->offer);
  nl->offer = NULL;
  nl->ended_us = loop_now_us(n->loop);
  list_add_tail(&n->ended, &nl->ended_node);
  if (l->cause.reason == END_ANSWERED_ELSEWHERE) {
    const struct leg *winner = l->call->callee;
    json_t *e = json_object();
    if (winner && winner->kind == LEG_NATIVE && winner->device[0] && winner->device[0] != '~')
      json_object_set_new(e, "device", json_string(winner->device));
    nleg_event(nl, "call.answered_elsewhere", e);
  } else if (!hidden) {
    nleg_event(nl, "call.ended", json_pack("{s:o}", "end", end_make(l)));
  }
  if (nl->is_callee && !nl->answered)
    alert_leg_ended(n, nl, l);
}

static void door_ring_stop(void *arg, struct call *c) { alert_ring_stop(arg, c); }

const struct door native_door = {
    .name = "native",
    .kind = LEG_NATIVE,
    .ring = alert_ring,
    .ring_stop = door_ring_stop,
    .opened = door_opened,
    .ringing = door_ringing,
    .progress = door_progress,
    .early = door_early,
    .answered = door_answered,
    .connected = door_connected,
    .reoffered = door_reoffered,
    .held = door_held,
    .digit = door_digit,
    .operation = door_operation,
    .media = door_media,
    .quality = door_quality,
    .restart = door_restart,
    .transferred = door_transferred,
    .moved = door_moved,
    .ended = door_ended,
};
