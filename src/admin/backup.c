/* SPDX-License-Identifier: Apache-2.0
 * POST /admin/v1/system/backup: the database of records as a file in backups/ beside it, the ten newest
 * of which are kept. Web threads, one at a time. */
#include "admin/desk.h"
#include "base/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#define BACKUPS_KEPT 10
#define PATH_BYTES 4096

static _Atomic bool busy;

static int folder_make(const char *store_file, char dst[PATH_BYTES]) {
  const char *slash = strrchr(store_file, '/');
  int n =
      snprintf(dst, PATH_BYTES, "%.*sbackups", slash ? (int)(slash + 1 - store_file) : 0, store_file);
  if (n < 0 || n >= PATH_BYTES - 64)
    return -ENAMETOOLONG;
  return mkdir(dst, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

static int is_backup(const struct dirent *e) {
  return strncmp(e->d_name, "records-", 8) == 0 &&
         strlen(e->d_name) == sizeof("records-20260131T235959Z.db") - 1;
}

/* By name, which is by age. */
static void old_delete(const char *folder) {
  struct dirent **list;
  char path[PATH_BYTES + 256];
  int n = scandir(folder, &list, is_backup, alphasort);
  for (int i = 0; i < n; i++) {
    snprintf(path, sizeof(path), "%s/%s", folder, list[i]->d_name);
    if (i + BACKUPS_KEPT < n)
      (void)unlink(path);
    free(list[i]);
  }
  if (n >= 0)
    free(list);
}

static void backup_make(struct admin *a, struct web_answer *ret) {
  char folder[PATH_BYTES], file[PATH_BYTES + 64], at[CLOCK_TEXT_BYTES], newest[CLOCK_TEXT_BYTES];
  struct store_backup_facts f;
  clock_text(clock_wall_ms(), at);
  int r = folder_make(a->store_file, folder);
  snprintf(file, sizeof(file), "%s/records-%.4s%.2s%.2sT%.2s%.2s%.2sZ.db", folder, at, at + 5, at + 8,
           at + 11, at + 14, at + 17);
  if (r == 0)
    r = store_backup(a->store_file, file, &f);
  if (r < 0) {
    bool is_there = r == -EEXIST;
    web_answer_problem(
        ret, is_there ? WEB_PROBLEM_conflict : WEB_PROBLEM_overload,
        &(struct web_problem_info){
            .detail = is_there ? "a backup of this second is there already"
                               : "no backup was made: the folder, the disk or the copy is not well"});
    return;
  }
  old_delete(folder);
  desk_json(ret, 201,
            json_pack("{s:s, s:I, s:I, s:i, s:o}", "file", file, "records", (json_int_t)f.records,
                      "bytes", (json_int_t)f.bytes, "schema", (int)f.schema, "newest_at",
                      f.newest_ms ? json_string(clock_text(f.newest_ms, newest)) : json_null()));
}

SHAPE(backup_made, {"file", SHAPE_TEXT, SHAPE_MUST}, {"records", SHAPE_INT, SHAPE_MUST},
      {"bytes", SHAPE_INT, SHAPE_MUST}, {"schema", SHAPE_INT, SHAPE_MUST},
      {"newest_at", SHAPE_TIME, SHAPE_MUST | SHAPE_NULL, .help = "Of the newest record"});

void verb_backup(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  (void)ask;
  if (atomic_exchange(&busy, true)) {
    web_answer_problem(ret, WEB_PROBLEM_conflict,
                       &(struct web_problem_info){.detail = "a backup is being made already"});
    return;
  }
  backup_make(a, ret);
  atomic_store(&busy, false);
}
