/* SPDX-License-Identifier: Apache-2.0
 * The TURN client: see turn.h. RFC 8656 with RFC 8489 9.2 (long-term credentials, as with MD5 and
 * SHA-1: the password algorithms of RFC 8489 are not negotiated). A 401 or 438 cannot be authenticated:
 * it only makes us ask again, so many times. */
#include "flow/turn.h"

#include "base/hmac.h"
#include "base/rand.h"
#include "wire/bytes.h"
#include "wire/stun.h"

enum {
  ATTR_CHANNEL_NUMBER = 0x000c,
  ATTR_LIFETIME = 0x000d,
  ATTR_PEER = 0x0012,
  ATTR_DATA = 0x0013,
  ATTR_RELAYED = 0x0016,
  ATTR_FAMILY = 0x0017,
  ATTR_TRANSPORT = 0x0019,
  METHOD_ALLOCATE = 3,
  METHOD_REFRESH = 4,
  METHOD_SEND = 6,
  METHOD_DATA = 7,
  METHOD_PERMIT = 8,
  METHOD_BIND = 9,
  CHANNEL_FIRST = 0x4000,
  CHANNEL_HEAD_BYTES = 4,
  REFRESH_AHEAD_S = 60,
  SECOND_US = 1000000,
};

/* One request under way. */
struct ask {
  uint16_t method; /* method is 0 while none is. */
  bool is_due, is_signed;
  uint8_t tries, stale;
  uint8_t id[STUNMSG_ID_BYTES];
  uint64_t next_us;
};

struct peer {
  bool used, wants_channel, may_send, is_bound;
  struct addr address;
  uint64_t fresh_us; /* fresh_us is when it is to be asked for again; 0: at once. */
  uint64_t until_us; /* until_us is when the server forgets it. */
  struct ask ask;
};

struct turn {
  struct addr server, relayed, mapped;
  enum turn_state state;
  int family;
  unsigned error;
  bool has_key;
  char username[TURN_TEXT_MAX + 1], password[TURN_TEXT_MAX + 1], realm[TURN_TEXT_MAX + 1];
  char nonce[TURN_NONCE_MAX + 1];
  uint8_t key[HASH_MD5_BYTES];
  struct ask ask;      /* of the allocation */
  uint64_t refresh_us; /* refresh_us is when the allocation is refreshed, until_us when it ends. */
  uint64_t until_us;
  struct peer peers[TURN_PEERS_MAX];
};

int turn_new(struct turn **ret, const struct addr *server, int family, const char *username,
             const char *password) {
  own(turn) t = calloc(1, sizeof(*t));
  if (!t)
    return -ENOMEM;
  t->server = *server;
  t->family = family;
  if (slice_copy(t->username, sizeof(t->username), slice_of(username)) < 0 ||
      slice_copy(t->password, sizeof(t->password), slice_of(password)) < 0 || !t->username[0])
    return -EINVAL;
  *ret = take(t);
  return 0;
}

struct turn *turn_free(struct turn *t) {
  if (t)
    explicit_bzero(t, sizeof(*t));
  free(t);
  return NULL;
}

const struct addr *turn_server(const struct turn *t) { return &t->server; }
enum turn_state turn_state(const struct turn *t) { return t->state; }
unsigned turn_error(const struct turn *t) { return t->error; }
const struct addr *turn_relayed(const struct turn *t) { return &t->relayed; }
const struct addr *turn_mapped(const struct turn *t) { return &t->mapped; }

/* Requests ----------------------------------------------------------------------------------------- */
static void ask_begin(struct ask *q, uint16_t method, uint64_t now_us) {
  *q = (struct ask){.method = method, .is_due = true, .tries = 1};
  q->next_us = now_us + TURN_RTO_MS * 1000u;
  rand_bytes(q->id, sizeof(q->id));
}

/* The same with what was learnt of realm and nonce. */
static void ask_anew(struct ask *q, uint64_t now_us) {
  uint8_t stale = q->stale;
  ask_begin(q, q->method, now_us);
  q->stale = (uint8_t)(stale + 1);
}

