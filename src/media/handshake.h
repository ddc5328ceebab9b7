/* SPDX-License-Identifier: Apache-2.0
 * The thread of DTLS associations of one worker: key exchange never delays packets. Datagrams and
 * results go by rings, by value; associations are named by numbers that the worker chooses. */
#pragma once
#include "flow/flow.h"

enum {
  HANDSHAKE_RING = 256,
  HANDSHAKE_ASSOCS_MAX = 4096,
  HANDSHAKE_DATAGRAM_MAX = 1500,
};

enum handshake_type {
  HANDSHAKE_BEGIN,    /* down: role, fingerprint, cert */
  HANDSHAKE_DATAGRAM, /* both ways */
  HANDSHAKE_END,      /* down: close_notify and gone */
  HANDSHAKE_UP,       /* up: keys */
  HANDSHAKE_FAILED,   /* up: and gone */
  HANDSHAKE_MISFIT,   /* up: somebody showed another certificate; others may still fit */
};

struct handshake_message {
  uint64_t assoc;
  uint64_t session; /* session is the worker's handle, given at BEGIN and repeated upward. */
  uint32_t type, n; /* type is an enum handshake_type, n the datagram's length. */
  bool is_wary;     /* is_wary: forged ClientHellos are about (a datagram going down). */
  union {
    uint8_t bytes[HANDSHAKE_DATAGRAM_MAX];
    struct {
      struct srtp_key send, receive;
    } keys;
    struct {
      uint32_t role;               /* role is an enum dtls_role. */
      const struct dtlscert *cert; /* cert outlives the thread. */
      struct dtls_fingerprint fingerprint;
    } begin;
  };
};

struct handshake;
/* Starts the thread; wake_fd is an eventfd that is written when something goes up. 0 or -errno. */
int handshake_new(struct handshake **ret, int wake_fd) must_check;
struct handshake *handshake_free(struct handshake *h); /* ends and joins the thread */
OWN_DEFINE(handshake)
bool handshake_put(struct handshake *h, const struct handshake_message *m); /* worker: false when full */
bool handshake_get(struct handshake *h, struct handshake_message *ret); /* worker: false when empty */
