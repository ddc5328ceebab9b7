/* SPDX-License-Identifier: Apache-2.0
 * What caps have counted outlives the program: read at the start from `caps` in the state directory,
 * written there by a thread of its own, every ten seconds if there is news, and at the end. */
#include "app/boot.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mbox.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

enum { EVERY_TICKS = 40, QUEUE = 2, TEXT_MAX_BYTES = 4 << 20 };

/* A text on its way to the disk: the thread's own from then on. NULL: the end. */
struct sheet {
  char *text;
  size_t n;
};

static struct {
  char file[CONF_PATH_BYTES + 8], beside[CONF_PATH_BYTES + 16];
  struct mbox *box;
  pthread_t thread;
  bool has_thread;
  unsigned ticks;
} keep;

static int sheet_write(const struct sheet *s) {
  own_fd fd = open(keep.beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  ssize_t n = 0;
  if (fd < 0)
    return -errno;
  for (size_t at = 0; at < s->n && n >= 0; at += (size_t)(n > 0 ? n : 0))
    n = write(fd, s->text + at, s->n - at);
  return n < 0 || fsync(fd) < 0 || rename(keep.beside, keep.file) < 0 ? -errno : 0;
}

static void *run(void *arg) {
  struct sheet s;
  bool has_told = false;
  (void)arg;
  for (;;) {
    struct pollfd p = {.fd = mbox_fd(keep.box), .events = POLLIN};
    (void)poll(&p, 1, -1);
    while (mbox_get(keep.box, &s)) {
      if (!s.text)
        return NULL;
      int r = sheet_write(&s);
      if (r < 0 && !has_told)
        log_warn(app, "%s: %s: caps begin at nothing after a restart", keep.file, strerror(-r));
      has_told = r < 0;
      free(s.text);
    }
  }
}

static void put(struct house *h) {
  struct sheet s = {.n = 0};
  s.text = guard_caps_write(h->guard, &s.n, clock_now_us(), clock_wall_ms());
  if (s.text && mbox_put(keep.box, &s) < 0)
    free(s.text); /* the disk is slow: the next one says it all again */
}

static void file_read(struct house *h) {
  own_fd fd = open(keep.file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  char *text = fd >= 0 ? malloc(TEXT_MAX_BYTES) : NULL;
  size_t n = 0;
  ssize_t got = text ? 1 : 0;
  while (got > 0 && n < TEXT_MAX_BYTES) {
    got = read(fd, text + n, TEXT_MAX_BYTES - n);
    n += got > 0 ? (size_t)got : 0;
  }
  if (text && guard_caps_read(h->guard, slice_from(text, n), clock_now_us(), clock_wall_ms()) < 0)
    log_warn(app, "%s: not as we write it: caps know a part of what was counted", keep.file);
  free(text);
}

int house_caps(struct house *h) {
  snprintf(keep.file, sizeof(keep.file), "%s/caps", h->conf->node.state_dir);
  snprintf(keep.beside, sizeof(keep.beside), "%s.new", keep.file);
  file_read(h);
  int r = mbox_new(&keep.box, sizeof(struct sheet), QUEUE);
  if (r == 0)
    r = -pthread_create(&keep.thread, NULL, run, NULL);
  keep.has_thread = r == 0;
  return r;
}

void house_caps_tick(struct house *h) {
  if (keep.has_thread && ++keep.ticks % EVERY_TICKS == 0)
    put(h);
}

void house_caps_stop(struct house *h) {
  const struct sheet end = {.text = NULL};
  if (keep.has_thread && h->guard) {
    put(h);
    while (mbox_put(keep.box, &end) < 0)
      usleep(1000);
    pthread_join(keep.thread, NULL);
  }
  keep.has_thread = false;
  keep.box = mbox_free(keep.box);
}
