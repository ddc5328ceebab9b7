/* SPDX-License-Identifier: Apache-2.0
 * Sinks: a session's received audio and digits go to each link in its list, in one walk. A kind of
 * sink embeds struct link and gives its functions. Only one kind may change a payload in place; it
 * comes last. Internal to media; worker's thread, on the packet path: no function here allocates. */
#pragma once
#include "base/list.h"
#include "media/event.h"
#include "media/io.h"
#include "mset/mset.h"
#include "wire/rtp.h"

struct session;
struct remote;

struct heard { /* one verified packet on its way */
  struct session *session;
  struct remote *remote;
  const struct mset_codec *codec;
  struct rtp rtp;
  uint64_t ext; /* ext is its extended sequence number. */
};

struct link;
struct link_ops { /* NULL: the kind does not care */
  const char *name;
  bool is_last; /* is_last: it may change the payload; at most one such in a list. */
  /* Sound, or comfort noise (codec CN). DROP_NONE, or why it went no further here. */
  enum drop (*audio)(struct link *l, const struct heard *h, struct packet *p);
  enum drop (*event)(struct link *l, const struct heard *h, const struct telev *t,
                     const struct event_told *told);
  void (*digit)(struct link *l, char digit, uint32_t ms, bool by_sound); /* one that has ended */
  void (*skip)(struct link *l, const struct heard *h); /* a packet of h's stream that leaves no gap */
  void (*retarget)(struct link *l); /* remotes or codecs changed, of from or of its peer */
  void (*close)(struct link *l);    /* out of the list already; frees what the kind holds */
};

struct link {
  const struct link_ops *ops; /* ops is NULL while it is in no list. */
  struct list node;
  struct session *from;
};

void link_add(struct link *l, const struct link_ops *ops, struct session *from);
void link_remove(struct link *l); /* and closes; safe on one that is in no list */
static inline bool link_is_on(const struct link *l) { return l->ops != NULL; }

/* The walk. DROP_NO_SINK when nobody took it, else the last sink's word. */
enum drop link_audio(const struct heard *h, struct packet *p) must_check;
enum drop link_event(const struct heard *h, const struct telev *t,
                     const struct event_told *told) must_check;
void link_skip(const struct heard *h);
void link_digit(struct session *s, char digit, uint32_t ms, bool by_sound);
void link_retarget(struct session *s); /* s's links, and those of its peer */
void link_close(struct session *s);    /* all of s */
