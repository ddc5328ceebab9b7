/* SPDX-License-Identifier: Apache-2.0
 * Who asks: the admin token of the file, and later tokens, sessions and certificates. Judged on the web
 * thread by a request's header, before its body. */
#include "admin/desk.h"

#include "base/hmac.h"

#include <stdio.h>

static bool who_find(struct admin *a, const struct web_knock *k, struct web_asker *ret) {
  if (!k->bearer.p || !gate_may(&a->gate, k->bearer))
    return false;
  *ret = (struct web_asker){.name = "admin-token", .role = ROLE_ADMIN, .by = BY_TOKEN};
  hash_sha256(k->bearer, ret->credential);
  return true;
}

bool desk_who(void *arg, const struct web_knock *k, struct web_asker *ret_who, struct web_answer *ret) {
  const struct verb *v = &verbs[k->row->id];
  char detail[96];
  if (!who_find(arg, k, ret_who)) {
    if (v->role == ROLE_NONE)
      return true;
    web_answer_problem(ret, WEB_PROBLEM_unauthorized, NULL);
    return false;
  }
  if (role_may((enum role)ret_who->role, v->role))
    return true;
  snprintf(detail, sizeof detail, "this needs the role %s", role_text(v->role));
  web_answer_problem(ret, WEB_PROBLEM_role, &(struct web_problem_info){.detail = detail});
  return false;
}
