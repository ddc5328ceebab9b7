/* SPDX-License-Identifier: Apache-2.0
 * Offer and answer of a leg in its life: the first one, early dialogs, re-offers, ICE restart, a
 * fresh association beside the old one. Refused means: everything as it was (RFC 6141). */
#include "call/inner.h"
#include "call/trunkice.h"

#include "base/log.h"
#include "call/codecs.h"

#include <stdio.h>

/* The session that the descriptions in force speak of. */
static struct leg_media *media_of(struct leg *l) { return leg_fresh(l) ? l->fresh : &l->media; }

/* Which codec toward an app: on a wired network the cheap one loses nothing. */
static enum codec_policy policy_of(const struct leg *l) {
  uint8_t set = leg_calls(l)->env.conf->service.codec_policy;
  if (set != CODECS_AUTO)
    return set == CODECS_COST ? CODEC_POLICY_COST : CODEC_POLICY_QUALITY;
  if (leg_in(l)->is_lossy)
    return CODEC_POLICY_QUALITY;
  bool is_full = medium_count(leg_calls(l)->medium, MSET_COUNT_DSP) >= DSP_FULL_PERMILLE;
  return is_full || leg_in(l)->network == NETWORK_WIRED ? CODEC_POLICY_COST : CODEC_POLICY_QUALITY;
}

static struct ability ability_of(struct leg *l, uint8_t direction) {
  return (struct ability){.kind = l->kind,
                          .trunk = l->trunk,
                          .opened = &media_of(l)->opened,
                          .local = l->remote ? l->local : NULL,
                          .direction = direction,
                          .policy = policy_of(l)};
}

struct verdict leg_check_offer(const struct calls *cs, enum leg_kind kind, const struct conf_trunk *t,
                               const struct desc *offer) {
  struct ability a = {.kind = kind, .trunk = t};
  (void)cs;
  return offer_check(&a, offer);
}

static struct verdict no_media(void) {
  return verdict_refuse(REFUSE_NO_MEDIA, "the media process takes no more commands now");
}

static void leg_done_codec(struct leg *l) {
  const struct desc_crypto *ours, *theirs;
  const struct desc_audio *a = &l->remote->audio, *local = &l->local->audio;
  bool is_ours = leg_in(l)->is_ours_answer; /* the answer's order counts (RFC 3264, 7) */
  const struct desc_audio *answer = is_ours ? local : a, *offer = is_ours ? a : local;
  for (uint8_t i = 0; i < answer->n_codecs; i++)
    if (codec_is_speech(&answer->codecs[i]) && codec_same(offer, &answer->codecs[i])) {
      l->media.codec = answer->codecs[i].kind;
      break;
    }
  if (l->kind == LEG_TRUNK && !desc_is_dtls(&l->local->audio))
    l->media.suite = crypto_agree(&l->local->audio, a, &ours, &theirs) ? ours->key.suite : SUITE_NONE;
  timeline_codec(l);
}

/* Answering an offer ------------------------------------------------------------------------------- */

/* Answers `offer` from the session in force; refused: nothing changed. */
static struct verdict answer(struct leg *l, const struct desc *offer) {
  struct leg_inner *in = leg_in(l);
  uint32_t dialog = in->local_is_offer ? in->last_dialog : in->dialog; /* early: UPDATE before the 2xx */
  struct ability a = ability_of(l, bridge_direction(l));
  struct desc ours;
  offer_answer(&a, offer, &ours);
  int r = remote_send(l, media_of(l)->session, dialog, &ours, offer, true);
  if (r == 0) {
    leg_set_desc(&l->local, &ours);
    if (l->remote != offer)
      leg_set_desc(&l->remote, offer);
    if (in->local_is_offer)
      leg_set_desc(&in->early[dialog - 1], offer);
    in->hold_sdp = desc_holds(offer, NULL);
    in->is_ours_answer = true;
    in->dialogs |= 1u << dialog;
    leg_done_codec(l);
  }
  desc_wipe(&ours);
  return r == 0 ? verdict_pass() : no_media();
}

