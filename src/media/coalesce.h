/* SPDX-License-Identifier: Apache-2.0
 * How long a worker lets datagrams come together before it harvests them: not at all when few come,
 * so that none waits; up to half a millisecond when many do, where one wake-up for all of them saves
 * a third of the work. Harvests are paced: a turn that took longer is not followed by a wait. A rule
 * of numbers alone, without clock or thread. */
#pragma once
#include "base/own.h"

enum {
  COALESCE_MAX_US = 500,
  COALESCE_WINDOW_US = 10000, /* the rate is measured over so long */
  COALESCE_FROM_A_S = 4000,   /* datagrams a second (40 calls): up to here there is no waiting, */
  COALESCE_FULL_A_S = 20000,  /* from here on the full wait, linear between */
};

struct coalesce {
  uint64_t since_us;   /* since_us is when the window began. */
  uint32_t count;      /* count is of datagrams in it. */
  uint32_t pace_us;    /* pace_us is how far apart harvests are, by the window before. */
  uint64_t harvest_us; /* harvest_us is when the last one was. */
};

/* A harvest of n datagrams at now_us. */
void coalesce_harvest(struct coalesce *c, uint32_t n, uint64_t now_us);
/* How long to wait from now_us on before the next harvest; 0: not at all. */
uint32_t coalesce_wait_us(const struct coalesce *c, uint64_t now_us);
