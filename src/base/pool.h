/* SPDX-License-Identifier: Apache-2.0
 * A fixed pool of equal objects named by handles {generation, slot}: a stale handle finds nothing.
 * Objects never move. Memory is taken in chunks up to the capacity. One owner thread. */
#pragma once
#include "base/own.h"

typedef uint64_t pool_handle; /* 0 names nothing */

struct pool;
int pool_new(struct pool **ret_pool, size_t object_bytes, uint32_t capacity) must_check;
struct pool *pool_free(struct pool *p);
OWN_DEFINE(pool)
/* A zeroed object and its handle; NULL when the pool is full or memory is out. */
void *pool_add(struct pool *p, pool_handle *ret_handle) must_check;
void *pool_get(const struct pool *p, pool_handle h); /* NULL if h is stale */
void pool_del(struct pool *p, pool_handle h);        /* a stale handle is ignored; wiped */
uint32_t pool_count(const struct pool *p);
/* The first live object at or after *slot, *slot set to the slot after it; NULL at the end. */
void *pool_next(const struct pool *p, uint32_t *slot, pool_handle *ret_handle);
