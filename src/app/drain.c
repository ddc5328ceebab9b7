/* SPDX-License-Identifier: Apache-2.0
 * The end in order: no new calls, streams are told, live calls end with server_shutdown, dialogs say
 * BYE and get a moment for the answers. */
#include "app/boot.h"

#include "base/clock.h"

#define GOODBYE_US 3000000ull

void house_drain(struct house *h) {
  atomic_store(&h->draining, true);
  calls_drain(h->calls, true);
  trunks_drain(h->trunks);
  native_drain(h->native, 0);
  calls_end_all(h->calls, END_SERVER_SHUTDOWN);
  uint64_t until = clock_now_us() + GOODBYE_US;
  do
    root_turn(h->root, 50);
  while (clock_now_us() < until && (!trunks_is_idle(h->trunks) || calls_count(h->calls)));
}
