/* SPDX-License-Identifier: Apache-2.0
 * G.711, both laws, by tables that g711_start() fills (once, before threads); the direct table from
 * one law to the other loses least (ITU-T G.711 tables 3 and 4 by way of the linear value). */
#pragma once
#include "base/own.h"

enum g711_law { G711_ULAW, G711_ALAW };
enum { G711_RATE_HZ = 8000 };

void g711_start(void); /* idempotent */
int16_t g711_expand(enum g711_law law, uint8_t sample);
uint8_t g711_compress(enum g711_law law, int16_t linear);
/* The other law's octet for each of n octets; dst may be src. from is the law of src. */
void g711_convert(enum g711_law from, uint8_t *dst, const uint8_t *src, size_t n);
static inline uint8_t g711_silence(enum g711_law law) { return law == G711_ULAW ? 0xff : 0xd5; }
