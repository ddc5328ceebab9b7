/* SPDX-License-Identifier: Apache-2.0
 * Openers: see keys.h. One session of the library takes all SSRCs from roll-over counter 0 on; an SSRC
 * whose counter had to be searched has a session of its own. RTCP, which carries its index, stays
 * in the common one. Nothing changes before a tag has verified. */
#include "flow/context.h"
#include "flow/keys.h"
#include "wire/bytes.h"

#include <arpa/inet.h>

enum { HEARD_MAX = 2 * OPENER_SSRCS_MAX, RTP_HEAD_BYTES = 12, RTCP_HEAD_BYTES = 8, TRIES_MAX = 4 };

/* An SSRC that the remote used. */
struct heard {
  uint64_t index; /* index is the highest that verified. */
  uint64_t heard_us;
  srtp_t own; /* own is its session for RTP, NULL for the common one. */
  uint32_t ssrc;
  bool used;
  bool live;      /* live: the library has a stream of it; else only its index is remembered. */
  bool has_rtp;   /* has_rtp: index counts; else RTCP alone was heard. */
  bool other_key; /* other_key: index was reached under an earlier key. */
};

/* One key of the remote. */
struct keyhole {
  struct srtp_key key;
  srtp_t common;
  struct heard heard[HEARD_MAX];
};

struct opener {
  struct keyhole *now;
  struct keyhole *before;   /* before is the key that was replaced, for a while. */
  uint64_t before_until_us; /* before_until_us is 0 until the new key has verified a packet. */
  uint64_t budget_us;       /* budget_us is when the second of this budget began. */
  unsigned budget;          /* budget is how many searches it has seen. */
  uint32_t suite;
  uint32_t last_roc; /* last_roc is that of the RTP packet that verified last. */
  struct opener_counts counts;
};

/* One packet on its way through. */
struct knock {
  uint8_t *packet;
  size_t *n;
  uint64_t now_us;
  uint32_t ssrc;
  uint16_t seq;
};

static struct keyhole *keyhole_free(struct keyhole *l) {
  if (!l)
    return NULL;
  context_free(&l->common);
  for (size_t i = 0; i < HEARD_MAX; i++)
    context_free(&l->heard[i].own);
  explicit_bzero(l, sizeof(*l));
  free(l);
  return NULL;
}
OWN_DEFINE(keyhole)

static int keyhole_new(struct keyhole **ret, const struct srtp_key *key) {
  own(keyhole) l = calloc(1, sizeof(*l));
  if (!l)
    return -ENOMEM;
  l->key = *key;
  int e = key->suite == SUITE_NONE ? 0 : context_new(&l->common, key, ssrc_any_inbound, 0);
  if (e < 0)
    return e;
  *ret = take(l);
  return 0;
}

int opener_new(struct opener **ret, const struct srtp_key *key) {
  own(opener) o = calloc(1, sizeof(*o));
  if (!o)
    return -ENOMEM;
  int e = keyhole_new(&o->now, key);
  if (e < 0)
    return e;
  o->suite = key->suite;
  *ret = take(o);
  return 0;
}

struct opener *opener_free(struct opener *o) {
  if (!o)
    return NULL;
  o->now = keyhole_free(o->now);
  o->before = keyhole_free(o->before);
  free(o);
  return NULL;
}

int opener_rekey(struct opener *o, const struct srtp_key *key) {
  own(keyhole) l = NULL;
  if (context_same_key(&o->now->key, key))
    return 0;
  int e = keyhole_new(&l, key);
  if (e < 0)
    return e;
  for (size_t i = 0; i < HEARD_MAX; i++) {
    const struct heard *h = &o->now->heard[i];
    if (h->used && h->has_rtp && o->suite != SUITE_NONE)
      l->heard[i] = (struct heard){.index = h->index,
                                   .heard_us = h->heard_us,
                                   .ssrc = h->ssrc,
                                   .used = true,
                                   .has_rtp = true,
                                   .other_key = true};
  }
  keyhole_free(o->before);
  o->before = o->suite == SUITE_NONE ? keyhole_free(o->now) : o->now;
  o->before_until_us = 0;
  o->now = take(l);
  o->suite = key->suite;
  o->counts.rekeys++;
  return 0;
}

void opener_foresee(const struct opener *o) {
  for (size_t at = 0; at < sizeof(*o->now); at += 128) /* the processor fetches lines in pairs */
    __builtin_prefetch((const char *)o->now + at);
}

