/* SPDX-License-Identifier: Apache-2.0
 * Profiles by name: see profile.h. Any thread; files are read outside the lock, then one pointer is
 * swapped, and the connections that hold the old set finish with it. */
#include "trunk/profile.h"

#include <pthread.h>
#include <stdio.h>

enum { PROFILES_MAX = 64 };

static struct {
  pthread_mutex_t lock;
  size_t n;
  struct {
    char name[PROFILE_NAME_BYTES];
    struct creds *creds;
  } row[PROFILES_MAX];
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Index or n; under the lock. */
static size_t find(struct slice name) {
  size_t i = 0;
  while (i < table.n && !slice_eq(slice_of(table.row[i].name), name))
    i++;
  return i;
}

struct creds *profile_creds(struct slice name) {
  pthread_mutex_lock(&table.lock);
  size_t i = find(name);
  struct creds *c = i < table.n ? creds_hold(table.row[i].creds) : NULL;
  pthread_mutex_unlock(&table.lock);
  return c;
}

int profile_put(const char *name, struct creds *c) {
  pthread_mutex_lock(&table.lock);
  size_t i = find(slice_of(name));
  int r = i < table.n ? -EEXIST : i == PROFILES_MAX ? -ENOSPC : 0;
  if (!r && (!*name || slice_copy(table.row[i].name, sizeof(table.row[i].name), slice_of(name))))
    r = -EINVAL;
  if (!r) {
    table.row[i].creds = take(c);
    table.n++;
  }
  pthread_mutex_unlock(&table.lock);
  creds_free(c);
  return r;
}

void profile_forget(const char *name) {
  pthread_mutex_lock(&table.lock);
  size_t i = find(slice_of(name));
  if (i < table.n) {
    creds_free(table.row[i].creds);
    table.row[i] = table.row[--table.n];
  }
  pthread_mutex_unlock(&table.lock);
}

void profile_clear(void) {
  pthread_mutex_lock(&table.lock);
  while (table.n)
    creds_free(table.row[--table.n].creds);
  pthread_mutex_unlock(&table.lock);
}

int profile_add(const char *name, const struct profile_settings *s, char *why, size_t why_bytes) {
  own(creds) c = NULL;
  int r = creds_load(&c, s, why, why_bytes);
  if (!r && (r = profile_put(name, take(c))))
    snprintf(why, why_bytes, "profile %s: %s", name,
             r == -EEXIST   ? "is there already"
             : r == -ENOSPC ? "is one too many"
                            : "the name does not fit");
  return r;
}

int profile_reload(const char *name, const struct profile_settings *s, char *why, size_t why_bytes) {
  own(creds) c = NULL;
  int r = creds_load(&c, s, why, why_bytes);
  if (r)
    return r;
  pthread_mutex_lock(&table.lock);
  size_t i = find(slice_of(name));
  if (i < table.n) {
    struct creds *old = table.row[i].creds;
    table.row[i].creds = take(c);
    c = old;
  } else {
    snprintf(why, why_bytes, "profile %s: is not known", name);
    r = -ENOENT;
  }
  pthread_mutex_unlock(&table.lock);
  if (!r)
    count_one(&owntls_counts, TLSCOUNT_reloads);
  return r;
}

int profile_check(const struct profile_settings *s, char *why, size_t why_bytes) {
  own(creds) c = NULL;
  return creds_load(&c, s, why, why_bytes);
}

int64_t profile_expiry_s(const char *name) {
  own(creds) c = profile_creds(slice_of(name));
  return c ? creds_expiry_s(c) : 0;
}

int64_t profile_name_expiry_s(const char *name, const char *own_name) {
  own(creds) c = profile_creds(slice_of(name));
  return c ? creds_name_expiry_s(c, own_name) : 0;
}
