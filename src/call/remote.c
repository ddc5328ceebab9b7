/* SPDX-License-Identifier: Apache-2.0
 * From what a leg and its peer agreed on to the message that tells the media process. */
#include "call/inner.h"

#include <stdio.h>

static void put_codecs(struct mset_remote *r, const struct desc_audio *ours,
                       const struct desc_audio *theirs) {
  for (int events = 0; events <= 1; events++)
    for (uint8_t i = 0; i < theirs->n_codecs && r->n_codecs < MSET_CODECS_MAX; i++) {
      const struct desc_codec *c = &theirs->codecs[i];
      bool wanted = events ? c->kind == CODEC_TELEV : codec_is_speech(c);
      if (!wanted || !desc_codec_find(ours, (enum codec_kind)c->kind, c->clock_hz))
        continue;
      r->codecs[r->n_codecs++] =
          (struct mset_codec){.pt = c->pt, .kind = c->kind, .clock_hz = c->clock_hz};
    }
}

/* Events that come with the number that we gave, where the peer's answer gave another one. */
static void put_own_event(struct mset_remote *r, const struct desc_audio *ours) {
  const struct desc_codec *c = desc_codec_find(ours, CODEC_TELEV, 8000);
  for (uint32_t i = 0; c && i < r->n_codecs; i++)
    if (r->codecs[i].pt == c->pt)
      return;
  if (c && r->n_codecs && r->n_codecs < MSET_CODECS_MAX)
    r->codecs[r->n_codecs++] =
        (struct mset_codec){.pt = c->pt, .kind = c->kind, .clock_hz = c->clock_hz};
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
                 const struct desc *remote) {
  const struct desc_audio *ours = &local->audio, *theirs = &remote->audio;
  const struct leg_inner *in = leg_in(l);
  uint8_t d = direction_agreed(local, remote);
  r->rtcp_mux = ours->rtcp_mux && theirs->rtcp_mux;
  r->rtcp_xr = ours->rtcp_xr_voip && theirs->rtcp_xr_voip;
  r->level_ext = ours->level_ext && theirs->level_ext ? theirs->level_ext : 0;
  r->send = (d & DIR_SEND) != 0;
  r->recv = (d & DIR_RECV) != 0;
  r->rx_ptime_ms = theirs->ptime_ms ? theirs->ptime_ms : 20;
  put_codecs(r, ours, theirs);
  if (l->kind == LEG_NATIVE) {
    put_dtls(r, theirs);
  } else {
    r->rtp = theirs->rtp;
    r->rtcp = r->rtcp_mux ? theirs->rtp : theirs->rtcp;
    r->rtcp_off = theirs->rtcp_mute[0] && theirs->rtcp_mute[1];
    put_trunk(r, l->trunk);
    put_sdes(r, ours, theirs);
    put_own_event(r, ours);
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
                const struct desc *remote) {
  union mset_any m;
  mset_init(&m, MSET_REMOTE, session);
  m.remote.remote = dialog;
  remote_fill(&m.remote, l, local, remote);
  int r = medium_send(leg_calls(l)->medium, &m, on_remote, l->id, 0);
  explicit_bzero(&m, sizeof(m));
  return r;
}
