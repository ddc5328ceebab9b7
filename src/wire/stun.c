/* SPDX-License-Identifier: Apache-2.0
 * STUN messages: see stun.h. RFC 8489 sections 5, 14 and 15, RFC 8445 section 16. Pure. */
#include "wire/stun.h"

#include "base/hmac.h"
#include "wire/bytes.h"

enum { FINGERPRINT_XOR = 0x5354554e, ATTR_HEAD_BYTES = 4 };

static uint32_t crc_more(uint32_t crc, const uint8_t *p, size_t n) {
  static const uint32_t nibble[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
      0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  for (size_t i = 0; i < n; i++) {
    crc = nibble[(crc ^ p[i]) & 15] ^ crc >> 4;
    crc = nibble[(crc ^ (uint32_t)p[i] >> 4) & 15] ^ crc >> 4;
  }
  return crc;
}

/* CRC-32 over the message as if its length field were that long. */
static uint32_t fingerprint(const uint8_t *p, size_t n, uint16_t length) {
  uint8_t head[4] = {p[0], p[1], (uint8_t)(length >> 8), (uint8_t)length};
  uint32_t crc = crc_more(0xffffffff, head, 4);
  return ~crc_more(crc, p + 4, n - 4) ^ FINGERPRINT_XOR;
}

/* HMAC-SHA1 over the message as if its length field were that long; n is at most one datagram. */
static void integrity(const uint8_t *p, size_t n, uint16_t length, struct slice key,
                      uint8_t ret[HMAC_SHA1_BYTES]) {
  uint8_t copy[2048];
  memcpy(copy, p, n);
  bytes_put_u16(copy + 2, length);
  hmac_sha1(key, slice_from(copy, n), ret);
}
enum { INTEGRITY_COVERS_MAX = 2048 };

static int read_address(struct addr *ret, struct reader r, bool xored, const uint8_t *id) {
  uint8_t mask[16];
  memset(ret, 0, sizeof(*ret));
  bytes_put_u32(mask, xored ? STUNMSG_COOKIE : 0);
  memset(mask + 4, 0, 12);
  if (xored)
    memcpy(mask + 4, id, STUNMSG_ID_BYTES);
  reader_skip(&r, 1);
  uint8_t family = reader_u8(&r);
  uint16_t port = reader_u16(&r) ^ bytes_u16(mask);
  size_t n = family == 1 ? 4 : 16;
  const uint8_t *ip = reader_take(&r, n);
  if (!ip || reader_left(&r) || (family != 1 && family != 2))
    return -EBADMSG;
  uint8_t *to = family == 1 ? (uint8_t *)&ret->in4.sin_addr : ret->in6.sin6_addr.s6_addr;
  for (size_t i = 0; i < n; i++)
    to[i] = ip[i] ^ mask[i];
  ret->sa.sa_family = family == 1 ? AF_INET : AF_INET6;
  addr_set_port(ret, port);
  return 0;
}

static int read_error(struct stunmsg *m, struct reader r) {
  uint32_t v = reader_u32(&r);
  unsigned class = v >> 8 & 7, number = v & 255;
  if (r.bad || class < 3 || class > 6 || number > 99)
    return -EBADMSG;
  m->error = (uint16_t)(class * 100 + number);
  m->reason = reader_slice(&r, reader_left(&r));
  return 0;
}

static int read_flag(bool *has, size_t n, size_t want) {
  if (n != want)
    return -EBADMSG;
  *has = true;
  return 0;
}

static int read_role(struct stunmsg *m, bool *has, struct reader r, size_t n) {
  if (n != 8 || m->has_controlled || m->has_controlling)
    return n != 8 ? -EBADMSG : 0;
  *has = true;
  m->tie_breaker = reader_u64(&r);
  return 0;
}

static void note_unknown(struct stunmsg *m, uint16_t type) {
  if (type < 0x8000 && m->unknowns < STUNMSG_UNKNOWN_MAX)
    m->unknown[m->unknowns++] = type;
}

/* One attribute before the integrity; the first of its kind counts. */
static int read_attr(struct stunmsg *m, uint16_t type, struct reader r) {
  size_t n = reader_left(&r);
  switch (type) {
  case STUNATTR_USERNAME:
    if (n == 0 || n >= STUNMSG_USERNAME_MAX)
      return -EBADMSG;
    if (!m->has_username)
      m->username = reader_slice(&r, n);
    return read_flag(&m->has_username, n, n);
  case STUNATTR_PRIORITY:
    if (!m->has_priority)
      m->priority = reader_u32(&r);
    return read_flag(&m->has_priority, n, 4);
  case STUNATTR_USE_CANDIDATE:
    return read_flag(&m->use_candidate, n, 0);
  case STUNATTR_NOMINATION:
    if (n == 4 && !m->nomination)
      m->nomination = reader_u32(&r);
    return 0;
  case STUNATTR_ICE_CONTROLLED:
    return read_role(m, &m->has_controlled, r, n);
  case STUNATTR_ICE_CONTROLLING:
    return read_role(m, &m->has_controlling, r, n);
  case STUNATTR_XOR_MAPPED_ADDRESS:
  case STUNATTR_MAPPED_ADDRESS:
    if (m->has_mapped)
      return 0;
    m->has_mapped = true;
    return read_address(&m->mapped, r, type == STUNATTR_XOR_MAPPED_ADDRESS, m->id);
  case STUNATTR_ERROR_CODE:
    return m->error ? 0 : read_error(m, r);
  case STUNATTR_UNKNOWN_ATTRIBUTES:
  case STUNATTR_REALM:
  case STUNATTR_NONCE:
    return 0;
  default:
    note_unknown(m, type);
    return 0;
  }
}

/* Integrity and fingerprint, which stand at the end, and what may not count behind them. */
static int read_tail(struct stunmsg *m, uint16_t type, struct reader r, size_t at) {
  size_t n = reader_left(&r);
  if (type == STUNATTR_MESSAGE_INTEGRITY) {
    if (!m->has_integrity && !m->has_integrity256)
      m->integrity_at = at;
    return m->has_integrity256 ? 0 : read_flag(&m->has_integrity, n, HMAC_SHA1_BYTES);
  }
  if (type == STUNATTR_MESSAGE_INTEGRITY_SHA256) {
    m->has_integrity256 = true;
    return n < 16 || n > 32 || n % 4 ? -EBADMSG : 0;
  }
  if (fingerprint(m->bytes, at, (uint16_t)(m->n - STUNMSG_HEAD_BYTES)) != reader_u32(&r))
    return -EBADMSG;
  return read_flag(&m->has_fingerprint, n, 4);
}

static int read_attrs(struct stunmsg *m, struct reader r) {
  for (unsigned count = 0; reader_left(&r); count++) {
    size_t at = (size_t)(r.p - m->bytes);
    uint16_t type = reader_u16(&r), n = reader_u16(&r);
    struct reader value = reader_sub(&r, n);
    reader_skip(&r, (4u - n % 4u) % 4u);
    if (r.bad || count >= STUNMSG_ATTRS_MAX || m->has_fingerprint)
      return -EBADMSG;
    int e = 0;
    if (type == STUNATTR_MESSAGE_INTEGRITY || type == STUNATTR_MESSAGE_INTEGRITY_SHA256 ||
        type == STUNATTR_FINGERPRINT)
      e = read_tail(m, type, value, at);
    else if (!m->has_integrity && !m->has_integrity256)
      e = read_attr(m, type, value);
    if (e < 0)
      return e;
  }
  return 0;
}

int stunmsg_parse(struct stunmsg *ret, const uint8_t *p, size_t n) {
  struct reader r = reader_of(p, n);
  memset(ret, 0, sizeof(*ret));
  uint16_t type = reader_u16(&r), length = reader_u16(&r);
  uint32_t cookie = reader_u32(&r);
  const uint8_t *id = reader_take(&r, STUNMSG_ID_BYTES);
  if (!id || type & 0xc000 || cookie != STUNMSG_COOKIE || length % 4 || length != reader_left(&r))
    return -EBADMSG;
  ret->bytes = p;
  ret->n = n;
  ret->class = (enum stunmsg_class)((type >> 7 & 2) | (type >> 4 & 1));
  ret->method = (uint16_t)((type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80));
  memcpy(ret->id, id, STUNMSG_ID_BYTES);
  return read_attrs(ret, r);
}

bool stunmsg_is_intact(const struct stunmsg *m, struct slice key) {
  uint8_t want[HMAC_SHA1_BYTES];
  size_t at = m->integrity_at;
  if (!m->has_integrity || at > INTEGRITY_COVERS_MAX)
    return false;
  uint16_t length = (uint16_t)(at + ATTR_HEAD_BYTES + HMAC_SHA1_BYTES - STUNMSG_HEAD_BYTES);
  integrity(m->bytes, at, length, key, want);
  return slice_eq_secret(slice_from(want, sizeof(want)),
                         slice_from(m->bytes + at + ATTR_HEAD_BYTES, HMAC_SHA1_BYTES));
}

struct slice stunmsg_find(const struct stunmsg *m, uint16_t type) {
  struct reader r = reader_of(m->bytes + STUNMSG_HEAD_BYTES, m->n - STUNMSG_HEAD_BYTES);
  while (reader_left(&r)) {
    uint16_t is = reader_u16(&r), n = reader_u16(&r);
    struct slice value = reader_slice(&r, n);
    reader_skip(&r, (4u - n % 4u) % 4u);
    if (r.bad || is == STUNATTR_MESSAGE_INTEGRITY || is == STUNATTR_MESSAGE_INTEGRITY_SHA256)
      break;
    if (is == type)
      return value;
  }
  return (struct slice){NULL, 0};
}

int stunmsg_address(const struct stunmsg *m, struct slice value, struct addr *ret) {
  return read_address(ret, reader_of((const uint8_t *)value.p, value.n), true, m->id);
}

struct slice stunmsg_ufrag(const struct stunmsg *m) {
  struct slice rest = m->username;
  if (!m->has_username || !memchr(rest.p, ':', rest.n))
    return (struct slice){NULL, 0};
  return slice_cut(&rest, ':');
}

struct slice stunmsg_peek_ufrag(const uint8_t *p, size_t n) {
  struct stunmsg m;
  if (stunmsg_parse(&m, p, n) < 0 || m.class != STUNMSG_REQUEST || m.method != STUNMSG_BINDING)
    return (struct slice){NULL, 0};
  return stunmsg_ufrag(&m);
}

/* Building --------------------------------------------------------------------------------------- */
static uint8_t *room_for(struct stunmsg_out *o, size_t n) {
  if (o->bad || n > o->room - o->n) {
    o->bad = true;
    return NULL;
  }
  uint8_t *at = o->base + o->n;
  o->n += n;
  return at;
}

static void set_length(struct stunmsg_out *o) {
  bytes_put_u16(o->base + 2, (uint16_t)(o->n - STUNMSG_HEAD_BYTES));
}

void stunmsg_begin(struct stunmsg_out *o, void *buf, size_t room, enum stunmsg_class class,
                   const uint8_t id[STUNMSG_ID_BYTES]) {
  *o = (struct stunmsg_out){.base = buf, .room = room < UINT16_MAX ? room : UINT16_MAX};
  uint8_t *head = room_for(o, STUNMSG_HEAD_BYTES);
  if (!head)
    return;
  bytes_put_u16(head,
                (uint16_t)(((unsigned)class & 2) << 7 | ((unsigned)class & 1) << 4 | STUNMSG_BINDING));
  bytes_put_u32(head + 4, STUNMSG_COOKIE);
  memcpy(head + 8, id, STUNMSG_ID_BYTES);
  set_length(o);
}

void stunmsg_set_method(struct stunmsg_out *o, uint16_t method) {
  if (o->bad)
    return;
  unsigned class = bytes_u16(o->base) & 0x0110u;
  unsigned bits = (method & 0xfu) | (method & 0x70u) << 1 | (method & 0xf80u) << 2;
  bytes_put_u16(o->base, (uint16_t)(class | bits));
}

/* The head of an attribute and room for its padded value, all zero. */
static uint8_t *attr_room(struct stunmsg_out *o, uint16_t type, size_t n) {
  size_t padded = (n + 3) / 4 * 4;
  uint8_t *at = room_for(o, ATTR_HEAD_BYTES + padded);
  if (!at)
    return NULL;
  bytes_put_u16(at, type);
  bytes_put_u16(at + 2, (uint16_t)n);
  memset(at + ATTR_HEAD_BYTES, 0, padded);
  set_length(o);
  return at + ATTR_HEAD_BYTES;
}

void stunmsg_put(struct stunmsg_out *o, uint16_t type, struct slice value) {
  uint8_t *at = attr_room(o, type, value.n);
  if (at && value.n)
    memcpy(at, value.p, value.n);
}

void stunmsg_put_u32(struct stunmsg_out *o, uint16_t type, uint32_t v) {
  uint8_t *at = attr_room(o, type, 4);
  if (at)
    bytes_put_u32(at, v);
}

void stunmsg_put_u64(struct stunmsg_out *o, uint16_t type, uint64_t v) {
  uint8_t *at = attr_room(o, type, 8);
  if (!at)
    return;
  bytes_put_u32(at, (uint32_t)(v >> 32));
  bytes_put_u32(at + 4, (uint32_t)v);
}

/* A mapped IPv4 goes out as IPv4: that is what the peer has. */
static const uint8_t *plain_ip(const struct addr *a, size_t *ret_n) {
  if (addr_family(a) == AF_INET) {
    *ret_n = 4;
    return (const uint8_t *)&a->in4.sin_addr;
  }
  bool mapped = IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
  *ret_n = mapped ? 4 : 16;
  return a->in6.sin6_addr.s6_addr + (mapped ? 12 : 0);
}

void stunmsg_put_mapped(struct stunmsg_out *o, const struct addr *a) {
  stunmsg_put_xored(o, STUNATTR_XOR_MAPPED_ADDRESS, a);
}

void stunmsg_put_xored(struct stunmsg_out *o, uint16_t type, const struct addr *a) {
  size_t n;
  const uint8_t *ip = plain_ip(a, &n);
  uint8_t *at = attr_room(o, type, 4 + n);
  if (!at)
    return;
  at[1] = n == 4 ? 1 : 2;
  bytes_put_u16(at + 2, (uint16_t)(addr_port(a) ^ STUNMSG_COOKIE >> 16));
  for (size_t i = 0; i < n; i++)
    at[4 + i] = ip[i] ^ o->base[4 + i]; /* cookie and transaction id lie there in a row */
}

void stunmsg_put_error(struct stunmsg_out *o, unsigned code) {
  static const struct {
    unsigned code;
    const char *text;
  } texts[] = {{400, "Bad Request"},
               {401, "Unauthenticated"},
               {420, "Unknown Attribute"},
               {487, "Role Conflict"}};
  const char *text = "Error";
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    if (texts[i].code == code)
      text = texts[i].text;
  size_t n = strlen(text);
  uint8_t *at = attr_room(o, STUNATTR_ERROR_CODE, 4 + n);
  if (!at)
    return;
  at[2] = (uint8_t)(code / 100);
  at[3] = (uint8_t)(code % 100);
  memcpy(at + 4, text, n);
}

void stunmsg_put_unknown(struct stunmsg_out *o, const uint16_t *types, size_t n) {
  uint8_t *at = attr_room(o, STUNATTR_UNKNOWN_ATTRIBUTES, 2 * n);
  for (size_t i = 0; at && i < n; i++)
    bytes_put_u16(at + 2 * i, types[i]);
}

void stunmsg_put_integrity(struct stunmsg_out *o, struct slice key) {
  size_t covered = o->n;
  uint8_t *at =
      covered > INTEGRITY_COVERS_MAX ? NULL : attr_room(o, STUNATTR_MESSAGE_INTEGRITY, HMAC_SHA1_BYTES);
  if (at)
    integrity(o->base, covered, bytes_u16(o->base + 2), key, at);
  else
    o->bad = true;
}

void stunmsg_put_fingerprint(struct stunmsg_out *o) {
  size_t covered = o->n;
  uint8_t *at = attr_room(o, STUNATTR_FINGERPRINT, 4);
  if (at)
    bytes_put_u32(at, fingerprint(o->base, covered, bytes_u16(o->base + 2)));
}

size_t stunmsg_end(const struct stunmsg_out *o) { return o->bad ? 0 : o->n; }
