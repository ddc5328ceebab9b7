/* SPDX-License-Identifier: Apache-2.0
 * Properties of flow/open and flow/seal over random orders of events, in virtual time, against a peer
 * that is the SRTP library used directly: rekeys of both habits, new and returning SSRCs, long holds,
 * wraps, late joiners, MKIs, loss, reordering, duplicates, all suites. A failure prints its seed. */
#include "flow/flow.h"
#include "wire/bytes.h"

#include <criterion/criterion.h>
#include <srtp2/srtp.h>
#include <stdio.h>

enum {
  ROOM = 512,
  PAYLOAD = 40,
  RTP = 12 + PAYLOAD,
  WINDOW = 128,
  SENDERS = 3,
  FLIGHT = 12,
  HISTORY = 4096
};

/* The reference peer ------------------------------------------------------------------------------- */
static void reference_policy(srtp_policy_t *p, const struct srtp_key *key, srtp_ssrc_type_t type,
                             uint32_t ssrc) {
  static uint8_t id[SRTPKEY_MKI_MAX_BYTES];
  static srtp_master_key_t master;
  static srtp_master_key_t *masters[1] = {&master};
  memset(p, 0, sizeof(*p));
  p->ssrc.type = type;
  p->ssrc.value = ssrc;
  p->window_size = WINDOW;
  switch ((enum srtp_suite)key->suite) {
  case SUITE_AES_CM_128_HMAC_SHA1_80:
  case SUITE_AES_CM_128_HMAC_SHA1_32:
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&p->rtp);
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&p->rtcp);
    break;
  case SUITE_AES_256_CM_HMAC_SHA1_80:
  case SUITE_AES_256_CM_HMAC_SHA1_32:
    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtp);
    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp);
    break;
  case SUITE_AEAD_AES_128_GCM:
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtp);
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtcp);
    break;
  case SUITE_AEAD_AES_256_GCM:
    srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtp);
    srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtcp);
    break;
  case SUITE_NONE:
  case SUITE_COUNT_:
    cr_assert_fail("no suite");
  }
  if (key->suite == SUITE_AES_CM_128_HMAC_SHA1_32 || key->suite == SUITE_AES_256_CM_HMAC_SHA1_32)
    p->rtp.auth_tag_len = 4;
  memset(id, 0, sizeof(id));
  for (uint32_t i = 0; i < key->mki_bytes && i < sizeof(key->mki); i++)
    id[key->mki_bytes - 1 - i] = key->mki[sizeof(key->mki) - 1 - i];
  static uint8_t bytes[SRTP_MAX_KEY_LEN];
  memcpy(bytes, key->bytes, SRTPKEY_MAX_BYTES);
  master = (srtp_master_key_t){bytes, id, key->mki_bytes};
  if (key->mki_bytes) {
    p->keys = masters;
    p->num_master_keys = 1;
  } else {
    p->key = bytes;
  }
}

static srtp_t reference_new(const struct srtp_key *key, srtp_ssrc_type_t type, uint32_t ssrc) {
  srtp_policy_t p;
  srtp_t t = NULL;
  reference_policy(&p, key, type, ssrc);
  cr_assert_eq(srtp_create(&t, &p), srtp_err_status_ok);
  return t;
}

/* The world ------------------------------------------------------------------------------------------
 */
struct sender { /* one SSRC of the peer */
  srtp_t srtp;
  uint64_t next;    /* next is the index of its next packet, as it counts itself. */
  uint64_t highest; /* highest is the index of ours that was opened last, by arrival. */
  uint32_t ssrc;
  unsigned born;  /* born counts the sources. */
  bool is_heard;  /* is_heard: by us, under this key. */
  bool is_joined; /* is_joined: by us, under any key. */
};

struct flight { /* a packet of the peer on its way */
  uint8_t bytes[ROOM], plain[RTP];
  size_t n;
  unsigned sender, epoch, born;
  uint64_t index;
};

