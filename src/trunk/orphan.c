/* SPDX-License-Identifier: Apache-2.0
 * INVITEs that were given up because their target was silent: while the library still repeats them
 * nothing more is done, but should an answer come, nobody's phone rings on: a CANCEL, or ACK and BYE.
 * Call thread. RFC 3261 9.1, 13.2.2.4. */
#include "trunk/hops.h"

enum { ORPHANS_MAX = 1024 }; /* further ones are forgotten at once: their 2xx get ACK and BYE, too */

static uint32_t n_orphans;

static void orphan_drop(nta_outgoing_t *orq) {
  nta_outgoing_destroy(orq);
  n_orphans--;
}

/* magic is the agent; it lives as long as the library's. */
static int orphan_response(nta_outgoing_magic_t *magic, nta_outgoing_t *orq, const sip_t *sip) {
  const struct agent *a = (const void *)magic;
  int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
  loop_freshen(a->t->env.loop);
  if (status < 200) {
    nta_outgoing_tcancel(orq, NULL, NULL, TAG_END());
    return 0;
  }
  msg_t *msg = status < 300 ? nta_outgoing_getresponse(orq) : NULL;
  if (msg) {
    count_one(&trunk_counters, TRUNKCOUNT_late_2xx);
    nta_msg_ackbye(a->nta, msg);
  }
  orphan_drop(orq);
  return 0;
}

void orphan_take(struct agent *a, nta_outgoing_t *invite) {
  if (n_orphans == ORPHANS_MAX ||
      nta_outgoing_bind(invite, orphan_response, (nta_outgoing_magic_t *)(void *)a) < 0) {
    nta_outgoing_destroy(invite);
    return;
  }
  n_orphans++;
}
