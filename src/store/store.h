/* SPDX-License-Identifier: Apache-2.0
 * Door of the area store: call records in SQLite (WAL), written by a thread of its own from a bounded
 * mailbox, so that no caller ever waits for a disk. What cannot be written waits in a bounded ring in
 * memory and is counted. A record is a value; rows are replaced by id. */
#pragma once
#include "base/count.h"
#include "base/slice.h"
#include "store/ledger.h"
#include "store/tracebook.h"

#define RECORD_TELEMETRY_BYTES 2049
#define RECORD_ATTEMPTS_BYTES 1537

enum record_state { RECORD_LIVE, RECORD_ENDED, RECORD_REFUSED };
enum record_direction {
  RECORD_IN,
  RECORD_OUT
}; /* in: from a trunk to the app; out: from the app to a trunk */
enum record_leg_kind { RECORD_LEG_NONE, RECORD_LEG_TRUNK, RECORD_LEG_NATIVE };

/* What one direction of one leg's media did: rx is what we received from that peer. */
struct record_flow {
  uint64_t packets, bytes;
  uint64_t lost;
  uint32_t jitter_us;
  uint64_t auth_failures;
  uint16_t mos_x100; /* mos_x100 is the mean opinion score of this direction times 100; 0 unknown. */
};

struct record_leg {
  enum record_leg_kind kind;
  char peer[65];                        /* peer is the trunk's name or the identity. */
  char sip_call_id[129];                /* sip_call_id is the Call-ID of this leg; "" for native. */
  char remote_addr[64];                 /* remote_addr is the signaling address, "1.2.3.4:5061". */
  char media_addr[64];                  /* media_addr is where its media came from. */
  char local_user[65], remote_user[65]; /* numbers or names as this leg showed them */
  char device[65];
  char codec[24];
  char suite[40];            /* suite is the SRTP suite by its IANA name, or "none". */
  char dtls[24];             /* dtls is "DTLSv1.2" …, "" without. */
  struct record_flow rx, tx; /* tx: lost and jitter as the peer reported them */
  uint32_t rtt_us;
  uint16_t mos_x100;          /* mos_x100 is the worse one of rx and tx. */
  uint32_t silent_ms;         /* silent_ms: nothing came from it while the far side was heard. */
  uint32_t dtmf_in, dtmf_out; /* digits received from, sent to this peer */
};

struct record {
  char id[40]; /* id is the record's, "c_…": the call's id where there was a call. */
  char call_id[40];
  enum record_direction direction;
  enum record_state state;
  uint64_t started_ms, ringing_ms, answered_ms, ended_ms; /* wall clock; 0: never */
  char from[129], to[129];
  char identity[65], tenant[65];                    /* the app's user */
  char session_id_local[33], session_id_remote[33]; /* RFC 7989 */
  char rule[40];             /* rule is the verdict's row, "unknown_source"; "" where none refused. */
  char reason[32];           /* reason is a word of native-signaling section 7. */
  char end_by[12];           /* end_by is local, remote or gateway. */
  uint16_t sip_status, q850; /* 0: none */
  char detail[256];
  struct record_leg caller, callee;       /* caller is the side that started the call. */
  uint32_t interim;                       /* interim counts the rows written while it was live. */
  char telemetry[RECORD_TELEMETRY_BYTES]; /* telemetry is JSON text from the client, "" none. */
  char metadata[4097];                    /* metadata is JSON text, "" none. */
  uint64_t config_version;
  char verified[16];                    /* who vouches for from, "": not asked */
  char attempts[RECORD_ATTEMPTS_BYTES]; /* JSON text: whom the call was led to, in order; "" none. */
  char
      cause_id[32]; /* cause_id is a slug of trace/why.def: why it failed or sounded bad; "": neither. */
  char cause_text[240]; /* the same in a sentence */
  /* What the plan was asked, as the caller's side wrote it: for replay. */
  char asked_called[65], asked_caller[65];
  uint8_t asked_flags; /* of enum record_asked */
  uint64_t early_ms;   /* early_ms is when the caller first heard media before the answer; 0: never. */
  uint32_t repeats;    /* refused: so many more of that source, trunk and rule are told by this row */
};

enum record_asked {
  RECORD_ANONYMOUS = 1,
  RECORD_UNASKED = 2, /* the plan was not asked: a user by name, a transfer, Replaces */
};

