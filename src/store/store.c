/* SPDX-License-Identifier: Apache-2.0
 * The store's writer: a bounded queue of copies, a thread that commits them together. Whoever puts never
 * waits for a disk; while the disk fails, records wait here and the oldest give way. */
#include "store/store.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "store/aside.h"
#include "store/db.h"
#include "store/gather.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#define PURGE_US 60000000ull
#define STOP_TRIES 5
#define GROWS_MS 1000
#define GATHER_ROWS 1024
#define REFUSED_SHARE 4 /* of the queue may be refused attempts */

struct item {
  struct list node;
  bool is_refused;
  bool is_old; /* is_old: the same record comes again in this batch; that one is written. */
  struct record record;
};

struct store {
  struct db *db; /* NULL: it is opened by the next batch. */
  char *file;
  _Atomic(const char *) why; /* why the last commit failed */
  _Atomic bool renewed;
  size_t queue_max;
  unsigned commit_ms, retry_ms;
  _Atomic uint64_t keep_ms, keep_bytes;
  _Atomic uint64_t purge_us; /* purge_us is when it is looked at age and size again. */
  pthread_mutex_t lock;
  struct list queue;   /* queue is what waits of calls, oldest first (lock). */
  struct list refused; /* refused is what waits of refused attempts; it gives way (lock). */
  size_t waiting;      /* waiting counts both and the writer's batch (lock). */
  size_t refused_n;    /* refused_n counts refused (lock). */
  struct gather *gather; /* lock */
  uint64_t put_n,
      settled_n; /* put_n records came; settled_n of them are committed or given up (lock). */
  bool stopping; /* lock */
  int wake_fd;
  pthread_t writer;
  bool writer_on;
  _Atomic bool well, spools, spools_live;
  _Atomic uint64_t values[STORE_COUNT_];
  struct counts counts;
};

static const struct count_row count_rows[STORE_COUNT_] = {
    [STORE_COMMITTED] = {"sallyport_records_committed_total", "", "Rows of call records on the disk.",
                         COUNT_COUNTER},
    [STORE_FAILED] = {"sallyport_records_commit_failures_total", "",
                      "Commits that failed and are tried again.", COUNT_COUNTER},
    [STORE_DROPPED] = {"sallyport_records_dropped_total", "kind=\"call\"",
                       "Records given up because too many waited.", COUNT_COUNTER},
    [STORE_DROPPED_REFUSED] = {"sallyport_records_dropped_total", "kind=\"refused\"", "",
                               COUNT_COUNTER},
    [STORE_GATHERED] = {"sallyport_records_gathered_total", "",
                        "Refused attempts that were counted in the record of one like them.",
                        COUNT_COUNTER},
    [STORE_EXPIRED] = {"sallyport_records_expired_total", "", "Records deleted by age or size.",
                       COUNT_COUNTER},
    [STORE_WAITING] = {"sallyport_records_waiting", "", "Records that wait for the disk.", COUNT_GAUGE},
};

/* Under the lock. Refused attempts go before calls. */
static void oldest_drop(struct store *s) {
  bool is_refused = !list_is_empty(&s->refused);
  struct item *i = CONTAINER_OF(is_refused ? s->refused.next : s->queue.next, struct item, node);
  list_del(&i->node);
  free(i);
  s->waiting--;
  s->refused_n -= is_refused;
  s->settled_n++;
  count_one(&s->counts, is_refused ? STORE_DROPPED_REFUSED : STORE_DROPPED);
}

/* Under the lock; the record is its own from then on. False: too many wait. */
static bool item_queue(struct store *s, struct item *i) {
  i->is_old = false;
  i->is_refused = i->record.state == RECORD_REFUSED;
  list_add_tail(i->is_refused ? &s->refused : &s->queue, &i->node);
  s->refused_n += i->is_refused;
  s->put_n++;
  s->waiting++;
  bool fits = s->waiting <= s->queue_max && s->refused_n <= s->queue_max / REFUSED_SHARE + 1;
  if (!fits)
    oldest_drop(s);
  count_set(&s->counts, STORE_WAITING, s->waiting);
  return fits;
}

