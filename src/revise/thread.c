/* SPDX-License-Identifier: Apache-2.0
 * The area's own thread: it waits for the end of a commit that nobody confirms, and takes up what was
 * edited by hand. */
#include "revise/inner.h"

#include "base/clock.h"
#include "base/log.h"

#include <time.h>

enum { RETRY_S = 5, IDLE_S = 3600 };

static void wait_for(struct revise *r) {
  struct timespec until;
  uint64_t in_us = IDLE_S * UINT64_C(1000000), now = clock_now_us();
  pthread_mutex_lock(&r->lock);
  if (r->is_pending)
    in_us = r->until_us > now ? r->until_us - now : 0;
  pthread_mutex_unlock(&r->lock);
  clock_gettime(CLOCK_MONOTONIC, &until);
  uint64_t at_us = (uint64_t)until.tv_sec * 1000000u + (uint64_t)until.tv_nsec / 1000u + in_us;
  until.tv_sec = (time_t)(at_us / 1000000u);
  until.tv_nsec = (long)(at_us % 1000000u * 1000u);
  while (sem_clockwait(&r->wake, CLOCK_MONOTONIC, &until) < 0 && errno == EINTR)
    ;
}

/* Nobody confirmed in time. */
static void time_out(struct revise *r) {
  char why[REVISE_WHY_BYTES] = "";
  struct book_mark mark = r->mark;
  if (!r->is_pending || clock_now_us() < r->until_us)
    return;
  log_warn(conf, "configuration %u was not confirmed: back to %u", mark.to, mark.back);
  if (revise_back(r, mark.back, "timeout", "gateway", why) == 0) {
    pending_end(r);
    return;
  }
  log_error(conf, "back to configuration %u: %s; tried again", mark.back, why);
  pending_keep(r, &mark); /* revise_force() ends it where it fails */
  r->until_us = clock_now_us() + RETRY_S * UINT64_C(1000000);
}

static void faults_tell(const struct candidate *c) {
  for (uint32_t i = 0; i < c->faults.n; i++)
    fprintf(stderr, "%s:%u: %s: %s\n", c->faults.list[i].file, c->faults.list[i].line,
            c->faults.list[i].pointer, c->faults.list[i].message);
}

/* Certificates and plans may have changed behind equal texts: they are read anew then too, and the
 * history is left alone. */
static int edited_take(struct revise *r, struct candidate *c, char *why) {
  bool is_same = strcmp(c->text, r->text) == 0 && strcmp(c->plan_text, r->plan_text) == 0;
  struct force f = {.c = c, .why = why};
  if (is_same)
    return doors_take(r, c, why);
  slice_copy(f.e.how, sizeof(f.e.how), SLICE("reload"));
  slice_copy(f.e.who, sizeof(f.e.who), SLICE("signal"));
  if (r->is_pending)
    log_warn(conf, "the configuration was edited by hand: what waited to be confirmed is confirmed");
  pending_end(r);
  return revise_force(r, &f);
}

/* Which of its files could not be read. */
static const char *file_words(const struct candidate *c, int e) {
  if (e != -EACCES)
    return "the configuration or its dialplan cannot be read";
  return c && c->text ? "its dialplan may not be read by the user of the gateway"
                      : "the configuration may not be read by the user of the gateway";
}

static void edited(struct revise *r) {
  char why[REVISE_WHY_BYTES] = "", path[CONF_PATH_BYTES];
  own(candidate) c = calloc(1, sizeof(*c));
  struct judge_with w = {.file = r->file, .is_lenient = true};
  int e = c ? file_read(r->file, &c->text) : -ENOMEM;
  if (e == 0)
    plan_path_of(r->file, c->text, path);
  if (e == 0)
    e = file_read(path, &c->plan_text);
  if (e == 0 || e == -ENOENT)
    e = c->text ? judge(&w, c->text, c->plan_text, c) : e;
  if (e == 0 && c->is_forgiven && c->conf)
    log_warn(conf,
             "reload: keys or certificates cannot be read as user %s: they stay as they were loaded",
             c->conf->node.user);
  if (e < 0 || c->faults.n) {
    if (c)
      faults_tell(c);
    log_error(conf, "reload refused: %s, the old one stays in force",
              c && c->faults.n ? "the configuration has errors" : file_words(c, e));
    return;
  }
  uint64_t version = c->conf->version;
  if (edited_take(r, c, why) < 0)
    log_error(conf, "reload refused: %s", why);
  else
    log_info(conf, "configuration reloaded, version %016llx", (unsigned long long)version);
}

void *revise_thread(void *arg) {
  struct revise *r = arg;
  while (!atomic_load(&r->ending)) {
    wait_for(r);
    pthread_mutex_lock(&r->lock);
    if (!atomic_load(&r->ending) && atomic_exchange(&r->is_edited, false))
      edited(r);
    if (!atomic_load(&r->ending))
      time_out(r);
    pthread_mutex_unlock(&r->lock);
  }
  return NULL;
}