const struct opener_counts *opener_counts(const struct opener *o) { return &o->counts; }
uint32_t opener_suite(const struct opener *o) { return o->suite; }

static struct heard *heard_find(struct keyhole *l, uint32_t ssrc) {
  for (size_t i = 0; i < HEARD_MAX; i++)
    if (l->heard[i].used && l->heard[i].ssrc == ssrc)
      return &l->heard[i];
  return NULL;
}

bool opener_index(const struct opener *o, uint32_t ssrc, uint64_t *ret_index) {
  const struct heard *h = heard_find(o->now, ssrc);
  if (!h || !h->has_rtp)
    return false;
  *ret_index = h->index;
  return true;
}

/* The one heard longest ago, among the live or among the remembered. */
static struct heard *heard_oldest(struct keyhole *l, bool live, size_t *ret_count) {
  struct heard *oldest = NULL;
  *ret_count = 0;
  for (size_t i = 0; i < HEARD_MAX; i++) {
    struct heard *h = &l->heard[i];
    if (!h->used || h->live != live)
      continue;
    (*ret_count)++;
    if (!oldest || h->heard_us < oldest->heard_us)
      oldest = h;
  }
  return oldest;
}

static void heard_rest(struct opener *o, struct heard *h) {
  srtp_remove_stream(o->now->common, htonl(h->ssrc));
  context_free(&h->own);
  h->live = false;
  o->counts.evicted++;
}

static struct heard *heard_slot(struct keyhole *l) {
  size_t count;
  for (size_t i = 0; i < HEARD_MAX; i++)
    if (!l->heard[i].used)
      return &l->heard[i];
  return heard_oldest(l, false, &count);
}

/* The entry of an SSRC whose packet has just verified, made live. The library has its stream already,
 * so there may be one too many: the oldest silent one goes. */
static struct heard *heard_live(struct opener *o, const struct knock *k) {
  size_t count;
  struct heard *h = heard_find(o->now, k->ssrc), *oldest = heard_oldest(o->now, true, &count);
  if (h && h->live)
    return h;
  if (count >= OPENER_SSRCS_MAX)
    heard_rest(o, oldest);
  if (!h) {
    h = heard_slot(o->now);
    *h = (struct heard){.used = true, .ssrc = k->ssrc};
    o->counts.ssrcs++;
  }
  h->live = true;
  return h;
}

static void verified(struct opener *o, struct heard *h, uint64_t now_us) {
  h->heard_us = now_us;
  o->counts.packets++;
  if (o->before && !o->before_until_us)
    o->before_until_us = now_us + OPENER_OVERLAP_MS * 1000u;
}

static void verified_rtp(struct opener *o, const struct knock *k, uint64_t index) {
  struct heard *h = heard_live(o, k);
  if (!h->has_rtp || h->other_key || index > h->index)
    h->index = index;
  h->has_rtp = true;
  h->other_key = false;
  o->last_roc = (uint32_t)(h->index >> 16);
  verified(o, h, k->now_us);
}

static enum drop unprotect(srtp_t session, const struct keyhole *l, const struct knock *k) {
  int n = (int)*k->n;
  srtp_err_status_t status = srtp_unprotect_mki(session, k->packet, &n, l->key.mki_bytes > 0);
  if (status == srtp_err_status_ok)
    *k->n = (size_t)n;
  return context_drop(status, DROP_NOT_RTP);
}

/* Searching a roll-over counter ------------------------------------------------------------------- */
static bool may_search(struct opener *o, uint64_t now_us) {
  if (now_us - o->budget_us >= 1000000) {
    o->budget_us = now_us;
    o->budget = 0;
  }
  return o->budget < OPENER_SEARCHES_A_S && ++o->budget;
}

static void try_add(uint32_t *rocs, unsigned *n, int64_t roc) {
  if (roc < 0 || roc > UINT32_MAX || *n == TRIES_MAX)
    return;
  for (unsigned i = 0; i < *n; i++)
    if (rocs[i] == (uint32_t)roc)
      return;
  rocs[(*n)++] = (uint32_t)roc;
}

/* Which counters may be meant. Under the same key only later ones than known: an earlier one would
 * open the door to replays. */
