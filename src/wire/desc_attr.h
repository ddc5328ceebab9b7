/* SPDX-License-Identifier: Apache-2.0
 * What the reader of descriptions knows so far, and what one attribute does to it. Inside wire only.
 * Pure. */
#pragma once
#include "wire/descpart.h"

enum { GROUPS_MAX = 4 };

struct desc_reader {
  struct desc *d;
  struct desc_audio *at;    /* at is what an attribute acts on; NULL inside other m-lines. */
  struct desc_media *media; /* media is the current m-line, NULL at session level. */
  struct slice groups[GROUPS_MAX];
  uint32_t n_groups;
  bool fingerprint_is_inherited;
  bool has_origin, has_rtcp;
  uint16_t rtcp_port;
  struct addr rtcp_addr;
  struct desc_audio base; /* base holds what was said at session level; the last, see desc_parse(). */
};

/* The value of a=; *rule is what it should have been. 0, -EBADMSG, -E2BIG. Unknown ones count for
 * nothing. */
int desc_attr_take(struct desc_reader *r, struct slice v, const char **rule) must_check;
int desc_attr_conn(struct desc_reader *r, struct slice v) must_check; /* the value of c= */
int desc_attr_codecs(struct desc_audio *a,
                     struct slice formats) must_check; /* payload types of an m-line */
