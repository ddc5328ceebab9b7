/* SPDX-License-Identifier: Apache-2.0
 * Trunks of the configuration, read and checked. Inside conf. */
#pragma once
#include "conf/part.h"

extern const struct field_default conf_kinds[]; /* the rows of kinds.def */
extern const size_t conf_kinds_n;
void conf_trunks_read(struct conf *c, const struct field_reader *r, const struct tree_node *list);
/* stir: likewise */
void conf_stir_read(struct conf_trunk *t, const struct field_reader *r, const struct tree_node *map,
                    const char *path);
/* doctor: likewise */
void conf_doctor_read(struct conf_trunk *t, const struct field_reader *r, const struct tree_node *map,
                      const char *path);
/* headers: of the trunk, or of its base; map NULL: none */
void conf_edits_read(struct conf_trunk *t, const struct field_reader *r, const struct tree_node *map,
                     const char *path);
/* numbers: likewise */
void conf_numbers_read(struct conf_trunk *t, const struct field_reader *r, const struct tree_node *map,
                       const char *path);
void conf_trunks_check(const struct conf *c, struct conf_errors *errors);
