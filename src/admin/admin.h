/* SPDX-License-Identifier: Apache-2.0
 * Door of the area admin: the operators' own server. /healthz and /readyz are open, all else is behind
 * the admin token. Records are read and tokens minted on the web threads; the list of live calls is
 * asked of the call thread (the owner). */
#pragma once
#include "base/count.h"
#include "base/hist.h"
#include "revise/revise.h"
#include "console/assets.h"
#include "store/store.h"
#include "trace/trace.h"
#include "web/web.h"

#define ADMIN_GROUPS_MAX 32
#define ADMIN_REASON_BYTES 160

/* Where records are sent; url NULL or "": nowhere. */
struct admin_push {
  const char *url, *secret_file, *ca; /* ca "": the system's */
  unsigned batch;
  uint64_t keep_h, keep_records;
  unsigned back_off_ms; /* 0: 500: after the first failure, then doubled to five minutes */
  unsigned behind_ms;   /* 0: 60,000: a receiver that is away so long is an alarm */
};
enum admin_timeline_form { ADMIN_TIMELINE_JSON, ADMIN_TIMELINE_PCAP, ADMIN_TIMELINE_DIGITS };

/* A client certificate and its role: match is "dns:NAME" and its like, see conf/fields.def. */
struct admin_certificate {
  const char *name, *match, *role;
};

/* A part of the live calls: those from at on, at most limit; trunk, user and state NULL: of all. at
 * becomes where the next part begins, 0: there is none. */
struct admin_part {
  uint32_t at, limit;
  const char *trunk, *user, *state;
};

struct admin_settings {
  /* A record was erased: what else is kept of that call goes. Any thread; by calls_arg. NULL: nothing
   * is. */
  void (*forget)(void *arg, const char *call_id);
  struct addr listen;
  const char *cert_file, *key_file; /* NULL: plain HTTP, loopback only */
  const char *client_ca;            /* NULL: no client certificates */
  const char *client_crl;           /* PEM of those that were taken back; NULL: none was */
  const struct admin_certificate *client_certs;
  size_t client_certs_n;
  const char *const *hosts;
  size_t hosts_n;
  const char *token_file; /* token_file holds the admin token; made (0600) when absent. */
  const char *store_file; /* store_file is the database of records. */
  const struct asset
      *files; /* files are the console's, gzipped; NULL: no console. They live for ever. */
  size_t files_n;
  const char *ledger_file;                   /* ledger_file is the database of operators and audit. */
  unsigned audit_keep_days, audit_keep_rows; /* 0: 400 and 500,000 */
  struct revise *revise; /* revise is the configuration as a document; borrowed; NULL: none. */
  struct admin_push push;
  struct tokens *tokens; /* tokens mints and revokes; borrowed. */
  /* Ready? False and words in ret_why, e.g. "media is not connected". Any thread. NULL: always ready. */
  bool (*ready)(void *arg, char ret_why[ADMIN_REASON_BYTES]);
  void *ready_arg;
  /* The same for /healthz: false where only another start helps; ready_arg. NULL: always. */
  bool (*alive)(void *arg, char ret_why[ADMIN_REASON_BYTES]);
  /* Live calls as a JSON array (new reference); called on the owner thread. */
  json_t *(*calls)(void *arg, struct admin_part *part);
  void *calls_arg;
  /* One live call, NULL: none of that id. Ends it: false if there is none. */
  json_t *(*call)(void *arg, const char *id);
  bool (*hangup)(void *arg, const char *id);
  /* No new calls from now on (or again); with a deadline the process ends when it is idle, at the latest
   * then. */
  void (*drain)(void *arg, bool on, uint32_t deadline_s);
  /* Bans: {"bans":[…]}; 0, -EINVAL (no address), -ENOSPC; 0 or -ENOENT. */
  json_t *(*certificates)(void *arg); /* [{use, trunk, file}] */
  json_t *(*bans)(void *arg);
  int (*ban)(void *arg, const char *address, uint32_t seconds, const char *why, const char *by);
  int (*unban)(void *arg, const char *address);
  size_t (*bans_kept)(void *arg, struct kept_ban *list); /* all in force, at most KEPT_BANS_MAX */
  unsigned session_idle_s, session_life_s;               /* 0: 28,800 and 86,400 */
  unsigned streams_max;     /* streams_max is how many may listen to events; 0: 1000 */
  unsigned per_address_max; /* per_address_max: connections from one address; 0: 64 + streams_max / 8 */
  /* Trunks with health, certificates and figures, {"trunks":[…],"alarms":[…]}, by the same argument. */
  json_t *(*trunks)(void *arg);
  /* A call's timeline is asked for: admin_timeline_reply() answers, now or later. By the same argument.
   */
  void (*timeline)(void *arg, const char *call_id, enum admin_timeline_form form, web_handle ask);
  /* The headers of its packets are all kept for so long: 0, -ENOENT (no such live call), -ENODATA (it
   * has no timeline), -EBUSY (too many at a time). */
  int (*capture)(void *arg, const char *call_id, uint32_t seconds);
  /* Trunk Doctor, on the owner thread; start NULL: there is none. Errors as in doctor/doctor.h. */
  struct {
    void *arg;
    int (*start)(void *arg, struct slice trunk, char ret_id[40]);
    json_t *(*list)(void *arg);
    json_t *(*report)(void *arg, struct slice id);
    char *(*page)(void *arg, struct slice id, bool is_text); /* to print; heap */
    int (*stop)(void *arg, struct slice id);
  } doctor;
};

