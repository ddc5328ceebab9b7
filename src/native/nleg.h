/* SPDX-License-Identifier: Apache-2.0
 * A native leg as its user sees it: the call resource's state that outlives the leg (10 minutes), the
 * tag of its ICE session, requests that wait for the call model. Its pool handle is leg->magic. */
#pragma once
#include "native/idem.h"
#include "native/user.h"

struct native;

enum { NLEG_OPS = 16 };

enum nleg_wait { WAIT_NONE, WAIT_PLACE, WAIT_RENEGOTIATE, WAIT_ICE };

struct nleg {
  struct list node;       /* node is in user->nlegs. */
  struct list ended_node; /* ended_node is in native->ended. */
  pool_handle id;
  pool_handle leg; /* leg is the call model's leg; stale once it ended. */
  struct native *n;
  struct user *user;
  char call_id[40];
  char device[72];                    /* device that it belongs to; "" all of the identity. */
  bool device_named;                  /* device_named: the name came from the client. */
  bool is_callee, had_stream, hidden; /* hidden: a refused one that never became a resource. */
  unsigned generation;                /* generation counts ICE sessions: the etag. */
  char ufrag[17];                     /* ufrag is our current one, to see a restart. */
  char *offer;                        /* offer is the SDP that the device got, while it rings. */
  char answer_hash[65];               /* answer_hash is of the provisional answer's SDP, hex; "" none. */
  bool answered;                      /* answered: this device gave its final answer. */
  bool named_itself; /* named_itself: it gave an answer that was its own beyond doubt. */
  enum nleg_wait wait;
  struct reply_to waiting; /* waiting is whose request it is. */
  uint64_t cookie;
  struct {
    uint64_t op;
    const char *verb;
  } ops[NLEG_OPS];
  struct timer stream_lost;
  uint64_t ended_us;
  json_t *final;  /* final is the last snapshot, once ended. */
  int end_reason; /* end_reason is an enum end_reason, once ended. */
};

struct nleg *nleg_add(struct native *n, struct user *u, const char *device, bool named);
void nleg_free(struct nleg *nl);
void nlegs_sweep(struct native *n, uint64_t now_us, bool all);
struct leg *nleg_leg(const struct nleg *nl); /* NULL when it ended */
void nleg_etag(const struct nleg *nl, char dst[WEB_ETAG_BYTES]);
/* Sees whether our ufrag changed and counts the generation up. */
void nleg_note_local(struct nleg *nl, const struct leg *l);
/* The resource of that call for this user: the live one; the one that talks, else the device's own. */
struct nleg *nleg_find(struct user *u, struct slice call_id, const char *device);
/* The same for what only a rung device may do: a named device is itself or one that has no name. */
struct nleg *nleg_find_rung(struct user *u, struct slice call_id, const char *device);
/* Whether a request that was taken for nl's may as well be other's: both ring, the request names
 * neither. */
bool nleg_may_be(const struct nleg *nl, const struct nleg *other, const char *device);
/* A new operation id as text "op_<n>"; 0 when 16 are under way. */
uint64_t nleg_op_begin(struct nleg *nl, const char *verb);
const char *nleg_op_end(struct nleg *nl, uint64_t op); /* the verb, NULL if unknown */
void nleg_event(struct nleg *nl, const char *name, json_t *data);
/* A nameless device closed: calls that it talks on are everybody's of the identity. */
void nlegs_leave(struct user *u, const char *device);
void nleg_streams_changed(struct native *n, struct user *u); /* arms or stops the lost-stream timers */
