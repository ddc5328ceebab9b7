/* SPDX-License-Identifier: Apache-2.0
 * Offer and answer of one leg: see offer.h. Every rule that a carrier or browser can break is a row
 * of a check here, and each refusal names what was expected. */
#include "call/offer.h"

#include "base/rand.h"
#include "call/codecs.h"
#include "call/trunkice.h"

#include <stdio.h>

enum { PTIME_MS = 20, PTIME_MIN_MS = 10, PTIME_MAX_MS = 60 };

static bool profile_is_dtls(uint8_t p) { return p == PROFILE_DTLS_SAVP || p == PROFILE_DTLS_SAVPF; }
static bool profile_is_sdes(uint8_t p) { return p == PROFILE_SAVP || p == PROFILE_SAVPF; }

/* Keys in the description; some SBCs offer them beside DTLS, in one line of DTLS's profile. */
static bool is_sdes(const struct desc_audio *a) {
  return profile_is_sdes(a->profile) || (profile_is_dtls(a->profile) && a->n_crypto > 0);
}

/* c=0.0.0.0 is the hold of RFC 2543; in WebRTC it says nothing (the candidates do). */
static bool is_zero_held(const struct desc_audio *a) { return a->is_zero_addr && !a->ufrag[0]; }

bool desc_is_dtls(const struct desc_audio *a) { return profile_is_dtls(a->profile) && a->n_crypto == 0; }

/* SDES ------------------------------------------------------------------------------------------ */

static const enum srtp_suite all_suites[] = {SUITE_AEAD_AES_256_GCM, SUITE_AEAD_AES_128_GCM,
                                             SUITE_AES_CM_128_HMAC_SHA1_80,
                                             SUITE_AES_CM_128_HMAC_SHA1_32};

/* The trunk's suites in its order; the usual four where it names none. */
static uint32_t suites_of(const struct conf_trunk *t, enum srtp_suite ret[SUITE_COUNT_]) {
  uint32_t n = 0;
  for (uint32_t i = 0; t && i < t->suites.n && n < SUITE_COUNT_; i++) {
    enum srtp_suite s = suite_of(slice_of(t->suites.text[i]));
    if (s != SUITE_NONE)
      ret[n++] = s;
  }
  for (uint32_t i = 0; n == 0 && i < COUNT_OF(all_suites); i++)
    ret[i] = all_suites[i];
  return n ? n : COUNT_OF(all_suites);
}

static bool suite_is_allowed(const struct conf_trunk *t, uint32_t suite) {
  enum srtp_suite list[SUITE_COUNT_];
  uint32_t n = suites_of(t, list);
  for (uint32_t i = 0; i < n; i++)
    if (list[i] == suite)
      return true;
  return false;
}

/* The first offered line that the trunk allows: the offerer's order counts (RFC 4568, 5.1.2), but the
 * short tag is taken only where nothing else is there (some SBCs put it first). */
static const struct desc_crypto *crypto_choose(const struct conf_trunk *t, const struct desc_audio *a) {
  const struct desc_crypto *weak = NULL;
  for (uint8_t i = 0; i < a->n_crypto; i++) {
    const struct desc_crypto *c = &a->crypto[i];
    if (c->key.suite == SUITE_NONE || !suite_is_allowed(t, c->key.suite))
      continue;
    if (!suite_is_short(c->key.suite))
      return c;
    weak = weak ? weak : c;
  }
  return weak;
}

bool crypto_agree(const struct desc_audio *ours, const struct desc_audio *theirs,
                  const struct desc_crypto **ret_ours, const struct desc_crypto **ret_theirs) {
  for (uint8_t i = 0; i < ours->n_crypto; i++)
    for (uint8_t j = 0; j < theirs->n_crypto; j++)
      if (ours->crypto[i].tag == theirs->crypto[j].tag && ours->crypto[i].key.suite != SUITE_NONE &&
          ours->crypto[i].key.suite == theirs->crypto[j].key.suite) {
        *ret_ours = &ours->crypto[i];
        *ret_theirs = &theirs->crypto[j];
        return true;
      }
  return false;
}

/* The key that we send with now, if it is of that suite: a re-offer does not change it. */
static const struct srtp_key *key_now(const struct ability *a, uint32_t suite) {
  const struct desc_audio *l = a->local ? &a->local->audio : NULL;
  return l && l->n_crypto == 1 && l->crypto[0].key.suite == suite ? &l->crypto[0].key : NULL;
}

