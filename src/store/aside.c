/* SPDX-License-Identifier: Apache-2.0
 * A database that SQLite calls broken is kept beside, for people, and a new one is begun: calls and
 * their records go on. */
#include "store/aside.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* The log goes with it: it has rows that are in no other place. The index of the log is made anew. */
int aside_put(const char *file) {
  char to[4096], from_end[4096], to_end[4200], at[32];
  time_t now_s = (time_t)(clock_wall_ms() / 1000u);
  struct tm tm;
  strftime(at, sizeof(at), "%Y%m%dT%H%M%SZ", gmtime_r(&now_s, &tm));
  if (snprintf(to, sizeof(to), "%s.broken-%s", file, at) >= (int)sizeof(to) - 4)
    return -ENAMETOOLONG;
  if (rename(file, to) < 0)
    return -errno;
  snprintf(from_end, sizeof(from_end), "%.4000s-wal", file);
  snprintf(to_end, sizeof(to_end), "%s-wal", to);
  (void)!rename(from_end, to_end);
  snprintf(from_end, sizeof(from_end), "%.4000s-shm", file);
  (void)!unlink(from_end);
  log_error(app, "%s is broken: it is kept as %s, a new one is begun", file, to);
  return 0;
}
