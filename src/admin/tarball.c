/* SPDX-License-Identifier: Apache-2.0
 * A tar.gz in memory: see tarball.h. */
#include "admin/tarball.h"

#include <limits.h>
#include <stdio.h>
#include <zlib.h>

#define BLOCK 512
#define GZIP_BITS (15 + 16) /* the largest window; 16: with head and sum of gzip */

static void put(struct tarball *t, const void *bytes, size_t n) {
  if (t->failed)
    return;
  if (t->n + n > t->room) {
    size_t room = (t->n + n) * 2;
    char *grown = realloc(t->bytes, room);
    if (!grown) {
      t->failed = true;
      return;
    }
    t->bytes = grown;
    t->room = room;
  }
  memcpy(t->bytes + t->n, bytes, n);
  t->n += n;
}

/* Eleven digits: 8 GiB, and the year 2242. */
static void octal_put(char *dst, uint64_t v) {
  for (int i = 10; i >= 0; i--, v >>= 3)
    dst[i] = (char)('0' + (v & 7));
}

static void head_fill(char head[BLOCK], const char *name, size_t bytes, uint64_t wall_ms) {
  unsigned sum = 0;
  memset(head, 0, BLOCK);
  snprintf(head, 100, "%s", name);
  memcpy(head + 100, "0000600\0000000000\0000000000", 24);
  octal_put(head + 124, bytes);
  octal_put(head + 136, wall_ms / 1000u);
  memset(head + 148, ' ', 8);
  head[156] = '0';
  memcpy(head + 257, "ustar\00000", 8);
  for (size_t i = 0; i < BLOCK; i++)
    sum += (unsigned char)head[i];
  snprintf(head + 148, 8, "%06o", sum);
}

void tarball_add(struct tarball *t, const char *name, struct slice content, uint64_t wall_ms) {
  static const char zeros[BLOCK];
  char head[BLOCK];
  head_fill(head, name, content.n, wall_ms);
  put(t, head, sizeof(head));
  if (content.n)
    put(t, content.p, content.n);
  put(t, zeros, (BLOCK - content.n % BLOCK) % BLOCK);
}

/* What was put, deflated in gzip's wrapping; NULL: no memory. */
static char *gzip(const struct tarball *t, size_t *ret_bytes) {
  z_stream z = {0};
  if (t->n > UINT_MAX || deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8,
                                      Z_DEFAULT_STRATEGY) != Z_OK)
    return NULL;
  size_t room = deflateBound(&z, t->n);
  char *out = room <= UINT_MAX ? malloc(room) : NULL;
  z.next_in = (unsigned char *)t->bytes;
  z.avail_in = (unsigned)t->n;
  z.next_out = (unsigned char *)out;
  z.avail_out = (unsigned)room;
  int r = out ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
  *ret_bytes = z.total_out;
  deflateEnd(&z);
  if (r == Z_STREAM_END)
    return out;
  free(out);
  return NULL;
}

char *tarball_end(struct tarball *t, size_t *ret_bytes) {
  static const char zeros[2 * BLOCK];
  put(t, zeros, sizeof(zeros));
  char *out = t->failed ? NULL : gzip(t, ret_bytes);
  free(t->bytes);
  *t = (struct tarball){0};
  return out;
}
