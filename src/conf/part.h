/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of conf share: the table of settings and the checks across fields. Inside conf. */
#pragma once
#include "conf/field.h"
#include "conf/tree.h"

enum conf_section {
  SECTION_ROOT,
  SECTION_NODE,
  SECTION_MEDIA,
  SECTION_MEDIA_ADDRESS,
  SECTION_MEDIA_TURN,
  SECTION_SERVICE,
  SECTION_ADMIN,
  SECTION_RECORDS,
  SECTION_RECORDS_PUSH,
  SECTION_STIR,
  SECTION_LISTENER,
  SECTION_TRUNK,
  SECTION_TRUNK_HEADERS,
  SECTION_TRUNK_NUMBERS,
  SECTION_TRUNK_NUMBER_RULE,
  SECTION_TRUNK_EDIT,
  SECTION_TRUNK_STIR,
  SECTION_TRUNK_DOCTOR,
  SECTION_USER,
  SECTION_RELAY,
  SECTION_ADMIN_CERTIFICATE,
  SECTION_CAP,
  SECTION_TRUNK_CREDENTIALS,
  SECTION_TRUNK_REGISTER,
  SECTION_TRUNK_DIGEST,
  SECTION_COUNT_
};

extern const struct field conf_fields[];
extern const size_t conf_fields_n;
/* Where a list item or section stands, for errors of the cross-checks: line of listeners[i] … */
struct conf_lines {
  uint32_t root, media, service, admin, records;
  uint32_t listeners[CONF_LISTENERS_MAX];
  uint32_t relays[CONF_RELAYS_MAX];
  uint32_t caps[CONF_CAPS_MAX];
  uint32_t certificates[CONF_CERTIFICATES_MAX];
  uint32_t *users;
  const struct tree_node *tree; /* tree is the whole file; it lives while the checks run. */
};
void conf_check(const struct conf *c, const struct conf_lines *lines, struct conf_errors *errors);
/* How trunks attach: credentials, register, digest of each, read and checked. */
void conf_attach_read(struct conf *c, const struct field_reader *r, const struct tree_node *trunks);
void conf_attach_check(const struct conf *c, struct conf_errors *errors);
void conf_check_files(const struct conf *c, const struct conf_lines *lines, struct conf_errors *errors);
