/* SPDX-License-Identifier: Apache-2.0
 * Lines: SIP dialogs of the trunk's tests, apart from those of calls. Inside trunk. See call/probe.h. */
#pragma once
#include "trunk/inner.h"

struct line {
  pool_handle id;
  struct trunks *t;
  struct agent *agent;
  struct probe_user user;
  char trunk[CONF_NAME_BYTES], called[64], caller[64];
  char target[TARGET_BYTES], route[CONF_PATH_BYTES + 96];
  nta_leg_t *nta;
  nta_outgoing_t *invite, *other, *prack; /* each until its final answer */
  nta_incoming_t *ack_due;                /* the peer's re-INVITE until its ACK */
  uint8_t other_method;                   /* enum probe_method of other */
  uint64_t invite_us, other_us;
  char branch[TAG_BYTES];
  uint32_t rseq;
  char session[SESSION_ID_BYTES], session_remote[SESSION_ID_BYTES]; /* Session-ID: ours, theirs */
  bool is_up, is_over; /* is_up: a 2xx was acknowledged; is_over: a BYE was said or heard */
  bool is_late;        /* is_late: our INVITE had no offer: the ACK answers */
};

/* struct probe's functions (call/probe.h). open: 0, -ENOTCONN (no listener), -ENOSPC; ask: 0, -ENOENT,
 * -EBUSY (an INVITE is under way), -ENOTCONN (no dialog) or -errno. */
int line_open(void *arg, const struct conf_trunk *t, const struct probe_user *user, pool_handle *ret);
int line_ask(void *arg, pool_handle id, const struct probe_ask *a);
void line_close(void *arg, pool_handle id);
const struct conf_trunk *line_trunk(const struct line *l); /* NULL: a reload took it away */
const char *line_host(const struct line *l);
struct line *line_get(const void *magic);
static inline void *line_magic(const struct line *l) { return (void *)(uintptr_t)l->id; } // NOLINT

/* linesaid: what comes */
int line_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip);
int line_request(nta_leg_magic_t *magic, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip);
/* … and what a line does about it */
void line_ack(struct line *l, uint32_t cseq, const char *body);
void line_prack(struct line *l, const sip_t *sip);
