/* SPDX-License-Identifier: Apache-2.0
 * Ends of certificates and what is said of them: warnings at 30, 7 and 1 days and at the end, each once.
 * Files that changed are noticed by looking at them. Pure but for expiry_look(). */
#pragma once
#include "base/stamp.h"

enum { EXPIRY_NEVER = INT32_MAX, EXPIRY_FILES_MAX = 96, EXPIRY_PATH_BYTES = 256 };

/* Days of the warning that holds: 30, 7, 1, 0 (it ended) or EXPIRY_NEVER (none yet, or no certificate).
 */
int expiry_step(int64_t end_s, int64_t now_s);
/* True when the step has to be said: it is nearer than *told, which it becomes. A renewed certificate
 * starts again. */
bool expiry_is_news(int *told, int64_t end_s, int64_t now_s);
/* "ends in 6 days", "ended 2 days ago" */
const char *expiry_text(char *dst, size_t dst_bytes, int64_t end_s, int64_t now_s);

/* Files that are looked at now and then. */
struct expiry_files {
  uint32_t n;
  struct expiry_file {
    char path[EXPIRY_PATH_BYTES];
    struct stamp stamp, seen; /* stamp of what is in use; of the last look */
  } file[EXPIRY_FILES_MAX];
};
void expiry_watch(struct expiry_files *f, const char *path); /* "": nothing; further ones are left out */
/* Is there a file in now that is other than it was in before, or was not there? */
bool expiry_differ(const struct expiry_files *before, const struct expiry_files *now);
/* True when a file changed and has been the same for one look more (it is written whole by then);
 * that state then counts as the one in use. */
bool expiry_look(struct expiry_files *f);
