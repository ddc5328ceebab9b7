/* SPDX-License-Identifier: Apache-2.0
 * What DNS told, remembered for its time to live within bounds (RESOLVE_TTL_MIN_S …), and what is being
 * asked. At most `max` entries: the oldest goes, whatever its time. Engine; call thread. RFC 2308. */
#pragma once
#include "base/own.h"
#include "wire/dns.h"

struct names;
int names_new(struct names **ret, uint32_t max) must_check;
struct names *names_free(struct names *n);
OWN_DEFINE(names)
/* 0: ret holds it (also: no records); -EINPROGRESS: asked, not answered yet; -ENOENT: not known;
 * -ETIMEDOUT, -EIO: not to be had a moment ago. What came since began_us holds though its time is over.
 */
int names_get(const struct names *n, const char *name, enum dns_type type, uint64_t began_us,
              uint64_t now_us, struct dns_answer *ret) must_check;
void names_await(struct names *n, const char *name, enum dns_type type); /* it is being asked */
/* error -errno, or 0 with an answer. Without memory it is as if nothing came. */
void names_put(struct names *n, const char *name, enum dns_type type, int error,
               const struct dns_answer *answer, uint64_t now_us);
uint32_t names_count(const struct names *n);
