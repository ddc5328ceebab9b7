/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of the control thread share: media.c (commands, life), known.c (its sessions), upward.c
 * (what the controller is told). Nobody else includes it. */
#pragma once
#include "base/list.h"
#include "base/loop.h"
#include "media/backlog.h"
#include "media/certs.h"
#include "media/dsp.h"
#include "media/facts.h"
#include "media/media.h"

struct known { /* a session as the control thread sees it */
  struct list node;
  uint64_t id;
  uint32_t worker;
  uint64_t far;          /* far is the peer on another worker that it is linked with; 0: none. */
  uint64_t room;         /* room is the one that it is in; 0: none. */
  uint64_t orphan_at_us; /* orphan_at_us is when it ends; 0: its controller is there. */
  char call[MSET_TEXT_BYTES];
};

struct media {
  struct media_options options;
  struct facts facts;
  struct dsps *dsps;
  struct xlinks *xlinks;
  bool is_dsp_full;
  struct mset_load loads[64]; /* loads are what was told of each worker last. */
  struct roomlist *rooms;
  struct prompts *prompts;
  struct disk *disk;
  struct recorder *recorder;
  struct loop *loop;
  struct worker *workers[64];
  uint32_t live[64]; /* live counts the sessions of each worker. */
  int listen_fd, events_fd, stop_fd;
  bool is_stopping, is_greeted, is_bound;
  struct watch listening, events, stop, controller;
  struct timer tick;
  struct map *by_id;
  struct list sessions;
  uint8_t instance[16];
  struct backlog backlog;
  struct certs certs;
  uint8_t verdicts[64]; /* verdicts are what each worker said last. */
  uint64_t log_us;
  uint64_t logged[DROP_COUNT_];
};

struct known *known_find(const struct media *m, uint64_t id); /* NULL: there is none */
/* Beside the session that the command names, else on the worker with the fewest. */
int known_new(struct media *m, const struct mset_open *o, struct known **ret) must_check;
struct known *known_free(struct media *m, struct known *k);
void known_part(struct media *m, struct known *k); /* linked with nobody on another worker any more */
/* A LINK between two workers goes to both; the session's own answers. */
int known_link(struct media *m, union mset_any *c, struct known *k) must_check;
void known_expire(struct media *m, uint64_t now_us); /* those of a lost controller, once it is time */

void upward_send(struct media *m, const union up *u); /* nobody greeted us: nothing */
void upward_fault(struct media *m, const struct mset_head *h, int error);
void upward_flush(struct media *m);                /* the socket takes more */
void upward_end(struct media *m, const char *why); /* lets the controller go */
void upward_headers(struct media *m,
                    struct worker *w); /* a controller that does not read loses them: they never wait */
void upward_dsp(struct media *m);      /* transcoding became full, or has room again: told once */
void upward_hear(void *arg, uint32_t events); /* workers have something to tell */
