/* SPDX-License-Identifier: Apache-2.0
 * What the rooms share that change the configuration: config, trunks, routes, numbers. Inside admin. */
#pragma once
#include "admin/desk.h"

/* The state in force, or 503; done afterwards. */
bool config_state(struct admin *a, struct revise_state *ret_state, struct web_answer *ret) must_check;
/* Where an item stands in faults, by name and by place, and in the body that it came with. */
struct config_places {
  char from[2][96];
  const char *to;
};
/* 422 with each fault's pointer; at NULL: as they are. */
void config_faults(struct web_answer *ret, const struct revise_faults *f,
                   const struct config_places *at);
/* A change of one thing: the text of the file (NULL: as it is) and of the dialplan (likewise) into
 * force, for good. what names it for the history: "PUT trunks/a". False: the refusal is in ret. */
struct config_change {
  const char *text, *plan_text, *what;
  const char *etag; /* of the whole, so that nothing comes between */
  struct config_places at;
};
bool config_change(struct admin *a, struct desk_ask *ask, const struct config_change *c,
                   struct web_answer *ret) must_check;
/* What that text of the file would change, and the text and the whole's ETag, for POST /config/commit.
 */
void config_compare(struct admin *a, const char *text, struct web_answer *ret);
