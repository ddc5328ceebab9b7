/* SPDX-License-Identifier: Apache-2.0
 * The operators' own database (state/operators.db): users, API tokens, sessions, and the audit. Apart
 * from the records, so that neither waits for the other. Any thread: one lock inside; changes are on the
 * disk when a function returns. Texts are bound, never part of a statement. */
#pragma once
#include "base/slice.h"

struct ledger;
/* Made (0600) when absent, and beside it audit.key, by which the audit is sealed. 0, -errno or -EIO
 * (SQLite said no, or a newer program's file). */
int ledger_new(struct ledger **ret_ledger, const char *file) must_check;
struct ledger *ledger_free(struct ledger *l);
OWN_DEFINE(ledger)
bool ledger_is_well(const struct ledger *l); /* the last write succeeded */
bool ledger_probe(struct ledger *l); /* can it be written? Writes, where the last write failed. */

/* --- staff: who may operate --------------------------------------------------------------------------
 */
#define STAFF_USERS_MAX 1000
#define STAFF_TOKENS_MAX 1000
#define STAFF_SESSIONS_MAX 4096
#define STAFF_NAME_BYTES 65
#define STAFF_ROLE_BYTES 16
#define STAFF_HASH_BYTES 136
#define STAFF_ID_BYTES 28

struct staff_user {
  char name[STAFF_NAME_BYTES], role[STAFF_ROLE_BYTES];
  char hash[STAFF_HASH_BYTES]; /* hash is argon2id's text, never shown. */
  uint64_t created_ms, last_login_ms;
  bool locked;
};

struct staff_token {
  char id[STAFF_ID_BYTES], name[STAFF_NAME_BYTES], role[STAFF_ROLE_BYTES];
  char by[STAFF_NAME_BYTES]; /* by is who made it. */
  uint8_t digest[32];        /* digest is SHA-256 of the token. */
  uint64_t created_ms, expires_ms, last_used_ms;
};

struct staff_session {
  uint8_t digest[32];          /* digest is SHA-256 of the cookie's value. */
  char user[STAFF_NAME_BYTES]; /* user, or the name of the token that it was opened by. */
  uint8_t origin[32];          /* origin is the digest of that token; zeros: a user's password. */
  uint64_t created_ms, used_ms;
};

/* Grows with each change of staff: what was looked up under another number may be stale. */
uint64_t staff_generation(const struct ledger *l);

/* 0, -EEXIST, -ENOSPC (limit) or -EIO. */
int staff_user_add(struct ledger *l, const struct staff_user *u) must_check;
int staff_user_set(struct ledger *l, const struct staff_user *u) must_check; /* by name; -ENOENT */
int staff_user_del(struct ledger *l, const char *name) must_check; /* with the sessions; -ENOENT */
int staff_user_get(struct ledger *l, const char *name, struct staff_user *ret) must_check;
void staff_user_seen(struct ledger *l, const char *name, uint64_t wall_ms); /* a login */
/* Heap array of *ret_n, by name. */
int staff_users(struct ledger *l, struct staff_user **ret, size_t *ret_n) must_check;

/* -ENOSPC: STAFF_TOKENS_MAX are there. */
int staff_token_add(struct ledger *l, const struct staff_token *t) must_check;
int staff_token_del(struct ledger *l, const char *id, struct staff_token *ret) must_check; /* -ENOENT */
int staff_token_find(struct ledger *l, const uint8_t digest[32], struct staff_token *ret) must_check;
int staff_tokens(struct ledger *l, struct staff_token **ret, size_t *ret_n) must_check;
void staff_token_seen(struct ledger *l, const uint8_t digest[32], uint64_t wall_ms);

/* Past the limit, and past used_before_ms or created_before_ms, the oldest go. */
int staff_session_add(struct ledger *l, const struct staff_session *s, uint64_t used_before_ms,
                      uint64_t created_before_ms) must_check;