struct used { /* what one key sealed: no pair twice */
  uint32_t ssrc;
  uint64_t index;
};

struct world {
  uint64_t seed;
  uint64_t now_us;
  uint64_t dice;
  /* in */
  struct opener *o;
  struct srtp_key key_in;
  struct sender senders[SENDERS];
  unsigned sources;       /* sources is how many the peer has had. */
  unsigned active, epoch; /* epoch counts the peer's keys. */
  struct flight flight[FLIGHT];
  unsigned n_flight;
  struct flight last[32]; /* last are opened ones, old and new, to be replayed */
  unsigned n_last;
  uint64_t last_roc; /* last_roc is that of the packet that was opened last. */
  uint64_t opened, lost, replays, joins, holds, rekeys;
  /* out */
  struct sealer *s;
  struct srtp_key key_out;
  srtp_t receiver;
  bool receiver_restarts; /* receiver_restarts: a new key makes it a new session. */
  struct used used[HISTORY];
  unsigned n_used;
  uint32_t rtcp_used[HISTORY];
  unsigned n_rtcp_used;
  uint64_t sealed;
};

#define HOLDS(w, c, ...) HOLDS_(w, c, __VA_ARGS__, 0)
#define HOLDS_(w, c, text, ...) cr_assert(c, "seed %lu: " #c ": " text "%.0d", (w)->seed, __VA_ARGS__)

static uint64_t roll(struct world *w, uint64_t sides) {
  w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
  return (w->dice >> 33) % sides;
}

static void key_make(struct world *w, struct srtp_key *k) {
  static const uint32_t lengths[] = {0, 0, 1, 2, 4, 9};
  srtpkey_make(k, (enum srtp_suite)(1 + roll(w, SUITE_COUNT_ - 1)));
  k->mki_bytes = lengths[roll(w, COUNT_OF(lengths))];
  if (k->mki_bytes)
    k->mki[3] = (uint8_t)(1 + roll(w, 250));
}

static void rtp_make(uint8_t *p, uint32_t ssrc, uint16_t seq, uint64_t salt) {
  memset(p, (int)(salt & 0xff), RTP);
  p[0] = 0x80;
  p[1] = 0;
  bytes_put_u16(p + 2, seq);
  bytes_put_u32(p + 4, (uint32_t)salt * 160u);
  bytes_put_u32(p + 8, ssrc);
}

/* In -------------------------------------------------------------------------------------------------
 */
static void packet_of(struct world *w, unsigned sender, struct flight *f) {
  struct sender *s = &w->senders[sender];
  *f = (struct flight){.sender = sender, .epoch = w->epoch, .born = s->born, .index = s->next++};
  rtp_make(f->bytes, s->ssrc, (uint16_t)f->index, f->index);
  memcpy(f->plain, f->bytes, RTP);
  int n = RTP;
  srtp_err_status_t e = srtp_protect_mki(s->srtp, f->bytes, &n, w->key_in.mki_bytes > 0, 0);
  HOLDS(w, e == srtp_err_status_ok, "status %d", e);
  f->n = (size_t)n;
}

static void packet_make(struct world *w, struct flight *f) { packet_of(w, w->active, f); }

/* A new source; its first packet is lost. */
static void sender_start(struct world *w, unsigned i, uint64_t index) {
  struct sender *s = &w->senders[i];
  struct flight unheard;
  uint32_t ssrc = (uint32_t)roll(w, 1u << 31) + 1;
  if (s->srtp)
    srtp_dealloc(s->srtp);
  *s = (struct sender){.born = ++w->sources,
                       .ssrc = ssrc,
                       .next = index,
                       .srtp = reference_new(&w->key_in, ssrc_specific, ssrc)};
  if (index >> 16)
    cr_assert_eq(srtp_set_stream_roc(s->srtp, ssrc, (uint32_t)(index >> 16)), srtp_err_status_ok);
  packet_of(w, i, &unheard);
}