static struct verdict answer_first(struct leg *l) {
  struct desc *offer = l->remote;
  l->remote = NULL; /* nothing is in force yet */
  struct verdict v = answer(l, offer);
  leg_set_desc(&offer, NULL);
  return v;
}

void leg_on_opened(struct leg *l) {
  struct verdict v = verdict_pass();
  samples_begin(l->call);
  if (l->role == LEG_CALLER && l->remote)
    v = answer_first(l);
  if (!verdict_is_pass(&v)) {
    leg_fail(l, &v);
    return;
  }
  if (l->role == LEG_CALLEE && l->kind == LEG_TRUNK) {
    call_in(l->call)->bridged = l; /* so that its 183 is heard */
    bridge_apply(l->call);
  }
  if (!leg_is_over(l) && l->door->opened)
    l->door->opened(l->door_arg, l);
  if (!leg_is_over(l) && l->role == LEG_CALLER)
    call_ask(l->call);
}

/* Our first offer ----------------------------------------------------------------------------------- */

struct verdict leg_make_offer(struct leg *l, const struct desc **ret_offer) {
  struct leg_inner *in = leg_in(l);
  *ret_offer = l->local;
  if (in->local_is_offer)
    return verdict_pass();
  if (l->local || l->state == LEG_OPENING || leg_is_over(l))
    return verdict_refuse(REFUSE_STATE, "a first offer is made once, when the session stands");
  struct ability a = ability_of(l, DIR_SENDRECV);
  struct desc ours;
  offer_make(&a, &ours);
  leg_set_desc(&l->local, &ours);
  desc_wipe(&ours);
  if (!l->local)
    return verdict_refuse(REFUSE_INTERNAL, "out of memory");
  in->local_is_offer = l->offer_pending = true;
  *ret_offer = l->local;
  return verdict_pass();
}

static struct verdict pick(struct leg *l, enum mset_type type, uint32_t dialog) {
  union mset_any m;
  mset_init(&m, type, media_of(l)->session);
  m.pick.remote = dialog;
  return medium_send(leg_calls(l)->medium, &m, NULL, 0, 0) == 0 ? verdict_pass() : no_media();
}

/* The 2xx's dialog is the one; what the media process knows of others goes. */
static void select_dialog(struct leg *l, uint32_t dialog) {
  struct leg_inner *in = leg_in(l);
  if (in->dialogs & ~(1u << dialog))
    (void)pick(l, MSET_SELECT, dialog);
  for (uint32_t d = 1; d <= MSET_REMOTES_MAX; d++)
    if (d != dialog && (in->dialogs & (1u << d)))
      (void)pick(l, MSET_DROP, d);
  in->dialogs = 1u << dialog;
  in->dialog = dialog;
}

void keep_chosen_crypto(struct desc *local, const struct desc *remote) {
  const struct desc_crypto *ours, *theirs;
  if (!crypto_agree(&local->audio, &remote->audio, &ours, &theirs))
    return;
  struct desc_crypto chosen = *ours;
  explicit_bzero(local->audio.crypto, sizeof(local->audio.crypto));
  local->audio.crypto[0] = chosen;
  local->audio.n_crypto = 1;
  explicit_bzero(&chosen, sizeof(chosen));
}

static void finish_offer(struct leg *l, uint32_t dialog) {
  struct leg_inner *in = leg_in(l);
  if (in->offer)
    leg_set_desc(&l->local, in->offer);
  leg_set_desc(&in->offer, NULL);
  keep_chosen_crypto(l->local, l->remote);
  select_dialog(l, dialog);
  for (size_t i = 0; i < COUNT_OF(in->early); i++)
    leg_set_desc(&in->early[i], NULL);
  in->local_is_offer = false;
}

static struct verdict tell_remote(struct leg *l, uint32_t dialog, const struct desc *answer_,
                                  const struct desc *ours) {
  struct leg_inner *in = leg_in(l);
  const struct desc *known = in->early[dialog - 1];
  if (answer_ == known)
    return verdict_pass(); /* checked when it came */
  struct verdict v =
      in->offer && !addr_port(&answer_->audio.rtp) ? verdict_pass() : answer_check(ours, answer_);
  if (!verdict_is_pass(&v))
    return v;
  if (known && desc_eq(known, answer_))
    return v;
  return remote_send(l, media_of(l)->session, dialog, ours, answer_, false) == 0 ? v : no_media();
}

