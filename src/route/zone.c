/* SPDX-License-Identifier: Apache-2.0
 * Time zones: the machine's zone files (TZif, RFC 8536) as a table of moments and offsets, or a fixed
 * offset. Read when a plan is loaded; asking is pure. */
#include "route/part.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { ZONE_FILE_MAX_BYTES = 65536, HEAD_BYTES = 44 };
#define ZONE_ENOUGH_S INT64_C(2082758400) /* 2036: a table that ends before and has rules is refused */

struct zone {
  uint32_t n;
  int64_t *at;
  int32_t *offset_s; /* offset_s[0] is before at[0], offset_s[i + 1] from at[i] on. */
};

struct zone *zone_free(struct zone *z) {
  if (!z)
    return NULL;
  free(z->at);
  free(z->offset_s);
  free(z);
  return NULL;
}
OWN_DEFINE(zone)

static uint64_t big_endian(const uint8_t *p, unsigned n) {
  uint64_t v = 0;
  for (unsigned i = 0; i < n; i++)
    v = v << 8 | p[i];
  return v;
}

struct zone_head { /* counts of a data block, and where it stands */
  uint32_t utc, std, leap, times, types, chars;
  const uint8_t *data;
  size_t data_bytes;
};

static int head_read(struct zone_head *h, const uint8_t *p, size_t n, unsigned time_bytes) {
  if (n < HEAD_BYTES || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
    return -EINVAL;
  uint32_t *counts[] = {&h->utc, &h->std, &h->leap, &h->times, &h->types, &h->chars};
  for (unsigned i = 0; i < 6; i++) {
    *counts[i] = (uint32_t)big_endian(p + 20 + 4 * i, 4);
    if (*counts[i] > 10000)
      return -EINVAL;
  }
  h->data = p + HEAD_BYTES;
  h->data_bytes = h->times * (time_bytes + 1U) + h->types * 6U + h->chars + h->leap * (time_bytes + 4U) +
                  h->std + h->utc;
  return h->types > 0 && h->data_bytes <= n - HEAD_BYTES ? 0 : -EINVAL;
}

static int table_read(struct zone *z, const struct zone_head *h) {
  const uint8_t *kinds = h->data + 8U * h->times, *types = kinds + h->times;
  z->n = h->times;
  z->at = calloc(z->n + 1, sizeof(*z->at));
  z->offset_s = calloc(z->n + 1, sizeof(*z->offset_s));
  if (!z->at || !z->offset_s)
    return -ENOMEM;
  z->offset_s[0] = (int32_t)big_endian(types, 4);
  for (uint32_t i = 0; i < z->n; i++) {
    if (kinds[i] >= h->types)
      return -EINVAL;
    z->at[i] = (int64_t)big_endian(h->data + 8U * i, 8);
    z->offset_s[i + 1] = (int32_t)big_endian(types + 6U * kinds[i], 4);
  }
  return 0;
}

/* The second data block, with times of eight bytes. */
static int zone_read(struct zone *z, const uint8_t *p, size_t n) {
  struct zone_head first, second;
  int r = head_read(&first, p, n, 4);
  if (r < 0)
    return r;
  size_t at = HEAD_BYTES + first.data_bytes;
  r = head_read(&second, p + at, n - at, 8);
  if (r == 0)
    r = table_read(z, &second);
  if (r < 0)
    return r;
  size_t footer = at + HEAD_BYTES + second.data_bytes;
  bool has_rules = footer < n && memchr(p + footer, ',', n - footer);
  return has_rules && (z->n == 0 || z->at[z->n - 1] < ZONE_ENOUGH_S) ? -ENOTSUP : 0;
}

static int file_read(const char *name, uint8_t *dst, size_t *ret_n) {
  char path[128];
  struct stat st;
  snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
  own_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  ssize_t n = S_ISREG(st.st_mode) ? read(fd, dst, ZONE_FILE_MAX_BYTES) : -1;
  *ret_n = n > 0 ? (size_t)n : 0;
  return n > 0 ? 0 : -EINVAL;
}

static bool name_is_good(const char *name) {
  size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/");
  return n > 0 && !name[n] && name[0] != '/';
}

/* "+01:00", "-05:30" */
static bool offset_read(const char *name, int32_t *ret_s) {
  struct slice rest = slice_of(name + 1), hours = slice_cut(&rest, ':');
  uint64_t h = 0, m = 0;
  if ((name[0] != '+' && name[0] != '-') || hours.n != 2 || rest.n != 2 ||
      slice_u64(hours, 14, &h) < 0 || slice_u64(rest, 59, &m) < 0)
    return false;
  *ret_s = (int32_t)(h * 3600 + m * 60) * (name[0] == '-' ? -1 : 1);
  return true;
}

static int zone_fill(struct zone *z, const char *name) {
  own_mem uint8_t *bytes = malloc(ZONE_FILE_MAX_BYTES);
  size_t n = 0;
  int32_t fixed;
  if (!bytes)
    return -ENOMEM;
  if (offset_read(name, &fixed)) {
    z->offset_s = calloc(1, sizeof(*z->offset_s));
    if (z->offset_s)
      z->offset_s[0] = fixed;
    return z->offset_s ? 0 : -ENOMEM;
  }
  int r = name_is_good(name) ? file_read(name, bytes, &n) : -EINVAL;
  return r < 0 ? r : zone_read(z, bytes, n);
}

int zone_load(struct zone **ret, const char *name, char *error, size_t error_bytes) {
  own(zone) z = calloc(1, sizeof(*z));
  int r = z ? zone_fill(z, name) : -ENOMEM;
  if (r == 0)
    *ret = take(z);
  else if (r == -ENOTSUP)
    snprintf(error, error_bytes, "the zone's file has no table up to 2036 (it is of the slim form)");
  else
    snprintf(error, error_bytes, "expected a zone of /usr/share/zoneinfo or an offset like +01:00");
  return r;
}

int32_t zone_offset_s(const struct zone *z, uint64_t wall_s) {
  uint32_t from = 0, to = z->n; /* the first moment that is still to come */
  while (from < to) {
    uint32_t middle = from + (to - from) / 2;
    if (z->at[middle] <= (int64_t)wall_s)
      from = middle + 1;
    else
      to = middle;
  }
  return z->offset_s[from];
}
