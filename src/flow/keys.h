/* SPDX-License-Identifier: Apache-2.0
 * SRTP and SRTCP of one leg (RFC 3711, RFC 7714): openers verify and decrypt what one remote sends,
 * a sealer encrypts the one stream that we send. Suite SUITE_NONE makes both plain: the same rules
 * of sequence numbers hold, nothing is encrypted. One owner thread each; no clock, no lock. */
#pragma once
#include "base/slice.h"
#include "flow/drop.h"
#include "wire/srtpkey.h"

enum {
  OPENER_SSRCS_MAX = 8, /* live ones; the oldest silent one goes for a ninth */
  OPENER_REPLAY_WINDOW = 128,
  OPENER_SEARCHES_A_S = 8,  /* searches for a roll-over counter, a second, for each opener */
  OPENER_OVERLAP_MS = 2000, /* how long the old key is tried after the new one has verified */
  SEAL_TAIL_BYTES = 16 + 4 + SRTPKEY_MKI_MAX_BYTES, /* room that sealing needs behind a packet */
};

/* Counted by an opener, never reset. */
struct opener_counts {
  uint64_t packets;  /* packets is what verified. */
  uint64_t searches; /* searches is how often other roll-over counters were tried. */
  uint64_t found;    /* found is how often that helped. */
  uint64_t ssrcs;    /* ssrcs is how many source numbers appeared. */
  uint64_t evicted;  /* evicted is how many made room for others. */
  uint64_t rekeys;
};

struct opener;
/* key is copied (also its MKI); the caller wipes its own. 0, -EINVAL (suite), -ENOMEM, -EIO. */
int opener_new(struct opener **ret, const struct srtp_key *key) must_check;
struct opener *opener_free(struct opener *o); /* wipes */
OWN_DEFINE(opener)
/* New key of the same remote: the roll-over counters go on (RFC 3711 3.3.1), others are searched.
 * The old key is still tried until OPENER_OVERLAP_MS after the first packet of the new one. The key
 * in use already: nothing happens. 0 or as opener_new(); on failure nothing changed. */
int opener_rekey(struct opener *o, const struct srtp_key *key) must_check;
void opener_foresee(const struct opener *o); /* a packet for it comes up: fetches memory */
const struct opener_counts *opener_counts(const struct opener *o);
uint32_t opener_suite(const struct opener *o); /* an enum srtp_suite */

/* Verify and decrypt in place. *n is the datagram's length, then the plain packet's. DROP_NONE: the
 * packet is the remote's and was not seen before. Else packet and *n are as they were, so that it
 * may be tried with another opener, and no state changed: AUTH, REPLAY, MKI, SHORT, NOT_RTP (or
 * NOT_RTCP), SSRC_SEARCH, KEY_WORN, CRYPTO. With SUITE_NONE only the form is judged. */
enum drop open_rtp(struct opener *o, uint8_t *packet, size_t *n, uint64_t now_us) must_check;
enum drop open_rtcp(struct opener *o, uint8_t *packet, size_t *n, uint64_t now_us) must_check;
/* The 48-bit index (roll-over counter, sequence) up to which an SSRC came; false if not known. */
bool opener_index(const struct opener *o, uint32_t ssrc, uint64_t *ret_index);

struct sealer;
/* Our stream with a new SSRC: the roll-over counter is 0, the first sequence number random and below
 * 2^15. 0, -EINVAL (suite), -ENOMEM, -EIO. */
int sealer_new(struct sealer **ret, const struct srtp_key *key, uint32_t ssrc) must_check;
struct sealer *sealer_free(struct sealer *s); /* wipes */
OWN_DEFINE(sealer)
/* New key (any suite). While the roll-over counter is 0 (and 4,096 packets before it moves) SSRC,
 * sequence and SRTCP index go on. Later a peer's counter may go on or begin at 0, as its habit is: the
 * stream gets a new SSRC, with which it begins at 0 for either, and a new first sequence number. Ask for
 * sealer_ssrc() and sealer_next_index() afterwards. Out of memory: free the sealer. */
int sealer_rekey(struct sealer *s, const struct srtp_key *key) must_check;
/* New SSRC under the same key: roll-over counter 0, new random first sequence number. -EEXIST: this
 * key has seen that SSRC (its key stream would repeat); -ENOSPC: it has seen 8, rekey first. */
int sealer_set_ssrc(struct sealer *s, uint32_t ssrc) must_check;
uint32_t sealer_ssrc(const struct sealer *s);
/* The 48-bit index after the highest one sent: sequence numbers go on from here, never from the
 * other side's. Before the first packet it is the first sequence number. */
uint64_t sealer_next_index(const struct sealer *s);
/* Seals in place. The sealer writes the SSRC; the sequence number in the packet is the caller's and
 * is taken as the index nearest to the last one: ahead, or up to 127 behind if it was not sent
 * before (a late packet), else OLD_SEQ and nothing is sent. packet has room bytes, at least
 * *n + SEAL_TAIL_BYTES, else TOO_LONG. Also SHORT, NOT_RTP, KEY_WORN, CRYPTO; on those the packet's
 * content is lost. */
enum drop seal_rtp(struct sealer *s, uint8_t *packet, size_t *n, size_t room) must_check;
/* As seal_rtp, with the next sequence number written by the sealer: for streams that we make. */
enum drop seal_rtp_next(struct sealer *s, uint8_t *packet, size_t *n, size_t room) must_check;
/* The sender's SSRC of a compound packet is the caller's and must be the sealer's (else INTERNAL). */
enum drop seal_rtcp(struct sealer *s, uint8_t *packet, size_t *n, size_t room) must_check;
