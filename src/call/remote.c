/* SPDX-License-Identifier: Apache-2.0
 * From what a leg and its peer agreed on to the message that tells the media process. */
#include "call/codecs.h"
#include "call/inner.h"
#include "call/trunkice.h"

#include <stdio.h>

/* A number of one of the format's parameters; 0 where it is absent. */
static uint64_t fmtp_number(const char *fmtp, const char *name) {
  struct slice rest = slice_of(fmtp);
  uint64_t n;
  while (rest.n) {
    struct slice one = slice_trim(slice_cut(&rest, ';')), key = slice_trim(slice_cut(&one, '='));
    if (slice_ieq(key, slice_of(name)) && slice_u64(slice_trim(one), UINT32_MAX, &n) == 0)
      return n;
  }
  return 0;
}

/* What the peer takes of a codec: Opus' parameters of RFC 7587, 6.1. */
static uint32_t flags_of(const struct desc_codec *c) {
  if (c->kind != CODEC_OPUS)
    return 0;
  return (fmtp_number(c->fmtp, "useinbandfec") ? MSET_CODEC_FEC : 0) |
         (fmtp_number(c->fmtp, "usedtx") ? MSET_CODEC_DTX : 0) |
         (fmtp_number(c->fmtp, "stereo") ? MSET_CODEC_STEREO : 0);
}

static bool is_known(const struct mset_remote *r, uint8_t pt) {
  for (uint32_t i = 0; i < r->n_codecs; i++)
    if (r->codecs[i].pt == pt)
      return true;
  return false;
}

/* theirs: as the peer describes it, with the number that we send it with. */
static void put_codec(struct mset_remote *r, const struct desc_codec *theirs, uint32_t ptime_ms) {
  if (r->n_codecs >= MSET_CODECS_MAX || is_known(r, theirs->pt))
    return;
  uint32_t bitrate =
      theirs->kind == CODEC_OPUS ? (uint32_t)fmtp_number(theirs->fmtp, "maxaveragebitrate") : 0;
  r->codecs[r->n_codecs++] = (struct mset_codec){.pt = theirs->pt,
                                                 .kind = theirs->kind,
                                                 .ptime_ms = (uint8_t)ptime_ms,
                                                 .channels = theirs->channels,
                                                 .clock_hz = theirs->clock_hz,
                                                 .flags = flags_of(theirs),
                                                 .bitrate = bitrate};
}

/* Speech in the order of the answer, the first is what we send (RFC 3264, 7); then events and noise.
 */
static void put_codecs(struct mset_remote *r, const struct desc_audio *answer,
                       const struct desc_audio *ours, const struct desc_audio *theirs) {
  uint32_t ptime_ms = ptime_of(theirs);
  for (int is_speech = 1; is_speech >= 0; is_speech--)
    for (uint8_t i = 0; i < answer->n_codecs; i++) {
      const struct desc_codec *c = &answer->codecs[i], *of_theirs = codec_same(theirs, c);
      bool is_wanted = is_speech ? codec_is_speech(c) : c->kind == CODEC_TELEV || c->kind == CODEC_CN;
      if (is_wanted && of_theirs && codec_same(ours, c))
        put_codec(r, of_theirs, ptime_ms);
    }
}

/* Events that come with the number that we gave, where the peer's answer gave another one. */
static void put_own_event(struct mset_remote *r, const struct desc_audio *ours) {
  const struct desc_codec *c = desc_codec_find(ours, CODEC_TELEV, 8000);
  if (c && r->n_codecs)
    put_codec(r, c, 0);
}

static bool has_event(const struct mset_remote *r) {
  for (uint32_t i = 0; i < r->n_codecs; i++)
    if (r->codecs[i].kind == CODEC_TELEV)
      return true;
  return false;
}

static enum mset_dtmf dtmf_of(const struct conf_trunk *t, const struct mset_remote *r) {
  switch (t ? (enum conf_dtmf)t->dtmf : DTMF_RFC4733) {
  case DTMF_INFO:
    return MSET_DTMF_SIGNALED;
  case DTMF_INBAND:
    return MSET_DTMF_INBAND;
  case DTMF_AUTO:
    return has_event(r) ? MSET_DTMF_EVENTS : MSET_DTMF_INBAND;
  case DTMF_RFC4733:
    break;
  }
  return MSET_DTMF_EVENTS;
}

