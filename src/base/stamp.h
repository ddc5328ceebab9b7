/* SPDX-License-Identifier: Apache-2.0
 * Which file stands at a path, and in which state: for who reads one again when it changes. A write, a
 * rename over it, a change of its mode each make another stamp. Any thread. */
#pragma once
#include "base/own.h"

#include <sys/stat.h>

struct stamp { /* all zero: no file */
  dev_t device;
  ino_t inode;
  off_t bytes;
  mode_t mode;
  struct timespec written, changed;
};

struct stamp stamp_of(const char *path);
struct stamp stamp_from(const struct stat *st);
bool stamp_same(const struct stamp *a, const struct stamp *b);
