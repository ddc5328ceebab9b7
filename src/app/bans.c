/* SPDX-License-Identifier: Apache-2.0
 * Bans as operators see and order them. Call thread. */
#include "app/boot.h"

#include "base/clock.h"
#include "base/log.h"

#include <jansson.h>
#include <stdio.h>

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

size_t house_bans_kept(void *arg, struct kept_ban *list) {
  struct house *h = arg;
  uint64_t now_us = clock_now_us(), wall_ms = clock_wall_ms();
  struct guard_ban *bans = calloc(GUARD_BANS_MAX, sizeof *bans);
  size_t n = bans ? guard_bans(h->guard, now_us, bans) : 0;
  for (size_t i = 0; i < n; i++) {
    memset(&list[i], 0, sizeof list[i]);
    slice_copy(list[i].address, sizeof list[i].address, slice_of(bans[i].address));
    slice_copy(list[i].why, sizeof list[i].why, slice_of(bans[i].why));
    slice_copy(list[i].by, sizeof list[i].by, slice_of(bans[i].by));
    list[i].until_ms = wall_ms + (bans[i].until_us - now_us) / 1000u;
    list[i].hits = bans[i].hits;
    list[i].by_hand = bans[i].by_hand;
  }
  free(bans);
  return n;
}

void house_ledger(const struct house *h, char path[CONF_PATH_BYTES + 16]) {
  snprintf(path, CONF_PATH_BYTES + 16, "%s/operators.db", h->conf->node.state_dir);
}

static int ban_back(struct house *h, const struct kept_ban *k, uint64_t wall_ms) {
  struct addr a;
  struct guard_ban b = {.hits = k->hits, .by_hand = k->by_hand};
  if (k->until_ms <= wall_ms)
    return 0;
  if (addr_parse(&a, slice_of(k->address), 0) < 0)
    return -EINVAL;
  b.until_us = clock_now_us() + (k->until_ms - wall_ms) * 1000u;
  slice_copy(b.why, sizeof b.why, slice_of(k->why));
  slice_copy(b.by, sizeof b.by, slice_of(k->by));
  return guard_ban_back(h->guard, &a, &b);
}

/* Before a port is open, so that nobody who is banned is heard once. */
void house_bans_back(struct house *h) {
  own(ledger) l = NULL;
  char path[CONF_PATH_BYTES + 16];
  uint64_t wall_ms = clock_wall_ms();
  house_ledger(h, path);
  own_mem struct kept_ban *list = calloc(KEPT_BANS_MAX, sizeof *list);
  int r = list ? ledger_new(&l, path) : -ENOMEM;
  if (r < 0) {
    log_error(app, "%s: %s: no ban of before is in force", path, strerror(-r));
    return;
  }
  for (size_t i = 0, n = kept_bans(l, list); i < n; i++)
    if (ban_back(h, &list[i], wall_ms) < 0)
      log_warn(app, "the ban of %s did not come back", list[i].address);
}
