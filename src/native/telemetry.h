/* SPDX-License-Identifier: Apache-2.0
 * The client's statistics as a record keeps them. Pure. */
#pragma once
#include "call/call.h"

#include <jansson.h>
#include <stddef.h>

/* body, an object with the array stats, as JSON text shorter than bytes: whole where it fits, else rows
 * cut down to the members that tell of quality ("cut": true), the last rows left out where that is not
 * enough. free(); NULL: no memory. */
char *telemetry_text(const json_t *body, size_t bytes);
/* What of it says why a call sounds bad. */
void telemetry_figures(const json_t *body, struct client_told *ret);
