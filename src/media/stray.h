/* SPDX-License-Identifier: Apache-2.0
 * Listening posts: while nothing comes to a trunk leg that should be heard, the ports beside its own are
 * bound for some seconds, so that "it sends to the wrong port" is seen and not guessed. What comes there
 * is counted, if its address is the peer's, and dropped. Few at a time. Media worker. */
#pragma once
#include "media/port.h"

enum { STRAYS_MAX = 16, STRAY_PORTS = 3, STRAY_US = 10000000 };

struct stray {
  uint64_t session;  /* session is whose, by handle; 0: free. */
  uint64_t until_us; /* until_us is when its ports are closed, at the latest. */
  struct port ports[STRAY_PORTS];
};

struct worker;
struct session;
struct packet;
void stray_init(struct worker *w);
void stray_open(struct session *s); /* nothing comes: again and again told, once done */
void stray_tick(struct session *s); /* closes when the time is over */
void stray_close(struct session *s);
/* A media packet that came to a port which is not for it. */
void stray_count(struct session *s, const struct packet *p);