/* Under the lock. True: it is done with, as one of many. */
static bool is_gathered(struct store *s, const struct record *r, int *ret) {
  if (r->state != RECORD_REFUSED)
    return false;
  enum gather_how how = gather_take(s->gather, r, clock_now_us());
  if (how == GATHER_ALONE)
    return false;
  count_one(&s->counts, how == GATHER_COUNTED ? STORE_GATHERED : STORE_DROPPED_REFUSED);
  *ret = how == GATHER_COUNTED ? 0 : -EAGAIN;
  return true;
}

int store_put(struct store *s, const struct record *r) {
  int result = 0;
  struct item *i = NULL;
  pthread_mutex_lock(&s->lock);
  bool was_idle = list_is_empty(&s->queue) && list_is_empty(&s->refused) && !gather_has(s->gather);
  if (!is_gathered(s, r, &result)) {
    i = malloc(sizeof(*i));
    if (i)
      i->record = *r;
    else
      count_one(&s->counts, r->state == RECORD_REFUSED ? STORE_DROPPED_REFUSED : STORE_DROPPED);
    result = i && item_queue(s, i) ? 0 : -EAGAIN;
  }
  pthread_mutex_unlock(&s->lock);
  uint64_t one = 1;
  if (was_idle) /* else the writer knows */
    (void)!write(s->wake_fd, &one, sizeof(one));
  return result;
}

/* Rows of many attempts that are due, as items like others. Under the lock. */
static void gathered_queue(struct store *s, bool all) {
  const struct record *r;
  struct item *i;
  while ((i = malloc(sizeof(*i))) && (r = gather_due(s->gather, clock_now_us(), all))) {
    i->record = *r;
    (void)item_queue(s, i);
  }
  free(i);
}

static size_t all_move(struct list *from, struct list *to) {
  size_t n = 0;
  for (; !list_is_empty(from); n++) {
    struct list *node = from->next;
    list_del(node);
    list_add_tail(to, node);
  }
  return n;
}

/* Moves all that waits, calls first; the number of records. */
static size_t batch_take(struct store *s, struct list *batch, bool is_last) {
  pthread_mutex_lock(&s->lock);
  gathered_queue(s, is_last);
  size_t n = all_move(&s->queue, batch) + all_move(&s->refused, batch);
  s->refused_n = 0;
  pthread_mutex_unlock(&s->lock);
  return n;
}

static void batch_done(struct store *s, struct list *batch, size_t n) {
  LIST_EACH_SAFE(batch, node)
    free(CONTAINER_OF(node, struct item, node));
  list_init(batch);
  pthread_mutex_lock(&s->lock);
  s->waiting -= n;
  s->settled_n += n;
  count_set(&s->counts, STORE_WAITING, s->waiting);
  pthread_mutex_unlock(&s->lock);
  count_add(&s->counts, STORE_COMMITTED, n);
}

/* Back to the front, in order; then what is too much goes, oldest first. */
static void batch_return(struct store *s, struct list *batch) {
  pthread_mutex_lock(&s->lock);
  while (!list_is_empty(batch)) {
    struct list *node = batch->prev;
    bool is_refused = CONTAINER_OF(node, struct item, node)->is_refused;
    list_del(node);
    list_add_head(is_refused ? &s->refused : &s->queue, node);
    s->refused_n += is_refused;
  }
  while (s->waiting > s->queue_max)
    oldest_drop(s);
  pthread_mutex_unlock(&s->lock);
  count_one(&s->counts, STORE_FAILED);
}

/* A short call is placed, answered and over within a batch: only its last row goes to the disk. Without
 * memory for that all go. */
static void batch_thin(struct list *batch, size_t n) {
  own(map) seen = NULL;
  if (map_new(&seen, n) < 0)
    return;
  for (struct list *node = batch->prev; node != batch; node = node->prev) {
    struct item *i = CONTAINER_OF(node, struct item, node);
    i->is_old = map_get(seen, slice_of(i->record.id)) != NULL;
    if (!i->is_old && map_put(seen, slice_of(i->record.id), i) < 0)
      return;
  }
}

/* The broken file goes out of the way; what waits is written into the next one. */
static void file_renew(struct store *s) {
  s->db = db_free(s->db);
  if (aside_put(s->file) == 0)
    atomic_store(&s->renewed, true);
}

