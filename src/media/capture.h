/* SPDX-License-Identifier: Apache-2.0
 * Headers of a traced session's packets for its call's timeline: the first of each way, some after each
 * change of source, stream or payload type and after each description, some of each reason for which
 * packets were dropped; all of them for a while when asked. They go by value through a ring of their
 * own, which may lose some. An untraced session has no struct capture: one test for NULL a packet.
 * Media worker, but for capture_batch(). */
#pragma once
#include "media/worker.h"

enum {
  CAPTURE_FIRST = 10, /* packets of each way */
  CAPTURE_AFTER = 4,  /* after a change */
  CAPTURE_DROPS = 4,  /* of each reason, since the last description */
  CAPTURE_MAX = 240,  /* of a session, without being asked */
};

struct session;

struct capture_way {
  uint8_t left, pt;
  uint32_t ssrc;
  struct addr peer;
};
struct capture {
  uint32_t left;                 /* left are those that it may take without being asked. */
  uint32_t asked;                /* asked are those that it may take until until_us. */
  uint64_t until_us;             /* 0: not asked */
  struct capture_way ways[2][2]; /* ways are in, out; RTP, RTCP. */
  uint8_t drops[DROP_COUNT_];    /* drops are left of each reason. */
};

/* A packet that came or goes. bytes is its datagram's length, which is p's with its tag; of p only the
 * header is looked at. */
struct capture_packet {
  const struct addr *peer;
  const struct port *port;
  const uint8_t *p;
  size_t bytes;
  bool is_out, is_rtcp;
  enum drop drop;
};

int capture_open(struct session *s) must_check; /* is traced from now on: 0 or -ENOMEM */
void capture_close(struct session *s);
int capture_ask(struct session *s, const struct mset_capture *m) must_check;
void capture_renew(struct session *s); /* a description came; s may be untraced */
void capture_take(struct session *s, const struct capture_packet *p); /* s is traced */
/* Control thread: the next message of what w has; false: none. is_due: there is much of it. */
bool capture_batch(struct worker *w, struct mset_headers *ret);
bool capture_is_due(struct worker *w);
void capture_send(struct worker *w, int fd); /* all of it; what fd does not take (-1: any) is lost */
