/* SPDX-License-Identifier: Apache-2.0
 * Kinds of silence: see quiet.h. */
#include "doctor/quiet.h"

/* Below overload: louder is speech or a tone; quieter than the other is digital silence. */
enum { WORDS_DBOV = 40, DEAD_DBOV = 75 };

static enum quiet_kind kind_of(uint64_t packets, uint8_t level_dbov) {
  if (!packets)
    return QUIET_GAP;
  if (level_dbov == MSET_LEVEL_UNKNOWN)
    return QUIET_NONE;
  return level_dbov < WORDS_DBOV ? QUIET_WORDS : level_dbov < DEAD_DBOV ? QUIET_NOISE : QUIET_DEAD;
}

void quiet_sample(struct quiet *q, const struct mset_facts *f) {
  if (f->updated_us == q->updated_us || !f->rx.packets)
    return;
  bool is_first = !q->packets;
  enum quiet_kind kind = kind_of(f->rx.packets - q->packets, f->level_rx_dbov);
  q->updated_us = f->updated_us;
  q->packets = f->rx.packets;
  if (is_first) /* the first packets are a piece of a sample */
    return;
  q->n[kind]++;
  q->noise_dbov += kind == QUIET_NOISE ? f->level_rx_dbov : 0;
  q->n_alike = q->kind == kind ? q->n_alike + (q->n_alike < 200) : 1;
  q->kind = (uint8_t)kind;
  if (q->n_alike != 2 || kind < QUIET_NOISE)
    return;
  q->n_changes += q->rest && q->rest != kind;
  q->rest = (uint8_t)kind;
}