const char *record_state_text(enum record_state s);         /* live ended refused */
const char *record_direction_text(enum record_direction d); /* in out */
const char *record_leg_kind_text(enum record_leg_kind k);   /* none trunk native */
bool record_state_find(struct slice text, enum record_state *ret);

/* When the caller first heard of the far side: it rang, or its early media came, or it answered; 0: never. */
static inline uint64_t record_rang_ms(const struct record *r) {
  uint64_t first_ms = r->ringing_ms;
  if (r->early_ms && (!first_ms || r->early_ms < first_ms))
    first_ms = r->early_ms;
  return first_ms ? first_ms : r->answered_ms;
}

#define RECORD_BILLING_BYTES 129
/* The same text on both sides of a trunk: the halves of Session-ID, the lower first, or the Call-ID of
 * the trunk's leg where the peer sends none. "": neither is known. */
void record_billing_id(const struct record *r, char ret[RECORD_BILLING_BYTES]);

struct store_settings {
  const char *file;          /* file is the database; made 0600 when absent. */
  size_t queue_max;          /* 0: 4,096 records may wait */
  unsigned commit_ms;        /* 0: 50: how long a batch is collected */
  unsigned retry_ms;         /* 0: 1,000: after a failed commit (disk full, locked) */
  uint64_t keep_ms;          /* 0: for ever; else ended records older than this are deleted */
  bool spool, spool_interim; /* each record that is over (interim: live ones too) waits for a receiver */
  /* What a flood of refused attempts is held to; 0: of one source, trunk and rule in 60 s 600 are records
   * of their own, 20 where no trunk or user is known, 300 of all such; the rest is counted in rows that
   * are written every 10 s. */
  unsigned refused_alone, strangers_all, refused_window_ms, refused_write_ms;
  uint64_t keep_bytes;       /* 0: any; else the oldest ended records go while the file holds more */
};

struct store;
/* Opens or makes the database, closes rows that an earlier instance left live (ended_ms: the latest
 * time known of them, reason gateway_restart), starts the writer. 0 or -errno (-EIO: SQLite said no). */
int store_new(struct store **ret_store, const struct store_settings *s) must_check;
struct store *store_free(struct store *s); /* writes what waits (at most 5 s), ends the thread */
OWN_DEFINE(store)
/* Copies and queues; any thread; never blocks on the disk. Refused attempts give way to calls, and many
 * alike are one row (repeats). 0, or -EAGAIN: too many wait, the oldest was given up (counted). */
int store_put(struct store *s, const struct record *r);
/* Waits until what was put before is committed; 0 or -ETIMEDOUT. For tests and clean shutdown. */
int store_flush(struct store *s, unsigned timeout_ms) must_check;
/* Other limits of age and size (as in the settings), from now on; any thread. */
void store_keep(struct store *s, uint64_t keep_ms, uint64_t keep_bytes);
/* Do records that are put from now on wait for a receiver? As in the settings; any thread. */
void store_spool(struct store *s, bool spool, bool interim);
bool store_is_well(const struct store *s); /* the last commit succeeded */
const char *store_why(const struct store *s);  /* why it did not, by SQLite's words; "" */
/* The file was broken and is kept beside as FILE.broken-<time>; records go into a new one. */
bool store_is_renewed(const struct store *s);

/* A file beside the database keeps room for a start on a disk that others filled: without room a program
 * that died could not come back, and calls with it. The writer makes it where there is plenty. */
bool reserve_take(const char *file); /* true: there was no room, and it was given free */
void reserve_make(const char *file);

enum store_count {
  STORE_COMMITTED,
  STORE_FAILED,
  STORE_DROPPED,         /* calls */
  STORE_DROPPED_REFUSED, /* refused attempts */
  STORE_GATHERED,
  STORE_WAITING,
  STORE_EXPIRED,
  STORE_COUNT_
};
struct counts *store_counts(struct store *s);

/* Reading: a connection of its own (read-only). A reader belongs to one thread at a time. */
struct reader;
int reader_new(struct reader **ret_reader, const char *file) must_check; /* 0 or -EIO */
struct reader *reader_free(struct reader *r);
OWN_DEFINE(reader)

#define READER_LIMIT_MAX 500
#define READER_CURSOR_BYTES 64