static void put_request(const struct turn *t, struct stunmsg_out *o, const struct ask *q,
                        const struct peer *peer) {
  bool is_end = t->state == TURN_CLOSED;
  if (q->method == METHOD_ALLOCATE) {
    stunmsg_put_u32(o, ATTR_TRANSPORT, 17u << 24);
    if (t->family == AF_INET6)
      stunmsg_put_u32(o, ATTR_FAMILY, 2u << 24);
  }
  if (q->method == METHOD_ALLOCATE || q->method == METHOD_REFRESH)
    stunmsg_put_u32(o, ATTR_LIFETIME, is_end ? 0 : TURN_LIFETIME_S);
  if (q->method == METHOD_BIND)
    stunmsg_put_u32(o, ATTR_CHANNEL_NUMBER, (uint32_t)(CHANNEL_FIRST + (peer - t->peers)) << 16);
  if (peer)
    stunmsg_put_xored(o, ATTR_PEER, &peer->address);
}

static size_t ask_put(const struct turn *t, struct ask *q, const struct peer *peer, uint8_t *buf,
                      size_t room) {
  struct stunmsg_out o;
  stunmsg_begin(&o, buf, room, STUNMSG_REQUEST, q->id);
  stunmsg_set_method(&o, q->method);
  put_request(t, &o, q, peer);
  q->is_signed = t->has_key;
  if (t->has_key) {
    stunmsg_put(&o, STUNATTR_USERNAME, slice_of(t->username));
    stunmsg_put(&o, STUNATTR_REALM, slice_of(t->realm));
    stunmsg_put(&o, STUNATTR_NONCE, slice_of(t->nonce));
    stunmsg_put_integrity(&o, slice_from(t->key, sizeof(t->key)));
  }
  return stunmsg_end(&o);
}

size_t turn_output(struct turn *t, uint8_t *buf, size_t room) {
  if (t->ask.is_due) {
    t->ask.is_due = false;
    return ask_put(t, &t->ask, NULL, buf, room);
  }
  for (unsigned i = 0; i < TURN_PEERS_MAX; i++) {
    struct peer *p = &t->peers[i];
    if (!p->ask.is_due)
      continue;
    p->ask.is_due = false;
    return ask_put(t, &p->ask, p, buf, room);
  }
  return 0;
}

/* Answers ------------------------------------------------------------------------------------------ */
static unsigned fail(struct turn *t, unsigned error) {
  bool was_closed = t->state == TURN_CLOSED;
  t->error = error;
  t->state = was_closed ? TURN_CLOSED : TURN_FAILED;
  t->ask = (struct ask){0};
  memset(t->peers, 0, sizeof(t->peers));
  return was_closed ? 0 : TURN_EVENT_FAILED;
}

/* RFC 8489 9.2.2: key = MD5(username ":" realm ":" password). */
static void key_make(struct turn *t) {
  char text[3 * TURN_TEXT_MAX + 3];
  size_t n = 0;
  const char *const parts[] = {t->username, ":", t->realm, ":", t->password};
  for (size_t i = 0; i < COUNT_OF(parts); i++) {
    memcpy(text + n, parts[i], strlen(parts[i]));
    n += strlen(parts[i]);
  }
  hash_md5(slice_from(text, n), t->key);
  explicit_bzero(text, sizeof(text));
  t->has_key = true;
}

static bool take_challenge(struct turn *t, const struct stunmsg *m) {
  struct slice realm = stunmsg_find(m, STUNATTR_REALM), nonce = stunmsg_find(m, STUNATTR_NONCE);
  if (!realm.p || !nonce.p || slice_copy(t->realm, sizeof(t->realm), realm) < 0 ||
      slice_copy(t->nonce, sizeof(t->nonce), nonce) < 0)
    return false;
  key_make(t);
  return true;
}

/* 401 to what was not signed, 438 to what was: once more. false: this request is refused. */
static bool is_challenge(struct turn *t, struct ask *q, const struct stunmsg *m, uint64_t now_us) {
  bool may = m->error == 438 || (m->error == 401 && !q->is_signed);
  if (!may || q->stale >= TURN_STALE_MAX || !take_challenge(t, m))
    return false;
  ask_anew(q, now_us);
  return true;
}

