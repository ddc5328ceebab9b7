/* SPDX-License-Identifier: Apache-2.0
 * Candidates of clients against the registry of native relays (S13, native-signaling section 3) and the
 * address pools of VPNs (S22). */
#include "native/inner.h"

uint32_t relay_sift(struct native *n, const struct desc_candidate *c, uint32_t count, struct addr *deny,
                    uint32_t max, bool *ret_usable) {
  uint32_t denied = 0;
  *ret_usable = count == 0; /* an offer without candidates is complete */
  for (uint32_t i = 0; i < count; i++) {
    if (!c[i].is_udp)
      continue;
    bool is_vpn = !c[i].is_name && guard_is_vpn(n->guard, &c[i].address);
    if (!is_vpn &&
        (c[i].type != CAND_RELAY || (!c[i].is_name && guard_relay_is_native(n->guard, &c[i].address)))) {
      *ret_usable = true;
      continue;
    }
    guard_count(n->guard, is_vpn ? REFUSE_VPN : REFUSE_RELAY);
    if (denied < max && !c[i].is_name)
      deny[denied++] = c[i].address;
  }
  return denied;
}
