/* SPDX-License-Identifier: Apache-2.0
 * Messages over a Unix socket, with a descriptor beside them (SCM_RIGHTS). Never blocks. */
#pragma once
#include "base/own.h"

#include <sys/types.h>

/* fd stays the caller's; -1: none. 0 or -errno. */
int fdpass_send(int socket, const void *message, size_t n, int fd) must_check;
/* The length of the message, 0 at the end, -1 with errno; *ret_fd is the caller's, -1: none came. */
ssize_t fdpass_receive(int socket, void *message, size_t room, int *ret_fd);