static uint32_t lifetime_s(const struct stunmsg *m, uint32_t otherwise) {
  struct slice v = stunmsg_find(m, ATTR_LIFETIME);
  uint32_t s = v.n == 4 ? bytes_u32((const uint8_t *)v.p) : otherwise;
  return s < 3600 ? s : 3600;
}

static void keep(struct turn *t, uint32_t s, uint64_t now_us) {
  uint32_t ahead = s > 2 * REFRESH_AHEAD_S ? REFRESH_AHEAD_S : s / 2;
  t->until_us = now_us + (uint64_t)s * SECOND_US;
  t->refresh_us = now_us + (uint64_t)(s - ahead) * SECOND_US;
}

static unsigned on_allocated(struct turn *t, const struct stunmsg *m, uint64_t now_us) {
  struct slice relayed = stunmsg_find(m, ATTR_RELAYED);
  if (!relayed.p || stunmsg_address(m, relayed, &t->relayed) < 0 || !m->has_mapped)
    return fail(t, 400);
  t->mapped = m->mapped;
  t->state = TURN_UP;
  keep(t, lifetime_s(m, TURN_LIFETIME_S), now_us);
  return TURN_EVENT_UP;
}

static unsigned on_session(struct turn *t, const struct stunmsg *m, uint64_t now_us) {
  struct ask was = t->ask;
  t->ask.method = 0;
  if (m->class == STUNMSG_ERROR)
    return fail(t, m->error);
  if (was.method == METHOD_ALLOCATE)
    return on_allocated(t, m, now_us);
  keep(t, lifetime_s(m, TURN_LIFETIME_S), now_us);
  return 0;
}

static void on_peer(struct turn *t, struct peer *p, const struct stunmsg *m, uint64_t now_us) {
  uint16_t method = p->ask.method;
  p->ask.method = 0;
  p->fresh_us = now_us + (uint64_t)TURN_PEER_FRESH_S * SECOND_US;
  if (m->class == STUNMSG_SUCCESS) {
    p->may_send = true;
    p->is_bound = p->is_bound || method == METHOD_BIND;
    p->until_us = now_us + (uint64_t)300 * SECOND_US;
    return;
  }
  t->error = m->error;
  if (method == METHOD_BIND && !p->is_bound) { /* no channel: then without one */
    p->wants_channel = false;
    p->fresh_us = now_us;
  } else {
    p->fresh_us = now_us + (uint64_t)TURN_RETRY_S * SECOND_US;
  }
}

static struct ask *ask_of(struct turn *t, const uint8_t *id, struct peer **ret) {
  *ret = NULL;
  if (t->ask.method && memcmp(t->ask.id, id, STUNMSG_ID_BYTES) == 0)
    return &t->ask;
  for (unsigned i = 0; i < TURN_PEERS_MAX; i++)
    if (t->peers[i].ask.method && memcmp(t->peers[i].ask.id, id, STUNMSG_ID_BYTES) == 0) {
      *ret = &t->peers[i];
      return &t->peers[i].ask;
    }
  return NULL;
}

static enum drop on_response(struct turn *t, const struct stunmsg *m, uint64_t now_us,
                             unsigned *ret_events) {
  struct peer *peer;
  struct ask *q = ask_of(t, m->id, &peer);
  if (!q || m->method != q->method)
    return DROP_ICE_RESPONSE;
  if (m->class == STUNMSG_ERROR && is_challenge(t, q, m, now_us))
    return DROP_NONE;
  bool is_plain_refusal = m->class == STUNMSG_ERROR && !m->has_integrity;
  if (q->is_signed && !is_plain_refusal && !stunmsg_is_intact(m, slice_from(t->key, sizeof(t->key))))
    return DROP_ICE_INTEGRITY;
  if (peer)
    on_peer(t, peer, m, now_us);
  else
    *ret_events |= on_session(t, m, now_us);
  return DROP_NONE;
}

