/* SPDX-License-Identifier: Apache-2.0
 * The admin token: see gate.h. */
#include "admin/gate.h"

#include "base/hmac.h"
#include "base/rand.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int token_make(const char *file) {
  char token[44], tmp[4096];
  if (snprintf(tmp, sizeof(tmp), "%s.new", file) >= (int)sizeof(tmp))
    return -ENAMETOOLONG;
  rand_text(token, 42);
  token[42] = '\n';
  (void)unlink(tmp);
  own_fd fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return -errno;
  ssize_t n = write(fd, token, 43);
  explicit_bzero(token, sizeof(token));
  if (n != 43)
    return -EIO;
  return fsync(fd) < 0 || rename(tmp, file) < 0 ? -errno : 0;
}

static int token_read(struct gate *g, const char *file) {
  struct stat st;
  char text[256] = "";
  own_fd fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  if (!S_ISREG(st.st_mode) || st.st_mode & 077)
    return -EPERM;
  ssize_t n = read(fd, text, sizeof(text) - 1);
  struct slice token = slice_trim(slice_from(text, n > 0 ? (size_t)n : 0));
  int r = token.n < 20 ? -EINVAL : slice_copy(g->token, sizeof(g->token), token);
  explicit_bzero(text, sizeof(text));
  return r < 0 ? -EINVAL : 0;
}

int gate_open(struct gate *ret, const char *file) {
  memset(ret, 0, sizeof(*ret));
  int r = token_read(ret, file);
  if (r == -ENOENT) {
    r = token_make(file);
    if (r == 0)
      r = token_read(ret, file);
  }
  if (r == 0)
    hash_sha256(slice_of(ret->token), ret->digest);
  return r;
}

void gate_done(struct gate *g) { explicit_bzero(g, sizeof(*g)); }