/* What was of 15 sources ago is forgotten: the memory is bounded. */
static void replay(struct world *w, const struct flight *f) {
  if (w->sources - f->born >= 2 * OPENER_SSRCS_MAX - 1)
    return;
  uint8_t p[ROOM];
  size_t n = f->n;
  memcpy(p, f->bytes, n);
  enum drop d = open_rtp(w->o, p, &n, w->now_us);
  HOLDS(w, d != DROP_NONE, "replay of index %lu taken", f->index);
  HOLDS(w, n == f->n && memcmp(p, f->bytes, n) == 0, "a refused packet was altered");
  w->replays++;
}

static void keep_opened(struct world *w, const struct flight *f) {
  if (w->n_last < COUNT_OF(w->last))
    w->last[w->n_last++] = *f;
  else if (roll(w, 4) == 0)
    w->last[roll(w, COUNT_OF(w->last))] = *f;
}

/* The roll-over counter that makes seq nearest to an index. */
static uint64_t nearest(uint64_t to, uint16_t seq) {
  uint64_t best = 0;
  for (uint64_t roc = (to >> 16) ? (to >> 16) - 1 : 0; roc <= (to >> 16) + 1; roc++) {
    uint64_t a = roc << 16 | seq, b = best << 16 | seq;
    if ((a > to ? a - to : to - a) < (b > to ? b - to : to - b))
      best = roc;
  }
  return best;
}

/* May we be asked to open it? What is in the window, or ahead by less than two roll-overs; of a source
 * that is new under this key what lies at 0, or beside what is known of it, else of the others. */
static bool must_open(const struct world *w, const struct sender *s, const struct flight *f) {
  uint64_t roc = f->index >> 16,
           near = s->is_joined ? nearest(s->highest, (uint16_t)f->index) : w->last_roc;
  if (f->epoch != w->epoch)
    return false;
  uint64_t at = near << 16 | (f->index & 0xffff);
  if (s->is_heard && at != f->index && at <= s->highest && at + WINDOW >= s->highest)
    return false; /* looks like one that came already; those after it do not */
  if (s->is_heard)
    return f->index + WINDOW - 8 > s->highest && (f->index < s->highest || roc <= near + 2);
  return roc == 0 || roc == near || roc + 1 == near || roc == near + 1;
}

static enum drop try_open(struct world *w, const struct flight *f, uint8_t *p, size_t *n) {
  *n = f->n;
  memcpy(p, f->bytes, f->n);
  return open_rtp(w->o, p, n, w->now_us);
}

static void arrive(struct world *w, const struct flight *f) {
  struct sender *s = &w->senders[f->sender];
  uint8_t p[ROOM];
  size_t n;
  uint64_t heard = 0;
  bool is_due = must_open(w, s, f);
  uint64_t searches = opener_counts(w->o)->searches;
  enum drop d = try_open(w, f, p, &n);
  if (is_due && d != DROP_NONE &&
      opener_counts(w->o)->searches == searches) { /* others have used the second's searches up */
    w->now_us += 1000000;
    d = try_open(w, f, p, &n);
  }
  if (is_due)
    HOLDS(w, d == DROP_NONE, "index %lu:%lu (highest %lu:%lu, heard %d) under %s: %s", f->index >> 16,
          f->index & 0xffff, s->highest >> 16, s->highest & 0xffff, s->is_heard,
          suite_name(w->key_in.suite), drop_text(d));
  if (d != DROP_NONE) {
    HOLDS(w, n == f->n && memcmp(p, f->bytes, n) == 0, "a refused packet was altered");
    w->lost++;
    return;
  }
  HOLDS(w, n == RTP && memcmp(p, f->plain, n) == 0, "opened to something else");
  w->opened++;
  keep_opened(w, f);
  if (f->epoch != w->epoch)
    return;
  w->last_roc = (!s->is_heard || f->index > s->highest ? f->index : s->highest) >> 16;
  if (!s->is_heard || f->index > s->highest)
    s->highest = f->index;
  s->is_heard = s->is_joined = true;
  HOLDS(w, opener_index(w->o, s->ssrc, &heard), "not known");
  HOLDS(w, heard == s->highest, "index %lx, should be %lx", heard, s->highest);
}

