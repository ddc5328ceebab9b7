/* SPDX-License-Identifier: Apache-2.0
 * Fuzzing of a configuration's text: an item written anew comes back as it went and the other items
 * stay; differences of the two texts are found. */
#include "revise/revise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool has_texts_only(const json_t *v) {
  const char *key;
  json_t *in;
  size_t i;
  if (json_is_string(v))
    for (const char *p = json_string_value(v); *p; p++)
      if ((unsigned char)*p < 0x20 || *p == 0x7f)
        return false;
  json_object_foreach((json_t *)(uintptr_t)v, key, in) {
    if (!key[0] || !has_texts_only(in))
      return false;
  }
  json_array_foreach(v, i, in) {
    if (json_is_array(in) || !has_texts_only(in))
      return false;
  }
  return true;
}

static void differences(const char *a, const char *b) {
  own_mem struct revise_changes *c = calloc(1, sizeof(*c));
  FILE *out = fopen("/dev/null", "w");
  if (!c || !out)
    abort();
  if (revise_unified(out, "x", slice_of(a), slice_of(b)) < 0)
    abort();
  if (revise_changes_find(slice_of(a), slice_of(b), c) == 0)
    revise_changes_done(c);
  fclose(out);
}

/* Writes the item of that name as it is. */
static void item_try(const char *text, const json_t *items, const json_t *item) {
  const char *name = json_string_value(json_object_get(item, "name"));
  char *out = NULL;
  if (!name || !has_texts_only(items) || revise_item_put(&out, text, "trunks", name, item) < 0)
    return;
  json_t *again = revise_items(out, "trunks"), *one = revise_item(out, "trunks", name);
  if (json_array_size(again) != json_array_size(items) || !json_equal(one, item))
    abort();
  differences(text, out);
  json_decref(again);
  json_decref(one);
  free(out);
}

/* Two of one name, or one key twice, are refused elsewhere. */
static bool has_twins(const json_t *items) {
  size_t i, k;
  json_t *a, *b;
  json_array_foreach(items, i, a) {
    json_array_foreach(items, k, b) {
      const char *x = json_string_value(json_object_get(a, "name")),
                 *y = json_string_value(json_object_get(b, "name"));
      if (i != k && (!x || !y || strcmp(x, y) == 0))
        return true;
    }
  }
  return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  own_mem char *text = slice_dup(slice_from(data, n));
  if (!text || strlen(text) != n)
    return 0;
  json_t *items = revise_items(text, "trunks"), *item;
  size_t i;
  json_array_foreach(items, i, item) {
    if (i < 4 && !has_twins(items))
      item_try(text, items, item);
  }
  json_decref(items);
  return 0;
}