/* Of what failed just now. */
static void failure_note(struct store *s) {
  atomic_store(&s->why, db_why(s->db));
  bool is_broken = db_is_broken(s->db);
  db_rollback(s->db);
  if (is_broken)
    file_renew(s);
}

static int file_open(struct store *s) {
  int r = s->db ? 0 : db_open(&s->db, s->file);
  if (r < 0)
    atomic_store(&s->why, "it cannot be opened");
  if (r == -EBADMSG)
    file_renew(s);
  return r;
}

static int batch_write(struct store *s, struct list *batch) {
  uint64_t wall_ms = clock_wall_ms();
  if (file_open(s) < 0)
    return -EIO;
  db_spool(s->db, atomic_load(&s->spools), atomic_load(&s->spools_live));
  int r = db_begin(s->db);
  LIST_EACH(batch, node) {
    const struct item *i = CONTAINER_OF(node, struct item, node);
    if (r == 0 && !i->is_old)
      r = db_put(s->db, &i->record, wall_ms);
  }
  if (r == 0)
    r = db_commit(s->db);
  if (r < 0)
    failure_note(s);
  return r;
}

static void well_set(struct store *s, bool ok) {
  if (atomic_exchange(&s->well, ok) == ok)
    return;
  if (ok)
    log_info(app, "records are written again");
  else
    log_error(app, "records cannot be written: %s: they wait in memory", store_why(s));
}

/* False when the disk refuses. */
static bool queue_write(struct store *s, bool is_last) {
  struct list batch;
  list_init(&batch);
  size_t n = batch_take(s, &batch, is_last);
  if (!n)
    return true;
  batch_thin(&batch, n);
  bool ok = batch_write(s, &batch) == 0;
  if (ok)
    batch_done(s, &batch, n);
  else
    batch_return(s, &batch);
  well_set(s, ok);
  return ok;
}

/* A few hundred at a time, records that wait in between; true: there is more to take. */
static bool old_purge(struct store *s) {
  uint64_t now_us = clock_now_us(), wall_ms = clock_wall_ms();
  uint64_t keep_ms = atomic_load(&s->keep_ms), keep_bytes = atomic_load(&s->keep_bytes);
  int by_age = 0, by_size = 0;
  if (now_us < s->purge_us)
    return false;
  if (keep_ms && wall_ms > keep_ms)
    by_age = db_purge(s->db, wall_ms - keep_ms);
  if (keep_bytes && by_age >= 0)
    by_size = db_shrink(s->db, keep_bytes);
  if (by_age < 0 || by_size < 0) {
    count_one(&s->counts, STORE_FAILED);
    failure_note(s);
  } else
    count_add(&s->counts, STORE_EXPIRED, (uint64_t)(by_age + by_size));
  bool more = by_age > 0 || by_size > 0;
  reserve_make(s->file);
  s->purge_us = more ? 0 : now_us + PURGE_US;
  return more;
}

void store_keep(struct store *s, uint64_t keep_ms, uint64_t keep_bytes) {
  atomic_store(&s->keep_ms, keep_ms);
  atomic_store(&s->keep_bytes, keep_bytes);
  atomic_store(&s->purge_us, 0);
  uint64_t one = 1;
  (void)!write(s->wake_fd, &one, sizeof(one));
}

void store_spool(struct store *s, bool spool, bool interim) {
  atomic_store(&s->spools, spool);
  atomic_store(&s->spools_live, interim);
}

static bool is_stopping(struct store *s) {
  pthread_mutex_lock(&s->lock);
  bool yes = s->stopping;
  pthread_mutex_unlock(&s->lock);
  return yes;
}

/* Rows that grow are looked at every second. */
static int rest_ms(struct store *s) {
  pthread_mutex_lock(&s->lock);
  bool grows = gather_has(s->gather);
  pthread_mutex_unlock(&s->lock);
  return grows ? GROWS_MS : 60000;
}

static void *writer_run(void *arg) {
  struct store *s = arg;
  bool ok = true, more = false;
  int tries = 0;
  while (!is_stopping(s) || (!ok && tries++ < STOP_TRIES)) {
    uint64_t n;
    struct pollfd p = {s->wake_fd, POLLIN, 0};
    if (ok && !more)
      (void)poll(&p, 1, rest_ms(s));
    (void)!read(s->wake_fd, &n, sizeof(n));
    (void)poll(NULL, 0, (int)(ok ? s->commit_ms : s->retry_ms));
    ok = queue_write(s, false);
    more = ok && old_purge(s);
  }
  (void)queue_write(s, true);
  return NULL;
}

