/* SPDX-License-Identifier: Apache-2.0
 * Parts of the OpenAPI document that all verbs share: see docpart.c. Inside admin. */
#pragma once
#include "admin/verb.h"

json_t *docpart_ref(const char *where, const char *name);
json_t *docpart_tags(void);                    /* with descriptions */
const char *docpart_tag(const struct verb *v); /* "" if its noun has no row in tag.def */
void docpart_problems(const struct verb *v, json_t *responses); /* every refusal that it may answer */
json_t *docpart_components(void);
