/* SPDX-License-Identifier: Apache-2.0
 * The tree of sections: see shape.h. A test wants a row for each field of type SUB. */
#include "conf/shape.h"

const struct conf_shape conf_shapes[] = {
    {SECTION_ROOT, "node", SECTION_NODE, false},
    {SECTION_ROOT, "media", SECTION_MEDIA, false},
    {SECTION_ROOT, "service", SECTION_SERVICE, false},
    {SECTION_ROOT, "admin", SECTION_ADMIN, false},
    {SECTION_ROOT, "records", SECTION_RECORDS, false},
    {SECTION_ROOT, "stir", SECTION_STIR, false},
    {SECTION_ROOT, "listeners", SECTION_LISTENER, true},
    {SECTION_ROOT, "trunks", SECTION_TRUNK, true},
    {SECTION_ROOT, "users", SECTION_USER, true},
    {SECTION_ROOT, "relays", SECTION_RELAY, true},
    {SECTION_ROOT, "caps", SECTION_CAP, true},
    {SECTION_MEDIA, "addresses", SECTION_MEDIA_ADDRESS, true},
    {SECTION_ADMIN, "certificates", SECTION_ADMIN_CERTIFICATE, true},
    {SECTION_MEDIA, "turn", SECTION_MEDIA_TURN, false},
    {SECTION_RECORDS, "push", SECTION_RECORDS_PUSH, false},
    {SECTION_TRUNK, "stir", SECTION_TRUNK_STIR, false},
    {SECTION_TRUNK, "doctor", SECTION_TRUNK_DOCTOR, false},
    {SECTION_TRUNK, "numbers", SECTION_TRUNK_NUMBERS, false},
    {SECTION_TRUNK, "headers", SECTION_TRUNK_HEADERS, false},
    {SECTION_TRUNK, "credentials", SECTION_TRUNK_CREDENTIALS, false},
    {SECTION_TRUNK, "register", SECTION_TRUNK_REGISTER, false},
    {SECTION_TRUNK, "digest", SECTION_TRUNK_DIGEST, false},
    {SECTION_TRUNK_NUMBERS, "inbound_called", SECTION_TRUNK_NUMBER_RULE, true},
    {SECTION_TRUNK_NUMBERS, "inbound_caller", SECTION_TRUNK_NUMBER_RULE, true},
    {SECTION_TRUNK_NUMBERS, "outbound_called", SECTION_TRUNK_NUMBER_RULE, true},
    {SECTION_TRUNK_NUMBERS, "outbound_caller", SECTION_TRUNK_NUMBER_RULE, true},
    {SECTION_TRUNK_HEADERS, "in", SECTION_TRUNK_EDIT, true},
    {SECTION_TRUNK_HEADERS, "out", SECTION_TRUNK_EDIT, true},
};
const size_t conf_shapes_n = COUNT_OF(conf_shapes);

const struct conf_shape *conf_shape_find(uint8_t section, struct slice key) {
  for (size_t i = 0; i < conf_shapes_n; i++)
    if (conf_shapes[i].section == section && slice_eq(key, slice_of(conf_shapes[i].key)))
      return &conf_shapes[i];
  return NULL;
}

const struct field *conf_field_find(uint8_t section, struct slice key) {
  for (size_t i = 0; i < conf_fields_n; i++)
    if (conf_fields[i].section == section && slice_eq(key, slice_of(conf_fields[i].key)))
      return &conf_fields[i];
  return NULL;
}
