/* SPDX-License-Identifier: Apache-2.0
 * The book of recordings: see recorder.h. */
#include "media/recorder.h"

#include <fcntl.h>
#include <sys/stat.h>

struct entry {
  uint64_t file;        /* file is its name; 0: free. */
  uint64_t op, named;   /* named is the session that the commands name. */
  uint64_t sessions[2]; /* 0: gone, or none */
  bool is_closing;
};

struct recorder {
  struct disk *disk;
  struct recorder_user user;
  uint32_t generation, n;
  struct entry entries[DISK_FILES_MAX];
};

int recorder_new(struct recorder **ret, struct disk *d, const struct recorder_user *user) {
  struct recorder *r = calloc(1, sizeof(*r));
  if (!r)
    return -ENOMEM;
  r->disk = d;
  r->user = *user;
  *ret = r;
  return 0;
}

struct recorder *recorder_free(struct recorder *r) {
  free(r);
  return NULL;
}

static struct entry *entry_of(struct recorder *r, uint64_t session) {
  for (uint32_t i = 0; session && r->n && i < DISK_FILES_MAX; i++) {
    struct entry *e = &r->entries[i];
    if (e->file && !e->is_closing && (e->sessions[0] == session || e->sessions[1] == session))
      return e;
  }
  return NULL;
}

static struct entry *entry_free(struct recorder *r) {
  for (uint32_t i = 0; i < DISK_FILES_MAX; i++)
    if (!r->entries[i].file)
      return &r->entries[i];
  return NULL;
}

static bool tell(struct recorder *r, enum mset_type type, const struct entry *e, unsigned side) {
  union mset_any m;
  mset_init(&m, type, e->sessions[side]);
  if (type == MSET_RECORD) {
    m.record.file = e->file;
    m.record.side = side;
  }
  return r->user.tell(r->user.arg, &m);
}

static void untell(struct recorder *r, const struct entry *e) {
  for (unsigned side = 0; side < 2; side++)
    if (e->sessions[side])
      (void)tell(r, MSET_RECORD_STOP, e, side);
}

static bool order(struct recorder *r, const struct entry *e, enum disk_op op, uint64_t now_us) {
  struct disk_order o = {.file = e->file, .at_us = now_us, .op = op, .fd = -1};
  return disk_order(r->disk, &o);
}

/* Written by place, so not O_APPEND; nothing of ours may stand behind what we write. */
static bool is_file(int fd) {
  struct stat st;
  int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && !(flags & O_APPEND) && fstat(fd, &st) == 0 &&
         S_ISREG(st.st_mode) && st.st_size == 0;
}

static int open_file(struct recorder *r, struct entry *e, const struct mset_record *m, int fd,
                     uint64_t now_us) {
  *e = (struct entry){.file = (uint64_t)++r->generation << 32 | (uint32_t)(e - r->entries),
                      .op = m->op,
                      .named = m->h.session,
                      .sessions = {m->h.session, m->peer}};
  struct disk_order o = {.file = e->file,
                         .at_us = now_us,
                         .bytes_max = m->bytes_max,
                         .op = DISK_OPEN,
                         .fd = fd,
                         .format = m->format,
                         .rate_hz = m->rate_hz ? m->rate_hz : 16000};
  if (!disk_order(r->disk, &o)) {
    *e = (struct entry){0};
    return -EAGAIN;
  }
  r->n++;
  return 0;
}

static void close_file(struct recorder *r, struct entry *e, uint64_t now_us) {
  untell(r, e);
  e->is_closing = order(r, e, DISK_CLOSE, now_us); /* full: asked again when its sessions are gone */
}

static int begin(struct recorder *r, const struct mset_record *m, int fd, uint64_t now_us) {
  if (entry_of(r, m->h.session) || entry_of(r, m->peer))
    return -EEXIST;
  if (!is_file(fd))
    return -EBADF;
  struct entry *e = entry_free(r);
  int error = e ? open_file(r, e, m, fd, now_us) : -EMFILE;
  if (error)
    return error;
  bool done = tell(r, MSET_RECORD, e, RECORD_LEFT);
  if (m->peer)
    done = tell(r, MSET_RECORD, e, RECORD_RIGHT) && done;
  if (!done)
    close_file(r, e, now_us); /* and its DONE says 0 ms */
  return 0;
}

bool recorder_takes(uint32_t type) {
  return type == MSET_RECORD || type == MSET_RECORD_PAUSE || type == MSET_RECORD_STOP;
}

int recorder_command(struct recorder *r, const union mset_any *c, int fd, uint64_t now_us) {
  if (c->h.type == MSET_RECORD)
    return begin(r, &c->record, fd, now_us);
  struct entry *e = entry_of(r, c->h.session);
  if (!e)
    return -ENOENT;
  if (c->h.type == MSET_RECORD_PAUSE)
    return order(r, e, c->record_pause.on ? DISK_PAUSE : DISK_RESUME, now_us) ? 0 : -EAGAIN;
  close_file(r, e, now_us);
  return e->is_closing ? 0 : -EAGAIN;
}

void recorder_gone(struct recorder *r, uint64_t session, uint64_t now_us) {
  struct entry *e = entry_of(r, session);
  if (!e)
    return;
  uint64_t *place = &e->sessions[e->sessions[1] == session];
  bool is_last = !e->sessions[0] || !e->sessions[1];
  if (!is_last)
    *place = 0;
  else
    e->is_closing = order(r, e, DISK_CLOSE, now_us);
}

void recorder_results(struct recorder *r) {
  struct disk_done d;
  while (disk_result(r->disk, &d)) {
    struct entry *e = &r->entries[(uint32_t)d.file % DISK_FILES_MAX];
    if (e->file != d.file)
      continue;
    struct mset_record_done m = {
        .h = {.bytes = sizeof(m), .type = MSET_RECORD_DONE, .session = e->named},
        .op = e->op,
        .bytes = d.bytes,
        .ms = d.ms,
        .lost = d.lost,
        .error = d.error};
    if (!e->is_closing) /* by an error of its own: its sessions go on */
      untell(r, e);
    *e = (struct entry){0};
    r->n--;
    r->user.done(r->user.arg, &m);
  }
}
