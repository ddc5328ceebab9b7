/* SPDX-License-Identifier: Apache-2.0
 * How long calls took to ring, to connect, how long they were and how they sounded: histograms over all
 * calls that ended. Call thread adds, the metrics page reads. */
#include "call/inner.h"

#define TIMES \
  { 250, 500, 1000, 2000, 3000, 5000, 8000, 12000, 20000, 30000, 60000 }
#define LENGTHS \
  { 5000, 15000, 30000, 60000, 120000, 300000, 600000, 1200000, 3600000, 7200000 }
#define SCORES \
  { 100, 150, 200, 250, 300, 330, 360, 380, 400, 420, 430, 440 }

enum {
  PDD_IN,
  PDD_OUT,
  SETUP_IN,
  SETUP_OUT,
  LENGTH,
  MOS_TRUNK_RX,
  MOS_TRUNK_TX,
  MOS_NATIVE_RX,
  MOS_NATIVE_TX,
  TALLIES
};

#define PDD "sallyport_call_pdd_seconds"
#define SETUP "sallyport_call_setup_seconds"
#define MOS "sallyport_leg_mos"
#define MOS_HELP \
  "Mean opinion score (G.107) of a leg's directions, one for each call: rx is what we received from " \
  "it."

static const struct hist_row rows[TALLIES] = {
    [PDD_IN] = {PDD, "direction=\"in\"",
                "Post-dial delay: from the call to the first ringing, or the answer.", TIMES, 1000},
    [PDD_OUT] = {PDD, "direction=\"out\"", "", TIMES, 1000},
    [SETUP_IN] = {SETUP, "direction=\"in\"", "From the call to its answer.", TIMES, 1000},
    [SETUP_OUT] = {SETUP, "direction=\"out\"", "", TIMES, 1000},
    [LENGTH] = {"sallyport_call_length_seconds", "", "From the answer to the end.", LENGTHS, 1000},
    [MOS_TRUNK_RX] = {MOS, "leg=\"trunk\",direction=\"rx\"", MOS_HELP, SCORES, 100},
    [MOS_TRUNK_TX] = {MOS, "leg=\"trunk\",direction=\"tx\"", "", SCORES, 100},
    [MOS_NATIVE_RX] = {MOS, "leg=\"native\",direction=\"rx\"", "", SCORES, 100},
    [MOS_NATIVE_TX] = {MOS, "leg=\"native\",direction=\"tx\"", "", SCORES, 100},
};

static struct hist hists[TALLIES];

struct hist *calls_hists(size_t *ret_n) {
  for (size_t i = 0; i < TALLIES && !hists[i].row; i++) /* once: other threads read them by then */
    hists[i].row = &rows[i];
  *ret_n = TALLIES;
  return hists;
}

static void leg_tally(const struct record_leg *l) {
  if (l->kind == RECORD_LEG_NONE)
    return;
  size_t first = l->kind == RECORD_LEG_TRUNK ? MOS_TRUNK_RX : MOS_NATIVE_RX;
  if (l->rx.mos_x100)
    hist_add(&hists[first], l->rx.mos_x100);
  if (l->tx.mos_x100)
    hist_add(&hists[first + 1], l->tx.mos_x100);
}

void tally_record(const struct record *r) {
  uint64_t rang_ms = record_rang_ms(r);
  bool out = r->direction == RECORD_OUT;
  if (!hists[0].row)
    return; /* nobody asked for them */
  if (rang_ms >= r->started_ms && rang_ms)
    hist_add(&hists[out ? PDD_OUT : PDD_IN], rang_ms - r->started_ms);
  if (r->answered_ms && r->answered_ms >= r->started_ms) {
    hist_add(&hists[out ? SETUP_OUT : SETUP_IN], r->answered_ms - r->started_ms);
    hist_add(&hists[LENGTH], r->ended_ms > r->answered_ms ? r->ended_ms - r->answered_ms : 0);
  }
  leg_tally(&r->caller);
  leg_tally(&r->callee);
}
