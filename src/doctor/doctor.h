/* SPDX-License-Identifier: Apache-2.0
 * Door of the area doctor: active checks of a trunk with real calls in a small budget of their own: one
 * run at a time for a trunk, two in all, one call at a time, 60 calls and five minutes a run. The calls
 * are lines and test legs (call/probe.h): in no record, no limit of the trunk and no figure. The last
 * 20 reports are kept, of one trunk 5, also beyond a restart by who made the doctor. Call thread. */
#pragma once
#include "call/call.h"

#include <jansson.h>

enum { DOCTOR_KEPT_MAX = 20, DOCTOR_TRUNK_MAX = 5, DOCTOR_LIVE_MAX = 2 };

/* Where reports are kept: put at the begin of a run, every 5 s in it and at its end (text is the report,
 * replaced by id; borrowed), drop when it is forgotten. Either may be NULL; neither may wait. */
struct doctor_keep {
  void *arg;
  void (*put)(void *arg, const char *id, const char *text);
  void (*drop)(void *arg, const char *id);
};

struct doctor;
int doctor_new(struct doctor **ret, struct loop *loop, struct calls *calls, const struct conf *conf,
               const struct doctor_keep *keep) must_check;
/* A report that was put in an earlier life of the program, the oldest first; one that was under way is
 * told as cut short. What is no report is left out. */
void doctor_recall(struct doctor *d, const char *text);
/* The program ends: runs under way are cut short, and put. Nothing is begun after it. d may be NULL. */
void doctor_stop(struct doctor *d);
struct doctor *doctor_free(struct doctor *d); /* before the calls and trunks that it tests */
OWN_DEFINE(doctor)
/* Runs under way are ended: what they test has changed. */
void doctor_reload(struct doctor *d, const struct conf *conf);
/* 0 and the run's id; -ENOENT: no such trunk; -EBUSY: one is under way there, or two are in all;
 * -ENOTSUP; -ENOMEM */
int doctor_start(struct doctor *d, struct slice trunk, char ret_id[40]) must_check;
/* -ENOENT; a run that is over is forgotten. */
int doctor_cancel(struct doctor *d, struct slice id) must_check;
/* {"runs":[…]} without checks, the newest first. New reference, or NULL. */
json_t *doctor_list(const struct doctor *d);
/* One report as docs/api says it; NULL: there is none of that id (or no memory). */
json_t *doctor_report(const struct doctor *d, struct slice id);
/* The same to print: HTML without script, or plain text; on the heap; NULL likewise. */
char *doctor_page(const struct doctor *d, struct slice id, bool is_text);