static void crypto_add(const struct ability *a, struct desc_audio *ret, uint32_t tag,
                       enum srtp_suite suite) {
  struct desc_crypto *c = &ret->crypto[ret->n_crypto++];
  const struct srtp_key *now = key_now(a, suite);
  c->tag = tag;
  snprintf(c->suite_text, sizeof(c->suite_text), "%s", suite_name(suite));
  if (now)
    c->key = *now;
  else
    srtpkey_make(&c->key, suite);
}

/* Checks of offers -------------------------------------------------------------------------------- */

static struct verdict check_webrtc(const struct desc_audio *a) {
  if (!profile_is_dtls(a->profile))
    return verdict_refuse(REFUSE_SDP, "the profile must be UDP/TLS/RTP/SAVPF");
  if (!a->fingerprint_alg[0] || a->fingerprint_bytes < 32)
    return verdict_refuse(REFUSE_SDP, "a=fingerprint is missing or weaker than sha-256");
  if (!a->ufrag[0] || !a->pwd[0])
    return verdict_refuse(REFUSE_SDP, "a=ice-ufrag or a=ice-pwd is missing");
  if (!a->rtcp_mux)
    return verdict_refuse(REFUSE_SDP, "a=rtcp-mux is required");
  if (a->setup == SETUP_HOLDCONN)
    return verdict_refuse(REFUSE_SDP, "a=setup:holdconn is not served");
  return verdict_pass();
}

static bool takes_dtls(const struct conf_trunk *t) {
  return t && t->srtp != SRTP_OFF && t->key_exchange != KEYS_SDES;
}

/* DTLS-SRTP of a trunk, RFC 5763. One association: RTCP goes the same way or not at all. */
static struct verdict check_dtls(const struct desc_audio *a) {
  if (!a->fingerprint_alg[0] || a->fingerprint_bytes < 32)
    return verdict_refuse(REFUSE_SDP, "a=fingerprint is missing or weaker than sha-256");
  if (a->setup == SETUP_HOLDCONN)
    return verdict_refuse(REFUSE_SDP, "a=setup:holdconn is not served");
  return verdict_pass();
}

static struct verdict check_trunk(const struct ability *a, const struct desc_audio *o) {
  const struct conf_trunk *t = a->trunk;
  bool secured = a->local && (is_sdes(&a->local->audio) || desc_is_dtls(&a->local->audio));
  if (takes_dtls(t) && profile_is_dtls(o->profile) && o->fingerprint_bytes)
    return check_dtls(o);
  if (is_sdes(o)) {
    if (t && t->key_exchange == KEYS_DTLS)
      return verdict_refuse(REFUSE_SRTP, "trunk %s takes keys by DTLS only (key_exchange)", t->name);
    if (crypto_choose(t, o))
      return verdict_pass();
    return verdict_refuse(REFUSE_SRTP, "no a=crypto suite of trunk %s is offered", t ? t->name : "");
  }
  if (profile_is_dtls(o->profile))
    return verdict_refuse(
        REFUSE_SRTP,
        "no DTLS-SRTP on this trunk (trunks[%s].key_exchange): offer RTP/SAVP with a=crypto",
        t ? t->name : "");
  if (o->profile != PROFILE_AVP && o->profile != PROFILE_AVPF)
    return verdict_refuse(REFUSE_SDP, "the profile must be RTP/SAVP or RTP/AVP");
  if (secured)
    return verdict_refuse(REFUSE_SRTP, "the stream is secured: RTP/AVP would take that away");
  if (t && t->srtp == SRTP_OFF)
    return verdict_pass();
  return verdict_refuse(REFUSE_SRTP,
                        "RTP/AVP is refused; to allow it: trunks[%s].srtp: off (configuration line %u)",
                        t ? t->name : "", t ? t->line : 0);
}

/* A session has one family: media for the other would go nowhere. */
static bool is_family(const struct addr *ours, const struct desc_audio *theirs) {
  return theirs->is_zero_addr || addr_family(&theirs->rtp) == AF_UNSPEC ||
         addr_family(ours) == AF_UNSPEC || addr_family(&theirs->rtp) == addr_family(ours);
}

