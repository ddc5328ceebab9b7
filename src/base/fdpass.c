/* SPDX-License-Identifier: Apache-2.0
 * Descriptors beside messages: see fdpass.h. */
#include "base/fdpass.h"

#include <sys/socket.h>

union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int))];
};

int fdpass_send(int socket, const void *message, size_t n, int fd) {
  union control control = {0};
  struct iovec iov = {(void *)(uintptr_t)message, n};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  if (fd >= 0) {
    msg.msg_control = &control;
    msg.msg_controllen = sizeof(control);
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
  }
  return sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t fdpass_receive(int socket, void *message, size_t room, int *ret_fd) {
  union control control = {0};
  struct iovec iov = {message, room};
  struct msghdr msg = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
  ssize_t n = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
  *ret_fd = -1;
  if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
      c->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
  return n;
}
