/* SPDX-License-Identifier: Apache-2.0
 * The table of settings as JSON Schema (2020-12), for editors and for who writes texts by program. Pure.
 */
#include "revise/part.h"

static json_t *words(const char *choices) {
  json_t *list = json_array();
  struct slice rest = slice_of(choices);
  while (rest.p) {
    struct slice word = slice_cut(&rest, '|');
    json_array_append_new(list, json_stringn(word.p, word.n));
  }
  return list;
}

static json_t *list_schema(const struct field *f) {
  json_t *item = json_pack("{s:s}", "type", "string");
  if (f->type == FIELD_CHOICES)
    json_object_set_new(item, "enum", words(f->choices));
  bool is_ascii = f->type == FIELD_HOSTS || f->type == FIELD_CIDRS || f->flags & FIELD_ASCII;
  if (f->type != FIELD_CHOICES && f->type != FIELD_TELS)
    json_object_set_new(item, "minLength", json_integer(1));
  if (is_ascii) {
    json_object_set_new(item, "maxLength", json_integer(CONF_NAME_BYTES - 1));
    json_object_set_new(item, "pattern", json_string("^[!-~]+$"));
  }
  if (f->type == FIELD_TELS)
    json_object_set_new(item, "pattern", json_string("^\\+[0-9]{4,15}$"));
  return json_pack("{s:s, s:i, s:i, s:b, s:o}", "type", "array", "minItems", (int)f->min, "maxItems",
                   (int)f->max, "uniqueItems", 1, "items", item);
}

static json_t *text_schema(const struct field *f) {
  json_t *j = json_pack("{s:s}", "type", "string");
  if (f->type == FIELD_CHOICE || f->type == FIELD_CHOICE_TEXT)
    json_object_set_new(j, "enum", words(f->choices));
  if (f->type == FIELD_NAME)
    json_object_set_new(j, "pattern",
                        json_string(f->min ? "^[A-Za-z0-9._-]+$" : "^[A-Za-z0-9._-]*$"));
  if (f->flags & FIELD_ASCII)
    json_object_set_new(j, "pattern", json_string("^[ -~]*$"));
  if (f->type == FIELD_TEXT || f->type == FIELD_NAME) {
    json_object_set_new(j, "minLength", json_integer(f->min));
    json_object_set_new(j, "maxLength", json_integer(f->max));
  }
  return j;
}

/* The default as the file would say it. */
static json_t *default_of(const struct field *f) {
  uint64_t n;
  if (f->type == FIELD_NUMBER)
    return slice_u64(slice_of(f->def), UINT32_MAX, &n) == 0 ? json_integer((json_int_t)n) : json_null();
  if (f->type == FIELD_BOOL)
    return json_boolean(strcmp(f->def, "true") == 0);
  if (f->type < FIELD_TEXTS || f->type > FIELD_CHOICES)
    return json_string(f->def);
  json_t *list = json_array();
  struct slice rest = slice_of(f->def);
  while (rest.n) {
    struct slice word = slice_trim(slice_cut(&rest, ','));
    json_array_append_new(list, json_stringn(word.p, word.n));
  }
  return list;
}

static json_t *section_schema(uint8_t section);

static json_t *sub_schema(const struct field *f) {
  const struct conf_shape *s = conf_shape_find(f->section, slice_of(f->key));
  if (!s)
    return json_object();
  if (!s->is_list)
    return section_schema(s->of);
  json_t *j = json_pack("{s:s, s:o}", "type", "array", "items", section_schema(s->of));
  if (f->max)
    json_object_set_new(j, "maxItems", json_integer(f->max));
  return j;
}

static json_t *type_schema(const struct field *f) {
  if (f->type == FIELD_SUB)
    return sub_schema(f);
  if (f->type >= FIELD_TEXTS && f->type <= FIELD_CHOICES)
    return list_schema(f);
  if (f->type == FIELD_NUMBER)
    return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)f->min, "maximum",
                     (json_int_t)f->max);
  return f->type == FIELD_BOOL ? json_pack("{s:s}", "type", "boolean") : text_schema(f);
}

static json_t *section_schema(uint8_t section) {
  json_t *members = json_object(), *required = json_array();
  for (size_t i = 0; i < conf_fields_n; i++) {
    const struct field *f = &conf_fields[i];
    if (f->section != section)
      continue;
    json_t *j = type_schema(f);
    json_object_set_new(j, "description", json_string(f->doc));
    json_object_set_new(j, "x-takes-effect", json_string(f->flags & FIELD_LIVE ? "reload" : "restart"));
    if (f->def && f->type != FIELD_SUB)
      json_object_set_new(j, "default", default_of(f));
    if (f->flags & FIELD_REQUIRED)
      json_array_append_new(required, json_string(f->key));
    json_object_set_new(members, f->key, j);
  }
  return json_pack("{s:s, s:b, s:o, s:o}", "type", "object", "additionalProperties", 0, "properties",
                   members, "required", required);
}

json_t *revise_schema(void) {
  json_t *j = section_schema(SECTION_ROOT);
  json_object_set_new(j, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
  json_object_set_new(j, "title", json_string("Sallyport's configuration"));
  return j;
}
