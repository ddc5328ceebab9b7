/* SPDX-License-Identifier: Apache-2.0
 * TLS handshakes on threads of their own. A shake is watched from its first moment (deadline, caps),
 * started when its owner has something to do, and comes back by done() on a handshake thread. Knows
 * OpenSSL and sockets, nothing of SIP's library. RFC 8446, RFC 5246. */
#pragma once
#include "base/list.h"
#include "trunk/creds.h"
#include "trunk/peername.h"

#include <stdatomic.h>

enum shake_result {
  SHAKE_NONE,       /* not over */
  SHAKE_OK,         /* up; names and peer_expiry_s are filled */
  SHAKE_FAILED,     /* alert, bad chain, closed, reset */
  SHAKE_WRONG_NAME, /* the chain is good, but of somebody else, or not for TLS */
  SHAKE_TIMEOUT,
  SHAKE_STOPPED,
};
enum shake_place { SHAKE_AT_OWNER, SHAKE_WATCHED, SHAKE_IN_FLIGHT };

struct shake {
  struct list node;       /* Fields down to `taken` belong to the shaker. */
  enum shake_place place; /* place is written by the owner, and at a watched one's deadline. */
  unsigned lane;          /* lane is which thread drives it. */
  uint64_t deadline_us;
  bool counted; /* counted against the caps (accepted ones). */
  struct addr peer;
  atomic_bool orphan; /* orphan: the owner is gone; done() hands it over to be freed. */
  atomic_bool timed_out;
  SSL *ssl;            /* ssl is touched by the thread while in flight, else by the owner. */
  int fd;              /* fd is our own duplicate of the socket until the owner closes it. */
  struct creds *creds; /* creds is held. */
  bool accepted;
  char own_name[64];           /* own_name is who we are on one that we open; "": the first. */
  char wanted[PEERNAME_BYTES]; /* wanted is the host that we mean to reach; "" if accepted. */
  enum shake_result result;    /* The result: valid once it came back. */
  bool verified;
  struct peernames names; /* names of the peer, when verified */
  int64_t peer_expiry_s;
  char error[128];               /* error is a few words for the log, of OpenSSL, not of the peer. */
  void (*done)(struct shake *s); /* done is called on a handshake thread without locks held. */
};

struct shaker;
int shaker_new(struct shaker **ret_shaker, unsigned lanes) must_check; /* 0 or -errno */
/* Ends the threads; every shake in flight comes back with SHAKE_STOPPED first. */
struct shaker *shaker_free(struct shaker *k);
OWN_DEFINE(shaker)
unsigned shaker_count(struct shaker *k); /* watched and in flight */

/* Prepares s (zeroed by the caller, done set) for a non-blocking socket and starts its deadline.
 * Holds c. 0; -EBUSY (a cap stands), -EMFILE, -ENOMEM: nothing is kept then. */
int shake_watch(struct shaker *k, struct shake *s, struct creds *c, int socket,
                bool accepted) must_check;
/* To the thread; wanted is the host name or address of an outbound one ("" if accepted). */
void shake_start(struct shaker *k, struct shake *s, const char *wanted);
/* The owner, when what done() sent has reached it: true if it is its own again, false if it had let
 * go meanwhile and has only to free it. */
bool shake_back(struct shake *s) must_check;
/* The owner lets go: true if it may shake_done() it now, false if done() will come (orphan).
 * k is NULL when the shaker is gone. */
bool shake_drop(struct shaker *k, struct shake *s) must_check;
/* Frees what s holds, not s. Only at its owner. */
void shake_done(struct shake *s);
