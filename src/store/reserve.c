/* SPDX-License-Identifier: Apache-2.0
 * Room on a disk that somebody else fills: see store.h. */
#include "store/store.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RESERVE_BYTES (4u << 20)
#define LITTLE_BYTES \
  (1u << 20)      /* with less than that, a start fails: logs of databases and their indices */
#define PLENTY 4u /* made again, when so many times its size are free */

/* Beside the database. */
static int reserve_path(const char *file, char *ret, size_t bytes) {
  const char *slash = strrchr(file, '/');
  return snprintf(ret, bytes, "%.*sreserve", slash ? (int)(slash - file) + 1 : 0, file) < (int)bytes
             ? 0
             : -ENAMETOOLONG;
}

static uint64_t free_bytes(const char *path) {
  char dir[4096];
  struct statvfs fs;
  const char *slash = strrchr(path, '/');
  snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
  return statvfs(dir, &fs) < 0 ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}

bool reserve_take(const char *file) {
  char path[4096];
  if (reserve_path(file, path, sizeof(path)) < 0 || free_bytes(path) >= LITTLE_BYTES || unlink(path) < 0)
    return false;
  log_error(app, "the disk of %s is full: %u MB that were kept for that are given free", file,
            RESERVE_BYTES >> 20);
  return true;
}

void reserve_make(const char *file) {
  char path[4096];
  if (reserve_path(file, path, sizeof(path)) < 0 || access(path, F_OK) == 0 ||
      free_bytes(path) < (uint64_t)PLENTY * RESERVE_BYTES)
    return;
  own_fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0 && posix_fallocate(fd, 0, RESERVE_BYTES) != 0)
    (void)!unlink(path);
}
