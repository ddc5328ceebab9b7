/* SPDX-License-Identifier: Apache-2.0
 * Server-sent events: see sse.h. */
#include "wire/sse.h"

static bool is_event_name(const char *name) {
  for (const char *c = name; *c; c++)
    if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
          strchr("._-", *c)))
      return false;
  return name[0] != 0;
}

/* Readers end a line at LF, CR or CRLF alike. */
static void data_add(struct text *t, struct slice data) {
  do {
    size_t n = 0;
    while (n < data.n && data.p[n] != '\n' && data.p[n] != '\r')
      n++;
    text_add(t, "data: ");
    text_add_slice(t, slice_from(data.p, n));
    text_add(t, "\n");
    if (n < data.n)
      n += data.p[n] == '\r' && n + 1 < data.n && data.p[n + 1] == '\n' ? 2 : 1;
    data = slice_from(data.p ? data.p + n : NULL, data.n - n);
  } while (data.n);
}

void sse_event(struct text *t, uint64_t id, const char *name, struct slice data) {
  if (!is_event_name(name))
    t->error = t->error ? t->error : -EINVAL;
  if (id)
    text_add(t, "id: %llu\n", (unsigned long long)id);
  text_add(t, "event: %s\n", name);
  data_add(t, data);
  text_add(t, "\n");
}

void sse_comment(struct text *t, const char *words) {
  text_add(t, ": ");
  text_add_field(t, words);
  text_add(t, "\n\n");
}

void sse_retry(struct text *t, uint32_t retry_ms) { text_add(t, "retry: %u\n\n", retry_ms); }
