/* SPDX-License-Identifier: Apache-2.0
 * The admin token: made once, kept in a file of mode 0600, compared by its digest in constant time. */
#pragma once
#include "base/slice.h"

#define GATE_TOKEN_BYTES 129

struct gate {
  char token[GATE_TOKEN_BYTES];
  uint8_t digest[32];
};

/* 0, -EPERM (others may read the file), -EINVAL (shorter than 20 or longer than 128 characters) or
 * -errno. */
int gate_open(struct gate *ret, const char *file) must_check;
void gate_done(struct gate *g); /* wipes */
