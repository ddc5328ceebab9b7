/* SPDX-License-Identifier: Apache-2.0
 * trunks[].stir and trunks[].doctor, read. Pure. */
#include "conf/trunk.h"

#include <stdio.h>

void conf_stir_read(struct conf_trunk *t, const struct field_reader *r, const struct tree_node *map,
                    const char *path) {
  char name[64];
  struct field_reader plain = {.file = r->file, .errors = r->errors};
  snprintf(name, sizeof(name), "%s.stir", path);
  if (map)
    field_map_read(&plain, conf_fields, conf_fields_n, SECTION_TRUNK_STIR, map, name, map->line, t);
}

void conf_doctor_read(struct conf_trunk *t, const struct field_reader *r, const struct tree_node *map,
                      const char *path) {
  char name[64];
  struct field_reader plain = {.file = r->file, .errors = r->errors};
  snprintf(name, sizeof(name), "%s.doctor", path);
  if (map)
    field_map_read(&plain, conf_fields, conf_fields_n, SECTION_TRUNK_DOCTOR, map, name, map->line, t);
}