/* A switch to T.38: the image is wanted instead of the audio, not beside it. */
static bool is_fax(const struct desc *d) {
  bool has_image = false;
  for (uint8_t i = 0; i < d->n_media; i++)
    has_image =
        has_image || (slice_ieq(slice_of(d->media[i].media), SLICE("image")) && d->media[i].port);
  return has_image && (!d->has_audio || addr_port(&d->audio.rtp) == 0);
}

struct verdict offer_check(const struct ability *a, const struct desc *offer) {
  const struct desc_audio *o = &offer->audio;
  char names[64];
  if (is_fax(offer))
    return verdict_refuse(REFUSE_FAX, "m=image instead of m=audio");
  if (!offer->has_audio)
    return verdict_refuse(REFUSE_NO_AUDIO, "there is no m=audio that could be used");
  if (addr_port(&o->rtp) == 0 && !a->local)
    return verdict_refuse(REFUSE_NO_AUDIO, "the m=audio has port 0");
  struct verdict v = a->kind == LEG_NATIVE ? check_webrtc(o) : check_trunk(a, o);
  if (!verdict_is_pass(&v))
    return v;
  if (!codecs_meet(a, o))
    return verdict_refuse(REFUSE_CODEC, "%s must be offered", codecs_names(a, names, sizeof(names)));
  if (a->kind == LEG_TRUNK && a->opened && !is_family(&a->opened->rtp[0], o))
    return verdict_refuse(REFUSE_SDP, "the c= line changes the address family within the call");
  return v;
}

uint32_t ptime_of(const struct desc_audio *a) {
  uint32_t ms = a->ptime_ms ? a->ptime_ms : PTIME_MS;
  if (a->maxptime_ms && ms > a->maxptime_ms)
    ms = a->maxptime_ms;
  ms -= ms % PTIME_MIN_MS;
  return ms < PTIME_MIN_MS ? PTIME_MIN_MS : ms > PTIME_MAX_MS ? PTIME_MAX_MS : ms;
}

/* Making descriptions ------------------------------------------------------------------------------ */

static void candidates_add(const struct mset_opened *m, struct desc_audio *ret) {
  for (uint32_t i = 0; i < m->n_addrs && i < MSET_ADDRS_MAX; i++) {
    struct desc_candidate *c = &ret->candidates[ret->n_candidates++];
    snprintf(c->foundation, sizeof(c->foundation), "%u", i + 1);
    c->component = 1;
    c->type = CAND_HOST;
    c->is_udp = true;
    c->priority = (UINT32_C(126) << 24) | ((UINT32_C(65535) - i) << 8) | 255;
    c->address = m->rtp[i];
  }
  ret->end_of_candidates = true;
  ret->ice_lite = true;
}

static void dtls_fill(const struct mset_opened *m, struct desc_audio *a) {
  a->rtcp_mux = true;
  a->rtcp = a->rtp;
  snprintf(a->fingerprint_alg, sizeof(a->fingerprint_alg), "sha-256");
  memcpy(a->fingerprint, m->fingerprint, sizeof(m->fingerprint));
  a->fingerprint_bytes = sizeof(m->fingerprint);
}

static uint8_t setup_answer(const struct desc_audio *o) {
  return o->setup == SETUP_PASSIVE ? SETUP_ACTIVE : SETUP_PASSIVE;
}

static void webrtc_fill(const struct mset_opened *m, struct desc *ret) {
  struct desc_audio *a = &ret->audio;
  ret->is_webrtc = true;
  dtls_fill(m, a);
  snprintf(a->ufrag, sizeof(a->ufrag), "%s", m->ufrag);
  snprintf(a->pwd, sizeof(a->pwd), "%s", m->pwd);
  candidates_add(m, a);
  a->ssrc = m->ssrc;
  snprintf(a->cname, sizeof(a->cname), "%s", m->cname);
}

static void base_fill(const struct ability *a, struct desc *ret) {
  memset(ret, 0, sizeof(*ret));
  ret->session_id = rand_u64() >> 2;
  ret->version = 1;
  ret->has_audio = true;
  ret->audio.rtp = a->opened->rtp[0];
  addr_ip_text(&a->opened->rtp[0], ret->origin_addr, sizeof(ret->origin_addr));
}

static void rtcp_fill(const struct mset_opened *m, struct desc_audio *ret) {
  ret->rtcp = addr_family(&m->rtcp) != AF_UNSPEC ? m->rtcp : m->rtp[0];
}

