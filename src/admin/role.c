/* SPDX-License-Identifier: Apache-2.0
 * Roles: see role.h. */
#include "admin/role.h"

static const struct {
  const char *name, *help;
  unsigned also;
} roles[ROLE_COUNT_] = {
#define ROLE(id, name, also, help) [ROLE_##id] = {name, help, also},
#include "admin/roles.def"
#undef ROLE
};

const char *role_text(enum role r) { return r < ROLE_COUNT_ ? roles[r].name : "?"; }
bool role_find(struct slice name, enum role *ret) {
  for (unsigned r = ROLE_VIEWER; r < ROLE_COUNT_; r++)
    if (slice_eq(name, slice_of(roles[r].name))) {
      *ret = (enum role)r;
      return true;
    }
  return false;
}

bool role_may(enum role has, enum role needed) {
  return needed == ROLE_NONE || has == needed || (has < ROLE_COUNT_ && roles[has].also & (1u << needed));
}
