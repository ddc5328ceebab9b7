/* SPDX-License-Identifier: Apache-2.0
 * The only reader of clocks. Monotonic microseconds drive every timer; wall-clock is for records,
 * tokens and pages. Tests set both by clock_fake(). Any thread. */
#pragma once
#include "base/own.h"

uint64_t clock_now_us(void);  /* monotonic */
/* The same as of the last tick of the kernel, up to 10 ms ago: for deadlines of seconds, at a fifth of the cost. */
uint64_t clock_coarse_us(void);
uint64_t clock_thread_us(void); /* processor time of the calling thread; never faked */
uint64_t clock_wall_ms(void); /* milliseconds since 1970, UTC */
/* From now on both clocks stand at these values until called again; 0, 0 gives the real ones. */
void clock_fake(uint64_t now_us, uint64_t wall_ms);

#define CLOCK_TEXT_BYTES 25
/* RFC 3339, UTC, milliseconds: 2026-01-31T23:59:59.123Z. Returns buf. */
char *clock_text(uint64_t wall_ms, char buf[CLOCK_TEXT_BYTES]);
