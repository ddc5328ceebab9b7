/* SPDX-License-Identifier: Apache-2.0
 * Bans as operators see and order them. Call thread. */
#include "app/boot.h"

#include "base/clock.h"

#include <jansson.h>

json_t *house_bans(void *arg) {
  struct house *h = arg;
  uint64_t now_us = clock_now_us(), wall_ms = clock_wall_ms();
  char until[CLOCK_TEXT_BYTES];
  struct guard_ban *list = calloc(GUARD_BANS_MAX, sizeof *list);
  size_t n = list ? guard_bans(h->guard, now_us, list) : 0;
  json_t *bans = json_array();
  for (size_t i = 0; i < n; i++)
    json_array_append_new(
        bans, json_pack("{s:s, s:s, s:s, s:s, s:I}", "addr", list[i].address, "why", list[i].why,
                        "until", clock_text(wall_ms + (list[i].until_us - now_us) / 1000u, until), "by",
                        list[i].by, "hits", (json_int_t)list[i].hits));
  free(list);
  return json_pack("{s:o}", "bans", bans);
}

int house_ban(void *arg, const char *address, uint32_t seconds, const char *why, const char *by) {
  struct house *h = arg;
  struct addr a;
  if (addr_parse(&a, slice_of(address), 0) < 0)
    return -EINVAL;
  return guard_ban(h->guard, &a, clock_now_us() + seconds * 1000000ull, why, by);
}

int house_unban(void *arg, const char *address) {
  struct house *h = arg;
  struct addr a;
  return addr_parse(&a, slice_of(address), 0) < 0 ? -ENOENT : guard_unban(h->guard, &a);
}