static void media_copy(const struct desc *offer, struct desc *ret) {
  ret->n_media = offer->n_media;
  memcpy(ret->media, offer->media, sizeof(ret->media));
  ret->bundle = offer->bundle;
  ret->audio.index = offer->audio.index;
  memcpy(ret->audio.mid, offer->audio.mid, sizeof(ret->audio.mid));
}

/* What they send we receive (RFC 3264, 6.1), cut to what we want; an address of zeros is held. */
static uint8_t direction_answer(const struct ability *a, const struct desc_audio *o) {
  uint8_t d = desc_direction_flip(o->direction) & a->direction;
  return is_zero_held(o) ? d & DIR_RECV : d;
}

static void answer_trunk(const struct ability *a, const struct desc_audio *o, struct desc_audio *ret) {
  bool is_dtls = takes_dtls(a->trunk) && profile_is_dtls(o->profile) && o->fingerprint_bytes;
  const struct desc_crypto *c = !is_dtls && is_sdes(o) ? crypto_choose(a->trunk, o) : NULL;
  ret->ptime_ms = (uint16_t)ptime_of(o);
  if (is_dtls) {
    dtls_fill(a->opened, ret);
    ret->rtcp_mux = o->rtcp_mux;
    ret->setup = setup_answer(o);
    return;
  }
  ret->rtcp_mux = o->rtcp_mux;
  rtcp_fill(a->opened, ret);
  if (o->rtcp_mux)
    ret->rtcp = ret->rtp;
  if (c)
    crypto_add(a, ret, c->tag, (enum srtp_suite)c->key.suite);
}

/* The same version if nothing differs, else the next one. */
static void desc_continue(struct desc *ours, const struct desc *was) {
  if (!was)
    return;
  ours->session_id = was->session_id;
  ours->version = was->version;
  if (!desc_eq(ours, was))
    ours->version++;
}

void offer_answer(const struct ability *a, const struct desc *offer, struct desc *ret) {
  const struct desc_audio *o = &offer->audio;
  base_fill(a, ret);
  media_copy(offer, ret);
  ret->audio.profile = o->profile;
  ret->audio.direction = direction_answer(a, o);
  codecs_answer(a, o, &ret->audio);
  if (a->kind == LEG_NATIVE) {
    webrtc_fill(a->opened, ret);
    ret->audio.setup = setup_answer(o);
  } else {
    answer_trunk(a, o, &ret->audio);
    trunkice_fill(a, o, &ret->audio);
  }
  reports_answer(a, o, &ret->audio);
  if (addr_port(&o->rtp) == 0)
    addr_set_port(&ret->audio.rtp, 0);
  desc_continue(ret, a->local);
}

static void offer_trunk(const struct ability *a, struct desc *ret) {
  enum srtp_suite suites[SUITE_COUNT_];
  bool secured = !a->trunk || a->trunk->srtp == SRTP_REQUIRED || (a->local && a->local->audio.n_crypto);
  bool is_dtls = a->local ? desc_is_dtls(&a->local->audio)
                          : secured && a->trunk && a->trunk->key_exchange == KEYS_DTLS;
  if (is_dtls) {
    ret->audio.profile = PROFILE_DTLS_SAVP;
    ret->audio.ptime_ms = PTIME_MS;
    ret->audio.setup = a->local ? a->local->audio.setup : SETUP_ACTPASS;
    dtls_fill(a->opened, &ret->audio);
    return;
  }
  uint32_t n = secured ? suites_of(a->trunk, suites) : 0;
  ret->audio.profile = secured ? PROFILE_SAVP : PROFILE_AVP;
  ret->audio.ptime_ms = PTIME_MS;
  rtcp_fill(a->opened, &ret->audio);
  for (uint32_t i = 0; i < n && i < DESC_CRYPTO_MAX; i++)
    crypto_add(a, &ret->audio, i + 1, suites[i]);
}

/* The m-lines of the session stay where they are, in their number (RFC 3264, 8). */
static void media_make(const struct ability *a, struct desc *ret) {
  if (a->local) {
    media_copy(a->local, ret);
    return;
  }
  ret->n_media = 1;
  snprintf(ret->media[0].media, sizeof(ret->media[0].media), "audio");
}

