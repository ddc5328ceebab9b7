/* SPDX-License-Identifier: Apache-2.0
 * The ring of captured headers: a worker puts them in while the control thread takes them out. Each is
 * whole and in its place, and what found no room is counted. */
#include "media/capture.h"
#include "media/session.h"

#include <pthread.h>
#include <stdio.h>

enum { PACKETS = MSET_CAPTURE_MAX, BURST = 500 };

static struct worker *w;
static struct session *s;
static struct port port;
static struct addr peer;
static _Atomic bool is_over;

static bool setup(void) {
  w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);
  s = aligned_alloc(64, (sizeof(*s) + 63) / 64 * 64);
  if (!w || !s)
    return false;
  memset(w, 0, sizeof(*w));
  memset(s, 0, sizeof(*s));
  w->now_us = 5000000;
  s->w = w;
  s->id = 77;
  return ring_init(&w->headers, sizeof(struct mset_header), WORKER_HEADERS) == 0 &&
         addr_parse_port(&port.shown, SLICE("192.0.2.1:4000")) == 0 &&
         addr_parse_port(&peer, SLICE("192.0.2.9:6000")) == 0 && capture_open(s) == 0 &&
         capture_ask(s, &(struct mset_capture){.ms = MSET_CAPTURE_MAX_MS, .packets = PACKETS}) == 0;
}

/* The number of a packet is its sequence number and, again, its timestamp. */
static void *worker(void *arg) {
  uint8_t p[172] = {0x80, 8};
  (void)arg;
  for (unsigned i = 0; i < PACKETS; i++) {
    p[2] = p[6] = (uint8_t)(i >> 8);
    p[3] = p[7] = (uint8_t)i;
    w->now_us++;
    capture_take(s, &(struct capture_packet){&peer, &port, p, sizeof(p), false, false, DROP_NONE});
    if (i % BURST == 0)
      sched_yield();
  }
  atomic_store(&is_over, true);
  return NULL;
}

static bool is_whole(const struct mset_header *h, int *last) {
  int n = h->header[2] << 8 | h->header[3];
  bool ok = h->session == 77 && h->bytes == 172 && n > *last && n == (h->header[6] << 8 | h->header[7]);
  *last = n;
  return ok;
}

static int drain(void) {
  struct mset_headers m;
  unsigned n = 0;
  int last = -1;
  for (bool was_over = false; !was_over;) {
    was_over = atomic_load(&is_over);
    while (capture_batch(w, &m))
      for (uint32_t i = 0; i < m.n; i++, n++)
        if (!is_whole(&m.header[i], &last))
          return 1;
  }
  if (n && n + m.lost == PACKETS)
    return 0;
  fprintf(stderr, "%u came and %u were lost of %d\n", n, (unsigned)m.lost, PACKETS);
  return 1;
}

int main(void) {
  pthread_t thread;
  if (!setup() || pthread_create(&thread, NULL, worker, NULL) != 0)
    return 1;
  int r = drain();
  pthread_join(thread, NULL);
  capture_close(s);
  ring_done(&w->headers);
  free(w);
  free(s);
  return r;
}
