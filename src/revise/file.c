/* SPDX-License-Identifier: Apache-2.0
 * Files of the configuration, read and written whole: see part.h. */
#include "revise/part.h"

#include "conf/tree.h"

#include <fcntl.h>
#include <sys/stat.h>

int file_read(const char *path, char **ret) {
  own_fd fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  if (!S_ISREG(st.st_mode) || st.st_size > TREE_TEXT_MAX_BYTES)
    return -EFBIG;
  own_mem char *text = malloc((size_t)st.st_size + 1);
  if (!text)
    return -ENOMEM;
  ssize_t n = read(fd, text, (size_t)st.st_size);
  if (n < 0)
    return -errno;
  text[n] = 0;
  if (strlen(text) != (size_t)n)
    return -EINVAL;
  *ret = take(text);
  return 0;
}

static int all_write(int fd, struct slice s, off_t at) {
  while (s.n) {
    ssize_t n = pwrite(fd, s.p, s.n, at);
    if (n <= 0)
      return n < 0 ? -errno : -EIO;
    s = slice_from(s.p + n, s.n - (size_t)n);
    at += n;
  }
  return 0;
}

static int folder_sync(const char *path) {
  char folder[CONF_PATH_BYTES];
  const char *slash = strrchr(path, '/');
  snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
  own_fd fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The new one looks like the old one to who may read it. */
static int beside_write(const char *beside, const char *path, struct slice text) {
  struct stat st;
  bool is_there = stat(path, &st) == 0;
  own_fd fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return -errno;
  if (is_there && fchmod(fd, st.st_mode & 07777) < 0)
    return -errno;
  if (is_there && fchown(fd, st.st_uid, st.st_gid) < 0 && errno != EPERM)
    return -errno;
  int r = all_write(fd, text, 0);
  return r < 0 || fsync(fd) == 0 ? r : -errno;
}

int file_write(const char *path, struct slice text) {
  char real[4096], beside[4096 + 8];
  if (!realpath(path, real)) /* a name that is a link stays one */
    slice_copy(real, sizeof(real), slice_of(path));
  snprintf(beside, sizeof(beside), "%s.new", real);
  int r = beside_write(beside, real, text);
  if (r == 0 && rename(beside, real) < 0)
    r = -errno;
  if (r < 0) {
    unlink(beside);
    return r;
  }
  return folder_sync(real);
}

int file_remove(const char *path) {
  if (unlink(path) < 0)
    return errno == ENOENT ? 0 : -errno;
  return folder_sync(path);
}

void held_open(struct held *h, const char *path) {
  slice_copy(h->path, sizeof(h->path), slice_of(path));
  h->fd = open(path, O_RDWR | O_CLOEXEC);
}

void held_close(struct held *h) {
  if (h->fd >= 0)
    close(h->fd);
  h->fd = -1;
}

/* One write over what stands there; a shorter text first has empty lines behind it, so that a reader in
 * between sees a whole one. */
static int over_write(int fd, struct slice text) {
  struct stat st;
  if (fstat(fd, &st) < 0)
    return -errno;
  size_t bytes = text.n > (size_t)st.st_size ? text.n : (size_t)st.st_size;
  if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) < 0 && errno != EOPNOTSUPP)
    return -errno; /* a full disk: before anything of it is touched */
  own_mem char *padded = malloc(bytes + 1);
  if (!padded)
    return -ENOMEM;
  memset(padded, '\n', bytes);
  memcpy(padded, text.p, text.n);
  int r = all_write(fd, slice_from(padded, bytes), 0);
  if (r == 0 && ftruncate(fd, (off_t)text.n) < 0)
    r = -errno;
  return r < 0 || fsync(fd) == 0 ? r : -errno;
}

/* The file that stands there now: an editor may have put another one in the place of ours. */
static bool held_is(const struct held *h, const char *path) {
  struct stat ours, there;
  return h->fd >= 0 && strcmp(path, h->path) == 0 && fstat(h->fd, &ours) == 0 &&
         stat(path, &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

int held_write(struct held *h, const char *path, struct slice text) {
  int r = file_write(path, text);
  bool may_over = r == -EACCES || r == -EPERM || r == -EROFS || r == -ENOSPC || r == -EDQUOT;
  own_fd fd = may_over ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd >= 0)
    return over_write(fd, text);
  return may_over && held_is(h, path) ? over_write(h->fd, text) : r;
}
