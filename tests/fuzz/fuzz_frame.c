/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a frame: what is read lies within them, and written anew it is read the same. */
#include "media/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool c) {
  if (!c)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static const struct frame_way way = {{2}, {2, 1}, 46};
  uint8_t again[FRAME_HEAD_MAX + FRAME_PAYLOAD_MAX];
  struct frame f, g;
  if (n > 2048)
    return 0;
  uint8_t *p = malloc(n ? n : 1); /* of its very size: reading past it shows */
  must(p);
  memcpy(p, data, n);
  if (frame_parse(&f, p, n)) {
    must(f.bytes >= p && f.bytes + f.n <= p + n && addr_port(&f.from));
    must(addr_family(&f.from) == addr_family(&f.to));
    size_t all = frame_build(again, &way, &f.from, &f.to, f.bytes, f.n);
    must(all || f.n > FRAME_PAYLOAD_MAX);
    must(!all || (frame_parse(&g, again, all) && g.n == f.n && addr_eq(&g.from, &f.from) &&
                  addr_eq(&g.to, &f.to) && memcmp(g.bytes, f.bytes, f.n) == 0));
  }
  free(p);
  return 0;
}
