/* SPDX-License-Identifier: Apache-2.0
 * Candidates in address pools of VPNs (S22). */
#include "guard/part.h"

bool guard_is_vpn(const struct guard *g, const struct addr *a) {
  const struct conf_names *list = &g->conf->service.vpn;
  for (uint32_t i = 0; i < list->n; i++) {
    struct cidr c;
    if (cidr_parse(&c, slice_of(list->text[i])) == 0 && cidr_has(&c, a))
      return true;
  }
  return false;
}
