/* SPDX-License-Identifier: Apache-2.0
 * What the load generator tells the bare relay, a datagram a leg over a Unix socket: one byte comes
 * back when it is done. */
#pragma once
#include "base/addr.h"
#include "wire/srtpkey.h"

struct floor_leg {
  uint32_t side;          /* 0 A, 1 B: which of the relay's two sockets it uses */
  uint32_t ssrc, rx_ssrc; /* ssrc comes from it; what goes to it carries rx_ssrc, the other leg's. */
  struct addr to;
  struct srtp_key from_key, to_key;
};
