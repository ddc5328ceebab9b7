/* SPDX-License-Identifier: Apache-2.0
 * The writer and reader of timelines: see tracebook.h. Jobs wait in one queue, in order; those of a turn
 * are one transaction. A disk that refuses loses timelines, never calls. */
#include "store/tracebook.h"

#include "base/clock.h"
#include "base/list.h"
#include "store/aside.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

enum { TURN_MS = 100, QUEUE_BYTES = 32 << 20, ASKS_MAX = 256, ID_BYTES = 40 };
#define PURGE_US 60000000ULL

enum job_kind { JOB_PUT, JOB_DROP, JOB_ERASE, JOB_ASK };
struct job {
  struct list node;
  enum job_kind kind;
  char id[ID_BYTES];
  uint32_t part;
  bool is_last;
  uint64_t started_ms, cookie;
  size_t n;
  char blob[];
};

struct answer {
  struct list node;
  struct tracebook_answer a;
  char *bytes; /* bytes holds all parts. */
};

enum book_count { BOOK_WRITTEN, BOOK_LOST, BOOK_FAILED, BOOK_BYTES, BOOK_COUNTS_ };
static const struct count_row count_rows[BOOK_COUNTS_] = {
    [BOOK_WRITTEN] = {"sallyport_timeline_parts_written_total", "", "Parts of timelines on the disk",
                      COUNT_COUNTER},
    [BOOK_LOST] = {"sallyport_timeline_parts_lost_total", "",
                   "Parts given up, because too many waited or the disk refused", COUNT_COUNTER},
    [BOOK_FAILED] = {"sallyport_timeline_commit_failures_total", "",
                     "Writes of timelines that the disk refused", COUNT_COUNTER},
    [BOOK_BYTES] = {"sallyport_timeline_disk_bytes", "", "Bytes of the timelines on the disk",
                    COUNT_GAUGE},
};

struct tracebook {
  struct tracebook_settings set;
  sqlite3 *sql;
  sqlite3_stmt *put, *drop, *get;
  pthread_mutex_t lock;
  struct list jobs, answers; /* lock */
  struct list found; /* found are answers of a batch that is not committed yet (its thread). */
  size_t waiting_bytes;      /* lock */
  unsigned n_asks;           /* lock: asked and not yet told */
  bool stopping;             /* lock */
  bool is_erasing;           /* is_erasing: the log has bytes still that must go. */
  int wake_fd, ask_fd; /* ask_fd: somebody waits for an answer, what is to be written need not gather. */
  struct watch watch; /* watch is of the answers' eventfd. */
  struct loop *loop;
  tracebook_fn *fn;
  void *arg;
  pthread_t thread;
  bool is_on;
  uint64_t purge_us, disk_bytes;
  struct counts counts;
  _Atomic uint64_t values[BOOK_COUNTS_];
};

static void ring_bell(int fd) {
  uint64_t one = 1;
  (void)!write(fd, &one, sizeof(one));
}

/* Whoever gives jobs ------------------------------------------------------------------------------- */

/* Once it is in the list and the lock is open, the job is the thread's, which may have freed it. */
static int job_add(struct tracebook *b, struct job *j) {
  bool is_ask = j->kind == JOB_ASK, is_must = j->kind == JOB_DROP || j->kind == JOB_ERASE;
  pthread_mutex_lock(&b->lock);
  bool has_room = is_must || (b->waiting_bytes + j->n <= b->set.queue_bytes &&
                              (!is_ask || b->n_asks < ASKS_MAX));
  if (has_room) {
    list_add_tail(&b->jobs, &j->node);
    b->waiting_bytes += j->n;
    b->n_asks += is_ask;
  }
  pthread_mutex_unlock(&b->lock);
  if (has_room && is_ask)
    ring_bell(b->ask_fd);
  if (has_room)
    ring_bell(b->wake_fd);
  return has_room ? 0 : -EAGAIN;
}

static struct job *job_new(enum job_kind kind, const char *id, struct slice blob) {
  struct job *j = calloc(1, sizeof(*j) + blob.n);
  if (!j || slice_copy(j->id, sizeof(j->id), slice_of(id)) < 0) {
    free(j);
    return NULL;
  }
  j->kind = kind;
  j->n = blob.n;
  if (blob.n)
    memcpy(j->blob, blob.p, blob.n);
  return j;
}

static void job_free(struct job *j) {
  explicit_bzero(j->blob, j->n);
  free(j);
}

int tracebook_put(struct tracebook *b, const char *call_id, uint32_t part, bool is_last,
                  uint64_t started_ms, struct slice blob) {
  struct job *j = job_new(JOB_PUT, call_id, blob);
  if (j) {
    j->part = part;
    j->is_last = is_last;
    j->started_ms = started_ms;
    if (job_add(b, j) == 0)
      return 0;
    job_free(j);
  }
  count_one(&b->counts, BOOK_LOST);
  return -EAGAIN;
}

