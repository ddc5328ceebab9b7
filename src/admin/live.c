/* SPDX-License-Identifier: Apache-2.0
 * What the call thread knows: live calls and trunks. Call thread. */
#include "admin/desk.h"

static void ask_house(json_t *(*fn)(void *arg), void *arg, const char *noun, struct web_answer *ret) {
  json_t *doc = fn ? fn(arg) : json_pack("{s:[]}", noun);
  if (doc)
    desk_json(ret, 200, doc);
  else
    web_answer_problem(ret, WEB_PROBLEM_overload, NULL);
}

void verb_calls(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  (void)ask;
  ask_house(a->set.calls, a->set.calls_arg, "calls", ret);
}

void verb_trunks(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  (void)ask;
  ask_house(a->set.trunks, a->set.calls_arg, "trunks", ret);
}
