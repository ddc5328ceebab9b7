/* SPDX-License-Identifier: Apache-2.0
 * See nonce.h. Text: base64url of the second of issue, eight random bytes, the signature's first 18. */
#include "trunk/nonce.h"

#include "base/hmac.h"
#include "base/map.h"
#include "base/rand.h"

#include <stdio.h>

enum { KEY_BYTES = 32, RANDOM_BYTES = 8, MAC_BYTES = 18, RAW_BYTES = 4 + RANDOM_BYTES + MAC_BYTES };

/* A nonce that proved somebody, and which of its counts were used: the highest, and the 64 below. */
struct used {
  char nonce[NONCE_BYTES];
  uint32_t at_s, highest;
  uint64_t below;
};

struct nonces {
  uint8_t key[KEY_BYTES];
  struct map *by_nonce;
  struct used *ring; /* ring has NONCE_KEPT_MAX, the oldest overwritten. */
  uint32_t next;
  uint32_t forgotten_s; /* forgotten_s: nonces as old as this are stale unless they are kept. */
};

int nonces_new(struct nonces **ret) {
  own(nonces) n = calloc(1, sizeof *n);
  if (!n)
    return -ENOMEM;
  rand_bytes(n->key, sizeof n->key);
  n->ring = calloc(NONCE_KEPT_MAX, sizeof *n->ring);
  if (!n->ring || map_new(&n->by_nonce, NONCE_KEPT_MAX) < 0)
    return -ENOMEM;
  *ret = take(n);
  return 0;
}

struct nonces *nonces_free(struct nonces *n) {
  if (!n)
    return NULL;
  map_free(n->by_nonce);
  free(n->ring);
  explicit_bzero(n, sizeof *n);
  free(n);
  return NULL;
}

/* Over issue, random bytes, address and realm. */
static void sign(const struct nonces *n, const uint8_t *raw, const struct addr *source,
                 const char *realm, uint8_t ret[MAC_BYTES]) {
  char text[4 + RANDOM_BYTES + ADDR_TEXT_BYTES + 300], ip[ADDR_TEXT_BYTES];
  uint8_t mac[HMAC_SHA256_BYTES];
  memcpy(text, raw, 4 + RANDOM_BYTES);
  int length = snprintf(text + 4 + RANDOM_BYTES, sizeof text - 4 - RANDOM_BYTES, "%s %s",
                        addr_ip_text(source, ip, sizeof ip), realm);
  size_t room = sizeof text - 4 - RANDOM_BYTES - 1;
  size_t used = length > 0 && (size_t)length < room ? (size_t)length : room;
  hmac_sha256(slice_from(n->key, KEY_BYTES), slice_from(text, 4 + RANDOM_BYTES + used), mac);
  memcpy(ret, mac, MAC_BYTES);
}

static uint32_t issue_of(const uint8_t *raw) {
  return (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
}

void nonce_make(struct nonces *n, const struct addr *source, const char *realm, uint64_t now_us,
                char ret[NONCE_BYTES]) {
  uint32_t now_s = (uint32_t)(now_us / 1000000);
  uint8_t raw[RAW_BYTES] = {(uint8_t)(now_s >> 24), (uint8_t)(now_s >> 16), (uint8_t)(now_s >> 8),
                            (uint8_t)now_s};
  rand_bytes(raw + 4, RANDOM_BYTES);
  sign(n, raw, source, realm, raw + 4 + RANDOM_BYTES);
  base64_encode(ret, raw, sizeof raw, true);
}

/* Is that count used? */
static bool is_used(const struct used *u, uint32_t nc) {
  if (nc > u->highest)
    return false;
  uint32_t back = u->highest - nc;
  return back >= 64 || (u->below >> back & 1);
}

enum nonce_state nonce_look(const struct nonces *n, const char *nonce, uint32_t nc,
                            const struct addr *source, const char *realm, uint64_t now_us) {
  uint8_t raw[RAW_BYTES + 2], mac[MAC_BYTES];
  size_t bytes;
  uint32_t now_s = (uint32_t)(now_us / 1000000);
  if (strlen(nonce) != NONCE_BYTES - 1 ||
      base64_decode(slice_of(nonce), true, raw, sizeof raw, &bytes) < 0 || bytes != RAW_BYTES)
    return NONCE_UNKNOWN;
  sign(n, raw, source, realm, mac);
  if (!slice_eq_secret(slice_from(mac, MAC_BYTES), slice_from(raw + 4 + RANDOM_BYTES, MAC_BYTES)))
    return NONCE_UNKNOWN;
  uint32_t at_s = issue_of(raw);
  const struct used *u = map_get(n->by_nonce, slice_of(nonce));
  if (at_s > now_s || now_s - at_s > NONCE_LIFE_S)
    return NONCE_STALE;
  if (!u)
    return at_s <= n->forgotten_s ? NONCE_STALE : NONCE_GOOD;
  return is_used(u, nc) ? NONCE_STALE : NONCE_GOOD;
}

static struct used *place_make(struct nonces *n, const char *nonce) {
  struct used *u = &n->ring[n->next++ % NONCE_KEPT_MAX];
  uint8_t raw[RAW_BYTES + 2];
  size_t bytes;
  if (*u->nonce) {
    n->forgotten_s = u->at_s > n->forgotten_s ? u->at_s : n->forgotten_s;
    map_del(n->by_nonce, slice_of(u->nonce));
  }
  memset(u, 0, sizeof *u);
  if (base64_decode(slice_of(nonce), true, raw, sizeof raw, &bytes) < 0 || bytes != RAW_BYTES)
    return NULL;
  u->at_s = issue_of(raw);
  slice_copy(u->nonce, sizeof u->nonce, slice_of(nonce));
  if (map_put(n->by_nonce, slice_of(u->nonce), u) == 0)
    return u;
  n->forgotten_s = u->at_s > n->forgotten_s ? u->at_s : n->forgotten_s; /* not to be used again */
  u->nonce[0] = 0;
  return NULL;
}

void nonce_use(struct nonces *n, const char *nonce, uint32_t nc) {
  struct used *u = map_get(n->by_nonce, slice_of(nonce));
  if (!u && !(u = place_make(n, nonce)))
    return;
  if (nc > u->highest) {
    uint32_t step = nc - u->highest;
    u->below = (step >= 64 ? 0 : u->below << step) | 1;
    u->highest = nc;
  } else if (u->highest - nc < 64) {
    u->below |= 1ull << (u->highest - nc);
  }
}
