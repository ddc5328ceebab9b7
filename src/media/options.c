/* SPDX-License-Identifier: Apache-2.0
 * Options of the media process: see options.h. */
#include "media/options.h"

enum { SESSIONS_DEFAULT = 4096 };

int options_check(const struct media_options *o, const char **ret_text) {
  *ret_text = "media: 1-64 workers";
  if (o->workers < 1 || o->workers > 64)
    return -EINVAL;
  *ret_text = "media: 1-4 addresses, none of them a wildcard";
  if (!o->n_addresses || o->n_addresses > MSET_ADDRS_MAX)
    return -EINVAL;
  for (uint32_t i = 0; i < o->n_addresses; i++)
    if (addr_family(&o->addresses[i].bind) == AF_UNSPEC || addr_is_any(&o->addresses[i].bind))
      return -EINVAL;
  *ret_text = "media: trunk ports: 1024-65534, two for each worker";
  return o->trunk_port_min < 1024 || o->trunk_port_max > 65534 ||
                 o->trunk_port_max < o->trunk_port_min + 2 * o->workers
             ? -EINVAL
             : 0;
}

void options_fill(struct media_options *ret, const struct media_options *o) {
  *ret = *o;
  if (!ret->max_sessions)
    ret->max_sessions = SESSIONS_DEFAULT;
  if (!ret->orphan_s)
    ret->orphan_s = MSET_ORPHAN_S;
  for (uint32_t i = 0; i < o->n_addresses; i++)
    if (addr_family(&o->addresses[i].shown) == AF_UNSPEC)
      ret->addresses[i].shown = o->addresses[i].bind;
}
