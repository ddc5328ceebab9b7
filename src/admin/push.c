/* SPDX-License-Identifier: Apache-2.0
 * Sends records to a receiver: see push.h. Thread: push. */
#include "admin/push.h"

#include "admin/show.h"
#include "base/clock.h"
#include "base/hmac.h"
#include "base/keyfile.h"
#include "base/log.h"
#include "base/rand.h"

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>

#define IDLE_MS 60000        /* without a receiver */
#define LOOK_MS 250          /* how often it looks for records that wait */
#define LIMIT_US 10000000u   /* how often for those that waited too long */
#define BACK_OFF_MIN_MS 500u /* doubled with each failure */
#define BACK_OFF_MAX_MS 300000u
#define ANSWER_BYTES_MAX 65536
#define HOUR_MS UINT64_C(3600000)
#define BATCH_MAX 500
#define GROWS_AFTER 32     /* batches that it took, before it is tried with more */
#define BEHIND_MS 60000u   /* a receiver that is away so long, is an alarm */
#define WAITED_MS 300000u  /* so is a record that waits so long */
#define LOST_US 300000000u /* what was given up is one at least so long */

enum push_count {
  PUSH_DELIVERED,
  PUSH_GIVEN_UP,
  PUSH_OK,
  PUSH_REFUSED,
  PUSH_UNREACHABLE,
  PUSH_WAITING,
  PUSH_COUNT_
};

static const struct count_row rows[PUSH_COUNT_] = {
    [PUSH_DELIVERED] = {"sallyport_push_records_total", "result=\"delivered\"",
                        "Records that were sent, or given up because they waited too long.",
                        COUNT_COUNTER},
    [PUSH_GIVEN_UP] = {"sallyport_push_records_total", "result=\"given_up\"", "", COUNT_COUNTER},
    [PUSH_OK] = {"sallyport_push_requests_total", "result=\"ok\"",
                 "Requests to the receiver of records, by what became of them.", COUNT_COUNTER},
    [PUSH_REFUSED] = {"sallyport_push_requests_total", "result=\"refused\"", "", COUNT_COUNTER},
    [PUSH_UNREACHABLE] = {"sallyport_push_requests_total", "result=\"unreachable\"", "", COUNT_COUNTER},
    [PUSH_WAITING] = {"sallyport_push_waiting", "", "Records that wait for the receiver.", COUNT_GAUGE},
};

/* Where to, as the configuration has it. */
struct target {
  char url[501], secret_file[256], ca[256];
  unsigned batch, back_off_min_ms, behind_ms;
  uint64_t keep_ms, keep_records;
};

struct push {
  struct target to;
  pthread_mutex_t lock; /* for next */
  struct target next;
  bool has_next; /* has_next: the settings changed. */
  char secret[257];
  size_t secret_bytes; /* 0: it cannot be read, nothing is sent. */
  struct spool *spool;
  struct reader *reader;
  CURL *curl;
  pthread_t thread;
  bool thread_on, is_down; /* is_down: the last request failed, and that was told. */
  _Atomic bool stopping;
  int wake_fd;
  unsigned back_off_ms;
  unsigned fits;   /* fits is how many records the receiver may take at once: fewer where it choked; 0:
                      to.batch */
  unsigned fit_n;  /* fit_n counts batches of that size that it took. */
  char choked[40]; /* choked is the record that it refuses alone, "" none (lock). */
  /* For the alarm, any thread: since when nothing is taken (0: it is), when the last was given up, and
   * when the oldest that waits was put (wall clock; 0: none). */
  _Atomic uint64_t down_us, lost_us, oldest_ms;
  _Atomic bool has_url;
  uint64_t limit_us;
  struct spool_item items[BATCH_MAX];
  struct record record;
  _Atomic uint64_t values[PUSH_COUNT_];
  struct counts counts;
};

struct counts *push_counts(struct push *p) {
  return &p->counts;
}

/* Its length into *ret_n. */
static int secret_read(char dst[257], const char *file, size_t *ret_n) {
  size_t n;
  *ret_n = 0;
  int r = keyfile_read(file, 0, dst, 257, &n);
  if (r < 0)
    return r;
  *ret_n = slice_trim(slice_from(dst, n)).n;
  if (*ret_n >= 20)
    return 0;
  *ret_n = 0;
  return -EINVAL;
}

