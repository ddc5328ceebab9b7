/* SPDX-License-Identifier: Apache-2.0
 * Next hops as a worker knows them: from which of our addresses to which IP, and by which MAC. What it
 * does not know it asks of the kernel by the control thread (neigh.h) and sends by the kernel
 * meanwhile. A hop is asked for anew after HOP_FRESH_US, and one datagram or a few go by the kernel
 * then: that is how the kernel sees its neighbour used, and verifies it. Engine without I/O; one thread.
 */
#pragma once
#include "base/addr.h"

enum {
  HOP_SETS = 256,
  HOP_WAYS = 4, /* the one that was not used for longest goes */
  HOP_FRESH_US = 20000000,
  HOP_AGAIN_US = 1000000, /* an unknown one is asked for again */
};

struct hop_key {
  uint8_t ip[16];
  uint8_t family, address; /* address: which of our own */
};
struct hop_answer {
  struct hop_key key;
  bool is_known;
  uint8_t mac[6];
};

struct hops;
int hops_new(struct hops **ret) must_check;
struct hops *hops_free(struct hops *h);
OWN_DEFINE(hops)
void hop_key_of(struct hop_key *ret, const struct addr *to, unsigned address);
/* The MAC, or NULL: by the kernel. *ret_ask: the key is to be asked for. */
const uint8_t *hops_find(struct hops *h, const struct hop_key *key, uint64_t now_us, bool *ret_ask);
/* What is not known any more is not learnt; a known MAC may change or end at any time. */
void hops_answer(struct hops *h, const struct hop_answer *a);
