/* SPDX-License-Identifier: Apache-2.0
 * The TURN client under any datagrams that claim to be its server's: a byte of time and how, two bytes
 * of length, then the datagram; those marked answer what is under way, and are signed. What it hands on
 * lies within the datagram, and what it sends is bounded. */
#include "flow/flow.h"
#include "base/hmac.h"
#include "wire/bytes.h"
#include "wire/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { ANSWER = 0x80, SIGNED = 0x40 };

/* The datagram with the id of the last request, and signed: so that it is looked at. */
static size_t answer(uint8_t *out, size_t room, struct slice s, bool is_signed, const uint8_t *request) {
  static const uint16_t copied[] = {STUNATTR_REALM, STUNATTR_NONCE, 0x000d, 0x0016};
  struct stunmsg m;
  struct stunmsg_out o;
  uint8_t key[HASH_MD5_BYTES];
  if (stunmsg_parse(&m, (const uint8_t *)s.p, s.n) < 0)
    return 0;
  hash_md5(SLICE("us:r:pw"), key);
  stunmsg_begin(&o, out, room, m.error ? STUNMSG_ERROR : STUNMSG_SUCCESS, request + 8);
  stunmsg_set_method(&o, (uint16_t)(bytes_u16(request) & 0xf));
  if (m.error)
    stunmsg_put_error(&o, m.error);
  for (size_t i = 0; i < COUNT_OF(copied); i++) {
    struct slice v = stunmsg_find(&m, copied[i]);
    if (v.p)
      stunmsg_put(&o, copied[i], v);
  }
  if (m.has_mapped) {
    stunmsg_put_mapped(&o, &m.mapped);
    stunmsg_put_xored(&o, 0x0016, &m.mapped);
  }
  if (is_signed)
    stunmsg_put_integrity(&o, slice_from(key, sizeof(key)));
  return stunmsg_end(&o);
}

static void drain(struct turn *t, uint64_t now_us, uint8_t *request) {
  uint8_t buf[TURN_DATAGRAM_BYTES];
  size_t n;
  if (turn_next_us(t) <= now_us)
    (void)turn_tick(t, now_us);
  for (unsigned i = 0; (n = turn_output(t, buf, sizeof(buf))); i++) {
    if (n < STUNMSG_HEAD_BYTES || i > TURN_PEERS_MAX)
      abort();
    memcpy(request, buf, STUNMSG_HEAD_BYTES);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct addr server = {.in4 = {.sin_family = AF_INET, .sin_port = 1}};
  uint8_t copy[2048], request[STUNMSG_HEAD_BYTES] = {0}, wrapped[200] = {0};
  uint64_t now_us = 1000000;
  own(turn) t = NULL;
  struct reader r = reader_of(data, n);
  if (turn_new(&t, &server, AF_INET, "us", "pw") < 0 || turn_permit(t, &server, n & 1) < 0)
    return 0;
  drain(t, now_us, request);
  while (reader_left(&r) >= 4) {
    struct turn_data got;
    unsigned events;
    uint8_t step = reader_u8(&r), how = reader_u8(&r);
    uint16_t bytes = reader_u16(&r);
    struct slice s = reader_slice(&r, bytes < reader_left(&r) ? bytes : reader_left(&r));
    size_t k = how & ANSWER ? answer(copy, sizeof(copy), s, how & SIGNED, request) : 0;
    if (!k && s.n <= sizeof(copy)) {
      memcpy(copy, s.p, s.n);
      k = s.n;
    }
    now_us += step * (uint64_t)step * 20000;
    enum drop d = turn_input(t, copy, k, now_us, &got, &events);
    if (got.n && !d && (got.bytes < copy || got.bytes + got.n > copy + k))
      abort();
    drain(t, now_us, request);
    if (turn_wrap(t, &server, wrapped, 100, sizeof(wrapped)) > 100 + TURN_OVERHEAD_BYTES)
      abort();
  }
  return 0;
}
