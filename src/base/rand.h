/* SPDX-License-Identifier: Apache-2.0
 * Random bytes from the kernel (getrandom), for keys, ids and jitter alike. Any thread. */
#pragma once
#include "base/own.h"

void rand_bytes(void *p, size_t n); /* aborts if the kernel gives none */
uint64_t rand_u64(void);
uint32_t rand_u32(void);
uint32_t rand_below(uint32_t bound); /* uniform in 0 … bound-1; 0 for bound 0 */
/* n characters of [A-Za-z0-9], about 5.95 bits each, and a NUL: dst holds n + 1. */
void rand_text(char *dst, size_t n);