/* A stream that an answer of theirs turns off within the call is held: all else stays as it was. */
static const struct desc *answer_off(const struct leg *l, const struct desc *theirs, struct desc *kept) {
  if (!leg_in(l)->offer || !l->remote || !theirs || !theirs->has_audio || addr_port(&theirs->audio.rtp))
    return theirs;
  desc_copy(kept, l->remote);
  addr_set_port(&kept->audio.rtp, 0);
  return kept;
}

/* Whether the peer holds, after its answer to ours. Where we offered to send nothing it says nothing. */
static bool holds_now(const struct leg *l, const struct desc *theirs, const struct desc *ours) {
  bool says = (ours->audio.direction & DIR_SEND) || (theirs->audio.direction & DIR_RECV);
  return says || !addr_port(&theirs->audio.rtp) ? desc_holds(theirs, ours) : leg_in(l)->hold_sdp;
}

static struct verdict answer_apply(struct leg *l, uint32_t dialog, const struct desc *theirs,
                                   const struct desc *ours, bool final) {
  struct leg_inner *in = leg_in(l);
  struct verdict v = tell_remote(l, dialog, theirs, ours);
  if (!verdict_is_pass(&v))
    return v;
  bool is_known = theirs == in->early[dialog - 1], is_within = in->offer != NULL;
  in->hold_sdp = holds_now(l, theirs, ours);
  leg_set_desc(&l->remote, theirs);
  if (!in->offer && !final && theirs != in->early[dialog - 1])
    leg_set_desc(&in->early[dialog - 1], theirs);
  in->dialogs |= 1u << dialog;
  in->last_dialog = dialog;
  in->is_ours_answer &= is_known; /* an UPDATE before the 2xx may have turned them round */
  l->offer_pending = false;
  leg_done_codec(l);
  if (final)
    finish_offer(l, dialog);
  if (is_within)
    blame_reoffer(l);
  bridge_apply(l->call);
  return v;
}

struct verdict leg_take_answer(struct leg *l, uint32_t dialog, const struct desc *theirs, bool final) {
  struct leg_inner *in = leg_in(l);
  const struct desc *ours = in->offer ? in->offer : l->local;
  if (leg_is_over(l) || !ours || (!in->offer && !in->local_is_offer))
    return verdict_refuse(REFUSE_STATE, "no offer of ours waits for an answer");
  if (in->offer)
    dialog = in->dialog; /* within the dialog in force */
  if (dialog < 1 || dialog > MSET_REMOTES_MAX)
    return verdict_refuse(REFUSE_SDP, "more than %d early dialogs", MSET_REMOTES_MAX);
  if (!theirs && !(final && in->early[dialog - 1]))
    return verdict_refuse(REFUSE_SDP, "an answer is due and there is none");
  if (!theirs)
    theirs = in->early[dialog - 1];
  struct desc kept = {0};
  struct verdict v = answer_apply(l, dialog, answer_off(l, theirs, &kept), ours, final);
  desc_wipe(&kept);
  return v;
}

struct verdict leg_take_offer(struct leg *l, uint32_t dialog, const struct desc *offer,
                              const struct desc **ret_answer) {
  struct ability a = ability_of(l, DIR_SENDRECV);
  *ret_answer = NULL;
  if (l->local || l->role != LEG_CALLEE || l->state == LEG_OPENING || leg_is_over(l))
    return verdict_refuse(REFUSE_STATE, "a first offer is taken once, when the session stands");
  if (dialog < 1 || dialog > MSET_REMOTES_MAX)
    return verdict_refuse(REFUSE_SDP, "more than %d early dialogs", MSET_REMOTES_MAX);
  struct verdict v = offer_check(&a, offer);
  if (!verdict_is_pass(&v))
    return v;
  leg_in(l)->dialog = leg_in(l)->last_dialog = dialog;
  v = answer(l, offer);
  *ret_answer = l->local;
  bridge_apply(l->call);
  return v;
}

