/* SPDX-License-Identifier: Apache-2.0
 * The table of backends: see io.h. */
#include "media/io.h"

#include <sys/socket.h>
#include <time.h>

#define AF_XDP_NAME "af_xdp"
/* In the order in which "auto" tries them; it leaves out what takes a whole interface. */
static const struct {
  const char *name;
  int (*make)(struct io **ret, const struct io_options *o);
} rows[] = {
    {"io_uring", uringio_new},
    {"epoll", epollio_new},
    {AF_XDP_NAME, xdpio_new},
};

const char *io_name(unsigned row) { return row < COUNT_OF(rows) ? rows[row].name : NULL; }

int io_new(struct io **ret, const char *name, const struct io_options *o) {
  bool is_auto = !name[0] || strcmp(name, "auto") == 0;
  int error = -EINVAL;
  for (unsigned i = 0; i < COUNT_OF(rows); i++) {
    if (is_auto ? !strcmp(rows[i].name, AF_XDP_NAME) : strcmp(name, rows[i].name) != 0)
      continue;
    error = rows[i].make(ret, o);
    if (!error)
      break;
  }
  return error;
}

struct io *io_free(struct io *io) {
  return io ? io->ops->free(io) : NULL;
}

uint64_t io_stamp_us(struct msghdr *m) {
  struct timespec at;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
      continue;
    memcpy(&at, CMSG_DATA(c), sizeof(at));
    return (uint64_t)at.tv_sec * 1000000u + (uint64_t)at.tv_nsec / 1000u;
  }
  return 0;
}