static void flight_take(struct world *w, unsigned i) {
  struct flight f = w->flight[i];
  w->flight[i] = w->flight[--w->n_flight];
  if (roll(w, 20) == 0)
    return; /* lost */
  arrive(w, &f);
  if (roll(w, 8) == 0)
    replay(w, &f); /* twice */
}

static void flight_land(struct world *w) {
  while (w->n_flight)
    flight_take(w, (unsigned)roll(w, w->n_flight));
}

/* Some packets, each after the last, in the order that the network makes of them. */
static void talk_in(struct world *w) {
  for (uint64_t k = 1 + roll(w, 12); k > 0; k--) {
    w->now_us += 20000;
    if (w->n_flight == FLIGHT || (w->n_flight && roll(w, 3)))
      flight_take(w, (unsigned)roll(w, w->n_flight));
    if (w->n_flight < FLIGHT)
      packet_make(w, &w->flight[w->n_flight++]);
  }
  if (w->n_last && roll(w, 3) == 0)
    replay(w, &w->last[roll(w, w->n_last)]);
}

/* Packets of the active sender that never reach us; its own library has to keep count. */
static void skip_in(struct world *w, uint64_t by) {
  struct flight unheard;
  while (by) {
    uint64_t step = by < 15000 ? by : 15000;
    w->senders[w->active].next += step - 1;
    packet_make(w, &unheard);
    by -= step;
  }
}

/* The peer goes on counting while nothing reaches us: 15 minutes are 45,000 packets. */
static void hold_in(struct world *w) {
  flight_land(w);
  skip_in(w, roll(w, 45000));
  w->now_us += 900000000;
  w->holds++;
}

static void wrap_in(struct world *w) {
  struct sender *s = &w->senders[w->active];
  uint64_t to = (s->next | 0xffff) - roll(w, 6);
  flight_land(w);
  if (to > s->next)
    skip_in(w, to - s->next);
}

static void switch_in(struct world *w) {
  if (roll(w, 2))
    flight_land(w);
  w->active = (unsigned)roll(w, SENDERS);
  w->now_us += 1000000;
}

/* A source that we hear for the first time, at a counter that we can guess: 0, that of the last packet,
 * or one beside it. */
static void join_in(struct world *w) {
  int64_t last = (int64_t)w->last_roc;
  int64_t roc = (int64_t[]){0, last, last + 1, last - 1}[roll(w, 4)];
  flight_land(w);
  w->now_us += 1000000;
  w->active = (w->active + 1) % SENDERS;
  sender_start(w, w->active, (uint64_t)(roc < 0 ? 0 : roc) << 16 | (1 + roll(w, 0xfff0)));
  w->joins++;
}

/* So many sources that the oldest make room; what they sent stays refused. */
static void crowd_in(struct world *w) {
  struct flight f, first = {0};
  flight_land(w);
  for (unsigned i = 0; i < OPENER_SSRCS_MAX + 1; i++) {
    w->now_us += 1000000;
    w->active = (w->active + 1) % SENDERS;
    sender_start(w, w->active, 1 + roll(w, 0x7000));
    packet_make(w, &f);
    arrive(w, &f);
    first = i ? first : f;
  }
  replay(w, &first);
}

