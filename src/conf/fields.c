/* SPDX-License-Identifier: Apache-2.0
 * The rows of fields.def, and the documentation that is printed from them. */
#include "base/text.h"
#include "conf/trunk.h"

const struct field conf_fields[] = {
#define FIELD(section_, struct_, place, key_, type_, flags_, min_, max_, def_, choices_, doc_) \
  {.section = SECTION_##section_, \
   .type = FIELD_##type_, \
   .flags = flags_, \
   .key = key_, \
   .offset = offsetof(struct struct_, place), \
   .bytes = sizeof(((struct struct_ *)0)->place), \
   .min = min_, \
   .max = max_, \
   .def = def_, \
   .choices = choices_, \
   .doc = doc_},
#include "conf/fields.def"
#undef FIELD
};
const size_t conf_fields_n = COUNT_OF(conf_fields);

static const char *const titles[SECTION_COUNT_] = {
    [SECTION_ROOT] = "The file",
    [SECTION_NODE] = "node",
    [SECTION_MEDIA] = "media",
    [SECTION_MEDIA_ADDRESS] = "media.addresses[]",
    [SECTION_SERVICE] = "service",
    [SECTION_ADMIN] = "admin",
    [SECTION_ADMIN_CERTIFICATE] = "admin.certificates[]",
    [SECTION_RECORDS] = "records",
    [SECTION_RECORDS_PUSH] = "records.push",
    [SECTION_LISTENER] = "listeners[]",
    [SECTION_TRUNK] = "trunks[]",
    [SECTION_USER] = "users[]",
    [SECTION_STIR] = "stir",
    [SECTION_TRUNK_STIR] = "trunks[].stir",
    [SECTION_TRUNK_DOCTOR] = "trunks[].doctor",
    [SECTION_TRUNK_HEADERS] = "trunks[].headers",
    [SECTION_TRUNK_NUMBERS] = "trunks[].numbers",
    [SECTION_TRUNK_NUMBER_RULE] = "trunks[].numbers.inbound_called[] and its like",
    [SECTION_TRUNK_EDIT] = "trunks[].headers.in[] and out[]",
    [SECTION_RELAY] = "relays[]",
    [SECTION_CAP] = "caps[]",
    [SECTION_MEDIA_TURN] = "media.turn",
    [SECTION_TRUNK_CREDENTIALS] = "trunks[].credentials",
    [SECTION_TRUNK_REGISTER] = "trunks[].register",
    [SECTION_TRUNK_DIGEST] = "trunks[].digest",
};

/* A | inside a table's cell must not end it. */
static void cell_write(struct text *t, const char *s) {
  for (; *s; s++)
    text_add(t, *s == '|' ? "\\|" : "%c", *s);
}

static void row_write(struct text *t, const struct field *f) {
  char want[200];
  text_add(t, "| `%s` | ", f->key);
  cell_write(t, field_expects(f, want, sizeof(want)));
  text_add(t, " | ");
  if (f->flags & FIELD_REQUIRED)
    text_add(t, "required");
  else if (f->def)
    text_add(t, "`%s`", f->def);
  text_add(t, " | %s | ", f->flags & FIELD_LIVE ? "reload" : "restart");
  cell_write(t, f->doc);
  text_add(t, " |\n");
}

static void kinds_write(struct text *t) {
  text_add(t,
           "\nDefaults that are others with `kind: direct-routing`:\n\n| key | default |\n|---|---|\n");
  for (size_t i = 0; i < conf_kinds_n; i++)
    text_add(t, "| `%s` | `%s` |\n", conf_kinds[i].key, conf_kinds[i].def);
}

int conf_doc(char *dst, size_t dst_bytes, size_t *ret_n) {
  struct text t;
  text_init(&t, dst, dst_bytes);
  text_add(
      &t, "# Configuration\n\n"
          "One YAML file. This page is printed from the table that the program reads it by\n"
          "(`src/conf/fields.def`). Numbers are whole and without unit: the unit is in the key's name "
          "(`_s`\n"
          "seconds, `_ms` milliseconds). Relative paths begin at the file's folder. Aliases, anchors "
          "and tags are\n"
          "refused, unknown and double keys too. All errors are told at once, each with file and line:\n"
          "`sallyportd --check-config FILE`. Keys must be readable by their owner only.\n");
  for (unsigned s = 0; s < SECTION_COUNT_; s++) {
    text_add(&t, "\n## %s\n\n| key | expected | default | takes effect on | |\n|---|---|---|---|---|\n",
             titles[s]);
    for (size_t i = 0; i < conf_fields_n; i++)
      if (conf_fields[i].section == s)
        row_write(&t, &conf_fields[i]);
    if (s == SECTION_TRUNK)
      kinds_write(&t);
  }
  return text_end(&t, ret_n);
}
