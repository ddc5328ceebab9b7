/* SPDX-License-Identifier: Apache-2.0
 * Snapshots of calls (native-signaling section 8) and the end object (section 7). */
#include "native/inner.h"

#include "base/clock.h"
#include "wire/q850.h"

#include <stdio.h>

static const char *const ice_text[] = {"new", "checking", "connected", "lost"};
static const char *const dtls_text[] = {"new", "connecting", "connected", "failed"};

json_t *media_make(const struct leg *l) {
  char local[ADDR_TEXT_BYTES], remote[ADDR_TEXT_BYTES];
  json_t *m =
      json_pack("{s:s,s:s}", "ice", ice_text[l->media.ice & 3], "dtls", dtls_text[l->media.dtls & 3]);
  if (addr_family(&l->media.pair_remote) != AF_UNSPEC)
    json_object_set_new(m, "pair",
                        json_pack("{s:s,s:s}", "local",
                                  addr_text(&l->media.pair_local, local, sizeof(local)), "remote",
                                  addr_text(&l->media.pair_remote, remote, sizeof(remote))));
  return m;
}

static const char *by_text(const struct leg *l) {
  if (l->cause.by == BY_GATEWAY)
    return "gateway";
  return (l->cause.by == BY_CALLER) == (l->role == LEG_CALLER) ? "local" : "remote";
}

json_t *end_make(const struct leg *l) {
  const struct cause *c = &l->cause;
  return json_pack("{s:o,s:o,s:s,s:s,s:s,s:s}", "sip", c->sip ? json_integer(c->sip) : json_null(),
                   "q850", c->q850 ? json_integer(c->q850) : json_null(), "reason",
                   end_reason_word(c->reason), "by", by_text(l), "detail", c->detail, "text",
                   q850_text(c->q850));
}

static json_t *party(const char *number, const char *display, bool anonymous) {
  if (anonymous)
    return json_pack("{s:b}", "anonymous", 1);
  bool is_number = number[0] == '+' || (number[0] && strspn(number, "0123456789*#") == strlen(number));
  json_t *p = json_pack("{s:s}", is_number ? "tel" : "user", number);
  if (display[0])
    json_object_set_new(p, "display", json_string(display));
  return p;
}

json_t *party_make(const char *number) { return party(number, "", false); }

/* A native caller is its identity, toward everyone native. */
json_t *from_make(const struct leg *l) {
  const struct leg *caller = l->call->caller;
  if (l->role == LEG_CALLEE && !l->call->anonymous && caller && caller->kind == LEG_NATIVE) {
    json_t *p = json_pack("{s:s}", "user", caller->identity);
    if (l->call->from_display[0])
      json_object_set_new(p, "display", json_string(l->call->from_display));
    return p;
  }
  return party(l->call->from, l->call->from_display, l->call->anonymous && l->role == LEG_CALLEE);
}

json_t *to_make(const struct leg *l) {
  return party(l->call->to[0] ? l->call->to : l->call->to_user, "", false);
}

static const char *state_text(const struct leg *l) {
  const struct leg *far = leg_far(l);
  switch (l->state) {
  case LEG_OPENING:
  case LEG_TRYING:
    return l->role == LEG_CALLEE && l->state == LEG_TRYING ? "ringing" : "connecting";
  case LEG_RINGING:
    return "ringing";
  case LEG_EARLY:
    return (l->role == LEG_CALLEE && far) || l->early_media ? "early_media" : "ringing";
  case LEG_ANSWERED:
  case LEG_LIVE:
    return l->held_local ? "local_hold" : far && far->held_local ? "remote_hold" : "connected";
  case LEG_ENDED:
    break;
  }
  return "ended";
}

static void set_time(json_t *o, const char *key, uint64_t ms) {
  char when[CLOCK_TEXT_BYTES];
  if (ms)
    json_object_set_new(o, key, json_string(clock_text(ms, when)));
}

const char *codec_text(uint32_t kind) {
  return kind == CODEC_PCMU   ? "PCMU"
         : kind == CODEC_PCMA ? "PCMA"
         : kind == CODEC_G722 ? "G722"
         : kind == CODEC_OPUS ? "opus"
                              : NULL;
}

json_t *snapshot_make(const struct nleg *nl) {
  if (nl->final)
    return json_incref(nl->final);
  struct leg *l = leg_get(nl->n->calls, nl->leg);
  if (!l)
    return NULL;
  const struct leg *far = leg_far(l);
  char etag[WEB_ETAG_BYTES];
  nleg_etag(nl, etag);
  json_t *o = json_pack("{s:s,s:s,s:s,s:{s:b,s:b},s:o,s:o,s:b,s:b,s:s}", "id", nl->call_id, "direction",
                        nl->is_callee ? "in" : "out", "state", state_text(l), "hold", "local",
                        l->held_local, "remote", far && far->held_local, "from", from_make(l), "to",
                        to_make(l), "recording", 0, "early_media", l->early_media, "etag", etag);
  if (!o)
    return NULL;
  if (nl->device_named)
    json_object_set_new(o, "device", json_string(nl->device));
  set_time(o, "created_at", l->call->created_ms);
  set_time(o, "ringing_at", l->ringing_ms);
  set_time(o, "answered_at", l->answered_ms);
  set_time(o, "connected_at", l->connected_ms);
  json_t *media = media_make(l);
  if (l->media.suite)
    json_object_set_new(media, "srtp", json_string(suite_name((enum srtp_suite)l->media.suite)));
  json_object_set_new(o, "media", media);
  if (codec_text(l->media.codec))
    json_object_set_new(o, "codec", json_string(codec_text(l->media.codec)));
  if (nl->offer && l->state < LEG_ANSWERED)
    json_object_set_new(o, "offer", json_pack("{s:s,s:s}", "type", "offer", "sdp", nl->offer));
  if (l->state == LEG_ENDED)
    json_object_set_new(o, "end", end_make(l));
  if (l->call->metadata)
    json_object_set_new(o, "metadata", json_loads(l->call->metadata, 0, NULL));
  return o;
}
