/* SPDX-License-Identifier: Apache-2.0
 * Session descriptions (RFC 8866) as a bounded value: struct desc <-> SDP text. Only what a gateway
 * for one audio stream acts on is kept; all else is checked for form and forgotten. A desc holds no
 * pointers: copy it freely; wipe it (desc_wipe) when it held keys. Pure.
 * Limits: text 32 KiB, line 4,096 bytes, 16 m-lines, 64 candidates; past one: -E2BIG. */
#pragma once
#include "base/addr.h"
#include "wire/srtpkey.h"

enum {
  DESC_TEXT_MAX_BYTES = 32768,
  DESC_MEDIA_MAX = 16,
  DESC_CODECS_MAX = 24,
  DESC_CRYPTO_MAX = 8,
  DESC_CANDIDATES_MAX = 64,
};

enum desc_profile {
  PROFILE_AVP,
  PROFILE_AVPF,
  PROFILE_SAVP,
  PROFILE_SAVPF,
  PROFILE_DTLS_SAVP,
  PROFILE_DTLS_SAVPF,
  PROFILE_OTHER
};
enum desc_setup { SETUP_NONE, SETUP_ACTPASS, SETUP_ACTIVE, SETUP_PASSIVE, SETUP_HOLDCONN };
/* Bits: what the describer does. sendrecv is both, inactive is none. */
enum { DIR_INACTIVE = 0, DIR_SEND = 1, DIR_RECV = 2, DIR_SENDRECV = 3 };
enum cand_type { CAND_HOST, CAND_SRFLX, CAND_PRFLX, CAND_RELAY };
enum codec_kind { CODEC_OTHER, CODEC_PCMU, CODEC_PCMA, CODEC_G722, CODEC_OPUS, CODEC_TELEV, CODEC_CN };

struct desc_codec {
  uint8_t pt;        /* pt is the payload type, 0-127. */
  uint8_t kind;      /* kind is an enum codec_kind. */
  uint8_t channels;  /* channels is 1 unless the rtpmap says otherwise. */
  uint32_t clock_hz; /* clock_hz is the RTP clock (8000 for G722, by RFC 3551). */
  char name[24];     /* name is the rtpmap's encoding name, or the static one. */
  char fmtp[128];    /* fmtp is the format's parameters, "" if none or too long. */
};

struct desc_crypto { /* a=crypto of RFC 4568 */
  uint32_t tag;
  struct srtp_key key; /* key.suite is SUITE_NONE where the suite or its parameters are unknown. */
  char suite_text[40];
};

struct desc_candidate { /* RFC 8839 */
  char foundation[33];
  uint8_t component; /* component is 1 for RTP, 2 for RTCP. */
  uint8_t type;      /* type is an enum cand_type. */
  bool is_udp;
  bool is_name; /* is_name is true for .local and other names: address is not set. */
  uint32_t priority;
  struct addr address;
  struct addr related; /* related is raddr/rport, family AF_UNSPEC if absent. */
};

struct desc_audio {  /* the first m=audio with a usable profile */
  uint8_t index;     /* index is its place among the m-lines, 0-based. */
  uint8_t profile;   /* profile is an enum desc_profile. */
  uint8_t direction; /* direction is DIR_* after session and media level. */
  uint8_t setup;     /* setup is an enum desc_setup. */
  bool rtcp_mux, rtcp_mux_only, rtcp_rsize;
  bool rtcp_mute[2]; /* b=RS:0, b=RR:0: both say that there is no RTCP (RFC 3556, 2). */
  bool rtcp_xr_voip; /* rtcp_xr_voip: VoIP metrics are taken (RFC 3611, 5.1). */
  uint8_t level_ext; /* level_ext is the id of audio levels (RFC 6464, 8285), 1-14; 0 none. */
  bool end_of_candidates, ice_lite;
  uint16_t ptime_ms, maxptime_ms; /* 0 if absent */
  struct addr rtp;                /* rtp is c= and the port; port 0 means refused or held. */
  struct addr rtcp;  /* rtcp is a=rtcp or port + 1 (RFC 3605); the RTP address with rtcp_mux. */
  bool is_zero_addr; /* is_zero_addr is true for c=0.0.0.0 (hold of RFC 2543). */
  char mid[33];
  char ufrag[257], pwd[257]; /* ICE credentials, "" if none. */
  char fingerprint_alg[12];  /* "sha-256", "sha-384", "sha-512"; "" if none of these: the strongest
                                offered. */
  uint8_t fingerprint[64];
  uint8_t fingerprint_bytes;
  uint8_t n_codecs, n_crypto, n_candidates;
  /* What we write and never read from a peer: */
  uint32_t ssrc; /* ssrc and cname make a=ssrc; 0 for none. */
  char cname[33];
  struct desc_codec codecs[DESC_CODECS_MAX]; /* in the order of the m-line */
  struct desc_crypto crypto[DESC_CRYPTO_MAX];
  struct desc_candidate candidates[DESC_CANDIDATES_MAX]; /* the last: see desc_keep() */
};

