/* SPDX-License-Identifier: Apache-2.0
 * Requests over UDP that the SIP library drops without a word: which they are, and the stateless
 * answer that RFC 3261 owes them. A bounded look at the request line, the top Via and five headers
 * to copy; everything else is left to the library's parser. Pure; any thread. RFC 3261 8.2.6, 18.2. */
#pragma once
#include "base/addr.h"

enum { BADLINE_REPLY_BYTES = 4096, BADLINE_DROP = 1 };

struct badline_verdict {
  uint16_t status; /* status is 400, 501, 505, BADLINE_DROP; 0: not ours, the library takes it. */
  const char *phrase;
};

struct badline_verdict badline_judge(struct slice msg);
/* The answer in buf, its length, where it goes in *ret_to; 0 if it cannot be built (a header is
 * missing or does not fit), in which case the request is dropped. */
size_t badline_reply(struct slice msg, struct badline_verdict v, const struct addr *from, char *buf,
                     size_t bytes, struct addr *ret_to);
