/* SPDX-License-Identifier: Apache-2.0
 * Files beneath a folder: see beneath.h. */
#include "base/beneath.h"

#include "base/slice.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* O_PATH opens a link itself: that is one too. */
static int last_open(int folder, const char *name, int flags) {
  struct stat st;
  own_fd fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || (flags & O_PATH && fstat(fd, &st) < 0))
    return -errno;
  if (flags & O_PATH && S_ISLNK(st.st_mode))
    return -ELOOP;
  return take_fd(&fd);
}

int beneath_walk(int folder, const char *path, int flags) {
  struct slice rest = slice_of(path);
  own_fd held = -1;
  char name[NAME_MAX + 1];
  if (!rest.n || path[0] == '/')
    return rest.n ? -EXDEV : -ENOENT;
  for (;;) {
    struct slice one = slice_cut(&rest, '/');
    if (slice_eq(one, SLICE("..")))
      return -EXDEV;
    if (slice_copy(name, sizeof(name), one) < 0)
      return -ENAMETOOLONG;
    int at = held >= 0 ? held : folder;
    if (!rest.p)
      return last_open(at, name[0] ? name : ".", flags);
    if (!name[0])
      continue;
    int next = last_open(at, name, O_PATH);
    if (next < 0)
      return next;
    if (held >= 0)
      close(held);
    held = next;
  }
}

int beneath_open(int folder, const char *path, int flags) {
  struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  long fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));
  if (fd >= 0)
    return (int)fd;
  return errno == ENOSYS || errno == EPERM ? beneath_walk(folder, path, flags) : -errno;
}