/* Sleeps; at once back when it ends. */
static void rest(struct push *p, unsigned ms) {
  struct pollfd f = {p->wake_fd, POLLIN, 0};
  (void)poll(&f, 1, (int)ms);
}

/* How the receiver knows it again: never given to another event, the same each time that it is sent. */
static json_t *event_json(const struct spool_item *i, const struct record *r) {
  char event[72];
  snprintf(event, sizeof(event), "%llu-%s", (unsigned long long)i->seq, i->id);
  return json_pack("{s:s, s:o}", "event", event, "record", show_record(r));
}

/* The body of a request; records that are gone meanwhile (age, size) are passed over. NULL: try later.
 */
static char *body_make(struct push *p, int n, uint64_t *ret_gone) {
  json_t *list = json_array();
  int r = 0;
  *ret_gone = 0;
  for (int i = 0; i < n && (r == 0 || r == -ENOENT); i++) {
    r = reader_get(p->reader, p->items[i].id, &p->record);
    *ret_gone += r == -ENOENT;
    if (r == 0)
      json_array_append_new(list, event_json(&p->items[i], &p->record));
  }
  json_t *doc = json_pack("{s:i, s:o}", "version", 1, "events", list);
  char *body = r == 0 || r == -ENOENT ? json_dumps(doc, JSON_COMPACT) : NULL;
  json_decref(doc);
  return body;
}

static size_t on_answer(char *bytes, size_t one, size_t n, void *arg) {
  size_t *got = arg;
  (void)bytes;
  *got += one * n;
  return *got > ANSWER_BYTES_MAX ? 0 : one * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
  struct push *p = arg;
  (void)a;
  (void)b;
  (void)c;
  (void)d;
  return atomic_load(&p->stopping);
}

/* "Sallyport-Signature: t=1767225600,v1=<hex of HMAC-SHA256 over "1767225600." and the body>" */
static struct curl_slist *headers_make(struct push *p, const char *body) {
  uint8_t mac[HMAC_SHA256_BYTES];
  char line[160];
  char *text = NULL;
  unsigned long long t = clock_wall_ms() / 1000u;
  int n = asprintf(&text, "%llu.%s", t, body);
  if (n < 0)
    return NULL;
  hmac_sha256(slice_from(p->secret, p->secret_bytes), slice_from(text, (size_t)n), mac);
  free(text);
  int at = snprintf(line, sizeof(line), "Sallyport-Signature: t=%llu,v1=", t);
  for (size_t i = 0; i < sizeof(mac); i++)
    at += snprintf(line + at, sizeof(line) - (size_t)at, "%02x", mac[i]);
  struct curl_slist *list = curl_slist_append(NULL, line);
  struct curl_slist *more = list ? curl_slist_append(list, "Content-Type: application/json") : NULL;
  return more ? curl_slist_append(more, "Expect:") : NULL;
}

static void request_set(struct push *p, const char *body, size_t *got) {
  CURL *e = p->curl;
  curl_easy_setopt(e, CURLOPT_URL, p->to.url);
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
  curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, 30000L);
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* a name server that is silent holds up no end */
  curl_easy_setopt(e, CURLOPT_PROXY, "");
  curl_easy_setopt(e, CURLOPT_NETRC, 0L);
  curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L); /* each connection looks at the certificate of now */
  curl_easy_setopt(e, CURLOPT_USERAGENT, "sallyport");
  curl_easy_setopt(e, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, got);
  curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(e, CURLOPT_XFERINFODATA, p);
  curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
  if (p->to.ca[0])
    curl_easy_setopt(e, CURLOPT_CAINFO, p->to.ca);
}

/* From now on, if it was not so before. */
static void down_note(struct push *p) {
  if (!atomic_load(&p->down_us))
    atomic_store(&p->down_us, clock_now_us());
}

static void failure_tell(struct push *p, CURLcode code, long status) {
  down_note(p);
  if (p->is_down)
    return;
  if (code == CURLE_OK)
    log_warn(admin, "records.push: the receiver answers %ld: records wait", status);
  else
    log_warn(admin, "records.push: %s: records wait", curl_easy_strerror(code));
  p->is_down = true;
}

static void choked_set(struct push *p, const char *id) {
  pthread_mutex_lock(&p->lock);
  snprintf(p->choked, sizeof(p->choked), "%s", id);
  pthread_mutex_unlock(&p->lock);
}

