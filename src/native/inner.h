/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of area native share: the door's state, one request, the table of verbs. */
#pragma once
#include "base/map.h"
#include "native/events.h"
#include "native/idem.h"
#include "native/native.h"
#include "native/nleg.h"
#include "native/relaybook.h"
#include "native/ticket.h"
#include "native/user.h"

enum {
  USERS_MAX = 10000,
  USER_IDLE_S = 600, /* more than EVENTS_KEEP_S */
  NLEGS_MAX = 10000, /* live and ended ones that still answer GET */
  ALERTS_MAX = 4000,
  ENDED_KEEP_S = 600,
  DEVICE_BYTES = 72,
};

struct native {
  const struct conf *conf;
  struct calls *calls;
  struct loop *loop;
  struct guard *guard;
  struct traces *traces;
  struct web *web;
  struct tokens *issuer; /* issuer is borrowed. */
  struct map *users;     /* "tenant\0identity" -> struct user */
  size_t users_max;
  struct list user_list; /* user_list has who was asked for last at its end. */
  struct pool *nlegs, *streams;
  struct list ended; /* nlegs that ended, oldest first */
  struct list alerts;
  uint32_t alert_count;
  struct tickets *tickets;
  struct idem *idem;
  struct limit *commands;
  struct relay_book relays;
  struct timer sweep;
  struct web_row *rows;
  const struct native_file *files;
  size_t files_n;
};

/* One request in work: everything a verb needs. */
struct req {
  struct native *n;
  const struct web_ask *ask;
  struct user *user; /* user is of the token; NULL on rows without one. */
  const struct claims *claims;
  json_t *body;              /* body is the JSON object; owned by the dispatcher. */
  char device[DEVICE_BYTES]; /* device is the Sallyport-Device header's, "" if absent. */
  struct reply_to to;        /* to is where the answer goes. */
};

typedef void verb_fn(struct req *r);

/* Answers; a verb calls exactly one of these, at once or later with a kept reply_to. */
void answer_json(struct native *n, struct reply_to to, unsigned status, json_t *owned);
void answer_full(struct native *n, struct reply_to to, struct web_answer *a);
void answer_empty(struct native *n, struct reply_to to, unsigned status);
void answer_problem(struct native *n, struct reply_to to, enum web_problem p, const char *detail);
void answer_field(struct native *n, struct reply_to to, const char *pointer, const char *reason);
void answer_verdict(struct native *n, struct reply_to to, const struct verdict *v, const char *call_id);

/* Parses {type, sdp} at that member: false when answered with a problem. member absent and optional:
 * true with *ret_has false. */
bool req_desc(struct req *r, const char *member, const char *type, struct desc *ret, bool *ret_has);

/* The same, but a description that cannot be read is left to the caller: false with *ret_v not pass. */
bool req_desc_read(struct req *r, const char *member, const char *type, struct desc *ret, bool *ret_has,
                   struct verdict *ret_v);
bool place_is_emergency(const struct req *r,
                        const json_t *body); /* a call to a number that passes every limit */

/* The live leg of the path's call, NULL when answered; acting from another named device moves the call
 * there. */
struct nleg *req_live_leg(struct req *r, struct leg **ret_leg);
struct nleg *req_callee_leg(struct req *r, struct leg **ret_leg); /* of a call that rings */
void req_move(struct req *r, struct nleg *nl, struct leg *l);
void req_op_answer(struct req *r, struct nleg *nl, uint64_t op,
                   const struct verdict *v); /* op 0: v refuses */
void transfer_event(struct nleg *nl, const struct transfer_news *news);

/* timeline: what is said to and by the clients, in the call's timeline; each does nothing without one */
void timeline_request(struct req *r, struct trace *t, unsigned lane);
void timeline_request_of(struct req *r); /* of the call in its path */
void timeline_answer(struct native *n, const struct reply_to *to, const struct web_answer *a);
void timeline_nleg_event(struct nleg *nl, const char *name, const json_t *data);

/* verbs */
#define VERB(id, method, pattern, fn, flags, scope, type) verb_fn fn;
#include "native/verbs.def"
#undef VERB

extern const struct door native_door;
/* A stream opened: calls that ring get a leg for its device; replayed: what it missed was sent already.
 */
void alert_sweep_stream(struct native *n, struct user *u, struct stream *s, bool replayed);
void alerts_free(struct native *n);
void alert_ring_stop(struct native *n, struct call *c);
void stream_closed(struct native *n, uint64_t cookie);
void stream_system_event(struct stream *s, const char *name, json_t *data); /* no id, not in the ring */
/* An answer was given that may be one of several devices' (none named): who shows its media first gave
 * it. */
void alert_settle(struct native *n, const struct nleg *nl, struct call *c, bool final, bool early);
void alert_media(struct native *n, struct nleg *nl, struct leg *l);
void alert_leg_ended(struct native *n, struct nleg *nl, const struct leg *l);
struct verdict alert_ring(void *arg, struct call *c, const struct target *t);
void incoming_event(struct nleg *nl, struct leg *l);
void nleg_answered(struct nleg *nl,
                   struct leg *l); /* the device's final answer, its description taken before */
void nleg_reject(struct nleg *nl, struct leg *l, struct cause c);
json_t *req_numbers(const struct req *r); /* the identity's numbers; new reference */
json_t *snapshot_make(const struct nleg *nl);
const char *codec_text(uint32_t kind); /* enum codec_kind; NULL: none */
json_t *end_make(const struct leg *l);
json_t *media_make(const struct leg *l);
json_t *from_make(const struct leg *l);
json_t *party_make(const char *number); /* of a number or a name */
json_t *to_make(const struct leg *l);
/* Marks foreign relay candidates: fills deny (at most max), returns their number; *ret_usable tells if
 * any other UDP candidate or none at all was given. */
uint32_t relay_sift(struct native *n, const struct desc_candidate *c, uint32_t count, struct addr *deny,
                    uint32_t max, bool *ret_usable);
