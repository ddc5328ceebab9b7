/* SPDX-License-Identifier: Apache-2.0
 * What the readers of configuration and dialplan complain of, as places that a page can point at. */
#include "revise/part.h"

#include <stdio.h>

/* "trunks[2].peers[0]" as "/trunks/2/peers/0". */
static void pointer_write(struct slice path, char *dst, size_t bytes) {
  size_t at = 0;
  for (size_t i = 0; i < path.n && at + 3 < bytes; i++) {
    char c = path.p[i];
    if (at == 0 || c == '.' || c == '[')
      dst[at++] = '/';
    if (c == '~' || c == '/') {
      dst[at++] = '~';
      dst[at++] = c == '~' ? '0' : '1';
    } else if (c != '.' && c != '[' && c != ']') {
      dst[at++] = c;
    }
  }
  dst[at] = 0;
}

/* Is it a place, or the first word of a sentence? */
static bool is_path(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] <= ' ' || s.p[i] == '"')
      return false;
  return s.n > 0;
}

static const char *rule_of(struct slice message) {
  static const struct {
    const char *begins, *rule;
  } rules[] = {{"unknown key", "unknown"},
               {"is missing", "missing"},
               {"stands twice", "twice"},
               {"already", "twice"},
               {"\"", "twice"},
               {"expected a file under", "file"},
               {"expected", "value"},
               {"there is no", "name"},
               {"cannot be read", "file"},
               {"anchors", "syntax"},
               {"aliases", "syntax"},
               {"tags", "syntax"}};
  for (size_t i = 0; i < COUNT_OF(rules); i++)
    if (slice_starts(message, slice_of(rules[i].begins)))
      return rules[i].rule;
  return "check";
}

void fault_of(const struct conf_error *e, struct revise_fault *ret) {
  struct slice rest = slice_of(e->text), path = rest;
  const char *colon = strstr(e->text, ": ");
  memset(ret, 0, sizeof(*ret));
  const char *slash = strrchr(e->file, '/');
  slice_copy(ret->file, sizeof(ret->file), slice_of(slash ? slash + 1 : e->file));
  ret->line = e->line;
  if (colon)
    path.n = (size_t)(colon - e->text);
  bool is_yaml = colon && slice_eq(path, SLICE("YAML"));
  if (colon && !is_yaml && is_path(path)) {
    pointer_write(path, ret->pointer, sizeof(ret->pointer));
    rest = slice_of(colon + 2);
  }
  slice_copy(ret->message, sizeof(ret->message), rest);
  snprintf(ret->rule, sizeof(ret->rule), "%s", is_yaml ? "syntax" : rule_of(rest));
}

void faults_add(struct revise_faults *to, const struct conf_errors *e) {
  for (uint32_t i = 0; i < e->n && i < CONF_ERRORS_MAX && to->n < REVISE_FAULTS_MAX; i++)
    fault_of(&e->list[i], &to->list[to->n++]);
}

void faults_put(struct revise_faults *to, const char *pointer, const char *rule, const char *message) {
  if (to->n == REVISE_FAULTS_MAX)
    return;
  struct revise_fault *f = &to->list[to->n++];
  memset(f, 0, sizeof(*f));
  slice_copy(f->pointer, sizeof(f->pointer), slice_of(pointer));
  slice_copy(f->rule, sizeof(f->rule), slice_of(rule));
  snprintf(f->message, sizeof(f->message), "%s", message);
}
