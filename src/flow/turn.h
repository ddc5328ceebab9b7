/* SPDX-License-Identifier: Apache-2.0
 * A TURN client (RFC 8656): one allocation over UDP with long-term credentials, its permissions and
 * channels, all kept fresh. A relay that we use ourselves, behind a NAT; not the relay of browsers. One
 * owner thread; no socket, no clock: datagrams of the server in, datagrams to the server out. */
#pragma once
#include "base/addr.h"
#include "flow/drop.h"

enum {
  TURN_PEERS_MAX = 32, /* whom we send to; AGENT_REMOTES_MAX */
  TURN_TEXT_MAX = 256, /* username, password, realm */
  TURN_NONCE_MAX = 512,
  TURN_LIFETIME_S = 600, /* asked for; what the server says counts */
  TURN_RTO_MS = 500,     /* doubled, TURN_TRIES times */
  TURN_TRIES = 7,
  TURN_STALE_MAX = 3,         /* new nonces in a row before the server is taken for mad */
  TURN_PEER_FRESH_S = 240,    /* permissions last 300 s, channels 600 s: both are asked for again */
  TURN_RETRY_S = 30,          /* a peer that was refused is asked for again after this */
  TURN_OVERHEAD_BYTES = 52,   /* what turn_wrap() puts around a payload, at most */
  TURN_DATAGRAM_BYTES = 1400, /* no request is longer */
};

enum turn_state {
  TURN_ASKING, /* the allocation is being asked for */
  TURN_UP,
  TURN_FAILED, /* turn_error() says why; a new one needs a new socket */
  TURN_CLOSED,
};
enum turn_event { TURN_EVENT_UP = 1, TURN_EVENT_FAILED = 2 };

/* What came from a peer through the relay: a view into the datagram; n 0: nothing. */
struct turn_data {
  struct addr peer;
  uint8_t *bytes;
  size_t n;
};

struct turn;
/* family: of the relayed address. 0, -ENOMEM or -EINVAL (a text too long or empty). */
int turn_new(struct turn **ret, const struct addr *server, int family, const char *username,
             const char *password) must_check;
struct turn *turn_free(struct turn *t);
OWN_DEFINE(turn)
const struct addr *turn_server(const struct turn *t);
enum turn_state turn_state(const struct turn *t);
unsigned turn_error(const struct turn *t); /* the last error code of the server; 408: it is silent */
/* In state UP: the address that others send to, and ours as the server sees it. */
const struct addr *turn_relayed(const struct turn *t);
const struct addr *turn_mapped(const struct turn *t);

/* A datagram that came from the server's address. DROP_NOT_FOR_US: neither ChannelData nor STUN of a
 * relay: a check or packet of that address itself. DROP_ICE_RESPONSE: an answer to nothing. */
enum drop turn_input(struct turn *t, uint8_t *p, size_t n, uint64_t now_us, struct turn_data *ret,
                     unsigned *ret_events) must_check;
/* The next datagram to the server, to be called until 0; room: TURN_DATAGRAM_BYTES. */
size_t turn_output(struct turn *t, uint8_t *buf, size_t room);
uint64_t turn_next_us(const struct turn *t); /* when turn_tick() is due; ask after each call */
unsigned turn_tick(struct turn *t, uint64_t now_us);
void turn_close(struct turn *t); /* the allocation is given back: once more turn_output() */

/* From now on this peer may send (by address) and is sent to: a permission; with a channel four bytes a
 * packet instead of 36. Again with another wish: as it is now. 0 or -ENOSPC. */
int turn_permit(struct turn *t, const struct addr *peer, bool has_channel) must_check;
bool turn_may_send(const struct turn *t, const struct addr *peer);
/* Puts the relay's form around the n bytes at buf, for turn_server(): the new length; 0: this peer may
 * not be sent to, or no room. */
size_t turn_wrap(const struct turn *t, const struct addr *peer, uint8_t *buf, size_t n, size_t room);
