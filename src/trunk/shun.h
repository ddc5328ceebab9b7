/* SPDX-License-Identifier: Apache-2.0
 * Targets that did not answer, or asked for quiet: by trunk, transport and address, so that what one
 * trunk's peer does harms no other trunk. At most SHUN_MAX; the oldest goes. Engine; call thread.
 * RFC 3263 4.3, RFC 3261 20.33. */
#pragma once
#include "base/addr.h"
#include "conf/conf.h"

enum {
  SHUN_MAX = 1024,
  SHUN_DEAD_S = 300,       /* refused, reset, silent */
  SHUN_BUSY_S = 32,        /* a 503 that says no time */
  SHUN_QUIET_MAX_S = 3600, /* of a Retry-After */
};

enum shun_state {
  SHUN_NOT,
  SHUN_LAST,  /* tried once the others have failed */
  SHUN_NEVER, /* it told a Retry-After: left alone until then */
};

struct shun_target {
  const char *trunk;
  uint8_t transport; /* enum conf_transport */
  struct addr addr;
};

struct shun;
int shun_new(struct shun **ret) must_check;
struct shun *shun_free(struct shun *s);
OWN_DEFINE(shun)
void shun_add(struct shun *s, const struct shun_target *t, enum shun_state state, uint32_t for_s,
              uint64_t now_us);
enum shun_state shun_of(const struct shun *s, const struct shun_target *t, uint64_t now_us,
                        uint32_t *ret_left_s); /* ret_left_s: whole seconds, rounded up */
void shun_release(struct shun *s, const struct shun_target *t); /* it answered */
uint32_t shun_count(const struct shun *s);
