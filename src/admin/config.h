/* SPDX-License-Identifier: Apache-2.0
 * What the rooms share that change the configuration: config, trunks, routes, numbers. Inside admin. */
#pragma once
#include "admin/desk.h"

/* The document, or 503 where there is none. */
struct revise *config_of(struct admin *a, struct web_answer *ret);
/* The state in force, or 503; done afterwards. */
bool config_state(struct admin *a, struct revise_state *ret_state, struct web_answer *ret) must_check;
/* 422 with each fault's pointer. Those that begin with "from" (NULL: none) begin with "to" instead. */
void config_faults(struct web_answer *ret, const struct revise_faults *f, const char *from,
                   const char *to);
json_t *config_fault_list(const struct revise_faults *f);
/* What became of a commit that is not REVISE_DONE. */
void config_refused(struct web_answer *ret, const struct revise_outcome *o);
/* A changed text of the file (NULL: as it is) or of the dialplan (likewise) into force, for a change of
 * one thing; audit and answer (status, none: 204) are set. what names it for the history: "PUT
 * trunks/a". */
struct config_change {
  const char *text, *plan_text, *what;
  const char *etag;      /* of the whole, so that nothing comes between */
  const char *from, *to; /* see config_faults() */
};
bool config_change(struct admin *a, struct desk_ask *ask, const struct config_change *c,
                   struct web_answer *ret) must_check;
json_t *config_time(uint64_t wall_ms); /* null for 0 */
