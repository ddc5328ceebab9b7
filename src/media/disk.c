/* SPDX-License-Identifier: Apache-2.0
 * The thread that writes recordings: see disk.h. */
#include "media/disk.h"

#include "base/clock.h"
#include "base/pipe.h"
#include "base/rand.h"
#include "base/ring.h"
#include "codec/coder.h"
#include "codec/wav.h"
#include "media/prompts.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

struct file {
  uint64_t name; /* name is 0 where there is none. */
  struct record *record;
  int fd, error;
  bool is_wav;
  uint32_t rate_hz;
  uint64_t bytes, bytes_max; /* bytes are in the file, without a WAV's head. */
  uint64_t written_us, drops;
  size_t n; /* n bytes wait in buffer. */
  uint8_t *buffer;
};

struct disk {
  uint32_t workers;
  pthread_t thread;
  bool has_thread;
  atomic_bool is_ending;
  int wake_fd, done_fd;
  struct ring orders, dones;
  struct pipe *pipes;      /* one for each worker */
  struct prompts *prompts; /* NULL: none are loaded. */
  uint32_t n_files;
  struct file files[DISK_FILES_MAX];
  _Atomic uint64_t drops;
};

static void wake(int fd) {
  uint64_t one = 1;
  (void)!write(fd, &one, sizeof(one));
}

/* Files -------------------------------------------------------------------------------------------- */
static int write_all(int fd, const uint8_t *p, size_t n, uint64_t at, uint64_t *ret_done) {
  for (*ret_done = 0; *ret_done < n;) {
    ssize_t k = pwrite(fd, p + *ret_done, n - *ret_done, (off_t)(at + *ret_done));
    if (k < 0 && errno == EINTR)
      continue;
    if (k <= 0)
      return k < 0 ? -errno : -EIO;
    *ret_done += (uint64_t)k;
  }
  return 0;
}

/* The head follows the samples: at any time the file is one that plays. */
static void write_head(struct file *f) {
  uint8_t head[WAV_HEAD_BYTES];
  uint64_t done;
  wav_head(head, 2, f->rate_hz, f->bytes);
  int error = f->is_wav ? write_all(f->fd, head, sizeof(head), 0, &done) : 0;
  f->error = f->error ? f->error : error;
}

static void write_out(struct file *f, uint64_t now_us) {
  uint64_t done;
  f->written_us = now_us;
  if (f->error || !f->n)
    return;
  f->error = write_all(f->fd, f->buffer, f->n, f->bytes + (f->is_wav ? WAV_HEAD_BYTES : 0), &done);
  f->bytes += f->is_wav ? done & ~UINT64_C(3) : done;
  f->n = 0;
  write_head(f);
}

/* What the engine makes. */
static void take_bytes(void *arg, const void *bytes, size_t n) {
  struct file *f = arg;
  if (f->error)
    return;
  if (f->bytes + f->n + n > f->bytes_max) {
    write_out(f, f->written_us);
    f->error = f->error ? f->error : -EFBIG;
    return;
  }
  if (f->n + n > DISK_BUFFER_BYTES)
    write_out(f, f->written_us);
  if (n > DISK_BUFFER_BYTES) /* no engine makes so much at once */
    return;
  memcpy(f->buffer + f->n, bytes, n);
  f->n += n;
}

static void tell_done(struct disk *d, const struct file *f) {
  struct disk_done done = {.file = f->name, .bytes = f->bytes, .lost = f->drops, .error = f->error};
  if (f->is_wav)
    done.bytes += WAV_HEAD_BYTES;
  for (unsigned i = 0; f->record && i < 2; i++) {
    struct track_figures t = record_figures(f->record, i);
    done.lost += t.late;
  }
  if (f->record)
    done.ms = record_ms(f->record);
  if (ring_put(&d->dones, &done)) /* it has room for all files */
    wake(d->done_fd);
}

static void file_close(struct disk *d, struct file *f, uint64_t at_us) {
  if (f->record)
    record_end(f->record, at_us);
  write_out(f, at_us);
  tell_done(d, f);
  record_free(f->record);
  free(f->buffer);
  own_fd_close(&f->fd);
  *f = (struct file){.fd = -1};
  d->n_files--;
}

static struct file *file_of(struct disk *d, uint64_t name) {
  struct file *f = &d->files[(uint32_t)name % DISK_FILES_MAX];
  return name && f->name == name ? f : NULL;
}

static void order_open(struct disk *d, const struct disk_order *o) {
  struct file *f = &d->files[(uint32_t)o->file % DISK_FILES_MAX];
  if (f->name) /* the control thread gives no name twice */
    file_close(d, f, o->at_us);
  *f = (struct file){.name = o->file,
                     .fd = o->fd,
                     .is_wav = o->format == RECORD_WAV,
                     .rate_hz = o->rate_hz,
                     .bytes_max =
                         o->bytes_max && o->bytes_max < DISK_BYTES_MAX ? o->bytes_max : DISK_BYTES_MAX,
                     .written_us = o->at_us};
  d->n_files++;
  struct record_form form = {(uint8_t)o->format, o->rate_hz, rand_u32(), NULL, take_bytes, f};
  f->buffer = malloc(DISK_BUFFER_BYTES);
  f->error = f->buffer ? record_new(&f->record, &form, o->at_us) : -ENOMEM;
  if (!f->error)
    write_head(f);
  if (f->error)
    file_close(d, f, o->at_us);
}

static void order_load(const struct disk *d, const struct disk_order *o) {
  own_fd fd = o->fd;
  prompts_load(d->prompts, (uint32_t)o->file, fd);
}

