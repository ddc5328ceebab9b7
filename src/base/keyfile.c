/* SPDX-License-Identifier: Apache-2.0
 * Files with a secret in them: see keyfile.h. */
#include "base/keyfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

int keyfile_read(const char *file, int flags, char *dst, size_t bytes, size_t *ret_n) {
  struct stat st;
  *ret_n = 0;
  dst[0] = 0;
  own_fd fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  if (!S_ISREG(st.st_mode) || st.st_mode & 077)
    return -EPERM;
  ssize_t n = read(fd, dst, bytes - 1);
  if (n < 0)
    return -errno;
  dst[n] = 0;
  *ret_n = (size_t)n;
  return 0;
}

int keyfile_write(const char *file, const void *p, size_t n) {
  char tmp[4096];
  if (snprintf(tmp, sizeof(tmp), "%s.new", file) >= (int)sizeof(tmp))
    return -ENAMETOOLONG;
  (void)unlink(tmp);
  own_fd fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return -errno;
  if (write(fd, p, n) != (ssize_t)n)
    return -EIO;
  return fsync(fd) < 0 || rename(tmp, file) < 0 ? -errno : 0;
}
