/* SPDX-License-Identifier: Apache-2.0
 * Level of samples, and of one frequency in them (Goertzel), for tests and figures. Pure. */
#pragma once
#include "codec/g711.h"

/* dBm0 of n G.711 octets (a full-scale sine is 3.17 dBm0 in µ-law); -96 for silence. */
double level_dbm0(enum g711_law law, const uint8_t *samples, size_t n);
/* Level in -dBov (vad.h) by a few octets of a packet, without decoding it; -1: it is too short. */
int level_glance(enum g711_law law, const uint8_t *samples, size_t n);
/* The share of the power that lies at hz, 0-1. */
double level_share(enum g711_law law, const uint8_t *samples, size_t n, double hz);
