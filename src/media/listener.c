/* SPDX-License-Identifier: Apache-2.0
 * The controller's socket: see listener.h. */
#include "media/listener.h"

#include "base/slice.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

int listener_open(const char *path, int *ret_fd, bool *ret_is_bound) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  struct stat st;
  if (slice_copy(un.sun_path, sizeof(un.sun_path), slice_of(path)) < 0 || !un.sun_path[0])
    return -EINVAL;
  *ret_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (*ret_fd < 0)
    return -errno;
  if (lstat(un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
    unlink(un.sun_path);
  mode_t was = umask(0177);
  int r = bind(*ret_fd, (struct sockaddr *)&un, sizeof(un));
  int error = r < 0 ? -errno : 0;
  umask(was);
  *ret_is_bound = !error;
  return error ? error : listen(*ret_fd, 4) < 0 ? -errno : 0;
}

bool listener_is_ours(int fd) {
  struct ucred peer;
  socklen_t n = sizeof(peer);
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid());
}
