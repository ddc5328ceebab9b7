/* SPDX-License-Identifier: Apache-2.0
 * What the rooms of caps share: accounts. Inside guard. */
#pragma once
#include "base/map.h"
#include "guard/caps.h"

enum { KEY_BYTES = 160, COUNTRIES = 1000 };

struct account {
  char key[KEY_BYTES]; /* the cap's name, a space, the value; "" while free */
  uint32_t generation, live;
  uint64_t used_us; /* used is when it was asked last. */
  struct bucket bucket;
  uint64_t hour_us, day_us; /* when the windows began */
  uint32_t hour_calls;
  uint64_t day_talked_us, day_spent; /* in millionths of the unit of cost_per_minute */
};

struct caps {
  struct account accounts[CAPS_ACCOUNTS_MAX];
  struct map *by_key;
  uint32_t next_free; /* accounts from here on were never used. */
  uint8_t countries[COUNTRIES / 8 + 1];
  bool is_news; /* is_news: something changed since caps_write(). */
};

/* The account of that key, made if need be; NULL: all have live calls. */
struct account *caps_account(struct caps *c, const char *key);
