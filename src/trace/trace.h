/* SPDX-License-Identifier: Apache-2.0
 * Door of the area trace: one timeline for each call. What crosses a door of the house, and what was
 * decided, is kept in a bounded memory of its own (packed, secrets cut at capture, digits sealed), given
 * to a keeper when it is full and when the call is over. NULL is a trace too: then nothing is done. A
 * struct trace belongs to the call thread; blobs, their reader, pcap and HEP are pure. */
#pragma once
#include "base/addr.h"
#include "base/count.h"
#include "base/loop.h"
#include "trace/why.h"

enum trace_policy { TRACE_ALL, TRACE_FAILED, TRACE_SAMPLED, TRACE_NONE };
enum trace_dir { TRACE_HERE, TRACE_IN, TRACE_OUT };
/* The lane of the n-th callee is TRACE_CALLEE + n - 1. */
enum trace_lane { TRACE_GATEWAY, TRACE_CALLER, TRACE_MEDIA, TRACE_CALLEE, TRACE_LANES = 15 };
enum trace_kind {
#define KIND(id, word) TRACE_##id,
#include "trace/kind.def"
#undef KIND
  TRACE_KINDS_
};
const char *trace_kind_word(enum trace_kind k);
const char *trace_lane_word(unsigned lane, char buf[16]); /* "caller", "callee2", … */

struct trace;
struct traces;

/* A message with its ends, as told to who listens live; text is redacted. */
struct trace_wire {
  const char *sip_call_id;
  struct addr source, target;
  bool is_stream; /* is_stream: TCP or TLS */
  uint64_t wall_us;
  struct slice text;
};

struct trace_keeper {
  void *arg;
  /* A part of a timeline, numbered from 0; the last one ends it. */
  void (*put)(void *arg, const char *call_id, uint32_t part, bool is_last, uint64_t started_ms,
              struct slice blob);
  void (*drop)(void *arg, const char *call_id);        /* the parts that were put are not wanted */
  void (*wire)(void *arg, const struct trace_wire *w); /* NULL: nobody listens */
};

struct traces_settings {
  struct loop *loop;
  enum trace_policy policy;
  uint32_t sample;      /* sampled: one call of so many */
  uint32_t kb;          /* memory of one call's timeline; 0: 16 */
  uint32_t max;         /* calls that are traced at a time; 0: 20,000 */
  const char *key_file; /* of what is sealed; made 0600 when absent; NULL: digits are not kept */
  struct trace_keeper keeper;
};

/* 0, -ENOMEM, or -errno of the key of digits. */
int traces_new(struct traces **ret, const struct traces_settings *s) must_check;
struct traces *traces_free(struct traces *ts); /* what is live is given to the keeper first */
OWN_DEFINE(traces)
void traces_set(struct traces *ts, enum trace_policy policy, uint32_t sample);
bool traces_is_on(const struct traces *ts); /* false: nothing is traced, nothing is to be shown */
struct counts *traces_counts(struct traces *ts);

/* A call begins; NULL where it is not traced. The id may follow. */
struct trace *trace_begin(struct traces *ts, uint64_t config_version);
void trace_name(struct trace *t, const char *call_id);
/* SIP messages of that Call-ID are this trace's from now on. */
void trace_bind(struct trace *t, const char *sip_call_id, unsigned lane);
/* Whose messages are those? NULL: nobody's. */
struct trace *traces_find_sip(struct traces *ts, const char *sip_call_id, unsigned *ret_lane);
struct trace *traces_find(struct traces *ts, struct slice call_id);
unsigned trace_callee_lane(struct trace *t); /* the next callee's */
/* The call is over. What comes by its Call-IDs in the next seconds is still taken, then it goes to the
 * keeper: by policy, is_bad being a call that failed or sounded bad. cause: one sentence, or NULL. */
void trace_end(struct trace *t, bool is_bad, const char *cause);
void trace_discard(struct trace *t); /* as if it had never begun */

struct trace_ends {
  struct addr peer, local;
  const char *transport; /* "udp", "tcp", "tls" */
};
void trace_sip(struct trace *t, unsigned lane, enum trace_dir dir, const struct trace_ends *ends,
               struct slice message);
