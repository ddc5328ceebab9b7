/* SPDX-License-Identifier: Apache-2.0
 * Next hops: see hop.h. */
#include "media/hop.h"

#include "base/rand.h"

struct hop {
  struct hop_key key; /* family 0: free */
  bool is_known;
  uint8_t mac[6];
  uint64_t asked_us, used_us;
};

struct hops {
  uint64_t secret; /* secret mixes the hash: peers choose addresses */
  struct hop sets[HOP_SETS][HOP_WAYS];
};

int hops_new(struct hops **ret) {
  struct hops *h = calloc(1, sizeof(*h));
  if (!h)
    return -ENOMEM;
  rand_bytes(&h->secret, sizeof(h->secret));
  h->secret |= 1;
  *ret = h;
  return 0;
}

struct hops *hops_free(struct hops *h) {
  free(h);
  return NULL;
}

void hop_key_of(struct hop_key *ret, const struct addr *to, unsigned address) {
  *ret = (struct hop_key){.family = (uint8_t)addr_family(to), .address = (uint8_t)address};
  if (ret->family == AF_INET)
    memcpy(ret->ip, &to->in4.sin_addr, 4);
  else
    memcpy(ret->ip, &to->in6.sin6_addr, 16);
}

static struct hop *set_of(struct hops *h, const struct hop_key *key) {
  uint64_t a, b;
  memcpy(&a, key->ip, 8);
  memcpy(&b, key->ip + 8, 8);
  uint64_t x = (a ^ h->secret) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 29) ^ b ^ key->address) * (h->secret ^ 0xbf58476d1ce4e5b8u);
  return h->sets[x >> 56];
}

static struct hop *lookup(struct hop *set, const struct hop_key *key) {
  for (unsigned i = 0; i < HOP_WAYS; i++)
    if (memcmp(&set[i].key, key, sizeof(*key)) == 0)
      return &set[i];
  return NULL;
}

static struct hop *place(struct hop *set, const struct hop_key *key) {
  struct hop *oldest = set;
  for (unsigned i = 1; i < HOP_WAYS; i++)
    if (set[i].used_us < oldest->used_us)
      oldest = &set[i];
  *oldest = (struct hop){.key = *key};
  return oldest;
}

const uint8_t *hops_find(struct hops *h, const struct hop_key *key, uint64_t now_us, bool *ret_ask) {
  struct hop *set = set_of(h, key), *hop = lookup(set, key);
  bool is_new = !hop;
  if (is_new)
    hop = place(set, key);
  hop->used_us = now_us;
  *ret_ask = is_new || now_us - hop->asked_us >= (hop->is_known ? HOP_FRESH_US : HOP_AGAIN_US);
  if (!*ret_ask)
    return hop->is_known ? hop->mac : NULL;
  hop->asked_us = now_us;
  hop->is_known = false;
  return NULL;
}

void hops_answer(struct hops *h, const struct hop_answer *a) {
  struct hop *hop = lookup(set_of(h, &a->key), &a->key);
  if (!hop)
    return;
  hop->is_known = a->is_known;
  memcpy(hop->mac, a->mac, sizeof(hop->mac));
}
