/* SPDX-License-Identifier: Apache-2.0
 * Files of texts as one tar.gz in memory: ustar (POSIX.1-1988), gzip (RFC 1952) whose blocks are stored
 * (RFC 1951 3.2.4), which every reader takes and no library is needed for. Pure. */
#pragma once
#include "base/slice.h"

struct tarball {
  char *bytes; /* bytes is the tar so far. */
  size_t n, room;
  bool failed; /* failed: no memory. */
};

/* folder/name with that content, mode 0600. Names of ours: shorter than 100 characters. */
void tarball_add(struct tarball *t, const char *name, struct slice content, uint64_t wall_ms);
/* The whole as gzip on the heap (NULL: no memory); the tarball is empty afterwards. */
char *tarball_end(struct tarball *t, size_t *ret_bytes);
