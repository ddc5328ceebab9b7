/* SPDX-License-Identifier: Apache-2.0
 * Sources that fail to prove who they are: so many times within a minute, and nothing of theirs is
 * looked at for a while. Failures count only with a nonce that the source must have received, so that
 * nobody is banned by forged datagrams. Bounded: the oldest is forgotten. IPv6 by its /64. */
#include "guard/part.h"

enum {
  BANS_MAX = 1024,
  FAILURES_MAX = 10,
  WINDOW_US = 60000000,
  BAN_US = 300000000,
};

struct failing {
  uint8_t key[16];
  uint8_t bytes; /* bytes of key; 0: free */
  uint32_t failures;
  uint64_t since_us, until_us;
};

struct bans {
  struct map *by_source;
  struct failing list[BANS_MAX];
  uint32_t next;
};

static struct slice key_of(const struct addr *a, uint8_t key[16]) {
  memset(key, 0, 16);
  if (addr_family(a) == AF_INET6) {
    memcpy(key, &a->in6.sin6_addr, 8);
    return slice_from(key, 8);
  }
  memcpy(key, &a->in4.sin_addr, 4);
  return slice_from(key, 4);
}

static struct failing *place_make(struct bans *b, struct slice key, uint64_t now_us) {
  struct failing *f = &b->list[b->next++ % BANS_MAX];
  if (f->bytes)
    map_del(b->by_source, slice_from(f->key, f->bytes));
  memset(f, 0, sizeof(*f));
  if (map_put(b->by_source, key, f) < 0)
    return NULL;
  memcpy(f->key, key.p, key.n);
  f->bytes = (uint8_t)key.n;
  f->since_us = now_us;
  return f;
}

struct bans *bans_new(void) {
  struct bans *b = calloc(1, sizeof(*b));
  if (b && map_new(&b->by_source, BANS_MAX) == 0)
    return b;
  free(b);
  return NULL;
}

struct bans *bans_free(struct bans *b) {
  if (b)
    map_free(b->by_source);
  free(b);
  return NULL;
}

bool guard_note_failure(struct guard *g, const struct addr *source, uint64_t now_us) {
  uint8_t key[16];
  struct slice k = key_of(source, key);
  struct failing *f = map_get(g->bans->by_source, k);
  if (!f && !(f = place_make(g->bans, k, now_us)))
    return false;
  if (now_us > f->since_us + WINDOW_US) {
    f->since_us = now_us;
    f->failures = 0;
  }
  if (++f->failures < FAILURES_MAX || f->until_us > now_us)
    return false;
  f->until_us = now_us + BAN_US;
  return true;
}

bool guard_is_banned(const struct guard *g, const struct addr *source, uint64_t now_us) {
  uint8_t key[16];
  const struct failing *f = map_get(g->bans->by_source, key_of(source, key));
  return f && f->until_us > now_us;
}