/* What the owner tells each second; totals are since the start. */
struct admin_facts {
  uint32_t live, ringing, max, workers, load_permille, trunks, trunks_online;
  uint64_t calls, answered, ended, refused, talk_ms, talks;
  uint64_t pdd_ms, pdds; /* post-dial delay: the sum, of so many calls */
  bool media, draining;
  char backend[16];
  char instance[40];
  uint64_t config_version, confirm_by_ms; /* confirm_by_ms 0: nothing waits to be confirmed */
  uint16_t mos_x100;                      /* 0: unknown */
};

/* An alarm that stands now. */
struct admin_alarm {
  char kind[32], what[65], text[320];
  const char *severity; /* severity is a literal: critical, warning, info */
};

struct admin;
/* Made and freed by the owner thread; call admin_count() for each table before traffic matters. */
int admin_new(struct admin **ret_admin, const struct admin_settings *s, const char **ret_why) must_check;
struct admin *admin_free(struct admin *a);
OWN_DEFINE(admin)
/* Records go elsewhere from now on. Owner thread. admin_push_check: any. */
int admin_push_set(struct admin *a, const struct admin_push *s) must_check;
int admin_push_check(const struct admin_push *s, const char **ret_why) must_check;
int admin_attach(struct admin *a, struct loop *l) must_check; /* the owner's loop */
/* The owner's, once a second: facts, and all alarms that stand; what is missing of those before is over.
 */
void admin_tick(struct admin *a, const struct admin_facts *f, const struct admin_alarm *alarms,
                size_t n);
/* Other rows of client certificates, from now on: what a row opened that is no more ends. 0 or -ENOMEM;
 * rows that cannot be read are left out. Any thread. */
int admin_certificates(struct admin *a, const struct admin_certificate *rows, size_t n) must_check;
/* An event for all that listen; data is taken. Goes out with the next tick. Owner thread. */
void admin_tell(struct admin *a, const char *event, json_t *data);
bool admin_is_watched(struct admin *a); /* somebody listens */
/* May more rows be told with this tick? So that all who listen together get ADMIN_CAST_BYTES a second at
 * most (each of them ADMIN_CAST_LEAST_BYTES if there are very many); what has no room is told later, as
 * it is then. */
#define ADMIN_CAST_BYTES (64u << 20)
#define ADMIN_CAST_LEAST_BYTES 8192u
bool admin_has_room(struct admin *a);
/* Adds a table of counters to /metrics; it must outlive the server. 0 or -ENOSPC. */
int admin_count(struct admin *a, struct counts *c) must_check;
/* The histograms of /metrics, those of one name together. */
void admin_hists(struct admin *a, const struct hist *hists, size_t n);
/* Adds one number that a function reads (any thread). Texts are literals. 0 or -ENOSPC. */
int admin_gauge(struct admin *a, const char *name, const char *help, uint64_t (*fn)(void *arg),
                void *arg) must_check;
/* The parts of a timeline in order, for who asked; n 0: the call has none. Owner thread. */
struct admin_timeline {
  web_handle ask;
  enum admin_timeline_form form;
  const char *call_id;
  bool is_live;
  size_t n;
  const struct slice *blob;
  const uint32_t *part; /* part are their numbers. */
  const struct traces *traces;
};
void admin_timeline_reply(struct admin *a, const struct admin_timeline *t);
/* A report of Trunk Doctor, to be kept beyond a restart (both texts are copied; text NULL: no more);
 * written by a thread of the door soon. Owner thread. */
void admin_report(struct admin *a, const char *id, const char *text);
/* Those of an earlier life, the oldest first; at start. */
void admin_reports(struct admin *a, void (*each)(void *arg, const char *text), void *arg);
uint16_t admin_port(const struct admin *a);
const char *admin_token(const struct admin *a); /* for ./run's page: show it to the operator only */
