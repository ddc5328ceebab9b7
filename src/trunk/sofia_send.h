/* SPDX-License-Identifier: Apache-2.0
 * Which targets get long requests by UDP all the same: the library would send them by TCP (RFC 3261
 * 18.1.1). Call thread. */
#pragma once
#include "base/addr.h"

enum { SEND_KEEPS_MAX = 256 }; /* the oldest is forgotten */

void send_keep_udp(const struct addr *to, bool keep);
