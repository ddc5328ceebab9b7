/* SPDX-License-Identifier: Apache-2.0
 * Door of the area doctor: active checks of a trunk with real calls in a small budget of their own: one
 * run at a time for a trunk, two in all, one call at a time, 60 calls and five minutes a run. The calls
 * are lines and test legs (call/probe.h): in no record, no limit of the trunk and no figure. The last
 * 16 reports are kept. Call thread. */
#pragma once
#include "call/call.h"

#include <jansson.h>

enum { DOCTOR_RUNS_MAX = 16, DOCTOR_LIVE_MAX = 2 };

struct doctor;
int doctor_new(struct doctor **ret, struct loop *loop, struct calls *calls,
               const struct conf *conf) must_check;
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
