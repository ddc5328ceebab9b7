/* SPDX-License-Identifier: Apache-2.0
 * What is captured: SIP messages, native requests and events, notes. Everything is redacted before it is
 * packed or told to who listens live. */
#include "trace/inner.h"

#include "trace/redact.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_MAX_BYTES = 16384 };

const char *trace_kind_word(enum trace_kind k) {
  static const char *const words[TRACE_KINDS_] = {
#define KIND(id, word) [TRACE_##id] = word,
#include "trace/kind.def"
#undef KIND
  };
  return k < TRACE_KINDS_ ? words[k] : "note";
}

const char *trace_lane_word(unsigned lane, char buf[16]) {
  if (lane <= TRACE_CALLEE) {
    static const char *const words[] = {"gateway", "caller", "media", "callee"};
    return words[lane];
  }
  snprintf(buf, 16, "callee%u", (lane & 15U) - TRACE_CALLEE + 1);
  return buf;
}

/* "INVITE", "183 Session Progress": of the first line. */
static void title_of(struct slice message, char dst[TITLE_BYTES]) {
  struct slice line = message;
  line = slice_trim(slice_cut(&line, '\n'));
  if (slice_istarts(line, SLICE("SIP/2.0 "))) {
    line.p += 8;
    line.n -= 8;
  } else {
    line = slice_cut(&line, ' ');
  }
  snprintf(dst, TITLE_BYTES, "%.*s", (int)(line.n < 100 ? line.n : 100), line.p);
}

/* A response says which request it answers. */
static void title_add_method(struct slice message, char dst[TITLE_BYTES]) {
  struct slice rest = message;
  for (struct slice line = slice_cut(&rest, '\n'); rest.n; line = slice_cut(&rest, '\n')) {
    struct slice value = line, name = slice_trim(slice_cut(&value, ':'));
    if (!slice_ieq(name, SLICE("CSeq")))
      continue;
    value = slice_trim(value);
    (void)slice_cut(&value, ' ');
    size_t n = strlen(dst);
    if (value.n && value.n < 24)
      snprintf(dst + n, TITLE_BYTES - n, " (%.*s)", (int)value.n, value.p);
    return;
  }
}

static uint32_t print_of(struct slice s, unsigned salt) {
  uint32_t h = 2166136261U ^ salt;
  for (size_t i = 0; i < s.n; i++)
    h = (h ^ (uint8_t)s.p[i]) * 16777619U;
  return h;
}

static bool is_again(struct trace *t, uint32_t print) {
  for (unsigned i = 0; i < AGAIN_MAX; i++)
    if (t->again[i] == print)
      return true;
  t->again[t->n_again++ % AGAIN_MAX] = print;
  return false;
}

static const char *sip_id_of(struct trace *t, unsigned lane, char dst[256]) {
  dst[0] = 0;
  LIST_EACH(&t->binds, node) {
    const struct bind *b = CONTAINER_OF(node, struct bind, node);
    if (b->lane == lane)
      snprintf(dst, 256, "%.*s", (int)b->n, b->id);
  }
  return dst;
}

static void wire_tell(struct trace *t, unsigned lane, enum trace_dir dir, const struct trace_ends *e,
                      struct slice text) {
  const struct trace_keeper *k = &t->ts->set.keeper;
  char id[256];
  if (!k->wire)
    return;
  struct trace_wire w = {
      .sip_call_id = sip_id_of(t, lane, id),
      .source = dir == TRACE_IN ? e->peer : e->local,
      .target = dir == TRACE_IN ? e->local : e->peer,
      .is_stream = e->transport && strcmp(e->transport, "udp") != 0,
      .wall_us = t->start_wall_us + (loop_now_us(t->ts->set.loop) - t->start_us),
      .text = text,
  };
  k->wire(k->arg, &w);
}

void trace_sip(struct trace *t, unsigned lane, enum trace_dir dir, const struct trace_ends *ends,
               struct slice message) {
  static char text[TEXT_MAX_BYTES]; /* one thread's */
  char title[TITLE_BYTES], peer[ADDR_TEXT_BYTES], local[ADDR_TEXT_BYTES];
  if (!t || !message.n)
    return;
  size_t n = redact_sip(text, sizeof(text), message);
  title_of(slice_from(text, n), title);
  if (title[0] >= '1' && title[0] <= '6')
    title_add_method(slice_from(text, n), title);
  struct item i = {.kind = TRACE_SIP,
                   .lane = lane,
                   .dir = dir,
                   .is_again = is_again(t, print_of(message, lane << 4 | dir)),
                   .title = title,
                   .peer = addr_text(&ends->peer, peer, sizeof(peer)),
                   .local = addr_text(&ends->local, local, sizeof(local)),
                   .transport = ends->transport,
                   .text = slice_from(text, n)};
  item_add(t, &i);
  wire_tell(t, lane, dir, ends, i.text);
  explicit_bzero(text, n);
}

static void text_add(struct trace *t, const struct item *raw, const char *raw_text) {
  static char text[TEXT_MAX_BYTES];
  char title[LINE_BYTES / 2];
  struct item i = *raw;
  (void)redact_text(title, sizeof(title), slice_of(raw->title));
  i.title = title;
  i.text = slice_from(text, redact_text(text, sizeof(text), slice_of(raw_text)));
  item_add(t, &i);
  explicit_bzero(text, i.text.n);
}

void trace_native(struct trace *t, unsigned lane, enum trace_dir dir, const struct addr *peer,
                  const char *title, const char *text) {
  char words[ADDR_TEXT_BYTES];
  if (!t)
    return;
  struct item i = {.kind = TRACE_NATIVE, .lane = lane, .dir = dir, .title = title};
  if (peer)
    i.peer = addr_text(peer, words, sizeof(words));
  text_add(t, &i, text);
}

void trace_event(struct trace *t, unsigned lane, const char *title, const char *text) {
  if (t)
    text_add(t, &(struct item){.kind = TRACE_EVENT, .lane = lane, .dir = TRACE_OUT, .title = title},
             text);
}

void trace_note(struct trace *t, unsigned lane, enum trace_kind kind, const char *format, ...) {
  char title[LINE_BYTES / 2];
  va_list ap;
  if (!t)
    return;
  va_start(ap, format);
  vsnprintf(title, sizeof(title), format, ap); // NOLINT: ap is begun above
  va_end(ap);
  text_add(t, &(struct item){.kind = kind, .lane = lane, .title = title}, NULL);
}
