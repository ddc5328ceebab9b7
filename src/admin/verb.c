/* SPDX-License-Identifier: Apache-2.0
 * The table of verbs: see verb.h. */
#include "admin/desk.h"

#define ROOT_OR_BELOW(path, flags) ((flags)&VERB_ROOT ? (path) : "/admin/v1" path)

/* Each row names its shapes again: that is what declares those of the rooms. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
#define VERB(id, m, path, r, t, f, q, b, status, ans, flags, summary) \
  extern const struct shape shape_##q, shape_##b, shape_##ans;
#include "admin/verbs.def"
#undef VERB
#pragma GCC diagnostic pop

const struct verb verbs[] = {
#define VERB(i, m, p, r, t, f, q, b, s, ans, fl, sum) \
  {.id = #f, \
   .path = ROOT_OR_BELOW(p, fl), \
   .summary = sum, \
   .method = WEB_##m, \
   .role = ROLE_##r, \
   .thread = VERB_##t, \
   .flags = fl, \
   .status = s, \
   .fn = verb_##f, \
   .query = &shape_##q, \
   .body = &shape_##b, \
   .answer = &shape_##ans},
#include "admin/verbs.def"
#undef VERB
};
const size_t verbs_n = COUNT_OF(verbs);

struct web_row *verb_rows(web_direct_fn *direct) {
  struct web_row *rows = calloc(verbs_n, sizeof *rows);
  for (size_t i = 0; rows && i < verbs_n; i++) {
    const struct verb *v = &verbs[i];
    rows[i] = (struct web_row){.method = v->method, .pattern = v->path, .id = (int)i, .direct = direct};
    rows[i].flags = WEB_TOKEN | WEB_NO_CORS | (v->thread == VERB_CALL ? WEB_THEN_ASK : 0u) |
                    (v->flags & VERB_STREAM ? WEB_NO_HEAD : 0u);
    rows[i].type = v->method == WEB_PATCH ? VERB_PATCH_TYPES : NULL;
    rows[i].body_max_bytes = v->flags & VERB_LARGE ? 4u << 20 : v->role == ROLE_NONE ? VERB_OPEN_BYTES : 0;
  }
  return rows;
}
