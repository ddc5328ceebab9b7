/* SPDX-License-Identifier: Apache-2.0
 * Stamps of files: see stamp.h. */
#include "base/stamp.h"

struct stamp stamp_from(const struct stat *st) {
  return (struct stamp){.device = st->st_dev,
                        .inode = st->st_ino,
                        .bytes = st->st_size,
                        .mode = st->st_mode,
                        .written = st->st_mtim,
                        .changed = st->st_ctim};
}

struct stamp stamp_of(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? stamp_from(&st) : (struct stamp){0};
}

static bool time_same(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool stamp_same(const struct stamp *a, const struct stamp *b) {
  return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes && a->mode == b->mode &&
         time_same(&a->written, &b->written) && time_same(&a->changed, &b->changed);
}
