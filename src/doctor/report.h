/* SPDX-License-Identifier: Apache-2.0
 * A run as JSON, as a page and as text to print; the profile that it suggests. Inside doctor. */
#pragma once
#include "doctor/run.h"

#include <jansson.h>

json_t *report_head(const struct run *r); /* without checks */
json_t *report_json(const struct run *r);
/* What report_json() made, also in an earlier life of the program: */
char *report_html(const json_t *doc);          /* heap; every text of a peer is escaped */
char *report_text(const json_t *doc);          /* likewise, plain, what failed first */
json_t *report_shorten(const json_t *doc);     /* as report_head() */
void report_cut(json_t *doc, const char *why); /* of a run under way: it is told as ended by that */

/* Settings that the findings suggest: a merge patch of the trunk ({} for none), and lines "-  key: old",
 * "+  key: new" in *ret_diff (new reference). */
json_t *profile_patch(const struct run *r, json_t **ret_diff);