/* Data --------------------------------------------------------------------------------------------- */
static struct peer *peer_of(const struct turn *t, const struct addr *a, bool by_port) {
  for (unsigned i = 0; i < TURN_PEERS_MAX; i++) {
    const struct peer *p = &t->peers[i];
    if (p->used && (by_port ? addr_eq(&p->address, a) : addr_eq_ip(&p->address, a)))
      return (struct peer *)p;
  }
  return NULL;
}

/* From whom we asked for only (any port of it: a permission is for an address). */
static enum drop on_indication(struct turn *t, const struct stunmsg *m, struct turn_data *ret) {
  struct slice peer = stunmsg_find(m, ATTR_PEER), data = stunmsg_find(m, ATTR_DATA);
  if (m->method != METHOD_DATA || !peer.p || !data.p || stunmsg_address(m, peer, &ret->peer) < 0)
    return DROP_ICE_METHOD;
  if (!peer_of(t, &ret->peer, false))
    return DROP_WRONG_SOURCE;
  ret->bytes = (uint8_t *)(uintptr_t)data.p;
  ret->n = data.n;
  return DROP_NONE;
}

static enum drop on_channel(struct turn *t, uint8_t *b, size_t n, struct turn_data *ret) {
  unsigned at = bytes_u16(b) - CHANNEL_FIRST;
  size_t length = bytes_u16(b + 2);
  if (length > n - CHANNEL_HEAD_BYTES)
    return DROP_STUN_MALFORMED;
  if (at >= TURN_PEERS_MAX || !t->peers[at].used || !t->peers[at].wants_channel)
    return DROP_WRONG_SOURCE;
  ret->peer = t->peers[at].address;
  ret->bytes = b + CHANNEL_HEAD_BYTES;
  ret->n = length;
  return DROP_NONE;
}

enum drop turn_input(struct turn *t, uint8_t *b, size_t n, uint64_t now_us, struct turn_data *ret,
                     unsigned *ret_events) {
  struct stunmsg m;
  *ret = (struct turn_data){.n = 0};
  *ret_events = 0;
  if (n >= CHANNEL_HEAD_BYTES && b[0] >> 6 == 1)
    return on_channel(t, b, n, ret);
  if (n == 0 || b[0] >> 6)
    return DROP_NOT_FOR_US;
  if (stunmsg_parse(&m, b, n) < 0)
    return DROP_STUN_MALFORMED;
  if (m.method == STUNMSG_BINDING)
    return DROP_NOT_FOR_US;
  if (m.class == STUNMSG_INDICATION)
    return on_indication(t, &m, ret);
  return m.class == STUNMSG_REQUEST ? DROP_ICE_METHOD : on_response(t, &m, now_us, ret_events);
}

int turn_permit(struct turn *t, const struct addr *peer, bool has_channel) {
  struct peer *p = peer_of(t, peer, true);
  for (unsigned i = 0; !p && i < TURN_PEERS_MAX; i++)
    if (!t->peers[i].used) {
      p = &t->peers[i];
      *p = (struct peer){.used = true, .address = *peer};
    }
  if (!p)
    return -ENOSPC;
  if (has_channel && !p->wants_channel) {
    p->wants_channel = true;
    p->fresh_us = 0;
  }
  return 0;
}

bool turn_may_send(const struct turn *t, const struct addr *peer) {
  const struct peer *p = peer_of(t, peer, true);
  return t->state == TURN_UP && p && p->may_send;
}

static size_t wrap_indication(const struct addr *peer, uint8_t *buf, size_t n, size_t room) {
  struct stunmsg_out o;
  uint8_t head[TURN_OVERHEAD_BYTES], id[STUNMSG_ID_BYTES];
  rand_bytes(id, sizeof(id));
  stunmsg_begin(&o, head, sizeof(head), STUNMSG_INDICATION, id);
  stunmsg_set_method(&o, METHOD_SEND);
  stunmsg_put_xored(&o, ATTR_PEER, peer);
  size_t at = stunmsg_end(&o), padded = (n + 3) / 4 * 4, all = at + 4 + padded;
  if (all > room)
    return 0;
  memmove(buf + at + 4, buf, n);
  memset(buf + at + 4 + n, 0, padded - n);
  memcpy(buf, head, at);
  bytes_put_u16(buf + at, ATTR_DATA);
  bytes_put_u16(buf + at + 2, (uint16_t)n);
  bytes_put_u16(buf + 2, (uint16_t)(all - STUNMSG_HEAD_BYTES));
  return all;
}

