/* SPDX-License-Identifier: Apache-2.0
 * A full ICE agent under any datagrams: one byte of time, one of source and password, then STUN of so
 * many bytes as two more say; those marked are signed, so that what comes after the integrity check is
 * reached. It never sends to where no candidate and no verified request pointed. */
#include "flow/flow.h"
#include "wire/bytes.h"
#include "wire/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { SIGNED = 0x80, RESPONSE = 0x40 };
static const struct ice_cred ours = {"evtj", "VOkJxbRl1RmTxUk/WvJxBt"};

static struct addr addr_at(uint16_t port) {
  struct addr a = {.in4 = {.sin_family = AF_INET}};
  a.in4.sin_addr.s_addr = htonl(0x0a000001);
  addr_set_port(&a, port);
  return a;
}

static size_t sign(uint8_t *out, size_t room, const uint8_t *p, size_t n, uint8_t how,
                   const uint8_t *last_id) {
  struct stunmsg m;
  struct stunmsg_out o;
  uint8_t id[STUNMSG_ID_BYTES];
  if (stunmsg_parse(&m, p, n) < 0)
    return 0;
  memcpy(id, how & RESPONSE ? last_id : m.id, sizeof(id));
  stunmsg_begin(&o, out, room, m.class, id);
  stunmsg_set_method(&o, m.method);
  if (m.has_username)
    stunmsg_put(&o, STUNATTR_USERNAME, SLICE("evtj:h6vY"));
  if (m.has_controlled || m.has_controlling)
    stunmsg_put_u64(&o, m.has_controlled ? STUNATTR_ICE_CONTROLLED : STUNATTR_ICE_CONTROLLING,
                    m.tie_breaker);
  if (m.use_candidate)
    stunmsg_put(&o, STUNATTR_USE_CANDIDATE, SLICE(""));
  if (m.nomination)
    stunmsg_put_u32(&o, STUNATTR_NOMINATION, m.nomination);
  if (m.error)
    stunmsg_put_error(&o, m.error);
  if (m.has_mapped)
    stunmsg_put_mapped(&o, &m.mapped);
  stunmsg_put_integrity(&o, slice_of(ours.pwd));
  return stunmsg_end(&o);
}

static void drain(struct agent *a, uint64_t now_us, uint8_t last_id[STUNMSG_ID_BYTES]) {
  uint8_t buf[AGENT_DATAGRAM_BYTES];
  struct ice_pair pair;
  size_t n;
  if (agent_next_us(a) <= now_us)
    (void)agent_tick(a, now_us);
  while ((n = agent_output(a, buf, sizeof(buf), &pair))) {
    if (n < STUNMSG_HEAD_BYTES || addr_port(&pair.remote) > 255)
      abort();
    memcpy(last_id, buf + 8, STUNMSG_ID_BYTES);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  uint8_t last_id[STUNMSG_ID_BYTES] = {0}, buf[AGENT_DATAGRAM_BYTES], copy[1024];
  uint64_t now_us = 1000000;
  struct addr local = addr_at(1);
  struct desc_candidate c = {.component = 1, .is_udp = true, .priority = 99, .address = addr_at(2)};
  own(agent) a = NULL;
  struct reader r = reader_of(data, n);
  if (agent_new(&a, reader_u8(&r) & 1, &ours) < 0 || agent_add_local(a, CAND_HOST, &local, &local) < 0 ||
      agent_add_remote(a, &c) < 0 || agent_set_remote(a, "h6vY", ours.pwd, false) < 0)
    return 0;
  while (reader_left(&r) >= 4) {
    uint64_t step = reader_u8(&r);
    uint8_t how = reader_u8(&r);
    uint16_t bytes = reader_u16(&r);
    struct slice s = reader_slice(&r, bytes < reader_left(&r) ? bytes : reader_left(&r));
    struct ice_pair pair = {local, addr_at(how & 63)};
    struct ice_result result;
    now_us += step * step * 1000;
    size_t k = how & SIGNED ? sign(copy, sizeof(copy), (const uint8_t *)s.p, s.n, how, last_id) : 0;
    (void)!agent_input(a, k ? copy : (const uint8_t *)s.p, k ? k : s.n, &pair, now_us, buf, sizeof(buf),
                       &result);
    if (result.response_bytes > ICE_RESPONSE_BYTES || (agent_may_send(a) && !agent_selected(a)))
      abort();
    drain(a, now_us, last_id);
  }
  return 0;
}
