/* SPDX-License-Identifier: Apache-2.0
 * Settings as JSON, typed by the rows that read them, and JSON as fresh YAML in the rows' order. Pure.
 */
#include "revise/part.h"

enum { DEPTH_MAX = 8 };

/* ---- YAML -> JSON ---- */

static json_t *text_value(struct slice s) {
  json_t *j = json_stringn(s.p ? s.p : "", s.n);
  return j ? j : json_string("");
}

static json_t *scalar_value(const struct tree_node *n, const struct field *f) {
  uint64_t v;
  if (f && n->is_plain && f->type == FIELD_NUMBER && slice_u64(n->text, INT64_MAX, &v) == 0)
    return json_integer((json_int_t)v);
  if (f && n->is_plain && f->type == FIELD_BOOL && slice_eq(n->text, SLICE("true")))
    return json_true();
  if (f && n->is_plain && f->type == FIELD_BOOL && slice_eq(n->text, SLICE("false")))
    return json_false();
  return text_value(n->text);
}

static json_t *node_value(const struct tree_node *n, const struct field *f, const struct conf_shape *s) {
  if (n->kind == TREE_SCALAR)
    return scalar_value(n, f);
  if (n->kind == TREE_MAP)
    return value_of_map(n, s ? s->of : SECTION_COUNT_);
  json_t *list = json_array();
  for (const struct tree_node *item = n->child; item; item = item->next)
    json_array_append_new(list, node_value(item, NULL, s));
  return list;
}

json_t *value_of_map(const struct tree_node *map, uint8_t section) {
  json_t *out = json_object();
  for (const struct tree_node *k = map->child; k && k->next; k = k->next->next)
    if (k->kind == TREE_SCALAR && memchr(k->text.p, 0, k->text.n) == NULL)
      json_object_set_new(
          out, k->text.p,
          node_value(k->next, conf_field_find(section, k->text), conf_shape_find(section, k->text)));
  return out;
}

/* ---- JSON -> YAML ---- */

static bool is_plain(const char *s) {
  static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"};
  for (size_t i = 0; i < COUNT_OF(words); i++)
    if (slice_ieq(slice_of(s), slice_of(words[i])))
      return strcmp(s, "off") == 0; /* a word of ours: it is read as text */
  bool begins = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '/';
  return begins &&
         s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/@-")] == 0;
}

static void text_emit(FILE *out, const char *s) {
  if (is_plain(s)) {
    fputs(s, out);
    return;
  }
  fputc('"', out);
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c < 0x20 || c == 0x7f)
      fprintf(out, "\\x%02x", c);
    else if (c == '"' || c == '\\')
      fprintf(out, "\\%c", c);
    else
      fputc(c, out);
  }
  fputc('"', out);
}

static void scalar_emit(FILE *out, const json_t *v) {
  if (json_is_string(v))
    text_emit(out, json_string_value(v));
  else if (json_is_integer(v))
    fprintf(out, "%lld", (long long)json_integer_value(v));
  else if (json_is_boolean(v))
    fputs(json_is_true(v) ? "true" : "false", out);
  else
    fprintf(out, "%g", json_real_value(v));
}

static bool is_nested(const json_t *v) { return json_is_object(v) || json_is_array(v); }

static bool has_nested(const json_t *list) {
  for (size_t i = 0; i < json_array_size(list); i++)
    if (is_nested(json_array_get(list, i)))
      return true;
  return false;
}

static void list_emit(FILE *out, const json_t *list, unsigned indent, uint8_t section) {
  if (!has_nested(list)) {
    fputs(" [", out);
    for (size_t i = 0; i < json_array_size(list); i++) {
      fputs(i ? ", " : "", out);
      scalar_emit(out, json_array_get(list, i));
    }
    fputs("]\n", out);
    return;
  }
  fputc('\n', out);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i);
    fprintf(out, "%*s- ", (int)indent, "");
    if (json_is_object(item) && json_object_size(item)) {
      value_emit_map(out, item, indent + 2, section, true);
    } else {
      if (is_nested(item))
        fputs("{}", out);
      else
        scalar_emit(out, item);
      fputc('\n', out);
    }
  }
}

static void pair_emit(FILE *out, const char *key, const json_t *v, unsigned indent, uint8_t section) {
  const struct conf_shape *s = conf_shape_find(section, slice_of(key));
  uint8_t of = s ? s->of : SECTION_COUNT_;
  text_emit(out, key);
  fputc(':', out);
  if (indent / 2 > 2 * DEPTH_MAX) {
    fputs(" {}\n", out);
  } else if (json_is_array(v)) {
    list_emit(out, v, indent + 2, of);
  } else if (json_is_object(v) && json_object_size(v)) {
    fputc('\n', out);
    value_emit_map(out, v, indent + 2, of, false);
  } else if (json_is_object(v)) {
    fputs(" {}\n", out);
  } else {
    fputc(' ', out);
    scalar_emit(out, v);
    fputc('\n', out);
  }
}

void value_emit_map(FILE *out, const json_t *map, unsigned indent, uint8_t section, bool is_begun) {
  const char *key;
  const json_t *v;
  for (size_t i = 0; i < conf_fields_n; i++) {
    v = conf_fields[i].section == section ? json_object_get(map, conf_fields[i].key) : NULL;
    if (!v || json_is_null(v))
      continue;
    fprintf(out, "%*s", is_begun ? 0 : (int)indent, "");
    pair_emit(out, conf_fields[i].key, v, indent, section);
    is_begun = false;
  }
  json_object_foreach((json_t *)(uintptr_t)map, key, v) {
    if (json_is_null(v) || conf_field_find(section, slice_of(key)))
      continue; /* what no row knows is told by the reader */
    fprintf(out, "%*s", is_begun ? 0 : (int)indent, "");
    pair_emit(out, key, v, indent, section);
    is_begun = false;
  }
  if (is_begun)
    fputs("{}\n", out);
}