/* Re-offers of ours --------------------------------------------------------------------------------- */

static struct verdict may_offer(struct leg *l) {
  struct verdict v = fsm_fire(l, EVENT_OFFER);
  if (verdict_is_pass(&v) && l->offer_pending)
    return verdict_refuse(REFUSE_GLARE, "an offer is under way");
  if (verdict_is_pass(&v) && (!l->local || !l->remote))
    return verdict_refuse(REFUSE_STATE, "the first offer is not answered yet");
  return v;
}

static struct verdict offer_full(struct leg *l) {
  struct leg_inner *in = leg_in(l);
  struct ability a = ability_of(l, DIR_SENDRECV);
  struct desc ours;
  offer_make(&a, &ours);
  leg_set_desc(&in->offer, &ours);
  desc_wipe(&ours);
  l->offer_pending = in->offer != NULL;
  return in->offer ? verdict_pass() : verdict_refuse(REFUSE_INTERNAL, "out of memory");
}

struct verdict leg_make_reoffer(struct leg *l, const struct desc **ret_offer) {
  struct leg_inner *in = leg_in(l);
  struct verdict v = may_offer(l);
  *ret_offer = NULL;
  if (!verdict_is_pass(&v))
    return v;
  if (l->kind != LEG_TRUNK)
    return verdict_refuse(REFUSE_STATE, "in a live call the native client is always the offerer");
  struct ability a = ability_of(l, bridge_direction(l));
  struct desc ours;
  offer_again(&a, &ours);
  leg_set_desc(&in->offer, &ours);
  desc_wipe(&ours);
  l->offer_pending = in->offer != NULL;
  *ret_offer = in->offer;
  return in->offer ? v : verdict_refuse(REFUSE_INTERNAL, "out of memory");
}

struct verdict leg_make_refresh(struct leg *l, const struct desc **ret_offer) {
  struct leg_inner *in = leg_in(l);
  struct verdict v = may_offer(l);
  *ret_offer = NULL;
  if (!verdict_is_pass(&v))
    return v;
  leg_set_desc(&in->offer, l->local);
  l->offer_pending = in->offer != NULL;
  *ret_offer = in->offer;
  return in->offer ? v : verdict_refuse(REFUSE_INTERNAL, "out of memory");
}

void leg_drop_offer(struct leg *l) {
  leg_set_desc(&leg_in(l)->offer, NULL);
  l->offer_pending = leg_in(l)->asked != NULL;
}

/* Re-offers of the peer ------------------------------------------------------------------------------
 */

static void tell(struct leg *l, uint64_t cookie, struct verdict v, const struct desc *local) {
  if (!verdict_is_pass(&v))
    count_one(&leg_calls(l)->counts, CALLS_OFFERS_REFUSED);
  if (!verdict_is_pass(&v))
    trace_note(l->call->trace, l->lane, TRACE_OFFER,
               "the peer's new description is refused: %s; all stays as it was",
               v.detail[0] ? v.detail : refusal_row(v.refusal)->title);
  if (l->door->reoffered)
    l->door->reoffered(l->door_arg, l, cookie, &v, verdict_is_pass(&v) ? local : NULL);
}

/* The offer that waited is answered, or refused with v. */
static bool finish_asked(struct leg *l, struct verdict v) {
  struct leg_inner *in = leg_in(l);
  l->offer_pending = false;
  if (verdict_is_pass(&v))
    v = answer(l, in->asked);
  leg_set_desc(&in->asked, NULL);
  tell(l, in->cookie, v, l->local);
  bridge_apply(l->call);
  return verdict_is_pass(&v);
}

static MEDIUM_REPLY(on_ice) {
  struct leg *l = leg_get(arg, ctx);
  if (!l || leg_is_over(l) || !leg_in(l)->asked)
    return;
  struct leg_media *to = media_of(l);
  if (!m || m->h.type != MSET_ICE || op != to->session) {
    (void)finish_asked(l, verdict_refuse(REFUSE_NO_MEDIA, "the media process did not restart ICE"));
    return;
  }
  memcpy(to->opened.ufrag, m->ice.ufrag, sizeof(to->opened.ufrag));
  memcpy(to->opened.pwd, m->ice.pwd, sizeof(to->opened.pwd));
  (void)finish_asked(l, verdict_pass());
}

