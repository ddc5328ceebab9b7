/* SPDX-License-Identifier: Apache-2.0
 * See cli_view.h. */
#include "app/cli_view.h"

#include "base/own.h"

#include <stdio.h>

enum { COLUMNS_MAX = 12, CELL_BYTES = 400, NAME_BYTES = 40, DEPTH_MAX = 8 };

/* Characters that show nothing or turn the line around: C0, C1, DEL, and the ones of bidirectional text.
 */
static bool is_sly(unsigned code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

/* The next character of UTF-8 (jansson gives no other); its bytes. */
static size_t code_at(const char *s, unsigned *ret) {
  const unsigned char *p = (const void *)s;
  size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
  unsigned code = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
  for (size_t i = 1; i < n && p[i]; i++)
    code = code << 6 | (p[i] & 0x3f);
  *ret = code;
  return n;
}

static void text_put(FILE *to, const char *s, bool keeps_lines) {
  while (*s) {
    unsigned code;
    size_t n = code_at(s, &code);
    if (is_sly(code) && !(keeps_lines && code == '\n'))
      fprintf(to, "\\u%04x", code);
    else
      fwrite(s, 1, n, to);
    s += n;
  }
}

static void value_put(FILE *to, const json_t *v) {
  if (!v || json_is_null(v)) {
    fputc('-', to);
  } else if (json_is_string(v)) {
    text_put(to, json_string_value(v), false);
  } else {
    own_mem char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    text_put(to, text ? text : "", false);
  }
}

static char *cell(const json_t *v) {
  char *text = NULL;
  size_t n;
  FILE *f = open_memstream(&text, &n);
  if (!f)
    return NULL;
  value_put(f, v);
  if (fclose(f) != 0)
    return NULL;
  if (n > CELL_BYTES)
    text[CELL_BYTES] = 0;
  return text;
}

/* Letters, not bytes. */
static int width_of(const char *s) {
  int n = 0;
  for (; *s; s++)
    n += (*s & 0xc0) != 0x80;
  return n;
}

struct table {
  unsigned n;
  char name[COLUMNS_MAX][NAME_BYTES];
  int width[COLUMNS_MAX];
};

static void columns_read(struct table *t, const char *columns) {
  while (*columns && t->n < COLUMNS_MAX) {
    int n = (int)strcspn(columns, ",");
    snprintf(t->name[t->n], NAME_BYTES, "%.*s", n, columns);
    t->width[t->n] = width_of(t->name[t->n]);
    t->n++;
    columns += n + (columns[n] == ',');
  }
}

static void row_put(const struct table *t, const json_t *row) {
  for (unsigned i = 0; i < t->n; i++) {
    own_mem char *text = row ? cell(json_object_get(row, t->name[i])) : strdup(t->name[i]);
    const char *shown = text ? text : "";
    int pad = i + 1 < t->n ? t->width[i] - width_of(shown) : 0;
    printf("%s%*s%s", shown, pad > 0 ? pad : 0, "", i + 1 < t->n ? "  " : "\n");
  }
}

void view_table(const json_t *doc, const char *noun, const char *columns) {
  struct table t = {0};
  const json_t *list = json_is_array(doc) ? doc : json_object_get(doc, noun);
  columns_read(&t, columns);
  for (size_t r = 0; r < json_array_size(list); r++)
    for (unsigned i = 0; i < t.n; i++) {
      own_mem char *text = cell(json_object_get(json_array_get(list, r), t.name[i]));
      int w = text ? width_of(text) : 0;
      t.width[i] = w > t.width[i] ? w : t.width[i];
    }
  row_put(&t, NULL);
  for (size_t r = 0; r < json_array_size(list); r++)
    row_put(&t, json_array_get(list, r));
  const char *cursor = json_string_value(json_object_get(doc, "cursor"));
  if (cursor && *cursor) {
    printf("more: --cursor ");
    text_put(stdout, cursor, false);
    putchar('\n');
  }
}

static void member_put(const char *name, const json_t *v, int depth);

static void inside_put(const json_t *v, int depth) {
  const char *name;
  json_t *member;
  size_t i;
  if (json_is_object(v)) {
    json_object_foreach((json_t *)(uintptr_t)v, name, member) member_put(name, member, depth);
    return;
  }
  json_array_foreach(v, i, member) {
    printf("%*s-", depth * 2, "");
    if (json_is_object(member)) {
      putchar('\n');
      inside_put(member, depth + 1);
    } else {
      putchar(' ');
      value_put(stdout, member);
      putchar('\n');
    }
  }
}

static void member_put(const char *name, const json_t *v, int depth) {
  bool is_deep = (json_is_object(v) && json_object_size(v)) || (json_is_array(v) && json_array_size(v));
  printf("%*s", depth * 2, "");
  text_put(stdout, name, false);
  putchar(':');
  if (is_deep && depth < DEPTH_MAX) {
    putchar('\n');
    inside_put(v, depth + 1);
  } else {
    putchar(' ');
    value_put(stdout, v);
    putchar('\n');
  }
}

void view_object(const json_t *doc) {
  if (json_is_object(doc) || json_is_array(doc))
    inside_put(doc, 0);
  else
    value_put(stdout, doc);
}

void view_problem(long status, const char *body) {
  json_t *p = json_loads(body, 0, NULL);
  const char *detail = json_string_value(json_object_get(p, "detail"));
  const char *title = json_string_value(json_object_get(p, "title"));
  json_t *e;
  size_t i;
  fprintf(stderr, "sallyport: %ld ", status);
  text_put(stderr, detail ? detail : title ? title : "refused", false);
  fputc('\n', stderr);
  json_array_foreach(json_object_get(p, "errors"), i, e) {
    const char *pointer = json_string_value(json_object_get(e, "pointer"));
    const char *reason = json_string_value(json_object_get(e, "reason"));
    fputs("  ", stderr);
    text_put(stderr, pointer ? pointer : "", false);
    fputs(": ", stderr);
    text_put(stderr, reason ? reason : "", false);
    fputc('\n', stderr);
  }
  json_decref(p);
}
