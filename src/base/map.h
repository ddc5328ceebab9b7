/* SPDX-License-Identifier: Apache-2.0
 * Hash map from byte keys to pointers, keyed by a random secret so that a peer cannot choose
 * collisions, with a limit on its entries. Keys are copied. One owner thread. */
#pragma once
#include "base/slice.h"

struct map;
int map_new(struct map **ret_map, size_t max_entries) must_check; /* 0 or -ENOMEM */
struct map *map_free(struct map *m);                              /* values are not freed */
OWN_DEFINE(map)
/* 0, -EEXIST (nothing changed), -ENOSPC (max_entries reached) or -ENOMEM. */
int map_put(struct map *m, struct slice key, void *value) must_check;
void *map_get(const struct map *m, struct slice key); /* NULL if absent */
void *map_del(struct map *m, struct slice key);       /* the value that was there, or NULL */
size_t map_count(const struct map *m);
/* Calls fn for every entry; fn may delete the entry it is given, nothing else. */
void map_each(struct map *m, void (*fn)(void *arg, struct slice key, void *value), void *arg);