/* Puts the offer aside until the media process has answered. */
static struct verdict wait_for(struct leg *l, uint64_t cookie, const struct desc *offer, int sent) {
  struct leg_inner *in = leg_in(l);
  if (sent < 0)
    return no_media();
  leg_set_desc(&in->asked, offer);
  in->cookie = cookie;
  l->offer_pending = true;
  return verdict_pass();
}

static struct verdict restart(struct leg *l, uint64_t cookie, const struct desc *offer) {
  union mset_any m;
  uint64_t session = media_of(l)->session;
  mset_init(&m, MSET_ICE_RESTART, session);
  return wait_for(l, cookie, offer, medium_send(leg_calls(l)->medium, &m, on_ice, l->id, session));
}

/* An association that is still coming up gives way to the newer one. */
static void forget_fresh(struct leg *l) {
  struct leg_inner *in = leg_in(l);
  loop_disarm(leg_calls(l)->env.loop, &in->fresh_late);
  if (l->fresh)
    leg_close_session(l, l->fresh);
  free(take(l->fresh));
  if (!in->old_local)
    return;
  leg_set_desc(&l->local, in->old_local);
  leg_set_desc(&l->remote, in->old_remote);
  leg_set_desc(&in->old_local, NULL);
  leg_set_desc(&in->old_remote, NULL);
}

static struct verdict renew(struct leg *l, uint64_t cookie, const struct desc *offer) {
  if (leg_fresh(l))
    forget_fresh(l);
  return wait_for(l, cookie, offer, leg_open(l, AF_INET, false, true));
}

static bool is_same_peer(const struct desc *a, const struct desc *b) {
  return a->audio.fingerprint_bytes == b->audio.fingerprint_bytes &&
         memcmp(a->audio.fingerprint, b->audio.fingerprint, a->audio.fingerprint_bytes) == 0;
}

static bool is_same_ice(const struct desc *a, const struct desc *b) {
  return strcmp(a->audio.ufrag, b->audio.ufrag) == 0 && strcmp(a->audio.pwd, b->audio.pwd) == 0;
}

static struct verdict reoffer_check(struct leg *l, const struct desc *offer) {
  struct verdict v = may_offer(l);
  struct ability a = ability_of(l, DIR_SENDRECV);
  if (!verdict_is_pass(&v))
    return v;
  if (offer)
    return offer_check(&a, offer);
  if (l->kind == LEG_NATIVE)
    return verdict_refuse(REFUSE_SDP, "an offer is required");
  return v;
}

/* An m=audio of port 0 within the call holds, whatever its profile, keys and formats (RFC 3264, 8.2):
 * all else stays as it was, and the answer's line is the peer's own one. */
static bool is_off(const struct leg *l, const struct desc *offer) {
  uint8_t at = l->local ? l->local->audio.index : 0;
  if (l->kind != LEG_TRUNK || !l->local || !l->remote || at >= offer->n_media)
    return false;
  for (uint8_t i = 0; i < offer->n_media; i++) /* another kind of media beside it is refused, not this */
    if (offer->media[i].port && !slice_ieq(slice_of(offer->media[i].media), SLICE("video")))
      return false;
  return slice_ieq(slice_of(offer->media[at].media), SLICE("audio"));
}

static const struct desc *offer_off(const struct leg *l, const struct desc *offer, struct desc *kept) {
  if (!offer || !is_off(l, offer))
    return offer;
  desc_copy(kept, l->remote);
  kept->session_id = offer->session_id;
  kept->version = offer->version;
  kept->n_media = offer->n_media;
  memcpy(kept->media, offer->media, sizeof(kept->media));
  kept->audio.index = l->local->audio.index;
  kept->audio.direction = offer->has_audio ? offer->audio.direction : DIR_SENDRECV;
  kept->audio.is_zero_addr = offer->has_audio && offer->audio.is_zero_addr;
  addr_set_port(&kept->audio.rtp, 0);
  return kept;
}

