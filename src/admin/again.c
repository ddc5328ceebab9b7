/* SPDX-License-Identifier: Apache-2.0
 * Answers that may be asked for again: see again.h. */
#include "admin/again.h"

#include "base/list.h"
#include "base/map.h"

#define KEEP_US (24 * 3600000000ull)

struct once {
  struct list node; /* node is in order of arrival. */
  uint8_t key[32], body[32];
  uint64_t at_us;
  bool finished;
  struct web_answer answer;
};

struct again {
  struct map *by_key;
  struct list order;
  size_t max, bytes, max_bytes;
};

int again_new(struct again **ret, size_t max_entries, size_t max_bytes) {
  own(again) a = calloc(1, sizeof *a);
  if (!a)
    return -ENOMEM;
  list_init(&a->order);
  a->max = max_entries;
  a->max_bytes = max_bytes;
  int r = map_new(&a->by_key, max_entries);
  if (r == 0)
    *ret = take(a);
  return r;
}

static void once_drop(struct again *a, struct once *o) {
  map_del(a->by_key, slice_from(o->key, sizeof o->key));
  list_del(&o->node);
  a->bytes -= o->answer.body_bytes;
  web_answer_done(&o->answer);
  free(o);
}

struct again *again_free(struct again *a) {
  if (!a)
    return NULL;
  LIST_EACH_SAFE(&a->order, n)
    once_drop(a, CONTAINER_OF(n, struct once, node));
  map_free(a->by_key);
  free(a);
  return NULL;
}

/* What is too old goes, and of the finished ones the oldest until there is room. */
static bool room_make(struct again *a, size_t bytes, uint64_t now_us) {
  LIST_EACH_SAFE(&a->order, n) {
    struct once *o = CONTAINER_OF(n, struct once, node);
    bool full = map_count(a->by_key) >= a->max || a->bytes + bytes > a->max_bytes;
    if (o->finished && (full || now_us > o->at_us + KEEP_US))
      once_drop(a, o);
  }
  return map_count(a->by_key) < a->max && a->bytes + bytes <= a->max_bytes;
}

static struct once *once_make(struct again *a, const uint8_t key[32], const uint8_t body[32],
                              uint64_t now_us) {
  struct once *o = room_make(a, 0, now_us) ? calloc(1, sizeof *o) : NULL;
  if (!o)
    return NULL;
  memcpy(o->key, key, 32);
  memcpy(o->body, body, 32);
  o->at_us = now_us;
  if (map_put(a->by_key, slice_from(o->key, 32), o) < 0) {
    free(o);
    return NULL;
  }
  list_add_tail(&a->order, &o->node);
  return o;
}

enum again_state again_begin(struct again *a, const uint8_t key[32], const uint8_t body[32],
                             uint64_t now_us, struct web_answer *ret) {
  struct once *o = map_get(a->by_key, slice_from(key, 32));
  if (o && o->finished && now_us > o->at_us + KEEP_US) {
    once_drop(a, o);
    o = NULL;
  }
  if (!o)
    return once_make(a, key, body, now_us) ? AGAIN_NEW : AGAIN_FULL;
  if (memcmp(o->body, body, 32) != 0)
    return AGAIN_OTHER_BODY;
  if (!o->finished || web_answer_copy(ret, &o->answer) < 0)
    return AGAIN_IN_FLIGHT;
  ret->replayed = true;
  return AGAIN_REPLAY;
}

void again_finish(struct again *a, const uint8_t key[32], const struct web_answer *answer) {
  struct once *o = map_get(a->by_key, slice_from(key, 32));
  if (!o || o->finished)
    return;
  bool keep = answer->status < 500 && answer->status != 429 &&
              room_make(a, answer->body_bytes, o->at_us) && web_answer_copy(&o->answer, answer) == 0;
  if (!keep) {
    once_drop(a, o);
    return;
  }
  a->bytes += answer->body_bytes;
  o->finished = true;
}

void again_drop(struct again *a, const uint8_t key[32]) {
  struct once *o = map_get(a->by_key, slice_from(key, 32));
  if (o && !o->finished)
    once_drop(a, o);
}
