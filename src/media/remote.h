/* SPDX-License-Identifier: Apache-2.0
 * One remote of a leg: what a description says about the far end (addresses, keys, payload types),
 * who may send as it, and where we send to. A leg has up to eight. The rules are those of
 * docs/architecture.md, "Who may send media". Media worker; no clock, no socket. */
#pragma once
#include "flow/flow.h"
#include "media/event.h"
#include "mset/mset.h"
#include "wire/desc.h"

enum {
  REMOTE_QUIET_US = 2000000, /* nothing from the description's address for so long: symmetric auto */
  REMOTE_FLOW_US = 2000000,  /* audio that stopped for so long is told */
};

struct remote_source {
  struct cidr range;
};

struct remote {
  uint8_t number;                                       /* number is 1-8; 0: the place is free. */
  uint8_t security, symmetric;                          /* enum mset_security, enum mset_symmetric */
  bool rtcp_mux, rtcp_off, rtcp_xr, may_send, may_recv; /* may_send: we may send; may_recv: we take. */
  uint8_t level_ext;  /* level_ext is the header extension of its audio levels; 0: none. */
  bool is_unroutable; /* is_unroutable: the socket refused the description's address. */
  bool is_flowing;    /* is_flowing: its audio was told as active. */
  bool has_kept;      /* has_kept: kept is the plain leg's first good source. */
  uint8_t n_codecs, n_sources;
  struct addr rtp, rtcp; /* as the description says; family AF_UNSPEC: not known */
  struct addr kept;
  struct addr heard, heard_rtcp; /* heard is the last verified source. */
  uint64_t set_us;               /* set_us is when the description came. */
  uint64_t heard_us;             /* heard_us is when something verified. */
  uint64_t heard_there_us; /* heard_there_us is when something came from the description's address. */
  uint64_t audio_us;       /* audio_us is when its last audio came, began_us when it began. */
  uint64_t began_us;
  struct mset_codec codecs[MSET_CODECS_MAX];
  struct remote_source *sources; /* sources are the n_sources of the trunk; NULL: none. */
  struct opener *opener;         /* opener is NULL before there are keys. */
  struct srtp_key tx;            /* tx is what we seal with toward it. */
  bool has_tx;
  uint32_t suite; /* suite is of what we receive. */
  struct event event;
  uint8_t dtmf; /* dtmf is an enum mset_dtmf. */
  /* Native legs: */
  char ufrag[16];      /* ufrag is our own of the generation that it was made for. */
  uint64_t peer_ufrag; /* peer_ufrag is a hash of the peer's. */
  struct dtls_fingerprint fingerprint;
  bool is_client; /* is_client: we begin the DTLS handshake, once there is a pair. */
  uint64_t assoc; /* assoc names its DTLS association at the handshake thread; 0: none. */
  uint8_t dtls;   /* dtls is an enum mset_dtls_state. */
  bool has_pair;
  struct ice_pair pair; /* pair is the last one that ICE selected for it, or that DTLS came by. */
};

/* Takes a description; what was learnt of sources is forgotten, keys go on when they are the same.
 * 0, -EINVAL (a suite that is not one, a range that is not one), -ENOMEM. On error r is as it was. */
int remote_set(struct remote *r, const struct mset_remote *m, uint64_t now_us) must_check;
void remote_drop(struct remote *r); /* wipes; the place is free */
/* Keys of a DTLS association that came up. 0 or -errno. */
int remote_set_keys(struct remote *r, const struct srtp_key *tx, const struct srtp_key *rx) must_check;

/* Does it lie in the trunk's media_sources? */
bool remote_is_source(const struct remote *r, const struct addr *from);
/* May this address send as r, before anything is opened? Only a plain remote says no. */
bool remote_may_come(const struct remote *r, const struct addr *from, bool is_rtcp);
/* A packet of r was verified (of a plain one: came from where it may). Learns the source. */
void remote_heard(struct remote *r, const struct addr *from, bool is_rtcp, uint64_t now_us);
/* Where to send; false: nowhere. Not for legs with ICE. */
bool remote_target(const struct remote *r, bool is_rtcp, uint64_t now_us, struct addr *ret);
const struct mset_codec *remote_codec(const struct remote *r, uint8_t pt); /* NULL: not negotiated */
const struct mset_codec *remote_audio(const struct remote *r);             /* what we send; NULL: none */
const struct mset_codec *remote_of_kind(const struct remote *r, uint8_t kind); /* NULL: none */
/* Our telephone-event: that of the clock, else any; NULL: none. */
const struct mset_codec *remote_event(const struct remote *r, uint32_t clock_hz);
/* The order in which remotes are tried for a packet: by source, then the others; at most max. */
unsigned remote_order(struct remote *list, unsigned n, const struct addr *from, bool is_rtcp,
                      struct remote **ret, unsigned max);
