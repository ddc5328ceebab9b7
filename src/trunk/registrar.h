/* SPDX-License-Identifier: Apache-2.0
 * Where the peer of a trunk has registered from: bindings without I/O, at most ten of a trunk, each
 * with its end; kept over a reload, not over a restart. RFC 3261 10.3, RFC 3327, RFC 6140. */
#pragma once
#include "base/addr.h"
#include "guard/guard.h"

enum {
  BINDINGS_MAX = 10,
  BINDING_URI_BYTES = 320,
  BINDING_ID_BYTES = 200,
  BINDING_PATH_BYTES = 512,
  BINDING_MIN_S = 60,
  BINDING_MAX_S = 3600,
};

struct binding {
  char uri[BINDING_URI_BYTES];  /* the Contact's URI as it came */
  char host[BINDING_URI_BYTES]; /* host is its "host:port". */
  char call_id[BINDING_ID_BYTES];
  char path[BINDING_PATH_BYTES]; /* path is the value of Route headers toward it; "": none. */
  bool bnc;                      /* bnc: of all numbers of the peer */
  uint16_t q;                    /* q is its preference in thousandths, 1,000 where it says none. */
  uint32_t key;                  /* key names it: a hash of uri, never 0 */
  uint32_t cseq;
  uint64_t until_us;
  struct addr source; /* source is where it came from, and where calls go: through its NAT. */
};

struct registry {
  char trunk[CONF_NAME_BYTES]; /* "": free */
  uint32_t n;
  struct binding list[BINDINGS_MAX]; /* by q, of the same q the newest first */
};

/* One Contact of a REGISTER. */
struct binding_ask {
  const char *uri, *host, *call_id, *path;
  uint32_t cseq, expires_s; /* 0: taken back */
  bool bnc;
  uint16_t q;
  struct addr source;
};

/* One of them into the registry, which is as it was if it is refused: malformed (an old CSeq, a text
 * that is too long), bindings. */
struct verdict registry_put(struct registry *r, const struct binding_ask *a, uint64_t now_us);
/* All of them, for "Contact: *". */
struct verdict registry_clear(struct registry *r, const char *call_id, uint32_t cseq);
/* Forgets what has ended; the next end, UINT64_MAX: none. */
uint64_t registry_sweep(struct registry *r, uint64_t now_us);
