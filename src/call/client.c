/* SPDX-License-Identifier: Apache-2.0
 * What apps tell of themselves by their statistics, as far as it says why a call sounds bad. */
#include "call/inner.h"

#include "base/clock.h"

/* Below -70 dBov, and no sound since the report before. */
static bool is_mute(const struct client_seen *c, const struct client_told *t) {
  const double level = 0.0003, energy = 1e-6;
  bool is_first = !c->told_us;
  return t->has_mic && t->mic_level < level &&
         t->mic_energy - (is_first ? 0 : c->last.mic_energy) < energy;
}

/* A user who is muted is not heard because he wants it so: that is no fault. */
void leg_told(struct leg *l, const struct client_told *t) {
  struct client_seen *c = &leg_in(l)->client;
  uint64_t now_us = clock_now_us(), up_us = call_in(l->call)->connected_us;
  bool was_muted = t->is_muted || c->last.is_muted;
  if (was_muted)
    c->muted_us = now_us;
  if (was_muted || !is_mute(c, t))
    c->mic_us = 0;
  else if (!c->mic_us)
    c->mic_us = c->told_us ? c->told_us : up_us ? up_us : now_us;
  c->last = *t;
  c->told_us = now_us;
}
