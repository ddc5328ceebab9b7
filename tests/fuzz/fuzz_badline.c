/* SPDX-License-Identifier: Apache-2.0
 * Fuzz target: judgement of a datagram on the SIP port and the stateless answer to it. */
#include "trunk/badline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char buf[BADLINE_REPLY_BYTES];
  struct addr from, to;
  struct slice msg = slice_from(data, size);
  if (addr_parse_port(&from, SLICE("192.0.2.7:5070")))
    abort();
  struct badline_verdict v = badline_judge(msg);
  if (!v.status) /* the answer must stand anything */
    v = (struct badline_verdict){400, "Bad Request"};
  size_t n = badline_reply(msg, v, &from, buf, sizeof(buf), &to);
  if (n > sizeof(buf) || (n && (!addr_eq_ip(&from, &to) || memcmp(buf + n - 4, "\r\n\r\n", 4) != 0)))
    abort();
  return 0;
}
