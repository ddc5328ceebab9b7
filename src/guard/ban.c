/* SPDX-License-Identifier: Apache-2.0
 * Sources that fail to prove who they are: so many times within a minute, and nothing of theirs is
 * looked at for a while. Failures count only with a nonce that the source must have received, so that
 * nobody is banned by forged datagrams. Bounded: the oldest is forgotten. IPv6 by its /64. */
#include "guard/part.h"

enum {
  BANS_MAX = GUARD_BANS_MAX,
  HAND_MAX = 512,
  FAILURES_MAX = 10,
  WINDOW_US = 60000000,
  BAN_US = 300000000,
};

struct failing {
  uint8_t key[16];
  uint8_t bytes; /* bytes of key; 0: free */
  uint32_t failures;
  uint64_t since_us, until_us, hits;
  bool by_hand;
  char why[GUARD_WHY_BYTES], by[GUARD_BY_BYTES];
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
  while (b->list[b->next % BANS_MAX].by_hand) /* at most HAND_MAX of them */
    b->next++;
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
  f->hits = 0;
  slice_copy(f->why, sizeof(f->why), SLICE("failed to prove who it is"));
  slice_copy(f->by, sizeof(f->by), SLICE("gateway"));
  return true;
}

bool guard_is_banned(const struct guard *g, const struct addr *source, uint64_t now_us) {
  uint8_t key[16];
  struct failing *f = map_get(g->bans->by_source, key_of(source, key));
  bool is_banned = f && f->until_us > now_us;
  if (is_banned)
    f->hits++;
  return is_banned;
}

int guard_ban_back(struct guard *g, const struct addr *source, const struct guard_ban *b) {
  uint8_t key[16];
  struct slice k = key_of(source, key);
  struct failing *f = map_get(g->bans->by_source, k);
  uint32_t hands = 0;
  for (uint32_t i = 0; i < BANS_MAX; i++)
    hands += g->bans->list[i].by_hand;
  if ((b->by_hand && hands >= HAND_MAX) || (!f && !(f = place_make(g->bans, k, 0))))
    return -ENOSPC;
  f->until_us = b->until_us;
  f->by_hand = b->by_hand;
  f->hits = b->hits;
  memcpy(f->why, b->why, sizeof(f->why));
  memcpy(f->by, b->by, sizeof(f->by));
  return 0;
}

int guard_ban(struct guard *g, const struct addr *source, uint64_t until_us, const char *why,
              const char *by) {
  struct guard_ban b = {.until_us = until_us, .by_hand = true};
  slice_copy(b.why, sizeof(b.why), slice_of(why));
  slice_copy(b.by, sizeof(b.by), slice_of(by));
  return guard_ban_back(g, source, &b);
}

int guard_unban(struct guard *g, const struct addr *source) {
  uint8_t key[16];
  struct failing *f = map_del(g->bans->by_source, key_of(source, key));
  bool was = f && f->until_us;
  if (f)
    memset(f, 0, sizeof(*f));
  return was ? 0 : -ENOENT;
}

static void source_text(const struct failing *f, char text[ADDR_TEXT_BYTES]) {
  char ip[ADDR_TEXT_BYTES];
  struct addr a = {0};
  a.sa.sa_family = f->bytes == 4 ? AF_INET : AF_INET6;
  if (f->bytes == 4)
    memcpy(&a.in4.sin_addr, f->key, 4);
  else
    memcpy(&a.in6.sin6_addr, f->key, 8);
  slice_copy(text, ADDR_TEXT_BYTES, slice_of(addr_ip_text(&a, ip, sizeof(ip))));
}

size_t guard_bans(const struct guard *g, uint64_t now_us, struct guard_ban *list) {
  size_t n = 0;
  for (uint32_t i = 0; i < BANS_MAX; i++) {
    struct failing *f = &g->bans->list[i];
    if (!f->bytes || f->until_us <= now_us) {
      f->by_hand = false; /* it is over: its place may be taken */
      continue;
    }
    source_text(f, list[n].address);
    memcpy(list[n].why, f->why, sizeof(f->why));
    memcpy(list[n].by, f->by, sizeof(f->by));
    list[n].by_hand = f->by_hand;
    list[n].until_us = f->until_us;
    list[n++].hits = f->hits;
  }
  return n;
}
