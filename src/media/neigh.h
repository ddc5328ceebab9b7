/* SPDX-License-Identifier: Apache-2.0
 * Next hops as the kernel knows them, by rtnetlink: its route from one of our addresses, the neighbour
 * on that route. Workers ask by a ring and are answered by another; what changes later is told without
 * being asked. The control thread's loop serves it. */
#pragma once
#include "base/loop.h"
#include "media/hop.h"

enum { NEIGH_HOPS_MAX = 4096 /* so many are told of changes; more are answered only */ };

struct neigh;
/* Hops by that interface, from our own addresses. 0 or -errno. Before the jail closes. */
int neigh_new(struct neigh **ret, unsigned ifindex, const struct addr *ours, unsigned n_ours,
              uint32_t workers) must_check;
struct neigh *neigh_free(struct neigh *g);
OWN_DEFINE(neigh)
int neigh_watch(struct neigh *g, struct loop *l) must_check; /* once */
/* A worker's thread: */
void neigh_ask(struct neigh *g, uint32_t worker, const struct hop_key *key);
bool neigh_get(struct neigh *g, uint32_t worker, struct hop_answer *ret);