static void end_add(struct tracebook *b, enum job_kind kind, const char *call_id) {
  struct job *j = job_new(kind, call_id, slice_from(NULL, 0));
  if (j && job_add(b, j) < 0)
    job_free(j);
}

void tracebook_drop(struct tracebook *b, const char *call_id) { end_add(b, JOB_DROP, call_id); }
void tracebook_erase(struct tracebook *b, const char *call_id) { end_add(b, JOB_ERASE, call_id); }

int tracebook_ask(struct tracebook *b, const char *call_id, uint64_t cookie) {
  struct job *j = job_new(JOB_ASK, call_id, slice_from(NULL, 0));
  if (!j)
    return -EAGAIN;
  j->cookie = cookie;
  int r = job_add(b, j);
  if (r < 0)
    job_free(j);
  return r;
}

/* The thread --------------------------------------------------------------------------------------- */

static bool is_done(sqlite3_stmt *st, int bad) {
  int step = bad ? SQLITE_ERROR : sqlite3_step(st);
  sqlite3_reset(st);
  sqlite3_clear_bindings(st);
  return step == SQLITE_DONE;
}

static bool put_run(struct tracebook *b, const struct job *j) {
  int bad = sqlite3_bind_text(b->put, 1, j->id, -1, SQLITE_STATIC);
  bad |= sqlite3_bind_int64(b->put, 2, j->part) | sqlite3_bind_int64(b->put, 3, (int64_t)j->started_ms);
  bad |= sqlite3_bind_int(b->put, 4, j->is_last);
  bad |= sqlite3_bind_blob(b->put, 5, j->blob, (int)j->n, SQLITE_STATIC);
  bool ok = is_done(b->put, bad);
  if (ok)
    b->disk_bytes += j->n;
  count_one(&b->counts, ok ? BOOK_WRITTEN : BOOK_LOST);
  return ok;
}

static bool drop_run(struct tracebook *b, const struct job *j) {
  return is_done(b->drop, sqlite3_bind_text(b->drop, 1, j->id, -1, SQLITE_STATIC));
}

static bool erase_run(struct tracebook *b, const struct job *j) {
  b->is_erasing = true;
  return drop_run(b, j);
}

/* One more row; its bytes go behind those of the rows before. */
static int row_take(sqlite3_stmt *st, struct answer *w, size_t *at) {
  size_t n = (size_t)sqlite3_column_bytes(st, 2);
  char *more = realloc(w->bytes, *at + n + 1);
  if (!more)
    return -ENOMEM;
  w->bytes = more;
  if (n)
    memcpy(more + *at, sqlite3_column_blob(st, 2), n);
  w->a.part[w->a.n] = (uint32_t)sqlite3_column_int64(st, 0);
  w->a.is_whole |= sqlite3_column_int(st, 1) != 0;
  w->a.blob[w->a.n++] = slice_from(NULL, n);
  *at += n;
  return 0;
}

static bool ask_run(struct tracebook *b, const struct job *j) {
  struct answer *w = calloc(1, sizeof(*w));
  size_t at = 0;
  if (!w)
    return false;
  w->a.cookie = j->cookie;
  int bad = sqlite3_bind_text(b->get, 1, j->id, -1, SQLITE_STATIC);
  while (!bad && w->a.n < TRACEBOOK_PARTS_MAX && sqlite3_step(b->get) == SQLITE_ROW)
    bad = row_take(b->get, w, &at);
  sqlite3_reset(b->get);
  at = 0;
  for (size_t i = 0; i < w->a.n; i++) {
    w->a.blob[i].p = w->bytes + at;
    at += w->a.blob[i].n;
  }
  list_add_tail(&b->found, &w->node);
  return true;
}

/* Once what was asked about is on the disk. */
static void answers_tell(struct tracebook *b) {
  if (list_is_empty(&b->found))
    return;
  pthread_mutex_lock(&b->lock);
  LIST_EACH_SAFE(&b->found, node) {
    list_del(node);
    list_add_tail(&b->answers, node);
  }
  pthread_mutex_unlock(&b->lock);
  ring_bell(b->watch.fd);
}

static size_t jobs_take(struct tracebook *b, struct list *batch, bool *ret_stopping) {
  size_t n = 0;
  list_init(batch);
  pthread_mutex_lock(&b->lock);
  while (!list_is_empty(&b->jobs)) {
    struct list *node = b->jobs.next;
    list_del(node);
    list_add_tail(batch, node);
    n++;
  }
  b->waiting_bytes = 0;
  *ret_stopping = b->stopping;
  pthread_mutex_unlock(&b->lock);
  return n;
}

