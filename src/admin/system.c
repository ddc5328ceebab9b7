/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/system: the program itself. Web threads. */
#include "admin/desk.h"

#include <config.h> /* not our neighbour of that name */

#include "base/clock.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

static json_t *build_json(void) {
  struct utsname u;
  return json_pack("{s:s, s:s, s:s, s:s}", "version", PACKAGE_VERSION, "compiler", __VERSION__, "kernel",
                   uname(&u) == 0 ? u.release : "", "machine", u.machine);
}

/* Number after a word in /proc/self/status. */
static json_int_t status_number(const char *word) {
  char line[160];
  long long n = 0;
  FILE *f = fopen("/proc/self/status", "re");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, word, strlen(word)))
      (void)!sscanf(line + strlen(word), ": %lld", &n);
  if (f)
    fclose(f);
  return n;
}

static json_t *process_json(void) {
  struct rlimit files = {0};
  getrlimit(RLIMIT_NOFILE, &files);
  return json_pack("{s:i, s:I, s:I, s:I, s:I, s:b}", "pid", (int)getpid(), "threads",
                   status_number("Threads"), "memory_bytes", status_number("VmRSS") * 1024,
                   "memory_peak_bytes", status_number("VmHWM") * 1024, "files_max",
                   (json_int_t)files.rlim_cur, "seccomp", status_number("Seccomp") == 2);
}

static json_t *disk_json(const char *file) {
  struct statvfs v;
  if (statvfs(file, &v) < 0)
    return json_null();
  return json_pack("{s:I, s:I}", "free_bytes", (json_int_t)(v.f_bavail * v.f_frsize), "size_bytes",
                   (json_int_t)(v.f_blocks * v.f_frsize));
}

void verb_system(struct admin *a, struct desk_ask *ask, struct web_answer *ret) {
  char started[CLOCK_TEXT_BYTES];
  (void)ask;
  pthread_mutex_lock(&a->lock);
  struct admin_facts f = a->overview.facts;
  uint64_t started_ms = a->overview.started_ms;
  pthread_mutex_unlock(&a->lock);
  json_t *doc = json_pack("{s:o, s:s, s:o, s:o, s:b, s:b}", "build", build_json(), "started_at",
                          clock_text(started_ms, started), "process", process_json(), "disk",
                          disk_json(a->store_file), "draining", f.draining, "audit_writable",
                          ledger_is_well(a->ledger));
  json_object_set_new(doc, "media",
                      json_pack("{s:b, s:s, s:i}", "connected", f.media, "backend", f.backend, "workers",
                                (int)f.workers));
  json_object_set_new(doc, "limits",
                      json_pack("{s:i, s:i, s:i, s:i, s:I}", "calls", (int)f.max, "streams",
                                (int)(a->set.streams_max ? a->set.streams_max : ADMIN_STREAMS), "users",
                                STAFF_USERS_MAX, "api_tokens", STAFF_TOKENS_MAX, "streams_open",
                                (json_int_t)web_stream_count(a->web)));
  desk_json(ret, 200, doc);
}