void offer_make(const struct ability *a, struct desc *ret) {
  base_fill(a, ret);
  media_make(a, ret);
  ret->audio.direction = a->direction;
  reports_offer(a, &ret->audio);
  codecs_offer(a, &ret->audio);
  if (a->kind == LEG_TRUNK) {
    offer_trunk(a, ret);
    trunkice_fill(a, NULL, &ret->audio);
  } else {
    ret->bundle = true;
    ret->audio.profile = PROFILE_DTLS_SAVPF;
    ret->audio.setup = SETUP_ACTPASS;
    snprintf(ret->audio.mid, sizeof(ret->audio.mid), "0");
    snprintf(ret->media[0].mid, sizeof(ret->media[0].mid), "0");
    webrtc_fill(a->opened, ret);
  }
  desc_continue(ret, a->local);
}

void offer_again(const struct ability *a, struct desc *ret) {
  desc_copy(ret, a->local);
  ret->audio.direction = a->direction;
  ret->audio.rtp = a->opened->rtp[0];
  desc_continue(ret, a->local);
}

/* Answers ------------------------------------------------------------------------------------------ */

static struct verdict answer_check_dtls(const struct desc_audio *o, const struct desc_audio *a) {
  struct verdict v = o->ufrag[0] ? check_webrtc(a) : check_dtls(a);
  if (verdict_is_pass(&v) && !profile_is_dtls(a->profile))
    return verdict_refuse(REFUSE_SRTP, "UDP/TLS/RTP/SAVP was offered, the answer has another profile");
  if (verdict_is_pass(&v) && a->setup != SETUP_ACTIVE && a->setup != SETUP_PASSIVE)
    return verdict_refuse(REFUSE_SDP, "an answer's a=setup is active or passive");
  return v;
}

static struct verdict answer_check_sdes(const struct desc_audio *o, const struct desc_audio *a) {
  const struct desc_crypto *ours, *theirs;
  if (!is_sdes(a))
    return verdict_refuse(REFUSE_SRTP, "RTP/SAVP was offered, the answer has another profile");
  if (a->n_crypto != 1 || !crypto_agree(o, a, &ours, &theirs))
    return verdict_refuse(REFUSE_SRTP, "the answer's a=crypto is none of the offered ones");
  return verdict_pass();
}

static bool answer_has_codec(const struct desc_audio *o, const struct desc_audio *a) {
  for (uint8_t i = 0; i < a->n_codecs; i++)
    if (codec_is_speech(&a->codecs[i]) && codec_same(o, &a->codecs[i]))
      return true;
  return false;
}

struct verdict answer_check(const struct desc *offer, const struct desc *answer) {
  const struct desc_audio *o = &offer->audio, *a = &answer->audio;
  struct verdict v = verdict_pass();
  if (!answer->has_audio || addr_port(&a->rtp) == 0)
    return verdict_refuse(REFUSE_NO_AUDIO, "the answer refuses the audio");
  if (is_sdes(o))
    v = answer_check_sdes(o, a);
  else if (profile_is_dtls(o->profile))
    v = answer_check_dtls(o, a);
  else if (a->profile != PROFILE_AVP && a->profile != PROFILE_AVPF)
    v = verdict_refuse(REFUSE_SDP, "RTP/AVP was offered, the answer has another profile");
  if (!verdict_is_pass(&v))
    return v;
  if (!offer->is_webrtc && !trunkice_is_agreed(o, a) && !is_family(&o->rtp, a))
    return verdict_refuse(REFUSE_SDP, "the answer's c= line is of another address family");
  if (!answer_has_codec(o, a))
    return verdict_refuse(REFUSE_CODEC, "the answer has no codec of the offer");
  return v;
}

uint8_t direction_agreed(const struct desc *local, const struct desc *remote) {
  uint8_t d = local->audio.direction & desc_direction_flip(remote->audio.direction);
  if (addr_port(&remote->audio.rtp) == 0)
    return DIR_INACTIVE;
  return is_zero_held(&remote->audio) ? d & DIR_RECV : d;
}

bool desc_holds(const struct desc *theirs, const struct desc *ours) {
  if (addr_port(&theirs->audio.rtp) == 0 || is_zero_held(&theirs->audio))
    return true;
  if (theirs->audio.direction & DIR_RECV)
    return false;
  return !ours || (ours->audio.direction & DIR_SEND); /* what we did not offer they need not take */
}
