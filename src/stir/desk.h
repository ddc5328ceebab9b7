/* SPDX-License-Identifier: Apache-2.0
 * The thread that verifies: asks come by mailbox, results go by one, rules are handed over whole.
 * Inside stir. See desk.c. */
#pragma once
#include "base/mbox.h"
#include "stir/certs.h"

enum { DESK_JOBS = 256 };

struct desk;
/* results: where struct stir_result go; outlives the desk. */
int desk_new(struct desk **ret, struct mbox *results) must_check;
struct desk *desk_free(struct desk *d); /* ends the thread; what is under way is forgotten */
OWN_DEFINE(desk)
void desk_rules(struct desk *d, const struct stir_rules *rules, X509_STORE *roots); /* takes roots */
int desk_put(struct desk *d, const struct stir_ask *ask) must_check;                /* 0, -EAGAIN */
