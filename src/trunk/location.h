/* SPDX-License-Identifier: Apache-2.0
 * The place of a caller, by value. Inside trunk. See location.c. */
#pragma once
#include "trunk/inner.h"

enum { LOCATION_BYTES = 16384 };

/* Keeps what the INVITE of a trunk with pidf_lo tells of a place. */
void location_take(struct dialog *d, const struct conf_trunk *t, const sip_t *sip);

struct location_body { /* of a call to a trunk */
  char *text;          /* text is d's offer and the place as one body; NULL: there is none. text_free */
  char type[80], lines[200]; /* its Content-Type; Geolocation and Geolocation-Routing */
};
struct location_body location_body(const struct dialog *d, const struct conf_trunk *t,
                                   const struct call *c);