static bool run_sql(struct tracebook *b, const char *sql) {
  return sqlite3_exec(b->sql, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static void batch_run(struct tracebook *b, struct list *batch) {
  static bool (*const rows[])(struct tracebook *, const struct job *) = {
      [JOB_PUT] = put_run, [JOB_DROP] = drop_run, [JOB_ERASE] = erase_run, [JOB_ASK] = ask_run};
  bool ok = run_sql(b, "BEGIN IMMEDIATE");
  LIST_EACH_SAFE(batch, node) {
    struct job *j = CONTAINER_OF(node, struct job, node);
    ok &= rows[j->kind](b, j);
    list_del(&j->node);
    job_free(j);
  }
  ok &= run_sql(b, "COMMIT");
  if (!ok)
    count_one(&b->counts, BOOK_FAILED);
  if (!sqlite3_get_autocommit(b->sql))
    (void)run_sql(b, "ROLLBACK");
  answers_tell(b);
}

static int64_t number_of(struct tracebook *b, const char *sql) {
  sqlite3_stmt *st = NULL;
  int64_t v = 0;
  if (sqlite3_prepare_v2(b->sql, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
    v = sqlite3_column_int64(st, 0);
  sqlite3_finalize(st);
  return v;
}

/* The log folded into the file and emptied; this connection is the only one. */
static void log_fold(struct tracebook *b) {
  if (b->is_erasing && number_of(b, "PRAGMA wal_checkpoint(TRUNCATE)") == 0)
    b->is_erasing = false;
}

/* Too old, or too much: the oldest thousand at a time. */
static void old_purge(struct tracebook *b) {
  uint64_t now_us = clock_now_us(), wall_ms = clock_wall_ms();
  char sql[160];
  bool is_full = b->set.max_bytes && b->disk_bytes > b->set.max_bytes;
  if (!is_full && now_us < b->purge_us)
    return;
  b->purge_us = now_us + PURGE_US;
  if (b->set.keep_ms && wall_ms > b->set.keep_ms) {
    snprintf(sql, sizeof(sql),
             "DELETE FROM parts WHERE id IN (SELECT id FROM parts WHERE started_ms<%lld LIMIT 1000)",
             (long long)(wall_ms - b->set.keep_ms));
    (void)run_sql(b, sql);
  }
  b->disk_bytes = (uint64_t)number_of(b, "SELECT coalesce(sum(length(bytes)),0) FROM parts");
  if (b->set.max_bytes && b->disk_bytes > b->set.max_bytes) {
    (void)run_sql(b, "DELETE FROM parts WHERE id IN (SELECT id FROM parts ORDER BY id LIMIT 1000)");
    b->disk_bytes = (uint64_t)number_of(b, "SELECT coalesce(sum(length(bytes)),0) FROM parts");
  }
  (void)run_sql(b, "PRAGMA incremental_vacuum(2000)");
  count_set(&b->counts, BOOK_BYTES, b->disk_bytes);
}

static void *thread_run(void *arg) {
  struct tracebook *b = arg;
  bool stopping = false;
  while (!stopping) {
    struct pollfd p = {b->wake_fd, POLLIN, 0}, asked = {b->ask_fd, POLLIN, 0};
    struct list batch;
    uint64_t n;
    (void)poll(&p, 1, 60000);
    (void)poll(&asked, 1, TURN_MS);
    (void)!read(b->wake_fd, &n, sizeof(n));
    (void)!read(b->ask_fd, &n, sizeof(n));
    if (jobs_take(b, &batch, &stopping))
      batch_run(b, &batch);
    log_fold(b);
    if (!stopping)
      old_purge(b);
  }
  return NULL;
}

/* The owner's side --------------------------------------------------------------------------------- */

static void on_answers(void *arg, uint32_t events) {
  struct tracebook *b = arg;
  uint64_t n;
  (void)events;
  (void)!read(b->watch.fd, &n, sizeof(n));
  for (;;) {
    struct answer *w = NULL;
    pthread_mutex_lock(&b->lock);
    if (!list_is_empty(&b->answers)) {
      w = CONTAINER_OF(b->answers.next, struct answer, node);
      list_del(&w->node);
      b->n_asks--;
    }
    pthread_mutex_unlock(&b->lock);
    if (!w)
      return;
    b->fn(b->arg, &w->a);
    free(w->bytes);
    free(w);
  }
}

int tracebook_attach(struct tracebook *b, struct loop *l, tracebook_fn *fn, void *arg) {
  b->fn = fn;
  b->arg = arg;
  b->watch.fn = on_answers;
  b->watch.arg = b;
  int r = loop_watch(l, &b->watch, EPOLLIN);
  if (r == 0)
    b->loop = l;
  return r;
}

static int file_open(struct tracebook *b) {
  struct stat st;
  own_fd fd = open(b->set.file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 || fstat(fd, &st) < 0)
    return -errno;
  if (!S_ISREG(st.st_mode) || (st.st_mode & 022))
    return -EPERM;
  if (sqlite3_open_v2(b->set.file, &b->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
      SQLITE_OK)
    return -EIO;
  sqlite3_busy_timeout(b->sql, 1000);
  return run_sql(b, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                    "PRAGMA trusted_schema=OFF; PRAGMA journal_size_limit=16777216; PRAGMA secure_delete=ON;"
                    "CREATE TABLE IF NOT EXISTS parts (id INTEGER PRIMARY KEY, call_id TEXT NOT NULL,"
                    "part INTEGER NOT NULL, started_ms INTEGER NOT NULL, is_last INTEGER NOT NULL,"
                    "bytes BLOB NOT NULL, UNIQUE (call_id, part));"
                    "CREATE INDEX IF NOT EXISTS parts_started ON parts (started_ms);"
                    "PRAGMA user_version=1;")
             ? 0
             : -EIO;
}

/* Timelines of the past are nothing that calls should wait for. */
static int file_renew(struct tracebook *b) {
  int code = sqlite3_errcode(b->sql);
  if (code != SQLITE_CORRUPT && code != SQLITE_NOTADB)
    return -EIO;
  sqlite3_close(b->sql);
  b->sql = NULL;
  int r = aside_put(b->set.file);
  return r == 0 ? file_open(b) : r;
}

static int statements_make(struct tracebook *b) {
  static const char put[] = "INSERT OR REPLACE INTO parts (call_id, part, started_ms, is_last, bytes) "
                            "VALUES (?1,?2,?3,?4,?5)",
                    drop[] = "DELETE FROM parts WHERE call_id=?1",
                    get[] = "SELECT part, is_last, bytes FROM parts WHERE call_id=?1 ORDER BY part";
  bool ok = sqlite3_prepare_v2(b->sql, put, -1, &b->put, NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(b->sql, drop, -1, &b->drop, NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(b->sql, get, -1, &b->get, NULL) == SQLITE_OK;
  return ok ? 0 : -EIO;
}

static int thread_start(struct tracebook *b) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int r = pthread_create(&b->thread, NULL, thread_run, b);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  b->is_on = r == 0;
  return -r;
}

int tracebook_new(struct tracebook **ret, const struct tracebook_settings *s) {
  own(tracebook) b = calloc(1, sizeof(*b));
  if (!b)
    return -ENOMEM;
  b->set = *s;
  b->set.queue_bytes = s->queue_bytes ? s->queue_bytes : QUEUE_BYTES;
  b->counts = (struct counts){count_rows, BOOK_COUNTS_, b->values};
  pthread_mutex_init(&b->lock, NULL);
  list_init(&b->jobs);
  list_init(&b->answers);
  list_init(&b->found);
  b->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  b->ask_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  b->watch.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (b->wake_fd < 0 || b->ask_fd < 0 || b->watch.fd < 0)
    return -errno;
  int r = file_open(b);
  if (r == -EIO && b->sql)
    r = file_renew(b);
  if (r == 0)
    r = statements_make(b);
  b->set.file = NULL; /* the caller's */
  if (r == 0)
    r = thread_start(b);
  if (r == 0)
    *ret = take(b);
  return r;
}

static void thread_stop(struct tracebook *b) {
  pthread_mutex_lock(&b->lock);
  b->stopping = true;
  pthread_mutex_unlock(&b->lock);
  ring_bell(b->wake_fd);
  pthread_join(b->thread, NULL);
}

struct tracebook *tracebook_free(struct tracebook *b) {
  if (!b)
    return NULL;
  if (b->is_on)
    thread_stop(b);
  if (b->loop)
    loop_unwatch(b->loop, &b->watch);
  LIST_EACH_SAFE(&b->jobs, node)
    job_free(CONTAINER_OF(node, struct job, node));
  LIST_EACH_SAFE(&b->answers, node) {
    struct answer *w = CONTAINER_OF(node, struct answer, node);
    free(w->bytes);
    free(w);
  }
  sqlite3_finalize(b->put);
  sqlite3_finalize(b->drop);
  sqlite3_finalize(b->get);
  sqlite3_close(b->sql);
  if (b->wake_fd > 0)
    close(b->wake_fd);
  if (b->ask_fd > 0)
    close(b->ask_fd);
  if (b->watch.fd > 0)
    close(b->watch.fd);
  pthread_mutex_destroy(&b->lock);
  free(b);
  return NULL;
}

struct counts *tracebook_counts(struct tracebook *b) {
  return &b->counts;
}
