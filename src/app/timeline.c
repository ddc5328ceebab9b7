/* SPDX-License-Identifier: Apache-2.0
 * The wiring of the calls' timelines: from memory to the disk, from both to operators who ask, and live
 * to a collector by HEPv3. Call thread. */
#include "app/boot.h"

#include "base/log.h"

#include <stdio.h>

enum { ASKS = 32, HEP_BYTES = 20000 };

/* An operator's question that waits for the disk. */
static struct pending {
  web_handle handle;
  enum admin_timeline_form form;
  char id[40];
  char *blob; /* blob is what memory had, NULL: nothing. */
  size_t n;
  uint32_t part;
  bool is_live, is_used;
} asks[ASKS];

static int hep_fd = -1;

static void put(void *arg, const char *id, uint32_t part, bool is_last, uint64_t started_ms,
                struct slice blob) {
  struct house *h = arg;
  (void)tracebook_put(h->tracebook, id, part, is_last, started_ms, blob); /* it counts what it loses */
}

void house_timeline_erase(void *arg, const char *id) { tracebook_erase(((struct house *)arg)->tracebook, id); }

static void drop(void *arg, const char *id) { tracebook_drop(((struct house *)arg)->tracebook, id); }

/* A collector that is slow or gone loses datagrams; calls do not wait for it. */
static void wire(void *arg, const struct trace_wire *w) {
  static uint8_t frame[HEP_BYTES];
  struct house *h = arg;
  size_t n = trace_hep(frame, sizeof(frame), w, h->conf->records.hep_id);
  if (n && hep_fd >= 0)
    (void)!send(hep_fd, frame, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int hep_open(const struct conf *c) {
  struct addr to;
  if (!c->records.hep[0])
    return 0;
  if (strncmp(c->records.hep, "udp:", 4) != 0 || addr_parse_port(&to, slice_of(c->records.hep + 4)) < 0)
    return -EINVAL;
  hep_fd = socket(addr_family(&to), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return hep_fd < 0 || connect(hep_fd, &to.sa, addr_len(&to)) < 0 ? -errno : 0;
}

static void ask_done(struct pending *q) {
  if (q->blob)
    explicit_bzero(q->blob, q->n);
  free(q->blob);
  *q = (struct pending){.is_used = false};
}

/* The parts on the disk, then what is in memory. */
static void told(void *arg, const struct tracebook_answer *a) {
  struct house *h = arg;
  struct pending *q = &asks[a->cookie % ASKS];
  struct slice blob[TRACEBOOK_PARTS_MAX + 1];
  uint32_t part[TRACEBOOK_PARTS_MAX + 1];
  size_t n = a->n;
  if (!q->is_used)
    return;
  memcpy(blob, a->blob, n * sizeof(*blob));
  memcpy(part, a->part, n * sizeof(*part));
  if (q->n && (n == 0 || part[n - 1] < q->part)) {
    blob[n] = slice_from(q->blob, q->n);
    part[n++] = q->part;
  }
  struct admin_timeline t = {.ask = q->handle,
                             .form = q->form,
                             .call_id = q->id,
                             .is_live = q->is_live,
                             .n = n,
                             .blob = blob,
                             .part = part,
                             .traces = h->traces};
  admin_timeline_reply(h->admin, &t);
  ask_done(q);
}

void house_timeline(void *arg, const char *call_id, enum admin_timeline_form form, web_handle handle) {
  struct house *h = arg;
  struct trace *t = traces_find(h->traces, slice_of(call_id));
  const struct call *c = calls_find(h->calls, slice_of(call_id));
  struct pending *q = asks;
  while (q < asks + ASKS && q->is_used)
    q++;
  if (q < asks + ASKS) {
    *q = (struct pending){.handle = handle, .form = form, .is_used = true, .is_live = c && !c->ended_ms};
    if (slice_copy(q->id, sizeof(q->id), slice_of(call_id)) == 0 &&
        (!t || trace_copy(t, &q->blob, &q->n, &q->part) == 0) &&
        tracebook_ask(h->tracebook, q->id, (uint64_t)(q - asks)) == 0)
      return;
    ask_done(q);
  }
  admin_timeline_reply(h->admin,
                       &(struct admin_timeline){.ask = handle, .form = form, .call_id = call_id});
}

int house_capture(void *arg, const char *call_id, uint32_t seconds) {
  struct call *c = calls_find(((struct house *)arg)->calls, slice_of(call_id));
  return c ? call_capture(c, seconds) : -ENOENT;
}

int house_timelines(struct house *h) {
  const struct conf *c = h->conf;
  char file[CONF_PATH_BYTES + 32], key[CONF_PATH_BYTES + 32];
  snprintf(file, sizeof(file), "%s/timelines.db", c->node.state_dir);
  snprintf(key, sizeof(key), "%s/timeline.key", c->node.state_dir);
  struct tracebook_settings book = {.file = file,
                                    .keep_ms = c->records.trace_days * UINT64_C(86400000),
                                    .max_bytes = c->records.trace_mb * UINT64_C(1048576)};
  int r = tracebook_new(&h->tracebook, &book);
  if (r == 0)
    r = tracebook_attach(h->tracebook, h->loop, told, h);
  if (r == 0)
    r = hep_open(c);
  if (r < 0)
    return r;
  struct traces_settings s = {.loop = h->loop,
                              .policy = (enum trace_policy)c->records.trace,
                              .sample = c->records.trace_sample,
                              .kb = c->records.trace_kb,
                              .key_file = key,
                              .keeper = {h, put, drop, hep_fd >= 0 ? wire : NULL}};
  return traces_new(&h->traces, &s);
}

void house_timelines_stop(struct house *h) {
  traces_free(h->traces);
  tracebook_free(h->tracebook);
  for (size_t i = 0; i < ASKS; i++)
    ask_done(&asks[i]);
  if (hep_fd >= 0)
    close(hep_fd);
  hep_fd = -1;
}
