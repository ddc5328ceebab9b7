/* SPDX-License-Identifier: Apache-2.0
 * Edits of header fields, on lines of text. A value cannot begin a line of its own: settings have no
 * control characters, and what is of the call is escaped. See edits.h. */
#include "trunk/edits.h"

#include "wire/nameaddr.h"

static const char *word_of(struct slice name, const struct edit_words *w) {
  return slice_eq(name, SLICE("called"))       ? w->called
         : slice_eq(name, SLICE("caller"))     ? w->caller
         : slice_eq(name, SLICE("trunk"))      ? w->trunk
         : slice_eq(name, SLICE("session_id")) ? w->session_id
                                               : "";
}

int edit_value(char *dst, size_t bytes, const char *template, const struct edit_words *w) {
  struct text t;
  size_t n;
  char word[256];
  text_init(&t, dst, bytes);
  for (const char *p = template; *p;) {
    const char *end = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;
    if (end) {
      const char *value = word_of(slice_from(p + 2, (size_t)(end - p) - 2), w);
      text_add(&t, "%s", nameaddr_escape(word, sizeof word, value ? value : ""));
      p = end + 1;
    } else {
      text_add_slice(&t, slice_from(p++, 1));
    }
  }
  return text_end(&t, &n);
}

bool edit_takes(const struct conf_edit *e, struct slice name, struct slice value) {
  struct slice match = slice_of(e->match);
  if (!slice_ieq(name, slice_of(e->name)))
    return false;
  return !match.n || (e->is_prefix ? slice_starts(value, match) : slice_eq(value, match));
}

int edit_rewrite(char *dst, size_t bytes, const struct conf_edit *e, struct slice value,
                 const struct edit_words *w) {
  struct slice rest = slice_from(value.p, 0);
  int r = edit_value(dst, bytes, e->value, w);
  if (e->is_prefix)
    rest = slice_from(value.p + strlen(e->match), value.n - strlen(e->match));
  size_t n = strlen(dst);
  if (r < 0 || n + rest.n + 1 > bytes)
    return -ENOSPC;
  memcpy(dst + n, rest.p, rest.n);
  dst[n + rest.n] = 0;
  return 0;
}

/* One edit on all lines, into another text. */
static int edit_lines(struct text *t, struct slice lines, const struct conf_edit *e,
                      const struct edit_words *w) {
  char value[EDIT_LINES_BYTES / 2];
  size_t n;
  while (lines.n) {
    struct slice line = slice_trim(slice_cut(&lines, '\n')), old = line,
                 name = slice_trim(slice_cut(&old, ':'));
    old = slice_trim(old);
    bool takes = e->action != EDIT_ADD && edit_takes(e, name, old);
    if (takes && e->action == EDIT_REMOVE)
      continue;
    if (takes && edit_rewrite(value, sizeof value, e, old, w) == 0)
      text_add(t, "%.*s: %s\r\n", SLICE_ARG(name), value);
    else
      text_add(t, "%.*s\r\n", SLICE_ARG(line));
  }
  if (e->action == EDIT_ADD && edit_value(value, sizeof value, e->value, w) == 0)
    text_add(t, "%s: %s\r\n", e->name, value);
  return text_end(t, &n);
}

void edits_apply(char lines[EDIT_LINES_BYTES], const struct conf_edits *edits,
                 const struct edit_words *w) {
  char next[EDIT_LINES_BYTES];
  struct text t;
  for (uint32_t i = 0; i < edits->n; i++) {
    text_init(&t, next, sizeof next);
    if (edit_lines(&t, slice_of(lines), &edits->edit[i], w) == 0)
      memcpy(lines, next, strlen(next) + 1);
  }
}