static int writer_start(struct store *s) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int r = pthread_create(&s->writer, NULL, writer_run, s);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  s->writer_on = r == 0;
  return -r;
}

static int begin(struct store *s) {
  int r = db_open(&s->db, s->file);
  if (r < 0)
    return r;
  db_spool(s->db, atomic_load(&s->spools), atomic_load(&s->spools_live));
  r = db_close_live(s->db);
  return r == -EIO && db_is_broken(s->db) ? -EBADMSG : r;
}

/* Calls do not wait for somebody who mends a file of the past. */
static int begin_anyway(struct store *s) {
  int r = begin(s);
  if (r != -EBADMSG)
    return r;
  file_renew(s);
  return begin(s);
}

int store_new(struct store **ret_store, const struct store_settings *set) {
  own(store) s = calloc(1, sizeof(*s));
  if (!s)
    return -ENOMEM;
  pthread_mutex_init(&s->lock, NULL);
  list_init(&s->queue);
  list_init(&s->refused);
  s->file = strdup(set->file);
  if (!s->file)
    return -ENOMEM;
  const struct gather_limits limits = {
      .alone = set->refused_alone ? set->refused_alone : 20,
      .alone_known = set->refused_alone ? set->refused_alone : 600,
      .strangers_all = set->strangers_all ? set->strangers_all : 300,
      .window_ms = set->refused_window_ms ? set->refused_window_ms : 60000,
      .write_ms = set->refused_write_ms ? set->refused_write_ms : 10000,
      .rows_max = GATHER_ROWS};
  if (gather_new(&s->gather, &limits) < 0)
    return -ENOMEM;
  s->queue_max = set->queue_max ? set->queue_max : 4096;
  s->commit_ms = set->commit_ms ? set->commit_ms : 50;
  s->retry_ms = set->retry_ms ? set->retry_ms : 1000;
  s->counts = (struct counts){count_rows, STORE_COUNT_, s->values};
  atomic_store(&s->well, true);
  s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (s->wake_fd < 0)
    return -errno;
  store_keep(s, set->keep_ms, set->keep_bytes);
  store_spool(s, set->spool, set->spool_interim);
  int r = begin_anyway(s);
  if (r == 0)
    r = writer_start(s);
  if (r == 0)
    *ret_store = take(s);
  return r;
}

struct store *store_free(struct store *s) {
  if (!s)
    return NULL;
  if (s->writer_on) {
    uint64_t one = 1;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_mutex_unlock(&s->lock);
    (void)!write(s->wake_fd, &one, sizeof(one));
    pthread_join(s->writer, NULL);
  }
  if (s->refused.next)
    (void)all_move(&s->refused, &s->queue);
  LIST_EACH_SAFE(&s->queue, node)
    free(CONTAINER_OF(node, struct item, node));
  gather_free(s->gather);
  db_free(s->db);
  if (s->wake_fd > 0)
    close(s->wake_fd);
  pthread_mutex_destroy(&s->lock);
  free(s->file);
  free(s);
  return NULL;
}

int store_flush(struct store *s, unsigned timeout_ms) {
  bool done = false;
  pthread_mutex_lock(&s->lock);
  uint64_t want = s->put_n;
  pthread_mutex_unlock(&s->lock);
  for (unsigned ms = 0; !done && ms <= timeout_ms; ms += 5) {
    pthread_mutex_lock(&s->lock);
    done = s->settled_n >= want;
    pthread_mutex_unlock(&s->lock);
    if (!done)
      (void)poll(NULL, 0, 5);
  }
  return done ? 0 : -ETIMEDOUT;
}

bool store_is_well(const struct store *s) { return atomic_load(&s->well); }
bool store_is_renewed(const struct store *s) { return atomic_load(&s->renewed); }

const char *store_why(const struct store *s) {
  const char *why = atomic_load(&s->why);
  return why ? why : "";
}

struct counts *store_counts(struct store *s) {
  return &s->counts;
}