/* The far habit: RFC 3711's, which goes on counting, or a fresh session that begins at 0. */
static void rekey_in(struct world *w) {
  srtp_policy_t policy;
  bool goes_on = roll(w, 2);
  if (roll(w, 2))
    flight_land(w);
  struct flight early = {0};
  key_make(w, &w->key_in);
  w->epoch++;
  for (unsigned i = 0; i < SENDERS; i++) {
    struct sender *s = &w->senders[i];
    s->is_heard = false;
    if (goes_on) {
      reference_policy(&policy, &w->key_in, ssrc_specific, s->ssrc);
      cr_assert_eq(srtp_update(s->srtp, &policy), srtp_err_status_ok);
    } else {
      srtp_dealloc(s->srtp);
      s->srtp = reference_new(&w->key_in, ssrc_specific, s->ssrc);
      s->next &= 0xffff;
    }
    packet_of(w, i, &early);
  }
  packet_make(w, &early); /* media before its description: refused, and remembered by nobody */
  size_t n = early.n;
  uint8_t p[ROOM];
  memcpy(p, early.bytes, n);
  HOLDS(w, open_rtp(w->o, p, &n, w->now_us) != DROP_NONE, "opened by another key");
  w->now_us += 1000000;
  cr_assert_eq(opener_rekey(w->o, &w->key_in), 0);
  cr_assert_eq(opener_rekey(w->o, &w->key_in), 0); /* the same again changes nothing */
  w->now_us += 1000000;
  arrive(w, &early);
  w->rekeys++;
}

static void rtcp_in(struct world *w) {
  struct sender *s = &w->senders[w->active];
  uint8_t p[ROOM] = {0x80, 201, 0, 1}, again[ROOM];
  bytes_put_u32(p + 4, s->ssrc);
  int n = 8;
  cr_assert_eq(srtp_protect_rtcp_mki(s->srtp, p, &n, w->key_in.mki_bytes > 0, 0), srtp_err_status_ok);
  size_t m = (size_t)n;
  memcpy(again, p, m);
  enum drop d = open_rtcp(w->o, p, &m, w->now_us);
  HOLDS(w, d == DROP_NONE && m == 8, "%s: %s", suite_name(w->key_in.suite), drop_text(d));
  m = (size_t)n;
  HOLDS(w, open_rtcp(w->o, again, &m, w->now_us) != DROP_NONE, "SRTCP replay taken");
}

/* Strangers with our peer's SSRC: no state may change by them. */
static void noise_in(struct world *w) {
  uint8_t p[ROOM];
  for (unsigned i = 0; i < 4; i++) {
    size_t n = RTP + 16 + w->key_in.mki_bytes;
    rtp_make(p, w->senders[w->active].ssrc, (uint16_t)roll(w, 65536), roll(w, 1 << 20));
    for (size_t k = RTP; k < n; k++)
      p[k] = (uint8_t)roll(w, 256);
    HOLDS(w, open_rtp(w->o, p, &n, w->now_us) != DROP_NONE, "noise taken");
  }
  w->now_us += 1000000; /* its searches have used the second up */
}

/* Out ------------------------------------------------------------------------------------------------
 */
static void note_used(struct world *w, uint64_t index) {
  struct used u = {sealer_ssrc(w->s), index};
  for (unsigned i = 0; i < w->n_used; i++)
    HOLDS(w, w->used[i].ssrc != u.ssrc || w->used[i].index != u.index,
          "index %lx sealed twice under one key", index);
  w->used[w->n_used++ % HISTORY] = u;
}

static size_t mki_and_tag(const struct srtp_key *k) {
  bool is_gcm = k->suite == SUITE_AEAD_AES_128_GCM || k->suite == SUITE_AEAD_AES_256_GCM;
  return k->mki_bytes + (is_gcm ? 0 : 10);
}

