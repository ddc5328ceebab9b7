/* SPDX-License-Identifier: Apache-2.0
 * Revoked ids: see revoked.h. The file has a line "expires_s jti" each, appended; rewritten when read.
 */
#include "web/revoked.h"

#include "base/list.h"
#include "base/map.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

struct entry {
  struct list node;
  uint64_t expires_s;
  char jti[];
};

struct revoked {
  struct map *ids;
  struct list entries;
  int fd;
};

static void entry_drop(struct revoked *r, struct entry *e) {
  (void)map_del(r->ids, slice_of(e->jti));
  list_del(&e->node);
  free(e);
}

struct revoked *revoked_free(struct revoked *r) {
  if (!r)
    return NULL;
  LIST_EACH_SAFE(&r->entries, n)
    free(CONTAINER_OF(n, struct entry, node));
  map_free(r->ids);
  if (r->fd >= 0)
    close(r->fd);
  free(r);
  return NULL;
}

static int entry_add(struct revoked *r, const char *jti, uint64_t expires_s) {
  struct entry *e = calloc(1, sizeof(*e) + strlen(jti) + 1);
  if (!e)
    return -ENOMEM;
  e->expires_s = expires_s;
  memcpy(e->jti, jti, strlen(jti) + 1);
  int f = map_put(r->ids, slice_of(jti), e);
  if (f < 0) {
    free(e);
    return f == -EEXIST ? 0 : f;
  }
  list_add_tail(&r->entries, &e->node);
  return 0;
}

static int line_write(int fd, const char *jti, uint64_t expires_s) {
  char line[128];
  int n = snprintf(line, sizeof(line), "%" PRIu64 " %s\n", expires_s, jti);
  if (n < 0 || (size_t)n >= sizeof(line))
    return -EINVAL;
  return write(fd, line, (size_t)n) == n ? 0 : -EIO;
}

static int file_read(struct revoked *r, const char *file, uint64_t now_s) {
  char line[160];
  FILE *f = fopen(file, "re");
  struct stat st;
  if (!f)
    return errno == ENOENT ? 0 : -errno;
  int result = fstat(fileno(f), &st) < 0 || st.st_mode & 022 ? -EPERM : 0;
  while (result == 0 && fgets(line, sizeof(line), f)) {
    struct slice rest = slice_trim(slice_of(line)), expires = slice_cut(&rest, ' ');
    char jti[64];
    uint64_t expires_s;
    if (slice_u64(expires, UINT64_MAX, &expires_s) < 0 || slice_copy(jti, sizeof(jti), rest) < 0)
      continue; /* a torn last line */
    if (expires_s > now_s)
      result = entry_add(r, jti, expires_s);
  }
  fclose(f);
  return result;
}

static int file_rewrite(struct revoked *r, const char *file) {
  char tmp[4096];
  int result = 0;
  if (snprintf(tmp, sizeof(tmp), "%s.new", file) >= (int)sizeof(tmp))
    return -ENAMETOOLONG;
  (void)unlink(tmp);
  r->fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (r->fd < 0)
    return -errno;
  LIST_EACH(&r->entries, n) {
    struct entry *e = CONTAINER_OF(n, struct entry, node);
    if (result == 0)
      result = line_write(r->fd, e->jti, e->expires_s);
  }
  if (result == 0 && (fsync(r->fd) < 0 || rename(tmp, file) < 0))
    result = -errno;
  return result;
}

int revoked_new(struct revoked **ret_revoked, const char *file, uint64_t now_s) {
  own(revoked) r = calloc(1, sizeof(*r));
  if (!r)
    return -ENOMEM;
  r->fd = -1;
  list_init(&r->entries);
  int result = map_new(&r->ids, REVOKED_MAX);
  if (result == 0 && file)
    result = file_read(r, file, now_s);
  if (result == 0 && file)
    result = file_rewrite(r, file);
  if (result < 0)
    return result;
  *ret_revoked = take(r);
  return 0;
}

static void expired_drop(struct revoked *r, uint64_t now_s) {
  LIST_EACH_SAFE(&r->entries, n) {
    struct entry *e = CONTAINER_OF(n, struct entry, node);
    if (e->expires_s <= now_s)
      entry_drop(r, e);
  }
}

int revoked_add(struct revoked *r, const char *jti, uint64_t expires_s, uint64_t now_s) {
  if (revoked_has(r, jti))
    return 0;
  if (map_count(r->ids) >= REVOKED_MAX)
    expired_drop(r, now_s);
  int result = entry_add(r, jti, expires_s);
  if (result < 0 || r->fd < 0)
    return result;
  result = line_write(r->fd, jti, expires_s);
  return result == 0 && fdatasync(r->fd) < 0 ? -errno : result;
}

bool revoked_has(const struct revoked *r, const char *jti) {
  return map_get(r->ids, slice_of(jti)) != NULL;
}
