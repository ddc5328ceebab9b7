/* SPDX-License-Identifier: Apache-2.0
 * The only reader of clocks: see clock.h. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Atomic uint64_t fake_now_us, fake_wall_ms;

static uint64_t monotonic_us(clockid_t id) {
  struct timespec ts;
  uint64_t fake = atomic_load_explicit(&fake_now_us, memory_order_relaxed);
  if (fake)
    return fake;
  clock_gettime(id, &ts);
  return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t clock_now_us(void) { return monotonic_us(CLOCK_MONOTONIC); }

uint64_t clock_coarse_us(void) { return monotonic_us(CLOCK_MONOTONIC_COARSE); }

uint64_t clock_thread_us(void) {
  struct timespec ts;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t clock_wall_ms(void) {
  struct timespec ts;
  uint64_t fake = atomic_load_explicit(&fake_wall_ms, memory_order_relaxed);
  if (fake)
    return fake;
  clock_gettime(CLOCK_REALTIME, &ts);
  return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

void clock_fake(uint64_t now_us, uint64_t wall_ms) {
  atomic_store(&fake_now_us, now_us);
  atomic_store(&fake_wall_ms, wall_ms);
}

char *clock_text(uint64_t wall_ms, char buf[CLOCK_TEXT_BYTES]) {
  struct tm tm;
  char day[20] = "";
  time_t s = (time_t)(wall_ms / 1000);
  gmtime_r(&s, &tm);
  strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(buf, CLOCK_TEXT_BYTES, "%.19s.%03uZ", day, (unsigned)(wall_ms % 1000));
  return buf;
}