static unsigned candidates(const struct opener *o, const struct heard *h, uint16_t seq,
                           uint32_t rocs[TRIES_MAX]) {
  unsigned n = 0;
  bool known = h && h->has_rtp;
  int64_t near = known ? (int64_t)(context_guess(h->index, seq) >> 16) : o->last_roc;
  if (known && !h->other_key) {
    if (!h->live && context_guess(h->index, seq) > h->index)
      try_add(rocs, &n, near);
    try_add(rocs, &n, near + 1);
    try_add(rocs, &n, near + 2);
    return n;
  }
  if (known)
    try_add(rocs, &n, near);
  if (known)
    try_add(rocs, &n, 0);
  try_add(rocs, &n, near + 1);
  try_add(rocs, &n, near - 1);
  if (near)
    try_add(rocs, &n, near);
  return n;
}

/* A session of the SSRC's own in which that packet verifies, or the reason. */
static enum drop search_in(srtp_t trial, const struct opener *o, const struct heard *h,
                           const struct knock *k, uint64_t *ret_index) {
  uint32_t rocs[TRIES_MAX];
  unsigned n = candidates(o, h, k->seq, rocs);
  for (unsigned i = 0; i < n; i++) {
    if (srtp_set_stream_roc(trial, k->ssrc, rocs[i]) != srtp_err_status_ok)
      return DROP_CRYPTO;
    if (unprotect(trial, o->now, k) == DROP_NONE) {
      *ret_index = (uint64_t)rocs[i] << 16 | k->seq;
      return DROP_NONE;
    }
  }
  return DROP_AUTH;
}

static enum drop search(struct opener *o, const struct knock *k, enum drop otherwise) {
  struct heard *h = heard_find(o->now, k->ssrc);
  srtp_t trial = NULL;
  uint64_t index = 0;
  if (!may_search(o, k->now_us))
    return h && h->live ? otherwise : DROP_SSRC_SEARCH;
  o->counts.searches++;
  if (context_new(&trial, &o->now->key, ssrc_specific, k->ssrc) < 0)
    return DROP_CRYPTO;
  enum drop d = search_in(trial, o, h, k, &index);
  if (d != DROP_NONE) {
    context_free(&trial);
    return otherwise;
  }
  o->counts.found++;
  h = heard_live(o, k);
  context_free(&h->own);
  h->own = trial;
  verified_rtp(o, k, index);
  return DROP_NONE;
}

/* Worth a search: a tag that does not verify, and a number that seems older than the window, which
 * more than 2^15 packets that we missed look like (a long hold). */
static bool is_worth_search(const struct opener *o, const struct knock *k, enum drop d) {
  const struct heard *h = heard_find(o->now, k->ssrc);
  if (d != DROP_REPLAY)
    return d == DROP_AUTH;
  return h && h->has_rtp && context_guess(h->index, k->seq) + OPENER_REPLAY_WINDOW < h->index;
}

/* RTP --------------------------------------------------------------------------------------------- */
/* A first packet of this SSRC under this key: roll-over counter 0 in the common session. One that was
 * known must not come back with an index that it already had. */
static enum drop open_first(struct opener *o, const struct heard *h, const struct knock *k) {
  if (h && h->has_rtp) {
    if (context_guess(h->index, k->seq) >> 16)
      return DROP_AUTH; /* the search begins with the likelier one */
    if (!h->other_key && k->seq <= h->index)
      return DROP_REPLAY;
  }
  enum drop d = unprotect(o->now->common, o->now, k);
  if (d == DROP_NONE)
    verified_rtp(o, k, k->seq);
  return d;
}

static enum drop open_now(struct opener *o, const struct knock *k) {
  struct heard *h = heard_find(o->now, k->ssrc);
  enum drop d;
  if (h && h->live && h->has_rtp && !h->other_key) { /* its RTCP alone may have made it live */
    uint64_t index = context_guess(h->index, k->seq);
    d = unprotect(h->own ? h->own : o->now->common, o->now, k);
    if (d == DROP_NONE)
      verified_rtp(o, k, index);
  } else {
    d = open_first(o, h, k);
  }
  return d;
}

/* The replaced key still opens what was under way, of SSRCs that were live under it. */
static enum drop open_before(struct opener *o, const struct knock *k) {
  struct heard *h = heard_find(o->before, k->ssrc);
  if (!h || !h->live || !h->has_rtp)
    return DROP_AUTH;
  enum drop d = unprotect(h->own ? h->own : o->before->common, o->before, k);
  if (d == DROP_NONE)
    o->counts.packets++;
  return d;
}

