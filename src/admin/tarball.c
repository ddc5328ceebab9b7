/* SPDX-License-Identifier: Apache-2.0
 * A tar.gz in memory: see tarball.h. */
#include "admin/tarball.h"

#include <stdio.h>

#define BLOCK 512
#define STORED_MAX 65535

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

/* RFC 1952 section 8, bit by bit. */
static uint32_t crc32_of(const char *p, size_t n) {
  uint32_t c = 0xffffffff;
  for (size_t i = 0; i < n; i++) {
    c ^= (unsigned char)p[i];
    for (int k = 0; k < 8; k++)
      c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
  }
  return ~c;
}

static void put_le(struct tarball *t, uint32_t v, size_t n) {
  put(t, &v, n); /* little-endian, as everything that we build for */
}

char *tarball_end(struct tarball *t, size_t *ret_bytes) {
  static const char zeros[2 * BLOCK];
  struct tarball out = {0};
  put(t, zeros, sizeof(zeros));
  put(&out, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  for (size_t at = 0; at < t->n; at += STORED_MAX) {
    size_t n = t->n - at < STORED_MAX ? t->n - at : STORED_MAX;
    char last = at + n == t->n;
    put(&out, &last, 1);
    put_le(&out, (uint32_t)n, 2);
    put_le(&out, ~(uint32_t)n, 2);
    put(&out, t->bytes + at, n);
  }
  put_le(&out, crc32_of(t->bytes, t->n), 4);
  put_le(&out, (uint32_t)t->n, 4);
  bool failed = t->failed || out.failed;
  free(t->bytes);
  *t = (struct tarball){0};
  if (failed) {
    free(out.bytes);
    return NULL;
  }
  *ret_bytes = out.n;
  return out.bytes;
}