/* One record may be what it cannot take, or all are too much: half as many next time, until it is alone.
 */
static void batch_halve(struct push *p, int n, long status) {
  if (n > 1) {
    p->fits = (unsigned)n / 2;
    p->fit_n = 0;
    p->back_off_ms = 0;
    return;
  }
  if (strcmp(p->choked, p->items[0].id) != 0)
    log_error(admin, "records.push: the receiver answers %ld to record %s alone: all wait behind it",
              status, p->items[0].id);
  choked_set(p, p->items[0].id);
}

static void batch_grow(struct push *p) {
  if (!p->fits || ++p->fit_n < GROWS_AFTER)
    return;
  p->fit_n = 0;
  p->fits = p->fits < p->to.batch / 2 ? p->fits * 2 : 0;
}

static bool is_choking(CURLcode code, long status) {
  return code == CURLE_OPERATION_TIMEDOUT ||
         (code == CURLE_OK && (status == 400 || status == 413 || status == 422));
}

/* True: the receiver has them. */
static bool request_send(struct push *p, const char *body, int n) {
  size_t got = 0;
  long status = 0;
  curl_off_t after_s = 0;
  struct curl_slist *headers = headers_make(p, body);
  if (!headers)
    return false;
  request_set(p, body, &got);
  curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, headers);
  CURLcode code = curl_easy_perform(p->curl);
  if (code == CURLE_OK) {
    curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(p->curl, CURLINFO_RETRY_AFTER, &after_s);
  }
  curl_slist_free_all(headers);
  if (code == CURLE_OK && status / 100 == 2) {
    count_one(&p->counts, PUSH_OK);
    return true;
  }
  if (after_s > 0 && (uint64_t)after_s * 1000u > p->back_off_ms)
    p->back_off_ms = after_s > BACK_OFF_MAX_MS / 1000u ? BACK_OFF_MAX_MS : (unsigned)after_s * 1000u;
  if (atomic_load(&p->stopping))
    return false;
  count_one(&p->counts, code == CURLE_OK ? PUSH_REFUSED : PUSH_UNREACHABLE);
  if (is_choking(code, status) && (n > 1 || code == CURLE_OK))
    batch_halve(p, n, status);
  if (n == 1 || !is_choking(code, status) || code != CURLE_OK)
    failure_tell(p, code, status);
  return false;
}

/* One in five more or less, so that several gateways do not come at once. */
static void back_off(struct push *p) {
  unsigned ms = p->back_off_ms ? p->back_off_ms : p->to.back_off_min_ms;
  rest(p, ms - ms / 5 + rand_below(ms * 2 / 5 + 1));
  p->back_off_ms = ms * 2 < BACK_OFF_MAX_MS ? ms * 2 : BACK_OFF_MAX_MS;
}

/* Age or size took them out of the records before the receiver came. */
static void gone_tell(struct push *p, uint64_t gone) {
  if (!gone)
    return;
  count_add(&p->counts, PUSH_GIVEN_UP, gone);
  atomic_store(&p->lost_us, clock_now_us());
  log_error(admin, "records.push: %llu records were deleted by age or size before they were taken",
            (unsigned long long)gone);
}

static void batch_done(struct push *p, int n, uint64_t gone) {
  while (spool_done(p->spool, p->items[n - 1].seq) < 0 && !atomic_load(&p->stopping))
    rest(p, BACK_OFF_MIN_MS); /* sent again, if we end now: by the same ids */
  count_add(&p->counts, PUSH_DELIVERED, (uint64_t)n - gone);
  gone_tell(p, gone);
  p->back_off_ms = 0;
  batch_grow(p);
  choked_set(p, "");
  if (p->is_down)
    log_info(admin, "records.push: the receiver takes records again");
  p->is_down = false;
  atomic_store(&p->down_us, 0);
}

/* False: nothing waits. */
static bool batch_send(struct push *p) {
  int n = p->to.url[0] && p->secret_bytes
              ? spool_next(p->spool, p->items, p->fits ? p->fits : p->to.batch)
              : 0;
  atomic_store(&p->oldest_ms, n > 0 ? p->items[0].at_ms : 0);
  if (n <= 0)
    return false;
  uint64_t gone;
  char *body = body_make(p, n, &gone);
  if (body && (gone == (uint64_t)n || request_send(p, body, n)))
    batch_done(p, n, gone);
  else
    back_off(p);
  free(body);
  return true;
}

