/* SPDX-License-Identifier: Apache-2.0
 * Why a call failed or sounded bad: facts in, one sentence out. A decision tree of the rows of why.def,
 * the first that fits counts; a call that neither failed nor sounded bad has none. Texts in the facts
 * are ours or are checked names; what is no printable ASCII is replaced all the same. Pure.
 * Times of a call (_ms) count from its answer, or, before that, from its begin; ports in host order. */
#pragma once
#include "base/own.h"

enum why_id {
#define WHY(id, slug, severity, scope, condition, sentence, advice, test) CAUSE_##id,
#include "trace/why.def"
#undef WHY
  CAUSE_COUNT_
};
enum why_severity { WHY_FAILED, WHY_BAD }; /* the call failed; it was up, and sounded bad */

/* What a room of the gateway knows of its own failure, where that is more than the end's reason. */
enum why_fault {
  WHY_FAULT_NONE,
  WHY_FAULT_SILENT,       /* no answer of any kind from the target */
  WHY_FAULT_REFUSED,      /* the target's address refused, reset or cannot be reached */
  WHY_FAULT_TLS,          /* the handshake with the target failed */
  WHY_FAULT_TLS_NAME,     /* its certificate is another name's */
  WHY_FAULT_DNS,          /* no server tells its address */
  WHY_FAULT_NO_ADDRESS,   /* it has none */
  WHY_FAULT_QUIET,        /* it asked by Retry-After to be left alone */
  WHY_FAULT_UNREGISTERED, /* the registration that the trunk lives by is not there */
  WHY_FAULT_NO_ACK,       /* our 2xx was never acknowledged */
  WHY_FAULT_NO_PRACK,     /* our reliable provisional was never acknowledged */
  WHY_FAULT_REFRESH,      /* the session timer passed */
  WHY_FAULT_FORGOTTEN,    /* the peer answered 481 within the call */
  WHY_FAULT_OFFLINE,      /* no device of the user is connected */
  WHY_FAULT_STREAM,       /* the client's event stream is gone */
  WHY_FAULT_ANSWER,       /* a description of the peer's cannot be served */
  WHY_FAULT_MEDIA_LATE,   /* no media stood in time after the answer */
  WHY_FAULT_DTLS,         /* the DTLS handshake failed */
  WHY_FAULT_CONSENT,      /* ICE: nothing of the peer comes any more */
  WHY_FAULT_MEDIA_QUIET,  /* no media for media_timeout_s */
  WHY_FAULT_MEDIA_GONE,   /* the media process ended, or the session in it */
  WHY_FAULT_TRANSCODE,    /* no room to transcode */
  WHY_FAULT_COUNT_
};

enum {
  WHY_SENTENCE_BYTES = 240,
  WHY_NAME_BYTES = 65,
  WHY_ADDR_BYTES = 64,
  WHY_ATTEMPTS_MAX = 16,
  WHY_LEGS = 2,
  WHY_LEVEL_UNKNOWN = 255,
};

/* Whom the call was led to. */
struct why_attempt {
  bool is_trunk, had_progress, is_demoted;
  enum why_fault fault;
  int status, q850;   /* 0: none; q850 as the peer gave it */
  bool is_peer;       /* is_peer: the peer said that status itself. */
  uint32_t ms, tries; /* tries are the addresses that were tried. */
  char name[WHY_NAME_BYTES];
  char target[WHY_ADDR_BYTES]; /* the last address that was tried, "" none */
};

enum why_ice { WHY_ICE_NONE, WHY_ICE_CHECKING, WHY_ICE_CONNECTED, WHY_ICE_LOST };
enum why_dtls { WHY_DTLS_NONE, WHY_DTLS_CONNECTING, WHY_DTLS_UP, WHY_DTLS_FAILED };
enum why_way { WHY_SENDRECV, WHY_SENDONLY, WHY_RECVONLY, WHY_INACTIVE };

