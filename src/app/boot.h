/* SPDX-License-Identifier: Apache-2.0
 * The wired house of sallyportd: everything it is made of, started in order, ended in reverse. Call
 * thread. */
#pragma once
#include "admin/admin.h"
#include "call/call.h"
#include "doctor/doctor.h"
#include "flow/flow.h"
#include "native/native.h"
#include "revise/revise.h"
#include "stir/stir.h"
#include "trunk/trunk.h"

#include <stdatomic.h>

enum { HOUSE_LOADS = 4 };

struct house {
  const char *conf_file;
  struct conf *conf;
  struct plan *plan;
  struct conf **old_confs; /* old_confs are those that reloads replaced: pointers into them may live. */
  size_t old_n;
  struct loop *loop;
  struct root *root;
  struct tokens *tokens;
  struct store *store;
  struct tracebook *tracebook;
  struct traces *traces;
  struct guard *guard;
  struct calls *calls;
  struct trunks *trunks;
  struct native *native;
  struct admin *admin;
  struct doctor *doctor;
  struct native_file *files;
  struct counts drops; /* drops are the media process' own, copied from its table. */
  struct counts backends, loads;
  _Atomic uint64_t load_values[HOUSE_LOADS];
  _Atomic uint64_t backend_values[MSET_BACKEND_COUNT_];
  _Atomic uint64_t drop_values[DROP_COUNT_];
  struct revise *revise;
  struct mbox *handovers; /* handovers are configurations on their way into force. */
  struct watch handover;
  _Atomic bool gone; /* gone: the call thread turns no more. */
  struct watch signals;
  struct timer tick;
  _Atomic uint64_t turned_us; /* turned_us: when the call thread was here last; any thread looks */
  _Atomic bool draining; /* for /readyz, from any thread */
  uint64_t drain_until_us; /* drain_until_us: draining ends the process then; 0: it does not */
  uint32_t ticks;
  char instance[33]; /* instance is new at each start. */
  int lock_fd;                                    /* lock_fd keeps other instances off the state. */
  int stop; /* stop is the signal that asked for the end, 0 while running. */
};

/* Loads configuration and dialplan; errors go to stderr, a line each. skip_files: certificates and keys
 * are not looked at. 0 or -EINVAL. */
int house_load(const char *file, bool skip_files, struct conf **ret_conf,
               struct plan **ret_plan) must_check;
int house_start(struct house *h) must_check; /* logs why and returns -errno */
void house_stop(struct house *h);            /* takes a house half built */
/* The configuration as a document: before the doors that show it; ended after the call thread. */
int house_revise(struct house *h) must_check;
void house_revise_stop(struct house *h);
void house_drain(struct house *h);           /* ends the calls and says goodbye, at most some seconds */
/* live: what operators are told each second, and order; arg is the house */
void house_tell(struct house *h);
void house_tell_stop(void);
json_t *house_calls(void *arg, struct admin_part *part);
json_t *house_call(void *arg, const char *id);
bool house_hangup(void *arg, const char *id);
void house_order_drain(void *arg, bool on, uint32_t deadline_s);
json_t *house_certificates(void *arg);
size_t house_admin_certificates(const struct conf *c,
                                struct admin_certificate ret_rows[CONF_CERTIFICATES_MAX]);
/* bans */
json_t *house_bans(void *arg);
int house_ban(void *arg, const char *address, uint32_t seconds, const char *why, const char *by);
int house_unban(void *arg, const char *address);
size_t house_bans_kept(void *arg, struct kept_ban *list);
struct admin_push house_push(const struct conf *c); /* texts are the configuration's */
void house_ledger(const struct house *h, char path[CONF_PATH_BYTES + 16]);
void house_bans_back(struct house *h); /* those of before the restart, once guard stands */
/* trunks: what operators see of them */
json_t *house_trunks(void *arg);         /* arg is the house */
int house_doctor(struct house *h, struct admin_settings *s) must_check; /* doctor: made, and wired */
void house_doctor_recall(struct house *h); /* its reports of an earlier life; after admin */
struct counts *house_trunk_counts(void); /* rows of /metrics, one set a trunk */
void house_trunk_count(struct house *h); /* makes them true */
/* capkeep: what caps have counted, over a restart */
int house_caps(struct house *h) must_check; /* once guard stands */
void house_caps_tick(struct house *h);      /* four times a second */
void house_caps_stop(struct house *h);
void house_timeline_erase(void *arg, const char *id); /* any thread */
/* timeline: the book of the calls' timelines, where it is kept and who asks for it */
int house_capture(void *arg, const char *call_id, uint32_t seconds);
int house_timelines(struct house *h) must_check;
void house_timelines_stop(struct house *h);
void house_timeline(void *arg, const char *call_id, enum admin_timeline_form form,
                    web_handle handle); /* admin_settings' timeline */
