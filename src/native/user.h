/* SPDX-License-Identifier: Apache-2.0
 * Identities and their devices: a user has streams (one a device), a ring of events, its legs. Made
 * when an identity first shows itself; forgotten when nothing of it was there for USER_IDLE_S, or at
 * once where the table (USERS_MAX) is full. Call thread. */
#pragma once
#include "base/list.h"
#include "native/events.h"
#include "web/web.h"

struct native;

struct stream {     /* one open event stream; its pool handle is the web server's cookie */
  struct list node; /* node is in user->streams. */
  pool_handle id;
  web_handle web;
  struct user *user;
  struct native *n;
  char device[72];  /* device names it; "~<n>" for one without a name. */
  bool may_receive; /* may_receive: its token has call.receive. */
  uint64_t expires_ms;
  struct timer expiring; /* expiring fires 60 s before the token's end, then at it. */
  bool warned;
};

struct user {
  struct list node; /* node is in native->user_list. */
  char tenant[65], identity[65];
  struct list streams;
  uint32_t stream_count;
  struct list nlegs;    /* nlegs are its calls, oldest first, ended ones too for a while. */
  uint32_t alert_count; /* alert_count is of calls that ring it. */
  uint64_t seen_us;     /* seen_us: it was last asked for. */
  struct event_ring ring;
};

/* NULL when the table is full of users of whom something is there, or memory is out. It lives for the
 * turn, and as long as a stream, a call or an alert of it. */
struct user *user_get(struct native *n, struct slice tenant, struct slice identity);
void users_free(struct native *n);
/* An event to the streams of that device ("": all), kept in the ring. data is owned (freed here).
 * call_id may be NULL. */
void user_event(struct native *n, struct user *u, const char *device, const char *name,
                const char *call_id, json_t *data, bool keep);
bool user_has_stream(const struct user *u, const char *device); /* "": any */
