/* SPDX-License-Identifier: Apache-2.0
 * GET /admin/v1/system: the program itself. Web threads. */
#include "admin/desk.h"

#include <config.h> /* not our neighbour of that name */

#include "base/clock.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

enum { M = SHAPE_MUST, N = SHAPE_MUST | SHAPE_NULL };
static SHAPE(system_build, {"version", SHAPE_TEXT, M}, {"compiler", SHAPE_TEXT, M},
             {"kernel", SHAPE_TEXT, M}, {"machine", SHAPE_TEXT, M});
static SHAPE(system_process, {"pid", SHAPE_INT, M}, {"threads", SHAPE_INT, M},
             {"memory_bytes", SHAPE_INT, M}, {"memory_peak_bytes", SHAPE_INT, M},
             {"files_max", SHAPE_INT, M},
             {"seccomp", SHAPE_BOOL, M, .help = "System calls are filtered"});
static SHAPE(system_disk, {"free_bytes", SHAPE_INT, M}, {"size_bytes", SHAPE_INT, M});
static SHAPE(system_media, {"connected", SHAPE_BOOL, M}, {"backend", SHAPE_TEXT, M},
             {"workers", SHAPE_INT, M});
static SHAPE(system_limits, {"calls", SHAPE_INT, M}, {"streams", SHAPE_INT, M}, {"users", SHAPE_INT, M},
             {"api_tokens", SHAPE_INT, M}, {"streams_open", SHAPE_INT, M, .help = "Now"});
SHAPE(system, {"build", SHAPE_OBJECT, M, .inner = &shape_system_build}, {"started_at", SHAPE_TIME, M},
      {"process", SHAPE_OBJECT, M, .inner = &shape_system_process},
      {"disk", SHAPE_OBJECT, N, .inner = &shape_system_disk, .help = "Where the records are"},
      {"draining", SHAPE_BOOL, M}, {"audit_writable", SHAPE_BOOL, M},
      {"media", SHAPE_OBJECT, M, .inner = &shape_system_media},
      {"limits", SHAPE_OBJECT, M, .inner = &shape_system_limits});

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