int staff_session_find(struct ledger *l, const uint8_t digest[32], struct staff_session *ret) must_check;
int staff_session_del(struct ledger *l, const uint8_t digest[32]) must_check;
int staff_sessions_end(struct ledger *l, const char *user) must_check; /* all of a user */
void staff_session_seen(struct ledger *l, const uint8_t digest[32], uint64_t wall_ms);

/* --- audit: who changed what -------------------------------------------------------------------------
 */
#define AUDIT_TEXT_BYTES 16384 /* before and after are cut past it (by who writes) */

struct audit_row {
  uint64_t seq, at_ms;
  const char *who, *role, *from, *verb, *what, *before, *after; /* before, after: JSON or "" */
  unsigned status;
  uint8_t hash[32]; /* hash is SHA-256 over the hash before and every column, each with its length. */
};

/* Adds a row: seq and hash are filled in; texts are borrowed. 0 or -EIO. */
int audit_add(struct ledger *l, struct audit_row *row) must_check;
/* Newest first. NULL or 0: any; what is contained in the row's. */
struct audit_query {
  uint64_t before_seq, since_ms, until_ms;
  const char *who, *verb, *what;
  unsigned limit;
};
int audit_list(struct ledger *l, const struct audit_query *q, struct audit_row **ret,
               size_t *ret_n) must_check; /* audit_rows_free() frees what came; -ENOMEM */
struct audit_row *audit_rows_free(struct audit_row *rows, size_t n);
/* What a walk over the chain finds. */
enum audit_fault {
  AUDIT_WHOLE,
  AUDIT_ROW,   /* broken_at is the first row that isn't as it was written */
  AUDIT_HEAD,  /* the rows fit, but the head is not ours: rows were cut off (one past the last that is
                * there), or all was written anew by somebody without the key */
  AUDIT_SINCE, /* that was so once, and rows were added since: up to broken_at nobody vouches */
};
struct audit_found {
  enum audit_fault fault;
  uint64_t rows, first, broken_at; /* first is the oldest row kept; broken_at 0: nothing is */
};
int audit_verify(struct ledger *l, struct audit_found *ret) must_check; /* 0 or -EIO */
/* The oldest rows go, those from before then, and all but keep_rows; at most 1,000 at a time. The seal
 * says where the rest begins. Nothing goes from an audit whose head is not ours. */
int audit_prune(struct ledger *l, uint64_t before_ms, uint64_t keep_rows, uint64_t *ret_n) must_check;

/* --- kept: what operators see that outlives a restart ------------------------------------------------
 */
#define KEPT_BANS_MAX 1024
#define KEPT_ALARMS_MAX 256
#define KEPT_REPORTS_MAX 24

struct kept_ban {
  char address[64], why[257], by[65];
  uint64_t until_ms, hits; /* wall clock */
  bool by_hand;
};
struct kept_alarm {
  char id[20], kind[32], what[65], severity[16], text[320], acked_by[65];
  uint64_t raised_ms, cleared_ms; /* cleared_ms 0: it stands */
};
/* All of them, in place of what was there, in one transaction: 0 or -EIO. */
int kept_bans_put(struct ledger *l, const struct kept_ban *list, size_t n) must_check;
int kept_alarms_put(struct ledger *l, const struct kept_alarm *list, size_t n) must_check;
/* Into list, of the maximum: how many. */
size_t kept_bans(struct ledger *l, struct kept_ban *list);
size_t kept_alarms(struct ledger *l, struct kept_alarm *list);

/* Reports of Trunk Doctor, each by its id; past the limit the oldest go. 0 or -EIO. */
int kept_report_put(struct ledger *l, const char *id, const char *text, uint64_t wall_ms) must_check;
int kept_report_del(struct ledger *l, const char *id) must_check;
/* Their texts, in the order in which they were first put: each is told once, borrowed. */
void kept_reports(struct ledger *l, void (*each)(void *arg, const char *text), void *arg);
