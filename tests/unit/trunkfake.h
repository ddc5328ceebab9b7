/* SPDX-License-Identifier: Apache-2.0
 * A call model and a border policy of the tests' own under the trunk door: they note what the door
 * tells and answer as the test says. A peer on a UDP socket, and virtual time. */
#pragma once
#include "trunk/trunk.h"

enum { FAKE_LEGS = 16 };

struct fake_leg {
  struct leg leg;
  struct call call;
  struct desc local;
  bool is_used, is_over, is_barred;
  /* what the door told: */
  unsigned refreshes;
  unsigned offered, ringing, early, answered, confirmed, taken, reoffers, dropped, digits;
  uint32_t taken_dialog, taken_dialogs; /* the last one; a bit for each */
  bool taken_final, taken_null;
  uint8_t taken_direction, offered_direction;
  unsigned verdicts;
  char verified[16];
  struct verdict verdict;
  bool reoffer_is_empty;
  uint64_t cookie;
  char digit;
};

struct fake {
  const struct door *door;
  void *door_arg;
  struct ask ask; /* the last one placed */
  struct fake_leg legs[FAKE_LEGS];
  unsigned failures; /* failures of peers to prove who they are */
  unsigned places, noted, done, admitted_sources, counted;
  struct verdict place, take, reoffer, chain; /* what is answered; pass by default */
  unsigned transfers, joins;
  struct redirect redirect; /* the last one that is to be followed */
  int referred;             /* what door->refer came to */
  bool referred_is_last;
  struct verdict transfer; /* what a transfer is answered */
  struct call_refer words; /* of the last one; its ask is in ask */
  pool_handle replaces;    /* of the last one placed */
  bool reoffer_waits;      /* reoffer_waits: leg_reoffer is not answered at once. */
  bool is_long; /* is_long: our descriptions exceed a datagram. */
  bool is_not_ready, is_stranger, ends_while_placing, signals_digits;
  struct cause done_cause;
  enum refusal noted_refusal;
  char chain_contact[128];
  unsigned chain_routes;
};
extern struct fake fake;
struct calls *fake_calls(void);
struct guard *fake_guard(void);
const char *fake_sdp(void); /* what a leg of the gateway says */

/* The rig: one listener "udp" on loopback, one trunk "lab", the peer's socket. */
extern struct conf rig_conf;
extern struct loop *rig_loop;
extern struct trunks *rig_trunks;
extern int rig_socket, rig_tcp; /* rig_tcp is bound to the same port; who listens there is the test */
extern uint16_t rig_peer_port, rig_port;
extern bool rig_is_real_time;            /* set before rig_start */
extern void (*rig_shape)(struct conf *); /* changes the configuration before it is taken */
void rig_start(void);
void rig_stop(void);
void rig_run(unsigned ms); /* virtual milliseconds, in steps of 10 */
void rig_leap(unsigned ms); /* the same in steps of 500, where nothing is to come: a step costs real time */
void rig_wait(int ms);     /* one real turn */
void rig_settle(void);     /* no time passes */
/* Sends text (lines end in \n; the body follows an empty line, Content-Length is added) after
 * replacing $P (the peer's port) and $G (the gateway's). */
void rig_say(const char *text);
void rig_send(const char *text); /* the same, and no turn is made */
/* The next message of the gateway, NULL if there is none. Static, until the next call. */
const char *rig_hear(void);
const char *rig_hear_status(int status); /* skips others; NULL if it does not come */
const char *rig_hear_method(const char *method);
/* The value of a header of a message, "" if absent; static, thirty-two at a time. */
const char *rig_header(const char *message, const char *name);
const char *rig_tag(const char *message, const char *name); /* tag of From or To */
const char *rig_body(const char *message);
size_t rig_transactions(void);        /* server transactions that the library keeps */
struct leg *rig_ring(const char *to); /* asks the door to call the trunk and opens the leg */
