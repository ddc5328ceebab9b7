/* SPDX-License-Identifier: Apache-2.0
 * Idempotency keys: see idem.h. */
#include "native/idem.h"

#include "base/hmac.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"

#include <stdio.h>

enum { KEY_MAX = 128, MAP_KEY_BYTES = 400 };
#define KEEP_US (600ull * 1000000)

struct entry {
  struct list node;
  char key[MAP_KEY_BYTES];
  size_t key_n;
  uint8_t body[HMAC_SHA256_BYTES]; /* body is the digest of the request's body. */
  uint64_t at_us;
  pool_handle handle;
  bool done;
  struct web_answer answer;
};

struct idem {
  struct map *map;
  struct pool *pool;
  struct list order; /* order is by age, oldest first. */
};

int idem_new(struct idem **ret, size_t max) {
  own(idem) i = calloc(1, sizeof(*i));
  if (!i)
    return -ENOMEM;
  list_init(&i->order);
  int r = map_new(&i->map, max);
  if (r == 0)
    r = pool_new(&i->pool, sizeof(struct entry), (uint32_t)max);
  if (r < 0)
    return r;
  *ret = take(i);
  return 0;
}

static void entry_drop(struct idem *i, struct entry *e) {
  map_del(i->map, slice_from(e->key, e->key_n));
  list_del(&e->node);
  web_answer_done(&e->answer);
  pool_del(i->pool, e->handle);
}

struct idem *idem_free(struct idem *i) {
  if (!i)
    return NULL;
  if (i->order.next)
    LIST_EACH_SAFE(&i->order, at)
      entry_drop(i, CONTAINER_OF(at, struct entry, node));
  map_free(i->map);
  pool_free(i->pool);
  free(i);
  return NULL;
}

void idem_sweep(struct idem *i, uint64_t now_us) {
  LIST_EACH_SAFE(&i->order, at) {
    struct entry *e = CONTAINER_OF(at, struct entry, node);
    if (now_us < e->at_us + KEEP_US)
      break;
    entry_drop(i, e);
  }
}

static void make_room(struct idem *i) {
  LIST_EACH(&i->order, at) {
    struct entry *e = CONTAINER_OF(at, struct entry, node);
    if (e->done) {
      entry_drop(i, e);
      return;
    }
  }
}

static bool key_is_sound(struct slice key) {
  if (key.n == 0 || key.n > KEY_MAX)
    return false;
  for (size_t k = 0; k < key.n; k++)
    if (key.p[k] < 0x21 || key.p[k] > 0x7e)
      return false;
  return true;
}

enum idem_state idem_begin(struct idem *i, struct slice scope, struct slice key, struct slice body,
                           uint64_t now_us, uint64_t *ret_id, struct web_answer *ret_answer) {
  char text[MAP_KEY_BYTES];
  uint8_t digest[HMAC_SHA256_BYTES];
  *ret_id = 0;
  if (!key_is_sound(key))
    return IDEM_BAD_KEY;
  int n = snprintf(text, sizeof(text), "%.*s\n%.*s", SLICE_ARG(scope), SLICE_ARG(key));
  if (n < 0 || (size_t)n >= sizeof(text))
    return IDEM_BAD_KEY;
  struct slice full = slice_from(text, (size_t)n);
  hash_sha256(body, digest);
  idem_sweep(i, now_us);
  struct entry *e = map_get(i->map, full);
  if (e) {
    if (memcmp(e->body, digest, sizeof(digest)) != 0)
      return IDEM_OTHER_BODY;
    if (!e->done)
      return IDEM_IN_FLIGHT;
    return web_answer_copy(ret_answer, &e->answer) == 0 ? IDEM_REPLAY : IDEM_IN_FLIGHT;
  }
  pool_handle h;
  e = pool_add(i->pool, &h);
  if (!e) {
    make_room(i);
    e = pool_add(i->pool, &h);
  }
  if (!e)
    return IDEM_NEW;
  e->handle = h;
  e->at_us = now_us;
  e->key_n = full.n;
  memcpy(e->key, full.p, full.n);
  memcpy(e->body, digest, sizeof(digest));
  if (map_put(i->map, full, e) < 0) {
    pool_del(i->pool, h);
    return IDEM_NEW;
  }
  list_add_tail(&i->order, &e->node);
  *ret_id = h;
  return IDEM_NEW;
}

void idem_finish(struct idem *i, uint64_t id, const struct web_answer *a, uint64_t now_us) {
  struct entry *e = pool_get(i->pool, id);
  (void)now_us;
  if (!e)
    return;
  if (a->status >= 500 || a->status == 429 || web_answer_copy(&e->answer, a) < 0) {
    entry_drop(i, e);
    return;
  }
  e->answer.replayed = true;
  e->done = true;
}
