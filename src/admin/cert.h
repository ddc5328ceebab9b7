/* SPDX-License-Identifier: Apache-2.0
 * Which client certificate has which role: rows of the configuration, read and compared. Pure. */
#pragma once
#include "admin/role.h"
#include "web/peer.h"

#define CERT_NAME_BYTES 53
#define CERT_ROWS_MAX 64
#define CERT_MARK_BYTES CHARS_BYTES(255)

struct cert_row {
  char name[CERT_NAME_BYTES];
  enum role role;
  bool is_digest; /* is_digest: digest; else a name of that kind. */
  uint8_t digest[32];
  enum web_peer_kind kind;
  char mark[CERT_MARK_BYTES]; /* mark is of that kind; one longer than any name fits nobody. */
};

/* "dns:ops.example" and its like: 0 or -EINVAL. */
int cert_row_read(struct cert_row *ret, const char *name, const char *match,
                  const char *role) must_check;
/* Names of hosts and the host part of mail addresses without regard to case, all else exactly. */
bool cert_row_fits(const struct cert_row *r, const struct web_peer *p);
bool cert_row_same(const struct cert_row *a, const struct cert_row *b);
