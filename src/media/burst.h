/* SPDX-License-Identifier: Apache-2.0
 * How losses cluster (RFC 3611, 4.7.2): each packet of a stream in order, come or lost, makes bursts
 * (fewer than 16 packets between two losses) and gaps. Constant memory, no division a packet. Pure. */
#pragma once
#include "base/own.h"

enum { BURST_GMIN = 16 };

struct burst {
  uint32_t lost, runs; /* runs counts groups of neighbouring losses. */
  uint32_t gap_came, gap_lost, bursts, burst_came, burst_broken, burst_lost;
  uint32_t came;  /* came counts packets since the last loss. */
  uint32_t group; /* group counts losses of the burst that may be going on. */
};

struct burst_figures {
  uint8_t burst_density, gap_density; /* shares of packets lost, of 256 */
  uint16_t burst_ms, gap_ms;          /* mean durations */
};

static inline void burst_add_came(struct burst *b) { b->came++; }
void burst_add_lost(struct burst *b);
void burst_read(const struct burst *b, uint32_t frame_ms, struct burst_figures *ret);
