/* SPDX-License-Identifier: Apache-2.0
 * Sealers: see keys.h. The index that we send is kept here, not in the library alone: it outlives
 * keys, and no index goes out twice. */
#include "flow/context.h"
#include "flow/keys.h"

#include "base/rand.h"
#include "wire/bytes.h"

enum { RTP_HEAD_BYTES = 12, RTCP_HEAD_BYTES = 8, SSRCS_A_KEY = 8, WINDOW = 128, RENEW_FROM = 0xf000 };

struct sealer {
  srtp_t session;   /* session is NULL for a plain stream. */
  uint64_t index;   /* index is the highest sent; before the first packet the first to send. */
  uint64_t sent[2]; /* sent has a bit for each of the last 128 indexes; bit 0 is index itself. */
  uint32_t ssrc;
  bool began; /* began: something was sent. */
  bool was_secured;
  uint8_t n_used;
  uint32_t used[SSRCS_A_KEY]; /* used are the SSRCs that this key has seen: none comes back */
  struct srtp_key key;
};

static void begin(struct sealer *s, uint32_t ssrc) {
  s->ssrc = ssrc;
  s->began = false;
  s->index = 1 + rand_below(0x7fff);
  s->sent[0] = s->sent[1] = 0;
}

int sealer_new(struct sealer **ret, const struct srtp_key *key, uint32_t ssrc) {
  own(sealer) s = calloc(1, sizeof(*s));
  if (!s)
    return -ENOMEM;
  int e = key->suite == SUITE_NONE ? 0 : context_new(&s->session, key, ssrc_specific, ssrc);
  if (e < 0)
    return e;
  s->key = *key;
  s->was_secured = key->suite != SUITE_NONE;
  s->used[s->n_used++] = ssrc;
  begin(s, ssrc);
  *ret = take(s);
  return 0;
}

struct sealer *sealer_free(struct sealer *s) {
  if (!s)
    return NULL;
  context_free(&s->session);
  explicit_bzero(s, sizeof(*s));
  free(s);
  return NULL;
}

static int replace(struct sealer *s, const struct srtp_key *key, uint32_t ssrc) {
  srtp_t session = NULL;
  int e = key->suite == SUITE_NONE ? 0 : context_new(&session, key, ssrc_specific, ssrc);
  if (e < 0)
    return e;
  context_free(&s->session);
  s->session = session;
  return 0;
}

/* Another SSRC begins at roll-over counter 0 for everybody. */
static int renew(struct sealer *s, const struct srtp_key *key) {
  uint32_t ssrc = rand_u32() | 1u;
  if (ssrc == s->ssrc)
    ssrc ^= 2;
  int e = replace(s, key, ssrc);
  if (e == 0)
    begin(s, ssrc);
  return e;
}

/* Some peers go on counting over a rekey (RFC 3711 3.3.1), some begin at 0, and a key that comes back
 * after plain packets has lost its SRTCP index: where these differ, or would if what was sent before the
 * roll-over were lost, the stream is a new one. */
static bool must_renew(const struct sealer *s, const struct srtp_key *key) {
  return s->index >= RENEW_FROM || (s->was_secured && !s->session && key->suite != SUITE_NONE);
}

int sealer_rekey(struct sealer *s, const struct srtp_key *key) {
  if (context_same_key(&s->key, key))
    return 0;
  int e = must_renew(s, key)                       ? renew(s, key)
          : s->session && key->suite != SUITE_NONE ? context_rekey(s->session, key, s->ssrc)
                                                   : replace(s, key, s->ssrc);
  if (e < 0)
    return e;
  s->key = *key;
  s->was_secured |= key->suite != SUITE_NONE;
  s->n_used = 0;
  s->used[s->n_used++] = s->ssrc;
  return 0;
}

int sealer_set_ssrc(struct sealer *s, uint32_t ssrc) {
  srtp_t session = NULL;
  for (size_t i = 0; i < s->n_used; i++)
    if (s->used[i] == ssrc)
      return -EEXIST;
  if (s->n_used == SSRCS_A_KEY)
    return -ENOSPC;
  int e = s->session ? context_new(&session, &s->key, ssrc_specific, ssrc) : 0;
  if (e < 0)
    return e;
  context_free(&s->session);
  s->session = session;
  s->used[s->n_used++] = ssrc;
  begin(s, ssrc);
  return 0;
}

