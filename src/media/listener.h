/* SPDX-License-Identifier: Apache-2.0
 * The socket that the controller connects to. Internal to media; control thread. */
#pragma once
#include "base/own.h"

/* Takes the place of a socket that was left there. ret_is_bound: path is ours to remove. */
int listener_open(const char *path, int *ret_fd, bool *ret_is_bound) must_check;
bool listener_is_ours(int fd); /* the peer runs as our user, or as root */
