/* SPDX-License-Identifier: Apache-2.0
 * Bursts and gaps of loss: see burst.h. */
#include "media/burst.h"

void burst_add_lost(struct burst *b) {
  b->lost++;
  b->runs += b->came > 0 || b->lost == 1;
  if (b->came >= BURST_GMIN) {
    if (b->group == 1)
      b->gap_lost++; /* the loss before stood alone */
    else if (b->group > 1)
      b->bursts++;
    b->group = 1;
    b->gap_came += b->came;
  } else {
    b->group++;
    if (b->came) {
      b->burst_broken++;
      b->burst_came += b->came - 1;
    } else {
      b->burst_lost++;
    }
  }
  b->came = 0;
}

static uint8_t share(double x) { return x >= 1 ? 255 : x <= 0 ? 0 : (uint8_t)(256 * x); }
static uint16_t clamp_ms(double ms) { return ms >= 65535 ? 65535 : ms <= 0 ? 0 : (uint16_t)ms; }

/* The Markov model of the RFC's appendix A.2, from its transition counts. */
void burst_read(const struct burst *b, uint32_t frame_ms, struct burst_figures *ret) {
  double gap_came = (double)b->gap_came + b->came, broken = (double)b->burst_broken;
  double ends = (double)(b->bursts + (b->group > 1)), in_burst = (double)b->burst_came + broken;
  double total = gap_came + (double)b->gap_lost + 2 * ends + in_burst + broken + (double)b->burst_lost;
  double to_come = broken > 0 ? broken / (ends + broken + (double)b->burst_lost) : 0;
  double to_loss = in_burst < 1 ? 1 : 1 - (double)b->burst_came / in_burst;
  double gap_ms = (gap_came + (double)b->gap_lost + ends) * frame_ms;
  *ret = (struct burst_figures){
      .gap_density = share(gap_came + (double)b->gap_lost > 0
                               ? (double)b->gap_lost / (gap_came + (double)b->gap_lost)
                               : 0),
      .gap_ms = clamp_ms(gap_ms / (ends > 1 ? ends : 1)),
  };
  if (!b->burst_lost && !b->burst_broken)
    return; /* no two losses near each other */
  ret->burst_density = share(to_loss / (to_come + to_loss));
  ret->burst_ms = clamp_ms((total * frame_ms - gap_ms) / (ends > 1 ? ends : 1));
}