/* title as printf says; text and data (JSON) may be NULL. All is redacted here. */
void trace_native(struct trace *t, unsigned lane, enum trace_dir dir, const struct addr *peer,
                  const char *title, const char *text);
void trace_event(struct trace *t, unsigned lane, const char *title, const char *text);
void trace_note(struct trace *t, unsigned lane, enum trace_kind kind, const char *format, ...)
    printf_like(4, 5);
void trace_digit(struct trace *t, unsigned lane, char digit); /* sealed */

/* What a second, or ten, of one direction of a leg was. */
struct trace_point {
  uint32_t t_s; /* since the call began */
  uint16_t packets, lost, jitter_ms;
  int8_t level_db;                     /* dBov, -127 to 0; 1: unknown */
  uint8_t auth_failures, wrong_source; /* 255: so many or more */
};
enum trace_way { TRACE_RX, TRACE_TX };
/* Called once a second for each direction; seconds older than 60 become means of ten, but around
 * anomalies. */
void trace_media(struct trace *t, unsigned lane, enum trace_way way, const struct trace_point *p);

/* The header of a media packet, without its payload. */
enum { TRACE_HEADER_BYTES = 48 };
struct trace_packet {
  uint64_t at_us; /* monotonic, as the loop's; when read: since the call began */
  struct addr from, to;
  bool is_out, is_rtcp;
  uint8_t n, drop;     /* drop: the media process dropped it, for that reason of its own; 0: not */
  uint16_t bytes;      /* of the datagram; n of them are in head */
  const uint8_t *head; /* borrowed */
};
void trace_packet(struct trace *t, unsigned lane, const struct trace_packet *p);

/* Reading: the parts of a timeline, in order. */
struct trace_item {
  uint64_t t_us; /* since the call began */
  uint8_t lane, dir, kind;
  bool is_again; /* is_again: the same bytes once more, a retransmission */
  char *title;
  char *peer, *local, *transport; /* NULL: none */
  char *text;                     /* NULL: none */
  size_t text_n;
};
struct trace_head {
  uint64_t started_us; /* wall clock */
  uint64_t config_version;
};
typedef int trace_item_fn(void *arg, const struct trace_item *i);
/* 0, the first non-zero of fn, or -EBADMSG: what came before was good. */
int trace_read(struct slice blob, struct trace_head *ret, trace_item_fn *fn, void *arg) must_check;
/* Points of an item of kind TRACE_POINTS: lane and dir (in: rx) are the item's. */
size_t trace_points(const struct trace_item *i, uint32_t *ret_step_s, struct trace_point *dst,
                    size_t max);
typedef int trace_packet_fn(void *arg, const struct trace_packet *p);
/* Headers of an item of kind TRACE_PACKETS: 0, the first non-zero of fn, or -EBADMSG. */
int trace_packets(const struct trace_item *i, trace_packet_fn *fn, void *arg) must_check;
/* The part that is in memory, on the heap; with *ret_part its number. */
int trace_copy(struct trace *t, char **ret_blob, size_t *ret_n, uint32_t *ret_part) must_check;

/* What an item of kind TRACE_SEALED says: 0 and text, or -EPERM. */
int trace_unseal(const struct traces *ts, const struct trace_item *i, char *dst,
                 size_t dst_bytes) must_check;

/* pcap: the SIP messages of a timeline as UDP datagrams, and the headers of its media packets cut to
 * what was kept; by time, link type raw IP. */
struct trace_pcap;
int trace_pcap_new(struct trace_pcap **ret) must_check;
struct trace_pcap *trace_pcap_free(struct trace_pcap *p);
OWN_DEFINE(trace_pcap)
int trace_pcap_add(struct trace_pcap *p, struct slice blob) must_check;
char *trace_pcap_take(struct trace_pcap *p, size_t *ret_n); /* heap; NULL: no memory */

/* HEPv3 of one message into dst: its length, or 0 when it does not fit. */
size_t trace_hep(uint8_t *dst, size_t dst_bytes, const struct trace_wire *w, uint32_t capture_id);