static void limits_hold(struct push *p) {
  uint64_t now_us = clock_now_us(), wall_ms = clock_wall_ms();
  int64_t n = spool_count(p->spool);
  if (n >= 0)
    count_set(&p->counts, PUSH_WAITING, (uint64_t)n);
  if (now_us < p->limit_us)
    return;
  p->limit_us = now_us + LIMIT_US;
  int64_t lost =
      spool_limit(p->spool, wall_ms > p->to.keep_ms ? wall_ms - p->to.keep_ms : 0, p->to.keep_records);
  if (lost > 0) {
    count_add(&p->counts, PUSH_GIVEN_UP, (uint64_t)lost);
    atomic_store(&p->lost_us, now_us);
    log_error(admin, "records.push: %lld records waited too long or were too many: given up",
              (long long)lost);
  }
}

/* Other settings from now on: nothing that waits is lost, the next request goes to the new receiver. */
static void next_take(struct push *p) {
  char was[sizeof(p->to.secret_file)], secret[sizeof(p->secret)] = "";
  size_t n = 0;
  memcpy(was, p->to.secret_file, sizeof(was));
  pthread_mutex_lock(&p->lock);
  bool has_next = p->has_next;
  if (has_next)
    p->to = p->next;
  p->has_next = false;
  pthread_mutex_unlock(&p->lock);
  if (!has_next)
    return;
  p->back_off_ms = 0;
  p->fits = 0;
  choked_set(p, "");
  p->limit_us = 0;
  atomic_store(&p->down_us, 0);
  p->is_down = false;
  int r = p->to.url[0] ? secret_read(secret, p->to.secret_file, &n) : 0;
  if (n ||
      strcmp(was, p->to.secret_file) != 0) { /* else it is root's, who is gone: the one that we have */
    memcpy(p->secret, secret, sizeof(secret));
    p->secret_bytes = n;
  }
  explicit_bzero(secret, sizeof(secret));
  if (r < 0 && !p->secret_bytes) {
    log_error(admin, "records.push: its secret cannot be read: %s: records wait", strerror(-r));
    down_note(p);
  }
}

static void *push_run(void *arg) {
  struct push *p = arg;
  uint64_t n;
  while (!atomic_load(&p->stopping)) {
    (void)!read(p->wake_fd, &n, sizeof(n));
    next_take(p);
    limits_hold(p);
    if (!batch_send(p))
      rest(p, p->to.url[0] ? LOOK_MS : IDLE_MS);
  }
  return NULL;
}

static int thread_start(struct push *p) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int r = pthread_create(&p->thread, NULL, push_run, p);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  p->thread_on = r == 0;
  return -r;
}

