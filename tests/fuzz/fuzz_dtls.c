/* SPDX-License-Identifier: Apache-2.0
 * DTLS datagrams of strangers: the input is datagrams, each behind two bytes of length, given to a
 * server before and after the fingerprint is known. No such input may bring it up. */
#include "flow/flow.h"
#include "wire/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void drain(struct dtls *d) {
  uint8_t buf[DTLS_DATAGRAM_BYTES];
  for (unsigned i = 0; dtls_output(d, buf, sizeof(buf)); i++)
    if (i > 2 * DTLS_OUT_MAX)
      abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  static struct dtlscert *cert;
  own(dtls) d = NULL;
  struct dtls_fingerprint f = {.bytes = 32};
  struct reader r = reader_of(data, n);
  uint64_t now_us = 1;
  if (!cert && dtlscert_new(&cert) < 0)
    abort();
  if (dtls_new(&d, cert, n && data[0] & 1 ? DTLS_CLIENT : DTLS_SERVER) < 0)
    abort();
  reader_skip(&r, 1);
  for (unsigned i = 0; reader_left(&r) && i < 16; i++, now_us += 300000) {
    struct slice datagram = reader_slice(&r, reader_u16(&r));
    if (r.bad)
      break;
    (void)dtls_is_hello((const uint8_t *)datagram.p, datagram.n);
    enum drop dropped = dtls_input(d, (const uint8_t *)datagram.p, datagram.n, now_us);
    if (dropped == DROP_INTERNAL || dtls_state(d) == DTLS_UP)
      abort();
    if (i == 1)
      dtls_expect(d, &f, now_us);
    drain(d);
    dtls_tick(d, now_us);
  }
  return 0;
}