static void forget_before(struct opener *o, uint64_t now_us) {
  if (o->before && o->before_until_us && now_us >= o->before_until_us)
    o->before = keyhole_free(o->before);
}

static enum drop rtp_form(const uint8_t *p, size_t n) {
  if (n < RTP_HEAD_BYTES)
    return DROP_SHORT;
  if (n > INT32_MAX)
    return DROP_TOO_LONG;
  return p[0] >> 6 == 2 ? DROP_NONE : DROP_NOT_RTP;
}

enum drop open_rtp(struct opener *o, uint8_t *packet, size_t *n, uint64_t now_us) {
  enum drop d = rtp_form(packet, *n);
  if (d != DROP_NONE || o->suite == SUITE_NONE)
    return d;
  forget_before(o, now_us);
  struct knock k = {packet, n, now_us, bytes_u32(packet + 8), bytes_u16(packet + 2)};
  d = open_now(o, &k);
  if (d == DROP_AUTH && o->before && open_before(o, &k) == DROP_NONE)
    return DROP_NONE;
  return is_worth_search(o, &k, d) ? search(o, &k, d) : d;
}

/* RTCP -------------------------------------------------------------------------------------------- */
enum { LONG_TAG_BYTES = 10 };

static bool is_mki(const struct srtp_key *key, const uint8_t *p) {
  for (uint32_t i = 0; i < key->mki_bytes; i++) {
    uint32_t from_end = key->mki_bytes - 1 - i;
    if (p[i] != (from_end < sizeof(key->mki) ? key->mki[sizeof(key->mki) - 1 - from_end] : 0))
      return false;
  }
  return true;
}

/* The library looks for the MKI of an SRTCP packet before a tag as short as SRTP's: where the two differ
 * in length we take it out, and put it back if the packet is not good. */
static enum drop unprotect_rtcp_without_mki(const struct keyhole *l, const struct knock *k) {
  size_t mki = l->key.mki_bytes;
  if (*k->n < RTCP_HEAD_BYTES + mki + LONG_TAG_BYTES)
    return DROP_SHORT;
  uint8_t *at = k->packet + *k->n - LONG_TAG_BYTES - mki, saved[SRTPKEY_MKI_MAX_BYTES + LONG_TAG_BYTES];
  if (!is_mki(&l->key, at))
    return DROP_MKI;
  memcpy(saved, at, mki + LONG_TAG_BYTES);
  memmove(at, at + mki, LONG_TAG_BYTES);
  int n = (int)(*k->n - mki);
  srtp_err_status_t status = srtp_unprotect_rtcp_mki(l->common, k->packet, &n, 0);
  if (status == srtp_err_status_ok)
    *k->n = (size_t)n;
  else
    memcpy(at, saved, mki + LONG_TAG_BYTES);
  return context_drop(status, DROP_NOT_RTCP);
}

static enum drop unprotect_rtcp(const struct keyhole *l, const struct knock *k) {
  int n = (int)*k->n;
  if (l->key.mki_bytes && suite_is_short(l->key.suite))
    return unprotect_rtcp_without_mki(l, k);
  srtp_err_status_t status = srtp_unprotect_rtcp_mki(l->common, k->packet, &n, l->key.mki_bytes > 0);
  if (status == srtp_err_status_ok)
    *k->n = (size_t)n;
  return context_drop(status, DROP_NOT_RTCP);
}

enum drop open_rtcp(struct opener *o, uint8_t *packet, size_t *n, uint64_t now_us) {
  if (*n < RTCP_HEAD_BYTES)
    return DROP_SHORT;
  if (*n > INT32_MAX)
    return DROP_TOO_LONG;
  if (packet[0] >> 6 != 2)
    return DROP_NOT_RTCP;
  if (o->suite == SUITE_NONE)
    return DROP_NONE;
  forget_before(o, now_us);
  struct knock k = {packet, n, now_us, bytes_u32(packet + 4), 0};
  enum drop d = unprotect_rtcp(o->now, &k);
  if (d == DROP_NONE) {
    verified(o, heard_live(o, &k), now_us);
    return DROP_NONE;
  }
  if (d == DROP_AUTH && o->before && heard_find(o->before, k.ssrc))
    return unprotect_rtcp(o->before, &k);
  return d;
}