/* Other credentials: ours are made anew before the answer (RFC 8839, 4.4.1.1.1). */
static bool is_restart(const struct leg *l, const struct desc *offer) {
  if (l->kind == LEG_TRUNK && (!offer->audio.ufrag[0] || !l->local || !l->remote ||
                               !trunkice_is_agreed(&l->local->audio, &l->remote->audio)))
    return false;
  return !is_same_ice(offer, l->remote);
}

static void reoffer(struct leg *l, uint64_t cookie, const struct desc *offer) {
  struct leg_inner *in = leg_in(l);
  struct verdict v = reoffer_check(l, offer);
  if (verdict_is_pass(&v) && !offer) {
    v = offer_full(l);
    tell(l, cookie, v, in->offer);
    return;
  }
  if (verdict_is_pass(&v) && l->kind == LEG_NATIVE && !is_same_peer(offer, l->remote)) {
    v = renew(l, cookie, offer);
    if (verdict_is_pass(&v))
      return;
  } else if (verdict_is_pass(&v) && is_restart(l, offer)) {
    v = restart(l, cookie, offer);
    if (verdict_is_pass(&v))
      return;
  } else if (verdict_is_pass(&v)) {
    v = answer(l, offer);
  }
  tell(l, cookie, v, l->local);
  bridge_apply(l->call);
}

void leg_reoffer(struct leg *l, uint64_t cookie, const struct desc *offer) {
  struct desc kept = {0};
  blame_reoffer(l);
  reoffer(l, cookie, offer_off(l, offer, &kept));
  desc_wipe(&kept);
}

void leg_restart_ice(struct leg *l, uint64_t cookie, const struct desc_frag *f) {
  struct verdict v = may_offer(l);
  if (verdict_is_pass(&v) && (l->kind != LEG_NATIVE || !f->ufrag[0] || !f->pwd[0]))
    v = verdict_refuse(REFUSE_SDP, "a restart brings ice-ufrag and ice-pwd");
  if (verdict_is_pass(&v) && strcmp(f->ufrag, l->remote->audio.ufrag) != 0) {
    struct desc offer;
    desc_copy(&offer, l->remote);
    memcpy(offer.audio.ufrag, f->ufrag, sizeof(offer.audio.ufrag));
    memcpy(offer.audio.pwd, f->pwd, sizeof(offer.audio.pwd));
    v = restart(l, cookie, &offer);
    if (verdict_is_pass(&v))
      return;
  }
  tell(l, cookie, v, l->local);
}

/* A fresh association --------------------------------------------------------------------------------
 */

void leg_on_fresh_opened(struct leg *l, const struct mset_opened *o) {
  struct leg_inner *in = leg_in(l);
  l->fresh->opened = *o;
  leg_set_desc(&in->old_local, l->local);
  leg_set_desc(&in->old_remote, l->remote);
  calls_arm(leg_calls(l), &in->fresh_late, FRESH_WAIT_US);
  if (!finish_asked(l, verdict_pass()) && !leg_is_over(l))
    forget_fresh(l);
}

void leg_fresh_take_over(struct leg *l) {
  struct leg_inner *in = leg_in(l);
  struct leg_media old = l->media;
  loop_disarm(leg_calls(l)->env.loop, &in->fresh_late);
  uint32_t codec = l->media.codec;
  l->media = *l->fresh;
  l->media.codec = codec;
  free(take(l->fresh));
  leg_set_desc(&in->old_local, NULL);
  leg_set_desc(&in->old_remote, NULL);
  in->linked = 0;
  in->playing = MSET_TONE_NONE;
  in->ice_lost = false;
  count_one(&leg_calls(l)->counts, CALLS_FRESH);
  bridge_apply(l->call);
  leg_close_session(l, &old);
  consent_check(l);
}

void leg_fresh_drop(struct leg *l, const char *why) {
  struct leg_inner *in = leg_in(l);
  bool asked = in->asked != NULL;
  log_warn(call, "%s: %s; the old association goes on", l->call->id, why);
  forget_fresh(l);
  if (asked)
    (void)finish_asked(l, verdict_refuse(REFUSE_NO_MEDIA, "%s", why));
}
