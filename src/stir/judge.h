/* SPDX-License-Identifier: Apache-2.0
 * What an INVITE's Identity header fields claim, held against what the INVITE says, before any key is
 * asked for. Inside stir. Pure. RFC 8224 6.2, RFC 8946 5. */
#pragma once
#include "stir/passport.h"
#include "stir/stir.h"

struct stir_rules { /* settings, as the thread holds them */
  struct conf_names hosts;
  char roots[CONF_PATH_BYTES], https_ca[CONF_PATH_BYTES];
  uint32_t freshness_s, cache_s;
};

struct case_token {
  struct passport claims;
  bool is_needed;                 /* is_needed: the verdict rests on its signature. */
  char text[PASSPORT_TEXT_BYTES]; /* what is signed */
  uint8_t signature[PASSPORT_SIG_BYTES];
};

struct stir_case {
  uint32_t n, main;
  struct case_token token[STIR_FIELDS_MAX];
};

/* Is it a URL that may be fetched: https, a host of stir.x5u_hosts, port 443 or 8443 or as said there?
 */
bool x5u_is_allowed(const struct conf_names *hosts, struct slice url);
/* STIR_VALID: the claims fit, and *ret holds the tokens whose signatures must be good. Else why. */
enum stir_outcome case_read(struct stir_case *ret, const struct stir_ask *ask,
                            const struct stir_rules *rules, int64_t now_s, const char **ret_why);
