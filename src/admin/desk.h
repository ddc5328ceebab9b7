/* SPDX-License-Identifier: Apache-2.0
 * Inside of the area: the admin object and what its rooms share. */
#pragma once
#include "admin/admin.h"
#include "admin/again.h"
#include "admin/alarms.h"
#include "admin/cert.h"
#include "admin/denied.h"
#include "admin/gate.h"
#include "admin/overview.h"
#include "admin/metrics.h"
#include "admin/show.h"
#include "admin/throttle.h"
#include "admin/verb.h"

#include <pthread.h>

/* Text of events that grows (events.c). */
struct pending {
  char *text;
  size_t n, room;
};
enum { ADMIN_STREAMS = 1000, ADMIN_REQUESTS = 256 };

/* What a credential was found to be, for a second (who.c). */
struct known {
  struct web_asker who;
  uint64_t until_us;
};
enum { KNOWN_MAX = 256 };

struct admin {
  bool is_tls;
  struct web *web;
  struct web_row *rows;
  char *openapi;         /* openapi is the document, made once. */
  struct ledger *ledger; /* ledger has its own lock. */
  struct gate gate;
  uint64_t session_idle_ms, session_life_ms, audit_keep_ms, audit_keep_rows;
  struct keeper *keeper;
  struct keep *keep;
  struct reports *reports;
  struct listings *listings; /* listings are pages of live calls that are being made (owner thread). */
  struct admin_settings set; /* set is what app wired in; its texts are only good in admin_new(). */
  struct pending pending;    /* pending is what goes out with the next tick (owner thread), */
  struct web_scene scene;    /* scene what new listeners get, as it was made at scene_us. */
  uint64_t scene_us;
  uint32_t ticks;
  pthread_mutex_t lock; /* lock is for what follows. */
  struct overview overview;
  struct alarms alarms;
  json_t *trunk_rows; /* trunk_rows is what the owner said of trunks lately; NULL: nothing yet. */
  bool alarms_new;    /* alarms_new: this tick raised or cleared one. */
  struct throttle *throttle;
  struct throttle *familiar; /* familiar are users with addresses that they logged in from. */
  struct denied denied;
  struct again *again;
  struct known known[KNOWN_MAX];
  struct cert_row *certs; /* certs are rows of client certificates, certs_n of them. */
  size_t certs_n;
  uint64_t certs_generation; /* certs_generation grows when they change. */
  char *store_file;
  struct push *push;
  pthread_mutex_t reading; /* reading is for reader: a search may take a while. */
  struct reader *reader;
  struct counts *tables[ADMIN_GROUPS_MAX];
  struct gauge gauges[ADMIN_GROUPS_MAX];
  size_t tables_n, gauges_n;
  const struct hist *hists;
  size_t hists_n;
};

/* The metrics page on the heap (verbs.c); NULL: no memory. */
char *desk_metrics(struct admin *a, bool open, size_t *ret_bytes);

/* who.c, desk.c: hooks of web; arg is the admin */
bool desk_who(void *arg, const struct web_knock *k, struct web_asker *ret_who, struct web_answer *ret);
void desk_finish(void *arg, void *note, struct web_answer *answer);
void desk_note_free(void *note);
web_direct_fn desk_direct;
web_ask_fn desk_asked; /* the owner's side */

bool desk_still(void *arg, struct web_asker *who);

/* keep.c: bans and alarms, so that they outlive a restart. Taken from the owner's tick, or by who
 * changes them; written by the keeper's turn, or at once. */
int keep_start(struct admin *a) must_check; /* reads the alarms back */
void keep_stop(struct admin *a);            /* writes what waits */
void keep_bans(struct admin *a);            /* owner thread: they may have changed */
void keep_alarms(struct admin *a);          /* under a->lock: they have */
int keep_write(struct admin *a) must_check; /* all that waits, now: 0 or -EIO */
void keep_turn(struct admin *a);            /* now and then, for who has nobody waiting */
/* reports.c: reports of Trunk Doctor, likewise */
int reports_start(struct admin *a) must_check;
void reports_stop(struct admin *a); /* writes what waits */
void reports_turn(struct admin *a);
/* listing.c: pages of live calls, made piece by piece on the owner's loop */
int listings_start(struct admin *a, struct loop *l) must_check;
void listings_stop(struct admin *a);
/* keeper.c: the thread that ends streams with their sessions. */
int keeper_start(struct admin *a) must_check;
void keeper_stop(struct admin *a);

/* who.c */
bool who_token(struct admin *a, struct slice token,
               struct web_asker *ret); /* of the file, or an API token */

/* audit.c: from, what, before and after may be NULL. */
int audit_note(struct admin *a, const struct verb *v, const struct web_asker *who, const char *from,
               const char *what, const char *before, const char *after, unsigned status) must_check;

/* A refusal, to be written down by the keeper. name is who it was, NULL: who->name or nobody. */
void audit_denied(struct admin *a, const struct verb *v, const struct web_asker *who, const char *name,
                  const struct addr *from, unsigned status);
/* keeper: what is due of these; and what is too old goes. */
bool audit_alarm(struct admin *a, struct admin_alarm *ret); /* true: it stands; any thread */
void audit_denied_flush(struct admin *a);
void audit_trim(struct admin *a);