struct desc_media { /* every m-line, so that an answer can refuse the others with port 0 */
  char media[16];   /* "audio", "video", "application", "image", … */
  char proto[32];
  char formats[64]; /* formats is the rest of the m-line, cut. */
  char mid[33];
  uint16_t port; /* port is the peer's; every one but the audio's is written as 0. */
};

struct desc {
  uint64_t session_id; /* session_id and version are of the o= line. */
  uint64_t version;
  char origin_addr[48]; /* origin_addr is the o= address, as text. */
  uint8_t n_media;
  struct desc_media media[DESC_MEDIA_MAX];
  bool bundle;    /* bundle is true where a=group:BUNDLE names the audio. */
  bool is_webrtc; /* is_webrtc: write in WebRTC style (msid, BUNDLE, trickle none). */
  bool has_audio;
  struct desc_audio audio; /* the last: see desc_keep() */
};

struct desc_fault {
  const char *rule; /* rule is a short static text: what was expected. */
  uint32_t line;    /* line is 1-based; 0 if of the whole. */
};

/* Parses; on error -EBADMSG (form), -E2BIG (a limit) and *fault says what. *ret is wiped on error.
 * Of several m=audio the first with a port and a known profile is the audio; has_audio is false
 * where there is none. Codecs past 24 and a=crypto past 8 are ignored. */
int desc_parse(struct desc *ret, struct slice text, struct desc_fault *fault) must_check;
/* Writes SDP with CRLF, NUL-terminated; 0 and *ret_n, -ENOSPC, or -EINVAL (a field with a control
 * character, audio without codecs). The audio stands at its index among d->media, alone where
 * n_media is 0; every other m-line, and all of them without has_audio, gets port 0. To refuse the
 * audio: has_audio = false. */
int desc_write(const struct desc *d, char *dst, size_t dst_bytes, size_t *ret_n) must_check;
void desc_wipe(struct desc *d);
/* A copy on the heap without room for candidates that it does not have, half the size: to be read, and
 * copied by desc_copy(), never by value. NULL without memory. */
struct desc *desc_keep(const struct desc *d) must_check;
size_t desc_kept_bytes(const struct desc *d); /* how many bytes such a copy has */
void desc_copy(struct desc *dst, const struct desc *kept);
bool desc_eq(const struct desc *a, const struct desc *b); /* byte for byte; each may be a kept one */
struct desc *desc_drop(struct desc *kept);                /* wipes and frees; NULL */
/* The codec of that kind (and clock, 0 = any); NULL if absent. */
const struct desc_codec *desc_codec_find(const struct desc_audio *a, enum codec_kind kind,
                                         uint32_t clock_hz);
/* Direction as the answerer sees it: the offer's send is our recv (RFC 3264 6.1). */
static inline uint8_t desc_direction_flip(uint8_t d) {
  return (uint8_t)((d & DIR_SEND ? DIR_RECV : 0) | (d & DIR_RECV ? DIR_SEND : 0));
}

/* Trickle fragments (RFC 8840): ufrag, pwd and candidates of the audio. mid "" means the first
 * m-line. Unknown lines are ignored; errors as desc_parse. */
struct desc_frag {
  char ufrag[257], pwd[257], mid[33];
  bool end_of_candidates;
  uint8_t n_candidates;
  struct desc_candidate candidates[DESC_CANDIDATES_MAX];
};
/* 0, -E2BIG or -EBADMSG with rule and line in *fault. */
int desc_frag_parse(struct desc_frag *ret, struct slice text, struct desc_fault *fault) must_check;
/* 0, -ENOSPC or -EINVAL (it has bytes that no line may have). */
int desc_frag_write(const struct desc_frag *f, char *dst, size_t dst_bytes, size_t *ret_n) must_check;
