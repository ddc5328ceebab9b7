/* SPDX-License-Identifier: Apache-2.0
 * One packet thread and everything it owns: sessions, sockets, timers, maps. Commands come by a
 * ring, events and replies go by a ring; nothing here is locked. The turn: wait, read the clock once,
 * receive, handshake results, commands, timers, send. Internal to media. */
#pragma once
#include "base/map.h"
#include "base/pool.h"
#include "base/ring.h"
#include "base/timer.h"
#include "media/coalesce.h"
#include "media/disk.h"
#include "media/dsp.h"
#include "media/facts.h"
#include "media/handshake.h"
#include "media/io.h"
#include "media/media.h"
#include "media/stray.h"
#include "media/xlink.h"
#include "media/overload.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
  WORKER_COMMANDS = 128,     /* ring of commands; full: FAULT -EAGAIN */
  WORKER_EVENTS = 1024,      /* ring of events and replies */
  WORKER_HEADERS = 2048,     /* ring of captured headers (capture.h) */
  WORKER_EVENTS_SPARE = 512, /* so many are kept for replies and critical events */
};

/* What goes up: the largest of the messages upward. */
union up {
  struct mset_head h;
  struct mset_opened opened;
  struct mset_ice ice;
  struct mset_fault fault;
  struct mset_state state;
  struct mset_flow flow;
  struct mset_digit digit;
  struct mset_digits_done digits_done;
  struct mset_quality quality;
  struct mset_oneway oneway;
  struct mset_room_speaker speaker;
  struct mset_load load;
  struct mset_play_done play_done;
  struct mset_record_done record_done;
  struct mset_ended ended;
  struct mset_live live; /* the last two are the control thread's own */
  struct mset_welcome welcome;
};

struct worker {
  const struct media_options *options;
  uint32_t index, n_workers;
  pthread_t thread;
  bool has_thread;
  atomic_bool is_ending;
  uint64_t now_us; /* now_us is read once a turn. */
  struct io *io;
  struct coalesce coalesce;
  struct overload overload;
  uint64_t wall_us; /* wall_us is the wall clock, read once a turn. */
  uint32_t harvest; /* harvest counts the datagrams of this turn. */
  struct timers timers;
  struct pool *sessions; /* of struct session */
  uint32_t sessions_max;
  struct map *by_id;     /* session id → session */
  struct map *by_ufrag;  /* our ufrags → session */
  struct map *by_tuple;  /* {port, source} → struct tuple */
  struct map *by_source; /* source → who expects it at the shared ports (shared.c) */
  uint64_t last_assoc;
  uint64_t
      wary_until_us; /* wary_until_us: DTLS of strangers came; until then handshakes want a cookie. */
  struct port native[MSET_ADDRS_MAX]; /* one for each address */
  struct port shared[2][2]; /* shared are RTP and RTCP of trunk legs that share, by family; bound late */
  struct stray strays[STRAYS_MAX];
  uint32_t next_port;  /* next_port is where the search for a trunk port goes on. */
  struct facts *facts; /* facts is shared; slots of this worker begin at facts_base. */
  uint32_t facts_base;
  const struct dtlscert *_Atomic cert; /* cert is the current one, set by the control thread. */
  struct handshake *handshake;
  struct dsps *dsps;     /* dsps are the DSP threads, of all workers; NULL: none. */
  struct xlinks *xlinks; /* xlinks are the ways between all workers; NULL: none. */
  struct disk *disk;     /* disk writes recordings; NULL: nobody does. */
  uint64_t xlink_told;   /* xlink_told has a bit for each worker to be woken. */
  int wake_fd;           /* wake_fd wakes this worker, events_fd the control thread. */
  int events_fd;
  bool has_told; /* has_told: something went up in this turn. */
  struct ring commands, events, headers;
  _Atomic uint64_t drops[DROP_COUNT_];
  _Atomic uint64_t lost_events;  /* lost_events went nowhere: the ring upward was full. */
  _Atomic uint64_t lost_headers; /* and so these */
};

int worker_new(struct worker **ret, const struct media_options *o, uint32_t index, struct facts *facts,
               struct dsps *dsps,
               int events_fd) must_check; /* sockets are bound; the thread is not started */
void worker_share(struct worker *w, struct xlinks *x, struct disk *d); /* before it starts */
int worker_start(struct worker *w) must_check;
void worker_stop(struct worker *w);           /* ends the thread; it can still be told things */
struct worker *worker_free(struct worker *w); /* ends the thread, ends its sessions without a word */
OWN_DEFINE(worker)
/* Control thread: a checked command; false when the ring is full. */
bool worker_put(struct worker *w, const union mset_any *command);
bool worker_get(struct worker *w, union up *ret); /* control thread: an event or reply; false: none */

/* Worker's thread: */
void worker_turn(struct worker *w, int timeout_ms); /* one turn; for tests, too */
/* Tells upward. Events that can be spared (FLOW, QUALITY) are lost first. */
void worker_tell(struct worker *w, const union up *m, bool can_be_spared);
void worker_drop(struct worker *w, enum drop d); /* counts */
/* A new call: 0, or -EBUSY when the worker has all that it can do. */
int worker_admit(const struct worker *w, const struct mset_open *m) must_check;
