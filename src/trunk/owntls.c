/* SPDX-License-Identifier: Apache-2.0
 * Start, stop and self-test of the SIP transport's own TLS: see tls.h. Call thread. */
#include "base/log.h"
#include "trunk/profile.h"
#include "trunk/sofia_hooks.h"
#include "trunk/sofia_tls.h"
#include "trunk/tls.h"

#include <signal.h>

#define COUNT(id, kind, name, labels, help) {name, labels, help, COUNT_##kind},
static const struct count_row count_rows[] = {
#include "trunk/tls.def"
};
#undef COUNT
static _Atomic uint64_t count_values[COUNT_OF(count_rows)];
struct counts owntls_counts = {count_rows, COUNT_OF(count_rows), count_values};

static struct shaker *shaker;

int owntls_start(unsigned threads) {
  if (shaker)
    return -EALREADY;
  signal(SIGPIPE, SIG_IGN);
  siplog_start();
  int r = hooks_start();
  if (!r)
    r = shaker_new(&shaker, threads ? threads : 2);
  if (!r)
    link_set_shaker(shaker);
  return r;
}

void owntls_stop(void) {
  link_set_shaker(NULL);
  shaker = shaker_free(shaker);
  hooks_stop();
}
