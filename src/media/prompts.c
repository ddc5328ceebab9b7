/* SPDX-License-Identifier: Apache-2.0
 * Sound files that are played: see prompts.h. */
#include "media/prompts.h"

#include "base/stamp.h"
#include "media/disk.h"

#include <fcntl.h>
#include <stdatomic.h>

struct prompt {
  struct stamp stamp; /* stamp is the control thread's. */
  struct sound *_Atomic sound; /* sound is set once. */
  _Atomic int error;
};

struct prompts {
  uint32_t n;
  size_t bytes; /* bytes is the disk's thread's. */
  struct prompt list[PROMPTS_MAX];
};

int prompts_new(struct prompts **ret) {
  *ret = calloc(1, sizeof(**ret));
  return *ret ? 0 : -ENOMEM;
}

struct prompts *prompts_free(struct prompts *p) {
  for (uint32_t i = 0; p && i < PROMPTS_MAX; i++)
    sound_free(atomic_load(&p->list[i].sound));
  free(p);
  return NULL;
}

static int prompts_enter(struct prompts *p, int fd, uint32_t *ret_number, bool *ret_is_new) {
  struct stat st;
  *ret_is_new = false;
  if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
      (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
    return -EBADF;
  const struct stamp stamp = stamp_from(&st);
  for (*ret_number = 0; *ret_number < p->n; ++*ret_number)
    if (stamp_same(&p->list[*ret_number].stamp, &stamp))
      return atomic_load(&p->list[*ret_number].error);
  if (st.st_size > SOUND_FILE_MAX)
    return -EFBIG;
  if (p->n == PROMPTS_MAX)
    return -ENOSPC;
  p->list[p->n++].stamp = stamp;
  *ret_is_new = true;
  return 0;
}

int prompts_order(struct prompts *p, struct disk *d, uint32_t *ret_number, int *fd) {
  bool is_new;
  int error = prompts_enter(p, *fd, ret_number, &is_new);
  if (error || !is_new)
    return error;
  struct disk_order o = {.file = *ret_number, .op = DISK_LOAD, .fd = *fd};
  if (!disk_order(d, &o)) {
    p->n--;
    return -EAGAIN;
  }
  (void)take_fd(fd);
  return 0;
}

static int read_file(int fd, uint8_t **ret, size_t *ret_n) {
  size_t n = 0, room = SOUND_FILE_MAX;
  struct stat st;
  if (fstat(fd, &st) < 0)
    return -errno;
  room = (size_t)st.st_size < room ? (size_t)st.st_size : room;
  own_mem uint8_t *p = malloc(room + 1);
  if (!p)
    return -ENOMEM;
  while (n < room) {
    ssize_t k = pread(fd, p + n, room - n, (off_t)n);
    if (k < 0 && errno == EINTR)
      continue;
    if (k < 0)
      return -errno;
    if (k == 0)
      break;
    n += (size_t)k;
  }
  *ret = take(p);
  *ret_n = n;
  return 0;
}

void prompts_load(struct prompts *p, uint32_t number, int fd) {
  struct prompt *k = &p->list[number];
  struct sound *sound = NULL;
  own_mem uint8_t *bytes = NULL;
  size_t n = 0;
  int error = read_file(fd, &bytes, &n);
  if (!error)
    error = sound_new(&sound, bytes, n);
  if (!error && p->bytes + sound_bytes(sound) > PROMPTS_BYTES_MAX) {
    sound_free(sound);
    error = -ENOSPC;
  }
  if (error) {
    atomic_store(&k->error, error);
    return;
  }
  p->bytes += sound_bytes(sound);
  atomic_store(&k->sound, sound);
}

const struct sound *prompts_get(const struct prompts *p, uint32_t number, int *ret_error) {
  *ret_error = number < PROMPTS_MAX ? atomic_load(&p->list[number].error) : -ENOENT;
  return number < PROMPTS_MAX ? atomic_load(&p->list[number].sound) : NULL;
}
