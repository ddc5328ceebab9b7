/* SPDX-License-Identifier: Apache-2.0
 * What the requests and calls of one run brought to light, as plain values: filled by acts, read by
 * checks. Inside doctor. */
#pragma once
#include "call/call.h"
#include "doctor/quiet.h"

enum { DOCTOR_TEXT_BYTES = 160, DOCTOR_NEVER = 0xffffffffu, DOCTOR_TIMER_MOST_S = 86400 };

/* What became of one request of ours. */
struct said {
  bool is_asked, is_over; /* is_over: a final answer came, or is given up for */
  bool is_own;            /* is_own: our own stack said the status: there was no answer */
  int status;
  uint32_t ms;
};

/* Offers within the dialog, each followed by one that resumes. */
enum form {
  FORM_SENDONLY,
  FORM_INACTIVE,
  FORM_RECVONLY,
  FORM_ZERO,  /* c=0.0.0.0 of RFC 2543 */
  FORM_PORT0, /* m=audio 0 */
  FORM_LATE,  /* a re-INVITE without a description */
  FORM_COUNT_
};

struct form_facts {
  struct said said, resume;
  bool has_desc, has_answer, resume_fits; /* a description in its 200; one whose stream is on */
  uint8_t direction, resumed;             /* of the answers to hold and resume, as the peer says them */
  uint64_t packets_held, packets_resumed; /* that came while held, after it was resumed */
  uint32_t heard_ms;
};

/* What the call with an offer said and did. */
struct call_facts {
  bool is_begun, is_over, no_media; /* no_media: the media process had no session for it */
  struct said invite, cancel, bye, update, update_offer, info, prack, strange;
  uint32_t trying_ms, first_ms, ring_ms; /* DOCTOR_NEVER: none came */
  uint32_t n_provisionals;
  int first_status;
  bool has_early_desc, is_reliable; /* a description, 100rel in a provisional */
  uint64_t early_packets;           /* that came before the answer */
  bool has_answer, fits;            /* fits: the answer may stand to our offer */
  char why[PROBE_TEXT_BYTES];       /* why it may not */
  char codecs[96];                  /* names in the answer, in its order */
  bool has_event, has_noise, is_secured, has_tag;
  bool is_bad_route, is_bad_contact;    /* why is about it, about the Contact */
  uint8_t n_media, n_crypto, mki_bytes; /* of the answer's first key */
  uint32_t asked_s;                     /* our Session-Expires */
  uint32_t ptime_ms, event_hz;          /* event_hz: of a telephone-event, 0: none */
  uint8_t direction;
  char rtp_at[ADDR_TEXT_BYTES], from[ADDR_TEXT_BYTES]; /* the description's; where SIP came from */
  char contact[DOCTOR_TEXT_BYTES], allow[PROBE_TEXT_BYTES], supported[PROBE_TEXT_BYTES];
  char agent[DOCTOR_TEXT_BYTES], transport[16]; /* transport: of the Contact, "": none */
  bool has_session, keeps_session, by_stream;
  uint32_t expires_s, min_s;
  int q850;
  bool has_talk;
  uint32_t gap_ms, stop_ms; /* without a packet in the talk: the longest; at its end */
  uint32_t odd_digits;      /* packets of odd_type that came for digits, which was not agreed */
  uint8_t odd_type;
  uint32_t talk_ms, silent_ms; /* silent_ms: from the answer to the first packet; DOCTOR_NEVER */
  struct mset_facts talk;      /* at the end of the time of talk */
  struct quiet quiet;          /* of what was heard in it */
  char digits_sent[20], digits_back[20], info_back; /* info_back: a digit that came by INFO */
  bool sent_digits;
  bool peer_hung_up; /* before we did */
  bool update_has_desc;
  /* Of its descriptions, one after another: the last, and those that differ from it under the same or a
   * lower version or another session's id (RFC 3264 8). */
  struct {
    uint64_t session_id, version;
    uint16_t port;
    uint8_t direction;
    bool is_there;
  } told;
  uint32_t n_descs, n_stale, n_strange;
  int peer_q850;
  struct form_facts forms[FORM_COUNT_];
};

enum test_call {
  CALL_BASE,
  CALL_SUITE_GCM256,
  CALL_SUITE_GCM128,
  CALL_SUITE_SHA80,
  CALL_SUITE_SHA32,
  CALL_MKI,
  CALL_CODEC_PCMU,
  CALL_CODEC_PCMA,
  CALL_CODEC_G722,
  CALL_CODEC_OPUS,
  CALL_PTIME30,
  CALL_PTIME40,
  CALL_INBAND,
  CALL_LATE,
  CALL_RELIABLE,
  CALL_TIMER,
  CALL_LARGE,
  CALL_FORM_00,
  CALL_FORM_NATIONAL,
  CALL_UNKNOWN,
  CALL_BUSY,
  CALL_CANCEL,
  CALL_COUNT_
};

struct target_facts {
  struct probe_target target;
  struct said options;
  bool has_date;
  int32_t skew_s; /* its clock against ours */
  char allow[PROBE_TEXT_BYTES], supported[PROBE_TEXT_BYTES], agent[DOCTOR_TEXT_BYTES];
  char contact[DOCTOR_TEXT_BYTES];
  bool has_tls, has_bare; /* the handshake with SNI, without it, is there */
  struct probe_tls tls, bare;
};

struct doctor_facts {
  const struct conf_trunk *trunk; /* the run's own copy */
  const struct conf_listener *listener;
  uint64_t now_wall_ms; /* when the run began */
  uint32_t n_targets, resolve_ms;
  struct target_facts targets[PROBE_TARGETS_MAX];
  uint32_t n_seats; /* records of SRV */
  struct probe_seat seats[PROBE_TARGETS_MAX];
  struct said strange; /* a method that nobody has */
  bool has_heard;
  struct probe_heard heard;
  struct call_facts calls[CALL_COUNT_];
};

static inline bool said_ok(const struct said *s) {
  return s->is_over && !s->is_own && s->status >= 200 && s->status < 300;
}