static void take_orders(struct disk *d) {
  struct disk_order o;
  while (ring_get(&d->orders, &o)) {
    struct file *f = file_of(d, o.file);
    if (o.op == DISK_OPEN)
      order_open(d, &o);
    else if (o.op == DISK_LOAD)
      order_load(d, &o);
    else if (f && o.op == DISK_CLOSE)
      file_close(d, f, o.at_us);
    else if (f)
      record_pause(f->record, o.op == DISK_PAUSE, o.at_us);
  }
}

/* The turn ----------------------------------------------------------------------------------------- */
static void take_packets(struct disk *d, struct pipe *from) {
  const struct disk_packet *p;
  size_t n;
  while ((p = pipe_peek(from, &n))) {
    struct file *f = file_of(d, p->file);
    if (f && !record_put(f->record, (enum record_side)p->side, &p->packet, (const uint8_t *)(p + 1),
                         n - sizeof(*p)))
      f->drops++;
    pipe_pop(from);
  }
}

static void turn(struct disk *d, uint64_t now_us) {
  for (uint32_t i = 0; i < d->workers; i++)
    take_packets(d, &d->pipes[i]);
  take_orders(d);
  for (uint32_t i = 0; d->n_files && i < DISK_FILES_MAX; i++) {
    struct file *f = &d->files[i];
    if (!f->name)
      continue;
    record_tick(f->record, now_us);
    if (f->n > DISK_BUFFER_BYTES / 2 || now_us - f->written_us >= DISK_WRITE_US)
      write_out(f, now_us);
    if (f->error)
      file_close(d, f, now_us);
  }
}

static void rest(const struct disk *d) {
  struct pollfd p = {.fd = d->wake_fd, .events = POLLIN};
  uint64_t count;
  if (poll(&p, 1, d->n_files ? DISK_TICK_US / 1000 : -1) > 0)
    (void)!read(d->wake_fd, &count, sizeof(count));
}

static void *run(void *arg) {
  struct disk *d = arg;
  while (!atomic_load(&d->is_ending)) {
    rest(d);
    turn(d, clock_now_us());
  }
  for (uint32_t i = 0; i < DISK_FILES_MAX; i++)
    if (d->files[i].name)
      file_close(d, &d->files[i], clock_now_us());
  return NULL;
}

/* Other threads ------------------------------------------------------------------------------------ */
bool disk_order(struct disk *d, const struct disk_order *o) {
  bool done = ring_put(&d->orders, o);
  wake(d->wake_fd);
  return done;
}

bool disk_result(struct disk *d, struct disk_done *ret) { return ring_get(&d->dones, ret); }

enum drop disk_put(struct disk *d, uint32_t worker, const struct disk_packet *p, const uint8_t *payload,
                   size_t n) {
  uint8_t *to = pipe_reserve(&d->pipes[worker], sizeof(*p) + n);
  if (!to) {
    atomic_fetch_add_explicit(&d->drops, 1, memory_order_relaxed);
    return DROP_QUEUE_FULL;
  }
  memcpy(to, p, sizeof(*p));
  memcpy(to + sizeof(*p), payload, n);
  pipe_commit(&d->pipes[worker]);
  return DROP_NONE;
}

uint64_t disk_drops(const struct disk *d) {
  return atomic_load_explicit(&d->drops, memory_order_relaxed);
}

/* Life --------------------------------------------------------------------------------------------- */
static int make_pipes(struct disk *d) {
  d->pipes = aligned_alloc(_Alignof(struct pipe), d->workers * sizeof(*d->pipes));
  if (!d->pipes)
    return -ENOMEM;
  memset(d->pipes, 0, d->workers * sizeof(*d->pipes));
  int error = 0;
  for (uint32_t i = 0; !error && i < d->workers; i++)
    error = pipe_init(&d->pipes[i], DISK_PIPE_BYTES);
  return error;
}

int disk_new(struct disk **ret, uint32_t workers, struct prompts *prompts, int done_fd) {
  own(disk) d = aligned_alloc(_Alignof(struct disk), sizeof(*d));
  if (!d)
    return -ENOMEM;
  memset(d, 0, sizeof(*d));
  d->workers = workers;
  d->done_fd = done_fd;
  d->prompts = prompts;
  for (unsigned i = 0; i < DISK_FILES_MAX; i++)
    d->files[i].fd = -1;
  d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  int error = d->wake_fd < 0 ? -errno : make_pipes(d);
  if (!error)
    error = ring_init(&d->orders, sizeof(struct disk_order), DISK_ORDERS);
  if (!error)
    error = ring_init(&d->dones, sizeof(struct disk_done), 2 * DISK_FILES_MAX);
  if (error)
    return error;
  *ret = take(d);
  return 0;
}

int disk_start(struct disk *d) {
  int error = pthread_create(&d->thread, NULL, run, d);
  d->has_thread = !error;
  return -error;
}

struct disk *disk_free(struct disk *d) {
  if (!d)
    return NULL;
  atomic_store(&d->is_ending, true);
  if (d->has_thread) {
    wake(d->wake_fd);
    pthread_join(d->thread, NULL);
  }
  struct disk_order o;
  while (d->orders.slots && ring_get(&d->orders, &o))
    if (o.op == DISK_OPEN || o.op == DISK_LOAD)
      own_fd_close(&o.fd);
  for (uint32_t i = 0; d->pipes && i < d->workers; i++)
    pipe_done(&d->pipes[i]);
  free(d->pipes);
  ring_done(&d->orders);
  ring_done(&d->dones);
  own_fd_close(&d->wake_fd);
  free(d);
  return NULL;
}