uint32_t sealer_ssrc(const struct sealer *s) { return s->ssrc; }
uint64_t sealer_next_index(const struct sealer *s) { return s->began ? s->index + 1 : s->index; }

/* The sent window ---------------------------------------------------------------------------------- */
static void window_shift(struct sealer *s, uint64_t by) {
  if (by >= WINDOW) {
    s->sent[0] = s->sent[1] = 0;
  } else if (by >= 64) {
    s->sent[1] = s->sent[0] << (by - 64);
    s->sent[0] = 0;
  } else if (by) {
    s->sent[1] = s->sent[1] << by | s->sent[0] >> (64 - by);
    s->sent[0] <<= by;
  }
}

static bool was_sent(const struct sealer *s, uint64_t index) {
  if (!s->began || index > s->index)
    return false;
  uint64_t behind = s->index - index;
  return behind >= WINDOW || (s->sent[behind / 64] >> behind % 64 & 1);
}

static void mark_sent(struct sealer *s, uint64_t index) {
  if (!s->began || index > s->index) {
    window_shift(s, s->began ? index - s->index : WINDOW);
    s->index = index;
    s->began = true;
  }
  uint64_t behind = s->index - index;
  s->sent[behind / 64] |= (uint64_t)1 << behind % 64;
}

/* Before the first packet any sequence number begins at roll-over counter 0. */
static uint64_t index_of(const struct sealer *s, uint16_t seq) {
  return s->began ? context_guess(s->index, seq) : seq;
}

static size_t tail_bytes(const struct sealer *s) {
  return s->session ? SEAL_TAIL_BYTES - SRTPKEY_MKI_MAX_BYTES + s->key.mki_bytes : 0;
}

static enum drop protect(struct sealer *s, uint8_t *packet, size_t *n) {
  int bytes = (int)*n;
  if (!s->session)
    return DROP_NONE;
  srtp_err_status_t status = srtp_protect_mki(s->session, packet, &bytes, s->key.mki_bytes > 0, 0);
  if (status == srtp_err_status_ok)
    *n = (size_t)bytes;
  enum drop d = context_drop(status, DROP_NOT_RTP);
  return d == DROP_REPLAY ? DROP_OLD_SEQ : d;
}

enum drop seal_rtp(struct sealer *s, uint8_t *packet, size_t *n, size_t room) {
  if (*n < RTP_HEAD_BYTES)
    return DROP_SHORT;
  if (packet[0] >> 6 != 2)
    return DROP_NOT_RTP;
  if (room > INT32_MAX || *n > room || room - *n < tail_bytes(s))
    return DROP_TOO_LONG;
  uint64_t index = index_of(s, bytes_u16(packet + 2));
  if (was_sent(s, index))
    return DROP_OLD_SEQ;
  bytes_put_u32(packet + 8, s->ssrc);
  enum drop d = protect(s, packet, n);
  if (d == DROP_NONE)
    mark_sent(s, index);
  return d;
}

enum drop seal_rtp_next(struct sealer *s, uint8_t *packet, size_t *n, size_t room) {
  if (*n < RTP_HEAD_BYTES)
    return DROP_SHORT;
  bytes_put_u16(packet + 2, (uint16_t)sealer_next_index(s));
  return seal_rtp(s, packet, n, room);
}

enum drop seal_rtcp(struct sealer *s, uint8_t *packet, size_t *n, size_t room) {
  if (*n < RTCP_HEAD_BYTES)
    return DROP_SHORT;
  if (packet[0] >> 6 != 2)
    return DROP_NOT_RTCP;
  if (room > INT32_MAX || *n > room || room - *n < tail_bytes(s))
    return DROP_TOO_LONG;
  if (bytes_u32(packet + 4) != s->ssrc)
    return DROP_INTERNAL;
  int bytes = (int)*n;
  if (!s->session)
    return DROP_NONE;
  srtp_err_status_t status = srtp_protect_rtcp_mki(s->session, packet, &bytes, s->key.mki_bytes > 0, 0);
  if (status == srtp_err_status_ok)
    *n = (size_t)bytes;
  return context_drop(status, DROP_NOT_RTCP);
}
