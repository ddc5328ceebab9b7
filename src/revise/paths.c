/* SPDX-License-Identifier: Apache-2.0
 * Which files a commit may name: those under the configuration's own folder or a folder of admin.paths,
 * links followed, and those that what is in force names already; they are read as they were judged. Who
 * may commit need not be one who may read /etc/shadow, or who may have a file written beside it. */
#include "revise/part.h"

#include "base/beneath.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

enum { NAMED_MAX = 1024 };

/* One that is held open; fd -1: it is not there. */
struct folder {
  int fd;
  char real[PATH_MAX];
};

struct paths {
  struct conf_names extra; /* admin.paths */
  struct folder *folders;  /* folders are the configuration's own, and those. */
  size_t folders_n;
  char (*named)[CONF_PATH_BYTES];
  size_t n;
};

/* The path without links, of what need not be there: as far as it is there, then word for word. */
static bool path_resolve(const char *path, char ret[PATH_MAX]) {
  char here[CONF_PATH_BYTES] = "", whole[2 * CONF_PATH_BYTES], head[2 * CONF_PATH_BYTES], real[PATH_MAX];
  if (path[0] != '/' && !getcwd(here, sizeof(here)))
    return false;
  snprintf(whole, sizeof(whole), "%s%s%s", here, here[0] ? "/" : "", path);
  size_t n = strlen(whole);
  memcpy(head, whole, n + 1);
  while (!realpath(n ? head : "/", real)) {
    while (n && head[--n] != '/')
      ;
    head[n] = 0;
  }
  int all = snprintf(ret, PATH_MAX, "%s%s", strcmp(real, "/") == 0 ? "" : real, whole + n);
  return all > 0 && all < PATH_MAX && !strstr(whole + n, "/..");
}

static bool is_under(const char *path, const char *folder) {
  size_t n = strlen(folder);
  return n > 1 && strncmp(path, folder, n) == 0 && path[n] == '/';
}

static bool is_named(const struct paths *p, const char *path) {
  for (size_t i = 0; i < p->n; i++)
    if (strcmp(p->named[i], path) == 0)
      return true;
  return false;
}

/* While what is in force is read. */
static bool name_note(void *arg, const char *path) {
  struct paths *p = arg;
  if (p->n < NAMED_MAX && !is_named(p, path))
    slice_copy(p->named[p->n++], CONF_PATH_BYTES, slice_of(path));
  return true;
}

static int any_open(void *arg, const char *path, int flags) {
  (void)arg;
  return field_file_open(NULL, path, flags);
}

/* Links are followed by name, and then none may be on the way: what another puts there meanwhile is not
 * opened. -EXDEV: it may not be named. */
static int path_open(void *arg, const char *path, int flags) {
  const struct paths *p = arg;
  char real[PATH_MAX];
  if (is_named(p, path))
    return field_file_open(NULL, path, flags);
  if (!path_resolve(path, real))
    return -EXDEV;
  for (size_t i = 0; i < p->folders_n; i++)
    if (p->folders[i].fd >= 0 && is_under(real, p->folders[i].real))
      return beneath_open(p->folders[i].fd, real + strlen(p->folders[i].real) + 1, flags);
  return -EXDEV;
}

/* One that is not there, or not for us, is told by who wants to read it. */
static bool path_may(void *arg, const char *path) {
  if (is_named(arg, path))
    return true;
  int fd = path_open(arg, path, O_PATH);
  if (fd >= 0)
    close(fd);
  return fd >= 0 || fd == -ENOENT || fd == -EACCES || fd == -ENOTDIR;
}

static void folder_hold(struct paths *p, const char *path) {
  struct folder *f = &p->folders[p->folders_n++];
  f->fd = realpath(path, f->real) ? open(f->real, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

static int in_force_read(struct paths *p, const struct judge_with *w) {
  const struct field_paths all = {name_note, any_open, p};
  own(conf) c = NULL;
  own(plan) plan = NULL;
  own_mem struct conf_errors *e = errors_new();
  if (!e)
    return -ENOMEM;
  int r = conf_judge_within(&c, w->file, slice_of(w->current), true, &all, e);
  if (r == 0)
    p->extra = c->admin.paths;
  if (r == 0 && w->current_plan)
    r = plan_parse_within(&plan, c->dialplan, slice_of(w->current_plan), &all, e);
  return r == -EINVAL ? 0 : r; /* a file of it is gone: what was read counts */
}

int paths_new(struct paths **ret, const struct judge_with *w) {
  own(paths) p = calloc(1, sizeof(*p));
  char folder[CONF_PATH_BYTES];
  const char *slash = strrchr(w->file, '/');
  snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - w->file) : 1, slash ? w->file : ".");
  if (!p || !(p->named = calloc(NAMED_MAX, sizeof(*p->named))) ||
      !(p->folders = calloc(1 + CONF_LIST_MAX, sizeof(*p->folders))))
    return -ENOMEM;
  int r = w->current ? in_force_read(p, w) : 0;
  folder_hold(p, folder[0] ? folder : "/");
  for (uint32_t i = 0; i < p->extra.n; i++)
    folder_hold(p, p->extra.text[i]);
  if (r == 0)
    *ret = take(p);
  return r;
}

struct paths *paths_free(struct paths *p) {
  for (size_t i = 0; p && i < p->folders_n; i++)
    if (p->folders[i].fd >= 0)
      close(p->folders[i].fd);
  if (p) {
    free(p->folders);
    free(p->named);
  }
  free(p);
  return NULL;
}

struct field_paths paths_rule(struct paths *p) {
  return (struct field_paths){path_may, path_open, p};
}

bool paths_same(const struct paths *p, const struct conf *c) {
  bool same = p->extra.n == c->admin.paths.n;
  for (uint32_t i = 0; same && i < p->extra.n; i++)
    same = strcmp(p->extra.text[i], c->admin.paths.text[i]) == 0;
  return same;
}
