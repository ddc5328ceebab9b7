/* SPDX-License-Identifier: Apache-2.0
 * How the sections of the configuration hang together: which key of which section holds which map or
 * list of maps. For those who walk a configuration as text: differences, schema, settings as JSON. Pure.
 */
#pragma once
#include "conf/part.h"

struct conf_shape {
  uint8_t section;
  const char *key;
  uint8_t of;   /* of is the section of the map, or of each map in the list. */
  bool is_list; /* is_list: of maps; those with a name are told apart by it. */
};
extern const struct conf_shape conf_shapes[];
extern const size_t conf_shapes_n;
/* NULL: the key holds no map of ours. */
const struct conf_shape *conf_shape_find(uint8_t section, struct slice key);
/* The row of a key; NULL for an unknown one. */
const struct field *conf_field_find(uint8_t section, struct slice key);
