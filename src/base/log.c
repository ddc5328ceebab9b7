/* SPDX-License-Identifier: Apache-2.0
 * Log: see log.h. Callers format into a slot of the queue under a mutex and never wait for I/O. */
#include "base/log.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

enum { LINES = 1024, LINE_BYTES = 1024 };

static const char *const tag_text[] = {
#define TAG(id, text) text,
#include "base/log.def"
#undef TAG
};
static const char *const level_text[] = {"error", "warn", "info", "debug"};

static struct {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t thread;
  const char *program;
  int fd;
  enum log_level level;
  bool running;
  unsigned head, count;
  uint64_t lost;
  char line[LINES][LINE_BYTES];
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .wake = PTHREAD_COND_INITIALIZER,
            .fd = 2,
            .program = "sallyport",
            .level = LOG_WARN};

/* A ring of whole lines; older ones give way. */
static struct {
  pthread_mutex_t lock;
  char bytes[LOG_LAST_BYTES];
  size_t at, n; /* where the next byte goes; how many there are */
} last = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void last_put(const char *line, size_t n) {
  pthread_mutex_lock(&last.lock);
  for (size_t i = 0; i < n; i++) {
    last.bytes[last.at] = line[i];
    last.at = (last.at + 1) % LOG_LAST_BYTES;
  }
  last.n = last.n + n < LOG_LAST_BYTES ? last.n + n : LOG_LAST_BYTES;
  pthread_mutex_unlock(&last.lock);
}

/* Where the oldest line begins that is whole, and not too many lines before the end. */
static const char *last_begin(const char *text, size_t n, bool is_cut) {
  const char *begin = text, *p = text + n;
  unsigned lines = 0;
  if (is_cut && (begin = memchr(text, '\n', n)))
    begin++;
  for (; begin && p > begin; p--)
    if (p[-1] == '\n' && lines++ == LOG_LAST_LINES)
      return p;
  return begin ? begin : text + n;
}

char *log_last(void) {
  char *text = malloc(LOG_LAST_BYTES + 1);
  if (!text)
    return NULL;
  pthread_mutex_lock(&last.lock);
  size_t n = last.n, from = (last.at + LOG_LAST_BYTES - n) % LOG_LAST_BYTES;
  for (size_t i = 0; i < n; i++)
    text[i] = last.bytes[(from + i) % LOG_LAST_BYTES];
  pthread_mutex_unlock(&last.lock);
  text[n] = 0;
  const char *begin = last_begin(text, n, n == LOG_LAST_BYTES);
  memmove(text, begin, strlen(begin) + 1);
  return text;
}

static void put_line(const char *line) {
  char out[LINE_BYTES * 4 + 2];
  size_t o = 0;
  for (const unsigned char *s = (const unsigned char *)line; *s && o < sizeof(out) - 6; s++) {
    if (*s >= 0x20 && *s < 0x7f)
      out[o++] = (char)*s;
    else
      o += (size_t)snprintf(out + o, sizeof(out) - o, "\\x%02x", *s);
  }
  out[o++] = '\n';
  last_put(out, o);
  (void)!write(logger.fd, out, o);
}

static void *run(void *arg maybe_unused) {
  char line[LINE_BYTES];
  pthread_mutex_lock(&logger.lock);
  for (;;) {
    while (!logger.count && logger.running)
      pthread_cond_wait(&logger.wake, &logger.lock);
    if (!logger.count)
      break;
    memcpy(line, logger.line[logger.head], LINE_BYTES);
    logger.head = (logger.head + 1) % LINES;
    logger.count--;
    uint64_t lost = logger.lost;
    logger.lost = 0;
    pthread_mutex_unlock(&logger.lock);
    put_line(line);
    if (lost) {
      snprintf(line, sizeof(line), "%s warn app: %llu log lines were lost: the queue was full",
               logger.program, (unsigned long long)lost);
      put_line(line);
    }
    pthread_mutex_lock(&logger.lock);
  }
  pthread_mutex_unlock(&logger.lock);
  return NULL;
}

int log_start(const char *program, int fd, enum log_level level) {
  pthread_mutex_lock(&logger.lock);
  logger.program = program;
  logger.fd = fd;
  logger.level = level;
  logger.running = true;
  pthread_mutex_unlock(&logger.lock);
  int r = pthread_create(&logger.thread, NULL, run, NULL);
  if (r)
    logger.running = false;
  return -r;
}

void log_stop(void) {
  pthread_mutex_lock(&logger.lock);
  bool was = logger.running;
  logger.running = false;
  pthread_cond_signal(&logger.wake);
  pthread_mutex_unlock(&logger.lock);
  if (was)
    pthread_join(logger.thread, NULL);
}

void log_write(enum log_level level, enum log_tag tag, const char *format, ...) {
  char line[LINE_BYTES], when[CLOCK_TEXT_BYTES];
  va_list ap;
  if (level > logger.level)
    return;
  int n = snprintf(line, sizeof(line), "%s %s %s %s: ", clock_text(clock_wall_ms(), when),
                   logger.program, level_text[level], tag_text[tag]);
  va_start(ap, format);
  vsnprintf(line + n, sizeof(line) - (size_t)n, format, ap);
  va_end(ap);
  pthread_mutex_lock(&logger.lock);
  bool queued = logger.running && logger.count < LINES;
  if (queued) {
    memcpy(logger.line[(logger.head + logger.count) % LINES], line, LINE_BYTES);
    logger.count++;
    pthread_cond_signal(&logger.wake);
  } else if (logger.running) {
    logger.lost++;
  }
  bool direct = !logger.running;
  pthread_mutex_unlock(&logger.lock);
  if (direct)
    put_line(line);
}
