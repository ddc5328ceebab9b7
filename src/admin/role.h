/* SPDX-License-Identifier: Apache-2.0
 * Roles of operators: see roles.def. Pure. */
#pragma once
#include "base/slice.h"

enum role {
#define ROLE(id, name, also, help) ROLE_##id,
#include "admin/roles.def"
#undef ROLE
  ROLE_COUNT_
};
#define ROLE_BIT(id) (1u << ROLE_##id)

const char *role_text(enum role r);
bool role_find(struct slice name, enum role *ret); /* "nobody" is none that anybody can have */
bool role_may(enum role has, enum role needed);
