/* SPDX-License-Identifier: Apache-2.0
 * A run as JSON, as a page and as text to print; the profile that it suggests. Inside doctor. */
#pragma once
#include "doctor/run.h"

#include <jansson.h>

json_t *report_head(const struct run *r); /* without checks */
json_t *report_json(const struct run *r);
const char *report_state(const struct run *r); /* running done canceled */
char *report_html(const struct run *r);        /* heap; every text of a peer is escaped */
char *report_text(const struct run *r);        /* likewise, plain, what failed first */

/* Settings that the findings suggest: a merge patch of the trunk ({} for none), and lines "-  key: old",
 * "+  key: new" in *ret_diff (new reference). */
json_t *profile_patch(const struct run *r, json_t **ret_diff);
