/* SPDX-License-Identifier: Apache-2.0
 * The 49 messages of RFC 4475 over UDP to a real agent: a row for each says what the RFC allows and
 * what we do. The files are looked for in ../shared/vectors/rfc4475 beside the sources; without them
 * the test is skipped with a notice. A top Via of another transport is made UDP (the same length),
 * else the library rightly drops it unread. */
#include "trunkfake.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

struct row {
  const char *file;
  int status;          /* status is our answer; 0: none, 100: taken as a call */
  const char *allowed; /* allowed is what RFC 4475 asks for, in short. */
};
static const struct row rows[] = {
#include "torture.def"
};

static int sockets[3];
static struct addr source;

/* An address of this process' own on 127/8, so that ports 5060, 5050 and 5070 are free. */
static bool sockets_open(void) {
  static const uint16_t ports[] = {5060, 5050, 5070};
  unsigned pid = (unsigned)getpid();
  char host[32];
  snprintf(host, sizeof host, "127.%u.%u.%u", 1 + pid / 62500 % 250, 1 + pid / 250 % 250, 1 + pid % 250);
  for (unsigned i = 0; i < COUNT_OF(ports); i++) {
    if (addr_parse(&source, slice_of(host), ports[i]) < 0)
      return false;
    sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (bind(sockets[i], &source.sa, addr_len(&source)) < 0)
      return false;
  }
  return true;
}

static ssize_t file_read(const char *name, char *dst, size_t bytes) {
  char path[512];
  const char *dir = getenv("RFC4475");
  snprintf(path, sizeof path, "%s/%s.dat", dir ? dir : SRCDIR "/../shared/vectors/rfc4475", name);
  own_fd fd = open(path, O_RDONLY);
  return fd < 0 ? -1 : read(fd, dst, bytes);
}

/* The first word of the top Via: SIP/2.0/TCP to SIP/2.0/UDP. */
static void via_to_udp(char *text, size_t n) {
  for (size_t i = 0; i + 12 < n; i++)
    if (!strncmp(text + i, "\nVia:", 5)) {
      while (i + 12 < n && strncmp(text + i, "/2.0/", 5))
        i++;
      if (text[i + 5] == 'T')
        memcpy(text + i + 5, "UDP", 3);
      return;
    }
}

static void send_raw(const char *text, size_t n) {
  struct addr to;
  cr_assert_eq(addr_parse(&to, SLICE("127.0.0.1"), rig_port), 0);
  cr_assert_eq(sendto(sockets[0], text, n, 0, &to.sa, addr_len(&to)), (ssize_t)n);
  rig_run(50);
}

/* Is the answer one to what was sent, not an earlier one repeated? */
static bool is_answer_to(const char *answer, const char *sent) {
  const char *id = rig_header(answer, "Call-ID");
  return *id ? strstr(sent, id) != NULL : !strstr(sent, "Call-ID");
}

/* The best answer that came: a final one before 100. */
static int status_heard(const char *sent) {
  char answer[8192];
  int status = 0;
  for (unsigned i = 0; i < 3; i++) {
    ssize_t n;
    while ((n = recv(sockets[i], answer, sizeof answer - 1, 0)) > 0) {
      answer[n] = 0;
      int heard = strncmp(answer, "SIP/2.0 ", 8) ? -1 : atoi(answer + 8);
      if (heard > status && is_answer_to(answer, sent))
        status = heard;
    }
  }
  return status;
}

static int run(const struct row *r) {
  static char text[66000];
  ssize_t n = file_read(r->file, text, sizeof text - 1);
  if (n < 0)
    return -1;
  text[n] = 0;
  via_to_udp(text, (size_t)n);
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  send_raw(text, (size_t)n);
  clock_gettime(CLOCK_MONOTONIC, &after);
  long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
  cr_expect_lt(ms, 500, "%s took %ld ms", r->file, ms);
  return status_heard(text);
}

Test(torture, rfc4475, .timeout = 60) {
  unsigned missing = 0;
  rig_start();
  cr_assert(sockets_open());
  for (unsigned i = 0; i < COUNT_OF(rows); i++) {
    int status = run(&rows[i]);
    missing += status < 0;
    if (getenv("TORTURE_TRACE"))
      fprintf(stderr, "%-12s %d (%d) %s\n", rows[i].file, status, rows[i].status, rows[i].allowed);
    if (status >= 0)
      cr_expect_eq(status, rows[i].status, "%s: %d, not %d: %s", rows[i].file, status, rows[i].status,
                   rows[i].allowed);
  }
  /* After all of it the agent serves. */
  static const char options[] =
      "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x.test;branch=z9hG4bKlast\r\nMax-Forwards: "
      "7\r\nFrom: <sip:a@b>;tag=1\r\n"
      "To: <sip:a@b>\r\nCall-ID: last\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
  send_raw(options, sizeof options - 1);
  cr_assert_eq(status_heard(options), 200);
  rig_stop();
  if (missing)
    fprintf(stderr, "notice: %u of %zu messages of RFC 4475 are absent: skipped\n", missing,
            COUNT_OF(rows));
}