static void put_trunk(struct mset_remote *r, const struct conf_trunk *t) {
  struct cidr c;
  if (!t)
    return;
  r->symmetric = t->symmetric;
  for (uint32_t i = 0; i < t->media_sources.n && r->n_sources < MSET_SOURCES_MAX; i++)
    if (cidr_parse(&c, slice_of(t->media_sources.text[i])) == 0)
      r->sources[r->n_sources++] = (struct mset_source){.base = c.base, .bits = c.bits};
}

static void put_dtls(struct mset_remote *r, const struct desc_audio *theirs) {
  r->security = MSET_DTLS;
  r->dtls_active = theirs->setup == SETUP_PASSIVE;
  r->fingerprint_bytes = theirs->fingerprint_bytes;
  memcpy(r->fingerprint, theirs->fingerprint, theirs->fingerprint_bytes);
  snprintf(r->ufrag, sizeof(r->ufrag), "%s", theirs->ufrag);
  snprintf(r->pwd, sizeof(r->pwd), "%s", theirs->pwd);
}

static void put_sdes(struct mset_remote *r, const struct desc_audio *ours,
                     const struct desc_audio *theirs) {
  const struct desc_crypto *tx, *rx;
  if (!crypto_agree(ours, theirs, &tx, &rx))
    return;
  r->security = MSET_SDES;
  r->tx = tx->key;
  r->rx = rx->key;
}

void remote_fill(struct mset_remote *r, const struct leg *l, const struct desc *local,
                 const struct desc *remote, bool is_ours_answer) {
  const struct desc_audio *ours = &local->audio, *theirs = &remote->audio;
  const struct leg_inner *in = leg_in(l);
  uint8_t d = direction_agreed(local, remote);
  r->rtcp_mux = ours->rtcp_mux && theirs->rtcp_mux;
  r->rtcp_xr = ours->rtcp_xr_voip && theirs->rtcp_xr_voip;
  r->level_ext = ours->level_ext && theirs->level_ext ? theirs->level_ext : 0;
  r->send = (d & DIR_SEND) != 0;
  r->recv = (d & DIR_RECV) != 0;
  r->rx_ptime_ms = ptime_of(theirs);
  put_codecs(r, is_ours_answer ? ours : theirs, ours, theirs);
  if (l->kind == LEG_NATIVE) {
    put_dtls(r, theirs);
  } else {
    r->rtp = theirs->rtp;
    r->rtcp = r->rtcp_mux ? theirs->rtp : theirs->rtcp;
    r->rtcp_off = theirs->rtcp_mute[0] && theirs->rtcp_mute[1];
    put_trunk(r, l->trunk);
    if (desc_is_dtls(ours)) {
      put_dtls(r, theirs);
      r->rtcp_off |= !r->rtcp_mux; /* it would take an association of its own */
    } else {
      put_sdes(r, ours, theirs);
    }
    if (has_event(r))
      put_own_event(r, ours);
    r->dtmf = dtmf_of(l->trunk, r);
    trunkice_remote(r, ours, theirs);
  }
  r->n_deny = in->n_deny;
  memcpy(r->deny, in->deny, sizeof(r->deny));
}

static MEDIUM_REPLY(on_remote) {
  struct calls *cs = arg;
  struct leg *l = leg_get(cs, ctx);
  (void)op;
  if (!l || (m && m->h.type == MSET_OK))
    return;
  leg_end(l, cause_make(END_MEDIA_FAILURE, BY_GATEWAY, "the media process refused the description"));
}

int remote_send(struct leg *l, uint64_t session, uint32_t dialog, const struct desc *local,
                const struct desc *remote, bool is_ours_answer) {
  union mset_any m;
  mset_init(&m, MSET_REMOTE, session);
  m.remote.remote = dialog;
  remote_fill(&m.remote, l, local, remote, is_ours_answer);
  int r = medium_send(leg_calls(l)->medium, &m, on_remote, l->id, 0);
  bool has_ice = l->kind == LEG_TRUNK && m.remote.ufrag[0];
  explicit_bzero(&m, sizeof(m));
  for (unsigned i = 0; !r && has_ice; i++) {
    mset_init(&m, MSET_CANDIDATES, session);
    m.candidates.remote = dialog;
    if (!trunkice_candidates(&remote->audio, i, &m.candidates))
      break;
    r = medium_send(leg_calls(l)->medium, &m, on_remote, l->id, 0);
  }
  return r;
}
