/* SPDX-License-Identifier: Apache-2.0
 * The SIP library's log lines become ours, at most LINES_A_SECOND of them: at descriptor exhaustion
 * alone it writes hundreds of thousands a second. Call thread. */
#include "base/clock.h"
#include "base/log.h"
#include "trunk/sofia_hooks.h"
#include "trunk/tls.h"

#include <sofia-sip/su_log.h>
#include <stdarg.h>
#include <stdio.h>

enum { LINES_A_SECOND = 20 };

/* The library's lines say what happened on its side; they are details of ours. */
static void line(void *stream, char const *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void line(void *stream, char const *fmt, va_list ap) {
  static _Thread_local uint64_t second;
  static _Thread_local unsigned lines;
  char text[512];
  (void)stream;
  uint64_t now = clock_now_us() / 1000000;
  if (now != second) {
    second = now;
    lines = 0;
  }
  if (++lines > LINES_A_SECOND) {
    count_one(&owntls_counts, TLSCOUNT_log_lost);
    return;
  }
  int n = vsnprintf(text, sizeof(text), fmt, ap);
  while (n > 0 && (size_t)n < sizeof(text) && text[n - 1] == '\n')
    text[--n] = 0;
  if (n > 0)
    log_debug(sip, "%s", text);
}

void siplog_start(void) { su_log_redirect(NULL, line, NULL); }