static void rtcp_out(struct world *w) {
  uint8_t p[ROOM] = {0x80, 201, 0, 1};
  size_t n = 8;
  bytes_put_u32(p + 4, sealer_ssrc(w->s));
  cr_assert_eq(seal_rtcp(w->s, p, &n, ROOM), DROP_NONE);
  uint32_t index = bytes_u32(p + n - mki_and_tag(&w->key_out) - 4) & 0x7fffffff;
  for (unsigned i = 0; i < w->n_rtcp_used; i++)
    HOLDS(w, w->rtcp_used[i] != (index ^ sealer_ssrc(w->s) << 12), "SRTCP index %u twice under one key",
          index);
  w->rtcp_used[w->n_rtcp_used++ % HISTORY] = index ^ sealer_ssrc(w->s) << 12;
  int m = (int)n;
  bool is_short = suite_is_short(w->key_out.suite);
  if (is_short) { /* the library looks for the MKI at SRTP's tag length: not of such a packet */
    memmove(p + m - 10 - w->key_out.mki_bytes, p + m - 10, 10);
    m -= (int)w->key_out.mki_bytes;
  }
  srtp_err_status_t e =
      srtp_unprotect_rtcp_mki(w->receiver, p, &m, !is_short && w->key_out.mki_bytes > 0);
  HOLDS(w, e == srtp_err_status_ok && m == 8, "%s: status %d", suite_name(w->key_out.suite), e);
}

/* The caller's number: the next, one a few ahead, or one of those left out. */
static void send_out(struct world *w, uint64_t index) {
  uint8_t p[ROOM], plain[RTP];
  size_t n = RTP;
  uint64_t before = sealer_next_index(w->s);
  rtp_make(p, sealer_ssrc(w->s), (uint16_t)index, index);
  memcpy(plain, p, RTP);
  enum drop d = seal_rtp(w->s, p, &n, ROOM);
  HOLDS(w, d == DROP_NONE, "%lx of %lx: %s", index, before, drop_text(d));
  note_used(w, index);
  HOLDS(w, sealer_next_index(w->s) == (index + 1 > before ? index + 1 : before), "the index went back");
  w->sealed++;
  if (roll(w, 20) == 0)
    return; /* lost on the way */
  int m = (int)n;
  srtp_err_status_t e = srtp_unprotect_mki(w->receiver, p, &m, w->key_out.mki_bytes > 0);
  HOLDS(w, e == srtp_err_status_ok, "index %lx under %s: status %d", index, suite_name(w->key_out.suite),
        e);
  HOLDS(w, m == RTP && memcmp(p, plain, RTP) == 0, "sealed something else");
}

static void again_out(struct world *w, uint64_t index) {
  uint8_t p[ROOM];
  size_t n = RTP;
  rtp_make(p, 0, (uint16_t)index, 1);
  enum drop d = seal_rtp(w->s, p, &n, ROOM);
  HOLDS(w, d == DROP_OLD_SEQ, "%lx once more: %s", index, drop_text(d));
}

static void talk_out(struct world *w) {
  for (uint64_t k = 1 + roll(w, 8); k > 0; k--) {
    uint64_t next = sealer_next_index(w->s), hole = roll(w, 6) ? 0 : 1 + roll(w, 20);
    send_out(w, next + hole);
    if (hole && roll(w, 2))
      send_out(w, next + roll(w, hole)); /* a late one fills its hole */
    if (roll(w, 4) == 0)
      again_out(w, next + hole);
  }
}

static void wrap_out(struct world *w) {
  for (uint64_t k = 1 + roll(w, 40); k > 0; k--)
    send_out(w, sealer_next_index(w->s) + 1 + roll(w, 600));
}

static void receiver_new(struct world *w) {
  if (w->receiver)
    srtp_dealloc(w->receiver);
  w->receiver = reference_new(&w->key_out, ssrc_any_inbound, 0);
}

/* A peer that keeps to RFC 3711 goes on, one that makes a fresh session begins at counter 0: what we
 * send after a rekey must be open to both. */