size_t turn_wrap(const struct turn *t, const struct addr *peer, uint8_t *buf, size_t n, size_t room) {
  const struct peer *p = peer_of(t, peer, true);
  if (t->state != TURN_UP || !p || !p->may_send || n > UINT16_MAX - 64)
    return 0;
  if (!p->is_bound)
    return wrap_indication(peer, buf, n, room);
  if (n + CHANNEL_HEAD_BYTES > room)
    return 0;
  memmove(buf + CHANNEL_HEAD_BYTES, buf, n);
  bytes_put_u16(buf, (uint16_t)(CHANNEL_FIRST + (p - t->peers)));
  bytes_put_u16(buf + 2, (uint16_t)n);
  return n + CHANNEL_HEAD_BYTES;
}

/* Time --------------------------------------------------------------------------------------------- */
/* false: it was asked often enough. */
static bool ask_tick(struct ask *q, uint64_t now_us) {
  if (now_us < q->next_us)
    return true;
  if (q->tries >= TURN_TRIES)
    return false;
  q->next_us = now_us + (uint64_t)(TURN_RTO_MS * 1000u) * (UINT64_C(1) << q->tries);
  q->tries++;
  q->is_due = true;
  return true;
}

static unsigned tick_session(struct turn *t, uint64_t now_us) {
  if (t->ask.method)
    return ask_tick(&t->ask, now_us) ? 0 : fail(t, 408);
  if (t->state == TURN_ASKING)
    ask_begin(&t->ask, METHOD_ALLOCATE, now_us);
  else if (t->state == TURN_UP && now_us >= t->refresh_us)
    ask_begin(&t->ask, METHOD_REFRESH, now_us);
  return t->state == TURN_UP && now_us >= t->until_us ? fail(t, 408) : 0;
}

static void tick_peer(struct peer *p, uint64_t now_us) {
  if (p->may_send && now_us >= p->until_us)
    p->may_send = p->is_bound = false;
  if (!p->ask.method && now_us >= p->fresh_us)
    ask_begin(&p->ask, p->wants_channel ? METHOD_BIND : METHOD_PERMIT, now_us);
  else if (p->ask.method && !ask_tick(&p->ask, now_us)) {
    p->ask.method = 0;
    p->fresh_us = now_us + (uint64_t)TURN_RETRY_S * SECOND_US;
  }
}

unsigned turn_tick(struct turn *t, uint64_t now_us) {
  if (t->state == TURN_FAILED || t->state == TURN_CLOSED)
    return 0;
  unsigned events = tick_session(t, now_us);
  for (unsigned i = 0; i < TURN_PEERS_MAX && t->state == TURN_UP; i++)
    if (t->peers[i].used)
      tick_peer(&t->peers[i], now_us);
  return events;
}

static uint64_t sooner(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t turn_next_us(const struct turn *t) {
  uint64_t next = UINT64_MAX;
  if (t->state == TURN_FAILED || t->state == TURN_CLOSED)
    return next;
  if (t->ask.method)
    next = t->ask.next_us;
  else
    next = t->state == TURN_UP ? t->refresh_us : 0;
  if (t->state != TURN_UP)
    return next;
  for (unsigned i = 0; i < TURN_PEERS_MAX; i++) {
    const struct peer *p = &t->peers[i];
    if (p->used)
      next = sooner(next, p->ask.method ? p->ask.next_us : p->fresh_us);
    if (p->used && p->may_send)
      next = sooner(next, p->until_us);
  }
  return sooner(next, t->until_us);
}

void turn_close(struct turn *t) {
  bool is_up = t->state == TURN_UP;
  t->state = TURN_CLOSED;
  memset(t->peers, 0, sizeof(t->peers));
  t->ask = (struct ask){0};
  if (is_up)
    ask_begin(&t->ask, METHOD_REFRESH, 0);
}
