/* SPDX-License-Identifier: Apache-2.0
 * sallyport restore FILE: a backup of the records into the place of the database, while sallyportd is
 * stopped. What was there stays beside it. */
#include "app/cli.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "store/store.h"

#include <argp.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

struct words {
  const char *file, *config;
  bool look;
};

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "The configuration", 0},
    {"check", 'k', 0, 0, "Only look whether the backup is whole", 0},
    {0},
};

static error_t option_take(int key, char *arg, struct argp_state *state) {
  struct words *w = state->input;
  if (key == 'c')
    w->config = arg;
  else if (key == 'k')
    w->look = true;
  else if (key == ARGP_KEY_ARG && !w->file)
    w->file = arg;
  else if (key == ARGP_KEY_END && !w->file)
    argp_error(state, "which backup?");
  else
    return ARGP_ERR_UNKNOWN;
  return 0;
}

static int said(const char *what, int r) {
  fprintf(stderr, "sallyport restore: %s: %s\n", what,
          r == -EBADMSG       ? "is no whole backup of ours"
          : r == -EPROTO      ? "is of a newer program"
          : r == -EWOULDBLOCK ? "sallyportd runs on this state: stop it first"
                              : strerror(-r));
  return CLI_NO;
}

/* As sallyportd's own lock: whoever has it writes the database. */
static int state_lock(const struct conf *c) {
  char path[CONF_PATH_BYTES + 8];
  snprintf(path, sizeof(path), "%s/lock", c->node.state_dir);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
    return fd < 0 ? -errno : fd;
  int r = -errno;
  close(fd);
  return r;
}

static void told(const char *what, const struct store_backup_facts *f) {
  char at[CLOCK_TEXT_BYTES];
  printf("%s: %llu records, %llu bytes, schema %u%s%s\n", what, (unsigned long long)f->records,
         (unsigned long long)f->bytes, f->schema, f->newest_ms ? ", the last call of " : "",
         f->newest_ms ? clock_text(f->newest_ms, at) : "");
}

static int restore(const struct words *w) {
  static struct conf_errors errors;
  struct store_backup_facts facts;
  struct stat st;
  own(conf) c = NULL;
  if (conf_load(&c, cli_config(w->config), true, &errors) < 0) {
    fprintf(stderr, "sallyport restore: %s has errors: sallyportd --check-config shows them\n",
            cli_config(w->config));
    return CLI_USAGE;
  }
  own_fd lock = state_lock(c);
  if (lock < 0)
    return said(c->node.state_dir, lock);
  bool owned = stat(c->node.state_dir, &st) == 0;
  int r = store_restore(w->file, c->records.file, &facts);
  if (r < 0)
    return said(w->file, r);
  /* root restores what the program's own user will open */
  if (owned && geteuid() == 0 && chown(c->records.file, st.st_uid, st.st_gid) < 0)
    return said(c->records.file, -errno);
  told("restored", &facts);
  return CLI_OK;
}

int restore_run(int argc, char **argv) {
  static const struct argp argp = {
      options, option_take, "FILE", "Puts a backup of the call records into the database's place.",
      NULL,    NULL,        NULL};
  struct words w = {0};
  struct store_backup_facts facts;
  if (argp_parse(&argp, argc, argv, 0, NULL, &w) != 0)
    return CLI_USAGE;
  if (!w.look)
    return restore(&w);
  int r = store_backup_check(w.file, &facts);
  if (r < 0)
    return said(w.file, r);
  told("whole", &facts);
  return CLI_OK;
}