static void rekey_out(struct world *w) {
  srtp_policy_t policy;
  uint64_t before = sealer_next_index(w->s);
  uint32_t ssrc = sealer_ssrc(w->s);
  key_make(w, &w->key_out);
  cr_assert_eq(sealer_rekey(w->s, &w->key_out), 0);
  w->n_used = w->n_rtcp_used = 0;
  if (sealer_ssrc(w->s) == ssrc)
    HOLDS(w, sealer_next_index(w->s) == before, "%lx, was %lx", sealer_next_index(w->s), before);
  else
    HOLDS(w, sealer_next_index(w->s) < 0x8000, "a new SSRC begins at %lx", sealer_next_index(w->s));
  if (roll(w, 2)) {
    receiver_new(w);
  } else {
    reference_policy(&policy, &w->key_out, ssrc_any_inbound, 0);
    cr_assert_eq(srtp_update(w->receiver, &policy), srtp_err_status_ok);
  }
}

static void ssrc_out(struct world *w) {
  uint32_t was = sealer_ssrc(w->s);
  cr_assert_eq(sealer_set_ssrc(w->s, was), -EEXIST);
  int e = sealer_set_ssrc(w->s, (uint32_t)roll(w, 1u << 31) + 1);
  HOLDS(w, e == 0 || e == -ENOSPC, "%d", e);
  HOLDS(w, e || sealer_next_index(w->s) < 0x8000, "a new SSRC begins at %lx", sealer_next_index(w->s));
}

/* Any order ------------------------------------------------------------------------------------------
 */
static void (*const moves[])(struct world *w) = {
    talk_in,   talk_in,  talk_in,   talk_out, talk_out, talk_out, hold_in, wrap_in,  wrap_in,  join_in,
    switch_in, rekey_in, rekey_out, wrap_out, wrap_out, ssrc_out, rtcp_in, rtcp_out, noise_in, crowd_in};

static void world_run(struct world *w, uint64_t seed, unsigned steps) {
  *w = (struct world){.seed = seed, .dice = seed * 7919, .now_us = 1000000};
  key_make(w, &w->key_in);
  key_make(w, &w->key_out);
  cr_assert_eq(opener_new(&w->o, &w->key_in), 0);
  cr_assert_eq(sealer_new(&w->s, &w->key_out, 1 + (uint32_t)roll(w, 1u << 31)), 0);
  receiver_new(w);
  for (unsigned i = 0; i < SENDERS; i++)
    sender_start(w, i, 1 + roll(w, 0xffff));
  for (unsigned i = 0; i < steps; i++)
    moves[roll(w, COUNT_OF(moves))](w);
  flight_land(w);
  for (unsigned i = 0; i < SENDERS; i++)
    srtp_dealloc(w->senders[i].srtp);
  srtp_dealloc(w->receiver);
  opener_free(w->o);
  sealer_free(w->s);
}

static void start(void) { cr_assert_eq(suite_start(), 0); }
static void stop(void) { suite_stop(); }
TestSuite(srtp_property, .init = start, .fini = stop, .timeout = 120);

Test(srtp_property, any_order_stays_open_both_ways) {
  static struct world w;
  uint64_t opened = 0, sealed = 0, replays = 0, joins = 0, holds = 0, rekeys = 0;
  const char *text = getenv("SRTP_SEEDS"), *first = getenv("SRTP_SEED");
  uint64_t from = first ? strtoull(first, NULL, 10) : 1, n = first ? 1 : 3000;
  n = text ? strtoull(text, NULL, 10) : n;
  for (uint64_t seed = from; seed < from + n; seed++) {
    world_run(&w, seed, seed % 20 ? 60 : 600);
    opened += w.opened;
    sealed += w.sealed;
    replays += w.replays;
    joins += w.joins;
    holds += w.holds;
    rekeys += w.rekeys;
  }
  printf(
      "seeds %lu-%lu: %lu opened, %lu sealed, %lu replays refused, %lu joins, %lu holds, %lu rekeys\n",
      from, from + n - 1, opened, sealed, replays, joins, holds, rekeys);
}
