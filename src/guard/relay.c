/* SPDX-License-Identifier: Apache-2.0
 * Third-party media relays: a relay candidate must lie on a native relay (S13). A relay hands out
 * any port, so only the address is compared. */
#include "guard/part.h"

bool guard_relay_is_native(const struct guard *g, const struct addr *relay) {
  for (uint32_t i = 0; i < g->conf->n_relays; i++)
    if (addr_eq_ip(&g->conf->relays[i].address, relay))
      return true;
  const struct conf_names *list = &g->conf->service.relays;
  for (uint32_t i = 0; i < list->n; i++) {
    struct host_rule rule;
    if (host_rule_parse(&rule, slice_of(list->text[i])) < 0)
      continue;
    if (!rule.is_name && cidr_has(&rule.cidr, relay))
      return true;
  }
  return false;
}
