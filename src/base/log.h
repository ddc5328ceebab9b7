/* SPDX-License-Identifier: Apache-2.0
 * Log lines, written by a thread of its own from a bounded queue (what does not fit is counted and
 * told). Every byte outside printable ASCII is escaped when the line is written, so a peer's bytes
 * can neither break a line nor a terminal. Floors 0 to 3 are silent: they return or count.
 * Never pass a key, token, password or Authorization value. */
#pragma once
#include "base/own.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_tag {
#define TAG(id, text) LOG_TAG_##id,
#include "base/log.def"
#undef TAG
  LOG_TAG_COUNT_
};

/* Lines up to this level are written, from now on, to fd; starts the thread. 0 or -errno. */
int log_start(const char *program, int fd, enum log_level level) must_check;
void log_stop(void); /* writes what waits, ends the thread; lines after it go straight to stderr */
void log_write(enum log_level level, enum log_tag tag, const char *format, ...) printf_like(3, 4);

/* The last lines that were written (at most LOG_LAST_LINES, of LOG_LAST_BYTES in all), as they stand in the log;
 * heap, NULL: no memory. Any thread. */
enum { LOG_LAST_LINES = 2000, LOG_LAST_BYTES = 262144 };
char *log_last(void);

#define log_error(tag, ...) log_write(LOG_ERROR, LOG_TAG_##tag, __VA_ARGS__)
#define log_warn(tag, ...) log_write(LOG_WARN, LOG_TAG_##tag, __VA_ARGS__)
#define log_info(tag, ...) log_write(LOG_INFO, LOG_TAG_##tag, __VA_ARGS__)
#define log_debug(tag, ...) log_write(LOG_DEBUG, LOG_TAG_##tag, __VA_ARGS__)