/* What an app's own statistics say. */
struct why_client {
  bool is_mic_silent, plays_nothing, is_relayed;
  bool is_muted;     /* is_muted: by its user, as it told last. */
  uint32_t muted_ms; /* muted_ms is until when it was muted; 0: never. */
  uint32_t mic_ms;                       /* since when its microphone gives no sound */
  uint32_t received, concealed_permille; /* packets; the share of what it played that it made up */
};

/* One direction of a leg's media. */
struct why_flow {
  uint64_t packets, lost;
  uint64_t discarded; /* of packets: too late for our jitter buffer */
  uint32_t jitter_ms, max_jitter_ms;
  uint16_t mos_x100; /* 0: unknown */
};

struct why_leg {
  bool is_there, is_trunk, is_up; /* is_up: its media stood; is_there: it is part of the call. */
  bool wants_ice, wants_dtls, wants_srtp;
  char name[WHY_NAME_BYTES]; /* of the trunk or the user */
  enum why_ice ice;
  enum why_dtls dtls;
  bool is_fingerprint_wrong; /* is_fingerprint_wrong: it showed another certificate than described. */
  uint32_t candidates;       /* of its description */
  enum why_way way;          /* as its last description says for itself */
  bool is_held;              /* is_held: it, or its far side, holds by our own account. */
  char said[WHY_ADDR_BYTES]; /* where its description says that it is, "" unknown */
  uint16_t our_port;         /* that our description says */
  char codec[16];            /* that we send, "" none */
  /* What came from it: */
  struct why_flow rx, tx;                         /* tx: what it was sent, by its own reports */
  uint32_t wrong_source, wrong_port, bad_payload; /* packets */
  char stranger[WHY_ADDR_BYTES];                  /* the last wrong source, "" none */
  uint16_t stray_port;        /* the port that its packets came to, where that is not ours; 0 unknown */
  uint8_t payload_type;       /* the last one that was not negotiated */
  uint32_t keys;              /* how often keys were agreed upon */
  uint32_t key_reinvite;      /* the re-INVITE that brought the last ones, 0: the first description */
  uint32_t key_good, key_bad; /* packets that verified; that did not, since the last one that did */
  uint32_t key_failures;      /* that did not, in all */
  uint32_t key_plain;         /* of these, those that have the length of plain RTP */
  uint32_t bad_ms;            /* when the first of key_bad came */
  uint32_t first_ms, last_ms; /* when its first and last packet came; 0 with rx.packets 0 */
  bool has_level;
  uint32_t sound_ms;   /* when it was last louder than silence; 0: never */
  uint32_t dumb_ms;    /* one-way silence, summed up */
  uint32_t unheard_ms; /* since when it gets nothing of ours, by its own reports; 0: it does */
  uint32_t rtt_ms;
  uint16_t ptime_ms, agreed_ms; /* of what comes, by its size; of our description; 0: unknown */
  struct why_client client;     /* of apps */
};

/* How it ended. */
enum why_end { WHY_END_GOOD, WHY_END_FAILED };

struct why_facts {
  enum why_end end;
  enum why_fault fault;
  bool is_refused; /* is_refused: it never became a call. */
  bool is_answered;
  bool is_caller_faulty; /* is_caller_faulty: fault is the caller's leg's, else the callee's. */
  int status;            /* what the caller was told, 0 none */
  const char *reason;    /* a word of call/reason.def */
  const char *rule;      /* of guard/refuse.def, "" none */
  const char *detail;    /* a short text of ours, "" none */
  int q850;              /* the cause that who hung up gave, 0: none */
  uint32_t ms;           /* how long it was up; before an answer, how long it was tried */
  uint32_t n_attempts;
  struct why_attempt attempts[WHY_ATTEMPTS_MAX];
  struct why_leg legs[WHY_LEGS]; /* the caller's and the callee's */
};

struct why {
  enum why_id id; /* CAUSE_NONE: a good call */
  char sentence[WHY_SENTENCE_BYTES];
};

void why_find(const struct why_facts *f, struct why *ret);
const char *why_slug(enum why_id id);   /* "" of CAUSE_NONE */
enum why_id why_of(const char *slug);   /* CAUSE_NONE of NULL, "" and what is no cause */
const char *why_advice(enum why_id id); /* what to do about it; "" of CAUSE_NONE */
