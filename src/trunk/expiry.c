/* SPDX-License-Identifier: Apache-2.0
 * Ends of certificates, changes of files: see expiry.h. */
#include "trunk/expiry.h"

#include "base/slice.h"

#include <stdio.h>
#include <sys/stat.h>

enum { DAY_S = 86400 };
static const int steps[] = {0, 1, 7, 30};

int expiry_step(int64_t end_s, int64_t now_s) {
  if (!end_s)
    return EXPIRY_NEVER;
  for (size_t i = 0; i < COUNT_OF(steps); i++)
    if (end_s - now_s <= (int64_t)steps[i] * DAY_S)
      return steps[i];
  return EXPIRY_NEVER;
}

bool expiry_is_news(int *told, int64_t end_s, int64_t now_s) {
  int step = expiry_step(end_s, now_s);
  bool is_nearer = step < *told;
  *told = step;
  return is_nearer;
}

const char *expiry_text(char *dst, size_t dst_bytes, int64_t end_s, int64_t now_s) {
  int64_t left = end_s - now_s, days = (left < 0 ? -left : left) / DAY_S;
  if (left < 0)
    snprintf(dst, dst_bytes, "ended %lld day%s ago", (long long)days, days == 1 ? "" : "s");
  else
    snprintf(dst, dst_bytes, "ends in %lld day%s", (long long)days, days == 1 ? "" : "s");
  return dst;
}

void expiry_watch(struct expiry_files *f, const char *path) {
  for (uint32_t i = 0; i < f->n; i++)
    if (!strcmp(f->file[i].path, path))
      return;
  if (!*path || f->n == EXPIRY_FILES_MAX)
    return;
  struct expiry_file *n = &f->file[f->n];
  if (slice_copy(n->path, sizeof(n->path), slice_of(path)) == 0) {
    n->stamp = n->seen = stamp_of(path);
    f->n++;
  }
}

bool expiry_differ(const struct expiry_files *before, const struct expiry_files *now) {
  for (uint32_t i = 0; i < now->n; i++) {
    uint32_t k = 0;
    while (k < before->n && strcmp(before->file[k].path, now->file[i].path) != 0)
      k++;
    if (k == before->n || !stamp_same(&before->file[k].stamp, &now->file[i].stamp))
      return true;
  }
  return false;
}

bool expiry_look(struct expiry_files *f) {
  bool has_changed = false, is_steady = true;
  for (uint32_t i = 0; i < f->n; i++) {
    struct stamp now = stamp_of(f->file[i].path);
    is_steady = is_steady && stamp_same(&now, &f->file[i].seen);
    has_changed = has_changed || !stamp_same(&now, &f->file[i].stamp);
    f->file[i].seen = now;
  }
  if (!has_changed || !is_steady)
    return false;
  for (uint32_t i = 0; i < f->n; i++)
    f->file[i].stamp = f->file[i].seen;
  return true;
}