struct reader_query {
  uint64_t since_ms, until_ms; /* since_ms ≤ started < until_ms; 0: open */
  bool has_state;
  enum record_state state;
  char reason[32]; /* reason, exact; "" any */
  char number[257]; /* number of one of its sides, as the call or a leg showed it; "" any */
  char user[257], trunk[257], tenant[257], rule[40], cause[32]; /* exact; "" any */
  char q[513];                         /* q is how a number, a user or a Call-ID begins; "" any */
  uint16_t min_mos_x100, max_mos_x100; /* of the worse leg; 0: any, also calls without a score */
  unsigned deadline_ms;                /* 0: 3,000: then -ETIMEDOUT */
  unsigned limit;                      /* 0: 50 */
  char cursor[READER_CURSOR_BYTES];    /* cursor of an earlier answer; "" the newest */
};

/* Newest first. *ret_records is a heap array of *ret_n (free()), ret_cursor "" at the end.
 * 0, -EINVAL (cursor, limit), -ENOMEM, -EIO, -ETIMEDOUT (narrow it). */
int reader_list(struct reader *r, const struct reader_query *q, struct record **ret_records,
                size_t *ret_n, char ret_cursor[READER_CURSOR_BYTES]) must_check;
int reader_get(struct reader *r, const char *id, struct record *ret) must_check; /* -ENOENT */

/* A backup is one file, made while the program runs (any thread, a while), 0600. */
struct store_backup_facts {
  unsigned schema;
  uint64_t records, bytes, newest_ms; /* newest_ms is when its last call started. */
};
/* 0; -EEXIST; -EBADMSG: the copy is not sound; -EIO. */
int store_backup(const char *file, const char *to_file, struct store_backup_facts *ret) must_check;
/* Looks at a backup: 0, -ENOENT, -EBADMSG, -EPROTO (a newer program's). */
int store_backup_check(const char *file, struct store_backup_facts *ret) must_check;
/* Puts a backup in the database's place; what was there stays beside it as .before-restore. Only while
 * no program has it open. */
int store_restore(const char *backup, const char *file, struct store_backup_facts *ret) must_check;

char *store_schema(const char *file); /* its statements, for people; heap, NULL: no memory */

struct store_erased {
  uint64_t records, live; /* live calls of that person are written again at their end: ask again then. */
};
/* Replaces a number or a user in all records that are over, drops their telemetry and metadata. Any
 * thread, a while. gone (may be NULL) is told each record's id. -EINVAL: shorter than 2 characters;
 * -EBUSY: erased, but a long read keeps the old rows in the log: ask again. */
int store_erase(const char *file, const char *who, uint64_t wall_ms,
                void (*gone)(void *arg, const char *id), void *arg, struct store_erased *ret) must_check;

/* What waits for the receiver of records, written with the records themselves. A connection of its own;
 * one thread at a time. */
struct spool;
int spool_new(struct spool **ret_spool, const char *file) must_check; /* 0, -ENOMEM, -EIO */
struct spool *spool_free(struct spool *s);
OWN_DEFINE(spool)

struct spool_item {
  uint64_t seq, at_ms; /* seq is never given twice; at_ms is when it was put. */
  char id[40];         /* id of the record */
};
/* The oldest, in order: their number, or -EIO. */
int spool_next(struct spool *s, struct spool_item *ret, unsigned max) must_check;
int spool_done(struct spool *s, uint64_t seq) must_check; /* these and all before it are delivered */
/* Gives up what is older, and the oldest beyond so many: how many, or -EIO. */
int64_t spool_limit(struct spool *s, uint64_t before_ms, uint64_t max) must_check;
int64_t spool_count(struct spool *s) must_check;
/* What the records of a span say in all; those still live count as placed. */
struct reader_sums {
  uint64_t calls, answered, refused;
  uint64_t talks, talk_ms; /* calls that were answered and are over */
  uint64_t pdds, pdd_ms;   /* calls that rang or were answered */
};
int reader_sums(struct reader *r, uint64_t since_ms, uint64_t until_ms,
                struct reader_sums *ret) must_check; /* 0 or -EIO */
/* A call of the past as it was asked, for who asks another plan; slices live for the callback. */
struct record_past {
  struct slice id, trunk, identity, tenant, called, caller, verified, rule;
  uint64_t started_ms, answered_ms, ended_ms;
  bool is_anonymous, is_unasked, is_live, is_refused;
};
/* Oldest first, at most max; fn ends it by -errno. 0, -EIO or what fn said. */
int reader_past(struct reader *r, uint64_t since_ms, uint64_t until_ms, uint32_t max,
                int (*fn)(void *arg, const struct record_past *p), void *arg) must_check;
