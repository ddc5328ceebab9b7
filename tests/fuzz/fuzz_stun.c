/* SPDX-License-Identifier: Apache-2.0
 * STUN messages as they come from anybody. What parses is within the datagram. */
#include "wire/classify.h"
#include "wire/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_inside(struct slice s, const uint8_t *data, size_t n) {
  const uint8_t *p = (const uint8_t *)s.p;
  return s.n == 0 || (p >= data && p + s.n <= data + n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct stunmsg m;
  (void)packet_classify(data, n);
  if (stunmsg_parse(&m, data, n) < 0)
    return 0;
  if (!is_inside(m.username, data, n) || !is_inside(m.reason, data, n) ||
      m.unknowns > STUNMSG_UNKNOWN_MAX)
    abort();
  bool intact = stunmsg_is_intact(&m, SLICE("VOkJxbRl1RmTxUk/WvJxBt"));
  if ((intact && !m.has_integrity) || !is_inside(stunmsg_ufrag(&m), data, n) ||
      !is_inside(stunmsg_peek_ufrag(data, n), data, n))
    abort();
  return 0;
}