static int parts_open(struct push *p, const char *file) {
  p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (p->wake_fd < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return -EIO;
  p->curl = curl_easy_init();
  if (!p->curl)
    return -ENOMEM;
  int r = spool_new(&p->spool, file);
  return r == 0 ? reader_new(&p->reader, file) : r;
}

static int target_fill(struct target *to, const struct admin_push *s) {
  memset(to, 0, sizeof(*to));
  to->batch = s->batch && s->batch <= BATCH_MAX ? s->batch : BATCH_MAX;
  to->keep_ms = s->keep_h * HOUR_MS;
  to->keep_records = s->keep_records;
  to->back_off_min_ms = s->back_off_ms ? s->back_off_ms : BACK_OFF_MIN_MS;
  to->behind_ms = s->behind_ms ? s->behind_ms : BEHIND_MS;
  if (!s->url || !s->url[0])
    return 0;
  return slice_copy(to->url, sizeof(to->url), slice_of(s->url)) < 0 ||
                 slice_copy(to->secret_file, sizeof(to->secret_file), slice_of(s->secret_file)) < 0 ||
                 slice_copy(to->ca, sizeof(to->ca), slice_of(s->ca)) < 0
             ? -EINVAL
             : 0;
}

static void wake(struct push *p) {
  uint64_t one = 1;
  (void)!write(p->wake_fd, &one, sizeof(one));
}

int push_check(const struct admin_push *s, const char **ret_why) {
  char secret[257];
  size_t n = 0;
  *ret_why = "records.push.secret_file: one line of 20 to 256 characters that only its owner may read";
  int r = s->url && s->url[0] ? secret_read(secret, s->secret_file, &n) : 0;
  explicit_bzero(secret, sizeof(secret));
  return r;
}

/* The thread begins with the first receiver. */
int push_set(struct push *p, const struct admin_push *s) {
  struct target to;
  int r = target_fill(&to, s);
  if (r < 0)
    return r;
  atomic_store(&p->has_url, to.url[0] != 0);
  pthread_mutex_lock(&p->lock);
  p->has_next = p->has_next || memcmp(&p->next, &to, sizeof(to)) != 0;
  p->next = to;
  pthread_mutex_unlock(&p->lock);
  if (!p->thread_on && to.url[0])
    return thread_start(p);
  wake(p);
  return 0;
}

int push_new(struct push **ret_push, const struct admin_push *s, const char *store_file,
             const char **ret_why) {
  int r = push_check(s, ret_why);
  struct push *p = r == 0 ? calloc(1, sizeof(*p)) : NULL;
  if (!p)
    return r < 0 ? r : -ENOMEM;
  *ret_why = "records.push cannot be started";
  p->wake_fd = -1;
  pthread_mutex_init(&p->lock, NULL);
  p->counts = (struct counts){rows, PUSH_COUNT_, p->values};
  r = parts_open(p, store_file);
  if (r == 0) /* now, as whoever we are: later we may not read it any more */
    r = target_fill(&p->to, s);
  if (r == 0 && p->to.url[0])
    r = secret_read(p->secret, p->to.secret_file, &p->secret_bytes);
  p->next = p->to;
  if (r == 0)
    r = push_set(p, s);
  if (r < 0)
    push_free(p);
  else
    *ret_push = p;
  return r;
}

static void behind_text(struct push *p, struct admin_alarm *ret, uint64_t down_us) {
  char choked[sizeof(p->choked)];
  unsigned long long waiting = count_get(&p->counts, PUSH_WAITING);
  pthread_mutex_lock(&p->lock);
  memcpy(choked, p->choked, sizeof(choked));
  pthread_mutex_unlock(&p->lock);
  if (choked[0])
    snprintf(ret->text, sizeof(ret->text),
             "The receiver refuses record %s, even alone; %llu wait behind it", choked, waiting);
  else
    snprintf(ret->text, sizeof(ret->text), "The receiver of records %s; %llu wait",
             down_us ? "is away, refuses them, or cannot be asked" : "is too slow", waiting);
}

bool push_alarm(struct push *p, struct admin_alarm *ret) {
  uint64_t now_us = clock_now_us(), now_ms = clock_wall_ms(), down_us = atomic_load(&p->down_us);
  uint64_t lost_us = atomic_load(&p->lost_us), oldest_ms = atomic_load(&p->oldest_ms);
  bool is_lost = lost_us && (down_us || now_us < lost_us + LOST_US);
  bool is_behind = (down_us && now_us >= down_us + p->next.behind_ms * UINT64_C(1000)) ||
                   (oldest_ms && now_ms > oldest_ms + WAITED_MS);
  if (!atomic_load(&p->has_url) || (!is_lost && !is_behind))
    return false;
  memset(ret, 0, sizeof(*ret));
  ret->severity = is_lost ? "critical" : "warning";
  slice_copy(ret->kind, sizeof(ret->kind), slice_of(is_lost ? "push_lost" : "push_behind"));
  slice_copy(ret->what, sizeof(ret->what), SLICE("records.push"));
  if (is_lost)
    snprintf(ret->text, sizeof(ret->text),
             "Records were given up before their receiver took them (%llu since the start): export them",
             (unsigned long long)count_get(&p->counts, PUSH_GIVEN_UP));
  else
    behind_text(p, ret, down_us);
  return true;
}

struct push *push_free(struct push *p) {
  if (!p)
    return NULL;
  if (p->thread_on) {
    atomic_store(&p->stopping, true);
    wake(p);
    pthread_join(p->thread, NULL);
  }
  spool_free(p->spool);
  reader_free(p->reader);
  if (p->curl)
    curl_easy_cleanup(p->curl);
  if (p->wake_fd >= 0)
    close(p->wake_fd);
  explicit_bzero(p->secret, sizeof(p->secret));
  pthread_mutex_destroy(&p->lock);
  free(p);
  return NULL;
}
